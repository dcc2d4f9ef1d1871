//! `pseudonymise`: readings that do not say whose they are, to anybody without the key.
//!
//! The one transform that replaces what the meter sent: `reading_id` is made from the serial, so whoever has
//! a list of serials could look it up; `record_key`, `raw`, `notes` and `markers` may hold the time or worse.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BinaryArray, DictionaryArray, Int16Array, Int32Array, Int64Array, RecordBatch,
    StringArray, StringBuilder, TimestampMicrosecondArray,
};
use arrow::datatypes::Int32Type;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use uuid::fmt::Hyphenated;

use self::keyed::{KEY_LENGTH, Key, Of};
use super::{
    Opened, Outcome, ReadContext, Rejected, Transform, Words, parse, replace, typed, words,
};
use crate::config::Person;
use crate::device::normalise_serial;
use crate::problem::{Code, Problem};

mod keyed;

/// Fewest and most days that times can be moved by.
const SHIFT_DAYS: std::ops::RangeInclusive<u32> = 28..=3650;
const DAY_US: i64 = 86_400_000_000;
const WEEK: u32 = 7;

/// Keys of a `pseudonymise` transform.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    /// Secret that pseudonyms are made with, at least 32 characters; the same key gives the same pseudonyms.
    #[schemars(extend("format" = "secret"))]
    key: String,
    /// Keeps `notes` and `markers`, which may say more of a person than is meant.
    #[serde(default)]
    keep_notes: bool,
    /// Days that the times of each person are moved into the past by, at most; not moved if omitted.
    #[serde(default)]
    #[schemars(range(min = 28, max = 3650))]
    shift_days: Option<u32>,
    /// Moves times by whole weeks, so that weekdays stay.
    #[serde(default)]
    keep_weekdays: bool,
    /// Keeps moved times in UTC too, although a change of daylight saving in them shows the true date.
    #[serde(default)]
    keep_utc: bool,
}

/// Makes the transform.
pub(super) fn open(options: &Value, _: &[Person]) -> Opened {
    let config: Config = parse(options)?;
    let Some(key) = Key::new(&config.key) else {
        let length = config.key.chars().count();
        let message = format!("expected a key of at least {KEY_LENGTH} characters, got {length}");
        let hint = "make one by chance, and keep it away from the data: `openssl rand -hex 32`";
        return Err(Rejected::new("key", Code::CONFIG_SECRET, message).hint(hint));
    };
    for (name, given) in [
        ("keep_weekdays", config.keep_weekdays),
        ("keep_utc", config.keep_utc),
    ] {
        if given && config.shift_days.is_none() {
            let message = format!("`{name}` says how times are moved, and `shift_days` is missing");
            let hint = format!("add `shift_days = 364`, or delete `{name}`");
            return Err(Rejected::new(name, Code::CONFIG_VALUE, message).hint(hint));
        }
    }
    if let Some(days) = config.shift_days.filter(|days| !SHIFT_DAYS.contains(days)) {
        let (least, most) = (SHIFT_DAYS.start(), SHIFT_DAYS.end());
        let message = format!("expected {least} to {most}, got {days}");
        return Err(Rejected::new("shift_days", Code::CONFIG_VALUE, message));
    }
    let step = if config.keep_weekdays { WEEK } else { 1 };
    let shift = config.shift_days.map(|days| Shift {
        steps: u64::from(days / step),
        step_us: i64::from(step) * DAY_US,
        keeps_utc: config.keep_utc,
    });
    let notes = if config.keep_notes {
        "kept"
    } else {
        "left out"
    };
    let moved = match (config.shift_days, config.keep_weekdays) {
        (None, _) => "times as they are".to_owned(),
        (Some(days), false) => format!("times 1 to {days} days back"),
        (Some(days), true) => format!("times 1 to {} weeks back", days / WEEK),
    };
    let note = format!(
        "pseudonymise: key {}, notes {notes}, {moved}",
        key.pseudonym(Of::Key, "")
    );
    Ok(Box::new(Pseudonymise {
        key,
        keeps_notes: config.keep_notes,
        shift,
        note,
    }))
}

struct Pseudonymise {
    key: Key,
    keeps_notes: bool,
    shift: Option<Shift>,
    note: String,
}

/// How times are moved: by 1 to `steps` times `step_us`.
struct Shift {
    steps: u64,
    step_us: i64,
    keeps_utc: bool,
}

impl Transform for Pseudonymise {
    fn renames(&self) -> bool {
        true
    }

    fn apply(&mut self, batch: RecordBatch, _: &ReadContext) -> Result<Outcome, Problem> {
        let rows = batch.num_rows();
        let serials = words(&batch, "device_serial")?;
        let persons = words(&batch, "person")?;
        let before: &StringArray = typed(&batch, "reading_id")?;
        let mut ids = StringBuilder::with_capacity(rows, rows * Hyphenated::LENGTH);
        let mut keys = StringBuilder::new();
        for id in before {
            let (id, key) = self.key.reading(id.unwrap_or_default());
            ids.append_value(id.to_string());
            keys.append_value(key);
        }
        let serial = |serial: &str| {
            let serial = normalise_serial(serial);
            self.key.pseudonym(Of::Serial, &serial)
        };
        let person = |person: &str| self.key.pseudonym(Of::Person, person);
        let mut columns: Vec<(&str, ArrayRef)> = vec![
            ("reading_id", Arc::new(ids.finish())),
            ("record_key", Arc::new(keys.finish())),
            ("device_serial", serials.renamed(serial)),
            ("person", persons.renamed(person)),
            // A rare version singles a meter out, and says nothing of the readings.
            ("device_firmware", constant("", rows)),
            ("raw", Arc::new(BinaryArray::new_null(rows))),
        ];
        for name in ["notes", "markers"] {
            let column = words(&batch, name)?;
            let column = match self.keeps_notes {
                true => column.renamed(str::to_owned),
                false => nothing(rows),
            };
            columns.push((name, column));
        }
        // Words that no row here has stay in a dictionary, and go nowhere.
        for name in ["device_model", "driver"] {
            columns.push((name, words(&batch, name)?.renamed(str::to_owned)));
        }
        if let Some(shift) = &self.shift {
            let shifts = self.shifts(shift, &persons, &serials);
            columns.push((
                "local_time",
                Arc::new(moved(typed(&batch, "local_time")?, &shifts)),
            ));
            let read_at = moved(typed(&batch, "read_at")?, &shifts);
            columns.push(("read_at", Arc::new(read_at.with_timezone("UTC"))));
            columns.extend(self.utc(shift, &batch, &shifts)?);
        }
        let former_ids = Some(before.clone());
        Ok(Outcome {
            notes: vec![self.note.clone()],
            former_ids,
            ..Outcome::of(replace(&batch, columns)?)
        })
    }
}

impl Pseudonymise {
    /// What is moved by in each row, in microseconds: the same for all readings of a person, and of a meter
    /// that is nobody's.
    fn shifts(&self, shift: &Shift, persons: &Words<'_>, serials: &Words<'_>) -> Vec<i64> {
        let by = |of, text: &str| {
            let steps = 1 + self.key.choice(of, text, shift.steps);
            i64::try_from(steps)
                .unwrap_or(i64::MAX)
                .saturating_mul(shift.step_us)
        };
        let of_person = persons.map(None, |person| Some(by(Of::PersonShift, person)));
        let of_serial = serials.map(0, |serial| by(Of::SerialShift, &normalise_serial(serial)));
        let rows = serials.keys().iter().enumerate();
        rows.map(|(row, &serial)| {
            let person = persons.array.is_valid(row).then(|| persons.keys()[row]);
            let person = person.and_then(|person| of_person.of(person));
            person.unwrap_or_else(|| of_serial.of(serial))
        })
        .collect()
    }

    /// The columns in which a change of daylight saving can be seen, whose true date everybody knows.
    fn utc(
        &self,
        shift: &Shift,
        batch: &RecordBatch,
        shifts: &[i64],
    ) -> Result<Vec<(&'static str, ArrayRef)>, Problem> {
        if shift.keeps_utc {
            let time = moved(typed(batch, "time")?, shifts);
            return Ok(vec![("time", Arc::new(time.with_timezone("UTC")))]);
        }
        let rows = shifts.len();
        let times = TimestampMicrosecondArray::new_null(rows).with_timezone("UTC");
        Ok(vec![
            ("time", Arc::new(times)),
            ("utc_offset_min", Arc::new(Int16Array::new_null(rows))),
            ("time_quality", constant("unresolved", rows)),
            // A meter that nobody sets is an hour off from that date on.
            ("clock_offset_s", Arc::new(Int64Array::new_null(rows))),
        ])
    }
}

fn moved(times: &TimestampMicrosecondArray, shifts: &[i64]) -> TimestampMicrosecondArray {
    let values = times.values().iter().zip(shifts);
    let values: Vec<i64> = values.map(|(time, by)| time.saturating_sub(*by)).collect();
    TimestampMicrosecondArray::new(values.into(), times.nulls().cloned())
}

/// A column that says one word in every row.
fn constant(word: &str, rows: usize) -> ArrayRef {
    let keys = Int32Array::from(vec![0; rows]);
    let values = Arc::new(StringArray::from(vec![word]));
    Arc::new(DictionaryArray::<Int32Type>::new(keys, values))
}

/// A column of words without any.
fn nothing(rows: usize) -> ArrayRef {
    Arc::new(std::iter::repeat_n(None::<&str>, rows).collect::<DictionaryArray<Int32Type>>())
}

impl Words<'_> {
    /// The column with every word replaced, and without the words that no row has.
    fn renamed(&self, name: impl Fn(&str) -> String) -> ArrayRef {
        let mut places: Vec<Option<i32>> = vec![None; self.values.len()];
        let mut names: Vec<String> = Vec::new();
        let mut keys = Vec::with_capacity(self.array.len());
        for row in 0..self.array.len() {
            let word = self
                .array
                .key(row)
                .filter(|&word| self.values.is_valid(word));
            keys.push(word.map(|word| {
                *places[word].get_or_insert_with(|| {
                    names.push(name(self.values.value(word)));
                    i32::try_from(names.len() - 1).unwrap_or(i32::MAX)
                })
            }));
        }
        // Every key is a place in `names`.
        Arc::new(DictionaryArray::<Int32Type>::new(
            Int32Array::from(keys),
            Arc::new(StringArray::from(names)),
        ))
    }
}

#[cfg(test)]
mod tests;
