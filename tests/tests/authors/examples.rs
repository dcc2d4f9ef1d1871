//! The examples in C, from a folder with an installed program and its headers, and nothing else.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use glucopipe_tests::{Finished, Running, Workspace, build};

use super::{column, root, succeed};

/// Copies files of a folder, by the ends of their names.
fn copy(from: &Path, to: &Path, end: &str) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path
            .file_name()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        if path.is_file() && name.ends_with(end) {
            fs::copy(&path, to.join(name)).expect("a copy");
        }
    }
}

/// An installed glucopipe, and an example beside it.
struct Stranger {
    workspace: Workspace,
    example: PathBuf,
}

impl Stranger {
    fn new(example: &str) -> Self {
        let workspace = Workspace::new();
        let home = workspace.path();
        fs::create_dir_all(home.join("usr/bin")).expect("a folder");
        fs::create_dir_all(home.join("usr/lib/glucopipe/plugins")).expect("a folder");
        fs::copy(build().program(), home.join("usr/bin/glucopipe")).expect("the program");
        for name in ["driver_contour", "exporter_csv"] {
            let library = build().library(name);
            let to = home.join("usr/lib/glucopipe/plugins");
            fs::copy(&library, to.join(library.file_name().expect("a name"))).expect("a library");
        }
        copy(
            &root().join("core/abi/include"),
            &home.join("usr/include"),
            ".h",
        );
        let from = root().join("examples").join(example);
        let folder = home.join(example);
        for end in [".c", ".toml", ".transcript"] {
            copy(&from, &folder, end);
        }
        Self {
            example: folder,
            workspace,
        }
    }

    /// Builds the example with a compiler.
    fn build(&self, compiler: &str, source: &str, library: &str) {
        let include = self.workspace.path().join("usr/include");
        let flags = [
            "-std=c99",
            "-Wall",
            "-Wextra",
            "-Wpedantic",
            "-Werror",
            "-O1",
        ];
        succeed(
            Command::new(compiler)
                .current_dir(&self.example)
                .args(flags)
                .args(["-fPIC", "-fvisibility=hidden", "-shared", "-o", library])
                .args([source, "-I"])
                .arg(include),
        );
    }

    /// Loads the example and runs its pipeline.
    fn run(&self) -> Finished {
        let environment = self.workspace.command(&[]);
        let environment = environment.get_envs();
        let mut command = Command::new(self.workspace.path().join("usr/bin/glucopipe"));
        command
            .current_dir(&self.example)
            .env_clear()
            .envs(environment.filter_map(|(name, value)| Some((name, value?))))
            .arg("--plugin-dir")
            .arg(&self.example)
            .arg("run");
        Running::start(&mut command).finish()
    }

    /// Builds the example, runs its pipeline, and gives the file it writes.
    fn output(&self, compiler: &str, source: &str, library: &str, file: &str) -> String {
        self.build(compiler, source, library);
        let finished = self.run();
        assert_eq!(finished.code, 0, "{compiler}: {}", finished.stderr);
        fs::read_to_string(self.example.join(file)).expect("it was written")
    }
}

/// The compilers of this machine: `cc`, and clang where there is one.
fn compilers() -> impl Iterator<Item = &'static str> {
    let works = |compiler: &&str| Command::new(compiler).arg("--version").output().is_ok();
    ["cc", "clang"].into_iter().filter(works)
}

#[test]
fn the_driver_in_c() {
    for compiler in compilers() {
        let library = "libglucopipe_driver_insulinx.so";
        let stranger = Stranger::new("driver-c");
        let table = stranger.output(compiler, "insulinx.c", library, "out/readings.csv");
        assert_eq!(column(&table, "value"), ["94", "131", "105", "68"]);
        assert_eq!(
            column(&table, "local_time"),
            [
                "2014-08-26T07:31:00",
                "2014-08-26T13:02:00",
                "2014-08-26T19:40:00",
                "2014-08-27T12:47:00"
            ]
        );
    }
}

/// A byte of a record is another one: the sums of the meter tell, and nothing is delivered.
#[test]
fn the_driver_in_c_believes_no_damaged_list() {
    let stranger = Stranger::new("driver-c");
    stranger.build("cc", "insulinx.c", "libglucopipe_driver_insulinx.so");
    let transcript = stranger.example.join("session.transcript");
    let whole = fs::read_to_string(&transcript).expect("a transcript");
    let damaged = whole.replace("302c36382c30", "302c36392c30");
    assert_ne!(whole, damaged);
    fs::write(&transcript, damaged).expect("written");
    let finished = stranger.run();
    assert_eq!(finished.code, 7, "{}", finished.stderr);
    let cause = "cause: a reply has a wrong checksum";
    assert!(finished.stderr.contains(cause), "{}", finished.stderr);
    assert!(!stranger.example.join("out/readings.csv").exists());
}

#[test]
fn the_exporter_in_c() {
    for compiler in compilers() {
        let library = "libglucopipe_exporter_line_protocol.so";
        let stranger = Stranger::new("exporter-c");
        let lines = stranger.output(compiler, "line_protocol.c", library, "out/readings.line");
        assert_eq!(lines.lines().count(), 5);
        let line = lines.lines().next().expect("a line");
        assert!(
            line.starts_with("glucose,model=Contour\\ Next\\ USB,serial="),
            "{line}"
        );
        assert!(line.ends_with("000000000"), "{line}");
    }
}
