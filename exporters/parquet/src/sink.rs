//! The file: begun at the first reading, named at the commit. Without readings nothing is written.

use std::path::{Path, PathBuf};

use glucopipe_sdk::arrow::array::RecordBatch;
use glucopipe_sdk::arrow::datatypes::Schema;
use glucopipe_sdk::exporter::{CommitReport, Sink};
use glucopipe_sdk::files::WholeFile;
use glucopipe_sdk::schema;
use glucopipe_sdk::stream::Batches;
use glucopipe_sdk::{Error, Op, Result, Status};
use parquet::arrow::ArrowWriter;
use parquet::errors::ParquetError;

use crate::encode;
use crate::layout::Layout;

/// Rows encoded at once, so that a long batch can be cancelled.
const ROWS_PER_WRITE: usize = 8192;

/// A Parquet file in the making.
pub struct ParquetSink {
    layout: Layout,
    state: State,
    delivered: u64,
}

enum State {
    /// Nothing is on disk.
    Fresh,
    /// A temporary file with readings.
    Begun(Box<Part>),
    /// Failed or committed: there is nothing to write to.
    Over,
}

impl ParquetSink {
    /// A sink that has not touched the disk.
    pub(crate) fn new(layout: Layout) -> Self {
        Self {
            layout,
            state: State::Fresh,
            delivered: 0,
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
            for rows in slices(&batch) {
                let mut open = match part.take() {
                    Some(part) => part,
                    None => Box::new(Part::create(self.layout.file(), &readings.schema())?),
                };
                open.write(&rows)?;
                part = Some(open);
                self.delivered += rows.num_rows() as u64;
                tick(self.delivered)?;
            }
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
        let file = self.layout.file();
        Error::new(
            Status::Internal,
            format!(
                "the Parquet file `{}` failed or is finished",
                file.display()
            ),
        )
    }
}

impl Sink for ParquetSink {
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

/// One file of the data set.
struct Part {
    target: PathBuf,
    writer: ArrowWriter<WholeFile>,
}

impl Part {
    fn create(target: PathBuf, stream: &Schema) -> Result<Self> {
        let options = encode::options(stream)?;
        let file = WholeFile::create(&target)?;
        let writer = ArrowWriter::try_new_with_options(file, schema::readings(), options)
            .map_err(|error| cannot_write(&target, error))?;
        Ok(Self { target, writer })
    }

    fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        let rows = encode::arranged(rows)?;
        self.writer
            .write(&rows)
            .map_err(|error| cannot_write(&self.target, error))
    }

    /// Ends the row group: each is sorted in itself, and two writes need not be.
    fn end_group(&mut self) -> Result<()> {
        self.writer
            .flush()
            .map_err(|error| cannot_write(&self.target, error))
    }

    /// Makes the file visible and tells its size.
    fn finish(self) -> Result<u64> {
        let Self { target, writer, .. } = self;
        let file = writer
            .into_inner()
            .map_err(|error| cannot_write(&target, error))?;
        let bytes = file.bytes();
        file.commit()?;
        Ok(bytes)
    }
}

fn slices(batch: &RecordBatch) -> impl Iterator<Item = RecordBatch> {
    let rows = batch.num_rows();
    (0..rows)
        .step_by(ROWS_PER_WRITE)
        .map(move |start| batch.slice(start, ROWS_PER_WRITE.min(rows - start)))
}

fn cannot_write(target: &Path, error: ParquetError) -> Error {
    let what = format!("cannot write Parquet file `{}`", target.display());
    if let ParquetError::External(cause) = &error
        && let Some(cause) = cause.downcast_ref::<std::io::Error>()
    {
        return Error::file(what, cause);
    }
    Error::new(Status::Internal, format!("{what}: {error}"))
}

#[cfg(test)]
mod tests;
