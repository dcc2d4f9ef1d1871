//! A run: sources are read, transforms applied, sinks served, and a report is made.
//!
//! The path of one reading: [`source`] pulls a driver's batches, [`intake`] checks them and adds what
//! the host knows, [`engine`] commits the read to the journal; [`known`] decides what of the journal each
//! sink is given, which goes through the transforms (`flow`, `apply`); [`order`] sorts what a sink gets,
//! [`sink`] hands it to the exporter, `answers` notes what it said, [`report`] says what happened.

mod answers;
pub(crate) mod apply;
pub mod blame;
pub mod change;
mod conversation;
pub mod engine;
mod flow;
pub(crate) mod identity;
pub mod intake;
pub mod known;
pub mod order;
pub mod plan;
pub mod query;
pub mod report;
mod running;
pub mod scrub;
pub mod sink;
pub mod source;
mod supply;
pub mod trace;
mod watch;
pub mod way;
