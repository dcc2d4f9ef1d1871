//! What a process of its own costs a plugin: nanoseconds per reading through a driver and into an exporter,
//! here and in a child, and how long a child takes to start.
//!
//! `cargo bench -p glucopipe-tests --bench isolation` builds with optimisations and prints medians.

#![allow(clippy::print_stdout)] // printing is its duty

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use glucopipe_runtime::cancel::Cancel;
use glucopipe_runtime::clock::Clock;
use glucopipe_runtime::config::Isolate;
use glucopipe_runtime::host::{Logger, OpenDriver, OpenExporter, Operation, OperationSetup};
use glucopipe_runtime::isolate::Isolation;
use glucopipe_runtime::plugin::{Component, ComponentKind, Registry, SearchPath};
use glucopipe_sdk::stream::Batches;
use glucopipe_sdk::{Error, schema};
use glucopipe_tests::{Workspace, build};
use serde_json::json;

/// How many readings, and how often.
const SIZES: [(u32, usize); 2] = [(1_000, 51), (1_000_000, 5)];
const STARTS: usize = 51;

fn main() {
    let workspace = Workspace::new();
    workspace.install("test_hostile");
    let places = [("here", Isolate::None), ("in a child", Isolate::All)];
    for (name, policy) in places {
        let mut search = SearchPath::default();
        search.add(&workspace.plugins(), "--plugin-dir");
        let registry = Registry::new(search).isolated(Isolation {
            policy,
            program: build().program(),
        });
        let find = |kind| registry.find(kind, "hostile").expect("it is there");
        let (driver, exporter) = (find(ComponentKind::Driver), find(ComponentKind::Exporter));
        for (readings, rounds) in SIZES {
            let mut given = Vec::new();
            let reading = median(rounds, || {
                let (time, batches) = read(&driver, readings);
                given = batches;
                time
            });
            // What the host makes of it is the same in both places, so that a driver's rows are enough.
            let writing = median(rounds, || write(&workspace, &exporter, &given));
            for (what, time) in [("from a driver", reading), ("into an exporter", writing)] {
                let each = time.as_nanos() / u128::from(readings);
                println!("{readings:>9} readings {what:17} {name:11} {each:>6} ns per reading");
            }
        }
        let starting = median(STARTS, || {
            let started = Instant::now();
            drop(open(&driver, 1));
            started.elapsed()
        });
        let ms = starting.as_secs_f64() * 1000.0;
        println!("a driver opened and closed           {name:11} {ms:>6.2} ms");
    }
}

fn operation() -> Arc<Operation> {
    Arc::new(Operation::start(OperationSetup {
        node: "bench".to_owned(),
        cancel: Cancel::new(),
        clock: Clock::System,
        logger: Logger::silent(),
        progress: None,
        device: None,
    }))
}

fn open(driver: &Arc<Component>, readings: u32) -> OpenDriver {
    let keys = json!({ "mode": "good", "readings": readings });
    OpenDriver::open(driver.clone(), operation(), &keys).expect("it opens")
}

/// Reads all; the time without opening.
fn read(driver: &Arc<Component>, readings: u32) -> (Duration, Vec<RecordBatch>) {
    let mut driver = open(driver, readings);
    let started = Instant::now();
    let mut stream = driver.read(None).expect("it reads");
    let mut batches = Vec::new();
    while let Some(batch) = stream.next_batch().expect("a batch") {
        batches.push(batch);
    }
    let time = started.elapsed();
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    assert_eq!(rows, usize::try_from(readings).expect("a number"));
    (time, batches)
}

/// Batches that are there; which one comes first does not matter.
struct Given(SchemaRef, Vec<RecordBatch>);

impl Batches for Given {
    fn schema(&self) -> SchemaRef {
        self.0.clone()
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, Error> {
        Ok(self.1.pop())
    }
}

/// Hands all to an exporter that counts them; the time without opening and committing.
fn write(workspace: &Workspace, exporter: &Arc<Component>, given: &[RecordBatch]) -> Duration {
    let keys = json!({ "mode": "good", "path": workspace.path().join("count") });
    let opened = OpenExporter::open(exporter.clone(), operation(), &keys);
    let mut sink = opened.expect("it opens");
    let schema = given
        .first()
        .map_or_else(schema::readings, RecordBatch::schema);
    let readings = Given(schema, given.to_vec());
    let started = Instant::now();
    sink.write(Box::new(readings)).expect("it takes them");
    started.elapsed()
}

fn median(rounds: usize, mut once: impl FnMut() -> Duration) -> Duration {
    once();
    let mut times: Vec<Duration> = (0..rounds).map(|_| once()).collect();
    times.sort();
    times[rounds / 2]
}
