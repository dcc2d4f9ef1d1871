//! The driver as the host calls it. Neither log lines nor messages hold readings or serials.

use std::vec;

use glucopipe_sdk::chrono::NaiveDateTime;
use glucopipe_sdk::component::{Device, NoConfig};
use glucopipe_sdk::driver::{Clock, DeviceInfo, Download, Driver, Query, ReadReport, Session};
use glucopipe_sdk::link::{Kind, Link};
use glucopipe_sdk::reading::Reading;
use glucopipe_sdk::scrub::Disguise;
use glucopipe_sdk::transcript::Transcript;
use glucopipe_sdk::{Error, Level, Op, Result};

use crate::protocol::completeness::Interruption;
use crate::reading::Decoded;
use crate::report::report;
use crate::session::{Goal, Machine};
use crate::talk::{LOG, Talk};
use crate::{clock, device, scrub};

/// The driver of the Contour family.
#[derive(Debug)]
pub struct Contour;

impl Driver for Contour {
    const ID: &'static str = "contour";
    const SUMMARY: &'static str = "Ascensia and Bayer Contour meters on USB";
    const DEVICES: &'static [Device] = device::DEVICES;
    const READS_CLOCK: bool = true;
    const SETS_CLOCK: bool = true;
    const SCRUBS: bool = true;
    const LACKS: &'static [(&'static str, &'static str)] = &[(
        "erase",
        "no command that erases meters of this family is publicly documented, and none is guessed; \
         the way is the meter's own menu",
    )];

    type Config = NoConfig;
    type Session = ContourSession;

    fn open(op: &Op, _config: NoConfig) -> Result<ContourSession> {
        let link = Some(op.open_link(Kind::Hid)?);
        Ok(ContourSession { link })
    }

    fn scrub(transcript: &mut Transcript, disguise: &Disguise) -> Result<()> {
        scrub::scrub(transcript, disguise)
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

    fn clock(&mut self, op: &Op) -> Result<Clock> {
        op.progress(0, 0, "waiting for the meter");
        let mut talk = self.talk(op, Goal::Command)?;
        let shown = clock::show(op, &mut talk);
        talk.close(op);
        shown
    }

    fn set_clock(&mut self, op: &Op, local: NaiveDateTime) -> Result<()> {
        op.progress(0, 0, "waiting for the meter");
        let mut talk = self.talk(op, Goal::Command)?;
        let set = clock::set(op, &mut talk, local);
        talk.close(op);
        set
    }
}

impl ContourSession {
    fn talk(&mut self, op: &Op, goal: Goal) -> Result<Talk<'_>> {
        Talk::start(op, &mut self.link, goal)
    }
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
