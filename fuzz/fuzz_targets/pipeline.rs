//! Any text somebody calls a pipeline.

#![no_main]

#[path = "../shared/pipeline.rs"]
mod pipeline;

libfuzzer_sys::fuzz_target!(|text: &str| pipeline::run(text));
