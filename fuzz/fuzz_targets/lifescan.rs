//! Any bytes a LifeScan meter may send: packets, replies, records, lines.

#![no_main]

#[path = "../shared/lifescan.rs"]
mod lifescan;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| lifescan::run(bytes));
