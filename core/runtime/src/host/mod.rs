//! The host side of the ABI: what plugins may call, and how plugins are called.

mod call;
mod driver;
mod exporter;
mod link_trace;
mod log;
mod operation;
mod scrub;
mod transform;
mod transport;
mod weight;

pub use driver::{OpenDriver, ReadStream, tidied};
pub use exporter::{Committed, OpenExporter, check_exporter, exporter_wants, preview_export};
pub use log::{LogLine, Logger};
pub use operation::{Lent, Operation, OperationSetup, Progress, ProgressSink};
pub(crate) use operation::{Shared, table_size};
pub use scrub::scrub_transcript;
pub use transform::OpenTransform;
pub(crate) use transport::TRANSFER_LIMIT;
pub(crate) use weight::Weight;
