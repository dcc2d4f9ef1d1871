//! Any text somebody calls a pipeline, for the fuzz target `pipeline` and the test that replays its corpus.

use glucopipe_runtime::config::{LoadRequest, load};
use glucopipe_runtime::render::{render, render_json};

/// It is read or refused, and every problem can be shown.
pub(crate) fn run(text: &str) {
    let loaded = load(LoadRequest {
        file: "pipeline.toml".into(),
        text: text.into(),
        ..LoadRequest::default()
    });
    for problem in loaded.problems() {
        let _ = (render(problem, false), render_json(problem));
    }
}
