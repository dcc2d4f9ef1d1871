//! The `H` record: who the meter is, what it holds, and how to split its records (LIS2-A).
//!
//! Shapes differ between models: two or three versions, with or without SKU, info list, count,
//! an extra sender component or a last empty field. Nothing but the delimiters is required. The
//! password, new for every header, is not kept.

use std::error::Error;
use std::fmt;

use super::limits::Limits;
use super::local_time::LocalTime;
use super::model::{self, Model};
use super::text::{self, latin1};

/// The bytes that split records, as the header announces them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delimiters {
    /// Between fields, usually `|`.
    pub field: u8,
    /// Between repeats of a field, usually `\`.
    pub repeat: u8,
    /// Between components of a field, usually `^`.
    pub component: u8,
    /// Starts an escape, usually `&`. Meters were never seen to use it.
    pub escape: u8,
}

impl Default for Delimiters {
    fn default() -> Self {
        Self {
            field: b'|',
            repeat: b'\\',
            component: b'^',
            escape: b'&',
        }
    }
}

impl Delimiters {
    fn parse(record: &[u8]) -> Result<Self, HeaderError> {
        let (letter, rest) = record.split_first().ok_or(HeaderError::NotAHeader)?;
        if *letter != b'H' {
            return Err(HeaderError::NotAHeader);
        }
        let four: &[u8; 4] = rest.first_chunk().ok_or(HeaderError::Delimiters)?;
        let [field, repeat, component, escape] = *four;
        let distinct = (1..4).all(|at| !four[at..].contains(&four[at - 1]));
        let closed = rest.get(4).is_none_or(|next| *next == field);
        if distinct && closed && four.iter().all(u8::is_ascii_punctuation) {
            Ok(Self {
                field,
                repeat,
                component,
                escape,
            })
        } else {
            Err(HeaderError::Delimiters)
        }
    }
}

/// Positions of the header's fields, from 0 (LIS2-A; captured on five products).
pub(super) mod field {
    pub(in super::super) const SENDER: usize = 4;
    pub(in super::super) const INFO: usize = 5;
    pub(in super::super) const RESULT_COUNT: usize = 6;
    pub(in super::super) const PROCESSING_ID: usize = 11;
    pub(in super::super) const VERSION: usize = 12;
    pub(in super::super) const CLOCK: usize = 13;
}

/// Positions of the components of the sender field, from 0.
pub(super) mod sender {
    pub(in super::super) const PRODUCT: usize = 0;
    pub(in super::super) const VERSIONS: usize = 1;
    pub(in super::super) const SERIAL: usize = 2;
    pub(in super::super) const SKU: usize = 3;
    pub(in super::super) const EXTRA: usize = 4;
}

/// Key of the info list with the measuring limits.
const LIMITS_KEY: &str = "V";

/// What a meter says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// How to split every record of this transmission.
    pub delimiters: Delimiters,
    /// Product name, such as `Bayer7390`.
    pub product: String,
    /// Versions of hardware and firmware parts, in the meter's order.
    pub versions: Vec<String>,
    /// The serial number as sent.
    pub serial_raw: String,
    /// The serial number without blanks. The whole of it, with the group before the dash.
    pub serial: String,
    /// Stock number; newer meters send none.
    pub sku: Option<String>,
    /// Components of the sender behind the stock number (one on the Contour Next Link).
    pub sender_extra: Vec<String>,
    /// The info list in the meter's order. Keys are case-sensitive; unknown ones are kept.
    pub info: Vec<(String, String)>,
    /// How many results follow; `None` where the meter does not say.
    pub result_count: Option<u32>,
    /// Processing id: empty in the first header, `P` in the one that counts.
    pub processing_id: String,
    /// Version of the record standard, `1`.
    pub version: String,
    /// The meter's clock as sent.
    pub clock_raw: String,
    /// The meter's clock, if the text is a possible time.
    pub clock: Option<LocalTime>,
    /// Measuring limits, from the info list or the usual ones.
    pub limits: Limits,
    /// Whether the record holds bytes that are not printable ASCII.
    pub suspect: bool,
}

impl Header {
    /// Reads the text of an `H` record.
    pub fn parse(record: &[u8]) -> Result<Self, HeaderError> {
        let delimiters = Delimiters::parse(record)?;
        let fields: Vec<&[u8]> = record.split(|byte| *byte == delimiters.field).collect();
        let field = |at: usize| fields.get(at).copied().unwrap_or_default();

        let parts: Vec<&[u8]> = split(field(field::SENDER), delimiters.component).collect();
        let part = |at: usize| parts.get(at).copied().unwrap_or_default();
        let info: Vec<(String, String)> = split(field(field::INFO), delimiters.component)
            .map(info_entry)
            .collect();
        let limits = info.iter().find(|(key, _)| key == LIMITS_KEY);
        let serial_raw = latin1(part(sender::SERIAL));
        Ok(Self {
            delimiters,
            product: latin1(part(sender::PRODUCT)),
            versions: split(part(sender::VERSIONS), delimiters.repeat)
                .map(latin1)
                .collect(),
            serial: serial_raw.replace(' ', ""),
            serial_raw,
            sku: parts.get(sender::SKU).copied().map(latin1),
            sender_extra: parts
                .iter()
                .skip(sender::EXTRA)
                .copied()
                .map(latin1)
                .collect(),
            limits: Limits::from_entry(limits.map(|(_, value)| value.as_bytes())),
            info,
            result_count: text::number(field(field::RESULT_COUNT)),
            processing_id: latin1(field(field::PROCESSING_ID)),
            version: latin1(field(field::VERSION)),
            clock_raw: latin1(field(field::CLOCK)),
            clock: LocalTime::parse(field(field::CLOCK)),
            suspect: !text::is_plain(record),
        })
    }

    /// Returns the four digits of the product name.
    pub fn product_code(&self) -> Option<&str> {
        model::product_code(&self.product)
    }

    /// Finds the meter in the model table.
    pub fn model(&self) -> Option<&'static Model> {
        self.product_code().and_then(Model::by_product_code)
    }

    /// Names the meter; one that is not in the table is `Contour <code> (untested)`.
    pub fn model_name(&self) -> String {
        match (self.model(), self.product_code()) {
            (Some(model), _) => model.name.to_owned(),
            (None, Some(code)) => format!("Contour {code} (untested)"),
            (None, None) => "Contour (untested)".to_owned(),
        }
    }

    /// Returns the versions as one text, such as `01.24/01.04/09.02.20`.
    pub fn firmware(&self) -> String {
        self.versions.join("/")
    }

    /// Looks an entry of the info list up; the first one if there are several.
    pub fn info(&self, key: &str) -> Option<&str> {
        self.info
            .iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.as_str())
    }
}

/// Splits a field; an empty field has no parts.
fn split(field: &[u8], delimiter: u8) -> impl Iterator<Item = &[u8]> {
    let parts = field.split(move |byte| *byte == delimiter);
    parts.take(if field.is_empty() { 0 } else { usize::MAX })
}

/// Splits `K=V`; without `=` all of it is the key.
fn info_entry(entry: &[u8]) -> (String, String) {
    let mut halves = entry.splitn(2, |byte| *byte == b'=');
    let mut half = || latin1(halves.next().unwrap_or_default());
    (half(), half())
}

/// Why a record is not a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderError {
    /// It does not start with `H`.
    NotAHeader,
    /// It does not announce four different delimiters.
    Delimiters,
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAHeader => "the record is not a header",
            Self::Delimiters => "the header does not announce four different delimiters",
        })
    }
}

impl Error for HeaderError {}

#[cfg(test)]
mod tests;
