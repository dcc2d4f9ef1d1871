//! What a virtual meter noticed of the host.

use crate::civil::LocalTime;

/// Violations listed before the rest is only counted.
const LISTED_VIOLATIONS: usize = 100;

/// Observations of one meter from its creation on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// A session is running: the host has to bring it to an end before it leaves.
    pub session_open: bool,
    /// Broken rules in the order they were noticed; at most 100 are kept.
    pub violations: Vec<String>,
    /// Violations beyond those listed.
    pub unlisted_violations: u64,
    /// Frames put on the wire, repeats included.
    pub frames_sent: u64,
    /// Frames sent again after a NAK, a timeout or by a fault.
    pub repeats: u64,
    /// ACK bytes received.
    pub acks: u64,
    /// NAK bytes received.
    pub naks: u64,
    /// Reports received from the host.
    pub reports_received: u64,
    /// Reports read by the host.
    pub reports_read: u64,
    /// Reports lost because the host did not read.
    pub reports_lost: u64,
    /// Sessions in which the terminator was acknowledged.
    pub sessions_completed: u64,
    /// Sessions the host ended early with EOT.
    pub sessions_aborted: u64,
    /// Times the command mode was entered.
    pub command_sessions: u64,
    /// SCSI commands received.
    pub scsi_commands: u64,
    /// Request blocks received by the registers.
    pub requests: u64,
    /// Times the memory was erased.
    pub erasures: u64,
    /// Clock settings accepted, as the clock stood right after each; the newest eight.
    pub clock_settings: Vec<LocalTime>,
    /// What the clock shows now; `None` when there is none.
    pub clock: Option<LocalTime>,
}

impl Audit {
    /// Everything to object to at the end of a run: the violations and a session left open.
    pub fn complaints(&self) -> Vec<String> {
        let mut list = self.violations.clone();
        if self.unlisted_violations > 0 {
            list.push(format!("{} more violations", self.unlisted_violations));
        }
        if self.session_open {
            list.push("session left open".to_owned());
        }
        list
    }

    /// Adds the broken rules of another part of the same device.
    pub(crate) fn take_violations(&mut self, other: &Self) {
        for text in &other.violations {
            self.violation(text.as_str());
        }
        self.unlisted_violations += other.unlisted_violations;
    }

    /// Records a broken rule.
    pub(crate) fn violation(&mut self, text: impl Into<String>) {
        if self.violations.len() < LISTED_VIOLATIONS {
            self.violations.push(text.into());
        } else {
            self.unlisted_violations += 1;
        }
    }

    /// Records an accepted clock setting.
    pub(crate) fn clock_set(&mut self, time: LocalTime) {
        const KEPT: usize = 8;
        if self.clock_settings.len() == KEPT {
            self.clock_settings.remove(0);
        }
        self.clock_settings.push(time);
    }
}
