//! Where there are no processes for plugins yet.

use std::fs::File;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use glucopipe_sdk::{Error, Status};

use super::child::Say;
use crate::cancel::Cancel;

/// Takes nothing from a command here.
pub(crate) fn cleaned(command: &mut Command) -> &mut Command {
    command
}

/// How a process with a plugin ended, in words that follow its name.
pub(crate) fn ended(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("ended itself with exit code {code}"),
        None => "ended".to_owned(),
    }
}

/// A process that cannot be.
pub(super) enum Process {}

impl Process {
    /// Says that there is none.
    ///
    /// # Errors
    /// Always.
    pub(super) fn start(
        _program: &Path,
        _library: &File,
        _cancel: Option<Cancel>,
        _limit: Option<Duration>,
        _say: Say,
    ) -> Result<Self, Error> {
        Err(Error::new(
            Status::Unsupported,
            "plugins cannot have a process of their own on this system yet",
        ))
    }

    pub(super) fn begin(&mut self) {
        match *self {}
    }

    pub(super) fn limit(&mut self, _limit: Duration) {
        match *self {}
    }

    pub(super) fn send(&mut self, _frame: &[u8]) -> Result<(), Error> {
        match *self {}
    }

    pub(super) fn receive(&mut self) -> Result<Vec<u8>, Error> {
        match *self {}
    }

    pub(super) fn has_printed(&mut self) -> bool {
        match *self {}
    }
}
