//! Printing: data to standard output, everything else to standard error.

use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;

use glucopipe_runtime::problem::{Code, Problem};
use glucopipe_runtime::render::{escape, render};
use serde_json::Value;

use crate::args::Color;
use crate::progress;

/// Where and how messages are printed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    colour: bool,
    pub(crate) quiet: bool,
}

impl Output {
    pub(crate) fn new(color: Color, quiet: bool) -> Self {
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let colour = match color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => !no_color && io::stderr().is_terminal(),
        };
        Self { colour, quiet }
    }

    /// Prints a problem; warnings not when quiet.
    pub(crate) fn problem(&self, problem: &Problem) {
        use glucopipe_runtime::problem::Severity;
        if problem.severity == Severity::Error || !self.quiet {
            self.error_text(&render(problem, self.colour));
        }
    }

    /// Prints a line for people, unless quiet.
    pub(crate) fn note(&self, line: &str) {
        if !self.quiet {
            self.error_text(&format!("{}\n", escape(line)));
        }
    }

    fn error_text(&self, text: &str) {
        progress::clear();
        // Nobody can be told when standard error is gone.
        let _ = anstream::AutoStream::new(io::stderr(), self.choice()).write_all(text.as_bytes());
    }

    fn choice(&self) -> anstream::ColorChoice {
        if self.colour {
            anstream::ColorChoice::AlwaysAnsi
        } else {
            anstream::ColorChoice::Never
        }
    }

    /// Prints data. False when nobody reads it any more, which ends a command quietly; any other failure
    /// is kept for [`Output::data_problem`].
    pub(crate) fn data(&self, text: &str) -> bool {
        let mut out = io::stdout().lock();
        let written = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        note_failure(written)
    }

    /// Copies data.
    ///
    /// # Errors
    /// When it could not be printed; not when nobody reads it any more.
    pub(crate) fn copy(&self, data: &mut impl io::Read) -> Result<(), Problem> {
        let mut out = io::stdout().lock();
        match io::copy(data, &mut out).and_then(|_| out.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(not_printed(&error.to_string()))
            }
            _ => Ok(()),
        }
    }

    /// Why data could not be printed, if so.
    pub(crate) fn data_problem(&self) -> Option<Problem> {
        FAILURE.get().map(|cause| not_printed(cause))
    }

    /// Prints one JSON document.
    pub(crate) fn json(&self, document: &Value) -> bool {
        self.data(&format!("{document:#}\n"))
    }

    /// Prints named values, one a line.
    pub(crate) fn facts(&self, facts: &[(String, String)]) -> bool {
        const NAME_WIDTH: usize = 14;
        let text: String = facts
            .iter()
            .map(|(name, value)| format!("{name:NAME_WIDTH$}{}\n", escape(value)))
            .collect();
        self.data(&text)
    }

    /// Prints a question as it is, also when quiet; the answer is the caller's to read.
    pub(crate) fn ask(&self, question: &str) {
        self.error_text(question);
    }

    /// Prints rows as aligned columns; the last column is not padded.
    pub(crate) fn table(&self, head: &[&str], rows: &[Vec<String>]) -> bool {
        let clean: Vec<Vec<String>> = rows
            .iter()
            .map(|row| row.iter().map(|cell| escape(cell).into_owned()).collect())
            .collect();
        let widths: Vec<usize> = (0..head.len())
            .map(|column| {
                let cells = clean.iter().filter_map(|row| row.get(column));
                cells
                    .map(|cell| cell.chars().count())
                    .chain([head[column].len()])
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        let line = |cells: &[String]| {
            let mut text = String::new();
            for (index, cell) in cells.iter().enumerate() {
                text.push_str(cell);
                if index + 1 < cells.len() {
                    let pad = widths[index].saturating_sub(cell.chars().count()) + 2;
                    text.extend(std::iter::repeat_n(' ', pad));
                }
            }
            text.trim_end().to_owned() + "\n"
        };
        let head: Vec<String> = head.iter().map(|&cell| cell.to_owned()).collect();
        let text: String = std::iter::once(line(&head))
            .chain(clean.iter().map(|row| line(row)))
            .collect();
        self.data(&text)
    }
}

fn not_printed(cause: &str) -> Problem {
    let title = "cannot write to standard output";
    Problem::error(Code::SINK_WRITE, title).cause(cause.to_owned())
}

/// Why standard output failed, the first time it did.
static FAILURE: OnceLock<String> = OnceLock::new();

/// True when all went out; a reader that has seen enough and closed the pipe is no failure.
fn note_failure(written: io::Result<()>) -> bool {
    if let Err(error) = &written
        && error.kind() != io::ErrorKind::BrokenPipe
    {
        FAILURE.get_or_init(|| error.to_string());
    }
    written.is_ok()
}

/// `1 reading`, `300 readings`.
pub(crate) fn count(number: u64, noun: &str) -> String {
    if number == 1 {
        format!("1 {noun}")
    } else {
        format!("{number} {noun}s")
    }
}

/// A value without the marks of JSON: `low 20, high 600`.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| format!("{name} {}", plain(value)))
            .collect::<Vec<_>>()
            .join(", "),
        other => other.to_string(),
    }
}

/// `2 min 5 s ahead`, `exact`.
pub(crate) fn offset(seconds: i64) -> String {
    let all = seconds.unsigned_abs();
    let (days, hours, minutes, rest) = (all / 86400, all / 3600 % 24, all / 60 % 60, all % 60);
    let parts: Vec<String> = [(days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")]
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, unit)| format!("{number} {unit}"))
        .take(2)
        .collect();
    match seconds {
        0 => "exact".to_owned(),
        1.. => format!("{} ahead", parts.join(" ")),
        _ => format!("{} behind", parts.join(" ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_read_well() {
        assert_eq!(offset(0), "exact");
        assert_eq!(offset(125), "2 min 5 s ahead");
        assert_eq!(offset(-10_800), "3 h behind");
        assert_eq!(offset(90_061), "1 d 1 h ahead");
    }
}
