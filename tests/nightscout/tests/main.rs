//! The Nightscout exporter against a site: the stand-in, and a real one when there is one.

mod check;
mod conformance;
mod deliveries;
mod failures;
mod logins;
mod moves;
mod place;
mod program;
mod sticks;
