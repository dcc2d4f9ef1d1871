//! Batches for the tests of transforms.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, DictionaryArray, Float64Array, Int16Array, Int64Array, RecordBatch,
    StringArray, TimestampMicrosecondArray,
};
use arrow::datatypes::Int32Type;
use chrono::{DateTime, NaiveDateTime, Utc};
use glucopipe_sdk::batch::Texts;
use glucopipe_sdk::driver::DeviceInfo;
use glucopipe_sdk::schema;
use proptest::prelude::*;
use serde_json::Value;

use crate::config::Person;

use super::{Outcome, ReadContext, Rejected, Transform, builtins};

/// One reading, as far as transforms care.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub(super) local: i64,
    pub(super) kind: &'static str,
    pub(super) value: f64,
    pub(super) unit: &'static str,
    pub(super) range: &'static str,
    pub(super) limit: Option<f64>,
    pub(super) serial: &'static str,
    pub(super) person: Option<&'static str>,
    pub(super) time: Option<i64>,
    pub(super) read_at: i64,
}

impl Row {
    pub(super) fn glucose(value: f64, unit: &'static str) -> Self {
        Self {
            local: local("2026-05-30T18:05:00"),
            kind: "glucose",
            value,
            unit,
            range: "in",
            limit: None,
            serial: "AB12",
            person: None,
            time: None,
            read_at: local("2026-06-01T00:00:00"),
        }
    }

    pub(super) fn at(text: &str) -> Self {
        Self {
            local: local(text),
            ..Self::glucose(93.0, "mg/dL")
        }
    }
}

/// Civil time, or UTC without its `Z`, in microseconds.
pub(super) fn local(text: &str) -> i64 {
    text.parse::<NaiveDateTime>()
        .unwrap()
        .and_utc()
        .timestamp_micros()
}

pub(super) fn batch(rows: &[Row]) -> RecordBatch {
    let words = |word: &dyn Fn(&Row) -> Option<&'static str>| -> ArrayRef {
        Arc::new(
            rows.iter()
                .map(word)
                .collect::<DictionaryArray<Int32Type>>(),
        )
    };
    let texts = |prefix: &str| -> ArrayRef {
        let texts = (0..rows.len()).map(|row| Some(format!("{prefix}{row}")));
        Arc::new(texts.collect::<StringArray>())
    };
    let fixed = |word: &'static str| words(&|_| Some(word));
    let columns = schema::COLUMNS.iter().map(|column| -> ArrayRef {
        match column.name {
            "reading_id" => texts("id"),
            "time" => {
                let times: TimestampMicrosecondArray = rows.iter().map(|row| row.time).collect();
                Arc::new(times.with_timezone("UTC"))
            }
            "local_time" => {
                let times = rows.iter().map(|row| Some(row.local));
                Arc::new(times.collect::<TimestampMicrosecondArray>())
            }
            "utc_offset_min" => Arc::new(rows.iter().map(|_| None).collect::<Int16Array>()),
            "time_quality" => fixed("unresolved"),
            "kind" => words(&|row| Some(row.kind)),
            "value" => Arc::new(
                rows.iter()
                    .map(|row| Some(row.value))
                    .collect::<Float64Array>(),
            ),
            "unit" => words(&|row| Some(row.unit)),
            "range" => words(&|row| Some(row.range)),
            "range_limit" => Arc::new(rows.iter().map(|row| row.limit).collect::<Float64Array>()),
            "meal" => words(&|row| (row.local % 2 == 0).then_some("before")),
            "reference" | "notes" => words(&|_| None),
            "person" => words(&|row| row.person),
            "markers" => words(&|row| (row.local % 3 != 0).then_some("X/Z1")),
            "raw_value" => texts("raw"),
            "raw_unit" => words(&|row| Some(row.unit)),
            "record_key" => texts("key"),
            "device_serial" => words(&|row| Some(row.serial)),
            "clock_offset_s" => Arc::new(rows.iter().map(|_| None).collect::<Int64Array>()),
            "read_at" => {
                let times = rows.iter().map(|row| Some(row.read_at));
                Arc::new(
                    times
                        .collect::<TimestampMicrosecondArray>()
                        .with_timezone("UTC"),
                )
            }
            "raw" => {
                let frames: Vec<_> = (0..rows.len()).map(|row| row.to_le_bytes()).collect();
                Arc::new(frames.iter().map(Some).collect::<BinaryArray>())
            }
            _ => fixed("x"),
        }
    });
    RecordBatch::try_new(schema::readings(), columns.collect()).unwrap()
}

/// A context without a clock.
pub(super) fn context() -> ReadContext {
    ReadContext {
        source: "meter".into(),
        ..ReadContext::default()
    }
}

/// A context whose meter showed `clock` at the moment `read`.
pub(super) fn context_with(clock: &str, resolution_s: u32, read: &str) -> ReadContext {
    let read: DateTime<Utc> = read.parse().unwrap();
    let device = DeviceInfo {
        clock: Some(clock.parse().unwrap()),
        clock_resolution_s: Some(resolution_s),
        clock_read_us: Some(read.timestamp_micros()),
        ..DeviceInfo::default()
    };
    ReadContext {
        source: "meter".into(),
        device,
        run_at_us: None,
    }
}

/// The persons of every pipeline here.
pub(super) fn persons() -> Vec<Person> {
    let person = |name: &str, serials: &[&str]| Person {
        name: name.to_owned(),
        serials: serials.iter().map(|&serial| serial.to_owned()).collect(),
    };
    vec![
        person("anna", &["AB12", "7801-1234567"]),
        person("ben", &["BEN-000111"]),
        person("nobody yet", &[]),
    ]
}

pub(super) fn open(kind: &str, options: &Value) -> Result<Box<dyn Transform>, Rejected> {
    let builtin = builtins()
        .iter()
        .find(|builtin| builtin.kind == kind)
        .unwrap();
    (builtin.open)(options, &persons())
}

/// Why a configuration is refused.
pub(super) fn refused(kind: &str, options: &Value) -> Rejected {
    open(kind, options).err().unwrap()
}

pub(super) fn apply(kind: &str, options: &Value, rows: &[Row], context: &ReadContext) -> Outcome {
    let outcome = open(kind, options)
        .unwrap()
        .apply(batch(rows), context)
        .unwrap();
    assert_eq!(outcome.batch.schema(), schema::readings());
    outcome
}

pub(super) fn texts(batch: &RecordBatch, column: &str) -> Vec<Option<String>> {
    let texts = Texts::of(batch, column).unwrap();
    (0..texts.len())
        .map(|row| texts.get(row).map(str::to_owned))
        .collect()
}

pub(super) fn numbers(batch: &RecordBatch, column: &str) -> Vec<Option<f64>> {
    super::typed::<Float64Array>(batch, column)
        .unwrap()
        .iter()
        .collect()
}

/// Times as `2026-05-30T18:05:00`.
pub(super) fn times(batch: &RecordBatch, column: &str) -> Vec<Option<String>> {
    let times: &TimestampMicrosecondArray = super::typed(batch, column).unwrap();
    let shown = |us| DateTime::from_timestamp_micros(us).unwrap().naive_utc();
    times
        .iter()
        .map(|us| us.map(|us| shown(us).format("%Y-%m-%dT%H:%M:%S").to_string()))
        .collect()
}

/// The columns that no transform may change.
const RAW: [&str; 7] = [
    "raw_value",
    "raw_unit",
    "raw",
    "markers",
    "record_key",
    "reading_id",
    "local_time",
];

/// Asserts that what the meter sent is there as it was, for the rows that are left.
pub(super) fn assert_raw_untouched(before: &RecordBatch, after: &RecordBatch) {
    let ids = |batch| texts(batch, "reading_id").into_iter().flatten();
    let all: Vec<String> = ids(before).collect();
    let rows = ids(after).map(|id| all.iter().position(|known| *known == id).unwrap());
    let rows: Vec<usize> = rows.collect();
    assert!(rows.is_sorted());
    for name in RAW {
        let (old, new) = (
            before.column_by_name(name).unwrap(),
            after.column_by_name(name).unwrap(),
        );
        for (row, &origin) in rows.iter().enumerate() {
            if matches!(name, "raw_unit" | "markers") {
                assert_eq!(
                    texts(before, name)[origin],
                    texts(after, name)[row],
                    "{name}"
                );
            } else {
                assert_eq!(
                    old.slice(origin, 1).as_ref(),
                    new.slice(row, 1).as_ref(),
                    "{name}"
                );
            }
        }
    }
}

prop_compose! {
    /// Any reading.
    pub(super) fn any_row()(
        local in -2_000_000_000i64..5_000_000_000,
        kind in prop::sample::select(vec!["glucose", "ketone", "control", "insulin", "carbs"]),
        tenths in 0u32..20_000,
        unit in prop::sample::select(vec!["mg/dL", "mmol/L", "g"]),
        range in prop::sample::select(vec!["in", "below", "above"]),
        serial in prop::sample::select(vec!["AB12", "cd 34"]),
        time in prop::option::of(-2_000_000_000i64..5_000_000_000),
        read_at in 0i64..5_000_000_000,
    ) -> Row {
        let value = f64::from(tenths) / 10.0;
        let limit = (range != "in").then_some(value);
        let us = |seconds: i64| seconds * 1_000_000;
        Row { local: us(local), kind, value, unit, range, limit, serial, person: None, time: time.map(us), read_at: us(read_at) }
    }
}
