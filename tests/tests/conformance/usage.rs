//! The command itself: what it prints, and what it takes.

use glucopipe_tests::Workspace;

use crate::support::{shown, stable};

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
