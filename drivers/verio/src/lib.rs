//! glucopipe driver for the LifeScan OneTouch Verio family on USB.
//!
//! The layers, from the host downwards: `driver` and `download` (the host's calls) → `meter` (one
//! question, repeated and re-identified where needed) → `identify` (no write before it has passed) →
//! `exchange` (SCSI blocks over the host's link) → [`protocol`] and [`lifescan`] (bytes in, typed values
//! out). `device`, `reading` and `report` turn what was found into the types of the SDK.

mod device;
mod download;
mod driver;
mod exchange;
mod identify;
pub mod lifescan;
mod meter;
pub mod protocol;
mod reading;
mod report;
mod scrub;

pub use driver::{Verio, VerioSession};

glucopipe_sdk::export_plugin! {
    name: "verio",
    drivers: [Verio],
    exporters: [],
    transforms: [],
}
