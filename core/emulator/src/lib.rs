//! Virtual glucose meters: pure state machines, bytes in, bytes out.
//!
//! A [`Scenario`] is parsed from the text of a `virtual:` selector; it builds the meter
//! ([`Scenario::meter`]) and tells what a correct reader must report ([`Scenario::truth`]). There
//! is no I/O, no real time and no randomness: time is what the caller of [`HidMeter::read`] is
//! willing to wait, and the same text always gives the same bytes.
//!
//! The wire facts are those of the Contour reference; situations nobody has captured are
//! simulated. Invented are serials, times, values, versions and settings.

mod audit;
mod catalog;
mod civil;
mod contour;
mod error;
mod faults;
mod frame;
mod meter;
mod records;
mod rng;
mod roles;
mod scenario;
mod schedule;
mod truth;
mod uri;

pub use audit::Audit;
pub use catalog::{KeyEntry, ModelEntry, catalog, keys};
pub use civil::LocalTime;
pub use error::ScenarioError;
pub use faults::faults;
pub use meter::{Answer, HidMeter, REPORT_SIZE, Unplugged, UsbIds};
pub use scenario::{Scenario, Unit};
pub use truth::{InsulinType, Kind, Meal, Range, SetAside, Truth};
pub use uri::parse;
