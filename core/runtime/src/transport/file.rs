//! A plain file as a device: the export of a meter that shows itself as a disk.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use glucopipe_sdk::link::Kind;

use super::link::{Link, LinkContext, LinkError};

/// An open file, read only.
pub struct FileLink {
    file: File,
}

impl FileLink {
    /// Opens a regular file.
    ///
    /// # Errors
    /// The operating system's words.
    pub fn open(path: &Path) -> Result<Self, LinkError> {
        let file = File::open(path)?;
        let regular = file.metadata().is_ok_and(|metadata| metadata.is_file());
        if regular {
            Ok(Self { file })
        } else {
            Err(LinkError::Io("not a regular file".into()))
        }
    }
}

impl Link for FileLink {
    fn kind(&self) -> Kind {
        Kind::File
    }

    fn read(
        &mut self,
        _context: &LinkContext<'_>,
        _wait_ms: u32,
        buffer: &mut [u8],
    ) -> Result<usize, LinkError> {
        loop {
            match self.file.read(buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                outcome => return Ok(outcome?),
            }
        }
    }

    fn write(&mut self, _context: &LinkContext<'_>, _bytes: &[u8]) -> Result<(), LinkError> {
        Err(LinkError::Unsupported)
    }
}
