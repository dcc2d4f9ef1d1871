//! One program at a time talks to a device: two would take each other's answers for their own.

use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::link::{LinkContext, LinkError};

/// How long another program is waited for; most conversations are shorter.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);
/// How often the lock is asked for, and whether to go on.
const SLICE: Duration = Duration::from_millis(50);

/// A lock on a file or folder that all ways to a device share. It keeps programs like this one apart; the
/// system gives it back when a program ends, however it ends.
#[derive(Debug)]
pub struct Hold {
    _place: File,
}

impl Hold {
    /// Waits for the lock, at most `patience`.
    ///
    /// # Errors
    /// [`LinkError::Busy`] when another program keeps it, [`LinkError::Lost`] when the place has gone.
    pub fn take(
        context: &LinkContext<'_>,
        place: &Path,
        patience: Duration,
    ) -> Result<Self, LinkError> {
        let place = File::open(place).map_err(|error| match error.kind() {
            ErrorKind::NotFound => LinkError::Lost,
            _ => error.into(),
        })?;
        let until = Instant::now() + patience;
        loop {
            match place.try_lock() {
                Ok(()) => return Ok(Self { _place: place }),
                Err(TryLockError::Error(error)) => return Err(error.into()),
                Err(TryLockError::WouldBlock) if !(context.go_on)() => {
                    return Err(LinkError::Cancelled);
                }
                Err(TryLockError::WouldBlock) if Instant::now() >= until => {
                    return Err(LinkError::Busy);
                }
                // Nothing tells when a lock is free.
                Err(TryLockError::WouldBlock) => thread::park_timeout(SLICE),
            }
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::cancel::Cancel;
    use crate::clock::{Clock, OperationTime};

    const LONG: Duration = Duration::from_secs(60);

    fn take(place: &Path, patience: Duration, go_on: bool) -> Result<Hold, LinkError> {
        let (time, cancel) = (OperationTime::start(Clock::System), Cancel::new());
        let context = LinkContext {
            time: &time,
            cancel: &cancel,
            go_on: &|| go_on,
            closing: false,
        };
        Hold::take(&context, place, patience)
    }

    #[test]
    fn a_second_program_waits_and_then_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let first = take(folder.path(), Duration::ZERO, true).unwrap();
        let busy = take(folder.path(), Duration::ZERO, true);
        assert_eq!(busy.unwrap_err(), LinkError::Busy);
        let stopped = take(folder.path(), LONG, false);
        assert_eq!(stopped.unwrap_err(), LinkError::Cancelled);
        let place = folder.path().to_owned();
        let waiting = thread::spawn(move || take(&place, LONG, true).is_ok());
        drop(first);
        assert!(waiting.join().unwrap());
    }

    #[test]
    fn a_place_that_has_gone_is_a_device_that_has() {
        let folder = tempfile::tempdir().unwrap();
        let gone = take(&folder.path().join("1-4"), LONG, true);
        assert_eq!(gone.unwrap_err(), LinkError::Lost);
    }

    /// What the lock is for: the files of the kernel's own file system take one.
    #[test]
    fn folders_of_sysfs_can_be_locked() {
        let place = Path::new("/sys/devices/virtual/mem/full");
        let first = take(place, LONG, true).unwrap();
        let busy = take(place, Duration::ZERO, true);
        assert_eq!(busy.unwrap_err(), LinkError::Busy);
        drop(first);
    }
}
