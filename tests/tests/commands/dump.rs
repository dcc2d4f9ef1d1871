//! `glucopipe dump`: one meter straight to standard output.

use glucopipe_emulator::Scenario;
use glucopipe_tests::Workspace;
use serde_json::Value;

use crate::expected::{Row, assert_rows, converted, rows};
use crate::table::{Cell, csv};

const DEVICE: &str = "virtual:contour-next-usb?records=40";

fn scenario() -> Scenario {
    glucopipe_emulator::parse(&DEVICE["virtual:".len()..]).expect("a scenario")
}

/// The text of a dump that went well, with nothing on standard error.
fn dump(arguments: &[&str]) -> String {
    let arguments = [&["dump", "--device", DEVICE], arguments].concat();
    let finished = Workspace::new().run(&arguments);
    assert_eq!(
        (finished.code, finished.stderr.as_str()),
        (0, ""),
        "{arguments:?}"
    );
    finished.stdout
}

/// CSV is the default and holds what the meter stores.
#[test]
fn csv_holds_what_the_meter_stores() {
    let expected = rows(&scenario(), None);
    assert_rows(
        "dump",
        &csv(&dump(&[])),
        expected.iter().map(|(_, row)| row),
    );
}

/// JSON Lines hold the same readings with the same columns.
#[test]
fn json_lines_hold_the_same() {
    let table = csv(&dump(&[]));
    let text = dump(&["--format", "jsonl"]);
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(lines.len(), table.rows.len());
    for (at, line) in lines.iter().enumerate() {
        assert_eq!(super::names(line), table.columns);
        for column in ["reading_id", "record_key", "raw_value", "unit", "kind"] {
            assert_eq!(line[column], table.get(at, column).str());
        }
    }
}

/// As glucometerutils prints: glucose only, five columns in quotes.
#[test]
fn the_layout_of_glucometerutils() {
    let text = dump(&["--format", "glucometerutils"]);
    assert!(text.lines().all(|line| line.starts_with('"')), "{text}");
    let table = csv(&dump(&[]));
    let glucose = table
        .texts("kind")
        .into_iter()
        .filter(|kind| *kind == "glucose")
        .count();
    assert_eq!(text.lines().count(), glucose);
}

/// `--unit` converts and rounds to what people are used to, in every layout of a reading.
#[test]
fn units_are_converted() {
    for unit in ["mmol/L", "mg/dL"] {
        let expected: Vec<Row> = rows(&scenario(), None)
            .iter()
            .map(|(truth, row)| converted(truth, row, unit))
            .collect();
        let sheet = csv(&dump(&["--unit", unit]));
        assert_rows(unit, &sheet, &expected);
        let lines = dump(&["--unit", unit, "--format", "jsonl"]);
        assert_eq!(lines.lines().count(), sheet.rows.len());
        for (at, line) in lines.lines().enumerate() {
            let line: Value = serde_json::from_str(line).expect("JSON");
            let in_sheet = sheet.get(at, "value");
            assert_eq!(
                *in_sheet,
                Cell::Number(line["value"].as_f64().expect("a number")),
                "{line}"
            );
        }
    }
}

/// `--since` takes its moment in, `--until` leaves it out.
#[test]
fn moments_cut_the_readings() {
    let all = rows(&scenario(), None);
    let newest = all.last().expect("readings").0.local_time.to_string();
    let count = |arguments: &[&str]| csv(&dump(arguments)).rows.len();
    assert_eq!(count(&["--since", &newest]), 1);
    assert_eq!(count(&["--until", &newest]), all.len() - 1);
    let later = |(truth, _): &&(glucopipe_emulator::Truth, Row)| truth.local_time.year >= 2026;
    let in_2026 = all.iter().filter(later).count();
    assert!(in_2026 > 0 && in_2026 < all.len());
    assert_eq!(count(&["--since", "2026-01-01"]), in_2026);
    let before = ["--since", "2020-01-01", "--until", "2020-01-02"];
    assert_eq!(count(&before), 0);
}

/// Words that mean nothing are refused, and no file is blamed for them.
#[test]
fn bad_words_are_refused() {
    let workspace = Workspace::new();
    for arguments in [
        ["--unit", "mmol"],
        ["--since", "yesterday"],
        ["--until", "2026-02-30"],
    ] {
        let arguments = [&["dump", "--device", DEVICE], &arguments[..]].concat();
        let finished = workspace.run(&arguments);
        assert_eq!(finished.code, 2, "{arguments:?}");
        assert_eq!(finished.stdout, "", "{arguments:?}");
        assert!(finished.stderr.contains("error[GP"), "{}", finished.stderr);
        assert!(
            !finished.stderr.contains("command line"),
            "{}",
            finished.stderr
        );
    }
}
