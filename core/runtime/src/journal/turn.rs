//! One delivery at a time: two runs that both deliver what is pending would send it twice.

use std::fs::{File, TryLockError};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::{Journal, place, trouble};
use crate::cancel::Cancel;
use crate::problem::{Code, Problem};

/// How often the lock is asked for; the system has no event for it.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// The right to deliver; ends when dropped, and with the process.
#[derive(Debug)]
pub struct Turn {
    _lock: Option<File>,
}

impl Journal {
    /// Waits until no other process delivers from this journal; calls `waiting` once when it has to.
    ///
    /// # Errors
    /// [`Code::JOURNAL_BUSY`] after `limit`, [`Code::INTERRUPTED`] when cancelled.
    pub fn turn(
        &self,
        cancel: &Cancel,
        limit: Duration,
        waiting: impl FnOnce(),
    ) -> Result<Turn, Problem> {
        let Some(path) = &self.file else {
            return Ok(Turn { _lock: None });
        };
        let mut name = path.clone().into_os_string();
        name.push(".lock");
        let beside = PathBuf::from(name);
        let unusable = |error: &std::io::Error| trouble::unreachable(&beside, error);
        let file = place::private_file(&beside).map_err(|error| unusable(&error))?;
        let until = Instant::now() + limit;
        let mut waiting = Some(waiting);
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Turn { _lock: Some(file) }),
                Err(TryLockError::Error(error)) => return Err(unusable(&error)),
                Err(TryLockError::WouldBlock) => {}
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(trouble::busy(path, limit.as_secs()));
            }
            if let Some(waiting) = waiting.take() {
                waiting();
            }
            if cancel.wait(left.min(ASK_AGAIN)) {
                let title = "interrupted while another glucopipe used the journal";
                return Err(Problem::error(Code::INTERRUPTED, title));
            }
        }
    }
}
