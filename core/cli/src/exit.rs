//! Exit codes: the contract with scripts.

use std::process::ExitCode;

use glucopipe_runtime::problem::{Code, Problem, Severity};

/// How the program ends; [`Exit::meaning`] says what each is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Done = 0,
    Partial = 1,
    Usage = 2,
    Config = 3,
    NoMeter = 4,
    Permission = 5,
    NotDelivered = 6,
    Meter = 7,
    Plugin = 8,
    Bug = 70,
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl Exit {
    /// All, in order.
    pub(crate) const ALL: [Self; 11] = [
        Self::Done,
        Self::Partial,
        Self::Usage,
        Self::Config,
        Self::NoMeter,
        Self::Permission,
        Self::NotDelivered,
        Self::Meter,
        Self::Plugin,
        Self::Bug,
        Self::Interrupted,
    ];

    /// What it says to scripts.
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Partial => {
                "partly done: a source or sink failed or is incomplete, the rest is delivered"
            }
            Self::Usage => "wrong usage",
            Self::Config => "the configuration is wrong",
            Self::NoMeter => "no meter is attached",
            Self::Permission => "not allowed to open the meter, or another program has it",
            Self::NotDelivered => "no sink could deliver",
            Self::Meter => "the meter or its protocol failed, nothing usable was read",
            Self::Plugin => "a plugin could not be loaded, or broke its contract",
            Self::Bug => "a bug in this program",
            Self::Interrupted => "stopped by the user or the system",
        }
    }

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
