//! The driver as the host calls it, and what changes the meter: its clock and its memory.
//!
//! Neither log lines nor messages hold readings or serials.

use glucopipe_sdk::chrono::NaiveDateTime;
use glucopipe_sdk::component::{Device, NoConfig};
use glucopipe_sdk::driver::{Clock, DeviceInfo, Download, Driver, Query, Session};
use glucopipe_sdk::scrub::Disguise;
use glucopipe_sdk::transcript::Transcript;
use glucopipe_sdk::{Error, Op, Result, Status};

use crate::device::{self, CLOCK_RESOLUTION_S, normalised, required};
use crate::download::VerioDownload;
use crate::lifescan::epoch::Epoch;
use crate::meter::{Failure, Meter};
use crate::protocol::command::{self, Command};
use crate::protocol::record::is_unset;
use crate::protocol::reply;
use crate::scrub;

/// How far the clock may read from what was written, besides the time that passed.
const CLOCK_TOLERANCE_S: u64 = 2;

/// The driver of the OneTouch Verio family.
#[derive(Debug)]
pub struct Verio;

impl Driver for Verio {
    const ID: &'static str = "verio";
    const SUMMARY: &'static str = "LifeScan OneTouch Verio meters on USB";
    const DEVICES: &'static [Device] = device::DEVICES;
    const READS_CLOCK: bool = true;
    const SETS_CLOCK: bool = true;
    const ERASES: bool = true;
    const SCRUBS: bool = true;

    type Config = NoConfig;
    type Session = VerioSession;

    fn open(op: &Op, _config: NoConfig) -> Result<VerioSession> {
        let meter = Meter::open(op)?;
        Ok(VerioSession { meter })
    }

    fn scrub(transcript: &mut Transcript, disguise: &Disguise) -> Result<()> {
        scrub::scrub(transcript, disguise)
    }
}

/// An open meter of the Verio family.
///
/// It is identified at the first question, and again over every new link. The meter itself knows no
/// sessions, so there is nothing to close but the link.
pub struct VerioSession {
    meter: Meter,
}

impl Session for VerioSession {
    fn info(&mut self, op: &Op) -> Result<DeviceInfo> {
        self.meter.begin(op)?;
        let mut info = device::info(op, &mut self.meter)?;
        device::details(op, &mut self.meter, &mut info)?;
        Ok(info)
    }

    fn read<'s>(&'s mut self, op: &Op, query: &Query) -> Result<Box<dyn Download + 's>> {
        self.meter.begin(op)?;
        Ok(Box::new(VerioDownload::start(op, &mut self.meter, query)?))
    }

    fn clock(&mut self, op: &Op) -> Result<Clock> {
        self.meter.begin(op)?;
        let seconds = required(op, &mut self.meter, Command::ReadClock, reply::seconds)?;
        Ok(Clock {
            local: Epoch::Year2000.civil(seconds),
            resolution_s: CLOCK_RESOLUTION_S,
        })
    }

    fn set_clock(&mut self, op: &Op, local: NaiveDateTime) -> Result<()> {
        let seconds = Epoch::Year2000.seconds(local);
        let seconds = seconds.filter(|seconds| !is_unset(*seconds));
        let seconds = seconds.ok_or_else(|| {
            let message = "the meter's clock counts from 2000-01-01 to 2136-02-07";
            Error::new(Status::InvalidArgument, message)
        })?;
        self.change(op, "nothing was changed")?;
        set_clock(op, &mut self.meter, seconds)
    }

    fn erase(&mut self, op: &Op, expect_serial: &str) -> Result<()> {
        let serial = self.change(op, "nothing was erased")?;
        if normalised(&serial) != normalised(expect_serial) {
            let message = "the attached meter has another serial than expected; nothing was erased";
            return Err(Error::new(Status::Precondition, message));
        }
        erase(op, &mut self.meter)
    }
}

impl VerioSession {
    /// Begins an operation that changes the meter: identifies it anew and asks for its serial.
    fn change(&mut self, op: &Op, untouched: &str) -> Result<String> {
        self.meter.begin_change(op)?;
        let serial = self.meter.serial(op).map_err(|failure| {
            let error = failure.into_error(Command::Query(command::Query::Serial));
            with(error, untouched)
        })?;
        op.check()?;
        Ok(serial)
    }
}

/// Sets the clock. Once begun, it is seen through, and what the clock shows then decides whether it was
/// done.
fn set_clock(op: &Op, meter: &mut Meter, seconds: u32) -> Result<()> {
    let written_ms = op.monotonic_ms();
    op.begin_closing();
    let write = Command::WriteClock(seconds);
    let written = meter.ask(op, write, reply::acknowledgement);
    let shown = meter.ask(op, Command::ReadClock, reply::seconds);
    let passed = op.monotonic_ms().saturating_sub(written_ms).div_ceil(1000);
    let agrees =
        |shown: u32| u64::from(shown.abs_diff(seconds)) <= passed.saturating_add(CLOCK_TOLERANCE_S);
    let shows = |shown: u32| {
        let shown = Epoch::Year2000.civil(shown).format("%Y-%m-%dT%H:%M:%S");
        format!("its clock shows {shown} now")
    };
    let unknown = "whether the clock was set is not known";
    match (written, shown) {
        (_, Ok(shown)) if agrees(shown.value) => Ok(()),
        (Ok(_), Ok(shown)) => {
            let error = Error::new(Status::Protocol, "the meter took the new time");
            Err(with(error, &shows(shown.value)))
        }
        (Err(failure), Ok(shown)) => Err(ended(failure, write, &shows(shown.value))),
        (Err(failure), Err(_)) => Err(ended(failure, write, unknown)),
        (Ok(_), Err(failure)) => Err(ended(failure, Command::ReadClock, unknown)),
    }
}

/// Erases the memory of the meter whose serial was compared. Once begun, it is seen through, and the
/// number of records decides whether it was done.
fn erase(op: &Op, meter: &mut Meter) -> Result<()> {
    op.begin_closing();
    let erased = meter.ask(op, Command::MemoryErase, reply::acknowledgement);
    let left = meter.ask(op, Command::RecordCount, reply::count);
    let unknown = "whether the records were erased is not known";
    match (erased, left) {
        (_, Ok(left)) if left.value == 0 => Ok(()),
        (Ok(_), Ok(_)) => {
            let message = "the meter took the erase, but still holds records";
            Err(Error::new(Status::Protocol, message))
        }
        (Err(failure), Ok(_)) => {
            let left = "the meter still holds records";
            Err(ended(failure, Command::MemoryErase, left))
        }
        (Err(failure), Err(_)) => Err(ended(failure, Command::MemoryErase, unknown)),
        (Ok(_), Err(failure)) => Err(ended(failure, Command::RecordCount, unknown)),
    }
}

/// How a change ended that was begun. A host that waits no longer is no host that stopped it in time.
fn ended(failure: Failure, command: Command, state: &str) -> Error {
    let error = failure.into_error(command);
    let error = match error.status {
        Status::Cancelled => Error::new(Status::Timeout, "the host waited no longer"),
        _ => error,
    };
    with(error, state)
}

/// Adds to a message what became of the meter, unless it says so.
fn with(error: Error, state: &str) -> Error {
    if error.status == Status::Precondition || error.status == Status::Cancelled {
        return error;
    }
    let message = format!("{}; {state}", error.message);
    Error { message, ..error }
}

#[cfg(test)]
mod tests;
