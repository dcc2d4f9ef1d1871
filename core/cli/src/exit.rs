//! Exit codes: the contract with scripts.

use std::process::ExitCode;

use glucopipe_runtime::problem::{Code, Problem, Severity};

/// How the program ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Done = 0,
    /// Partly done: some source or sink failed, the rest was delivered.
    Partial = 1,
    /// Used wrongly.
    Usage = 2,
    /// The configuration is wrong.
    Config = 3,
    /// No meter attached.
    NoMeter = 4,
    /// Not allowed.
    Permission = 5,
    /// No sink could deliver.
    NotDelivered = 6,
    /// Meter or protocol failure, nothing usable was read.
    Meter = 7,
    /// A plugin could not be loaded or broke its contract.
    Plugin = 8,
    /// A bug in this program.
    Bug = 70,
    /// Stopped by the user or the system.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl Exit {
    /// The exit code for a problem that stopped a command.
    pub(crate) fn for_code(code: Code) -> Self {
        match code {
            Code::NO_METER => Self::NoMeter,
            Code::DEVICE_ACCESS | Code::DEVICE_BUSY => Self::Permission,
            Code::DEVICE_SELECTOR | Code::DEVICE_CHOICE => Self::Config,
            Code::TRANSCRIPT => Self::Meter,
            Code::CLOCK_OFFSET => Self::Partial,
            Code::DATA_FILTER | Code::SINK_CONFIG => Self::Config,
            Code::INTERRUPTED => Self::Interrupted,
            Code::INTERNAL => Self::Bug,
            _ => match code.area() {
                1 => Self::Config,
                2 | 3 => Self::Meter,
                4 => Self::Plugin,
                5..=7 => Self::NotDelivered,
                _ => Self::Bug,
            },
        }
    }

    /// The exit code for a problem with words of the command line: what would be a wrong configuration in
    /// a file is wrong usage here.
    pub(crate) fn for_words(code: Code) -> Self {
        match Self::for_code(code) {
            Self::Config => Self::Usage,
            _ if code == Code::TRANSCRIPT || code == Code::PLUGIN_NEW => Self::Usage,
            exit => exit,
        }
    }

    /// The exit code for a list of problems: a wrong configuration before a missing plugin.
    pub(crate) fn for_problems<'a>(problems: impl IntoIterator<Item = &'a Problem>) -> Self {
        let errors = problems
            .into_iter()
            .filter(|problem| problem.severity == Severity::Error);
        let mut exits: Vec<Self> = errors.map(|problem| Self::for_code(problem.code)).collect();
        exits.sort_by_key(|exit| *exit as u8);
        exits.first().copied().unwrap_or(Self::Done)
    }
}
