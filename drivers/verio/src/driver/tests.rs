//! The driver through its C table, against a small simulated meter.

mod changes;
mod fake;
mod faults;
mod identification;
mod known;
mod reads;
