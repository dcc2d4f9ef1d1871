//! The fuzz target `contour` without a fuzzer: its corpus, as it is and damaged, and bytes of chance.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../../../fuzz/shared/contour.rs"]
mod contour;

use std::path::Path;

use proptest::prelude::*;
use proptest::sample::Index;

fn corpus() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/contour");
    let entries = std::fs::read_dir(folder).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let corpus = paths.iter().map(|path| std::fs::read(path).unwrap());
    corpus.collect()
}

#[test]
fn corpus_is_replayed() {
    let corpus = corpus();
    assert!(!corpus.is_empty());
    for entry in corpus {
        contour::run(&entry);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn damaged_entries_are_survived(
        entry in prop::sample::select(corpus()),
        changes in prop::collection::vec((any::<Index>(), any::<u8>()), 1..6),
        cut in prop::option::of(any::<Index>()),
    ) {
        let mut bytes = entry;
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(cut.map_or(usize::MAX, |cut| cut.index(bytes.len())));
        contour::run(&bytes);
    }

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        contour::run(&bytes);
    }
}
