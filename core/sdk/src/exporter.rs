//! Exporters: readings out.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::op::Op;
use crate::stream::Batches;

/// A kind of destination.
pub trait Exporter: 'static {
    /// The name in `pipeline.toml`.
    const ID: &'static str;
    /// One line for listings.
    const SUMMARY: &'static str;

    /// Keys of its own in `[sinks.NAME]`; doc comments become the descriptions users see.
    type Config: DeserializeOwned + JsonSchema;
    /// An open destination.
    type Sink: Sink;

    /// Prepares; nothing is visible at the destination yet.
    ///
    /// # Errors
    /// When the configuration cannot work or the destination cannot be reached.
    fn open(op: &Op, config: Self::Config) -> Result<Self::Sink>;

    /// Whether a run with this configuration could deliver; changes nothing. Returns remarks for the
    /// user that do not stop a delivery.
    ///
    /// # Errors
    /// When it could not deliver.
    fn check(op: &Op, config: &Self::Config) -> Result<Vec<String>> {
        let _ = (op, config);
        Ok(Vec::new())
    }
}

/// An open destination; dropped without [`Sink::commit`], it discards what was written.
pub trait Sink: Send + 'static {
    /// Takes readings, ordered by `local_time`, then `record_key`, each `reading_id` once. Check
    /// [`Op::check`] between batches.
    ///
    /// # Errors
    /// When they cannot be taken; nothing is visible then.
    fn write(&mut self, op: &Op, readings: &mut dyn Batches) -> Result<()>;

    /// Makes everything written durable and visible, whole or not at all.
    ///
    /// # Errors
    /// When that fails; what was there before is intact.
    fn commit(&mut self, op: &Op) -> Result<CommitReport>;
}

/// What a commit did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct CommitReport {
    /// Readings delivered.
    pub delivered: u64,
    /// Readings that were there before.
    pub already_there: u64,
    /// Readings refused by the destination.
    pub rejected: u64,
    /// Readings without a place in the format, on purpose: control tests in a profile of another program.
    pub left_out: u64,
    /// Bytes written or sent.
    pub bytes: u64,
    /// Files written or servers reached; no secrets.
    pub targets: Vec<String>,
}
