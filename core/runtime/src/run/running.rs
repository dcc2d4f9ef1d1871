//! Deadlines of the threads of a run: when they are told to stop, and when they are given up.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::cancel::{Cancel, Reason};

/// How long plugins may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// To stop after being told to: a meter is left in order within 12 s.
    pub grace: Duration,
    /// To transform one read, which is in memory and needs no meter and no network.
    pub transform: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            grace: Duration::from_secs(15),
            transform: Duration::from_secs(300),
        }
    }
}

/// A thread that is being waited for.
pub(super) struct Running<J> {
    pub(super) job: Arc<J>,
    cancel: Cancel,
    /// When it is told to stop; `None` while it only waits.
    pub(super) deadline: Option<Instant>,
    /// When it is given up after that.
    give_up: Option<Instant>,
    pub(super) done: bool,
}

impl<J> Running<J> {
    /// A thread that works on `job`.
    pub(super) fn new(job: Arc<J>, cancel: Cancel, deadline: Option<Instant>) -> Self {
        Self {
            job,
            cancel,
            deadline,
            give_up: None,
            done: false,
        }
    }

    /// When something must happen to it.
    pub(super) fn due(&self) -> Option<Instant> {
        if self.done {
            None
        } else {
            self.give_up.or(self.deadline)
        }
    }

    /// Tells it to stop when its time is over; true once it must be given up.
    pub(super) fn expire(&mut self, now: Instant, run: &Cancel, grace: Duration) -> bool {
        if self.done {
            return false;
        }
        // The event of a cancellation may be here before the cancellation has reached the child, and
        // there will not be another event.
        if let Some(reason) = run.reason() {
            self.cancel.set(reason);
        }
        if self.give_up.is_none() && self.deadline.is_some_and(|deadline| deadline <= now) {
            self.cancel.set(Reason::Deadline);
        }
        if self.give_up.is_none() && self.cancel.is_set() {
            self.give_up = Some(now + grace);
        }
        self.give_up.is_some_and(|give_up| give_up <= now)
    }
}
