//! Standing still where a test wants it, without a clock.

use std::fs::{File, OpenOptions};
use std::path::PathBuf;

use glucopipe_sdk::schemars::JsonSchema;
use glucopipe_sdk::serde::Deserialize;

/// Two named pipes to meet the test at.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(crate = "glucopipe_sdk::serde", default)]
#[schemars(crate = "glucopipe_sdk::schemars")]
pub(crate) struct Waits {
    /// Opened for writing when the misdeed begins; the test opens it for reading.
    pub(crate) here: Option<PathBuf>,
    /// Opened for reading then; the test opens it for writing to let the misdeed end. Without it
    /// the misdeed never ends.
    pub(crate) until: Option<PathBuf>,
}

impl Waits {
    /// Meets the test, then waits for it, deaf to everything else.
    pub(crate) fn stand_still(&self) {
        if let Some(here) = &self.here {
            // Opening a pipe returns once the other end is open too.
            drop(OpenOptions::new().write(true).open(here));
        }
        match &self.until {
            Some(until) => drop(File::open(until)),
            None => loop {
                std::thread::park();
            },
        }
    }
}
