//! One file: begun at the first reading, named at the commit. Without readings nothing is written, unless they are
//! left out on purpose.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use glucopipe_sdk::arrow::array::RecordBatch;
use glucopipe_sdk::arrow::datatypes::Schema;
use glucopipe_sdk::batch::slices;
use glucopipe_sdk::exporter::{CommitReport, Preview, Sink};
use glucopipe_sdk::files::{WholeFile, check_target};
use glucopipe_sdk::stream::Batches;
use glucopipe_sdk::{Error, Op, Result, Status, schema};
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;

use crate::encode::{self, Format, ROWS_PER_GROUP};

/// Rows encoded at once, so that a long batch can be cancelled.
pub(crate) const ROWS_PER_WRITE: usize = 8192;

/// A Parquet file in the making.
pub(crate) struct FileSink {
    target: PathBuf,
    state: State,
    delivered: u64,
    /// Only count.
    dry: bool,
}

enum State {
    /// Nothing is on disk.
    Fresh,
    /// A temporary file with readings.
    Begun(Box<Part>),
    /// Failed or committed: there is nothing to write to.
    Over,
}

impl FileSink {
    /// A sink that has not touched the disk.
    pub(crate) fn new(target: PathBuf) -> Self {
        Self {
            target,
            state: State::Fresh,
            delivered: 0,
            dry: false,
        }
    }

    /// Writes all readings; asks `tick`, with the rows written, whether to go on.
    fn write_readings(
        &mut self,
        readings: &mut dyn Batches,
        tick: &dyn Fn(u64) -> Result<()>,
    ) -> Result<()> {
        // Until it is put back the sink counts as failed.
        let mut part = match std::mem::replace(&mut self.state, State::Over) {
            State::Fresh => None,
            State::Begun(part) => Some(part),
            State::Over => return Err(self.over()),
        };
        tick(self.delivered)?;
        while let Some(batch) = readings.next_batch()? {
            for rows in slices(&batch, ROWS_PER_WRITE) {
                let mut open = match part.take() {
                    Some(part) => part,
                    None => Box::new(self.begin(&readings.schema())?),
                };
                open.write(&rows)?;
                part = Some(open);
                self.delivered += rows.num_rows() as u64;
                tick(self.delivered)?;
            }
        }
        if part.is_none() && schema::is_emptied(&readings.schema()) {
            part = Some(Box::new(self.begin(&readings.schema())?));
        }
        self.state = match part {
            None => State::Fresh,
            Some(mut part) => {
                part.end_group()?;
                State::Begun(part)
            }
        };
        Ok(())
    }

    fn begin(&self, stream: &Schema) -> Result<Part> {
        let to = match self.dry {
            true => To::Nowhere(0),
            false => To::File(WholeFile::create(&self.target)?),
        };
        Part::create(to, self.target.clone(), stream)
    }

    fn finish(&mut self) -> Result<CommitReport> {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Fresh => Ok(CommitReport::default()),
            State::Begun(part) => {
                let target = part.target.display().to_string();
                Ok(CommitReport {
                    delivered: self.delivered,
                    bytes: part.finish()?,
                    targets: vec![target],
                    ..CommitReport::default()
                })
            }
            State::Over => Err(self.over()),
        }
    }

    fn over(&self) -> Error {
        let file = self.target.display();
        let message = format!("the Parquet file `{file}` failed or is finished");
        Error::new(Status::Internal, message)
    }
}

impl Sink for FileSink {
    fn write(&mut self, op: &Op, readings: &mut dyn Batches) -> Result<()> {
        self.write_readings(readings, &|rows| {
            op.progress(rows, 0, "writing Parquet");
            op.check()
        })
    }

    fn commit(&mut self, op: &Op) -> Result<CommitReport> {
        op.check()?;
        self.finish()
    }
}

/// The file in the making.
struct Part {
    target: PathBuf,
    format: Format,
    writer: ArrowWriter<To>,
}

/// Where its bytes go.
enum To {
    File(WholeFile),
    /// They are only counted.
    Nowhere(u64),
}

impl Write for To {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.write(bytes),
            Self::Nowhere(count) => {
                *count += bytes.len() as u64;
                Ok(bytes.len())
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(file) => file.flush(),
            Self::Nowhere(_) => Ok(()),
        }
    }
}

impl Part {
    fn create(to: To, target: PathBuf, stream: &Schema) -> Result<Self> {
        let format = Format::new(stream, &[]);
        let writer = format
            .begin(to, ROWS_PER_GROUP)
            .map_err(|error| cannot_write(&target, &error))?;
        Ok(Self {
            target,
            format,
            writer,
        })
    }

    fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        let rows = self.format.project(&encode::arranged(rows)?)?;
        self.writer
            .write(&rows)
            .map_err(|error| cannot_write(&self.target, &error))
    }

    /// Ends the row group: each is sorted in itself, and two writes need not be.
    fn end_group(&mut self) -> Result<()> {
        self.writer
            .flush()
            .map_err(|error| cannot_write(&self.target, &error))
    }

    /// Makes the file visible and tells its size.
    fn finish(self) -> Result<u64> {
        let Self { target, writer, .. } = self;
        let to = writer
            .into_inner()
            .map_err(|error| cannot_write(&target, &error))?;
        match to {
            To::File(file) => {
                let bytes = file.bytes();
                file.commit()?;
                Ok(bytes)
            }
            To::Nowhere(bytes) => Ok(bytes),
        }
    }
}

/// What replacing a file by these readings would do.
///
/// # Errors
/// When it cannot be written, and when the stream ends in one.
pub(crate) fn preview(op: &Op, target: &Path, readings: &mut dyn Batches) -> Result<Preview> {
    check_target(target)?;
    let emptied = schema::is_emptied(&readings.schema());
    let mut sink = FileSink::new(target.to_owned());
    sink.dry = true;
    sink.write(op, readings)?;
    let report = sink.finish()?;
    let mut lines = Vec::new();
    if report.delivered > 0 || emptied {
        let does = if target.exists() { "replace" } else { "make" };
        let readings = match report.delivered {
            1 => "1 reading".to_owned(),
            readings => format!("{readings} readings"),
        };
        let (shown, bytes) = (target.display(), report.bytes);
        lines.push(format!("would {does} {shown}: {readings}; {bytes} bytes"));
    }
    Ok(Preview { report, lines })
}

fn cannot_write(target: &Path, error: &ParquetError) -> Error {
    let what = format!("cannot write Parquet file `{}`", target.display());
    encode::failed(&what, error)
}

#[cfg(test)]
mod tests;
