//! The program as it is shipped, with its plugins beside it, run by somebody.

use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use glucopipe_tests::{Finished, Running};
use serde_json::Value;
use tempfile::TempDir;

/// Who runs the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum User {
    /// The administrator.
    Root,
    /// A person.
    Person,
}

impl User {
    pub(crate) fn id(self) -> u32 {
        match self {
            Self::Root => 0,
            Self::Person => 1000,
        }
    }
}

/// The program with a home of its own.
#[derive(Debug)]
pub struct Program {
    home: TempDir,
    user: User,
}

impl Program {
    /// A home for a user.
    ///
    /// # Panics
    /// When there is no room.
    pub fn of(user: User) -> Self {
        let home = tempfile::tempdir().expect("a temporary folder");
        chown(home.path(), Some(user.id()), Some(user.id())).expect("root may do this");
        Self { home, user }
    }

    /// The folder the program runs in.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Starts the program.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(&self, arguments: &[&str]) -> Running {
        let mut command = Command::new(program());
        command
            .args(arguments)
            .current_dir(self.home())
            .env_clear()
            .env("HOME", self.home())
            .env("TZ", "UTC")
            .env("NO_COLOR", "1")
            .uid(self.user.id())
            .gid(self.user.id());
        Running::start(&mut command)
    }

    /// Runs the program to its end.
    ///
    /// # Panics
    /// When it does not end.
    pub fn run(&self, arguments: &[&str]) -> Finished {
        self.start(arguments).finish()
    }

    /// Runs the program, which must succeed, and reads the document it prints.
    ///
    /// # Panics
    /// When it fails.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let finished = self.run(arguments);
        let what = format!("{arguments:?}\n{}", finished.stderr);
        assert_eq!(finished.code, 0, "{what}");
        serde_json::from_str(&finished.stdout).unwrap_or_else(|error| panic!("{what}: {error}"))
    }

    /// Writes a file into the home.
    ///
    /// # Panics
    /// When there is no room.
    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.home().join(name), text).expect("room for a file");
    }
}

/// It lies beside the program that asks.
fn program() -> PathBuf {
    let own = std::env::current_exe().expect("a program knows its own file");
    own.with_file_name("glucopipe")
}
