//! The plugin that misbehaves on demand fails the test that is meant for what it does.

use glucopipe_tests::Workspace;

use super::{Check, LIMIT};

/// Runs one test of the hostile plugin in a mode, and expects it to fail with these words.
fn fails(kind: &str, mode: &str, test: &str, words: &str) {
    fails_within(LIMIT, kind, mode, test, words);
}

fn fails_within(limit: &str, kind: &str, mode: &str, test: &str, words: &str) {
    let keys = format!("mode = \"{mode}\"\npath = \"out\"");
    fails_with(limit, kind, &keys, test, words);
}

fn fails_with(limit: &str, kind: &str, keys: &str, test: &str, words: &str) {
    let workspace = Workspace::new();
    let library = workspace.install("test_hostile");
    let device = "virtual:contour-next-usb";
    let more = [
        "--config",
        keys,
        "--device",
        device,
        "--test",
        test,
        "--timeout",
        limit,
    ];
    let check = Check::run(&workspace, &library, &more);
    let reasons = check.reasons(test, kind);
    assert!(
        reasons.starts_with("\"failed\""),
        "{keys}: {:#}",
        check.document
    );
    assert!(
        reasons.contains(words),
        "{keys}: expected `{words}` in {reasons}"
    );
    assert_eq!(check.finished.code, 8, "{keys}");
}

#[test]
fn in_a_good_mood_it_passes() {
    let workspace = Workspace::new();
    let library = workspace.install("test_hostile");
    let keys = "mode = \"good\"\npath = \"out\"";
    let device = "virtual:contour-next-usb";
    let check = Check::run(
        &workspace,
        &library,
        &["--config", keys, "--device", device],
    );
    assert_eq!(check.of("failed"), [""; 0], "{:#}", check.document);
    assert_eq!(check.finished.code, 0);
}

#[test]
fn drivers() {
    for (mode, test, words) in [
        ("panic-open", "driver.info", "boom in open"),
        ("panic-info", "driver.info", "boom in info"),
        ("fails-without-error", "driver.info", "without a message"),
        ("session-null", "driver.info", "it opened no session"),
        ("info-garbage", "driver.info", "is not the JSON"),
        ("info-bytes", "driver.info", "not UTF-8"),
        ("serial-empty", "driver.read", "no serial or no model"),
        ("column-missing", "driver.read", "`raw_value` is missing"),
        ("unit-missing", "driver.read", "glucopipe.unit"),
        ("row-nan", "driver.read", "implausible"),
        ("row-key-twice", "driver.read", "came before in this read"),
        ("text-bytes", "driver.read", "broken batch"),
        ("index-beyond", "driver.read", "broken batch"),
        ("lost-late", "driver.read", "the cable was pulled"),
        ("report-garbage", "driver.read", "is not the JSON"),
        ("endless-empty", "driver.read", "does not end"),
        ("panic-finish", "driver.read", "boom in finish"),
    ] {
        fails("driver", mode, test, words);
    }
}

/// What a child forbids fails the check.
#[test]
fn crimes_of_drivers() {
    let ended = "SIGSYS: it tried what no plugin may do, such as starting a process";
    for (crime, words) in [
        ("fork", ended),
        ("start", ended),
        ("pry", "Permission denied"),
        ("phone", "Operation not permitted"),
        ("knock", "Operation not permitted"),
        ("cap", "Operation not permitted"),
        ("sneak", "no file was made"),
        ("signals", "installed or removed a signal handler"),
        ("print", "to standard output"),
    ] {
        let keys = format!("mode = \"good\"\ncrime = \"{crime}\"");
        fails_with(LIMIT, "driver", &keys, "driver.read", words);
    }
}

/// Nothing is waited for longer than was said.
#[test]
fn a_driver_that_hears_nothing_is_ended() {
    let words = "did not come back within 3 s";
    fails_within("3s", "driver", "deaf", "driver.read", words);
}

#[test]
fn exporters() {
    for (mode, test, words) in [
        ("panic-open", "exporter.write", "boom in open"),
        ("panic-commit", "exporter.write", "boom in commit"),
        ("stops-early", "exporter.write", "accounts for 4 of 8"),
        ("reads-nothing", "exporter.write", "accounts for 0 of 8"),
        ("report-garbage", "exporter.write", "is not the JSON"),
        ("report-null", "exporter.write", "missing"),
        ("sink-null", "exporter.write", "it opened no sink"),
        (
            "keeps",
            "exporter.consumes",
            "did not release a good stream",
        ),
    ] {
        fails("exporter", mode, test, words);
    }
}

#[test]
fn transforms() {
    for (mode, test, words) in [
        ("panic-apply", "transform.apply", "boom in apply"),
        (
            "repeats",
            "transform.apply",
            "invented or repeated a reading",
        ),
        (
            "invents",
            "transform.apply",
            "invented or repeated a reading",
        ),
        (
            "loses-column",
            "transform.apply",
            "lost the column `raw_unit`",
        ),
        (
            "changes-type",
            "transform.apply",
            "changed the type of column `value`",
        ),
        (
            "changes-raw",
            "transform.apply",
            "changed the column `raw_value`",
        ),
        ("nan", "transform.apply", "implausible"),
        (
            "unknown-unit",
            "transform.apply",
            "`unit` is not one of the words",
        ),
        ("null-in-dictionary", "transform.apply", "has nulls"),
        (
            "keeps",
            "transform.consumes",
            "did not take a good stream over",
        ),
        ("no-output", "transform.consumes", "gave no stream"),
    ] {
        fails("transform", mode, test, words);
    }
}

/// What builds on something that failed is not run: one mistake is told once.
#[test]
fn one_mistake_is_told_once() {
    let workspace = Workspace::new();
    let library = workspace.install("test_hostile");
    let keys = "mode = \"stream-error\"";
    let device = "virtual:contour-next-usb";
    let more = [
        "--config",
        keys,
        "--device",
        device,
        "--test",
        "driver",
        "--test",
        "life.leaks",
    ];
    let check = Check::run(&workspace, &library, &more);
    assert_eq!(
        check.of("failed"),
        ["driver.read hostile"],
        "{:#}",
        check.document
    );
    for test in ["driver.cancel", "driver.lost", "life.leaks"] {
        assert_eq!(
            check.reasons(test, "driver"),
            "\"skipped\" [\"`driver.read` failed\"]"
        );
    }
}
