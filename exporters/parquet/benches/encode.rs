//! Time per reading of the Parquet exporter, from batches in memory to files on the disk.
//!
//! `cargo bench -p glucopipe-exporter-parquet` builds with optimisations and prints medians; a number sets
//! how many readings. Whatever folder `TMPDIR` names is written to.

#![allow(clippy::print_stdout)] // printing is its duty

use std::sync::Arc;
use std::time::{Duration, Instant};

use glucopipe_exporter_parquet::Parquet;
use glucopipe_sdk::Result;
use glucopipe_sdk::arrow::array::{ArrayRef, Float64Array, RecordBatch, StringArray};
use glucopipe_sdk::arrow::datatypes::SchemaRef;
use glucopipe_sdk::schema::readings;
use glucopipe_sdk::serde_json::{Value, json};
use glucopipe_sdk::stream::Batches;
use glucopipe_sdk::testing::{Form, MORNING, TestHost, moments, table};

/// Readings in a batch, as the host hands them over.
const BATCH: usize = 8192;
/// Minutes between two readings.
const STEP: i64 = 10;
const MINUTE: i64 = 60_000_000;
const PERSONS: usize = 8;
const ROUNDS: usize = 5;

fn main() {
    let asked = std::env::args().find_map(|argument| argument.parse().ok());
    let rows: usize = asked.unwrap_or(1_000_000);
    streamed(rows);
    println!(
        "{:20} {:>8}   wall and CPU time per reading, of the first run and of the same once more",
        "", ""
    );
    for (what, rows, config) in [
        ("a file", rows, json!({ "path": "all.parquet" })),
        ("a folder", rows, json!({ "path": "flat" })),
        (
            "year",
            rows,
            json!({ "path": "year", "partition_by": ["year"] }),
        ),
        (
            "person, year, month",
            rows,
            json!({ "path": "both", "partition_by": ["person", "year", "month"] }),
        ),
        ("a file", 500, json!({ "path": "all.parquet" })),
        ("a folder", 500, json!({ "path": "small" })),
    ] {
        let batches = batches(rows);
        let (mut first, mut again) = (Vec::new(), Vec::new());
        let mut bytes = 0;
        for _ in 0..ROUNDS {
            let home = tempfile::tempdir().expect("a temporary folder");
            let mut config = config.clone();
            config["path"] = json!(
                home.path()
                    .join(config["path"].as_str().unwrap_or_default())
            );
            let (spent, written) = deliver(&config, &batches);
            bytes = written;
            first.push(spent);
            again.push(deliver(&config, &batches).0);
        }
        let (first, again) = (each(first, rows), each(again, rows));
        let size = bytes as f64 / rows as f64;
        println!("{what:20} {rows:8}: {first}; {again}; {size:.1} bytes");
    }
}

/// Readings that nobody holds in memory, and how much memory that takes.
fn streamed(rows: usize) {
    let home = tempfile::tempdir().expect("a temporary folder");
    let config = json!({ "path": home.path().join("lake"), "partition_by": ["person", "year"] });
    let host = TestHost::new();
    let mut sink = host.open_exporter::<Parquet>(&config).expect("a sink");
    let starts = (0..rows).step_by(BATCH);
    let source = Source(starts.map(move |start| batch(start, BATCH.min(rows - start))));
    sink.write_stream(Box::new(source)).expect("a write");
    sink.commit().expect("a commit");
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.map_or("unknown", str::trim);
    println!("{rows} readings streamed into a folder by person and year: at most {peak} of memory");
}

/// Batches made when they are asked for.
struct Source<I>(I);

impl<I: Iterator<Item = RecordBatch> + Send> Batches for Source<I> {
    fn schema(&self) -> SchemaRef {
        readings()
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        let next = self.0.next();
        // The same columns, with the words that a schema says beside.
        Ok(next
            .map(|batch| batch.with_schema(readings()))
            .transpose()?)
    }
}

/// Wall time, and CPU time where the system tells.
type Spent = (Duration, Duration);

/// A whole delivery: time spent, and bytes written.
fn deliver(config: &Value, batches: &[RecordBatch]) -> (Spent, u64) {
    let host = TestHost::new();
    let (began, busy) = (Instant::now(), cpu());
    let mut sink = host.open_exporter::<Parquet>(config).expect("a sink");
    sink.write(batches).expect("a write");
    let report = sink.commit().expect("a commit");
    ((began.elapsed(), cpu() - busy), report.bytes)
}

/// The CPU time of this thread.
fn cpu() -> Duration {
    let said = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let spent = said.split(' ').next().and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(spent.unwrap_or_default())
}

/// Medians per reading.
fn each(spent: Vec<Spent>, rows: usize) -> String {
    let median = |mut times: Vec<Duration>| {
        times.sort();
        times[times.len() / 2].as_secs_f64() * 1e9 / rows as f64
    };
    let (wall, cpu) = spent.into_iter().unzip();
    format!("{:6.0} and {:5.0} ns", median(wall), median(cpu))
}

/// Readings of some persons, in order, with cells as different as real ones.
fn batches(rows: usize) -> Vec<RecordBatch> {
    let starts = (0..rows).step_by(BATCH);
    starts
        .map(|start| batch(start, BATCH.min(rows - start)))
        .collect()
}

fn batch(start: usize, rows: usize) -> RecordBatch {
    let all = || start..start + rows;
    let text = |cell: &dyn Fn(usize) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(all().map(cell)))
    };
    let times: Vec<_> = (0i64..)
        .map(|row| Some(MORNING + row * STEP * MINUTE))
        .skip(start)
        .take(rows)
        .collect();
    let value = |row: usize| 70 + scattered(row) % 180;
    let values = all().map(|row| value(row) as f64);
    table(
        rows,
        Form::Words,
        &[
            (
                "reading_id",
                text(&|row| format!("{:08x}-0000-5000-8000-{:012x}", scattered(row) >> 32, row)),
            ),
            ("local_time", moments(&times)),
            ("time", moments(&times)),
            ("value", Arc::new(Float64Array::from_iter_values(values))),
            ("raw_value", text(&|row| value(row).to_string())),
            (
                "record_key",
                text(&|row| format!("glucose|{row}|{}|mg/dL||1", value(row))),
            ),
            ("person", text(&|row| format!("person {}", row % PERSONS))),
            (
                "device_serial",
                text(&|row| format!("{:07}", row % PERSONS)),
            ),
        ],
    )
}

/// A number that looks like chance and is the same each time.
fn scattered(row: usize) -> u64 {
    (row as u64)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .rotate_left(29)
}
