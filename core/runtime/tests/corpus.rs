//! The fuzz targets `transcript` and `pipeline` without a fuzzer: their corpora.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../../../fuzz/shared/pipeline.rs"]
mod pipeline;
#[path = "../../../fuzz/shared/transcript.rs"]
mod transcript;

use std::path::Path;

fn replay(target: &str, run: fn(&str)) {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    let entries = std::fs::read_dir(corpus.join(target)).unwrap();
    let texts = entries.map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap());
    assert!(texts.map(|text| run(&text)).count() > 0);
}

#[test]
fn transcripts_are_replayed() {
    replay("transcript", transcript::run);
}

#[test]
fn pipelines_are_replayed() {
    replay("pipeline", pipeline::run);
}
