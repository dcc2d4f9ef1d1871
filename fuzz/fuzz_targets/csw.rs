//! Any bytes a disk may answer with over Bulk-Only Transport, and any way its transfers may go.

#![no_main]

#[path = "../shared/csw.rs"]
mod csw;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| csw::run(bytes));
