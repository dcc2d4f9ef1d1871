//! Any text somebody calls a transcript.

#![no_main]

#[path = "../shared/transcript.rs"]
mod transcript;

libfuzzer_sys::fuzz_target!(|text: &str| transcript::run(text));
