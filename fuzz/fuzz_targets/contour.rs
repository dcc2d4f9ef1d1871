//! Any bytes a Contour may send: reports, tokens, frames, records, replies of command mode.

#![no_main]

#[path = "../shared/contour.rs"]
mod contour;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| contour::run(bytes));
