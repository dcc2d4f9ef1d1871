//! `clock` and `clock set`: shown, asked for, read back, and never set by accident.

use std::collections::BTreeSet;

use glucopipe_runtime::journal::Journal;
use glucopipe_tests::{Finished, Running, Workspace};
use serde_json::Value;

use super::json;

/// Ten minutes ahead of the clock of this test.
const AHEAD: &str = "virtual:verio-flex?records=12&clock=2026-11-01T12:10:00";

/// The audit of the meter: what it objected to.
fn complaints(workspace: &Workspace) -> Vec<String> {
    let audit = workspace.read("audit").expect("the meter was plugged in");
    let objections = audit.lines().filter(|line| line.starts_with("violation"));
    objections.map(str::to_owned).collect()
}

#[test]
fn the_clock_is_shown_and_left_alone() {
    let workspace = Workspace::new();
    let device = format!("{AHEAD}&audit=audit");
    let finished = workspace.run(&["clock", "--device", &device]);
    assert_eq!((finished.code, finished.stderr.as_str()), (0, ""));
    for line in [
        "clock         2026-11-01T12:10:00",
        "computer      2026-11-01T12:00:00",
        "clock offset  10 min ahead",
    ] {
        assert!(finished.stdout.contains(line), "{}", finished.stdout);
    }
    let shown = json(&workspace.run(&["clock", "--json", "--device", &device]));
    assert_eq!(shown["clock"], "2026-11-01T12:10:00");
    assert_eq!(shown["clock_offset_s"], 600);
    assert_eq!(shown["resolution_s"], 1);
    assert_eq!(complaints(&workspace), [""; 0]);
}

/// Every family, to the time of the computer and to a time of one's own, read back from the meter.
#[test]
fn the_clock_is_set_and_read_back() {
    for model in ["verio-flex", "select-plus"] {
        for (when, expected) in [
            (&[][..], "2026-11-01T12:0"),
            (&["2026-10-25T02:30"], "2026-10-25T02:3"),
        ] {
            let workspace = Workspace::new();
            let device = format!("virtual:{model}?records=3&clock=2026-11-01T12:10:00&audit=audit");
            let mut arguments = vec!["clock", "set"];
            arguments.extend(when);
            arguments.extend(["--yes", "--json", "--device", &device]);
            let finished = workspace.run(&arguments);
            assert_eq!(finished.code, 0, "{model}: {}", finished.stderr);
            let changed = json(&finished);
            let before = changed["before"]["clock"].as_str().unwrap();
            assert!(before.starts_with("2026-11-01T12:10"), "{model}: {before}");
            let after = changed["after"]["clock"].as_str().unwrap();
            assert!(after.starts_with(expected), "{model}: {after}");
            assert_eq!(complaints(&workspace), [""; 0], "{model}");
        }
    }
}

#[test]
fn the_clock_is_set_only_when_confirmed() {
    let workspace = Workspace::new();
    let set = ["clock", "set", "--device", AHEAD];
    let finished = workspace.run_answering(&set, "Yes\n");
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    assert!(finished.stdout.contains("clock offset  exact"));
    for (answer, code, reason) in [("no\n", 130, "GP0902"), ("", 2, "GP0209")] {
        let finished = workspace.run_answering(&set, answer);
        assert_eq!(finished.code, code, "{}", finished.stderr);
        assert!(finished.stderr.contains(reason), "{}", finished.stderr);
        assert!(finished.stderr.contains("nothing was changed in the meter"));
        assert_eq!(finished.stdout, "");
    }
}

/// A meter that cannot be read to its end keeps its clock: only with it can its readings be put right.
#[test]
fn a_meter_that_was_not_read_to_its_end_is_not_changed() {
    let workspace = Workspace::new();
    let device = "virtual:verio-flex?records=30&fault=crc-forever:20";
    let finished = workspace.run(&["clock", "set", "--yes", "--device", device]);
    assert_eq!(finished.code, 7, "{}", finished.stderr);
    assert!(finished.stderr.contains("GP0209"), "{}", finished.stderr);
    assert!(finished.stderr.contains("nothing was changed in the meter"));
    assert_eq!(finished.stdout, "");
}

/// How a change of a meter ended, and whether the meter was changed.
struct Tried {
    finished: Finished,
    changed: bool,
    noted: bool,
}

/// Changes a meter with a fault.
fn tried(change: &[&str], query: &str) -> Tried {
    let workspace = Workspace::new();
    let device = format!("virtual:verio-flex?records=3&audit=audit&{query}");
    let finished = workspace.run(&[change, &["--yes", "--device", &device]].concat());
    ended(&workspace, finished)
}

fn ended(workspace: &Workspace, finished: Finished) -> Tried {
    assert_eq!(complaints(workspace), [""; 0]);
    let audit = workspace.read("audit").unwrap_or_default();
    let changes = ["erased", "clock set"];
    let changed = audit.lines().any(|line| changes.contains(&line));
    let journal = Journal::open(&workspace.path().join("state/glucopipe/journal.db"));
    let journal = journal.expect("a journal");
    let events = journal.events("verio", "ZBCDF3G6").expect("a list");
    Tried {
        finished,
        changed,
        noted: !events.is_empty(),
    }
}

/// What is said of a change is so, and a change that was done is in the journal.
fn assert_true(what: &str, tried: &Tried) -> &'static str {
    let said = &tried.finished.stderr;
    let what = format!("{what}: {said}");
    let says = |words: &str| said.contains(words);
    if matches!(tried.finished.code, 0 | 1) {
        assert!(tried.changed && tried.noted, "{what}");
        assert!(!says("still in the meter"), "{what}");
        if tried.finished.code == 1 {
            let words = ["its clock was set to", "its records were erased"];
            assert!(words.iter().any(|words| says(words)), "{what}");
            return "unseen";
        }
        return "seen";
    }
    assert!(!tried.noted, "{what}");
    if says("is not known") {
        return "not known";
    }
    assert!(!tried.changed, "{what}");
    // The driver's own words, or those of the host.
    assert!(says("nothing was ") || says("still holds"), "{what}");
    "unchanged"
}

/// As many as a change of a meter with few records takes, and some more.
const REQUESTS: u32 = 60;

/// The plug is pulled at every request of a change: what is said of the meter is so.
#[test]
fn a_meter_that_leaves_is_never_said_to_be_what_it_is_not() {
    let erase = ["erase", "--serial", "ZBCDF3G6"];
    let set = ["clock", "set", "2026-10-25T02:30"];
    for change in [&erase[..], &set] {
        let mut seen = BTreeSet::new();
        for request in 1..=REQUESTS {
            let tried = tried(change, &format!("fault=unplug:{request}"));
            seen.insert(assert_true(&format!("{change:?} {request}"), &tried));
        }
        assert!(
            seen.contains("unseen") && seen.contains("unchanged"),
            "{seen:?}"
        );
        assert!(seen.contains("seen"), "{seen:?}");
    }
}

/// Ctrl-C before a change leaves the meter as it is; behind it, the change is told and noted.
#[test]
fn an_interrupted_change_says_what_became_of_the_meter() {
    let erase = ["erase", "--serial", "ZBCDF3G6"];
    let set = ["clock", "set", "2026-10-25T02:30"];
    for change in [&erase[..], &set] {
        for (stage, came) in [
            ("it was read to its end", None),
            ("it was changed", Some("unseen")),
        ] {
            let workspace = Workspace::new();
            let device = "virtual:verio-flex?records=3&audit=audit&pace_ms=200";
            let more = ["--yes", "-v", "--device", device];
            let mut running = workspace.start(&[change, &more].concat());
            running.wait_for(stage);
            running.interrupt();
            let tried = ended(&workspace, running.finish());
            let became = assert_true(stage, &tried);
            if let Some(came) = came {
                assert_eq!(became, came, "{}", tried.finished.stderr);
            } else if became == "unchanged" {
                assert_eq!(tried.finished.code, 130, "{}", tried.finished.stderr);
            }
        }
    }
}

#[test]
fn times_that_no_meter_can_show_are_wrong_usage() {
    let workspace = Workspace::new();
    for when in [
        "18:05",
        "2026-05-30T18:05Z",
        "tomorrow",
        "1999-12-31T23:59",
        "2026-12-31T23:59:60",
    ] {
        let finished = workspace.run(&["clock", "set", when, "--yes", "--device", AHEAD]);
        assert_eq!(finished.code, 2, "{}", finished.stderr);
        assert!(finished.stderr.contains("2026-05-30T18:05"));
        assert!(finished.stderr.contains("nothing was changed in the meter"));
    }
    let finished = workspace.run(&[
        "clock",
        "--device",
        "virtual:usb-stick",
        "--driver",
        "verio",
    ]);
    assert_eq!(finished.code, 7, "{}", finished.stderr);
    assert_eq!(finished.stdout, "");
}

#[test]
fn other_commands_change_nothing() {
    let workspace = Workspace::new();
    let device = format!("{AHEAD}&audit=audit");
    for command in ["info", "dump", "clock"] {
        let finished = workspace.run(&[command, "--device", &device]);
        assert_eq!(finished.code, 0, "{}", finished.stderr);
    }
    let shown = json(&workspace.run(&["info", "--json", "--device", &device]));
    assert_eq!(shown["record_count"], Value::from(12));
    assert_eq!(shown["clock"], "2026-11-01T12:10:00");
    assert_eq!(complaints(&workspace), [""; 0]);
}

/// Ctrl-C at the question is an answer, too.
#[test]
fn an_interrupted_question_changes_nothing() {
    let workspace = Workspace::new();
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let mut command = workspace.command(&["clock", "set", "--device", AHEAD]);
    let mut running = Running::start_with(&mut command, reader.into());
    running.wait_for("Type `yes` to go on");
    running.interrupt();
    let finished = running.finish();
    drop(writer);
    assert_eq!(finished.code, 130, "{}", finished.stderr);
    assert!(finished.stderr.contains("nothing was changed in the meter"));
}
