//! Serving one sink: gather, put in order, write, commit.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::Receiver;
use std::time::Instant;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use glucopipe_sdk::batch::Texts;
use glucopipe_sdk::exporter::{CommitReport, Wants};
use glucopipe_sdk::stream::Batches;
use glucopipe_sdk::{Error, Status, schema};
use serde_json::Value;

use super::answers::Handed;
use super::blame;
use super::order::order;
use super::report::SinkReport;
use crate::cancel::Reason;
use crate::host::{Committed, Lent, OpenExporter, Operation, check_exporter, preview_export};
use crate::plugin::Component;
use crate::problem::{Code, Problem, Severity};

/// Rows in one batch for an exporter.
const BATCH_ROWS: usize = 8192;

/// What travels to a sink.
pub enum Delivery {
    /// One transformed read.
    Readings(RecordBatch),
    /// The last one, and what is to be done.
    End(Fate),
}

/// What is to be done with a sink.
#[derive(Clone, Debug)]
pub enum Fate {
    /// It is given what was sent.
    Serve,
    /// Nothing was read for it, and nothing waits: what is at the destination stays.
    Unfed,
    /// It has everything: what is at the destination stays.
    NothingNew,
    /// It cannot be served.
    Stopped(Problem),
}

/// Everything a sink needs.
pub struct SinkJob {
    /// Name in the pipeline.
    pub name: String,
    /// What its stream says about itself beside the schema.
    pub metadata: BTreeMap<String, String>,
    /// The exporter.
    pub component: Arc<Component>,
    /// Its configuration, with secrets.
    pub config: Value,
    /// What it is to be given.
    pub wants: Wants,
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
    pub fn serve(&self, deliveries: &Receiver<Delivery>) -> SinkReport {
        let mut gathered = Vec::new();
        let mut fate = Fate::Unfed;
        for delivery in deliveries {
            match delivery {
                Delivery::Readings(batch) => gathered.push(batch),
                Delivery::End(last) => fate = last,
            }
        }
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
        match fate {
            Fate::Serve => {}
            Fate::NothingNew => return report,
            Fate::Stopped(problem) => {
                report.error = Some(problem);
                return report;
            }
            Fate::Unfed => {
                let title = format!(
                    "`{}` was not served, because nothing was read for it",
                    self.name
                );
                // A warning: the source that failed has the error.
                let problem = Problem::warning(Code::SINK_WRITE, title);
                report.error = Some(problem.kept("what was there before is intact"));
                return report;
            }
        }
        match self.deliver(&gathered, &mut report) {
            Ok(Some(Committed { report: Ok(done) })) => self.answered(done, &mut report),
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

    /// Takes an exporter's account of a commit, if it adds up.
    fn answered(&self, done: CommitReport, report: &mut SinkReport) {
        report.delivered = done.delivered;
        report.already_there = done.already_there;
        report.rejected = done.rejected;
        report.left_out = done.left_out;
        report.bytes = done.bytes;
        report.targets.clone_from(&done.targets);
        let Some(handed) = &mut report.handed else {
            return;
        };
        if let Some(what) = miscount(&handed.readings, &done) {
            // Nothing it said is believed, so all of it is offered again.
            let problem = blame::broken(&self.component, &what);
            report.error = Some(problem.kept("the rest is at the destination"));
            return;
        }
        handed.answer = Some(done.clone());
        if done.pending.is_empty() {
            return;
        }
        let cancelled = match self.op.cancel().reason() {
            Some(Reason::Deadline) => Some(blame::took_too_long(&self.name, self.timeout_secs)),
            Some(Reason::Interrupted) => Some("the run was interrupted".to_owned()),
            None => None,
        };
        let (waiting, all) = (done.pending.len(), report.offered);
        let problem = if cancelled.is_none() && done.problem.is_none() && done.held.is_some() {
            let title = format!("`{}` holds back {waiting} of {all} readings", self.name);
            Problem::warning(Code::SINK_PENDING, title)
        } else {
            let title = format!(
                "`{}` delivered {} of {all} readings, {waiting} wait",
                self.name, done.delivered
            );
            Problem::error(Code::SINK_PENDING, title)
        };
        let causes = [cancelled, done.problem, done.held].into_iter().flatten();
        let problem = causes.fold(problem, Problem::cause);
        let problem = problem.kept("what waits is in the journal; the next run offers it again");
        match problem.severity {
            Severity::Error => report.error = Some(problem),
            Severity::Warning => report.warning = Some(problem),
        }
    }

    /// What the exporter would do with the readings, after its own check.
    fn preview(&self, readings: RecordBatch, emptied: bool) -> Result<Vec<String>, Error> {
        let (component, config) = (&self.component, &self.config);
        let op: Arc<dyn Lent> = self.op.clone();
        check_exporter(component, &op, config)?;
        let readings = Readings::new(
            readings,
            emptied,
            &self.metadata,
            self.op.clone(),
            Arc::default(),
        );
        let seen = preview_export(component, &op, config, Box::new(readings))?;
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
        let emptied = report.offered == 0 && !gathered.is_empty();
        if report.offered == 0 && self.wants != Wants::Everything {
            return Ok(None);
        }
        if self.dry_run {
            let lines = self.preview(ordered.readings, emptied)?;
            report.would = lines;
            return Ok(None);
        }
        report.handed = Some(Handed {
            readings: ordered.readings.clone(),
            answer: None,
        });
        let mut sink = OpenExporter::open(self.component.clone(), self.op.clone(), &self.config)?;
        let taken = Arc::new(AtomicUsize::new(0));
        let all = ordered.readings.num_rows();
        let readings = Readings::new(
            ordered.readings,
            emptied,
            &self.metadata,
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

/// What is wrong with an exporter's account: one that cannot account for every reading has lost some
/// without a word.
fn miscount(readings: &RecordBatch, done: &CommitReport) -> Option<String> {
    let offered = readings.num_rows() as u64;
    let (refused, pending) = (done.refused.len() as u64, done.pending.len() as u64);
    if refused != done.rejected {
        return Some(format!(
            "it says that {} readings were rejected, and names {refused}",
            done.rejected
        ));
    }
    let told = [
        done.delivered,
        done.already_there,
        done.rejected,
        done.left_out,
        pending,
    ];
    let told = told.into_iter().fold(0, u64::saturating_add);
    if told != offered {
        return Some(format!("it accounts for {told} of {offered} readings"));
    }
    if refused + pending == 0 {
        return None;
    }
    let ids = Texts::of(readings, "reading_id").ok()?;
    let mut left: HashSet<&str> = (0..ids.len()).filter_map(|row| ids.get(row)).collect();
    let named = done.refused.iter().map(|refused| &refused.reading_id);
    let mut named = named.chain(&done.pending);
    (!named.all(|id| left.remove(id.as_str())))
        .then(|| "it names a reading twice, or one that it was not given".to_owned())
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
        emptied: bool,
        more: &BTreeMap<String, String>,
        op: Arc<Operation>,
        taken: Arc<AtomicUsize>,
    ) -> Self {
        let plain = schema::readings();
        let mut metadata = plain.metadata().clone();
        metadata.extend(more.clone());
        if emptied {
            metadata.insert(schema::EMPTIED_KEY.to_owned(), schema::EMPTIED.to_owned());
        }
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
