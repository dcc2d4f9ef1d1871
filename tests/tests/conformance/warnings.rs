//! What breaks nothing, and an author should see.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use glucopipe_tests::Workspace;

use super::Check;
use crate::support::shown;

/// The driver in C that `plugins new` begins, with texts of its source replaced; gives its folder and the library.
fn driver(workspace: &Workspace, changes: &[(&str, &str)]) -> (PathBuf, PathBuf) {
    let begun = workspace.run(&["plugins", "new", "driver", "two-meter", "--lang", "c"]);
    assert_eq!(begun.code, 0, "{}", begun.stderr);
    let folder = workspace.path().join("two-meter");
    let source = folder.join("two_meter.c");
    let mut text = fs::read_to_string(&source).expect("the source");
    for (from, to) in changes {
        assert_eq!(text.matches(from).count(), 1, "{from}");
        text = text.replace(from, to);
    }
    fs::write(&source, text).expect("the source is written");
    let library = folder.join("two_meter.so");
    let flags = ["-std=c99", "-fPIC", "-fvisibility=hidden", "-shared", "-o"];
    let status = Command::new("cc")
        .args(flags)
        .args([&library, &source])
        .status();
    assert!(status.expect("a compiler").success());
    (folder, library)
}

/// What makes the driver believe every answer.
const BELIEVES: (&str, &str) = ("if (answer[*len - 1] != sum)", "if (0)");
/// What makes it say that it cannot do better.
const SAYS_SO: (&str, &str) = (
    r#"\"lacks\": {"#,
    r#"\"lacks\": {\"checksums\": \"this meter sends none\", "#,
);

fn damaged(workspace: &Workspace, changes: &[(&str, &str)], more: &[&str]) -> Check {
    let (folder, library) = driver(workspace, changes);
    let device = format!("replay:{}", folder.join("session.transcript").display());
    let arguments = ["--device", &device, "--test", "driver.damaged"];
    Check::run(workspace, &library, &[&arguments, more].concat())
}

#[test]
fn a_driver_that_believes_damaged_bytes() {
    let workspace = Workspace::new();
    let check = damaged(&workspace, &[BELIEVES], &[]);
    let reasons = check.reasons("driver.damaged", "driver");
    assert!(reasons.starts_with("\"warned\""), "{reasons}");
    assert!(reasons.contains("compare the checksums"), "{reasons}");
    assert!(
        reasons.contains("`two-meter` gave readings that the meter does not hold"),
        "{reasons}"
    );
    assert_eq!(check.document["warned"], 1);
    assert_eq!(check.document["passed"], 0);
    assert_eq!(check.finished.code, 0, "a warning is no failure");
}

/// Whoever wants no warnings says so: nothing else changes.
#[test]
fn strict_makes_a_warning_count() {
    let workspace = Workspace::new();
    let check = damaged(&workspace, &[BELIEVES], &["--strict"]);
    assert_eq!(check.document["warned"], 1);
    assert_eq!(check.document["failed"], 0);
    assert_eq!(check.finished.code, 8);
    let workspace = Workspace::new();
    let check = damaged(&workspace, &[], &["--strict"]);
    assert_eq!(check.document["passed"], 1, "{:#}", check.document);
    assert_eq!(check.finished.code, 0);
}

/// What cannot be noticed is no mistake of the driver; it is told all the same.
#[test]
fn a_protocol_without_checksums() {
    let workspace = Workspace::new();
    let check = damaged(&workspace, &[BELIEVES, SAYS_SO], &["--strict"]);
    assert_eq!(check.document["passed"], 1, "{:#}", check.document);
    let notes = check.document["tests"][0]["notes"].to_string();
    assert!(
        notes.contains("it has no checksums: this meter sends none"),
        "{notes}"
    );
    assert!(
        notes.contains("gave readings that the meter does not hold"),
        "{notes}"
    );
    assert_eq!(check.finished.code, 0);
}

/// A meter whose memory is empty shows little of its driver.
#[test]
fn little_was_tested() {
    let workspace = Workspace::new();
    let library = workspace.install("driver_contour");
    let device = "virtual:contour-next-usb?records=0";
    let check = Check::run(
        &workspace,
        &library,
        &["--device", device, "--test", "driver.read"],
    );
    assert_eq!(
        check.reasons("driver.read", "driver"),
        "\"warned\" [\"the meter holds no reading: little was tested\"]"
    );
}

/// Symbols that others may have too; as people read it.
#[test]
fn symbols_that_others_may_have() {
    let workspace = Workspace::new();
    let shows = r#"__attribute__((visibility("default"))) const char* decode("#;
    let (_, library) = driver(&workspace, &[("static const char* decode(", shows)]);
    let library = library.display().to_string();
    let finished = workspace.run(&["plugins", "check", &library, "--test", "file.entry"]);
    insta::assert_snapshot!(shown(&workspace, &finished));
}
