//! What a format of text has to say for itself.

use arrow::array::RecordBatch;

use crate::error::Result;

/// A format: record batches in, bytes out, nothing else.
pub trait Layout: Send + 'static {
    /// What the file is called in messages, for example `CSV`.
    const NAME: &'static str;

    /// Appends what stands before all readings; `first` are the first of them, unless there are none.
    ///
    /// # Errors
    /// As for [`Layout::rows`].
    fn begin(&mut self, first: Option<&RecordBatch>, out: &mut Vec<u8>) -> Result<()>;

    /// Appends readings and returns how many it appended.
    ///
    /// # Errors
    /// When the batch lacks a column or has it in another type.
    fn rows(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<u64>;

    /// What the log should say at the end: how values were converted, how many readings have no place in
    /// this format, and why; never a reading.
    fn remark(&self) -> Option<String> {
        None
    }

    /// What reads rows back; `None` for a format whose rows do not say which reading they are, which can
    /// only be replaced whole.
    fn reader(&self) -> Option<Box<dyn RowReader>> {
        None
    }
}

/// Reads back what a [`Layout`] wrote.
pub trait RowReader: Send {
    /// Looks at the row that `text` begins with and fills `key`.
    fn read(&mut self, text: &[u8], key: &mut RowKey) -> Found;

    /// Why a file is none of ours that begins like this instead of as [`Layout::begin`] writes; no readings.
    fn explain(&self, beginning: &[u8]) -> String;
}

/// What a [`RowReader`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A row of so many bytes, its end included.
    Row(usize),
    /// The beginning of a row.
    Part,
    /// No row as the layout writes them, and why; no readings.
    Odd(&'static str),
}

/// Which reading a row is, and where it belongs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RowKey {
    /// `reading_id`.
    pub reading_id: Vec<u8>,
    /// `local_time`, in microseconds since 1970-01-01T00:00:00.
    pub local_time: i64,
    /// `record_key`.
    pub record_key: Vec<u8>,
}

impl RowKey {
    /// What rows are ordered by.
    pub(super) fn order(&self) -> (i64, &[u8]) {
        (self.local_time, &self.record_key)
    }
}
