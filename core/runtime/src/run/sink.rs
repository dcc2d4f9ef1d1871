//! Serving one sink: gather, put in order, write, commit.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Receiver;
use std::time::Instant;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use glucopipe_sdk::exporter::CommitReport;
use glucopipe_sdk::stream::Batches;
use glucopipe_sdk::{Error, Status, schema};
use serde_json::Value;

use super::blame;
use super::order::order;
use super::report::SinkReport;
use crate::host::{Committed, OpenExporter, Operation, check_exporter, preview_export};
use crate::plugin::Component;
use crate::problem::{Code, Problem};

/// Rows in one batch for an exporter.
const BATCH_ROWS: usize = 8192;

/// Schema metadata with the pipeline's name.
const PIPELINE_KEY: &str = "glucopipe.pipeline";

/// What travels to a sink: one transformed read.
pub type Delivery = RecordBatch;

/// Everything a sink needs.
pub struct SinkJob {
    /// Name in the pipeline.
    pub name: String,
    /// Name of the pipeline.
    pub pipeline: String,
    /// The exporter.
    pub component: Arc<Component>,
    /// Its configuration, with secrets.
    pub config: Value,
    /// Seconds until it is given up.
    pub timeout_secs: u64,
    /// The operation.
    pub op: Arc<Operation>,
    /// Write and send nothing.
    pub dry_run: bool,
}

impl SinkJob {
    /// A report of a sink that got nothing.
    pub fn failed(&self, problem: Problem) -> SinkReport {
        SinkReport {
            name: self.name.clone(),
            exporter: self.component.id.clone(),
            error: Some(problem),
            ..SinkReport::default()
        }
    }

    /// Gathers all deliveries, then serves the sink once; nothing is opened before all sources have
    /// ended, so a slow or failing exporter holds nobody up.
    ///
    /// `usable` says at the end whether anything was read at all: when not, what is at the destination
    /// stays.
    pub fn serve(
        &self,
        deliveries: &Receiver<Delivery>,
        usable: impl FnOnce() -> bool,
    ) -> SinkReport {
        let gathered: Vec<RecordBatch> = deliveries.iter().collect();
        let started = Instant::now();
        let mut report = SinkReport {
            name: self.name.clone(),
            exporter: self.component.id.clone(),
            ..SinkReport::default()
        };
        if self.op.cancel().is_set() {
            report.error = Some(blame::interrupted(&self.name));
            return report;
        }
        if !usable() {
            let title = format!(
                "`{}` was not served, because nothing was read for it",
                self.name
            );
            // A warning: the source that failed has the error.
            report.error = Some(
                Problem::warning(Code::SINK_WRITE, title).kept("what was there before is intact"),
            );
            return report;
        }
        match self.deliver(&gathered, &mut report) {
            Ok(Some(Committed { report: Ok(done) })) => {
                report.delivered = done.delivered;
                report.already_there = done.already_there;
                report.rejected = done.rejected;
                report.left_out = done.left_out;
                report.error = self.miscount(report.offered, &done);
                report.bytes = done.bytes;
                report.targets = done.targets;
            }
            Ok(Some(Committed { report: Err(error) })) => {
                let problem = blame::broken(&self.component, &error.message);
                report.error = Some(problem.kept("the readings were delivered"));
            }
            Ok(None) => {}
            Err(error) => {
                report.key.clone_from(&error.key);
                report.error = Some(blame::exporter_failed(
                    &self.component,
                    &error,
                    self.op.cancel(),
                    &self.name,
                    self.timeout_secs,
                ));
            }
        }
        report.seconds = started.elapsed().as_secs_f64();
        report
    }

    /// An exporter that cannot account for every reading has lost some without a word.
    fn miscount(&self, offered: u64, done: &CommitReport) -> Option<Problem> {
        let told = [
            done.delivered,
            done.already_there,
            done.rejected,
            done.left_out,
        ];
        let told = told.into_iter().fold(0, u64::saturating_add);
        (told != offered).then(|| {
            let what = format!("it accounts for {told} of {offered} readings");
            blame::broken(&self.component, &what).kept("the rest is at the destination")
        })
    }

    /// What the exporter would do with the readings, after its own check.
    fn preview(&self, readings: RecordBatch) -> Result<Vec<String>, Error> {
        let (component, op, config) = (&self.component, &self.op, &self.config);
        check_exporter(component, op, config)?;
        let readings = Readings::new(readings, &self.pipeline, op.clone(), Arc::default());
        let seen = preview_export(component, op, config, Box::new(readings))?;
        Ok(seen.map(|seen| seen.lines).unwrap_or_default())
    }

    fn deliver(
        &self,
        gathered: &[RecordBatch],
        report: &mut SinkReport,
    ) -> Result<Option<Committed>, Error> {
        let ordered = order(gathered)?;
        report.doubled = ordered.doubled;
        report.offered = ordered.readings.num_rows() as u64;
        if self.dry_run {
            let lines = self.preview(ordered.readings)?;
            report.would = lines;
            return Ok(None);
        }
        let mut sink = OpenExporter::open(self.component.clone(), self.op.clone(), &self.config)?;
        let taken = Arc::new(AtomicUsize::new(0));
        let all = ordered.readings.num_rows();
        let readings = Readings::new(
            ordered.readings,
            &self.pipeline,
            self.op.clone(),
            taken.clone(),
        );
        sink.write(Box::new(readings))?;
        if self.op.cancel().is_set() {
            return Err(Error::cancelled());
        }
        // What it did not look at, it cannot deliver.
        let taken = taken.load(Ordering::SeqCst);
        if taken != all {
            let what = format!("it took {taken} of {all} readings and said that all was well");
            return Err(Error::new(Status::Internal, what));
        }
        sink.commit().map(Some)
    }
}

/// The readings of a sink as a stream of bounded batches that ends early when cancelled.
struct Readings {
    schema: SchemaRef,
    readings: RecordBatch,
    next: usize,
    op: Arc<Operation>,
    /// Rows handed out, for whoever waits for the exporter.
    taken: Arc<AtomicUsize>,
}

impl Readings {
    fn new(
        readings: RecordBatch,
        pipeline: &str,
        op: Arc<Operation>,
        taken: Arc<AtomicUsize>,
    ) -> Self {
        let plain = schema::readings();
        let mut metadata = plain.metadata().clone();
        metadata.insert(PIPELINE_KEY.to_owned(), pipeline.to_owned());
        let schema = Arc::new(Schema::new_with_metadata(plain.fields().clone(), metadata));
        Self {
            schema,
            readings,
            next: 0,
            op,
            taken,
        }
    }
}

impl Batches for Readings {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, Error> {
        if self.op.cancel().is_set() {
            return Err(Error::cancelled());
        }
        let rows = BATCH_ROWS.min(self.readings.num_rows() - self.next);
        if rows == 0 {
            return Ok(None);
        }
        let batch = self.readings.slice(self.next, rows);
        self.next += rows;
        self.taken.store(self.next, Ordering::SeqCst);
        Ok(Some(RecordBatch::try_new(
            self.schema.clone(),
            batch.columns().to_vec(),
        )?))
    }
}
