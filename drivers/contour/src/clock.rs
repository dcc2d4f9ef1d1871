//! The clock: told and set in command mode.
//!
//! A meter takes date and time each by itself, and the time to the minute; its seconds then begin at 0.
//! So the time is written when the clock that is wished for reaches a full minute, which is waited for.
//! The date follows at once: behind a full minute no midnight can come between the two.
//!
//! What the meter shows afterwards decides whether its clock was set, not what it answered.

mod moment;
mod words;

use glucopipe_sdk::chrono::{NaiveDateTime, TimeDelta};
use glucopipe_sdk::driver::Clock;
use glucopipe_sdk::{Error, Level, Op, Result as SdkResult, Status};
use moment::{Moment, minutes};
use words::{Trouble, Words, protocol};

use crate::device::meter_time;
use crate::protocol::command::{Command, YEARS};
use crate::protocol::local_time::LocalTime;
use crate::talk::{LOG, Talk};

/// What is set and told has minutes only.
const RESOLUTION_S: u32 = 60;
/// A clock of minutes may be so far into the minute that it shows.
const MINUTE_END_S: i64 = 59;
/// A full minute is missed when the meter is not ready for it by then.
const LATEST_MS: u64 = 1_500;
/// The meter is asked something that often while a full minute is waited for (LIS1-A lets a receiver
/// wait for 30 s).
const KEEP_MS: u64 = 10_000;
/// After this time the meter cannot be made ready for a full minute.
const WAIT_MAX_MS: u64 = 150_000;
/// The two messages in front of the new time are said so long before it is due, besides twice what they
/// were seen to take.
const LEAD_MS: u64 = 200;

/// Tells what the meter's clock shows.
///
/// # Errors
/// When it does not answer, does not enter command mode, or does not tell.
pub(crate) fn show(op: &Op, talk: &mut Talk<'_>) -> SdkResult<Clock> {
    talk.enter(op)?;
    let local = Words::new(op, talk).shown()?;
    Ok(Clock {
        local,
        resolution_s: RESOLUTION_S,
    })
}

/// Sets the meter's clock to this time, as it is now; returns when the meter shows it.
///
/// # Errors
/// As [`show`], and when the meter refuses, or shows something else. The message says what became of its
/// clock.
pub(crate) fn set(op: &Op, talk: &mut Talk<'_>, local: NaiveDateTime) -> SdkResult<()> {
    let at_ms = op.monotonic_ms();
    let wish = Moment { local, at_ms };
    let last = wish.at(at_ms.saturating_add(2 * WAIT_MAX_MS));
    for end in [wish.local, last] {
        meter_moment(end)?;
    }
    talk.enter(op).map_err(untouched)?;
    let mut words = Words::new(op, talk);
    let shown = words.shown().map_err(untouched)?;
    let old = Moment {
        local: shown + TimeDelta::seconds(MINUTE_END_S),
        at_ms: op.monotonic_ms(),
    };
    let new = await_full_minute(&mut words, wish).map_err(untouched)?;
    // From here on it is seen through, also when the operation is cancelled: it takes a second.
    op.begin_closing();
    let stage = Stage::Untouched;
    Change { words, stage }.run(old, new)
}

/// A moment that the meter's clock can show.
fn meter_moment(local: NaiveDateTime) -> SdkResult<LocalTime> {
    meter_time(local).ok_or_else(|| {
        let (first, last) = (YEARS.start(), YEARS.end());
        let message = format!("the meter's clock knows the years {first} to {last}");
        Error::new(Status::InvalidArgument, message)
    })
}

/// Waits for a full minute with a meter that waits for the new time; says which minute it is.
///
/// A meter that was too slow, or went astray, is tried at the next minute.
fn await_full_minute(words: &mut Words<'_, '_>, wish: Moment) -> SdkResult<Moment> {
    loop {
        let now = words.now();
        if now > wish.at_ms.saturating_add(WAIT_MAX_MS) {
            return Err(protocol("the meter was not ready at any full minute"));
        }
        let minute = wish.full_minute(now);
        let lead = LEAD_MS.saturating_add(words.slowest_ms.saturating_mul(4));
        let begin = minute.at_ms.saturating_sub(lead);
        let (named, waited) = if now >= begin {
            let named = words.name(Command::Time);
            (true, named.and_then(|()| words.rest(minute.at_ms)))
        } else if begin - now > 2 * KEEP_MS {
            words.op.progress(0, 0, "waiting for a full minute");
            let rested = words.rest(now.saturating_add(KEEP_MS));
            (false, rested.and_then(|()| words.keep()))
        } else {
            (false, words.rest(begin))
        };
        match waited {
            Ok(()) if !named => {}
            Ok(()) if words.now() <= minute.at_ms.saturating_add(LATEST_MS) => return Ok(minute),
            Ok(()) => drop(words.misled("the full minute was missed")),
            Err(Trouble::Stop(error)) => return Err(error),
            Err(Trouble::Refused) => return Err(protocol("the meter refuses a new time")),
            Err(Trouble::Odd(_)) => drop(words.shown()?),
        }
    }
}

/// How far a change has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// Nothing is changed.
    Untouched,
    /// The new time was said.
    TimeSaid,
    /// The meter took the new time.
    TimeSet,
    /// The new date was said as well.
    DateSaid,
    /// The meter took the new date as well.
    DateSet,
}

impl Stage {
    /// What became of the meter, where it does not tell.
    fn words(self) -> &'static str {
        match self {
            Self::Untouched => "nothing was changed",
            Self::TimeSaid => "whether its time was set is not known, its date was not",
            Self::TimeSet => "its time was set, its date was not",
            Self::DateSaid => "its time was set, whether its date was is not known",
            Self::DateSet => "its date and time were set, but not read back",
        }
    }
}

/// A change of a meter's clock.
struct Change<'a, 's> {
    words: Words<'a, 's>,
    stage: Stage,
}

impl Change<'_, '_> {
    /// Sets the clock of a meter that waits for the new time, and looks at it.
    fn run(&mut self, old: Moment, new: Moment) -> SdkResult<()> {
        let written = self.write_time(new).and_then(|()| self.write_date(new));
        let stage = self.stage;
        let what = match stage {
            Stage::Untouched | Stage::TimeSaid => "time",
            _ => "date",
        };
        let failure = written.err().map(|trouble| trouble.into_error(what));
        if let (Some(failure), Stage::Untouched) = (&failure, stage) {
            return Err(untouched(failure.clone()));
        }
        let shown = match self.words.shown() {
            Ok(shown) => shown,
            Err(error) => {
                let error = failure.unwrap_or_else(|| Trouble::Stop(error).into_error("clock"));
                return Err(with(error, stage.words()));
            }
        };
        let now = self.words.now();
        if stage >= Stage::TimeSet && new.agrees(shown, now) {
            return Ok(());
        }
        let Some(failure) = failure else {
            let (taken, shown) = (spelt(new.local), spelt(shown));
            return Err(protocol(format!(
                "the meter took {taken}, but shows {shown} now"
            )));
        };
        if old.agrees(shown, now) {
            let state = format!("its clock shows {} now, as before", spelt(shown));
            return Err(with(failure, &state));
        }
        Err(with(failure, &self.restore(old, shown)))
    }

    /// Writes the time to a meter that waits for it.
    fn write_time(&mut self, new: Moment) -> Result<(), Trouble> {
        let time = meter_moment(new.local)?;
        self.stage = Stage::TimeSaid;
        let told = self.words.tell(Command::NewTime(time));
        match told {
            Ok(()) => self.stage = Stage::TimeSet,
            Err(Trouble::Refused) => self.stage = Stage::Untouched,
            Err(_) => {}
        }
        told
    }

    /// Writes the date; once more when it is not known whether the meter took it.
    fn write_date(&mut self, new: Moment) -> Result<(), Trouble> {
        match self.try_date(new) {
            Err(Trouble::Odd(_)) => self.try_date(new),
            other => other,
        }
    }

    fn try_date(&mut self, new: Moment) -> Result<(), Trouble> {
        self.words.name(Command::Date)?;
        let date = meter_moment(new.at(self.words.now()))?;
        self.stage = Stage::DateSaid;
        let told = self.words.tell(Command::NewDate(date));
        match told {
            Ok(()) => self.stage = Stage::DateSet,
            Err(Trouble::Refused) => self.stage = Stage::TimeSet,
            Err(_) => {}
        }
        told
    }

    /// Writes the old date and time back where the clock shows others; says what it shows then.
    fn restore(&mut self, old: Moment, shown: NaiveDateTime) -> String {
        let at_ms = self.words.now();
        let likely = old.at(at_ms) - TimeDelta::seconds(MINUTE_END_S / 2);
        let local = minutes(likely);
        let back = Moment { local, at_ms };
        let named = self.words.name(Command::Time);
        let mut written = named.and_then(|()| self.write_time(back));
        if shown.date() != local.date() {
            written = written.and_then(|()| self.write_date(back));
        }
        if let Err(trouble) = written {
            let error = trouble.into_error("date or time");
            self.words.op.log(Level::Debug, LOG, &error.message);
        }
        let Ok(shown) = self.words.shown() else {
            return "what its clock shows now is not known".to_owned();
        };
        let could = if back.agrees(shown, self.words.now()) {
            "were"
        } else {
            "could not be"
        };
        let shown = spelt(shown);
        format!("its old date and time {could} written back, and it shows {shown} now")
    }
}

fn untouched(error: Error) -> Error {
    match error.status {
        Status::Cancelled => error,
        _ => with(error, Stage::Untouched.words()),
    }
}

/// Adds to a message what became of the meter.
fn with(error: Error, state: &str) -> Error {
    let message = format!("{}; {state}", error.message);
    Error { message, ..error }
}

fn spelt(local: NaiveDateTime) -> String {
    local.format("%Y-%m-%dT%H:%M").to_string()
}
