//! Questions that somebody must say yes to before something is lost.

use std::io::{self, BufRead};
use std::sync::mpsc::channel;
use std::thread;

use glucopipe_runtime::problem::{Code, Problem};
use glucopipe_runtime::render::escape;

use crate::context::Context;
use crate::exit::Exit;

/// What a question is about, which stays as it is without a yes.
#[derive(Clone, Copy)]
pub(super) enum About {
    Meter,
    Journal,
    Pins,
}

impl About {
    /// What a question that nobody answered is.
    fn code(self) -> Code {
        match self {
            Self::Meter => Code::CHANGE_REFUSED,
            Self::Journal => Code::CONFIG_MISSING_KEY,
            Self::Pins => Code::PLUGIN_PIN,
        }
    }

    fn kept(self) -> &'static str {
        match self {
            Self::Meter => "nothing was changed in the meter",
            Self::Journal => "nothing was changed in the journal",
            Self::Pins => "nothing was pinned",
        }
    }
}

/// Asks whether to go on, unless that was said already; `word` is the answer that goes on. `Some` is what
/// the command ends with instead.
pub(super) fn confirm(
    context: &Context,
    about: About,
    said: bool,
    question: &str,
    word: &str,
) -> Option<Exit> {
    if said {
        return None;
    }
    let output = &context.output;
    output.ask(&format!("{} Type `{word}` to go on: ", escape(question)));
    let answer = read_answer(context);
    if answer.trim().eq_ignore_ascii_case(word) {
        return None;
    }
    if !answer.ends_with('\n') {
        // The cursor still stands behind the question.
        output.ask("\n");
    }
    let (problem, exit) = if answer.is_empty() && !context.cancel.is_set() {
        let problem = Problem::error(about.code(), "nobody answered the question");
        let problem = problem.hint("run it in a terminal, or say `--yes`");
        (problem, Exit::Usage)
    } else {
        let problem = Problem::error(Code::INTERRUPTED, "not confirmed");
        (problem, Exit::Interrupted)
    };
    output.problem(&problem.kept(about.kept()));
    Some(exit)
}

/// One line of standard input, or nothing when the user interrupts instead.
fn read_answer(context: &Context) -> String {
    let (sender, inbox) = channel();
    let interrupted = sender.clone();
    // Nobody listens any more once there is an answer.
    context
        .cancel
        .on_set(move |_| drop(interrupted.send(String::new())));
    thread::spawn(move || {
        let mut answer = String::new();
        let read = io::stdin().lock().read_line(&mut answer);
        drop(sender.send(read.map_or_else(|_| String::new(), |_| answer)));
    });
    inbox.recv().unwrap_or_default()
}
