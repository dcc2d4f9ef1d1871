//! Any bytes somebody calls a capture of USB traffic, for the fuzz target `capture` and the test that replays its
//! corpus.

use std::io::Write;

use glucopipe_runtime::capture::import;

/// It is imported or refused, and what is imported is a conversation that can be played.
pub(crate) fn run(bytes: &[u8]) {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(bytes).expect("room for a capture");
    if let Ok(imported) = import(file.path(), None) {
        assert!(!imported.transcript.events.is_empty());
        for (_, event) in &imported.transcript.events {
            assert!(event.line().ends_with('\n'));
        }
    }
}
