//! A finger-stick, and the documents Nightscout knows it by. No I/O.
//!
//! Nightscout keeps glucose of `mbg` entries in mg/dL whatever its display shows, tells documents of API 1
//! apart by their instant alone, and runs every text through a HTML filter.

use glucopipe_sdk::chrono::{DateTime, FixedOffset, SecondsFormat, Utc};
use glucopipe_sdk::decimal::{Factor, Scale};
use glucopipe_sdk::serde_json::{Map, Value, json};

/// 18.01559, as Nightscout has it.
const MMOL_TO_MG: Scale = Factor::Standard.to_mg(Some(0));
const MG_TO_MMOL: Scale = Factor::Standard.to_mmol(Some(1));
const WHOLE: Scale = Scale::new(1, 1, Some(0));
const TENTHS: Scale = Scale::new(1, 1, Some(1));

/// Longest text of a document.
const TEXT_LIMIT: usize = 200;

/// Milliseconds of a second: the instants that one second of a meter can be told apart by.
pub(crate) const SLOTS: u16 = 1000;

/// Glucose in both units, each rounded once from what the meter measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Glucose {
    mg_per_dl: f64,
    mmol_per_l: f64,
}

impl Glucose {
    /// From mg/dL; `None` when nothing is left of it after rounding, or it is no number.
    pub(crate) fn from_mg_per_dl(value: f64) -> Option<Self> {
        Self::checked(WHOLE.apply(value), MG_TO_MMOL.apply(value))
    }

    /// From mmol/L.
    pub(crate) fn from_mmol_per_l(value: f64) -> Option<Self> {
        Self::checked(MMOL_TO_MG.apply(value), TENTHS.apply(value))
    }

    /// From mg/dL that was converted from these mmol/L, by whatever factor.
    pub(crate) fn from_both(mg_per_dl: f64, mmol_per_l: f64) -> Option<Self> {
        Self::checked(WHOLE.apply(mg_per_dl), TENTHS.apply(mmol_per_l))
    }

    // Nightscout drops a glucose of 0 and leaves a document without a value.
    fn checked(mg_per_dl: f64, mmol_per_l: f64) -> Option<Self> {
        let is_value = |value: f64| value.is_finite() && value > 0.0;
        (is_value(mg_per_dl) && is_value(mmol_per_l)).then_some(Self {
            mg_per_dl,
            mmol_per_l,
        })
    }
}

/// In relation to the measuring range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beyond {
    Below,
    Above,
}

impl Beyond {
    fn word(self) -> &'static str {
        match self {
            Self::Below => "below",
            Self::Above => "above",
        }
    }
}

/// A finger-stick that can be sent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stick {
    pub(crate) reading_id: String,
    /// The whole second it was measured at, milliseconds since 1970 UTC.
    pub(crate) second_ms: i64,
    pub(crate) offset_min: i16,
    pub(crate) glucose: Glucose,
    pub(crate) beyond: Option<Beyond>,
    pub(crate) device: String,
    pub(crate) notes: String,
    pub(crate) raw_value: String,
    pub(crate) raw_unit: String,
}

impl Stick {
    /// The millisecond of its second that it takes when nobody else has it: always the same, whatever else
    /// is sent and in whatever order.
    pub(crate) fn slot(&self) -> u16 {
        let digest = sha1_smol::Sha1::from(&self.reading_id).digest().bytes();
        u16::from_be_bytes([digest[0], digest[1]]) % SLOTS
    }
}

/// Where documents go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Collection {
    Entries,
    Treatments,
}

/// The unit a site shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Display {
    #[default]
    MgPerDl,
    MmolPerL,
}

/// How documents are made.
#[derive(Clone, Debug)]
pub(crate) struct Form {
    pub(crate) collection: Collection,
    pub(crate) app: String,
    /// Treatments come in the unit of the site: its tooltip believes nothing else.
    pub(crate) display: Display,
}

impl Form {
    /// The number in the document of a stick.
    pub(crate) fn value(&self, stick: &Stick) -> f64 {
        match (self.collection, self.display) {
            (Collection::Treatments, Display::MmolPerL) => stick.glucose.mmol_per_l,
            _ => stick.glucose.mg_per_dl,
        }
    }

    /// The document of a stick at an instant.
    pub(crate) fn document(&self, stick: &Stick, date_ms: i64) -> Map<String, Value> {
        let mut document = Map::new();
        let mut put = |key: &str, value: Value| document.insert(key.to_owned(), value);
        let text = date_text(date_ms, stick.offset_min);
        match self.collection {
            Collection::Entries => {
                put("type", json!("mbg"));
                put("mbg", number(self.value(stick)));
                put("date", json!(date_ms));
                put("dateString", json!(text));
            }
            Collection::Treatments => {
                put("eventType", json!("BG Check"));
                put("glucose", number(self.value(stick)));
                put("glucoseType", json!("Finger"));
                let units = match self.display {
                    Display::MgPerDl => "mg/dl",
                    Display::MmolPerL => "mmol",
                };
                put("units", json!(units));
                put("created_at", json!(text));
                put("enteredBy", json!(self.app));
                if !stick.notes.is_empty() {
                    put("notes", json!(stick.notes));
                }
            }
        }
        put("device", json!(stick.device));
        put("app", json!(self.app));
        put("identifier", json!(stick.reading_id));
        put("rawValue", json!(stick.raw_value));
        put("rawUnit", json!(stick.raw_unit));
        if let Some(beyond) = stick.beyond {
            put("range", json!(beyond.word()));
        }
        document
    }

    /// The same for API 3, which wants instant and offset as numbers.
    pub(crate) fn document_v3(&self, stick: &Stick, date_ms: i64) -> Map<String, Value> {
        let mut document = self.document(stick, date_ms);
        document.insert("date".to_owned(), json!(date_ms));
        document.insert("utcOffset".to_owned(), json!(offset(stick.offset_min).0));
        document
    }
}

/// A number without a fraction that says nothing: 118, 5.5.
fn number(value: f64) -> Value {
    #[allow(clippy::cast_possible_truncation)] // mg/dL and tenths of mmol/L
    let whole = value as i64;
    // Exact comparison: a rounded number either is whole or is not.
    #[allow(clippy::float_cmp, clippy::cast_precision_loss)]
    let is_whole = whole as f64 == value;
    if is_whole { json!(whole) } else { json!(value) }
}

/// Minutes east of UTC that exist; others count as none.
fn offset(minutes: i16) -> (i16, FixedOffset) {
    let utc = || FixedOffset::east_opt(0);
    match FixedOffset::east_opt(i32::from(minutes) * 60) {
        Some(offset) => (minutes, offset),
        None => (
            0,
            utc().unwrap_or_else(|| unreachable!("no offset is an offset")),
        ),
    }
}

/// `2026-05-30T18:05:00.123+02:00`.
fn date_text(date_ms: i64, offset_min: i16) -> String {
    let instant = instant(date_ms).with_timezone(&offset(offset_min).1);
    instant.to_rfc3339_opts(SecondsFormat::Millis, false)
}

/// `2026-05-30T16:05:00.123Z`, as Nightscout keeps the time of a treatment.
pub(crate) fn utc_text(date_ms: i64) -> String {
    instant(date_ms).to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn instant(date_ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(date_ms).unwrap_or_default()
}

/// What Nightscout's filter leaves as it is, so that a text is the same when it comes back.
pub(crate) fn clean(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    for c in text.chars() {
        let c = match c {
            ';' | ',' | '|' => '/',
            c if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | ':' | '/' | '-') => c,
            _ => ' ',
        };
        if c == ' ' && (cleaned.is_empty() || cleaned.ends_with(' ')) {
            continue;
        }
        if cleaned.len() == TEXT_LIMIT {
            break;
        }
        cleaned.push(c);
    }
    cleaned.truncate(cleaned.trim_end().len());
    cleaned
}

#[cfg(test)]
mod tests;
