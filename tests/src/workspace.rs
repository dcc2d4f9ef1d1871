//! A private folder to run the program in.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::build::build;
use crate::process::{Finished, Running};

/// What time it is for the program.
const NOW: &str = "2026-11-01T12:00:00Z";

/// A folder of one test, with plugins, files and a home of its own; gone when dropped.
#[derive(Debug)]
pub struct Workspace {
    home: TempDir,
}

impl Default for Workspace {
    fn default() -> Self {
        Self::new()
    }
}

impl Workspace {
    /// An empty workspace; builds the program and the plugins first.
    ///
    /// # Panics
    /// When they do not compile, or there is no room.
    pub fn new() -> Self {
        build();
        let home = tempfile::Builder::new()
            .prefix("glucopipe-")
            .tempdir()
            .expect("a temporary folder");
        fs::create_dir(home.path().join("plugins")).expect("a folder for plugins");
        Self { home }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.home.path()
    }

    /// The folder for `--plugin-dir`.
    pub fn plugins(&self) -> PathBuf {
        self.path().join("plugins")
    }

    /// Puts a library that was built into the plugin folder: `exporter_csv`, `test_hostile`.
    ///
    /// # Panics
    /// When there is none of that name.
    pub fn install(&self, name: &str) -> PathBuf {
        let built = build().library(name);
        let to = self
            .plugins()
            .join(built.file_name().expect("libraries have names"));
        // A link is enough, and the loader then maps the library once for all tests.
        if fs::hard_link(&built, &to).is_err() {
            fs::copy(&built, &to).unwrap_or_else(|error| panic!("{}: {error}", built.display()));
        }
        to
    }

    /// Writes a file.
    ///
    /// # Panics
    /// When that fails.
    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).unwrap_or_else(|error| panic!("{name}: {error}"));
    }

    /// Reads a file; `None` when there is none.
    pub fn read(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.path().join(name)).ok()
    }

    /// The program with arguments, an environment of this folder, and a clock that stands still.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(build().program());
        let inherited = ["PATH", "LD_LIBRARY_PATH", "LLVM_PROFILE_FILE", "TMPDIR"];
        let kept: Vec<_> = inherited
            .iter()
            .filter_map(|name| Some((*name, std::env::var_os(name)?)))
            .collect();
        command
            .args(arguments)
            .current_dir(self.path())
            .env_clear()
            .envs(kept)
            .env("HOME", self.path())
            .env("TZ", "UTC")
            .env("NO_COLOR", "1")
            .env("GLUCOPIPE_CLOCK", NOW);
        for (name, folder) in [
            ("XDG_CONFIG_HOME", "config"),
            ("XDG_DATA_HOME", "data"),
            ("XDG_STATE_HOME", "state"),
            ("XDG_CACHE_HOME", "cache"),
            ("XDG_RUNTIME_DIR", "runtime"),
        ] {
            command.env(name, self.path().join(folder));
        }
        command
    }

    /// Starts the program.
    pub fn start(&self, arguments: &[&str]) -> Running {
        Running::start(&mut self.command(arguments))
    }

    /// Runs the program to its end.
    pub fn run(&self, arguments: &[&str]) -> Finished {
        self.start(arguments).finish()
    }

    /// Runs the program to its end, with what it may read from standard input.
    ///
    /// # Panics
    /// When the input cannot be written down.
    pub fn run_answering(&self, arguments: &[&str], input: &str) -> Finished {
        self.write("input", input);
        let input = fs::File::open(self.path().join("input")).expect("the input is there");
        Running::start_with(&mut self.command(arguments), input.into()).finish()
    }

    /// A text with this folder's name replaced by `[HOME]`, the same in every run.
    pub fn filtered(&self, text: &str) -> String {
        text.replace(&self.path().display().to_string(), "[HOME]")
    }
}
