//! The HID report layer: 64-byte bodies with a three-byte prefix and a length.
//!
//! Report numbers are not part of it: the meters use none, and the link adds the leading zero where
//! the operating system wants one. Layout captured on a Contour USB and a Contour Next Link.

use std::error::Error;
use std::fmt;

/// Length of a report body.
pub const REPORT_LEN: usize = 64;
/// Longest payload of one report.
pub const PAYLOAD_MAX: usize = REPORT_LEN - HEAD_LEN;
/// Prefix of every report from a meter: `ABC` (captured on a Contour USB).
pub const METER_PREFIX: [u8; 3] = *b"ABC";
/// Prefix of every report to a meter (captured: vendor software on a Contour Next Link).
pub const HOST_PREFIX: [u8; 3] = [0; 3];

/// Prefix and length byte.
const HEAD_LEN: usize = 4;

/// The body of one report.
pub type Report = [u8; REPORT_LEN];

/// Cuts a payload for the meter into report bodies; an empty payload needs none.
pub fn encode(payload: &[u8]) -> impl Iterator<Item = Report> + '_ {
    payload.chunks(PAYLOAD_MAX).map(|chunk| {
        let mut report = [0; REPORT_LEN];
        let length = u8::try_from(chunk.len()).unwrap_or_default();
        let head = HOST_PREFIX.iter().chain(std::iter::once(&length));
        for (to, from) in report.iter_mut().zip(head.chain(chunk)) {
            *to = *from;
        }
        report
    })
}

/// Takes the payload out of a report body from a meter.
///
/// An empty payload is not an error, and the padding is not looked at.
pub fn decode(body: &[u8]) -> Result<&[u8], ReportError> {
    let report: &Report = body
        .try_into()
        .map_err(|_| ReportError::Length(body.len()))?;
    let [a, b, c, length, payload @ ..] = report;
    if [*a, *b, *c] != METER_PREFIX {
        return Err(ReportError::Prefix([*a, *b, *c]));
    }
    payload
        .get(..usize::from(*length))
        .ok_or(ReportError::PayloadLength(*length))
}

/// Why a report from a meter is a transport error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportError {
    /// The body does not have [`REPORT_LEN`] bytes.
    Length(usize),
    /// The body does not start with [`METER_PREFIX`].
    Prefix([u8; 3]),
    /// The length byte is larger than [`PAYLOAD_MAX`].
    PayloadLength(u8),
}

impl fmt::Display for ReportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length(got) => write!(f, "report of {got} bytes, expected {REPORT_LEN}"),
            Self::Prefix([a, b, c]) => {
                write!(
                    f,
                    "report starts with {a:02x} {b:02x} {c:02x}, expected 41 42 43"
                )
            }
            Self::PayloadLength(got) => {
                write!(
                    f,
                    "report says it carries {got} bytes, at most {PAYLOAD_MAX} fit"
                )
            }
        }
    }
}

impl Error for ReportError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_meter(payload: &[u8]) -> Report {
        let mut report: Report = encode(payload).next().unwrap();
        report[..3].copy_from_slice(&METER_PREFIX);
        report
    }

    #[test]
    fn encodes_one_byte_with_prefix_length_and_padding() {
        let reports: Vec<Report> = encode(b"X").collect();
        let mut expected = [0; REPORT_LEN];
        expected[3] = 1;
        expected[4] = b'X';
        assert_eq!(reports, [expected]);
    }

    #[test]
    fn cuts_long_payloads_into_sixties_and_a_rest() {
        let lengths = |n| {
            encode(&vec![1; n])
                .map(|report| report[3])
                .collect::<Vec<_>>()
        };
        assert_eq!(lengths(0), [0_u8; 0]);
        assert_eq!(lengths(60), [60]);
        assert_eq!(lengths(70), [60, 10]);
        assert_eq!(lengths(120), [60, 60]);
    }

    #[test]
    fn decodes_a_full_payload() {
        assert_eq!(decode(&from_meter(&[7; 60])), Ok(&[7; 60][..]));
    }

    #[test]
    fn decodes_an_empty_report_in_mid_message() {
        let mut report = [0; REPORT_LEN];
        report[..3].copy_from_slice(&METER_PREFIX);
        assert_eq!(decode(&report), Ok(&[][..]));
    }

    #[test]
    fn ignores_padding() {
        let mut report = from_meter(b"A");
        report[63] = 0xff;
        assert_eq!(decode(&report), Ok(&b"A"[..]));
    }

    #[test]
    fn refuses_wrong_prefix_length_byte_and_size() {
        let good = from_meter(b"A");
        let mut prefix = good;
        prefix[0] = b'B';
        assert_eq!(decode(&prefix), Err(ReportError::Prefix(*b"BBC")));
        let mut length = good;
        length[3] = 61;
        assert_eq!(decode(&length), Err(ReportError::PayloadLength(61)));
        assert_eq!(decode(&good[..63]), Err(ReportError::Length(63)));
        assert_eq!(decode(&[]), Err(ReportError::Length(0)));
    }
}
