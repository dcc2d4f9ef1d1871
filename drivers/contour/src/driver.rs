//! The driver as the host calls it: moves bytes between the host's link and the session machine.
//!
//! All time is the host's, so that a virtual meter runs on virtual time. Which byte to answer is
//! decided in [`crate::session`] alone. Neither log lines nor messages hold readings or serials.

use std::vec;

use glucopipe_sdk::component::{Device, NoConfig};
use glucopipe_sdk::driver::{DeviceInfo, Download, Driver, Query, ReadReport, Session};
use glucopipe_sdk::link::{Kind, Link};
use glucopipe_sdk::reading::Reading;
use glucopipe_sdk::{Error, Level, Op, Result, Status};

use crate::device;
use crate::protocol::completeness::Interruption;
use crate::protocol::report::{self as hid, REPORT_LEN};
use crate::reading::Decoded;
use crate::report::report;
use crate::session::{Goal, Machine, Step};

/// Longest wait for the meter to take a report.
const WRITE_MS: u32 = 2_000;
/// Target of all log lines.
const LOG: &str = "contour";
/// What to do about a meter that does not talk (other programs: only that clears its display of E86).
const ADVICE: &str = "unplug the meter, plug it in again, and try once more";

/// The driver of the Contour family.
#[derive(Debug)]
pub struct Contour;

impl Driver for Contour {
    const ID: &'static str = "contour";
    const SUMMARY: &'static str = "Ascensia and Bayer Contour meters on USB";
    const DEVICES: &'static [Device] = device::DEVICES;

    type Config = NoConfig;
    type Session = ContourSession;

    fn open(op: &Op, _config: NoConfig) -> Result<ContourSession> {
        let link = Some(op.open_link(Kind::Hid)?);
        Ok(ContourSession { link })
    }
}

/// An open Contour meter.
///
/// A link that died is opened again by the next call, because some meters leave the bus for a
/// moment.
pub struct ContourSession {
    link: Option<Link>,
}

impl Session for ContourSession {
    fn info(&mut self, op: &Op) -> Result<DeviceInfo> {
        op.progress(0, 0, "waiting for the meter");
        let mut talk = self.talk(op, Goal::Header)?;
        let outcome = talk.run(op, Machine::is_over);
        talk.close(op);
        outcome?;
        talk.device()
    }

    fn read<'s>(&'s mut self, op: &Op, _query: &Query) -> Result<Box<dyn Download + 's>> {
        op.progress(0, 0, "waiting for the meter");
        let mut talk = self.talk(op, Goal::Read)?;
        let outcome = talk.run(op, Machine::has_started);
        match outcome.and_then(|()| talk.identified()) {
            Ok(device) => Ok(Box::new(ContourDownload {
                device,
                talk,
                decoded: None,
                stopped: None,
            })),
            Err(error) => {
                talk.close(op);
                Err(error)
            }
        }
    }
}

impl ContourSession {
    fn talk(&mut self, op: &Op, goal: Goal) -> Result<Talk<'_>> {
        op.check()?;
        if self.link.is_none() {
            self.link = Some(op.open_link(Kind::Hid)?);
        }
        Ok(Talk {
            link: &mut self.link,
            machine: Machine::new(goal, op.monotonic_ms()),
            device: None,
            failure: None,
        })
    }
}

/// One conversation over the link.
struct Talk<'s> {
    link: &'s mut Option<Link>,
    machine: Machine,
    device: Option<DeviceInfo>,
    failure: Option<Error>,
}

impl Talk<'_> {
    /// Does what the machine says until `done`, the end, or a cancellation. A dead link is the
    /// machine's end and no error here.
    fn run(&mut self, op: &Op, done: fn(&Machine) -> bool) -> Result<()> {
        while !done(&self.machine) {
            op.check()?;
            if !self.step(op)? {
                break;
            }
        }
        Ok(())
    }

    /// Leaves the meter idle; works although the operation was cancelled.
    fn close(&mut self, op: &Op) {
        op.begin_closing();
        if !self.machine.is_over() {
            op.log(Level::Debug, LOG, "leaving the session");
            self.machine.cancel(op.monotonic_ms());
        }
        // Once closing, a cancellation is a refusal of the link, and the machine ends with it.
        while self.step(op).unwrap_or_else(|error| {
            self.fail(op, error);
            false
        }) {}
    }

    /// Does one thing; false at the end.
    fn step(&mut self, op: &Op) -> Result<bool> {
        let headers = self.machine.headers();
        let step = self.machine.poll(op.monotonic_ms());
        if self.machine.headers() != headers {
            self.device = self
                .machine
                .header()
                .map(|header| device::info(header, op.utc_us()));
            op.log(Level::Debug, LOG, "a valid header arrived");
        }
        let outcome = match step {
            Step::Done => return Ok(false),
            Step::Send(byte) => self.send(op, byte),
            Step::Wait { until } => self.receive(op, until),
        };
        match outcome {
            Ok(()) => Ok(true),
            Err(error) if error.status == Status::Cancelled => {
                if let Step::Send(byte) = step {
                    self.machine.unsent(byte);
                }
                Err(error)
            }
            Err(error) => {
                self.fail(op, error);
                Ok(false)
            }
        }
    }

    fn send(&mut self, op: &Op, byte: u8) -> Result<()> {
        op.log(Level::Trace, LOG, &format!("sent {byte:02x}"));
        let Some(link) = self.link else {
            return Err(no_link());
        };
        for body in hid::encode(&[byte]) {
            link.write(op, WRITE_MS, &body)?;
        }
        Ok(())
    }

    fn receive(&mut self, op: &Op, until: u64) -> Result<()> {
        let Some(link) = self.link else {
            return Err(no_link());
        };
        let left = until.saturating_sub(op.monotonic_ms());
        let mut body = [0; REPORT_LEN];
        let got = link.read(op, u32::try_from(left).unwrap_or(u32::MAX), &mut body);
        let now = op.monotonic_ms();
        match got {
            Ok(len) => match hid::decode(body.get(..len).unwrap_or_default()) {
                Ok(payload) => {
                    op.log(Level::Trace, LOG, &format!("got {} bytes", payload.len()));
                    self.machine.receive(payload, now);
                }
                Err(error) => {
                    op.log(Level::Debug, LOG, &error.to_string());
                    self.machine.bad_report(now);
                }
            },
            // Whatever the clock says, the wait is over: so each loop here comes to an end.
            Err(error) if error.status == Status::Timeout => self.machine.pass(until),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// The link is dead: nothing more can be sent.
    fn fail(&mut self, op: &Op, error: Error) {
        op.log(Level::Debug, LOG, "the link is dead");
        self.machine.lost();
        *self.link = None;
        self.failure = Some(error);
    }

    /// The meter that answered, or why there is none.
    fn device(&mut self) -> Result<DeviceInfo> {
        if let Some(device) = self.device.take() {
            return Ok(device);
        }
        let error = match self.failure.take() {
            Some(error) => return Err(error),
            None if self.machine.has_answered() => Error::new(
                Status::Protocol,
                format!("the meter answered, but sent no valid header: {ADVICE}"),
            ),
            None => Error::new(Status::Timeout, format!("no answer after 15 s: {ADVICE}")),
        };
        Err(error.retryable())
    }

    /// The same for a read: no reading can be told from another meter's without a serial.
    fn identified(&mut self) -> Result<DeviceInfo> {
        let device = self.device()?;
        if device.serial.is_empty() {
            return Err(Error::new(Status::Protocol, "the meter told no serial"));
        }
        Ok(device)
    }
}

fn no_link() -> Error {
    Error::new(Status::Lost, "the connection to the meter broke")
}

/// A read in progress: first the whole transmission, then its readings.
///
/// Readings are held back until then, because a meter that starts over takes them back, and an order
/// record may come behind its result. If the link dies or the host wants no more, what was stored is
/// handed out.
struct ContourDownload<'s> {
    device: DeviceInfo,
    talk: Talk<'s>,
    decoded: Option<(Decoded, vec::IntoIter<Reading>)>,
    /// The cancellation that stopped the transfer, told behind the last reading.
    stopped: Option<Error>,
}

impl ContourDownload<'_> {
    /// Reads the transmission to its end.
    fn transfer(&mut self, op: &Op) -> Result<()> {
        let mut shown = None;
        while !self.talk.machine.is_over() {
            op.check()?;
            let tally = self.talk.machine.tally();
            let now = (tally.results, tally.declared.unwrap_or(0));
            if shown.replace(now) != Some(now) {
                op.progress(now.0.into(), now.1.into(), "reading");
            }
            if !self.talk.step(op)? {
                break;
            }
        }
        let tally = self.talk.machine.tally();
        let line = format!("read {} results, {} naks", tally.results, tally.naks);
        op.log(Level::Debug, LOG, &line);
        Ok(())
    }

    fn decode(&mut self) -> (Decoded, vec::IntoIter<Reading>) {
        let mut decoded = Decoded::new(self.talk.machine.take_collection());
        let readings = std::mem::take(&mut decoded.readings).into_iter();
        (decoded, readings)
    }
}

impl Download for ContourDownload<'_> {
    fn device(&self) -> &DeviceInfo {
        &self.device
    }

    fn next(&mut self, op: &Op) -> Result<Option<Reading>> {
        if self.decoded.is_none() {
            if let Err(error) = self.transfer(op)
                && !self.talk.machine.has_ended()
            {
                self.stopped = Some(error);
            }
            self.decoded = Some(self.decode());
        }
        // Once the records are here, handing them out is no work that a cancellation could save.
        let readings = self.decoded.as_mut().map(|(_, readings)| readings);
        match (readings.and_then(Iterator::next), &self.stopped) {
            (None, Some(error)) => Err(error.clone()),
            (reading, _) => Ok(reading),
        }
    }

    fn finish(mut self: Box<Self>, op: &Op) -> ReadReport {
        self.talk.close(op);
        let (decoded, readings) = match self.decoded.take() {
            Some(decoded) => decoded,
            None => self.decode(),
        };
        let mut tally = self.talk.machine.tally().clone();
        if readings.len() > 0 || self.stopped.is_some() {
            // What the meter sent was not all taken by the host.
            tally.interruption.get_or_insert(Interruption::Cancelled);
        }
        report(&tally, self.talk.machine.traffic(), decoded)
    }
}

#[cfg(test)]
mod tests;
