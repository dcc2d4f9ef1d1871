//! What the kernel says while a device is plugged in.

use std::fs::File;
use std::io::{Read, Result, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::{Mutex, PoisonError};

use rustix::fs::OFlags;

/// Its node; each read gives one record.
const NODE: &str = "/dev/kmsg";
/// Longest record.
const RECORD: usize = 8192;

/// The kernel's log from a moment on.
#[derive(Debug)]
pub(crate) struct KernelLog(Mutex<Records>);

#[derive(Debug)]
struct Records {
    node: File,
    records: Vec<String>,
}

impl KernelLog {
    /// The log from now on.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn from_now() -> Result<Self> {
        let flags = OFlags::NONBLOCK.bits().cast_signed();
        let mut node = File::options().read(true).custom_flags(flags).open(NODE)?;
        node.seek(SeekFrom::End(0))?;
        let records = Vec::new();
        Ok(Self(Mutex::new(Records { node, records })))
    }

    /// Whether one of its records has these words.
    pub(crate) fn has(&self, words: &str) -> bool {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut record = vec![0; RECORD];
        // Nothing more, or records that were written over: the next look goes on after them.
        while let Ok(length) = log.node.read(&mut record) {
            let said = String::from_utf8_lossy(record.get(..length).unwrap_or_default());
            log.records.push(said.into_owned());
        }
        log.records.iter().any(|record| record.contains(words))
    }
}
