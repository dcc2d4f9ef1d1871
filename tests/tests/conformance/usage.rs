//! The command itself: what it prints, and what it takes.

use glucopipe_tests::{Meeting, Workspace};

use super::Check;
use crate::support::{shown, stable};

/// Where an ELF file says its machine, and two of them.
const E_MACHINE: std::ops::Range<usize> = 18..20;
const EM_X86_64: u16 = 62;
const EM_AARCH64: u16 = 183;

/// A listing for people, with what is wrong under the test that found it.
#[test]
fn people_read_lines() {
    let workspace = Workspace::new();
    let library = workspace.install("test_hostile").display().to_string();
    let finished = workspace.run(&[
        "plugins",
        "check",
        &library,
        "--test",
        "transform",
        "--config",
        "mode = \"invents\"",
    ]);
    insta::assert_snapshot!(shown(&workspace, &finished));
}

/// Wrong usage ends with 2, and runs nothing.
#[test]
fn wrong_usage() {
    let workspace = Workspace::new();
    let library = workspace.install("exporter_csv").display().to_string();
    let mut text = String::new();
    for arguments in [
        &["plugins", "check"][..],
        &["plugins", "check", "nothing.so"],
        &["plugins", "check", &library, "--config", "path"],
        &["plugins", "check", &library, "--config", "{\"path\": "],
        &["plugins", "check", &library, "--config", "@nothing.toml"],
        &["plugins", "check", &library, "--device", "usb:1a79:7410"],
        &["plugins", "check", &library, "--device", "virtual:nothing"],
        &[
            "plugins",
            "check",
            &library,
            "--device",
            "replay:nothing.transcript",
        ],
        &["plugins", "check", &library, "--test", "nothing"],
    ] {
        let finished = workspace.run(arguments);
        assert_eq!(finished.code, 2, "{arguments:?}: {}", finished.stderr);
        text.push_str(&stable(&workspace, &finished.stderr));
        text.push('\n');
    }
    insta::assert_snapshot!(text);
}

/// A library that the loader refuses fails with the loader's reason, and the rest is skipped.
#[test]
fn a_library_that_cannot_be_loaded() {
    let workspace = Workspace::new();
    workspace.write("meter.so", "not a library");
    let finished = workspace.run(&["plugins", "check", "meter.so"]);
    assert_eq!(finished.code, 8);
    insta::assert_snapshot!(shown(&workspace, &finished));
}

/// What is no file is refused at once, in the words of the other commands.
#[test]
fn what_is_no_file_is_refused() {
    let workspace = Workspace::new();
    let _meeting = Meeting::new(workspace.path(), "meter");
    let pipe = workspace.path().join("meter.here").display().to_string();
    let folder = workspace.path().display().to_string();
    for file in [&pipe, &folder, "/dev/zero"] {
        let checked = workspace.run(&["plugins", "check", file]);
        let written = workspace.run(&["plugins", "manifest", file]);
        assert_eq!(checked.stdout, "");
        assert!(
            checked.stderr.contains("it is not a regular file"),
            "{}",
            checked.stderr
        );
        assert_eq!(
            (checked.code, checked.stderr),
            (written.code, written.stderr)
        );
    }
}

/// A library of another machine is no riddle of the linker.
#[test]
fn a_library_of_another_machine() {
    let workspace = Workspace::new();
    let library = workspace.install("exporter_jsonl");
    let mut bytes = std::fs::read(&library).expect("a library");
    let other: u16 = match std::env::consts::ARCH {
        "aarch64" => EM_X86_64,
        _ => EM_AARCH64,
    };
    bytes[E_MACHINE].copy_from_slice(&other.to_le_bytes());
    std::fs::remove_file(&library).expect("removed");
    std::fs::write(&library, bytes).expect("written");
    let file = library.display().to_string();
    let check = Check::run(&workspace, &library, &[]);
    assert_eq!(check.of("failed"), ["file.entry", "scan.load"]);
    assert_eq!(check.of("passed"), [""; 0], "{:#}", check.document);
    let words = "it is for another machine: ";
    let reasons = check.reasons("file.entry", "exporter");
    assert!(reasons.contains(words), "{reasons}");
    let said = workspace.run(&["plugins", "manifest", &file]);
    assert_eq!(said.code, 8);
    assert!(said.stderr.contains(words), "{}", said.stderr);
    assert!(
        said.stderr.contains("hint: build it on this machine"),
        "{}",
        said.stderr
    );
}

/// In one process, for a debugger, the verdicts are the same.
#[test]
fn in_one_process() {
    let workspace = Workspace::new();
    let library = workspace.install("exporter_csv").display().to_string();
    let apart = workspace.run(&["plugins", "check", &library, "--test", "exporter"]);
    let together = workspace.run(&[
        "plugins",
        "check",
        &library,
        "--test",
        "exporter",
        "--in-process",
    ]);
    assert_eq!((apart.code, together.code), (0, 0), "{}", together.stdout);
    assert_eq!(apart.stdout, together.stdout);
}
