//! The clock of every Contour through the whole program: set, refused, half set, interrupted.

use glucopipe_tests::{Finished, Workspace};
use serde_json::Value;

use crate::support::contour_models;

/// Half past something: the next full minute is waited for, without real time.
const WHEN: &str = "2027-02-03T04:05:30";

/// Sets the clock of a virtual meter; also gives what the meter objected to.
fn set(model: &str, query: &str) -> (Finished, Vec<String>) {
    let workspace = Workspace::new();
    let device = format!("virtual:{model}?records=3&clock=2026-11-01T12:10:00&audit=audit{query}");
    let arguments = ["clock", "set", WHEN, "--yes", "--json", "--device", &device];
    let finished = workspace.run(&arguments);
    let audit = workspace.read("audit").expect("an audit");
    let objections = audit.lines().filter(|line| line.starts_with("violation"));
    (finished, objections.map(str::to_owned).collect())
}

#[test]
fn every_model_is_set_to_the_second_and_read_back() {
    for model in contour_models() {
        let (finished, objections) = set(model.key, "");
        assert_eq!(finished.code, 0, "{}: {}", model.key, finished.stderr);
        let changed: Value = serde_json::from_str(&finished.stdout).expect("JSON");
        let before = changed["before"]["clock"].as_str().expect("a time");
        assert!(before.starts_with("2026-11-01T12:10"), "{before}");
        let after = changed["after"]["clock"].as_str().expect("a time");
        assert!(
            after.starts_with("2027-02-03T04:06:0"),
            "{}: {after}",
            model.key
        );
        assert_eq!(objections, [""; 0], "{}", model.key);
    }
}

#[test]
fn meter_that_does_not_take_it_says_what_it_shows() {
    for (fault, code, words) in [
        (
            "pump",
            "GP0209",
            "clock-owned-by-pump: the meter refuses its date, as one does that is paired with an \
             insulin pump; the pump sets its clock; nothing was changed",
        ),
        (
            "no-command",
            "GP0301",
            "the meter refuses command mode: unplug the meter, plug it in again, and try once more; \
             nothing was changed",
        ),
        (
            "nak-time",
            "GP0301",
            "the meter refused the new time; nothing was changed",
        ),
        (
            "nak-date",
            "GP0301",
            "the meter refused the new date; its old date and time were written back, and it shows \
             2026-11-01T12:1",
        ),
        (
            "clock-stuck",
            "GP0301",
            "the meter took 2027-02-03T04:06, but shows 2026-11-01T12:1",
        ),
    ] {
        let (finished, objections) = set("contour-next-link", &format!("&fault={fault}"));
        assert_eq!(finished.code, 7, "{fault}: {}", finished.stderr);
        let title =
            format!("error[{code}]: the clock of virtual Contour Next Link could not be set");
        assert!(finished.stderr.contains(&title), "{}", finished.stderr);
        let cause = format!("cause: {words}");
        assert!(finished.stderr.contains(&cause), "{}", finished.stderr);
        assert_eq!(
            (finished.stdout.as_str(), objections),
            ("", vec![]),
            "{fault}"
        );
    }
}

/// Ctrl-C in command mode leaves the meter idle, and its clock as it was.
#[test]
fn ctrl_c_in_command_mode_leaves_the_meter_in_order() {
    let workspace = Workspace::new();
    let device = "virtual:contour-next-usb?records=3&pace_ms=50&audit=audit";
    let arguments = ["clock", "set", WHEN, "--yes", "-vv", "--device", device];
    let mut running = workspace.start(&arguments);
    running.wait_for("sent `read`");
    running.interrupt();
    let finished = running.finish();
    assert_eq!(finished.code, 130, "{}", finished.stderr);
    assert!(!finished.stderr.contains("sent `new time`"));
    let audit = workspace.read("audit").expect("an audit");
    assert_eq!(audit, "unplugged\nunplugged\n");
}

/// Erasing is refused before anything is said to the meter, in words that say why.
#[test]
fn erasing_is_refused_with_the_reason() {
    let workspace = Workspace::new();
    let device = "virtual:contour-next-usb?records=3&audit=audit";
    let arguments = [
        "erase",
        "--serial",
        "7413-1234567",
        "--yes",
        "--device",
        device,
    ];
    let finished = workspace.run(&arguments);
    assert_eq!(finished.code, 7, "{}", finished.stderr);
    for words in [
        "GP0208",
        "publicly documented",
        "menu",
        "nothing was changed in the meter",
    ] {
        assert!(finished.stderr.contains(words), "{}", finished.stderr);
    }
    assert_eq!(finished.stdout, "");
}
