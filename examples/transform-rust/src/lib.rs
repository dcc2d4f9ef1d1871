//! A glucopipe transform: notes which readings lie outside a person's target range. It changes no value and
//! drops nothing; `notes` get one more word, behind those that the meter has.

use std::sync::Arc;

use glucopipe_sdk::arrow::array::{Float64Array, RecordBatch, StringDictionaryBuilder};
use glucopipe_sdk::arrow::datatypes::Int32Type;
use glucopipe_sdk::batch::{Texts, typed};
use glucopipe_sdk::transform::{Filter, Transform};
use glucopipe_sdk::{Error, Op, Result, schemars::JsonSchema, serde::Deserialize};

/// The transform.
pub struct TargetRange;

/// Its keys in `[transforms.NAME]`.
#[derive(Deserialize, JsonSchema)]
#[serde(crate = "glucopipe_sdk::serde", deny_unknown_fields)]
#[schemars(crate = "glucopipe_sdk::schemars")]
pub struct Config {
    /// The lowest value inside the range, in `unit`.
    low: f64,
    /// The highest value inside the range, in `unit`.
    high: f64,
    /// `mg/dL` or `mmol/L`; readings in another unit are left as they are.
    unit: Unit,
}

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "glucopipe_sdk::serde")]
#[schemars(crate = "glucopipe_sdk::schemars")]
enum Unit {
    #[serde(rename = "mg/dL")]
    MgPerDl,
    #[serde(rename = "mmol/L")]
    MmolPerL,
}

impl Unit {
    fn word(&self) -> &'static str {
        match self {
            Self::MgPerDl => "mg/dL",
            Self::MmolPerL => "mmol/L",
        }
    }
}

impl Transform for TargetRange {
    const ID: &'static str = "target-range";
    const SUMMARY: &'static str = "Notes which readings are outside the target range";
    type Config = Config;
    type Filter = Config;

    fn open(_: &Op, config: Config) -> Result<Config> {
        if config.low > config.high {
            return Err(Error::config("low", "`low` is above `high`"));
        }
        Ok(config)
    }
}

impl Config {
    /// The word for a reading, if there is one. What is beyond the range of the meter is outside this one too.
    fn word(&self, kind: &str, value: f64, unit: &str, range: &str) -> Option<&'static str> {
        match range {
            _ if kind != "glucose" || unit != self.unit.word() => None,
            "below" => Some("below target"),
            "above" => Some("above target"),
            _ if value < self.low => Some("below target"),
            _ if value > self.high => Some("above target"),
            _ => None,
        }
    }
}

impl Filter for Config {
    fn apply(&mut self, _: &Op, batch: RecordBatch) -> Result<Option<RecordBatch>> {
        let values: &Float64Array = typed(&batch, "value")?;
        let [kinds, units, ranges, notes] =
            ["kind", "unit", "range", "notes"].map(|name| Texts::of(&batch, name));
        let (kinds, units, ranges, notes) = (kinds?, units?, ranges?, notes?);
        // A column of words is a dictionary, and stays one.
        let mut noted = StringDictionaryBuilder::<Int32Type>::new();
        for row in 0..batch.num_rows() {
            let text = |texts: &Texts| texts.get(row).unwrap_or_default().to_owned();
            let word = self.word(
                &text(&kinds),
                values.value(row),
                &text(&units),
                &text(&ranges),
            );
            match (notes.get(row), word) {
                (Some(notes), Some(word)) => noted.append_value(format!("{notes}; {word}")),
                (notes, word) => noted.append_option(word.or(notes)),
            }
        }
        let place = batch.schema().index_of("notes")?;
        let schema = batch.schema();
        let mut columns = batch.columns().to_vec();
        columns[place] = Arc::new(noted.finish());
        Ok(Some(RecordBatch::try_new(schema, columns)?))
    }
}

glucopipe_sdk::export_plugin! {
    name: "target-range",
    drivers: [],
    exporters: [],
    transforms: [TargetRange],
}

#[cfg(test)]
mod tests {
    use glucopipe_sdk::reading::*;
    use glucopipe_sdk::serde_json::json;
    use glucopipe_sdk::testing::{TestHost, batch};

    use super::*;

    fn reading(value: f64, note: &str) -> Reading {
        let glucose = Concentration::MgPerDl(MgPerDl::new(value).unwrap());
        let text = value.to_string();
        let verbatim = Verbatim {
            time: "202608271247",
            value: &text,
            unit: "mg/dL",
        };
        let at = "2026-08-27T12:47:00".parse().unwrap();
        let measured = Measurement::Glucose(Ranged::In(glucose));
        let mut reading = Reading::new(at, measured, verbatim, Identity::Observed);
        reading.notes = note.split_whitespace().map(str::to_owned).collect();
        reading
    }

    fn notes(config: &glucopipe_sdk::serde_json::Value) -> Vec<Option<String>> {
        let host = TestHost::new();
        let mut filter = host.open_transform::<TargetRange>(config).unwrap();
        let readings = [
            reading(68.0, "sport"),
            reading(94.0, "sport"),
            reading(260.0, ""),
        ];
        let changed = filter.apply(&[batch(&readings).unwrap()]).unwrap();
        let notes = Texts::of(&changed[0], "notes").unwrap();
        (0..3)
            .map(|row| notes.get(row).map(str::to_owned))
            .collect()
    }

    #[test]
    fn words_are_added_to_those_of_the_meter() {
        let found = notes(&json!({ "low": 70.0, "high": 180.0, "unit": "mg/dL" }));
        let found: Vec<_> = found.iter().map(Option::as_deref).collect();
        assert_eq!(
            found,
            [
                Some("sport; below target"),
                Some("sport"),
                Some("above target")
            ]
        );
    }

    #[test]
    fn a_range_in_another_unit_says_nothing() {
        let found = notes(&json!({ "low": 3.9, "high": 10.0, "unit": "mmol/L" }));
        assert_eq!(
            found,
            [Some("sport".to_owned()), Some("sport".to_owned()), None]
        );
    }

    #[test]
    fn a_range_that_is_upside_down_is_refused() {
        let config = json!({ "low": 180.0, "high": 70.0, "unit": "mg/dL" });
        let refused = TestHost::new()
            .open_transform::<TargetRange>(&config)
            .err()
            .unwrap();
        assert_eq!(refused.key.as_deref(), Some("low"));
    }
}
