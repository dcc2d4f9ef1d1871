//! Scripted dialogues: each error and its recovery, the four states a meter may be found in,
//! and the variants of the opening.

use super::*;
use crate::protocol::completeness::{Completeness, Reason};
use crate::protocol::frame::{FrameEnd, encode};
use crate::protocol::record::TerminatorCode;
use crate::protocol::samples;

mod command;
mod data;
mod opening;
mod vectors;

const EOT: u8 = 0x04;
const ENQ: u8 = 0x05;
const ACK: u8 = 0x06;
const NAK: u8 = 0x15;
const X: u8 = WAKE_UP;
const NOTHING: [u8; 0] = [];

/// Runs a machine by hand, on a clock that only its waits move.
pub(super) struct Talk {
    pub(super) machine: Machine,
    pub(super) now: u64,
}

impl Talk {
    /// A conversation behind its first drain, with the first X sent.
    fn woken(goal: Goal) -> Self {
        let mut talk = Self {
            machine: Machine::new(goal, 0),
            now: 0,
        };
        assert_eq!(talk.quiet(), QUIET_MS);
        assert_eq!(talk.sent(), [X]);
        talk
    }

    /// A read in the data phase, behind header and patient record.
    fn reading(results: u32) -> Self {
        let mut talk = Self::woken(Goal::Read);
        assert_eq!(talk.says(&opening(results)), [ACK]);
        assert_eq!(talk.says(&frame(1, &header(results))), [ACK]);
        assert_eq!(talk.says(&frame(2, "P|1")), [ACK]);
        talk
    }

    /// What the machine sends before its next wait.
    pub(super) fn sent(&mut self) -> Vec<u8> {
        let mut sent = Vec::new();
        while let Step::Send(message) = self.machine.poll(self.now) {
            sent.extend(message.bytes());
        }
        sent
    }

    /// The meter says this, in reports; returns the answer.
    pub(super) fn says(&mut self, bytes: &[u8]) -> Vec<u8> {
        for payload in bytes.chunks(60) {
            self.machine.receive(payload, self.now);
        }
        self.sent()
    }

    /// The meter says this, a report each `pace` milliseconds; returns all that is sent meanwhile.
    fn says_slowly(&mut self, bytes: &[u8], pace: u64) -> Vec<u8> {
        let mut sent = Vec::new();
        for payload in bytes.chunks(60) {
            let arrival = self.now + pace;
            sent.extend(self.sent());
            while let Step::Wait { until } = self.machine.poll(self.now)
                && until < arrival
            {
                self.now = until;
                sent.extend(self.sent());
            }
            self.now = arrival;
            self.machine.receive(payload, self.now);
        }
        sent.extend(self.sent());
        sent
    }

    /// Lets the wait of the machine pass and returns how long it was.
    pub(super) fn quiet(&mut self) -> u64 {
        match self.machine.poll(self.now) {
            Step::Wait { until } => {
                let waited = until - self.now;
                self.now = until;
                waited
            }
            other => panic!("expected a wait, got {other:?}"),
        }
    }

    /// Silence from the meter; returns how long, and what is sent then.
    pub(super) fn silence(&mut self) -> (u64, Vec<u8>) {
        let waited = self.quiet();
        (waited, self.sent())
    }

    fn is_over(&mut self) -> bool {
        self.machine.poll(self.now) == Step::Done
    }

    fn reasons(&self) -> Vec<Reason> {
        match self.machine.tally().assess() {
            Completeness::Complete => Vec::new(),
            Completeness::Incomplete(reasons) => reasons,
            Completeness::Failed => panic!("no header"),
        }
    }

    /// Positions of the collected results.
    fn results(&mut self) -> Vec<u32> {
        let kept = self.machine.take_collection().kept;
        let number = |kept: &Kept| match &kept.record {
            crate::protocol::record::Record::Result(result) => result.number,
            _ => None,
        };
        kept.iter().filter_map(number).collect()
    }

    /// Ends a read that gave up: silence, EOT, and the meter's EOT.
    fn hangs_up(&mut self) {
        assert_eq!(self.silence(), (1_000, vec![EOT]));
        assert_eq!(self.says(&[EOT]), NOTHING);
        assert_eq!(self.silence(), (300, vec![]));
        assert!(self.is_over());
    }
}

fn header(results: u32) -> String {
    samples::HEADER_7390.replace("|3|||||P|", &format!("|{results}|||||P|"))
}

pub(super) fn frame(number: u8, text: &str) -> Vec<u8> {
    encode(number, format!("{text}\r").as_bytes(), FrameEnd::Etb)
}

pub(super) fn last(number: u8, text: &str) -> Vec<u8> {
    encode(number, format!("{text}\r").as_bytes(), FrameEnd::Etx)
}

fn result(number: u8, position: u32) -> Vec<u8> {
    frame(
        number,
        &format!("R|{position}|^^^Glucose|93|mg/dL^P||||202605301805"),
    )
}

fn bad(mut frame: Vec<u8>) -> Vec<u8> {
    frame[4] ^= 1;
    frame
}

/// EOT, the first header, ENQ: one message of a Contour USB.
fn opening(results: u32) -> Vec<u8> {
    let first = header(results).replace("|P|1|", "||1|");
    [&[EOT][..], &frame(1, &first), &[ENQ]].concat()
}
