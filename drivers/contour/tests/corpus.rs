//! The fuzz target `contour` without a fuzzer.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../../../fuzz/shared/contour.rs"]
mod contour;
#[path = "../../../fuzz/shared/corpus.rs"]
mod corpus;

#[test]
fn corpus_is_replayed() {
    corpus::replay("contour", contour::run);
}

#[test]
fn damaged_entries_are_survived() {
    corpus::damage("contour", contour::run);
}

#[test]
fn any_bytes_are_survived() {
    corpus::chance(contour::run);
}
