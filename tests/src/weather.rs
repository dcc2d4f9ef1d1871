//! Bad weather for the program: what it does to files fails, or is lost. `tests/c/weather.c` makes it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::build;

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weather {
    /// The program is killed.
    Kill,
    /// The power fails: what was not synchronised may be lost.
    PowerCut,
    /// No space is left.
    DiskFull,
    /// Nothing can be changed.
    ReadOnly,
}

/// The exit code of a program that was ended by the weather.
pub const ENDED: i32 = 99;

impl Weather {
    /// The same command, in this weather from its change number `change` in the folder on; `seed` decides what
    /// a power cut loses.
    ///
    /// # Panics
    /// Where [`Weather::comes`] says that there is none.
    pub fn over(self, command: &Command, folder: &Path, change: u64, seed: u64) -> Command {
        let word = match self {
            Self::Kill => "kill",
            Self::PowerCut => "cut",
            Self::DiskFull => "full",
            Self::ReadOnly => "readonly",
        };
        let mut over = Command::new(machine().expect("weather"));
        over.arg(folder)
            .args([word, &change.to_string(), &seed.to_string()])
            .arg(command.get_program())
            .args(command.get_args())
            .env_clear();
        for (name, value) in command.get_envs() {
            if let Some(value) = value {
                over.env(name, value);
            }
        }
        if let Some(folder) = command.get_current_dir() {
            over.current_dir(folder);
        }
        over
    }

    /// Whether there can be weather: it needs Linux, and the right to watch the system calls of a child.
    pub fn comes() -> bool {
        machine().is_some()
    }
}

/// The program that makes the weather, built once.
fn machine() -> Option<&'static Path> {
    static MACHINE: OnceLock<Option<PathBuf>> = OnceLock::new();
    MACHINE
        .get_or_init(|| {
            if !cfg!(all(
                target_os = "linux",
                any(target_arch = "x86_64", target_arch = "aarch64")
            )) {
                return None;
            }
            let machine = compile();
            let mut calm = Command::new(&machine);
            calm.args(["/nowhere", "kill", "1", "1", "/bin/true"]);
            let status = calm.stderr(Stdio::null()).status().expect("it starts");
            status.success().then_some(machine)
        })
        .as_deref()
}

fn compile() -> PathBuf {
    let program = build().program();
    let folder = program.parent().expect("a folder");
    let machine = folder.join("glucopipe-weather");
    // Another test program may be building the same.
    let fresh = tempfile::NamedTempFile::new_in(folder).expect("a file");
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let mut command = cc::Build::new()
        .target(&target)
        .host(&target)
        .opt_level(0)
        .cargo_metadata(false)
        .get_compiler()
        .to_command();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("c/weather.c");
    command
        .args(["-std=gnu99", "-Wall", "-Wextra", "-Werror", "-o"])
        .args([fresh.path(), &source]);
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}:\n{text}");
    fresh.into_temp_path().persist(&machine).expect("a program");
    machine
}
