//! The file of an earlier run, read row by row in bounded memory.

use std::fs::{File, Metadata};
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::layout::{Found, Layout, RowKey, RowReader};
use crate::error::{Error, Result, Status};

/// Bytes read at once.
const BLOCK: usize = 256 * 1024;
/// Longest row: far beyond any, and a bound for memory.
const LONGEST_ROW: usize = 4 * 1024 * 1024;

/// A file and the row it is at.
pub(super) struct Earlier {
    file: File,
    path: PathBuf,
    kind: &'static str,
    reader: Box<dyn RowReader>,
    buffer: Vec<u8>,
    /// Where the row begins in `buffer`, and how long it is; 0 at the end of the file.
    at: usize,
    length: usize,
    /// Whether everything is in `buffer`.
    ended: bool,
    /// Line the row begins in.
    line: u64,
    key: RowKey,
    /// Of the row before.
    previous: RowKey,
}

impl Earlier {
    /// Opens a file at its first row; `None` when there is none, or nothing in it.
    ///
    /// # Errors
    /// When it cannot be read, or does not begin as the layout begins.
    pub(super) fn open<L: Layout>(
        file: File,
        path: &Path,
        layout: &mut L,
        reader: Box<dyn RowReader>,
    ) -> Result<Option<Self>> {
        let mut beginning = Vec::new();
        layout.begin(None, &mut beginning)?;
        let mut earlier = Self {
            file,
            path: path.to_owned(),
            kind: L::NAME,
            reader,
            buffer: Vec::new(),
            at: 0,
            length: 0,
            ended: false,
            line: 1,
            key: RowKey::default(),
            previous: RowKey::default(),
        };
        while !earlier.ended && earlier.buffer.len() < beginning.len().max(BLOCK) {
            earlier.fill()?;
        }
        if earlier.buffer.is_empty() {
            return Ok(None);
        }
        if !earlier.buffer.starts_with(&beginning) {
            let why = earlier.reader.explain(&earlier.buffer);
            return Err(earlier.odd(&why));
        }
        earlier.line += lines(&beginning);
        earlier.at = beginning.len();
        earlier.find()?;
        Ok(Some(earlier))
    }

    /// The row, with its end; empty at the end of the file.
    pub(super) fn row(&self) -> &[u8] {
        self.buffer
            .get(self.at..self.at + self.length)
            .unwrap_or_default()
    }

    /// Which reading the row is; `None` at the end of the file.
    pub(super) fn key(&self) -> Option<&RowKey> {
        (self.length > 0).then_some(&self.key)
    }

    /// Goes on to the next row.
    ///
    /// # Errors
    /// When the file cannot be read, or has no row there as the layout writes them.
    pub(super) fn advance(&mut self) -> Result<()> {
        self.line += lines(self.row());
        self.at += self.length;
        std::mem::swap(&mut self.key, &mut self.previous);
        self.find()
    }

    /// The same, where rows must be in order.
    ///
    /// # Errors
    /// As for [`Earlier::advance`], and when they are not.
    pub(super) fn advance_in_order(&mut self) -> Result<()> {
        self.advance()?;
        match self.key() {
            Some(key) if key.order() < self.previous.order() => {
                Err(self.odd("its rows are not in the order of `local_time`, then `record_key`"))
            }
            _ => Ok(()),
        }
    }

    fn find(&mut self) -> Result<()> {
        loop {
            let text = self.buffer.get(self.at..).unwrap_or_default();
            if text.is_empty() && self.ended {
                self.length = 0;
                return Ok(());
            }
            match self.reader.read(text, &mut self.key) {
                Found::Row(length) => {
                    self.length = length.clamp(1, text.len().max(1));
                    return Ok(());
                }
                Found::Part if self.ended => {
                    return Err(self.odd("its last line has no end"));
                }
                Found::Part if text.len() > LONGEST_ROW => {
                    return Err(self.odd("this row has no end"));
                }
                Found::Part => {}
                Found::Odd(why) => return Err(self.odd(why)),
            }
            self.buffer.drain(..self.at);
            self.at = 0;
            self.fill()?;
        }
    }

    /// Reads one more block.
    fn fill(&mut self) -> Result<()> {
        let before = self.buffer.len();
        self.buffer.resize(before + BLOCK, 0);
        let read = loop {
            match self.file.read(&mut self.buffer[before..]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        let read = read.map_err(|error| {
            let what = format!("cannot read {} file `{}`", self.kind, self.path.display());
            Error::file(what, &error)
        })?;
        self.buffer.truncate(before + read);
        self.ended = read == 0;
        Ok(())
    }

    fn odd(&self, why: &str) -> Error {
        let (kind, path, line) = (self.kind, self.path.display(), self.line);
        Error::new(
            Status::Precondition,
            format!(
                "cannot add to {kind} file `{path}`, which is not as this sink writes it: \
                 line {line}: {why}; move it away, or use `mode = \"replace\"`"
            ),
        )
    }
}

fn lines(text: &[u8]) -> u64 {
    text.iter().map(|&byte| u64::from(byte == b'\n')).sum()
}

/// What tells that a file was changed.
#[derive(PartialEq, Eq)]
pub(super) struct Stamp {
    bytes: u64,
    modified: Option<std::time::SystemTime>,
    #[cfg(unix)]
    inode: u64,
}

impl Stamp {
    /// The stamp of a file; `None` when there is none.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let metadata: Metadata = std::fs::metadata(path).ok()?;
        Some(Self {
            bytes: metadata.len(),
            modified: metadata.modified().ok(),
            #[cfg(unix)]
            inode: std::os::unix::fs::MetadataExt::ino(&metadata),
        })
    }
}
