//! Reports on their way to the host, each with the virtual time it becomes readable.

use std::collections::VecDeque;

use crate::frame::{METER_PREFIX, PAYLOAD_MAX, report};
use crate::meter::REPORT_SIZE;

/// Unread reports kept, as many as the Linux kernel keeps for a hidraw reader.
pub(crate) const CAPACITY: usize = 64;
/// Time between two reports of one message.
const REPORT_INTERVAL_MS: u64 = 1;

/// One waiting report.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parcel {
    /// Virtual time from which the host can read it.
    pub(crate) ready_at: u64,
    /// The bytes.
    pub(crate) report: [u8; REPORT_SIZE],
    /// It completes a frame.
    pub(crate) ends_frame: bool,
}

/// The waiting reports, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    queue: VecDeque<Parcel>,
    lost: u64,
}

impl Outbox {
    /// Cuts a message into reports; `frame` marks the end of a frame.
    pub(crate) fn push_message(&mut self, message: &[u8], at: u64, frame: bool) {
        let mut left = message.chunks(PAYLOAD_MAX).count();
        for chunk in message.chunks(PAYLOAD_MAX) {
            left -= 1;
            self.push_report(report(METER_PREFIX, chunk), at, frame && left == 0);
        }
    }

    /// Appends one report; it is lost when the host left too many unread.
    pub(crate) fn push_report(&mut self, report: [u8; REPORT_SIZE], at: u64, ends_frame: bool) {
        if self.queue.len() >= CAPACITY {
            self.lost += 1;
            return;
        }
        let follows = self
            .queue
            .back()
            .map_or(0, |last| last.ready_at + REPORT_INTERVAL_MS);
        self.queue.push_back(Parcel {
            ready_at: at.max(follows),
            report,
            ends_frame,
        });
    }

    /// Time the oldest report becomes readable.
    pub(crate) fn ready_at(&self) -> Option<u64> {
        self.queue.front().map(|parcel| parcel.ready_at)
    }

    /// Time the newest report becomes readable.
    pub(crate) fn last_at(&self) -> Option<u64> {
        self.queue.back().map(|parcel| parcel.ready_at)
    }

    /// Takes the oldest report.
    pub(crate) fn pop(&mut self) -> Option<Parcel> {
        self.queue.pop_front()
    }

    /// Forgets everything unread.
    pub(crate) fn clear(&mut self) {
        self.queue.clear();
    }

    /// Reports lost so far.
    pub(crate) fn lost(&self) -> u64 {
        self.lost
    }

    /// Unread reports.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.queue.len()
    }
}
