//! A read in progress: first all records, then the readings.
//!
//! The meter gives the newest record first, at index 0, and moves all up by one when a test is taken
//! meanwhile; a record then comes twice or the number of records differs, and the read begins again, once.
//! Readings are handed out when that is known, oldest first. A pass ends at a record that the host keeps, when
//! all its bytes are the same: what is older is kept as well.

use std::collections::HashSet;
use std::vec;

use glucopipe_sdk::driver::{DeviceInfo, Download, Query, ReadReport};
use glucopipe_sdk::reading::Reading;
use glucopipe_sdk::{Level, Op, Result, Status};

use crate::device::{self, normalised};
use crate::lifescan::epoch::Epoch;
use crate::meter::{Failure, LOG, Meter};
use crate::protocol::command::Command;
use crate::protocol::record::Record;
use crate::protocol::reply::{self, Reply};
use crate::reading::{Decoded, Kept, Unreadable, is_clock_set};
use crate::report::{Course, report};

/// How often a read begins again.
const RESTARTS: u32 = 1;
/// How often a record is asked for that was given before.
const ASKS: u32 = 2;

/// What one pass over the records found.
#[derive(Debug, Default)]
struct Pass {
    expected: u16,
    /// Records left unread.
    known: u16,
    kept: Vec<Kept>,
    unreadable: Vec<Unreadable>,
    /// Counters and times of the records.
    seen: HashSet<(u16, u32)>,
    reasons: Vec<String>,
}

/// Whether the records stayed where they were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Steady,
    Moved,
}

/// A read in progress.
pub(crate) struct VerioDownload<'s> {
    meter: &'s mut Meter,
    device: DeviceInfo,
    /// The newest records that the host keeps.
    known: Vec<Record>,
    pass: Pass,
    restarts: u32,
    /// All was asked for that is to be asked for.
    over: bool,
    decoded: Option<(Course, Decoded, vec::IntoIter<Reading>)>,
}

impl<'s> VerioDownload<'s> {
    /// Starts a read: asks the meter what it is and how much it holds.
    pub(crate) fn start(op: &Op, meter: &'s mut Meter, query: &Query) -> Result<Self> {
        let device = device::info(op, meter)?;
        let known = query.known(&normalised(&device.serial));
        let known = known.iter().filter_map(|packet| {
            let reply = Reply::parse(&[], packet).ok()?;
            reply::record(reply.data).ok()
        });
        let known = known.collect();
        let expected = device.record_count.and_then(|count| count.try_into().ok());
        Ok(Self {
            meter,
            device,
            known,
            pass: Pass::new(expected.unwrap_or(0)),
            restarts: 0,
            over: false,
            decoded: None,
        })
    }

    /// Reads all records. A failure with something read is a reason, not an error.
    fn transfer(&mut self, op: &Op) -> Result<()> {
        loop {
            let failure = match self.run(op) {
                Ok(Verdict::Steady) => break,
                Ok(Verdict::Moved) if self.restarts == RESTARTS => {
                    let reason = "tests were taken during the read, twice";
                    self.pass.reasons.push(reason.to_owned());
                    break;
                }
                Ok(Verdict::Moved) => self.restart(op).err(),
                Err(error) => Some(error),
            };
            match failure {
                None => {}
                Some(error) if error.status == Status::Cancelled => return Err(error),
                Some(error) if self.pass.kept.is_empty() => return Err(error),
                Some(error) => {
                    self.pass.reasons.push(error.message);
                    break;
                }
            }
        }
        self.over = true;
        let line = format!("read {} of {}", self.pass.kept.len(), self.pass.expected);
        op.log(Level::Debug, LOG, &line);
        Ok(())
    }

    /// Begins again; what was read is kept until the meter has answered.
    fn restart(&mut self, op: &Op) -> Result<()> {
        op.log(Level::Debug, LOG, "the records moved: reading them again");
        self.restarts += 1;
        let count = device::required(op, self.meter, Command::RecordCount, reply::count)?;
        self.pass = Pass::new(count);
        Ok(())
    }

    /// One pass over all records, and a look whether they stayed where they were.
    fn run(&mut self, op: &Op) -> Result<Verdict> {
        let expected = self.pass.expected;
        for index in 0..expected {
            op.progress(index.into(), expected.into(), "reading");
            if self.record(op, index)? == Verdict::Moved {
                return Ok(Verdict::Moved);
            }
            if self.is_kept(index) {
                self.pass.kept.pop();
                self.pass.known = expected - index;
                break;
            }
        }
        op.progress(expected.into(), expected.into(), "reading");
        match self.meter.ask(op, Command::RecordCount, reply::count) {
            Ok(answer) if answer.value == expected => Ok(Verdict::Steady),
            Ok(_) => Ok(Verdict::Moved),
            Err(Failure::Stop(error)) => Err(error),
            Err(Failure::Bad(bad, _)) => {
                let reason = format!("the number of records could not be read again: {bad}");
                self.pass.reasons.push(reason);
                Ok(Verdict::Steady)
            }
        }
    }

    /// Whether the record at an index was read, and is one that the host keeps.
    fn is_kept(&self, index: u16) -> bool {
        let last = self.pass.kept.last().filter(|kept| kept.index == index);
        last.is_some_and(|last| {
            let mut known = self.known.iter();
            known.any(|known| known.is_same(&last.record))
        })
    }

    /// Reads one record. One that came before is asked for again, because a register may be stale.
    fn record(&mut self, op: &Op, index: u16) -> Result<Verdict> {
        let mut raw = Vec::new();
        for _ in 0..ASKS {
            let command = Command::ReadRecord(index);
            match self.meter.ask(op, command, reply::record) {
                Ok(answer) if self.pass.seen.insert(answer.value.key()) => {
                    self.pass.kept.push(Kept {
                        index,
                        record: answer.value,
                        packet: answer.packet,
                    });
                    return Ok(Verdict::Steady);
                }
                Ok(answer) => raw = answer.packet,
                Err(Failure::Stop(error)) => return Err(error),
                Err(Failure::Bad(bad, raw)) => {
                    let reason = bad.to_string();
                    self.pass.unreadable.push(Unreadable { index, reason, raw });
                    return Ok(Verdict::Steady);
                }
            }
        }
        if self.restarts < RESTARTS {
            return Ok(Verdict::Moved);
        }
        let reason = "the meter gave a record again that it had given before".to_owned();
        self.pass.unreadable.push(Unreadable { index, reason, raw });
        Ok(Verdict::Steady)
    }

    fn decode(&mut self) -> (Course, Decoded, vec::IntoIter<Reading>) {
        let pass = std::mem::take(&mut self.pass);
        let clock = self
            .device
            .clock
            .and_then(|clock| Epoch::Year2000.seconds(clock));
        let mut course = Course {
            expected: pass.expected,
            known: pass.known,
            unreadable: pass.unreadable.len(),
            reasons: pass.reasons,
            restarts: self.restarts,
            clock_set: clock.is_some_and(is_clock_set),
        };
        if !self.over {
            course.reasons.push("the read was not finished".to_owned());
        }
        let mut decoded = Decoded::new(pass.kept, pass.unreadable, pass.expected, clock);
        let readings = std::mem::take(&mut decoded.readings).into_iter();
        (course, decoded, readings)
    }
}

impl Pass {
    fn new(expected: u16) -> Self {
        Self {
            expected,
            ..Self::default()
        }
    }
}

impl Download for VerioDownload<'_> {
    fn device(&self) -> &DeviceInfo {
        &self.device
    }

    fn next(&mut self, op: &Op) -> Result<Option<Reading>> {
        op.check()?;
        if self.decoded.is_none() {
            self.transfer(op)?;
            self.decoded = Some(self.decode());
        }
        let decoded = self.decoded.as_mut();
        Ok(decoded.and_then(|(_, _, readings)| readings.next()))
    }

    /// Reports. The meter needs no good-bye: it knows no sessions, and between two questions it is idle.
    fn finish(mut self: Box<Self>, _op: &Op) -> ReadReport {
        let (mut course, decoded, readings) = match self.decoded.take() {
            Some(decoded) => decoded,
            None => self.decode(),
        };
        if readings.len() > 0 {
            // What is complete at the meter was not all taken by the host.
            course
                .reasons
                .push("not all readings were taken".to_owned());
        }
        report(course, self.meter.traffic(), decoded)
    }
}
