//! The fuzz target `csw` without a fuzzer: its corpus, and some bytes of chance.

#[path = "../../../fuzz/shared/csw.rs"]
mod csw;

use std::path::Path;

use proptest::prelude::*;

#[test]
fn corpus_is_replayed() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/csw");
    let entries = std::fs::read_dir(corpus).unwrap();
    let replayed = entries.map(|entry| csw::run(&std::fs::read(entry.unwrap().path()).unwrap()));
    assert!(replayed.count() > 0);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_disk_is_survived(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        csw::run(&bytes);
    }
}
