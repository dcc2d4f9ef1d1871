//! The fuzz targets `capture`, `csw`, `pipeline` and `transcript` without a fuzzer.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../../../fuzz/shared/capture.rs"]
mod capture;
#[path = "../../../fuzz/shared/corpus.rs"]
mod corpus;
#[path = "../../../fuzz/shared/csw.rs"]
mod csw;
#[path = "../../../fuzz/shared/pipeline.rs"]
mod pipeline;
#[path = "../../../fuzz/shared/transcript.rs"]
mod transcript;

/// Runs a target that takes text; bytes that are none are for others.
fn text(bytes: &[u8], target: fn(&str)) {
    std::str::from_utf8(bytes).map(target).unwrap_or_default();
}

macro_rules! targets {
    ($($name:literal as $tests:ident: $target:expr;)+) => {$(
        mod $tests {
            use super::*;

            #[test]
            fn corpus_is_replayed() {
                corpus::replay($name, $target);
            }

            #[test]
            fn damaged_entries_are_survived() {
                corpus::damage($name, $target);
            }

            #[test]
            fn any_bytes_are_survived() {
                corpus::chance($target);
            }
        }
    )+};
}

targets! {
    "capture" as captures: capture::run;
    "csw" as disks: csw::run;
    "pipeline" as pipelines: |bytes| text(bytes, pipeline::run);
    "transcript" as transcripts: |bytes| text(bytes, transcript::run);
}
