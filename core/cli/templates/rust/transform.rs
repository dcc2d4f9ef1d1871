//! The glucopipe transform example-name: keeps the readings of blood glucose, and drops the rest.
//!
//! It works as it stands; replace `apply`. A transform keeps the columns and their types, adds no rows, and
//! never changes `raw_value`, `raw_unit`, `raw`, `markers`, `record_key`, `reading_id` or `local_time`.

use glucopipe_sdk::arrow::array::{BooleanArray, RecordBatch};
use glucopipe_sdk::arrow::compute::filter_record_batch;
use glucopipe_sdk::batch::Texts;
use glucopipe_sdk::component::NoConfig;
use glucopipe_sdk::transform::{Filter, Transform};
use glucopipe_sdk::{Op, Result};

/// The transform.
pub struct GlucoseOnly;

impl Transform for GlucoseOnly {
    const ID: &'static str = "example-name";
    const SUMMARY: &'static str = "Keeps the readings of blood glucose";
    // A type with `Deserialize` and `JsonSchema`, once there are keys in `[transforms.NAME]`.
    type Config = NoConfig;
    type Filter = Self;

    fn open(_: &Op, _: NoConfig) -> Result<Self> {
        Ok(Self)
    }
}

impl Filter for GlucoseOnly {
    fn apply(&mut self, _: &Op, batch: RecordBatch) -> Result<Option<RecordBatch>> {
        let kinds = Texts::of(&batch, "kind")?;
        let keep: BooleanArray = (0..kinds.len())
            .map(|row| Some(kinds.get(row) == Some("glucose")))
            .collect();
        Ok(Some(filter_record_batch(&batch, &keep)?))
    }
}

glucopipe_sdk::export_plugin! {
    name: "example-name",
    drivers: [],
    exporters: [],
    transforms: [GlucoseOnly],
}

#[cfg(test)]
mod tests {
    use glucopipe_sdk::chrono::NaiveDateTime;
    use glucopipe_sdk::reading::*;
    use glucopipe_sdk::serde_json::json;
    use glucopipe_sdk::testing::{TestHost, batch};

    use super::*;

    #[test]
    fn control_tests_are_dropped() {
        let value = Ranged::In(Concentration::MgPerDl(MgPerDl::new(93.0).unwrap()));
        let sent = Verbatim {
            time: "202608271247",
            value: "93",
            unit: "mg/dL",
        };
        let at = NaiveDateTime::default();
        let reading =
            |measured, number| Reading::new(at, measured, sent, Identity::Counter(number));
        let both = [
            reading(Measurement::Glucose(value), 1),
            reading(Measurement::Control(value), 2),
        ];
        let host = TestHost::new();
        let mut filter = host.open_transform::<GlucoseOnly>(&json!({})).unwrap();
        let kept = filter.apply(&[batch(&both).unwrap()]).unwrap();
        assert_eq!(kept[0].num_rows(), 1);
    }
}
