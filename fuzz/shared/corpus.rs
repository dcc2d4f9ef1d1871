//! A fuzz target without a fuzzer: its corpus, as it is and damaged, and bytes of chance. For tests of the crate
//! whose code it runs.

use std::path::Path;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestRunner;

/// What a fuzz target does with bytes.
type Target = fn(&[u8]);

fn entries(name: &str) -> Vec<Vec<u8>> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    let entries = std::fs::read_dir(corpus.join(name)).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty());
    let entries = paths.iter().map(|path| std::fs::read(path).unwrap());
    entries.collect()
}

fn runner() -> TestRunner {
    TestRunner::new(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::default()
    })
}

/// Runs the corpus of this name.
pub(crate) fn replay(name: &str, target: Target) {
    entries(name).iter().for_each(|entry| target(entry));
}

/// Runs entries with some bytes changed, and cut off.
pub(crate) fn damage(name: &str, target: Target) {
    let damaged = (
        prop::sample::select(entries(name)),
        prop::collection::vec((any::<Index>(), any::<u8>()), 1..6),
        prop::option::of(any::<Index>()),
    );
    let outcome = runner().run(&damaged, |(mut bytes, changes, cut)| {
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        bytes.truncate(cut.map_or(usize::MAX, |cut| cut.index(bytes.len())));
        target(&bytes);
        Ok(())
    });
    outcome.unwrap();
}

/// Runs any bytes.
pub(crate) fn chance(target: Target) {
    let outcome = runner().run(&prop::collection::vec(any::<u8>(), 0..2000), |bytes| {
        target(&bytes);
        Ok(())
    });
    outcome.unwrap();
}
