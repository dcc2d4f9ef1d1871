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
    ///
    /// The host knows a destination by these keys, so that a changed key makes it another one, which has
    /// nothing yet. Secrets are not among them, nor is what changes nothing of what arrives, such as the size
    /// of a batch: mark it with `#[schemars(extend("x-tuning" = true))]`.
    ///
    /// `#[schemars(extend("x-needs" = ["time"]))]` on the whole says that readings without an instant in UTC cannot
    /// be delivered, so that a pipeline without a `clock` transform is warned of.
    /// `#[schemars(extend("x-merges" = "compact"))]` says that with this key true, and `path`, a commit without
    /// readings merges the small files of what is there, for `glucopipe compact`.
    type Config: DeserializeOwned + JsonSchema;
    /// An open destination.
    type Sink: Sink;

    /// Prepares; nothing is visible at the destination yet.
    ///
    /// # Errors
    /// When the configuration cannot work or the destination cannot be reached.
    fn open(op: &Op, config: Self::Config) -> Result<Self::Sink>;

    /// What a sink of this configuration is to be given. Whatever it says, a reading may come again: on the
    /// user's word, or after a crash between [`Sink::commit`] and the note of it. A sink that adds to what is
    /// there knows it again by its `reading_id` and counts it as [`CommitReport::already_there`].
    ///
    /// The host asks before anything is read, so this is also the place to refuse keys that do not go
    /// together: no I/O, and [`Error::key`](crate::Error) names the key.
    ///
    /// # Errors
    /// When the configuration cannot work.
    fn wants(config: &Self::Config) -> Result<Wants> {
        let _ = config;
        Ok(Wants::Everything)
    }

    /// Whether a run with this configuration could deliver; changes nothing. Returns remarks for the
    /// user that do not stop a delivery.
    ///
    /// # Errors
    /// When it could not deliver.
    fn check(op: &Op, config: &Self::Config) -> Result<Vec<String>> {
        let _ = (op, config);
        Ok(Vec::new())
    }

    /// What [`Exporter::open`], [`Sink::write`] and [`Sink::commit`] would do with these readings; changes
    /// nothing, at the destination or elsewhere. `None` when that cannot be said.
    ///
    /// # Errors
    /// When they could not be delivered.
    fn preview(
        op: &Op,
        config: Self::Config,
        readings: &mut dyn Batches,
    ) -> Result<Option<Preview>> {
        let _ = (op, config, readings);
        Ok(None)
    }
}

/// What a sink is to be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub enum Wants {
    /// At each run all that is known: a file that is written anew.
    Everything,
    /// What the sink has not acknowledged yet: a file that is added to, a data set.
    New,
    /// The same, and all of it again when the transforms above the sink have changed, because a reading may have
    /// another `time`, `value` or `unit` by them: a destination that puts what comes in the place of what it has
    /// under the same `reading_id`.
    Revised,
}

/// An open destination; dropped without [`Sink::commit`], it discards what was written.
pub trait Sink: Send + 'static {
    /// Takes readings, ordered by `local_time`, then `record_key`, each `reading_id` once. Check
    /// [`Op::check`] between batches.
    ///
    /// # Errors
    /// When they cannot be taken; nothing is visible then.
    fn write(&mut self, op: &Op, readings: &mut dyn Batches) -> Result<()>;

    /// Makes everything written durable and visible, whole or not at all. A destination that took only a
    /// part says so by [`CommitReport::pending`] instead of an error.
    ///
    /// # Errors
    /// When that fails; what was there before is intact, and every reading is offered again.
    fn commit(&mut self, op: &Op) -> Result<CommitReport>;
}

/// What a commit did. `delivered`, `already_there`, `rejected`, `left_out` and the number of `pending`
/// add up to the readings written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct CommitReport {
    /// Readings delivered.
    pub delivered: u64,
    /// Readings that were there before.
    pub already_there: u64,
    /// Readings refused by the destination: as many as `refused` names.
    pub rejected: u64,
    /// Readings without a place in the format, on purpose: control tests in a profile of another program.
    pub left_out: u64,
    /// Bytes written or sent.
    pub bytes: u64,
    /// Files written or servers reached; no secrets.
    pub targets: Vec<String>,
    /// Readings that the destination refused for good; they are not offered again.
    pub refused: Vec<Refused>,
    /// `reading_id`s that were taken and not delivered this time, to be offered again.
    pub pending: Vec<String>,
    /// What failed, so that some are pending, in one line without secrets or readings; the rest is delivered
    /// all the same. Nothing needs to be said of a cancellation: the host knows why it cancelled.
    pub problem: Option<String>,
    /// Why some are pending although nothing failed, in such a line: they are held back until they can be
    /// delivered.
    pub held: Option<String>,
}

/// What a commit would do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct Preview {
    /// What it would report.
    #[serde(flatten)]
    pub report: CommitReport,
    /// What would be written or sent, and where, in words for the user; no readings, no secrets.
    pub lines: Vec<String>,
}

/// A reading that a destination refused for good.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Refused {
    /// Which one.
    pub reading_id: String,
    /// Why, in words for the user; no secrets, no readings.
    pub reason: String,
}
