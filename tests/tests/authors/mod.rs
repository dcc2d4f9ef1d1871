//! Plugins of strangers: what `plugins new` writes, and the examples, built outside the workspace.

mod examples;
mod scaffolds;

use std::path::{Path, PathBuf};
use std::process::Command;

use glucopipe_tests::{Finished, Running, Workspace, build};

/// The workspace's folder.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Runs a tool to its end; it must succeed.
fn succeed(command: &mut Command) {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Tests and builds a package in Rust, without the network: it may use what the workspace uses. Gives the
/// folder of the libraries.
fn cargo(folder: &Path) -> PathBuf {
    let lock = folder.join("Cargo.lock");
    std::fs::copy(root().join("Cargo.lock"), lock).expect("a copy of the lock file");
    let built = build().program();
    let target = built.ancestors().nth(2).expect("the target folder");
    let libraries = target.join("authors");
    for verb in ["test", "build"] {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        // Built as the workspace is, the crates it depends on are there already.
        succeed(
            Command::new(cargo)
                .current_dir(folder)
                .args([verb, "--offline", "--lib", "--quiet", "--target-dir"])
                .arg(&libraries)
                .args(["--config", "profile.dev.debug=\"line-tables-only\""])
                .args(["--config", "profile.dev.package.\"*\".debug=false"])
                .env("CARGO_BUILD_BUILD_DIR", target)
                .env("CARGO_INCREMENTAL", "0"),
        );
    }
    libraries.join("debug")
}

/// Runs the pipeline of a folder, with plugins of another one besides the program's own.
fn run(workspace: &Workspace, folder: &Path, plugins: &Path) -> Finished {
    let plugins = plugins.to_str().expect("a name in UTF-8");
    let mut command = workspace.command(&["--plugin-dir", plugins, "run"]);
    Running::start(command.current_dir(folder)).finish()
}

/// The column of a table of CSV, by its heading.
fn column(table: &str, heading: &str) -> Vec<String> {
    let mut lines = table
        .lines()
        .map(|line| line.split(',').collect::<Vec<_>>());
    let headings = lines.next().expect("headings");
    let place = headings.iter().position(|found| *found == heading);
    let place = place.unwrap_or_else(|| panic!("no column {heading}"));
    lines.map(|cells| cells[place].to_owned()).collect()
}
