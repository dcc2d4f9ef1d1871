//! What the commands that change a meter share: the question, and the journal.

use std::io::{self, BufRead};
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::thread;

use glucopipe_runtime::device::normalise_serial;
use glucopipe_runtime::journal::Journal;
use glucopipe_runtime::problem::{Code, Place, Problem};
use glucopipe_runtime::run::change::{Changed, Keeper, record_keys};
use glucopipe_runtime::run::source::SourceRead;

use super::run::journal_here;
use crate::context::Context;
use crate::exit::Exit;
use crate::output::count;

/// Asks whether to go on, unless that was said already; `word` is the answer that goes on. `Some` is what
/// the command ends with instead.
pub(super) fn confirm(context: &Context, said: bool, question: &str, word: &str) -> Option<Exit> {
    let kept = "nothing was changed in the meter";
    confirm_or(context, said, question, word, (Code::CHANGE_REFUSED, kept))
}

/// As [`confirm`]; `unanswered` is the code of a question that nobody answered, and what was not changed.
pub(super) fn confirm_or(
    context: &Context,
    said: bool,
    question: &str,
    word: &str,
    unanswered: (Code, &str),
) -> Option<Exit> {
    if said {
        return None;
    }
    let (code, kept) = unanswered;
    let output = &context.output;
    output.ask(&format!("{question} Type `{word}` to go on: "));
    let answer = read_answer(context);
    if answer.trim().eq_ignore_ascii_case(word) {
        return None;
    }
    if !answer.ends_with('\n') {
        // The cursor still stands behind the question.
        output.ask("\n");
    }
    let (problem, exit) = if answer.is_empty() && !context.cancel.is_set() {
        let problem = Problem::error(code, "nobody answered the question");
        let problem = problem.hint("run it in a terminal, or say `--yes`");
        (problem, Exit::Usage)
    } else {
        let problem = Problem::error(Code::INTERRUPTED, "not confirmed");
        (problem, Exit::Interrupted)
    };
    output.problem(&problem.kept(kept));
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

/// The journal that the readings of a meter are kept in before it is changed.
pub(super) struct Kept(PathBuf);

impl Kept {
    /// Opens the journal once, so that a bad one is known before the meter is asked: the one that is named, or
    /// that of the pipeline here, or the user's.
    ///
    /// # Errors
    /// When there is none and none can be made, or the pipeline here does not say which one it is.
    pub(super) fn open(named: Option<&Path>) -> Result<Self, Problem> {
        let kept = |problem: Problem| problem.kept("nothing was changed in the meter");
        let path = match named {
            Some(path) => path.to_owned(),
            None => journal_here().map_err(kept)?,
        };
        Journal::open(&path)?;
        Ok(Self(path))
    }

    /// Where the records are.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Says where the records are.
    pub(super) fn tell(&self, context: &Context) {
        let place = self.0.display();
        let line = format!("the records are in the journal {place}");
        context.output.note(&line);
    }

    /// Commits a read to the journal, and sees that the journal holds all of it; then notes what was done.
    pub(super) fn keeper(&self, context: &Context) -> Keeper {
        let (path, clock) = (self.0.clone(), context.clock.clone());
        Keeper {
            note: Box::new({
                let path = path.clone();
                move |session, event| {
                    let serial = normalise_serial(&session.device.serial);
                    let mut journal = Journal::open(&path)?;
                    journal.note(&session.family, &serial, clock.now(), event)
                }
            }),
            keep: Box::new(move |read| keep(&path, read)),
        }
    }
}

fn keep(path: &Path, read: &SourceRead) -> Result<(), Problem> {
    let Some(came) = &read.came else {
        return Ok(());
    };
    let mut journal = Journal::open(path)?;
    journal.record(&came.session, &came.readings, &read.report.set_aside)?;
    let (family, serial) = (&came.session.family, &came.session.device.serial);
    let keys = record_keys(&came.readings)?;
    let missing = journal.missing(family, serial, keys.iter().map(String::as_str))?;
    if missing.is_empty() {
        return Ok(());
    }
    let count = count(missing.len() as u64, "record");
    Err(Problem::error(
        Code::CHANGE_REFUSED,
        format!("the journal lacks {count} of the meter"),
    )
    .at(Place::Named(path.display().to_string()))
    .kept("nothing was changed in the meter")
    .hint(format!(
        "`{}` looks for the reason",
        journal.command("verify")
    )))
}

/// How a change ended: one whose outcome could not be looked at is not done to the end.
pub(super) fn exit_of(changed: &Changed) -> Exit {
    match changed.after {
        Some(_) => Exit::Done,
        None => Exit::Partial,
    }
}
