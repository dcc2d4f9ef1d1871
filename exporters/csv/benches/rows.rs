//! Time per row of each profile, and of the stock CSV writer of Arrow, side by side in one go.
//!
//! `cargo bench -p glucopipe-exporter-csv` builds with optimisations and prints medians of the time on a
//! processor, which other work on the machine disturbs little. Bytes are counted instead of written, so
//! that no disk is measured. A word chooses: `-- iglu`.

#![allow(clippy::print_stdout)] // printing is its duty

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use glucopipe_exporter_csv::{Config, Csv};
use glucopipe_sdk::arrow::array::{
    Array, ArrayRef, Int16Array, Int64Array, RecordBatch, TimestampMicrosecondArray,
};
use glucopipe_sdk::exporter::Exporter;
use glucopipe_sdk::serde_json::{self, Value, json};
use glucopipe_sdk::testing::{Form, MORNING, TestHost, feed, moments, numbers, table, texts};

/// Rows in a batch, as the host cuts them.
const ROWS: usize = 8192;
const BATCHES: usize = 24;
const ROUNDS: usize = 15;

fn main() {
    let batches: Vec<RecordBatch> = (0..BATCHES).map(batch).collect();
    let stock_batches: Vec<RecordBatch> = batches.iter().map(for_the_stock_writer).collect();
    let host = TestHost::new();
    let (batches, host) = (&batches, &host);
    let config = |options: Value| {
        let mut config = json!({ "path": "readings.csv" });
        for (key, value) in options.as_object().into_iter().flatten() {
            config[key] = value.clone();
        }
        config
    };
    let ours = |options: Value| {
        let config: Config = serde_json::from_value(config(options)).expect("a configuration");
        Box::new(move || {
            let mut readings = feed(batches.iter().cloned().map(Ok));
            let seen = Csv::preview(&host.op(), config.clone(), readings.as_mut());
            seen.expect("a preview").expect("a count").report.bytes
        }) as Box<dyn Fn() -> u64>
    };
    let through_c = config(json!({}));
    let through_c = Box::new(move || {
        let seen = host.preview_export::<Csv>(&through_c, batches);
        seen.expect("a preview").expect("a count").report.bytes
    }) as Box<dyn Fn() -> u64>;
    // Every reading is in the file already, so each row is read, known again and written.
    let folder = tempfile::tempdir().expect("a temporary folder");
    let there = json!({ "path": folder.path().join("readings.csv") });
    let mut sink = host.open_exporter::<Csv>(&there).expect("a sink");
    sink.write(batches).expect("written");
    sink.commit().expect("committed");
    let added = |mode: &str| {
        let mut options = there.clone();
        options["mode"] = mode.into();
        ours(options)
    };
    let eight = [
        "reading_id",
        "time",
        "local_time",
        "kind",
        "value",
        "unit",
        "meal",
        "person",
    ];
    let stock = Box::new(move || {
        let mut out = Vec::new();
        let mut writer = arrow_csv::Writer::new(&mut out);
        for batch in &stock_batches {
            writer.write(batch).expect("memory");
        }
        drop(writer);
        black_box(&out).len() as u64
    }) as Box<dyn Fn() -> u64>;
    let mut contenders = vec![
        ("canonical, 24 columns", ours(json!({}))),
        ("the same by its C table", through_c),
        ("canonical, 8 columns", ours(json!({ "columns": eight }))),
        ("canonical, merge", added("merge")),
        ("canonical, append", added("append")),
        (
            "excel, decimal comma",
            ours(json!({ "profile": "excel", "decimal": "comma" })),
        ),
        (
            "glucometerutils",
            ours(json!({ "profile": "glucometerutils", "unit": "mmol/L" })),
        ),
        ("iglu", ours(json!({ "profile": "iglu" }))),
        (
            "libreview",
            ours(json!({ "profile": "libreview", "unit": "mmol/L" })),
        ),
        ("clarity", ours(json!({ "profile": "clarity" }))),
        ("arrow-csv, 24 columns", stock),
    ];
    // Cargo hands on flags of its own.
    if let Some(chosen) = std::env::args().skip(1).find(|word| !word.starts_with('-')) {
        contenders.retain(|(name, _)| name.contains(&chosen));
    }
    let began = Instant::now();
    let mut times: Vec<Vec<Duration>> = vec![Vec::new(); contenders.len()];
    let mut bytes = vec![0; contenders.len()];
    for round in 0..=ROUNDS {
        // In turn, so that a slow moment of the machine meets all of them.
        for (index, (_, run)) in contenders.iter().enumerate() {
            let started = busy(began);
            bytes[index] = run();
            if round > 0 {
                times[index].push(busy(began) - started);
            }
        }
    }
    let rows = (ROWS * BATCHES) as u128;
    for (((name, _), times), bytes) in contenders.iter().zip(&mut times).zip(bytes) {
        times.sort();
        let per_row = |time: Duration| time.as_nanos() / rows;
        println!(
            "{name:24} median {:5} ns a row   (least {:5}), {} bytes a row",
            per_row(times[times.len() / 2]),
            per_row(times[0]),
            u128::from(bytes) / rows
        );
    }
}

/// Time this thread was on a processor, where Linux tells; otherwise all the time since the beginning.
fn busy(began: Instant) -> Duration {
    let nanos = std::fs::read_to_string("/proc/self/schedstat")
        .ok()
        .and_then(|text| text.split(' ').next()?.parse().ok());
    nanos.map_or_else(|| began.elapsed(), Duration::from_nanos)
}

/// A batch as that writer takes it: without bytes, which have no form in CSV, and with UTC as an offset.
fn for_the_stock_writer(batch: &RecordBatch) -> RecordBatch {
    let columns = batch.columns().iter().zip(batch.schema_ref().fields());
    let columns = columns.filter(|(_, field)| field.name() != "raw");
    let columns = columns.map(|(column, field)| {
        let instants = column.as_any().downcast_ref::<TimestampMicrosecondArray>();
        let column: ArrayRef = match instants {
            Some(instants) if instants.timezone().is_some() => {
                Arc::new(instants.clone().with_timezone("+00:00"))
            }
            _ => column.clone(),
        };
        (field.name().clone(), column)
    });
    RecordBatch::try_from_iter(columns).expect("columns of one length")
}

/// Readings as meters have them: few values, few words, a key and an id for each.
fn batch(number: usize) -> RecordBatch {
    let rows = number * ROWS..(number + 1) * ROWS;
    let at = |row: usize| MORNING + i64::try_from(row).expect("a time") * 600_000_000;
    let chosen = |words: &[Option<&str>]| -> ArrayRef {
        let cells: Vec<_> = rows
            .clone()
            .map(|row| words[row * 7 % words.len()])
            .collect();
        texts(&cells)
    };
    let made = |make: &dyn Fn(usize) -> String| -> ArrayRef {
        let cells: Vec<String> = rows.clone().map(make).collect();
        texts(
            &cells
                .iter()
                .map(|cell| Some(cell.as_str()))
                .collect::<Vec<_>>(),
        )
    };
    let value = |row: usize| 40.0 + (row * 37 % 400) as f64;
    let values: Vec<_> = rows.clone().map(|row| Some(value(row))).collect();
    let instants: Vec<_> = rows
        .clone()
        .map(|row| Some(at(row) - 7_200_000_000))
        .collect();
    let civil: Vec<_> = rows.clone().map(|row| Some(at(row))).collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        (
            "reading_id",
            made(&|row| format!("6ba7b810-9dad-51d1-80b4-{row:012x}")),
        ),
        ("time", moments(&instants)),
        ("local_time", moments(&civil)),
        (
            "utc_offset_min",
            Arc::new(Int16Array::from(vec![120; ROWS])),
        ),
        ("time_quality", chosen(&[Some("zone")])),
        ("value", numbers(&values)),
        ("meal", chosen(&[None, Some("before"), None, Some("after")])),
        ("reference", chosen(&[Some("plasma")])),
        (
            "notes",
            chosen(&[None, None, Some("sick; stress"), None, None]),
        ),
        ("markers", chosen(&[None, Some("B"), Some("A/S")])),
        ("raw_value", made(&|row| value(row).to_string())),
        ("raw_unit", chosen(&[Some("mg/dL")])),
        (
            "record_key",
            made(&|row| format!("glucose|{}|{}|mg/dL||1", at(row), value(row))),
        ),
        ("device_model", chosen(&[Some("Contour Next USB")])),
        ("device_serial", chosen(&[Some("1234567"), Some("7654321")])),
        ("device_firmware", chosen(&[Some("1.0/2.0/3.0")])),
        ("driver", chosen(&[Some("contour/0.1.0")])),
        ("person", chosen(&[Some("Zoë"), None])),
        ("clock_offset_s", Arc::new(Int64Array::from(vec![-3; ROWS]))),
    ];
    table(ROWS, Form::Words, &columns)
}
