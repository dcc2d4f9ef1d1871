//! glucopipe driver for Ascensia and Bayer Contour meters on USB.
//!
//! The layers, from the host downwards: `driver` (the host's calls) and `clock` (command mode) → `talk`
//! (the host's link and time) → `session` (which byte to answer, and when) → [`protocol`] (bytes in, typed
//! values out). `device`, `reading` and `report` turn what was found into the types of the SDK.

mod clock;
mod device;
mod driver;
pub mod protocol;
mod reading;
mod report;
mod scrub;
mod session;
mod talk;

pub use driver::{Contour, ContourSession};

glucopipe_sdk::export_plugin! {
    name: "contour",
    drivers: [Contour],
    exporters: [],
    transforms: [],
}
