//! An open Parquet sink of either layout.

use glucopipe_sdk::exporter::{CommitReport, Sink};
use glucopipe_sdk::stream::Batches;
use glucopipe_sdk::{Op, Result};

use crate::file::FileSink;
use crate::layout::Layout;
use crate::set::SetSink;

/// A Parquet file or data set in the making.
pub struct ParquetSink(Inner);

enum Inner {
    File(FileSink),
    Set(Box<SetSink>),
}

impl ParquetSink {
    /// A sink that has not touched the disk.
    pub(crate) fn new(layout: Layout) -> Self {
        Self(match layout {
            Layout::File(target) => Inner::File(FileSink::new(target)),
            Layout::DataSet(set) => Inner::Set(Box::new(SetSink::new(set))),
        })
    }

    fn inner(&mut self) -> &mut dyn Sink {
        match &mut self.0 {
            Inner::File(file) => file,
            Inner::Set(set) => set.as_mut(),
        }
    }
}

impl Sink for ParquetSink {
    fn write(&mut self, op: &Op, readings: &mut dyn Batches) -> Result<()> {
        self.inner().write(op, readings)
    }

    fn commit(&mut self, op: &Op) -> Result<CommitReport> {
        self.inner().commit(op)
    }
}
