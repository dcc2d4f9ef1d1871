//! Virtual glucose meters: pure state machines, bytes in, bytes out.
//!
//! A [`Scenario`] is parsed from the text of a `virtual:` selector; it builds the meter
//! ([`Scenario::hid_meter`] or [`Scenario::scsi_meter`], as [`Scenario::link`] says) and tells what
//! a correct reader must report ([`Scenario::truth`]). There is no I/O, no real time and no
//! randomness: time is what the caller of [`HidMeter::read`] is willing to wait or what
//! [`ScsiOutcome::elapsed_ms`] says, and the same text always gives the same bytes.
//!
//! The wire facts are those of the Contour and LifeScan references; situations nobody has captured
//! are simulated. Invented are serials, times, values, versions and settings.

mod audit;
mod catalog;
mod civil;
mod contour;
mod error;
mod family;
mod faults;
mod frame;
mod meter;
mod rng;
mod scenario;
mod schedule;
mod scsi;
mod truth;
mod uri;
mod usb;
mod verio;

pub use audit::Audit;
pub use catalog::{KeyEntry, ModelEntry, catalog, keys, keys_of};
pub use civil::LocalTime;
pub use error::ScenarioError;
pub use faults::{faults, faults_of};
pub use meter::{Answer, HidMeter, LinkKind, REPORT_SIZE, Unplugged, UsbIds};
pub use scenario::{Scenario, Unit};
pub use scsi::{BLOCK_SIZE, CHECK_CONDITION, ScsiMeter, ScsiOutcome, ScsiTransfer};
pub use truth::{InsulinType, Kind, Meal, Range, SetAside, Truth};
pub use uri::parse;
pub use usb::{UsbDevice, UsbipPort, WireError};
