//! Cancellation: one flag for the whole run, and one per operation below it.

use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Why work was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The user or the system asked: Ctrl-C, termination.
    Interrupted,
    /// It took longer than it may.
    Deadline,
}

type Hook = Box<dyn Fn() + Send + Sync>;

#[derive(Default)]
struct Shared {
    reason: AtomicU8,
    shields: AtomicUsize,
    hooks: Mutex<Vec<Hook>>,
    wake: (Mutex<()>, Condvar),
}

impl Shared {
    fn reason(&self) -> Option<Reason> {
        match self.reason.load(Ordering::SeqCst) {
            0 => None,
            1 => Some(Reason::Interrupted),
            _ => Some(Reason::Deadline),
        }
    }
}

/// Work that must not be cut off halfway, until this is dropped.
#[must_use]
pub struct Shield(Cancel);

impl Drop for Shield {
    fn drop(&mut self) {
        self.0.shared.shields.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A meter that would be left in the middle of a conversation, until this is dropped.
#[must_use]
pub struct Talk(Arc<AtomicUsize>);

impl Drop for Talk {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A flag that is set once; clones share it.
#[derive(Clone, Default)]
pub struct Cancel {
    shared: Arc<Shared>,
    /// Conversations with meters, of the whole family of flags.
    talks: Arc<AtomicUsize>,
}

impl Cancel {
    /// A flag that is not set.
    pub fn new() -> Self {
        Self::default()
    }

    /// A flag that is also set when this one is.
    #[must_use]
    pub fn child(&self) -> Self {
        let child = Self {
            shared: Arc::default(),
            talks: self.talks.clone(),
        };
        let heir = child.clone();
        self.on_set(move |reason| heir.set(reason));
        child
    }

    /// Sets the flag and wakes whoever waits; the first reason stays.
    pub fn set(&self, reason: Reason) {
        let code = match reason {
            Reason::Interrupted => 1,
            Reason::Deadline => 2,
        };
        let first =
            self.shared
                .reason
                .compare_exchange(0, code, Ordering::SeqCst, Ordering::SeqCst);
        if first.is_ok() {
            drop(self.shared.wake.0.lock());
            self.shared.wake.1.notify_all();
            for hook in self
                .shared
                .hooks
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .iter()
            {
                hook();
            }
        }
    }

    /// Why it was set, if it was.
    pub fn reason(&self) -> Option<Reason> {
        self.shared.reason()
    }

    /// Whether it was set.
    pub fn is_set(&self) -> bool {
        self.reason().is_some()
    }

    /// Begins work that must not be cut off halfway, whoever is in a hurry.
    pub fn shield(&self) -> Shield {
        self.shared.shields.fetch_add(1, Ordering::SeqCst);
        Shield(self.clone())
    }

    /// Begins a conversation with a meter; parents and children know of it.
    pub fn talk(&self) -> Talk {
        self.talks.fetch_add(1, Ordering::SeqCst);
        Talk(self.talks.clone())
    }

    /// Whether there is a conversation with a meter.
    pub fn is_talking(&self) -> bool {
        self.talks.load(Ordering::SeqCst) > 0
    }

    /// Whether there is work that must not be cut off halfway.
    pub fn is_shielded(&self) -> bool {
        self.shared.shields.load(Ordering::SeqCst) > 0
    }

    /// Runs `hook` when the flag is set, or now if it is.
    pub fn on_set(&self, hook: impl Fn(Reason) + Send + Sync + 'static) {
        let weak = Arc::downgrade(&self.shared);
        let call = move || {
            if let Some(reason) = weak.upgrade().and_then(|shared| shared.reason()) {
                hook(reason);
            }
        };
        let mut hooks = self
            .shared
            .hooks
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if self.is_set() {
            drop(hooks);
            call();
        } else {
            hooks.push(Box::new(call));
        }
    }

    /// Waits until the flag is set, at most `limit`; true if it is set.
    pub fn wait(&self, limit: Duration) -> bool {
        let guard = self
            .shared
            .wake
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .shared
            .wake
            .1
            .wait_timeout_while(guard, limit, |()| !self.is_set());
        drop(waited);
        self.is_set()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_reason_stays_and_reaches_children() {
        let run = Cancel::new();
        let before = run.child();
        run.set(Reason::Interrupted);
        run.set(Reason::Deadline);
        let after = run.child();
        for flag in [run, before, after] {
            assert_eq!(flag.reason(), Some(Reason::Interrupted));
        }
    }

    #[test]
    fn shields_are_up_until_the_last_is_dropped() {
        let run = Cancel::new();
        let (one, two) = (run.shield(), run.shield());
        drop(one);
        assert!(run.is_shielded());
        drop(two);
        assert!(!run.is_shielded());
    }

    #[test]
    fn a_family_knows_whether_one_of_it_talks() {
        let run = Cancel::new();
        let (one, other) = (run.child(), run.child().child());
        let (talk, more) = (one.talk(), other.talk());
        drop(talk);
        assert!(run.is_talking() && one.is_talking());
        drop(more);
        assert!(!run.is_talking());
    }

    #[test]
    fn a_child_does_not_stop_its_parent() {
        let run = Cancel::new();
        run.child().set(Reason::Deadline);
        assert!(!run.is_set());
    }

    #[test]
    fn waiting_ends_when_the_flag_is_set() {
        let flag = Cancel::new();
        let other = flag.clone();
        let waiter = std::thread::spawn(move || other.wait(Duration::from_secs(60)));
        flag.set(Reason::Interrupted);
        assert!(waiter.join().unwrap());
        assert!(!Cancel::new().wait(Duration::from_millis(1)));
    }
}
