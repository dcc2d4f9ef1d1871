//! What the program must print of a meter, worked out from the scenario, and the comparison.

use glucopipe_emulator::{Scenario, Truth, parse};
use serde_json::{Value, json};

/// Parts of a reading that are compared, in their order.
const COLUMNS: [&str; 11] = [
    "local_time",
    "kind",
    "value",
    "unit",
    "range",
    "range_limit",
    "meal",
    "reference",
    "markers",
    "raw_value",
    "device_serial",
];

/// The readings of a meter, each as the text of its parts, sorted.
///
/// # Panics
/// When there is no such meter.
pub fn expected(uri: &str) -> Vec<String> {
    let scenario = parse(uri).unwrap_or_else(|error| panic!("{uri}: {error}"));
    let truths = scenario.truth();
    sorted(truths.iter().map(|truth| row(&scenario, truth)))
}

/// The same of what `dump --format jsonl` printed.
///
/// # Panics
/// When that is not one JSON object a line.
pub fn dumped(text: &str) -> Vec<String> {
    let lines = text.lines().map(|line| {
        serde_json::from_str::<Value>(line).unwrap_or_else(|error| panic!("{error}: {line}"))
    });
    sorted(lines)
}

/// Compares, and names the first differences.
///
/// # Panics
/// When they differ.
pub fn assert_same(what: &str, got: &[String], expected: &[String]) {
    let only = |of: &[String], not: &[String]| -> Vec<String> {
        let lines = of.iter().filter(|line| !not.contains(line));
        lines.take(3).cloned().collect()
    };
    assert!(
        got == expected,
        "{what}: {} readings, expected {}; only printed: {:#?}; only expected: {:#?}",
        got.len(),
        expected.len(),
        only(got, expected),
        only(expected, got)
    );
}

fn sorted(rows: impl Iterator<Item = Value>) -> Vec<String> {
    let text = |row: Value| {
        let parts = COLUMNS.map(|column| match &row[column] {
            Value::Number(number) => number.as_f64().unwrap_or(f64::NAN).to_string(),
            Value::String(text) => text.clone(),
            Value::Null => "-".to_owned(),
            other => other.to_string(),
        });
        parts.join(" | ")
    };
    let mut rows: Vec<String> = rows.map(text).collect();
    rows.sort();
    rows
}

fn row(scenario: &Scenario, truth: &Truth) -> Value {
    let unit = match truth.unit {
        "points" => "{points}",
        "choices" => "{choices}",
        "" => "{unknown}",
        unit => unit,
    };
    json!({
        "local_time": truth.local_time.to_string(),
        "kind": truth.kind.word(),
        "value": truth.value,
        "unit": unit,
        "range": truth.range.word(),
        "range_limit": truth.range_limit,
        "meal": truth.meal.map(|meal| meal.word()),
        "reference": truth.reference,
        "markers": markers(truth),
        "raw_value": truth.raw_value,
        "device_serial": scenario.serial(),
    })
}

/// The marks as the meter sent them. Those of the Verio family are bytes of the record: control, meal,
/// reserved and flags.
fn markers(truth: &Truth) -> Option<String> {
    if truth.counter.is_none() {
        return Some(truth.markers.clone()).filter(|markers| !markers.is_empty());
    }
    let byte = |at: usize| truth.sent.get(2 * at..2 * at + 2).unwrap_or_default();
    Some([2, 11, 12, 13].map(byte).join(" "))
}
