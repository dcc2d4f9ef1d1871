//! Ending the program as a power cut does, at a moment that dice choose.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::PATIENCE;

/// Chooses another seed for all dice, to look further.
const SEED: &str = "GLUCOPIPE_CRASH_SEED";

/// Random numbers that are the same in every run (SplitMix64).
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Dice for a test; `GLUCOPIPE_CRASH_SEED` chooses others.
    pub fn new(test: u64) -> Self {
        let seed = std::env::var(SEED).ok().and_then(|text| text.parse().ok());
        Self(seed.unwrap_or(1_u64) ^ (test << 32))
    }

    /// A number below.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut number = self.0;
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (number ^ (number >> 31)) % limit.max(1)
    }

    /// A share of a time.
    pub fn part_of(&mut self, time: Duration) -> Duration {
        Duration::from_nanos(self.below(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// When a program is ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// After so much time.
    After(Duration),
    /// So much time after it has begun a temporary file in the folder.
    Begun(Duration),
    /// As soon as a file has been put in the place of the one that is there.
    Replaced,
    /// So much time after it has made the file, or the folder, that was not there.
    Made(Duration),
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It was killed.
    Killed,
    /// It had ended before.
    Finished,
}

/// Starts a command and kills it at a moment; `file` is the one it writes.
///
/// # Panics
/// When it does not start, or the moment does not come and it does not end.
pub fn kill_at(command: &mut Command, file: &Path, moment: Moment) -> End {
    let before = identity(file);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    let folder = file.parent().expect("a file in a folder");
    let left = match moment {
        Moment::After(time) => time,
        Moment::Begun(time) => {
            until(&mut child, || has_temporary(folder));
            time
        }
        Moment::Replaced => {
            until(&mut child, || identity(file) != before);
            Duration::ZERO
        }
        Moment::Made(time) => {
            until(&mut child, || file.exists());
            time
        }
    };
    wait(left);
    let ended = child.try_wait().expect("the child can be asked").is_some();
    // Fails only when it has ended in between.
    let _ = child.kill();
    let status = child.wait().expect("the child can be waited for");
    if ended || status.code().is_some() {
        End::Finished
    } else {
        End::Killed
    }
}

/// Whether a folder has a temporary file of the program.
pub fn has_temporary(folder: &Path) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .any(|name| name.starts_with(".glucopipe-"))
}

/// What a file in the same place no longer has.
fn identity(file: &Path) -> Option<u64> {
    let metadata = fs::metadata(file).ok()?;
    Some(std::os::unix::fs::MetadataExt::ino(&metadata))
}

/// Looks until something is so, or the child has ended.
fn until(child: &mut Child, so: impl Fn() -> bool) {
    let started = Instant::now();
    while !so() && child.try_wait().expect("the child can be asked").is_none() {
        assert!(started.elapsed() < PATIENCE, "the moment does not come");
        thread::yield_now();
    }
}

/// Lets time pass: the moment is the point of the test, and nothing depends on how long it takes.
fn wait(time: Duration) {
    let (_sender, never) = channel::<()>();
    assert_eq!(never.recv_timeout(time), Err(RecvTimeoutError::Timeout));
}
