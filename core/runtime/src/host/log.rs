//! Log lines of plugins and of the host, and where they go.

use std::sync::Arc;

/// Level of a line for people who ask for more.
pub(super) const INFORMATION: u8 = 3;
/// Level of a line for authors.
pub(super) const DEBUG: u8 = 4;
/// Level of every call, and of what nobody needs to see.
pub(super) const TRACE: u8 = 5;

/// A line a plugin or the host logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// 1 error, 2 warning, 3 information, 4 debugging, 5 every call of a link.
    pub level: u8,
    /// What it is about.
    pub target: String,
    /// The line, without control characters.
    pub text: String,
}

/// Where log lines go.
#[derive(Clone)]
pub struct Logger {
    most: u8,
    take: Arc<dyn Fn(LogLine) + Send + Sync>,
}

impl Logger {
    /// Takes lines up to this level.
    pub fn new(most: u8, take: impl Fn(LogLine) + Send + Sync + 'static) -> Self {
        Self {
            most,
            take: Arc::new(take),
        }
    }

    /// Takes no line.
    pub fn silent() -> Self {
        Self::new(0, |_| {})
    }

    /// Whether lines of this level are taken.
    pub fn wants(&self, level: u8) -> bool {
        level <= self.most
    }

    /// Takes a line, if its level is wanted.
    pub fn log(&self, line: LogLine) {
        if self.wants(line.level) {
            (self.take)(line);
        }
    }
}
