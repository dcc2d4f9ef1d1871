//! Plugin calls under a limit: one that does not stop when told to is abandoned with its thread.

use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use crate::cancel::{Cancel, Reason};

/// How a watched call ended.
pub(super) enum Ended<T> {
    /// It returned.
    Returned(T),
    /// It did not stop when told to; its thread goes on.
    Abandoned,
    /// The system gave no thread; its words.
    NotStarted(String),
}

/// Runs `work` in a thread of its own. After `limit` it is told to stop through `cancel`, and `grace` after
/// that, whoever told it, it is abandoned.
pub(super) fn watch<T: Send + 'static>(
    name: &str,
    cancel: &Cancel,
    limit: Duration,
    grace: Duration,
    work: impl FnOnce() -> T + Send + 'static,
) -> Ended<T> {
    let (sender, inbox) = channel();
    let waker = sender.clone();
    // Nobody listens any more once the call is over.
    cancel.on_set(move |_| drop(waker.send(None)));
    let spawned = thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || drop(sender.send(Some(work()))));
    if let Err(error) = spawned {
        return Ended::NotStarted(error.to_string());
    }
    let mut until = Instant::now() + limit;
    let mut told = false;
    loop {
        match inbox.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(Some(returned)) => return Ended::Returned(returned),
            Ok(None) if told => {}
            Ok(None) => {
                told = true;
                until = Instant::now() + grace;
            }
            Err(_) if told => return Ended::Abandoned,
            Err(_) => cancel.set(Reason::Deadline),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn what_returns_is_returned() {
        let ended = watch("test", &Cancel::new(), LONG, LONG, || 7);
        assert!(matches!(ended, Ended::Returned(7)));
    }

    #[test]
    fn a_call_past_its_limit_is_told_and_may_still_return() {
        let cancel = Cancel::new();
        let told = cancel.clone();
        let ended = watch("test", &cancel, Duration::ZERO, LONG, move || {
            told.wait(LONG)
        });
        assert!(matches!(ended, Ended::Returned(true)));
        assert_eq!(cancel.reason(), Some(Reason::Deadline));
    }

    #[test]
    fn a_deaf_call_is_abandoned() {
        let (release, held) = channel::<()>();
        let deaf = move || held.recv().is_ok();
        let ended = watch("test", &Cancel::new(), Duration::ZERO, Duration::ZERO, deaf);
        assert!(matches!(ended, Ended::Abandoned));
        drop(release);
    }
}
