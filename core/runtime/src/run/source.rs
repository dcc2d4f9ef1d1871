//! Reading one source: driver plugin, stream, intake, report.

use std::sync::Arc;
use std::time::Instant;

use arrow::array::RecordBatch;
use chrono::{DateTime, NaiveDateTime, TimeDelta};
use glucopipe_sdk::driver::{DeviceInfo, Query, ReadReport};
use glucopipe_sdk::stream::Batches;
use glucopipe_sdk::{Error, Status};
use serde_json::Value;

use super::blame;
use super::intake::{Intake, Origin, Taken, check_schema};
use super::report::{SourceReport, SourceStatus};
use crate::cancel::Reason;
use crate::clock::Clock;
use crate::device::normalise_serial;
use crate::host::{OpenDriver, Operation};
use crate::journal::Session;
use crate::plugin::Component;
use crate::problem::{Code, Problem};
use crate::transform::ReadContext;

/// Everything a source needs.
pub struct SourceJob {
    /// Name in the pipeline.
    pub name: String,
    /// The driver.
    pub component: Arc<Component>,
    /// Its configuration, with secrets.
    pub config: Value,
    /// How to name the device to people.
    pub label: String,
    /// How it is reached: `hid`, `scsi`, `serial`, `file`, `virtual`, `replay`.
    pub transport: &'static str,
    /// What need not be read, because it is kept.
    pub query: Option<Query>,
    /// Seconds until it is given up.
    pub timeout_secs: u64,
    /// The operation, bound to the device.
    pub op: Arc<Operation>,
    /// The computer's clock.
    pub clock: Clock,
}

/// What a meter gave.
pub struct Came {
    /// What is known of the read.
    pub context: ReadContext,
    /// Its readings.
    pub readings: RecordBatch,
    /// What the journal is to keep of it.
    pub session: Session,
    /// Whether it may be delivered: nothing, and not all of it, must not replace what is at the destination.
    pub usable: bool,
}

/// What a source gave.
pub struct SourceRead {
    /// The read, when a meter answered.
    pub came: Option<Came>,
    /// What happened.
    pub report: SourceReport,
    /// What the user should know.
    pub warnings: Vec<Problem>,
}

impl SourceJob {
    /// A report of a source that gave nothing.
    pub fn failed(&self, problem: Problem) -> SourceRead {
        let mut report = failed_source(&self.name, problem);
        report.driver = self.component.versioned();
        SourceRead {
            came: None,
            report,
            warnings: Vec::new(),
        }
    }

    /// Reads the source.
    pub fn read(&self) -> SourceRead {
        let driver = OpenDriver::open(self.component.clone(), self.op.clone(), &self.config);
        match driver {
            Ok(mut driver) => self.read_open(&mut driver),
            Err(error) => self.failed(self.blame(&error)),
        }
    }

    /// Reads a meter that is open.
    pub fn read_open(&self, driver: &mut OpenDriver) -> SourceRead {
        self.read_but(driver, self.query.as_ref())
    }

    /// Reads a meter that is open, but for what is known of it.
    pub fn read_but(&self, driver: &mut OpenDriver, query: Option<&Query>) -> SourceRead {
        let started = Instant::now();
        let mut read = match self.try_read(driver, query) {
            Ok(read) => self.finish(read, query.is_some()),
            Err(problem) => self.failed(problem),
        };
        read.report.seconds = started.elapsed().as_secs_f64();
        read
    }

    /// What to tell of a driver's error.
    pub fn blame(&self, error: &Error) -> Problem {
        blame::driver_failed(
            &self.component,
            error,
            &self.op,
            &self.name,
            &self.label,
            self.timeout_secs,
        )
    }

    /// Whether the user or the system stopped the run.
    fn interrupted(&self) -> bool {
        self.op.cancel().reason() == Some(Reason::Interrupted)
    }

    /// Whether a batch that comes after the cancellation is one too many: after a deadline a driver hands
    /// out what it had read, but no empty batches.
    fn ends_now(&self, batch: &RecordBatch) -> bool {
        self.interrupted() || batch.num_rows() == 0
    }

    /// Whether the readings before an error may be delivered: not when the plugin is at fault or the
    /// user stopped the run, but when its time was over.
    fn keeps_what_was_read(&self, error: &Error) -> bool {
        match error.status {
            // What came before was checked here, and its process cannot have touched it since.
            _ if blame::is_death(error) => !self.interrupted(),
            Status::Internal => false,
            Status::Cancelled => self.op.cancel().is_set() && !self.interrupted(),
            _ => !blame::is_panic(error),
        }
    }

    fn try_read(
        &self,
        driver: &mut OpenDriver,
        query: Option<&Query>,
    ) -> Result<Finished, Problem> {
        let blame = |error: Error| self.blame(&error);
        let broken = |what: String| blame::broken(&self.component, &what);
        let read_at_us = self.op.time().utc_us();
        let mut stream = driver.read(query).map_err(blame)?;
        let mut device = check_schema(&stream.schema()).map_err(broken)?;
        device.serial = normalise_serial(&device.serial);
        self.op.admit(&device.serial).map_err(blame)?;
        let mut intake = Intake::new(Origin {
            family: self.component.id.clone(),
            driver: self.component.versioned(),
            clock_offset_s: clock_offset(&device, &self.clock),
            device: device.clone(),
            read_at_us,
        });
        let mut ended_by = None;
        loop {
            match stream.next_batch() {
                // A driver may be deaf to the cancellation and give batches for ever.
                Ok(Some(batch)) if self.op.cancel().is_set() && self.ends_now(&batch) => {
                    return Err(self.blame(&Error::cancelled()));
                }
                Ok(Some(batch)) => intake.push(&batch).map_err(broken)?,
                Ok(None) => break,
                Err(error) if intake.rows() > 0 && self.keeps_what_was_read(&error) => {
                    ended_by = Some(error);
                    break;
                }
                Err(error) => return Err(self.blame(&error)),
            }
        }
        drop(stream);
        let report = match driver.read_report() {
            Ok(report) => report,
            Err(error) if ended_by.as_ref() == Some(&error) => ReadReport::default(),
            Err(error) if ended_by.is_some() => ReadReport {
                reasons: vec![error.message],
                ..ReadReport::default()
            },
            Err(error) => return Err(self.blame(&error)),
        };
        // A driver that ends its stream normally after a cancellation was still cancelled.
        let cut = self.op.cancel().is_set() && !report.complete;
        if cut && (self.interrupted() || intake.rows() == 0) {
            return Err(self.blame(&Error::cancelled()));
        }
        if cut && !ended_by.as_ref().is_some_and(blame::is_death) {
            let why = blame::read_too_long(&self.name, self.timeout_secs);
            ended_by = Some(Error::new(Status::Timeout, why));
        }
        let taken = intake.finish().map_err(broken)?;
        Ok(Finished {
            device,
            read_at_us,
            report,
            taken,
            ended_by,
        })
    }

    fn finish(&self, read: Finished, asked: bool) -> SourceRead {
        let Finished {
            device,
            read_at_us,
            report,
            taken,
            ended_by,
        } = read;
        let mut reasons = report.reasons;
        if ended_by.as_ref().is_some_and(blame::is_stuck) {
            let over = blame::overdue(self.op.cancel(), &self.name, self.timeout_secs);
            reasons.extend(over);
        }
        reasons.extend(ended_by.map(|error| {
            let did = match blame::is_stuck(&error) {
                true => "did not stop",
                false if blame::is_death(&error) => "crashed",
                false => return error.message,
            };
            format!("driver `{}` {did}: {}", self.component.id, error.message)
        }));
        let mut set_aside = report.set_aside;
        set_aside.extend(taken.set_aside);
        let read = taken.readings.num_rows() as u64;
        let arrived = read + set_aside.len() as u64;
        if let Some(exchanges) = report.counts.get("exchanges").and_then(Value::as_u64) {
            self.op
                .debug(format!("{exchanges} exchanges for {arrived} records"));
        }
        let known = if asked { report.known } else { 0 };
        // The driver's own word is not enough: the records are counted here as well.
        let there = arrived.saturating_add(known);
        if let Some(expected) = report.expected.filter(|expected| *expected > there)
            && report.complete
        {
            reasons.push(format!("the meter holds {expected} records, {there} came"));
        }
        let complete = report.complete && reasons.is_empty();
        // Nothing but records set aside must not replace what is at the destination.
        let usable = read > 0 || known > 0 || (complete && set_aside.is_empty());
        let mut warnings = Vec::new();
        let mut failure = None;
        if complete && !usable {
            failure = Some(
                Problem::error(
                    Code::SET_ASIDE,
                    format!("every record of {} was set aside", self.label),
                )
                .kept("what was at the destination before is intact"),
            );
        }
        if !complete {
            let title = format!("the download from {} is incomplete", self.label);
            let (problem, kept) = if usable {
                let kept =
                    "what was read and verified is delivered; the rest is still in the meter";
                (Problem::warning(Code::INCOMPLETE, title), kept)
            } else {
                let title = format!("{title}: nothing was read");
                let kept = "nothing was delivered; the readings are still in the meter";
                (Problem::error(Code::INCOMPLETE, title), kept)
            };
            let because = |problem: Problem, reason: &String| problem.cause(reason.clone());
            let problem = reasons.iter().fold(problem, because);
            let problem = problem.kept(kept).hint("run again");
            let problem = blame::off_the_record(problem, &self.op);
            if usable {
                warnings.push(problem);
            } else {
                failure = Some(problem);
            }
        }
        if !set_aside.is_empty() {
            let count = set_aside.len();
            let (records, were) = if count == 1 {
                ("record", "was")
            } else {
                ("records", "were")
            };
            let title = format!("{count} {records} of {} {were} set aside", self.label);
            let mut kinds: Vec<&str> = set_aside.iter().map(|one| one.reason.as_str()).collect();
            kinds.sort_unstable();
            kinds.dedup();
            let mut problem = Problem::warning(Code::SET_ASIDE, title);
            for reason in kinds.iter().take(5) {
                problem = problem.cause((*reason).to_owned());
            }
            warnings.push(problem.hint("`glucopipe run --report FILE` keeps their bytes"));
        }
        let report = SourceReport {
            name: self.name.clone(),
            driver: self.component.versioned(),
            model: device.model.clone(),
            firmware: device.firmware.clone(),
            status: match (complete, usable) {
                (_, false) => SourceStatus::Failed,
                (true, true) => SourceStatus::Complete,
                (false, true) => SourceStatus::Incomplete,
            },
            reasons,
            expected: report.expected,
            known,
            read,
            new: read,
            rejected: set_aside.len() as u64,
            set_aside,
            clock_offset_s: clock_offset(&device, &self.clock),
            counts: report.counts,
            notes: report.notes,
            annotations: taken.annotations,
            seconds: 0.0,
            error: failure,
        };
        let session = Session {
            family: self.component.id.clone(),
            driver: self.component.versioned(),
            device: device.clone(),
            read_at_us,
            clock_offset_s: report.clock_offset_s,
            transport: self.transport.to_owned(),
            whole: known == 0,
            complete,
            reasons: report.reasons.clone(),
            expected: report.expected,
            transcript: None,
            source: None,
        };
        let context = ReadContext {
            source: self.name.clone(),
            device,
            run_at_us: Some(self.clock.now().timestamp_micros()),
        };
        SourceRead {
            came: Some(Came {
                context,
                readings: taken.readings,
                session,
                usable,
            }),
            report,
            warnings,
        }
    }
}

struct Finished {
    device: DeviceInfo,
    read_at_us: i64,
    report: ReadReport,
    taken: Taken,
    ended_by: Option<Error>,
}

/// A report of a source that gave nothing.
pub fn failed_source(name: &str, problem: Problem) -> SourceReport {
    SourceReport {
        status: SourceStatus::Failed,
        error: Some(problem),
        ..replayed_source(name)
    }
}

/// A report of a source that was not to be read.
pub fn replayed_source(name: &str) -> SourceReport {
    SourceReport {
        name: name.to_owned(),
        driver: String::new(),
        model: String::new(),
        firmware: None,
        status: SourceStatus::Replayed,
        reasons: Vec::new(),
        expected: None,
        known: 0,
        read: 0,
        new: 0,
        rejected: 0,
        set_aside: Vec::new(),
        clock_offset_s: None,
        counts: serde_json::Map::new(),
        notes: Vec::new(),
        annotations: std::collections::BTreeMap::new(),
        seconds: 0.0,
        error: None,
    }
}

/// Meter clock minus the wall time of this computer when it was read, in seconds; a clock that shows
/// minutes is taken in the middle of its minute.
pub fn clock_offset(device: &DeviceInfo, clock: &Clock) -> Option<i64> {
    let shown = device.clock?;
    let read = DateTime::from_timestamp_micros(device.clock_read_us?)?;
    // A plugin's word: what is not near to now was not measured in this read.
    if (read - clock.now()).abs() > TimeDelta::days(1) {
        return None;
    }
    let half = i64::from(device.clock_resolution_s.unwrap_or(1) / 2);
    // Both clocks cut off what they do not show, so whole seconds are compared.
    let seconds = |civil: NaiveDateTime| civil.and_utc().timestamp();
    Some(seconds(shown) + half - seconds(clock.local(read)))
}
