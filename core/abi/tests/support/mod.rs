//! The machine's C and C++ compilers, as the tests use them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A compiler of the machine: program and arguments from the environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Compiler(Vec<String>);

impl Compiler {
    /// The compilers that answer to `--version`: the one the variable names or the system's default,
    /// then the others of these names.
    fn all(variable: &str, default: &str, others: &[&str]) -> Vec<Self> {
        let chosen = std::env::var(variable).unwrap_or_else(|_| default.to_owned());
        let mut found: Vec<Self> = Vec::new();
        for command in std::iter::once(chosen.as_str()).chain(others.iter().copied()) {
            let compiler = Self(command.split_whitespace().map(str::to_owned).collect());
            let works = |compiler: &Self| {
                let version = compiler.command().arg("--version").output();
                version.is_ok_and(|output| output.status.success())
            };
            if !compiler.0.is_empty() && !found.contains(&compiler) && works(&compiler) {
                found.push(compiler);
            }
        }
        found
    }

    /// C compilers; at least one is there.
    pub(crate) fn c() -> Vec<Self> {
        let found = Self::all("CC", "cc", &["clang"]);
        assert!(
            !found.is_empty(),
            "these tests need a C compiler: install one or name it in CC"
        );
        found
    }

    /// C++ compilers, if any.
    #[allow(dead_code)] // not every test binary needs C++
    pub(crate) fn cpp() -> Vec<Self> {
        Self::all("CXX", "c++", &["clang++"])
    }

    /// Name for messages.
    pub(crate) fn name(&self) -> String {
        self.0.join(" ")
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.0[0]);
        command.args(&self.0[1..]);
        command
    }

    /// Runs the compiler on a source with the header's folder in the search path.
    pub(crate) fn run(&self, arguments: &[&str], source: &Path) -> Output {
        self.command()
            .arg("-I")
            .arg(header_folder())
            .args(arguments)
            .arg(source)
            .output()
            .unwrap_or_else(|error| panic!("cannot start `{}`: {error}", self.name()))
    }

    /// As [`Compiler::run`], and it must succeed.
    #[allow(dead_code)] // not every test binary makes files
    pub(crate) fn build(&self, arguments: &[&str], source: &Path) {
        let output = self.run(arguments, source);
        assert!(
            output.status.success(),
            "`{}` failed on {}:\n{}",
            self.name(),
            source.display(),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

/// The folder of `glucopipe.h`.
pub(crate) fn header_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("include")
}
