//! What changes a meter: setting its clock, erasing its memory. Never part of a run.
//!
//! Both read the meter to its end first, in the conversation that changes it, and let the caller keep
//! what was read before anything is changed.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use arrow::array::{Array, BinaryArray, RecordBatch};
use chrono::{DateTime, NaiveDateTime, TimeDelta};
use data_encoding::HEXLOWER;
use glucopipe_sdk::batch::Texts;
use glucopipe_sdk::driver::{DeviceInfo, Query};
use glucopipe_sdk::{Error, Status};

use super::blame;
use super::conversation::{Conversation, Failure};
use super::engine::RunSetup;
use super::query::{MeterInfo, with_clock};
use super::report::{SourceReport, SourceStatus};
use super::source::{SourceJob, SourceRead};
use crate::device::{Finder, Selector, normalise_serial};
use crate::host::OpenDriver;
use crate::journal::{Event, Session};
use crate::plugin::Ability;
use crate::problem::{Code, Problem, Severity};

/// So many of the newest readings end the second read before an erase.
const NEWEST: usize = 8;
/// What is true of a meter until its driver is told to change it.
const UNCHANGED: &str = "nothing was changed in the meter";

/// What a clock is set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// The wall time of this computer.
    Now,
    /// A time as the meter shall show it.
    At(NaiveDateTime),
}

/// Keeps what was read before a meter is changed; an error leaves the meter as it is.
pub type Keep = Box<dyn FnOnce(&SourceRead) -> Result<(), Problem> + Send>;
/// Notes what was done to the meter that was read.
pub type Note = Box<dyn FnOnce(&Session, &Event) -> Result<(), Problem> + Send>;

/// What the caller keeps of a change.
pub struct Keeper {
    /// Before it.
    pub keep: Keep,
    /// As soon as it is done.
    pub note: Note,
}

/// What a change did.
pub struct Changed {
    /// The meter before.
    pub before: MeterInfo,
    /// The meter afterwards, if it could still be asked.
    pub after: Option<MeterInfo>,
    /// The read before the change.
    pub report: SourceReport,
    /// What the user should know of that read, and of what came behind the change.
    pub warnings: Vec<Problem>,
}

/// How far a change has come, for those who only see it end.
#[derive(Clone, Default)]
struct Stage(Arc<AtomicU8>);

impl Stage {
    const BEGUN: u8 = 1;
    const DONE: u8 = 2;

    fn reach(&self, stage: u8) {
        self.0.store(stage, Ordering::SeqCst);
    }

    /// Says of a change that ended with a problem what became of the meter. Where it was refused, the driver
    /// has said so.
    fn explain(&self, problem: Problem) -> Problem {
        match (self.0.load(Ordering::SeqCst), problem.code) {
            (Self::DONE, _) => problem.kept("the meter was changed"),
            (Self::BEGUN, code) if code.area() == 4 || code == Code::INTERNAL => {
                problem.kept("whether the meter was changed is not known")
            }
            (Self::BEGUN, _) => problem,
            _ => problem.kept(UNCHANGED),
        }
    }
}

/// A meter, and what may be done to it.
pub struct Change<'a> {
    /// Finds it.
    pub finder: &'a Finder<'a>,
    /// The driver the user named.
    pub driver: Option<&'a str>,
    /// The meter the user named.
    pub selector: &'a Selector,
    /// Operations are made with this.
    pub setup: &'a RunSetup,
    /// The serial that the meter must have.
    pub serial: &'a str,
}

impl Change<'_> {
    /// Sets the clock of the meter, after reading it to its end.
    ///
    /// # Errors
    /// When the meter was not read to its end, what was read could not be kept, it is another meter, or
    /// its driver cannot set it: nothing is changed then. And when the meter refuses.
    pub fn set_clock(&self, when: When, keeper: Keeper) -> Result<Changed, Problem> {
        self.apply(Ability::SetClock, keeper, move |at| {
            let time = at.job.op.time();
            let local = match when {
                When::At(local) => local,
                When::Now => {
                    let now = DateTime::from_timestamp_micros(time.utc_us());
                    at.job.clock.local(now.unwrap_or_default())
                }
            };
            let title = format!("the clock of {} could not be set", at.label);
            let then = time.monotonic_ms();
            at.stage.reach(Stage::BEGUN);
            let set = at.driver.set_clock(local);
            set.map_err(|error| failed(title, at.job, &error))?;
            // A meter may have to be waited for, and its clock goes on meanwhile.
            let passed = time.monotonic_ms().saturating_sub(then) / 1000;
            let passed = TimeDelta::seconds(i64::try_from(passed).unwrap_or(0));
            Ok(Event::ClockSet {
                before: at.before.clock,
                after: local.checked_add_signed(passed).unwrap_or(local),
            })
        })
    }

    /// Destroys all stored readings of the meter, after reading it to its end.
    ///
    /// # Errors
    /// As [`Change::set_clock`], and when the meter holds more than what was read.
    pub fn erase(&self, keeper: Keeper) -> Result<Changed, Problem> {
        self.apply(Ability::Erase, keeper, move |at| {
            let now = at.driver.info().map_err(Failure::Driver)?;
            let records = at.read.report.read + at.read.report.rejected;
            // A full memory holds as many when a test has taken the place of the oldest record.
            let query = at.read.came.as_ref().and_then(|came| {
                let known = newest(&came.readings)?;
                let serial = came.session.device.serial.clone();
                Some(Query {
                    known: [(serial, known)].into(),
                })
            });
            let again = complete(at.job.read_but(at.driver, query.as_ref()), at.label)?;
            let cause = if now.record_count != Some(records) {
                Some("it does not hold as many records as were read")
            } else if has_new(at.read, &again)? {
                Some("it holds a record that was not there when it was read")
            } else {
                None
            };
            if let Some(cause) = cause {
                return Err(refused(format!("{} is not erased", at.label))
                    .cause(cause)
                    .hint("run again; measure nothing meanwhile")
                    .into());
            }
            let title = format!("{} could not be erased", at.label);
            at.stage.reach(Stage::BEGUN);
            let erased = at.driver.erase(&now.serial);
            erased.map_err(|error| failed(title, at.job, &error))?;
            Ok(Event::Erased { records })
        })
    }

    fn apply(
        &self,
        ability: Ability,
        keeper: Keeper,
        change: impl FnOnce(Moment<'_>) -> Result<Event, Failure> + Send + 'static,
    ) -> Result<Changed, Problem> {
        let conversation =
            Conversation::choose(self.finder, self.driver, self.selector, self.setup)?;
        let label = conversation.label().to_owned();
        let serial = normalise_serial(self.serial);
        let reached = Stage::default();
        let stage = reached.clone();
        let run = self.setup.cancel.clone();
        let held = conversation.hold(move |driver, job| {
            if !job.component.abilities().contains(&ability) {
                return Err(cannot(job, ability).into());
            }
            let before = with_clock(driver, job)?;
            admit(&before, &serial, &label)?;
            let read = job.read_open(driver);
            let mut read = complete(read, &label)?;
            (keeper.keep)(&read)?;
            job.op.debug("it was read to its end".to_owned());
            // Whoever presses Ctrl-C twice waits for this.
            let shield = run.shield();
            let done = change(Moment {
                driver,
                job,
                before: &before,
                read: &read,
                label: &label,
                stage: &stage,
            })?;
            stage.reach(Stage::DONE);
            if let Some(came) = &read.came
                && let Err(mut problem) = (keeper.note)(&came.session, &done)
            {
                problem.severity = Severity::Warning;
                read.warnings
                    .push(problem.kept("the meter was changed all the same"));
            }
            drop(shield);
            job.op.debug("it was changed".to_owned());
            // Whatever comes now, the meter is changed.
            let after = match with_clock(driver, job) {
                Ok(after) => Some(after),
                Err(failure) => {
                    read.warnings.push(unseen(&done, job, failure));
                    None
                }
            };
            Ok((before, after, read))
        });
        let (before, after, read) = held.map_err(|problem| reached.explain(problem))?;
        Ok(Changed {
            before: conversation.introduce(before),
            after: after.map(|after| conversation.introduce(after)),
            report: read.report,
            warnings: read.warnings,
        })
    }
}

/// The moment in which a meter is changed.
struct Moment<'a> {
    driver: &'a mut OpenDriver,
    job: &'a SourceJob,
    before: &'a DeviceInfo,
    read: &'a SourceRead,
    label: &'a str,
    stage: &'a Stage,
}

/// A meter was changed, but did not tell what it shows since.
fn unseen(done: &Event, job: &SourceJob, failure: Failure) -> Problem {
    let blamed = match failure {
        Failure::Driver(error) => job.blame(&error),
        Failure::Known(problem) => *problem,
    };
    let title = format!("what {} shows now could not be asked", job.label);
    let cause = match blamed.causes.is_empty() {
        true => blamed.title,
        false => blamed.causes.join("; "),
    };
    Problem::warning(blamed.code, title)
        .cause(cause)
        .kept(match done {
            Event::Erased { .. } => "its records were erased; the journal has them".to_owned(),
            Event::ClockSet { after, .. } => {
                format!("its clock was set to {}", after.format("%Y-%m-%dT%H:%M:%S"))
            }
        })
}

fn refused(title: String) -> Problem {
    Problem::error(Code::CHANGE_REFUSED, title).kept(UNCHANGED)
}

/// A driver failed to change a meter. It says what became of it, so what is true of failed reads is not
/// added.
fn failed(title: String, job: &SourceJob, error: &Error) -> Failure {
    let code = match (error.status, job.blame(error)) {
        (Status::Precondition, _) => Code::CHANGE_REFUSED,
        (Status::Protocol | Status::Timeout | Status::Lost | Status::Io, blamed) => blamed.code,
        // Said only before anything is changed: what was begun is seen through.
        (Status::Cancelled, blamed) => return blamed.kept(UNCHANGED).into(),
        (Status::InvalidArgument, blamed) => {
            let problem = Problem::error(blamed.code, title).cause(error.message.clone());
            return problem.kept(UNCHANGED).into();
        }
        (_, blamed) => return blamed.into(),
    };
    let problem = Problem::error(code, title).cause(error.message.clone());
    blame::off_the_record(problem, &job.op).into()
}

/// That a driver has no function for this, and why.
pub(super) fn cannot(job: &SourceJob, ability: Ability) -> Problem {
    let (driver, word) = (&job.component.id, ability.word());
    let title = format!("driver `{driver}` has no `{word}`");
    let unknown = || format!("no command of {} that does so is known", job.label);
    let why = job.component.lacks(ability);
    Problem::error(Code::DEVICE_UNSUPPORTED, title)
        .cause(why.map_or_else(unknown, str::to_owned))
        .kept(UNCHANGED)
        .hint("the meter's own menu may have a way")
}

/// The meter must be the one that was asked for.
fn admit(device: &DeviceInfo, serial: &str, label: &str) -> Result<(), Problem> {
    if normalise_serial(&device.serial) == serial {
        return Ok(());
    }
    Err(
        refused(format!("{label} is not the meter that was asked for"))
            .cause("its serial is another one")
            .hint("`glucopipe info` shows the serial of the attached meter"),
    )
}

/// Only a meter that was read to its end may be changed.
fn complete(mut read: SourceRead, label: &str) -> Result<SourceRead, Problem> {
    if read.report.status == SourceStatus::Complete {
        return Ok(read);
    }
    if let Some(problem) = read.report.error.take() {
        return Err(problem.kept(UNCHANGED));
    }
    let problem = refused(format!(
        "{label} is not changed: it was not read to its end before"
    ));
    let because = |problem: Problem, reason: &String| problem.cause(reason.clone());
    let problem = read.report.reasons.iter().fold(problem, because);
    Err(problem.hint("run again"))
}

/// The bytes of the newest readings of a read, hexadecimal.
fn newest(readings: &RecordBatch) -> Option<Vec<String>> {
    let raw = readings.column_by_name("raw")?;
    let raw = raw.as_any().downcast_ref::<BinaryArray>()?;
    let rows = raw.len().saturating_sub(NEWEST)..raw.len();
    let known = rows.filter(|&row| raw.is_valid(row));
    Some(known.map(|row| HEXLOWER.encode(raw.value(row))).collect())
}

/// Whether a second read brought a record that the first one has not.
fn has_new(first: &SourceRead, second: &SourceRead) -> Result<bool, Problem> {
    let keys = |read: &SourceRead| match &read.came {
        Some(came) => record_keys(&came.readings),
        None => Ok(Vec::new()),
    };
    let mut known: HashSet<String> = keys(first)?.into_iter().collect();
    let aside = |read: &SourceRead| {
        let records = read.report.set_aside.clone().into_iter();
        records.map(|record| record.raw).collect::<Vec<_>>()
    };
    known.extend(aside(first));
    let mut seen = keys(second)?.into_iter().chain(aside(second));
    Ok(seen.any(|record| !known.contains(&record)))
}

/// The record keys of a read.
///
/// # Errors
/// When the read has no such column, which intake rules out.
pub fn record_keys(readings: &RecordBatch) -> Result<Vec<String>, Problem> {
    let keys = Texts::of(readings, "record_key")
        .map_err(|error| Problem::error(Code::INTERNAL, error.message))?;
    let rows = 0..readings.num_rows();
    Ok(rows
        .map(|row| keys.get(row).unwrap_or_default().to_owned())
        .collect())
}
