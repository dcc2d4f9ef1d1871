//! What can go wrong, as data: one [`Problem`] is one message to the user.
//!
//! The shape is fixed (what failed, where, cause, what was not harmed, one thing to do) and rendered
//! in one place, [`crate::render`]. Texts are lower case without a full stop and hold no readings,
//! serials or secrets.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

pub use crate::codes::Code;

/// How serious a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Something asked for was not done.
    Error,
    /// Everything was done, and the user should know this.
    Warning,
}

/// Where a problem is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Bytes of a text the user wrote; rendered as `file:line:column` with a snippet.
    Text {
        /// Name to show, as the user gave it.
        file: String,
        /// The whole text.
        text: Arc<str>,
        /// The marked bytes.
        span: Range<usize>,
    },
    /// Anything else that can be named: a device node, a file, an environment variable, a flag.
    Named(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text { file, text, span } => {
                let (line, column) = line_column(text, span.start);
                write!(f, "{file}:{line}:{column}")
            }
            Self::Named(name) => f.write_str(name),
        }
    }
}

/// Line and column of a byte, both from 1; columns count characters.
pub fn line_column(text: &str, offset: usize) -> (usize, usize) {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    let head = &text[..offset];
    // The end of a line is where its text ends, before `\r\n` as before `\n`.
    let head = if text[offset..].starts_with('\n') {
        head.strip_suffix('\r').unwrap_or(head)
    } else {
        head
    };
    let start = head.rfind('\n').map_or(0, |end| end + 1);
    (
        head.matches('\n').count() + 1,
        head[start..].chars().count() + 1,
    )
}

/// One problem, one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The stable code, `GP0102`.
    pub code: Code,
    /// Error or warning.
    pub severity: Severity,
    /// What failed, and on which object.
    pub title: String,
    /// Where.
    pub place: Option<Place>,
    /// A short text under the marked bytes of a [`Place::Text`].
    pub label: Option<String>,
    /// Lower-level reasons, outermost first.
    pub causes: Vec<String>,
    /// What was not harmed: `nothing was read or written`.
    pub kept: Option<String>,
    /// One thing to do.
    pub hint: Option<String>,
}

impl Problem {
    /// An error with a code and a title.
    pub fn error(code: Code, title: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            title: title.into(),
            place: None,
            label: None,
            causes: Vec::new(),
            kept: None,
            hint: None,
        }
    }

    /// A warning with a code and a title.
    pub fn warning(code: Code, title: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(code, title)
        }
    }

    /// Title and first cause in one line.
    pub(crate) fn in_short(&self) -> String {
        let reason = self.causes.first().map_or("", String::as_str);
        format!("{}: {reason}", self.title)
    }

    /// Adds where.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// Adds a text under the marked bytes.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    /// Adds a cause below those there are.
    #[must_use]
    pub fn cause(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    /// Says what was not harmed.
    #[must_use]
    pub fn kept(mut self, kept: impl Into<String>) -> Self {
        self.kept = Some(kept.into());
        self
    }

    /// Says the one thing to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.title)
    }
}

impl std::error::Error for Problem {}
