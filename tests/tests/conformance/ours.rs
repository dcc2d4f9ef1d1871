//! Our own plugins keep the contract; what is skipped is known.

use glucopipe_tests::Workspace;

use super::{Check, LIMIT};

/// Checks a plugin of ours with nothing but its name, a part of the tests at a time.
fn passes(library: &str, skipped: &[&str]) {
    let workspace = Workspace::new();
    let library = workspace.install(library);
    let mut found = Vec::new();
    for part in [
        &["--test", "file", "--test", "scan", "--test", "keys"][..],
        &["--test", "driver", "--test", "exporter"],
        &["--test", "life"],
    ] {
        let check = Check::run(
            &workspace,
            &library,
            &[part, &["--timeout", LIMIT]].concat(),
        );
        assert_eq!(check.of("failed"), [""; 0], "{:#}", check.document);
        assert_eq!(check.of("warned"), [""; 0], "{:#}", check.document);
        assert_eq!(check.finished.code, 0, "{}", check.finished.stderr);
        assert!(check.of("passed").len() > 2, "{:#}", check.document);
        found.extend(check.of("skipped"));
    }
    assert_eq!(found, skipped);
}

#[test]
fn contour() {
    passes("driver_contour", &["driver.erase contour"]);
}

#[test]
fn verio() {
    passes("driver_verio", &[]);
}

#[test]
fn csv() {
    passes("exporter_csv", &[]);
}

#[test]
fn jsonl() {
    passes("exporter_jsonl", &[]);
}

#[test]
fn parquet() {
    passes("exporter_parquet", &[]);
}

/// A library that has a manifest is loaded in another way.
#[test]
fn a_manifest_beside_a_library_changes_nothing() {
    let workspace = Workspace::new();
    let library = workspace.install("exporter_jsonl");
    let file = library.to_str().expect("UTF-8");
    let written = workspace.run(&["plugins", "manifest", file, "--needs", "files"]);
    assert_eq!(written.code, 0, "{}", written.stderr);
    let check = Check::run(&workspace, &library, &["--test", "scan", "--test", "life"]);
    assert_eq!(check.of("failed"), [""; 0], "{:#}", check.document);
    assert_eq!(check.finished.code, 0, "{}", check.finished.stderr);
}

/// What a pipeline would not lend a plugin, its check does not either.
#[test]
fn a_driver_whose_manifest_asks_for_no_device_has_none() {
    let workspace = Workspace::new();
    let library = workspace.install("driver_contour");
    let file = library.to_str().expect("UTF-8");
    let written = workspace.run(&["plugins", "manifest", file, "--needs", "nothing"]);
    assert_eq!(written.code, 0, "{}", written.stderr);
    let check = Check::run(&workspace, &library, &["--test", "driver.read"]);
    assert_eq!(check.of("failed").len(), 1, "{:#}", check.document);
    let reasons = check.document["tests"][0]["reasons"].to_string();
    assert!(reasons.contains("does not ask for `devices`"), "{reasons}");
    assert_eq!(check.finished.code, 8, "{}", check.finished.stderr);
}

/// Without a site only what needs none is checked; `tests/nightscout` checks the rest.
#[test]
fn nightscout() {
    let workspace = Workspace::new();
    let library = workspace.install("exporter_nightscout");
    let check = Check::run(
        &workspace,
        &library,
        &["--test", "file", "--test", "scan", "--test", "keys"],
    );
    assert_eq!(check.of("failed"), [""; 0], "{:#}", check.document);
    assert_eq!(check.of("warned"), [""; 0], "{:#}", check.document);
    assert_eq!(check.of("skipped"), [""; 0]);
    assert_eq!(check.finished.code, 0);
}

/// A recording stands in for a meter.
#[test]
fn a_recording_is_enough_to_check_a_driver() {
    let workspace = Workspace::new();
    let library = workspace.install("driver_contour");
    let device = "virtual:contour-next-usb?records=3";
    let recorded = workspace.run(&["dump", "--device", device, "--record", "session.transcript"]);
    assert_eq!(recorded.code, 0, "{}", recorded.stderr);
    let check = Check::run(
        &workspace,
        &library,
        &["--device", "replay:session.transcript", "--test", "driver"],
    );
    assert_eq!(check.of("failed"), [""; 0], "{:#}", check.document);
    for test in [
        "driver.read contour",
        "driver.again contour",
        "driver.lost contour",
    ] {
        assert!(
            check.of("passed").iter().any(|passed| passed == test),
            "{:#}",
            check.document
        );
    }
}

/// A driver that says something else than the recording is told what and where.
#[test]
fn a_driver_is_told_where_it_left_the_recording() {
    let workspace = Workspace::new();
    let library = workspace.install("driver_contour");
    let device = "virtual:contour-next-usb?records=3";
    let recorded = workspace.run(&["dump", "--device", device, "--record", "whole"]);
    assert_eq!(recorded.code, 0, "{}", recorded.stderr);
    let whole = workspace.read("whole").expect("a transcript");
    let check = |at: usize, other: &str| {
        let mut lines: Vec<&str> = whole.lines().collect();
        lines[at - 1] = other;
        workspace.write("session.transcript", &format!("{}\n", lines.join("\n")));
        let device = ["--device", "replay:session.transcript"];
        let more = [&device[..], &["--test", "driver.read"]].concat();
        let check = Check::run(&workspace, &library, &more);
        (check.of("failed"), check.document.to_string())
    };
    // The wake-up: there is nothing to be read.
    let (failed, document) = check(5, "> 0000000159 00*59");
    assert_eq!(failed, ["driver.read contour"]);
    let sends = "session.transcript`, line 5: the driver sends `> 0000000158 00*11 …`, where `> 0000000159 00*11 …` is recorded";
    assert!(document.contains(sends), "{document}");
    // The answer to a result: the read is incomplete, as the driver says.
    let (failed, document) = check(22, "> 0000000107 00*59");
    assert_eq!(failed, [""; 0], "{document}");
    let sends = "session.transcript`, line 22: the driver sends `> 0000000106 00*11 …`, where `> 0000000107 00*11 …` is recorded";
    assert!(document.contains(sends), "{document}");
}
