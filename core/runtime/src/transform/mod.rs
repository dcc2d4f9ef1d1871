//! The transforms that are built in: units, times, people, and leaving rows out.
//!
//! A transform takes one whole read of one meter as a batch of
//! [`glucopipe_sdk::schema::readings`] and gives a batch of the same schema. What the meter sent
//! (`raw_value`, `raw_unit`, `raw`, `markers`, `record_key`, `local_time`) and `reading_id` pass
//! through untouched: columns that are not replaced are shared, not copied. `pseudonymise` alone
//! replaces some of them, because they say whose the readings are.

// A problem is made once for a batch at most, so its size does not matter.
#![allow(clippy::result_large_err)]

use std::collections::BTreeMap;

use arrow::array::{Array, ArrayRef, DictionaryArray, RecordBatch, StringArray};
use arrow::datatypes::Int32Type;
use glucopipe_sdk::driver::DeviceInfo;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::config::Person;
use crate::problem::{Code, Problem};

mod clock;
mod filter;
mod moment;
mod offset;
mod person;
mod pseudonymise;
#[cfg(test)]
mod testing;
mod units;
mod zone;
mod zone_name;

/// What is known of the read a batch came from.
#[derive(Clone, Debug, Default)]
pub struct ReadContext {
    /// Name of the source in the pipeline.
    pub source: String,
    /// The meter; its clock, and when that was read, are what the clock offset is measured with.
    pub device: DeviceInfo,
    /// Now, microseconds UTC, where it is not the time of the read: a span such as the last 30 days ends now,
    /// whenever a reading was read.
    pub run_at_us: Option<i64>,
}

/// What became of a batch.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The readings.
    pub batch: RecordBatch,
    /// What the user should know.
    pub warnings: Vec<Problem>,
    /// For the run report: parameters used and counts; no readings, no times of readings.
    pub notes: Vec<String>,
    /// Readings left out.
    pub dropped: u64,
    /// Meter clock minus wall time, seconds, where the transform measured it in its zone.
    pub clock_offset_s: Option<i64>,
    /// The `reading_id`s from before, row by row, where the transform gave new ones: the ledger goes by them.
    pub former_ids: Option<StringArray>,
}

impl Outcome {
    /// The readings, and nothing to say of them.
    pub fn of(batch: RecordBatch) -> Self {
        Self {
            batch,
            warnings: Vec::new(),
            notes: Vec::new(),
            dropped: 0,
            clock_offset_s: None,
            former_ids: None,
        }
    }
}

/// A configured transform.
pub trait Transform: Send {
    /// Transforms one read: a batch of [`glucopipe_sdk::schema::readings`], oldest reading first.
    ///
    /// # Errors
    /// When the batch is not of that schema, which is a bug of whoever made it.
    fn apply(&mut self, batch: RecordBatch, context: &ReadContext) -> Result<Outcome, Problem>;

    /// What the readings behind it have in common, for the metadata of their stream; `None` when it leaves that
    /// as it was.
    fn says(&self) -> Option<BTreeMap<String, String>> {
        None
    }

    /// Whether a reading that it leaves out now is left out by these keys at every later run.
    fn lasting(&self) -> bool {
        true
    }

    /// Whether it gives readings other ids.
    fn renames(&self) -> bool {
        false
    }

    /// Whether it goes by `[persons]`.
    fn asks_persons(&self) -> bool {
        false
    }

    /// What the user should know of all reads together; asked once, when the last has passed.
    fn finish(&mut self) -> Vec<Problem> {
        Vec::new()
    }
}

/// A kind of transform that needs no plugin.
#[derive(Debug)]
pub struct Builtin {
    /// The `type` in `pipeline.toml`.
    pub kind: &'static str,
    /// One line for listings.
    pub summary: &'static str,
    /// JSON Schema of its keys.
    pub schema: fn() -> Value,
    /// Makes one from its keys, which the schema has accepted, and the persons of the pipeline.
    pub open: fn(&Value, &[Person]) -> Opened,
}

/// A transform, or why there is none.
pub type Opened = Result<Box<dyn Transform>, Rejected>;

/// A value that the schema could not refuse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Path of the value inside the node's table, dotted: `devices.0`; empty for the table itself.
    pub key: String,
    /// The code.
    pub code: Code,
    /// `expected …, got …`.
    pub message: String,
    /// One thing to do.
    pub hint: Option<String>,
}

impl Rejected {
    fn new(key: impl Into<String>, code: Code, message: impl Into<String>) -> Self {
        Self {
            key: key.into(),
            code,
            message: message.into(),
            hint: None,
        }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// All kinds that are built in.
pub fn builtins() -> &'static [Builtin] {
    &[
        Builtin {
            kind: "clock",
            summary: "finds the UTC time of readings from the meter's local time and a time zone",
            schema: schema_of::<clock::Config>,
            open: clock::open,
        },
        Builtin {
            kind: "filter",
            summary: "passes on some of the readings: by kind, time, measuring range, meter or person",
            schema: schema_of::<filter::Config>,
            open: filter::open,
        },
        Builtin {
            kind: "person",
            summary: "says whose a reading is, by the serial of the meter; holds back what is nobody's",
            schema: schema_of::<person::Config>,
            open: person::open,
        },
        Builtin {
            kind: "pseudonymise",
            summary: "replaces what says whose readings are by pseudonyms made with a key",
            schema: schema_of::<pseudonymise::Config>,
            open: pseudonymise::open,
        },
        Builtin {
            kind: "units",
            summary: "converts glucose between mg/dL and mmol/L",
            schema: schema_of::<units::Config>,
            open: units::open,
        },
    ]
}

fn schema_of<T: JsonSchema>() -> Value {
    schemars::schema_for!(T).to_value()
}

fn parse<T: DeserializeOwned>(options: &Value) -> Result<T, Rejected> {
    T::deserialize(options)
        .map_err(|error| Rejected::new("", Code::CONFIG_VALUE, error.to_string()))
}

/// A column of a batch as its Arrow type.
fn typed<'a, T: 'static>(batch: &'a RecordBatch, name: &str) -> Result<&'a T, Problem> {
    glucopipe_sdk::batch::typed(batch, name).map_err(|error| invalid(&error.to_string()))
}

/// A column of words: the index of each row, and the words.
fn words<'a>(batch: &'a RecordBatch, name: &str) -> Result<Words<'a>, Problem> {
    let array: &DictionaryArray<Int32Type> = typed(batch, name)?;
    match array.values().as_any().downcast_ref() {
        Some(values) => Ok(Words { array, values }),
        None => Err(invalid(&format!("the column `{name}` is not text"))),
    }
}

/// A dictionary column, read word by word instead of row by row.
struct Words<'a> {
    array: &'a DictionaryArray<Int32Type>,
    values: &'a StringArray,
}

impl Words<'_> {
    /// The index of every row into what [`Words::map`] gives.
    fn keys(&self) -> &[i32] {
        self.array.keys().values()
    }

    /// What every word means; whatever is asked for by an index beyond the words is the last entry.
    fn map<T>(&self, missing: T, meaning: impl Fn(&str) -> T) -> Meanings<T> {
        let word = |index| {
            self.values
                .is_valid(index)
                .then(|| meaning(self.values.value(index)))
        };
        let table = (0..self.values.len()).map(word).collect();
        Meanings { table, missing }
    }
}

/// What the words of a dictionary mean.
struct Meanings<T> {
    table: Vec<Option<T>>,
    missing: T,
}

impl<T: Copy> Meanings<T> {
    fn of(&self, key: i32) -> T {
        let found = usize::try_from(key)
            .ok()
            .and_then(|key| self.table.get(key));
        found.copied().flatten().unwrap_or(self.missing)
    }
}

/// The batch with some columns replaced; all others are shared.
fn replace(batch: &RecordBatch, columns: Vec<(&str, ArrayRef)>) -> Result<RecordBatch, Problem> {
    let schema = batch.schema();
    let mut all = batch.columns().to_vec();
    for (name, column) in columns {
        match schema.index_of(name) {
            Ok(index) => all[index] = column,
            Err(error) => return Err(invalid(&error.to_string())),
        }
    }
    RecordBatch::try_new(schema, all).map_err(|error| invalid(&error.to_string()))
}

fn invalid(cause: &str) -> Problem {
    Problem::error(
        Code::DATA_INVALID,
        "a transform got readings outside the schema",
    )
    .cause(cause)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_kind_has_a_closed_schema_with_a_description_of_every_key() {
        for builtin in builtins() {
            let schema = (builtin.schema)();
            assert_eq!(
                schema["additionalProperties"],
                json!(false),
                "{}",
                builtin.kind
            );
            for (key, property) in schema["properties"].as_object().into_iter().flatten() {
                assert!(
                    property["description"].is_string(),
                    "{}.{key}",
                    builtin.kind
                );
            }
        }
        let schema = |kind: &str| {
            let builtin = builtins().iter().find(|builtin| builtin.kind == kind);
            (builtin.unwrap().schema)()
        };
        assert_eq!(schema("clock")["required"], json!(["timezone"]));
        assert_eq!(schema("units")["required"], json!(["to"]));
        assert_eq!(schema("filter").get("required"), None);
        assert_eq!(
            schema("units")["properties"]["factor"]["enum"],
            json!([18.01559, 18])
        );
        assert_eq!(
            schema("clock")["properties"]["correct_drift"]["default"],
            json!(false)
        );
    }

    #[test]
    fn options_that_no_schema_has_seen_are_refused_not_a_crash() {
        for builtin in builtins() {
            for options in [
                json!(null),
                json!([1]),
                json!({ "nonsense": 1 }),
                json!("x"),
            ] {
                let refused = (builtin.open)(&options, &[]).err().unwrap();
                assert_eq!(
                    refused.code,
                    Code::CONFIG_VALUE,
                    "{} {options}",
                    builtin.kind
                );
            }
        }
    }
}
