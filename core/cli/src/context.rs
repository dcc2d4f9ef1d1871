//! What commands share: clock, cancellation, log, plugin folders.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use glucopipe_runtime::cancel::Cancel;
use glucopipe_runtime::clock::Clock;
use glucopipe_runtime::config::Plugins;
use glucopipe_runtime::device::{Finder, Selector};
use glucopipe_runtime::host::{LogLine, Logger};
use glucopipe_runtime::isolate::Isolation;
use glucopipe_runtime::plugin::{Pins, Registry, SearchPath, Trust};
use glucopipe_runtime::problem::Problem;
use glucopipe_runtime::run::engine::RunSetup;
use glucopipe_runtime::transport::record::Recorder;

use crate::args::{Global, Meter};
use crate::output::Output;
use crate::progress;
use crate::signals;

/// Holds the clock still, for tests and reproducible runs: an RFC 3339 time.
pub(crate) const CLOCK_VARIABLE: &str = "GLUCOPIPE_CLOCK";
/// Plugin folders, separated as in PATH.
pub(crate) const PLUGIN_VARIABLE: &str = "GLUCOPIPE_PLUGIN_PATH";

/// What commands share.
pub(crate) struct Context {
    pub(crate) output: Output,
    pub(crate) clock: Clock,
    pub(crate) cancel: Cancel,
    verbose: u8,
    plugin_dirs: Vec<PathBuf>,
    locked: bool,
}

impl Context {
    pub(crate) fn new(global: &Global) -> Self {
        let cancel = Cancel::new();
        let fixed = std::env::var(CLOCK_VARIABLE).ok();
        let output = Output::new(global.color, global.quiet);
        let fixed = fixed.and_then(|text| match DateTime::parse_from_rfc3339(&text) {
            Ok(fixed) => Some(fixed),
            Err(error) => {
                output.note(&format!("warning: {CLOCK_VARIABLE} is not used: {error}"));
                None
            }
        });
        Self {
            output,
            clock: fixed.map_or(Clock::System, |now| Clock::Fixed(now.with_timezone(&Utc))),
            cancel,
            verbose: global.verbose,
            plugin_dirs: global.plugin_dir.clone(),
            locked: global.locked,
        }
    }

    /// Listens to Ctrl-C from now on, in another thread.
    pub(crate) fn listen(&self) {
        signals::listen(self.cancel.clone(), self.output);
    }

    /// The plugins, without a pipeline.
    pub(crate) fn registry(&self) -> Registry {
        self.registry_of(&Plugins::default())
    }

    /// The plugins, as a pipeline wants them.
    pub(crate) fn registry_of(&self, plugins: &Plugins) -> Registry {
        let mut search = SearchPath::default();
        for folder in &self.plugin_dirs {
            search.add(folder, "--plugin-dir");
        }
        for folder in named_folders() {
            search.add(&folder, PLUGIN_VARIABLE);
        }
        for folder in &plugins.path {
            search.add(folder, "[plugins] of the pipeline");
        }
        let data_home = data_home(|name| std::env::var_os(name));
        let program = std::env::current_exe().ok();
        search.add_standard(data_home.as_deref(), program.as_deref());
        let isolation = Isolation::of_this_program(plugins.isolate);
        let pins = match pins_path() {
            Some(path) => Pins::open(&path),
            None => Ok(Pins::default()),
        };
        let trust = Trust::of(pins, self.locked || plugins.locked);
        let registry = Registry::new(search).isolated(isolation).trusting(trust);
        for problem in registry.folder_problems() {
            self.output.problem(problem);
        }
        registry
    }

    /// The folders that `--plugin-dir` names.
    pub(crate) fn plugin_dirs(&self) -> &[PathBuf] {
        &self.plugin_dirs
    }

    /// Whether `--locked` was said.
    pub(crate) fn locked(&self) -> bool {
        self.locked
    }

    /// A finder over the plugins.
    pub(crate) fn finder<'a>(&'a self, registry: &'a Registry) -> Finder<'a> {
        Finder {
            registry,
            clock: &self.clock,
        }
    }

    /// What runs and queries are made with.
    ///
    /// # Errors
    /// When the transcript cannot be written.
    pub(crate) fn setup(&self, record: Option<&Path>, dry_run: bool) -> Result<RunSetup, Problem> {
        Ok(RunSetup {
            cancel: self.cancel.clone(),
            clock: self.clock.clone(),
            logger: self.logger(),
            progress: if self.output.quiet {
                None
            } else {
                progress::bars()
            },
            recorder: record.map(Recorder::create).transpose()?,
            dry_run,
        })
    }

    /// Prints log lines up to the level asked for: warnings always, more with `-v` and `-vv`.
    fn logger(&self) -> Logger {
        let most = match (self.output.quiet, self.verbose) {
            (true, _) => 1,
            (_, 0) => 2,
            (_, 1) => 4,
            _ => 5,
        };
        let output = self.output;
        Logger::new(most, move |line: LogLine| {
            let word = match line.level {
                1 => "error",
                2 => "warning",
                3 => "info",
                4 => "debug",
                _ => "trace",
            };
            output.note(&format!("{word}: {}: {}", line.target, line.text));
        })
    }
}

/// Where the list of pinned plugins is.
pub(crate) fn pins_path() -> Option<PathBuf> {
    let data_home =
        data_home(|name| std::env::var_os(name)).filter(|folder| folder.is_absolute())?;
    Some(Pins::path_in(&data_home))
}

/// The plugin folders that the environment names, unless the program runs with more rights than its caller.
pub(crate) fn named_folders() -> Vec<PathBuf> {
    #[cfg(unix)]
    if rustix::process::getuid() != rustix::process::geteuid() {
        return Vec::new();
    }
    let named = std::env::var_os(PLUGIN_VARIABLE).unwrap_or_default();
    let folders = std::env::split_paths(&named);
    folders
        .filter(|folder| !folder.as_os_str().is_empty())
        .collect()
}

/// The folder of the user's data, by these variables.
pub(crate) fn data_home(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let data = variable("XDG_DATA_HOME").map(PathBuf::from);
    data.or_else(|| Some(PathBuf::from(variable("HOME")?).join(".local/share")))
}

/// The device a command names.
///
/// # Errors
/// When the selector means nothing.
pub(crate) fn selector(meter: &Meter) -> Result<Selector, Problem> {
    let device = meter.device.as_deref();
    device.map_or(Ok(Selector::Any), Selector::parse)
}
