//! The mass-storage interface: wrapped SCSI commands on the bulk endpoints (Bulk-Only 1.0).
//!
//! Where host and command disagree about the data, the device does what sections 6.6 and 6.7 say of
//! the thirteen cases: less data than expected is told by the residue, data that cannot be moved stall
//! the endpoint, and a disagreement about direction or room is a phase error.

use super::command_block::{Command, Data, STATUS_SIZE, Verdict, status};
use super::control::Setup;
use super::{Ended, HURRY_MS, PACKET};
use crate::audit::Audit;
use crate::meter::Unplugged;
use crate::scsi::{ScsiMeter, ScsiOutcome, ScsiTransfer};

/// Class requests.
const GET_MAX_LUN: u8 = 0xFE;
const RESET: u8 = 0xFF;

/// Where a command is.
#[derive(Debug)]
enum Phase {
    /// The next command is awaited.
    Command,
    /// Data from the host are awaited, so many of them.
    DataOut {
        command: Command,
        taken: Vec<u8>,
        most: usize,
    },
    /// Data for the host are left.
    DataIn {
        left: Vec<u8>,
        status: [u8; STATUS_SIZE],
    },
    /// The status waits for the host.
    Status([u8; STATUS_SIZE]),
    /// Nothing goes until the host resets the interface.
    Broken,
}

/// An endpoint of the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pipe {
    /// To the host.
    In,
    /// From the host.
    Out,
}

/// A mass-storage interface.
pub(super) struct BulkOnly {
    units: Vec<Box<dyn ScsiMeter>>,
    phase: Phase,
    halted_in: bool,
    halted_out: bool,
    /// Time until the next answer is ready.
    busy_ms: u32,
    /// Broken rules of the link.
    rules: Audit,
}

impl BulkOnly {
    /// The interface of these logical units; at least one.
    pub(super) fn new(units: Vec<Box<dyn ScsiMeter>>) -> Self {
        Self {
            units,
            phase: Phase::Command,
            halted_in: false,
            halted_out: false,
            busy_ms: 0,
            rules: Audit::default(),
        }
    }

    /// Answers a class request.
    pub(super) fn control(&mut self, setup: Setup) -> Ended {
        match (setup.request, setup.to_host, setup.value, setup.length) {
            (GET_MAX_LUN, true, 0, 1) => {
                let last = self.units.len().saturating_sub(1);
                Ended::Sent(vec![u8::try_from(last).unwrap_or(0)])
            }
            (RESET, false, 0, 0) => {
                self.reset();
                Ended::Took(0)
            }
            _ => Ended::Stalled,
        }
    }

    /// Forgets the command in hand; endpoints stay halted until the host clears them.
    pub(super) fn reset(&mut self) {
        self.phase = Phase::Command;
        self.busy_ms = 0;
        for unit in &mut self.units {
            unit.reset();
        }
    }

    /// Whether an endpoint is halted.
    pub(super) fn is_halted(&self, pipe: Pipe) -> bool {
        match pipe {
            Pipe::In => self.halted_in,
            Pipe::Out => self.halted_out,
        }
    }

    /// Halts or frees an endpoint; only a reset frees a broken interface.
    pub(super) fn set_halt(&mut self, pipe: Pipe, halt: bool) {
        let halt = halt || matches!(self.phase, Phase::Broken);
        match pipe {
            Pipe::In => self.halted_in = halt,
            Pipe::Out => self.halted_out = halt,
        }
    }

    /// Takes bytes from the host.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<Ended, Unplugged> {
        if self.halted_out {
            return Ok(Ended::Stalled);
        }
        match std::mem::replace(&mut self.phase, Phase::Broken) {
            Phase::Command => {
                let known = |command: &Command| usize::from(command.lun) < self.units.len();
                match Command::parse(bytes).filter(known) {
                    Some(command) => self.begin(command)?,
                    None => {
                        self.broken("sent something that is no command wrapper");
                        return Ok(Ended::Stalled);
                    }
                }
            }
            Phase::DataOut {
                command,
                mut taken,
                most,
            } => {
                let room = bytes.get(..most - taken.len());
                taken.extend_from_slice(room.unwrap_or(bytes));
                if taken.len() < most {
                    self.phase = Phase::DataOut {
                        command,
                        taken,
                        most,
                    };
                } else {
                    self.finish_out(&command, &taken)?;
                    if room.is_some_and(|room| room.len() < bytes.len()) {
                        self.halted_out = true;
                        return Ok(Ended::Stalled);
                    }
                }
            }
            Phase::DataIn { .. } | Phase::Status(_) | Phase::Broken => {
                self.broken("sent a command before the status of the last one was read");
                return Ok(Ended::Stalled);
            }
        }
        Ok(Ended::Took(bytes.len()))
    }

    /// Gives bytes to the host, if there are any by now.
    pub(super) fn give(&mut self, length: usize) -> Option<Ended> {
        if self.halted_in {
            return Some(Ended::Stalled);
        }
        if self.busy_ms > 0 {
            return None;
        }
        match std::mem::replace(&mut self.phase, Phase::Broken) {
            phase @ (Phase::Command | Phase::DataOut { .. }) => {
                self.phase = phase;
                None
            }
            Phase::DataIn { mut left, status } => {
                // The last packet would not fit.
                if left.len() > length && !length.is_multiple_of(PACKET.into()) {
                    self.broken("left too little room for the data");
                    return Some(Ended::Babble);
                }
                let rest = left.split_off(length.min(left.len()));
                self.phase = if rest.is_empty() {
                    Phase::Status(status)
                } else {
                    Phase::DataIn { left: rest, status }
                };
                Some(Ended::Sent(left))
            }
            Phase::Status(_) if length < STATUS_SIZE => {
                self.broken("left too little room for the status");
                Some(Ended::Babble)
            }
            Phase::Status(status) => {
                self.phase = Phase::Command;
                Some(Ended::Sent(status.to_vec()))
            }
            Phase::Broken => {
                self.halted_in = true;
                Some(Ended::Stalled)
            }
        }
    }

    /// Lets time go by.
    pub(super) fn pass(&mut self, elapsed_ms: u32) {
        self.busy_ms = self.busy_ms.saturating_sub(elapsed_ms);
        for unit in &mut self.units {
            unit.pass(elapsed_ms);
        }
    }

    /// Time until a waiting host may get an answer.
    pub(super) fn wait_ms(&self) -> Option<u32> {
        Some(self.busy_ms).filter(|busy| *busy > 0)
    }

    /// What the units noticed: the first one's audit, with the rules broken at the others and at the
    /// link.
    pub(super) fn audit(&self) -> Audit {
        let mut audits = self.units.iter().map(|unit| unit.audit());
        let mut audit = audits.next().unwrap_or_default();
        for other in audits.chain([self.rules.clone()]) {
            audit.take_violations(&other);
        }
        audit
    }

    fn broken(&mut self, rule: &str) {
        self.rules.violation(format!("Bulk-Only: {rule}"));
        self.stop();
    }

    /// Neither endpoint goes on until the host resets the interface.
    fn stop(&mut self) {
        self.phase = Phase::Broken;
        self.halted_in = true;
        self.halted_out = true;
    }

    /// Starts a command; the numbers are those of the thirteen cases.
    fn begin(&mut self, command: Command) -> Result<(), Unplugged> {
        match (command.data, command.wants()) {
            // 1
            (Data::None, Data::None) => {
                let outcome = self.run(&command, ScsiTransfer::None)?;
                self.ended(&command, &outcome, 0, Vec::new());
            }
            // 5, 6, and 4 where the unit has nothing to send
            (Data::In(length), Data::In(wanted)) if wanted <= length => {
                let mut buffer = vec![0; wanted];
                let outcome = self.run(&command, ScsiTransfer::In(&mut buffer))?;
                let unsent = usize::try_from(outcome.residue).unwrap_or(usize::MAX);
                buffer.truncate(wanted.saturating_sub(unsent));
                let residue = length - buffer.len();
                self.ended(&command, &outcome, residue, buffer);
            }
            // 4
            (Data::In(length), Data::None) => {
                let outcome = self.run(&command, ScsiTransfer::None)?;
                self.ended(&command, &outcome, length, Vec::new());
            }
            // 9
            (Data::Out(length), Data::None) => {
                let outcome = self.run(&command, ScsiTransfer::None)?;
                self.halted_out = true;
                self.ended(&command, &outcome, length, Vec::new());
            }
            // 11, 12
            (Data::Out(length), Data::Out(wanted)) if wanted <= length => {
                self.phase = Phase::DataOut {
                    command,
                    taken: Vec::new(),
                    most: wanted,
                };
            }
            // 2, 3, 7, 8, 10, 13
            (expected, _) => {
                self.rules
                    .violation("Bulk-Only: expected other data than the command has");
                let residue = match expected {
                    Data::None => 0,
                    Data::In(length) => {
                        self.halted_in = true;
                        length
                    }
                    Data::Out(length) => {
                        self.halted_out = true;
                        length
                    }
                };
                self.phase = Phase::Status(status(command.tag, residue, Verdict::PhaseError));
            }
        }
        Ok(())
    }

    /// Runs a command whose data are all there; what the host has beyond them is not taken.
    fn finish_out(&mut self, command: &Command, taken: &[u8]) -> Result<(), Unplugged> {
        let outcome = self.run(command, ScsiTransfer::Out(taken))?;
        let expected = match command.data {
            Data::Out(length) => length,
            Data::None | Data::In(_) => 0,
        };
        let refused = usize::try_from(outcome.residue).unwrap_or(usize::MAX);
        let beyond = expected - taken.len();
        self.halted_out |= beyond > 0;
        let residue = refused.min(taken.len()) + beyond;
        self.ended(command, &outcome, residue, Vec::new());
        Ok(())
    }

    fn run(&mut self, command: &Command, data: ScsiTransfer<'_>) -> Result<ScsiOutcome, Unplugged> {
        let unit = self.units.get_mut(usize::from(command.lun));
        let outcome = unit.ok_or(Unplugged)?.command(&command.cdb, data)?;
        if outcome.elapsed_ms > HURRY_MS {
            self.busy_ms = outcome.elapsed_ms;
        }
        Ok(outcome)
    }

    /// Data, then status, as the command ended.
    fn ended(&mut self, command: &Command, outcome: &ScsiOutcome, residue: usize, left: Vec<u8>) {
        if outcome.stalled {
            self.stop();
            return;
        }
        let verdict = match outcome.status {
            0 => Verdict::Good,
            _ => Verdict::Failed,
        };
        let status = status(command.tag, residue, verdict);
        if !left.is_empty() {
            self.phase = Phase::DataIn { left, status };
            return;
        }
        self.halted_in |= matches!(command.data, Data::In(_));
        self.phase = Phase::Status(status);
    }
}
