//! Transforms: readings in, readings out.

use arrow::array::RecordBatch;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::error::Result;
use crate::op::Op;

/// A kind of transform.
///
/// It never changes `raw_value`, `raw_unit`, `raw`, `markers`, `record_key`, `reading_id` or
/// `local_time`; the host checks that.
pub trait Transform: 'static {
    /// The name in `pipeline.toml`.
    const ID: &'static str;
    /// One line for listings.
    const SUMMARY: &'static str;

    /// Keys of its own in `[transforms.NAME]`; doc comments become the descriptions users see.
    type Config: DeserializeOwned + JsonSchema;
    /// A configured transform.
    type Filter: Filter;

    /// Prepares.
    ///
    /// # Errors
    /// When the configuration cannot work.
    fn open(op: &Op, config: Self::Config) -> Result<Self::Filter>;
}

/// A configured transform.
pub trait Filter: Send + 'static {
    /// Transforms one batch; `None` drops all its rows. The schema stays.
    ///
    /// # Errors
    /// Ends the stream.
    fn apply(&mut self, op: &Op, batch: RecordBatch) -> Result<Option<RecordBatch>>;
}
