//! Progress bars, on a terminal only.

use std::collections::HashMap;
use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};

use glucopipe_runtime::host::{Progress, ProgressSink};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// Bars for sources and sinks, or nothing in a pipe.
pub(crate) fn bars() -> Option<ProgressSink> {
    if !std::io::stderr().is_terminal() {
        return None;
    }
    let all = MultiProgress::new();
    let bars: Mutex<HashMap<String, ProgressBar>> = Mutex::default();
    Some(Arc::new(move |progress: Progress| {
        let mut bars = bars.lock().unwrap_or_else(PoisonError::into_inner);
        let bar = bars.entry(progress.node.clone()).or_insert_with(|| {
            let bar = all.add(ProgressBar::new(progress.total));
            let style = "{prefix:12} [{bar:30}] {pos}/{len} {msg} {eta}";
            bar.set_style(
                ProgressStyle::with_template(style)
                    .unwrap_or_else(|_| ProgressStyle::default_bar()),
            );
            bar.set_prefix(progress.node.clone());
            bar
        });
        bar.set_length(progress.total.max(progress.done));
        bar.set_position(progress.done);
        bar.set_message(progress.step);
        if progress.total > 0 && progress.done >= progress.total {
            bar.finish_and_clear();
        }
    }))
}
