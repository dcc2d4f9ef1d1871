//! Links to devices: real, virtual, recorded.

pub mod file;
pub mod hid;
pub mod hold;
pub mod link;
pub mod record;
pub mod replay;
pub mod scsi;
pub mod virtual_meter;
pub(crate) mod worker;

pub use glucopipe_sdk::transcript;
