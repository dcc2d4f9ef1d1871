//! One record of a download: which kind it is, and the small kinds themselves (LIS2-A).
//!
//! Results are read in [`super::result`], headers in [`super::header`]. Decoding never fails: what
//! cannot be understood is [`Odd`], with its bytes, and the session goes on.

use std::collections::BTreeSet;
use std::fmt;

use super::header::{Delimiters, Header, HeaderError};
use super::join::RECORD_MAX;
use super::limits::{GlucoseUnit, Limits};
use super::result::ResultRecord;
use super::text::{self, latin1};

/// A decoded record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// `H`: the meter.
    Header(Box<Header>),
    /// `P`: the patient. Its content is not looked at.
    Patient,
    /// `O`: the order of a result, on older meters.
    Order(Order),
    /// `R`: a result.
    Result(Box<ResultRecord>),
    /// `L`: the end of the download.
    Terminator(Terminator),
    /// Another letter, kept raw.
    Other {
        /// The record letter.
        letter: char,
        /// The record.
        raw: Vec<u8>,
    },
    /// A record that cannot be understood, kept raw.
    Odd(Odd),
}

/// An order record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// Number of the result it belongs to.
    pub number: Option<u32>,
    /// The result with this number, before or after the order, is a control test.
    pub control: bool,
}

/// A record that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Odd {
    /// Whether it is a result; these count for completeness.
    pub is_result: bool,
    /// What is odd.
    pub reason: OddReason,
    /// The record.
    pub raw: Vec<u8>,
}

/// Why a record cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OddReason {
    /// No letter with a field delimiter behind it.
    NotARecord,
    /// Longer than any record.
    TooLong,
    /// The transmission was over before it ended.
    Unfinished,
    /// A header that is none.
    Header(HeaderError),
    /// A result ends before this field.
    Missing(&'static str),
    /// A result of a test nobody knows.
    UnknownTest(String),
    /// The value is not a plain decimal number.
    Value,
    /// The unit of a glucose value is neither mg/dL nor mmol/L.
    Unit,
    /// The time is not a possible date and time of 12 or 14 digits.
    Time,
}

impl fmt::Display for OddReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotARecord => f.write_str("the text is not a record"),
            Self::TooLong => write!(f, "the record is longer than {RECORD_MAX} bytes"),
            Self::Unfinished => f.write_str("the record was never ended"),
            Self::Header(error) => error.fmt(f),
            Self::Missing(field) => write!(f, "the result has no {field}"),
            Self::UnknownTest(test) => write!(f, "unknown test `{}`", test.escape_default()),
            Self::Value => f.write_str("the value is not a plain decimal number"),
            Self::Unit => f.write_str("the unit is neither mg/dL nor mmol/L"),
            Self::Time => f.write_str("the time is not a possible date and time"),
        }
    }
}

/// The end of a download.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terminator {
    /// Why the meter stopped.
    pub code: TerminatorCode,
}

/// Code of the `L` record (LIS2-A; captured: `N`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TerminatorCode {
    /// `N`: everything was sent.
    Normal,
    /// `T`: the meter aborted.
    SenderAborted,
    /// `R`: the receiver asked to abort.
    ReceiverAborted,
    /// `E`: unknown error.
    UnknownError,
    /// `Q`: error in the request.
    RequestError,
    /// `I`: no information available.
    NoInformation,
    /// `F`: last request processed.
    LastRequest,
    /// Anything else, also no code at all.
    Other(String),
}

impl TerminatorCode {
    fn parse(code: &[u8]) -> Self {
        match code {
            b"N" => Self::Normal,
            b"T" => Self::SenderAborted,
            b"R" => Self::ReceiverAborted,
            b"E" => Self::UnknownError,
            b"Q" => Self::RequestError,
            b"I" => Self::NoInformation,
            b"F" => Self::LastRequest,
            other => Self::Other(latin1(other)),
        }
    }
}

impl fmt::Display for TerminatorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Normal => "normal end (N)",
            Self::SenderAborted => "the meter aborted (T)",
            Self::ReceiverAborted => "the meter was asked to abort (R)",
            Self::UnknownError => "unknown error of the meter (E)",
            Self::RequestError => "the meter did not understand the request (Q)",
            Self::NoInformation => "the meter has no information (I)",
            Self::LastRequest => "last request processed (F)",
            Self::Other(code) if code.is_empty() => "no code",
            Self::Other(code) => return write!(f, "unknown code `{}`", code.escape_default()),
        })
    }
}

/// Field of an order that says `Q` for a control test (older serial meters).
pub(super) const ORDER_ACTION_FIELD: usize = 11;
/// Field of the terminator with its code.
const TERMINATOR_CODE_FIELD: usize = 3;

/// Decodes the records that follow a header.
#[derive(Clone, Copy, Debug)]
pub struct Decoder {
    pub(super) delimiters: Delimiters,
    pub(super) limits: Limits,
}

impl Default for Decoder {
    /// Decodes with the usual delimiters and limits, as before any header.
    fn default() -> Self {
        let limits = Limits::default_for(GlucoseUnit::MgPerDl);
        Self {
            delimiters: Delimiters::default(),
            limits,
        }
    }
}

impl Decoder {
    /// Decodes as this header announces.
    pub fn new(header: &Header) -> Self {
        Self {
            delimiters: header.delimiters,
            limits: header.limits,
        }
    }

    /// Keeps a record raw that began and never ended: even what looks whole may lack something.
    pub fn unfinished(&self, record: &[u8]) -> Record {
        self.odd(record, OddReason::Unfinished)
    }

    fn odd(&self, record: &[u8], reason: OddReason) -> Record {
        let is_result = matches!(record, [b'R', next, ..] if *next == self.delimiters.field);
        Record::Odd(Odd {
            is_result,
            reason,
            raw: record.to_vec(),
        })
    }

    /// Decodes a record without its CR.
    pub fn decode(&self, record: &[u8]) -> Record {
        let field = self.delimiters.field;
        let odd = |reason| self.odd(record, reason);
        if record.len() > RECORD_MAX {
            return odd(OddReason::TooLong);
        }
        let letter = match record {
            [b'H', ..] => b'H',
            [letter] if letter.is_ascii_alphabetic() => *letter,
            [letter, next, ..] if letter.is_ascii_alphabetic() && *next == field => *letter,
            _ => return odd(OddReason::NotARecord),
        };
        let at = |index| {
            record
                .split(|byte| *byte == field)
                .nth(index)
                .unwrap_or_default()
        };
        match letter {
            b'H' => match Header::parse(record) {
                Ok(header) => Record::Header(Box::new(header)),
                Err(error) => odd(OddReason::Header(error)),
            },
            b'P' => Record::Patient,
            b'O' => Record::Order(Order {
                number: text::number(at(1)),
                control: at(ORDER_ACTION_FIELD) == b"Q",
            }),
            b'R' => match ResultRecord::parse(record, self) {
                Ok(result) => Record::Result(Box::new(result)),
                Err(reason) => odd(reason),
            },
            b'L' => {
                let code = TerminatorCode::parse(at(TERMINATOR_CODE_FIELD));
                Record::Terminator(Terminator { code })
            }
            letter => Record::Other {
                letter: letter.into(),
                raw: record.to_vec(),
            },
        }
    }
}

/// Numbers of the results that an order declared control tests.
#[derive(Clone, Debug, Default)]
pub struct ControlOrders {
    numbers: BTreeSet<u32>,
}

/// More orders than this are not remembered; meters hold about 2000 results.
const ORDERS_MAX: usize = 65_536;

impl ControlOrders {
    /// Remembers an order.
    pub fn add(&mut self, order: &Order) {
        if let Some(number) = order.number
            && order.control
            && self.numbers.len() < ORDERS_MAX
        {
            self.numbers.insert(number);
        }
    }

    /// Says whether an order declared this result a control test.
    pub fn covers(&self, result: &ResultRecord) -> bool {
        result
            .number
            .is_some_and(|number| self.numbers.contains(&number))
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    fn decode(text: &str) -> Record {
        Decoder::default().decode(text.as_bytes())
    }

    #[test]
    fn terminator_codes_are_told_apart() {
        let code = |text: &str| match decode(text) {
            Record::Terminator(terminator) => terminator.code,
            other => panic!("{other:?}"),
        };
        assert_eq!(code("L|1||N"), TerminatorCode::Normal);
        assert_eq!(code("L|1||T"), TerminatorCode::SenderAborted);
        assert_eq!(code("L|1"), TerminatorCode::Other(String::new()));
        assert_eq!(code("L|1||NN"), TerminatorCode::Other("NN".into()));
        assert_eq!(code("L"), TerminatorCode::Other(String::new()));
    }

    #[test]
    fn patient_content_is_dropped() {
        assert_eq!(decode("P|1"), Record::Patient);
        assert_eq!(decode("P|1||||Some^Name"), Record::Patient);
    }

    #[test]
    fn order_with_q_marks_a_control_test() {
        assert_eq!(
            decode("O|1"),
            Record::Order(Order {
                number: Some(1),
                control: false
            })
        );
        let order = Order {
            number: Some(2),
            control: true,
        };
        assert_eq!(decode("O|2||||||||||Q"), Record::Order(order));
        let mut orders = ControlOrders::default();
        orders.add(&order);
        orders.add(&Order {
            number: Some(1),
            control: false,
        });
        let result = |number: u32| match decode(&format!(
            "R|{number}|^^^Glucose|93|mg/dL^P||||202605301805"
        )) {
            Record::Result(result) => result,
            other => panic!("{other:?}"),
        };
        assert!(orders.covers(&result(2)));
        assert!(!orders.covers(&result(1)));
    }

    #[test]
    fn unknown_letters_are_kept_raw_simulated() {
        let raw = b"C|1|comment".to_vec();
        assert_eq!(decode("C|1|comment"), Record::Other { letter: 'C', raw });
        assert_eq!(
            decode("A"),
            Record::Other {
                letter: 'A',
                raw: b"A".to_vec()
            }
        );
    }

    #[test]
    fn text_that_is_no_record_is_odd() {
        for text in ["", "ANYTEXT", "|", "1|2", "R^1"] {
            let odd = Odd {
                is_result: false,
                reason: OddReason::NotARecord,
                raw: text.as_bytes().to_vec(),
            };
            assert_eq!(decode(text), Record::Odd(odd), "{text}");
        }
    }

    #[test]
    fn overlong_result_is_odd_and_still_counts_as_result_simulated() {
        let record = [b"R|", &[b'1'; RECORD_MAX][..]].concat();
        let Record::Odd(odd) = Decoder::default().decode(&record) else {
            panic!()
        };
        assert_eq!(odd.reason, OddReason::TooLong);
        assert!(odd.is_result);
    }

    #[test]
    fn header_is_decoded_and_a_bad_one_is_odd() {
        assert!(matches!(decode(samples::HEADER_7390), Record::Header(_)));
        let Record::Odd(odd) = decode("H||||") else {
            panic!()
        };
        assert_eq!(odd.reason, OddReason::Header(HeaderError::Delimiters));
    }

    #[test]
    fn announced_delimiters_split_results_simulated() {
        let header = Header::parse(b"H!~:?!!x!Bayer7390:1:1-1").unwrap();
        let decoder = Decoder::new(&header);
        let record = decoder.decode(b"R!1!:::Glucose!93!mg/dL:P!!B~X!!202605301805");
        let Record::Result(result) = record else {
            panic!("{record:?}")
        };
        assert_eq!(result.markers.notes(), ["activity"]);
        assert!(matches!(decoder.decode(b"R|1"), Record::Odd(_)));
    }
}
