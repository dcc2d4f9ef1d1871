//! Words for syntax errors: the parser's own, made kinder, and without those that only follow.

use super::document::Fault;
use crate::problem::Code;

/// The faults behind the parser's errors, one for each mistake.
pub(super) fn faults(text: &str, errors: &[toml::de::Error]) -> Vec<Fault> {
    let mut faults: Vec<Fault> = Vec::new();
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        let message = error
            .message()
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        let (message, hint) = words(&message, text, span.start);
        faults.push(Fault {
            code: Code::CONFIG_SYNTAX,
            message,
            hint: hint.to_owned(),
            span,
        });
    }
    faults.sort_by_key(|fault| fault.span.start);
    // The parser reports what follows from a mistake as well: the first of a line is the cause.
    faults.dedup_by_key(|fault| line_of(text, fault.span.start));
    // Behind a list that was not closed, every line looks like an item.
    if let Some(open) = faults
        .iter()
        .position(|fault| fault.message.starts_with(OPEN_LIST))
    {
        faults.truncate(open + 1);
    }
    faults
}

const OPEN_LIST: &str = "a list before this line is not closed";

/// A message and what to do.
fn words(message: &str, text: &str, offset: usize) -> (String, &'static str) {
    let start = line_of(text, offset);
    let line = text
        .get(start..)
        .and_then(|rest| rest.lines().next())
        .unwrap_or_default();
    let before = text.get(start..offset).unwrap_or_default();
    let after = line.get(before.len()..).unwrap_or_default();
    let opens_line = before.trim().is_empty() && (line.contains('=') || after.starts_with('['));
    if message.contains("between array elements") && opens_line {
        return (
            format!("{OPEN_LIST}, expected `]`"),
            "close the list with `]`",
        );
    }
    if message.contains("must be quoted") && after.trim().is_empty() {
        return (
            "missing value, expected one behind `=`".to_owned(),
            "write a value, or delete the line",
        );
    }
    let hint = if message.contains("duplicate key") {
        "keep one of the two, and delete the other"
    } else if message.contains("must be quoted") {
        "put text in double quotes: `key = \"text\"`"
    } else if message.contains("escape") {
        "in double quotes a backslash starts an escape; use single quotes: `'C:\\data'`"
    } else if message.contains("invalid basic string") {
        "close the text with `\"`"
    } else if message.contains("invalid literal string") {
        "close the text with `'`"
    } else if line.trim_start().starts_with('[') {
        "a table starts with its name in brackets: `[sinks.sheet]`"
    } else if message.contains("array") {
        "a list is written `[\"a\", \"b\"]`"
    } else {
        "a line is `key = value`; text goes in double quotes, a list in `[ ]`"
    };
    (
        message
            .strip_suffix(", expected nothing")
            .unwrap_or(message)
            .to_owned(),
        hint,
    )
}

/// The start of the line of `offset`.
fn line_of(text: &str, offset: usize) -> usize {
    let head = text
        .as_bytes()
        .get(..offset.min(text.len()))
        .unwrap_or_default();
    head.iter()
        .rposition(|&byte| byte == b'\n')
        .map_or(0, |end| end + 1)
}

/// The start of the last line before or at `offset` that opens a table.
pub(super) fn section_start(text: &str, offset: usize) -> usize {
    let mut start = line_of(text, offset);
    loop {
        let line = text.get(start..).unwrap_or_default();
        if start == 0 || line.trim_start_matches([' ', '\t']).starts_with('[') {
            return start;
        }
        start = line_of(text, start - 1);
    }
}
