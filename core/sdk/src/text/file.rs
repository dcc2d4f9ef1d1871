//! The file of a text format: begun at the first reading, named at the commit.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;

use crate::error::{Error, Result, Status};
use crate::exporter::{CommitReport, Sink};
use crate::files::{WholeFile, check_target};
use crate::op::{Level, Op};
use crate::stream::Batches;

/// Rows formatted before they are written: a bound for memory whatever the batches, and often enough
/// to be cancelled.
const ROWS_PER_WRITE: usize = 4096;

/// A format: record batches in, bytes out, nothing else.
pub trait Layout: Send + 'static {
    /// What the file is called in messages, for example `CSV`.
    const NAME: &'static str;

    /// Appends what stands before all readings.
    fn begin(&self, out: &mut Vec<u8>);

    /// Appends readings and returns how many it appended.
    ///
    /// # Errors
    /// When the batch lacks a column or has it in another type.
    fn rows(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<u64>;

    /// What the log should say at the end about readings without a place in this format: how many, and
    /// why; never a reading.
    fn left_out(&self) -> Option<String> {
        None
    }
}

/// A file in the making: the sink of a [`Layout`], replaced whole.
pub struct TextFile<L> {
    path: PathBuf,
    layout: L,
    buffer: Vec<u8>,
    state: State,
    offered: u64,
    delivered: u64,
}

enum State {
    /// Nothing is on disk.
    Fresh,
    /// A temporary file with its beginning, and rows.
    Begun(WholeFile),
    /// Failed or committed: there is nothing to write to.
    Over,
}

impl<L: Layout> TextFile<L> {
    /// A sink that has not touched the disk.
    ///
    /// # Errors
    /// When the path is none of a file, on the key `path`.
    pub fn new(path: PathBuf, layout: L) -> Result<Self> {
        check_name(&path)?;
        Ok(Self {
            path,
            layout,
            buffer: Vec::new(),
            state: State::Fresh,
            offered: 0,
            delivered: 0,
        })
    }

    /// Whether the file could be written, for [`crate::exporter::Exporter::check`]; writes nothing.
    ///
    /// # Errors
    /// Names the folder that is in the way, and the reason.
    pub fn check(&self) -> Result<()> {
        check_target(&self.path)
    }

    /// The file, with its beginning; until it is put back the sink counts as failed.
    fn take_file(&mut self) -> Result<WholeFile> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Begun(file) => Ok(file),
            State::Fresh => {
                let mut file = WholeFile::create(&self.path)?;
                self.buffer.clear();
                self.layout.begin(&mut self.buffer);
                write_all::<L>(&mut file, &self.buffer)?;
                Ok(file)
            }
            State::Over => Err(Error::new(
                Status::Internal,
                format!(
                    "the {} file `{}` failed or is finished",
                    L::NAME,
                    self.path.display()
                ),
            )),
        }
    }

    /// Writes all readings; asks `tick`, with the rows written, whether to go on.
    fn write_readings(
        &mut self,
        readings: &mut dyn Batches,
        tick: &dyn Fn(u64) -> Result<()>,
    ) -> Result<()> {
        let mut file = self.take_file()?;
        tick(self.delivered)?;
        while let Some(batch) = readings.next_batch()? {
            for rows in slices(&batch) {
                self.buffer.clear();
                self.offered += rows.num_rows() as u64;
                self.delivered += self.layout.rows(&rows, &mut self.buffer)?;
                write_all::<L>(&mut file, &self.buffer)?;
                tick(self.delivered)?;
            }
        }
        self.state = State::Begun(file);
        Ok(())
    }

    fn finish(&mut self) -> Result<CommitReport> {
        let file = self.take_file()?;
        if self.delivered == 0 && file.target().exists() {
            // No reading is no reason to take away what is there.
            return Ok(CommitReport {
                left_out: self.offered,
                ..CommitReport::default()
            });
        }
        let bytes = file.bytes();
        file.commit()?;
        Ok(CommitReport {
            delivered: self.delivered,
            left_out: self.offered - self.delivered,
            bytes,
            targets: vec![self.path.display().to_string()],
            ..CommitReport::default()
        })
    }
}

impl<L: Layout> Sink for TextFile<L> {
    fn write(&mut self, op: &Op, readings: &mut dyn Batches) -> Result<()> {
        let step = format!("writing {}", L::NAME);
        self.write_readings(readings, &|rows| {
            op.progress(rows, 0, &step);
            op.check()
        })
    }

    fn commit(&mut self, op: &Op) -> Result<CommitReport> {
        op.check()?;
        let report = self.finish()?;
        if let Some(left_out) = self.layout.left_out() {
            op.log(Level::Info, "", &left_out);
        }
        Ok(report)
    }
}

/// Refuses what can be a folder alone.
fn check_name(path: &Path) -> Result<()> {
    let text = path.to_string_lossy();
    if text.is_empty() {
        return Err(Error::config("path", "got an empty path, expected a file"));
    }
    if path.is_dir() || path.file_name().is_none() || text.ends_with(std::path::is_separator) {
        return Err(Error::config(
            "path",
            format!("`{text}` is a folder, expected a file"),
        ));
    }
    Ok(())
}

fn slices(batch: &RecordBatch) -> impl Iterator<Item = RecordBatch> {
    let rows = batch.num_rows();
    (0..rows)
        .step_by(ROWS_PER_WRITE)
        .map(move |start| batch.slice(start, ROWS_PER_WRITE.min(rows - start)))
}

fn write_all<L: Layout>(file: &mut WholeFile, bytes: &[u8]) -> Result<()> {
    file.write_all(bytes)
        .map_err(|error| cannot_write::<L>(file.target(), &error))
}

fn cannot_write<L: Layout>(path: &Path, error: &std::io::Error) -> Error {
    Error::file(
        format!("cannot write {} file `{}`", L::NAME, path.display()),
        error,
    )
}

#[cfg(test)]
mod tests;
