//! Any bytes somebody calls a capture of USB traffic.

#![no_main]

#[path = "../shared/capture.rs"]
mod capture;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| capture::run(bytes));
