//! What changes a meter: setting its clock, erasing its memory. Never part of a run.
//!
//! Both read the meter to its end first, in the conversation that changes it, and let the caller keep
//! what was read before anything is changed.

use arrow::array::RecordBatch;
use chrono::{DateTime, NaiveDateTime};
use glucopipe_sdk::batch::Texts;
use glucopipe_sdk::driver::DeviceInfo;
use glucopipe_sdk::{Error, Status};

use super::conversation::{Conversation, Failure};
use super::engine::RunSetup;
use super::query::{MeterInfo, with_clock};
use super::report::{SourceReport, SourceStatus};
use super::source::{SourceJob, SourceRead};
use crate::device::{Finder, Selector, normalise_serial};
use crate::host::OpenDriver;
use crate::plugin::Ability;
use crate::problem::{Code, Problem};

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

/// What a change did.
pub struct Changed {
    /// The meter before.
    pub before: MeterInfo,
    /// The meter afterwards.
    pub after: MeterInfo,
    /// The read before the change.
    pub report: SourceReport,
    /// What the user should know of that read.
    pub warnings: Vec<Problem>,
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
    pub fn set_clock(&self, when: When, keep: Keep) -> Result<Changed, Problem> {
        self.apply(Ability::SetClock, keep, move |driver, job, _, label| {
            let local = match when {
                When::At(local) => local,
                When::Now => {
                    let now = DateTime::from_timestamp_micros(job.op.time().utc_us());
                    job.clock.local(now.unwrap_or_default())
                }
            };
            let title = format!("the clock of {label} could not be set");
            let set = driver.set_clock(local);
            set.map_err(|error| failed(title, job, &error))
        })
    }

    /// Destroys all stored readings of the meter, after reading it to its end.
    ///
    /// # Errors
    /// As [`Change::set_clock`], and when the meter holds more than what was read.
    pub fn erase(&self, keep: Keep) -> Result<Changed, Problem> {
        self.apply(Ability::Erase, keep, move |driver, job, read, label| {
            let now = driver.info().map_err(Failure::Driver)?;
            if now.record_count != Some(read.report.read + read.report.rejected) {
                let title = format!("{label} is not erased");
                return Err(refused(title)
                    .cause("it does not hold as many records as were read")
                    .hint("run again; measure nothing meanwhile")
                    .into());
            }
            let title = format!("{label} could not be erased");
            let erased = driver.erase(&now.serial);
            erased.map_err(|error| failed(title, job, &error))
        })
    }

    fn apply(
        &self,
        ability: Ability,
        keep: Keep,
        change: impl FnOnce(&mut OpenDriver, &SourceJob, &SourceRead, &str) -> Result<(), Failure>
        + Send
        + 'static,
    ) -> Result<Changed, Problem> {
        let conversation =
            Conversation::choose(self.finder, self.driver, self.selector, self.setup)?;
        let label = conversation.label().to_owned();
        let serial = normalise_serial(self.serial);
        let (before, after, read) = conversation.hold(move |driver, job| {
            if !job.component.abilities().contains(&ability) {
                return Err(cannot(&label, job, ability).into());
            }
            let before = with_clock(driver, &job.op)?;
            admit(&before, &serial, &label)?;
            let read = job.read_open(driver);
            let read = complete(read, &label)?;
            keep(&read)?;
            change(driver, job, &read, &label)?;
            let after = with_clock(driver, &job.op)?;
            Ok((before, after, read))
        })?;
        Ok(Changed {
            before: conversation.introduce(before),
            after: conversation.introduce(after),
            report: read.report,
            warnings: read.warnings,
        })
    }
}

fn refused(title: String) -> Problem {
    Problem::error(Code::CHANGE_REFUSED, title).kept("nothing was changed in the meter")
}

/// A driver failed to change a meter. It says what became of it, so what is true of failed reads is not
/// added.
fn failed(title: String, job: &SourceJob, error: &Error) -> Failure {
    let code = match (error.status, job.blame(error)) {
        (Status::Precondition, _) => Code::CHANGE_REFUSED,
        (
            Status::Protocol
            | Status::Timeout
            | Status::Lost
            | Status::Io
            | Status::InvalidArgument,
            blamed,
        ) => blamed.code,
        (_, blamed) => return blamed.into(),
    };
    Problem::error(code, title)
        .cause(error.message.clone())
        .into()
}

fn cannot(label: &str, job: &SourceJob, ability: Ability) -> Problem {
    let (driver, word) = (&job.component.id, ability.word());
    let title = format!("driver `{driver}` has no `{word}`");
    let unknown = || format!("no command of {label} that does so is known");
    let why = job.component.lacks(ability);
    Problem::error(Code::DEVICE_UNSUPPORTED, title)
        .cause(why.map_or_else(unknown, str::to_owned))
        .kept("nothing was changed in the meter")
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
        return Err(problem.kept("nothing was changed in the meter"));
    }
    let problem = refused(format!(
        "{label} is not changed: it was not read to its end before"
    ));
    let because = |problem: Problem, reason: &String| problem.cause(reason.clone());
    let problem = read.report.reasons.iter().fold(problem, because);
    Err(problem.hint("run again"))
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
