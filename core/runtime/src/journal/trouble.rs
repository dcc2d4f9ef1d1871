//! What SQLite and the file system say, in the words of a problem.

use std::io;
use std::path::Path;

use rusqlite::ErrorCode;

use super::PATIENCE;
use super::schema::{Refusal, VERSION};
use crate::problem::{Code, Problem};

/// What every problem with the journal leaves as it is.
const KEPT: &str = "what was journalled before is intact";

/// The journal cannot be opened or made.
pub(super) fn unopened(path: &Path, refusal: &Refusal) -> Problem {
    let shown = path.display();
    let title = format!("cannot open the journal `{shown}`");
    match refusal {
        Refusal::Foreign => Problem::error(Code::JOURNAL_OPEN, title)
            .cause("it is not a journal of glucopipe")
            .kept("it was not changed")
            .hint("move it away"),
        Refusal::Empty => {
            let cause = "it is empty, and no glucopipe ever leaves one like that";
            damaged(path, [cause.to_owned()])
                .kept("it was not changed")
                .hint("put a copy of it in its place; without one remove it, and the next run makes a new one")
        }
        Refusal::Newer(version) => Problem::error(Code::JOURNAL_NEWER, title)
            .cause(format!(
                "it has version {version}, and this glucopipe knows up to {VERSION}"
            ))
            .kept("it was not changed")
            .hint("use the newer glucopipe"),
        Refusal::Sql(error) if is(error, &[ErrorCode::NotADatabase]) => {
            unopened(path, &Refusal::Foreign)
        }
        Refusal::Sql(error) => failed(path, Code::JOURNAL_OPEN, title, error),
    }
}

/// The journal does not hold what it should.
pub fn damaged(path: &Path, causes: impl IntoIterator<Item = String>) -> Problem {
    let title = format!("the journal `{}` is damaged", path.display());
    let problem = Problem::error(Code::JOURNAL_DAMAGED, title)
        .hint("keep a copy of it; `glucopipe explain GP0705` says what can be done");
    causes.into_iter().fold(problem, Problem::cause)
}

/// The file or its folder cannot be reached.
pub(super) fn unreachable(path: &Path, error: &io::Error) -> Problem {
    let title = format!("cannot open the journal `{}`", path.display());
    Problem::error(Code::JOURNAL_OPEN, title)
        .cause(error.to_string())
        .hint("make its folder writable")
}

/// A step failed on an open journal; `what` follows `cannot`.
pub(super) fn stopped(path: &Path, what: &str, error: &rusqlite::Error) -> Problem {
    let title = format!("cannot {what} the journal `{}`", path.display());
    failed(path, Code::JOURNAL_WRITE, title, error)
}

fn failed(path: &Path, code: Code, title: String, error: &rusqlite::Error) -> Problem {
    if is(error, &[ErrorCode::DatabaseBusy, ErrorCode::DatabaseLocked]) {
        return busy(path, PATIENCE.as_secs());
    }
    if is(error, &[ErrorCode::DatabaseCorrupt]) {
        return damaged(path, [error.to_string()]);
    }
    let problem = Problem::error(code, title).cause(error.to_string());
    if is(error, &[ErrorCode::DiskFull]) {
        return problem.kept(KEPT).hint("make room on its disk");
    }
    problem.kept(KEPT)
}

/// Another process has not let go of it.
pub(super) fn busy(path: &Path, seconds: u64) -> Problem {
    let title = format!("the journal `{}` is busy", path.display());
    Problem::error(Code::JOURNAL_BUSY, title)
        .cause(format!("another glucopipe has used it for {seconds} s"))
        .kept(KEPT)
        .hint("run again when the other one has finished")
}

/// Whether a file can be read at most.
pub(super) fn is_unwritable(error: &rusqlite::Error) -> bool {
    use ErrorCode::{CannotOpen, PermissionDenied, ReadOnly, SystemIoFailure};
    is(
        error,
        &[CannotOpen, PermissionDenied, ReadOnly, SystemIoFailure],
    )
}

fn is(error: &rusqlite::Error, codes: &[ErrorCode]) -> bool {
    error
        .sqlite_error_code()
        .is_some_and(|code| codes.contains(&code))
}
