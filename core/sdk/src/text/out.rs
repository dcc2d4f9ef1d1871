//! Bytes on their way into a file, or only counted.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use crate::error::{Error, Result};
use crate::files::WholeFile;

/// Bytes gathered before they are written.
const ENOUGH: usize = 256 * 1024;

/// Bytes on their way.
pub(super) struct Out {
    to: To,
    name: &'static str,
    /// What is not written yet.
    pub(super) buffer: Vec<u8>,
    bytes: u64,
}

enum To {
    File(WholeFile),
    /// Nothing is to be written, but counted.
    Nowhere,
}

impl Out {
    /// A new file.
    ///
    /// # Errors
    /// When its folder cannot be written.
    pub(super) fn create(path: &Path, name: &'static str) -> Result<Self> {
        Ok(Self::new(To::File(WholeFile::create(path)?), name))
    }

    /// A count of bytes.
    pub(super) fn count(name: &'static str) -> Self {
        Self::new(To::Nowhere, name)
    }

    fn new(to: To, name: &'static str) -> Self {
        Self {
            to,
            name,
            buffer: Vec::new(),
            bytes: 0,
        }
    }

    /// What was written so far, to be read from its beginning; `None` when it was only counted.
    pub(super) fn reopen(&self) -> Option<io::Result<File>> {
        match &self.to {
            To::File(file) => Some(file.reopen()),
            To::Nowhere => None,
        }
    }

    /// Whether there is enough to be written.
    pub(super) fn is_full(&self) -> bool {
        self.buffer.len() >= ENOUGH
    }

    /// Writes what was gathered.
    ///
    /// # Errors
    /// When that fails; the message names the file.
    pub(super) fn flush(&mut self) -> Result<()> {
        self.bytes += self.buffer.len() as u64;
        if let To::File(file) = &mut self.to {
            file.write_all(&self.buffer)
                .map_err(|error| cannot_write(self.name, file.target(), &error))?;
        }
        self.buffer.clear();
        Ok(())
    }

    /// Gives the file its name; returns its size.
    ///
    /// # Errors
    /// When that fails; the message names the file.
    pub(super) fn finish(mut self) -> Result<u64> {
        self.flush()?;
        if let To::File(file) = self.to {
            file.commit()?;
        }
        Ok(self.bytes)
    }
}

fn cannot_write(name: &str, path: &Path, error: &io::Error) -> Error {
    Error::file(
        format!("cannot write {name} file `{}`", path.display()),
        error,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_the_file() {
        let error = io::Error::from_raw_os_error(28);
        let error = cannot_write("key", Path::new("out/readings.txt"), &error);
        assert_eq!((error.status, error.native), (crate::Status::Io, 28));
        let message = error.message;
        assert!(
            message.starts_with("cannot write key file `out/readings.txt`: "),
            "{message}"
        );
    }
}
