//! Progress bars, on a terminal only.

use std::collections::HashMap;
use std::io::IsTerminal;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use glucopipe_runtime::host::{Progress, ProgressSink};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// The bars of this process: messages must know of them, to get out of their way.
static BARS: OnceLock<MultiProgress> = OnceLock::new();

/// Bars for sources and sinks, or nothing in a pipe.
pub(crate) fn bars() -> Option<ProgressSink> {
    if !std::io::stderr().is_terminal() {
        return None;
    }
    let all = BARS.get_or_init(MultiProgress::new);
    let bars: Mutex<HashMap<String, ProgressBar>> = Mutex::default();
    Some(Arc::new(move |progress: Progress| {
        let mut bars = bars.lock().unwrap_or_else(PoisonError::into_inner);
        let bar = bars.entry(progress.node.clone()).or_insert_with(|| {
            let bar = all.add(ProgressBar::new(progress.total));
            let style = match progress.total {
                0 => "{prefix:12} {spinner} {pos} {msg}",
                _ => "{prefix:12} [{bar:30}] {pos}/{len} {msg} {eta}",
            };
            let style = ProgressStyle::with_template(style);
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
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

/// Takes the bars off the screen, so that a message has a line of its own.
pub(crate) fn clear() {
    if let Some(bars) = BARS.get() {
        // The worst that can happen is a crooked line.
        let _ = bars.clear();
    }
}
