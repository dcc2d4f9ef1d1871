//! The helpers for C beside the header: they compile in every C and C++ they promise, and do what they say.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // helpers of tests are tests

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;

use support::Compiler;

const WARNINGS: [&str; 4] = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"];
/// Finds wild reads, leaks and undefined behaviour.
const SANITIZERS: [&str; 3] = [
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
    "-g",
];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/c/helpers.c")
}

/// Compiles the tests in C, and runs them.
fn run(compiler: &Compiler, arguments: &[&str], folder: &Path) {
    let program = folder.join("helpers");
    let mut all = vec!["-o", program.to_str().unwrap()];
    all.extend(arguments.iter().chain(&WARNINGS));
    compiler.build(&all, &source());
    let home = tempfile::tempdir_in(folder).unwrap();
    let output = Command::new(&program).arg(home.path()).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let name = compiler.name();
    assert!(
        output.status.success(),
        "`{name}` {arguments:?}: {}\n{said}",
        output.status
    );
}

#[test]
fn they_work_in_every_c() {
    let folder = tempfile::tempdir().unwrap();
    for compiler in Compiler::c() {
        for standard in ["-std=c99", "-std=c11", "-std=c17"] {
            run(&compiler, &[standard, "-O2"], folder.path());
        }
    }
}

#[test]
fn they_work_in_every_cpp() {
    let folder = tempfile::tempdir().unwrap();
    let compilers = Compiler::cpp();
    if compilers.is_empty() {
        println!("skipped: no C++ compiler here; install one or name it in CXX");
    }
    for compiler in compilers {
        for standard in ["-std=c++11", "-std=c++17", "-std=c++20"] {
            run(&compiler, &["-x", "c++", standard], folder.path());
        }
    }
}

#[test]
fn they_leak_nothing_and_stay_inside_their_memory() {
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.c");
    std::fs::write(&empty, "int main(void) { return 0; }\n").unwrap();
    for compiler in Compiler::c() {
        let output = folder.path().join("empty");
        let mut arguments = vec!["-o", output.to_str().unwrap()];
        arguments.extend(SANITIZERS);
        let works = compiler.run(&arguments, &empty).status.success()
            && Command::new(&output).status().unwrap().success();
        if !works {
            println!("skipped: `{}` has no sanitizers here", compiler.name());
            continue;
        }
        run(&compiler, &SANITIZERS, folder.path());
    }
}
