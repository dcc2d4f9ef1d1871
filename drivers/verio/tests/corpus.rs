//! The fuzz target `lifescan` without a fuzzer.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../../../fuzz/shared/corpus.rs"]
mod corpus;
#[path = "../../../fuzz/shared/lifescan.rs"]
mod lifescan;

#[test]
fn corpus_is_replayed() {
    corpus::replay("lifescan", lifescan::run);
}

#[test]
fn damaged_entries_are_survived() {
    corpus::damage("lifescan", lifescan::run);
}

#[test]
fn any_bytes_are_survived() {
    corpus::chance(lifescan::run);
}
