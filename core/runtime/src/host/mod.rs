//! The host side of the ABI: what plugins may call, and how plugins are called.

mod call;
mod operation;
mod transport;

pub use call::{
    Committed, OpenDriver, OpenExporter, OpenTransform, check_exporter, exporter_wants,
    preview_export, tidied,
};
pub use operation::{LogLine, Logger, Operation, OperationSetup, Progress, ProgressSink};
