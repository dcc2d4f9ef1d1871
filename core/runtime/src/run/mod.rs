//! A run: sources are read, transforms applied, sinks served, and a report is made.
//!
//! The path of one reading: [`source`] pulls a driver's batches, [`intake`] checks them and adds what
//! the host knows, [`engine`] sends the read through the transforms (`apply`) to the sinks, [`order`]
//! sorts what a sink gets, [`sink`] hands it to the exporter, [`report`] says what happened.

mod apply;
pub mod blame;
pub mod change;
mod conversation;
pub mod engine;
pub(crate) mod identity;
pub mod intake;
pub mod order;
pub mod plan;
pub mod query;
pub mod report;
mod running;
pub mod sink;
pub mod source;
mod watch;
