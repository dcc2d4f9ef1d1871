//! Whole batches as that program's lines.

use glucopipe_sdk::arrow::array::ArrayRef;
use glucopipe_sdk::serde_json::{self, Value, json};
use glucopipe_sdk::testing::{Form, MORNING, moments, numbers, table, texts};

use super::*;

fn format(options: Value) -> Glucometerutils {
    let mut config = json!({ "path": "dump.csv", "profile": "glucometerutils" });
    for (key, value) in options.as_object().unwrap() {
        config[key] = value.clone();
    }
    Glucometerutils::new(&serde_json::from_value(config).unwrap()).unwrap()
}

fn lines(format: &mut Glucometerutils, batch: &RecordBatch) -> Vec<String> {
    let mut out = Vec::new();
    let written = format.rows(batch, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    let lines: Vec<_> = text.lines().map(str::to_owned).collect();
    assert_eq!(lines.len() as u64, written);
    lines
}

/// Second field of readings of these values and units.
fn values(unit: Option<&str>, cells: &[(f64, &str)]) -> Vec<String> {
    let given: Vec<_> = cells.iter().map(|cell| Some(cell.0)).collect();
    let units: Vec<_> = cells.iter().map(|cell| Some(cell.1)).collect();
    let columns = [("value", numbers(&given)), ("unit", texts(&units))];
    let batch = table(cells.len(), Form::Words, &columns);
    lines(&mut format(json!({ "unit": unit })), &batch)
        .iter()
        .map(|line| line.split("\",\"").nth(1).unwrap().to_owned())
        .collect()
}

#[test]
fn five_quoted_fields_in_that_programs_words() {
    let columns: Vec<(&str, ArrayRef)> = vec![
        (
            "local_time",
            moments(&[
                Some(MORNING),
                Some(MORNING + 60_250_000),
                Some(MORNING + 120_000_000),
                Some(MORNING + 86_400_000_000),
            ]),
        ),
        (
            "value",
            numbers(&[Some(100.0), Some(93.0), Some(600.0), Some(20.0)]),
        ),
        (
            "range",
            texts(&[Some("in"), Some("in"), Some("above"), Some("below")]),
        ),
        (
            "meal",
            texts(&[Some("before"), Some("after"), Some("fasting"), None]),
        ),
        (
            "notes",
            texts(&[
                None,
                Some("=said \"ok\"\r\ntwice\n, µ"),
                Some("sick; stress"),
                Some(""),
            ]),
        ),
    ];
    for form in [Form::Words, Form::Plain] {
        let batch = table(4, form, &columns);
        let mut format = format(json!({}));
        assert_eq!(
            lines(&mut format, &batch),
            [
                "\"2024-03-01 07:15:00\",\"100.00\",\"Before Meal\",\"blood sample\",\"\"",
                "\"2024-03-01 07:16:00\",\"93.00\",\"After Meal\",\"blood sample\",\"=said 'ok' twice , µ\"",
                "\"2024-03-01 07:17:00\",\"inf\",\"\",\"blood sample\",\"sick; stress\"",
                "\"2024-03-02 07:15:00\",\"-inf\",\"\",\"blood sample\",\"\"",
            ],
            "{form:?}"
        );
        assert_eq!(
            format.remark().unwrap(),
            "profile `glucometerutils`: glucose in mg/dL, factor 18; HI or LO: 2"
        );
    }
}

#[test]
fn one_unit_for_the_file_by_factor_18_and_two_decimals() {
    let mixed = [
        (118.0, "mg/dL"),
        (6.6, "mmol/L"),
        (5.55, "mmol/L"),
        (100.0, "mg/dL"),
    ];
    assert_eq!(
        values(None, &mixed),
        ["118.00", "118.80", "99.90", "100.00"]
    );
    let mmol = Some("mmol/L");
    assert_eq!(values(mmol, &mixed), ["6.56", "6.60", "5.55", "5.56"]);
    let only = [(6.6, "mmol/L")];
    assert_eq!(values(None, &only), ["6.60"]);
    assert_eq!(values(Some("mg/dL"), &only), ["118.80"]);
}

#[test]
fn the_unit_of_the_first_reading_holds_for_later_batches() {
    let mut format = format(json!({}));
    let first = table(
        1,
        Form::Words,
        &[
            ("value", numbers(&[Some(6.5)])),
            ("unit", texts(&[Some("mmol/L")])),
        ],
    );
    let second = table(1, Form::Plain, &[("value", numbers(&[Some(90.0)]))]);
    assert!(lines(&mut format, &first)[0].contains("\"6.50\""));
    assert!(lines(&mut format, &second)[0].contains("\"5.00\""));
}

#[test]
fn what_has_no_place_is_left_out_and_counted() {
    let kinds = [
        "control", "glucose", "ketone", "control", "glucose", "glucose",
    ];
    let units = ["mg/dL", "mmol/L", "mmol/L", "mg/dL", "{unknown}", "mmol/L"];
    let ranges = ["in", "in", "above", "in", "in", "above"];
    let cells = |words: &[&str]| texts(&words.iter().map(|word| Some(*word)).collect::<Vec<_>>());
    let columns = [
        ("kind", cells(&kinds)),
        ("unit", cells(&units)),
        ("range", cells(&ranges)),
    ];
    let batch = table(6, Form::Words, &columns);
    let mut format = format(json!({ "out_of_range": "skip" }));
    let lines = lines(&mut format, &batch);
    assert_eq!(lines.len(), 1, "{lines:?}");
    // A control test comes first, but the unit is that of the first line.
    assert!(lines[0].contains("\"93.00\""));
    assert_eq!(
        format.remark().unwrap(),
        "profile `glucometerutils`: glucose in mmol/L, factor 18; readings without a place in it: 5 \
         (2 control, 1 glucose in another unit, 1 ketone, 1 out of range)"
    );
}

#[test]
fn a_missing_column_is_named() {
    let batch = table(1, Form::Words, &[]).project(&[2]).unwrap();
    let mut format = format(json!({}));
    let error = format.rows(&batch, &mut Vec::new()).unwrap_err();
    assert!(error.message.contains("`value`"), "{error}");
}
