//! Any text somebody calls a pipeline: it is read or refused, and every problem can be shown.

#![no_main]

use glucopipe_runtime::config::{LoadRequest, load};
use glucopipe_runtime::render::{render, render_json};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let loaded =
        load(LoadRequest { file: "pipeline.toml".into(), text: text.into(), ..LoadRequest::default() });
    for problem in loaded.problems() {
        let _ = (render(problem, false), render_json(problem));
    }
});
