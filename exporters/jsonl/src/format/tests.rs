//! Whole batches as JSON Lines.

use std::sync::Arc;

use glucopipe_sdk::arrow::array::{
    ArrayRef, DictionaryArray, Int16Array, Int64Array, StringArray, UInt8Array,
};
use glucopipe_sdk::arrow::datatypes::UInt8Type;
use glucopipe_sdk::serde_json::{self, Map, Value, json};
use glucopipe_sdk::testing::{Form, MORNING, moments, numbers, table, texts};
use glucopipe_sdk::text::{Mode, columns};
use proptest::prelude::*;

use super::*;

const FORMS: [Form; 2] = [Form::Words, Form::Plain];

fn jsonl(names: &[&str], batch: &RecordBatch) -> String {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let names = (!names.is_empty()).then_some(names.as_slice());
    let mut lines = Lines::new(&columns(names, Mode::Replace).unwrap());
    let mut out = Vec::new();
    lines.begin(None, &mut out).unwrap();
    let written = lines.rows(batch, &mut out).unwrap();
    assert_eq!(written, batch.num_rows() as u64);
    String::from_utf8(out).unwrap()
}

fn objects(text: &str) -> Vec<Map<String, Value>> {
    assert!(text.is_empty() || text.ends_with('\n'));
    let objects = text.split_terminator('\n').map(serde_json::from_str);
    objects.collect::<serde_json::Result<_>>().unwrap()
}

#[test]
fn the_canonical_form_exactly() {
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("reading_id", texts(&[Some("id-1"), Some("id-2")])),
        ("time", moments(&[Some(MORNING - 7_200_000_000), None])),
        (
            "local_time",
            moments(&[Some(MORNING), Some(MORNING + 250_000)]),
        ),
        (
            "utc_offset_min",
            Arc::new(Int16Array::from(vec![Some(-210), None])),
        ),
        ("value", numbers(&[Some(118.0 / 18.01559), Some(600.0)])),
        ("unit", texts(&[Some("mmol/L"), Some("mg/dL")])),
        ("range", texts(&[Some("in"), Some("above")])),
        ("range_limit", numbers(&[None, Some(600.0)])),
        ("meal", texts(&[Some("before"), None])),
        ("notes", texts(&[Some("said \"ok\", twice\n"), Some("")])),
        ("raw_value", texts(&[Some("118"), Some("HI")])),
        ("record_key", texts(&[Some("a|1"), Some("a\\2")])),
        ("person", texts(&[Some("Zoë"), None])),
        (
            "clock_offset_s",
            Arc::new(Int64Array::from(vec![Some(-3), None])),
        ),
    ];
    let tail = r#""device_model":"x","device_serial":"x","device_firmware":"x","driver":"x","#;
    let first = [
        r#"{"reading_id":"id-1","time":"2024-03-01T05:15:00Z","local_time":"2024-03-01T07:15:00","#,
        r#""utc_offset_min":-210,"time_quality":"unresolved","kind":"glucose","#,
        r#""value":6.549882629433729,"unit":"mmol/L","range":"in","range_limit":null,"#,
        r#""meal":"before","reference":null,"notes":"said \"ok\", twice\n","markers":null,"#,
        r#""raw_value":"118","raw_unit":"x","record_key":"a|1","#,
        tail,
        r#""person":"Zoë","clock_offset_s":-3,"read_at":"2024-03-01T07:15:00Z"}"#,
    ];
    let second = [
        r#"{"reading_id":"id-2","time":null,"local_time":"2024-03-01T07:15:00.25","#,
        r#""utc_offset_min":null,"time_quality":"unresolved","kind":"glucose","#,
        r#""value":600,"unit":"mg/dL","range":"above","range_limit":600,"#,
        r#""meal":null,"reference":null,"notes":"","markers":null,"#,
        r#""raw_value":"HI","raw_unit":"x","record_key":"a\\2","#,
        tail,
        r#""person":null,"clock_offset_s":null,"read_at":"2024-03-01T07:15:00Z"}"#,
    ];
    for form in FORMS {
        let text = jsonl(&[], &table(2, form, &columns));
        let expected = format!("{}\n{}\n", first.concat(), second.concat());
        assert_eq!(text, expected, "{form:?}");
    }
}

#[test]
fn keys_are_in_the_order_of_columns() {
    let batch = table(1, Form::Words, &[]);
    assert_eq!(
        jsonl(&["unit", "value", "range_limit"], &batch),
        "{\"unit\":\"mg/dL\",\"value\":93,\"range_limit\":null}\n"
    );
    let all = objects(&jsonl(&[], &batch));
    let names: Vec<_> = columns(None, Mode::Replace)
        .unwrap()
        .iter()
        .map(|column| column.name)
        .collect();
    assert_eq!(all[0].keys().collect::<Vec<_>>(), names);
}

#[test]
fn what_is_no_number_is_null_and_a_sign_stays() {
    let cells = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0, 1e21].map(Some);
    let batch = table(5, Form::Words, &[("value", numbers(&cells))]);
    assert_eq!(
        jsonl(&["value"], &batch),
        "{\"value\":null}\n{\"value\":null}\n{\"value\":null}\n{\"value\":-0}\n\
         {\"value\":1000000000000000000000}\n"
    );
}

#[test]
fn no_rows_are_nothing() {
    assert_eq!(jsonl(&[], &table(0, Form::Words, &[])), "");
}

#[test]
fn slices_and_dictionaries_of_any_kind_are_their_rows() {
    let words = StringArray::from(vec![Some("x\"y"), None, Some("unused")]);
    let keys = UInt8Array::from(vec![Some(0), Some(1), None, Some(0)]);
    let small: ArrayRef = Arc::new(DictionaryArray::<UInt8Type>::new(keys, Arc::new(words)));
    let columns = [
        ("notes", small),
        ("range_limit", numbers(&[Some(1.0), None, Some(3.5), None])),
    ];
    let rows = [
        "{\"notes\":\"x\\\"y\",\"range_limit\":1}\n",
        "{\"notes\":null,\"range_limit\":null}\n",
        "{\"notes\":null,\"range_limit\":3.5}\n",
        "{\"notes\":\"x\\\"y\",\"range_limit\":null}\n",
    ];
    let batch = table(4, Form::Plain, &columns);
    for start in 0..4 {
        for end in start..=4 {
            let text = jsonl(&["notes", "range_limit"], &batch.slice(start, end - start));
            assert_eq!(text, rows[start..end].concat(), "{start}..{end}");
        }
    }
}

#[test]
fn a_missing_column_is_named() {
    let batch = table(1, Form::Words, &[]).project(&[0, 1]).unwrap();
    let error = Lines::new(&columns(None, Mode::Replace).unwrap()).rows(&batch, &mut Vec::new());
    assert!(error.unwrap_err().message.contains("`local_time`"));
}

/// Texts of the letters that matter, and any others.
fn cell() -> impl Strategy<Value = Option<String>> {
    prop::option::of(prop_oneof![
        "[\"\\\\\n\r\t\0\u{1f}/ab]{0,6}",
        any::<String>()
    ])
}

proptest! {
    #[test]
    fn reads_back_the_same(
        rows in prop::collection::vec((cell(), cell(), any::<f64>(), any::<i64>()), 1..20),
        words: bool,
    ) {
        let notes: Vec<_> = rows.iter().map(|row| row.0.clone()).collect();
        let markers: Vec<_> = rows.iter().map(|row| row.1.clone()).collect();
        let values: Vec<_> = rows.iter().map(|row| Some(row.2)).collect();
        let offsets: Vec<_> = rows.iter().map(|row| Some(row.3)).collect();
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("notes", Arc::new(StringArray::from(notes))),
            ("markers", Arc::new(StringArray::from(markers))),
            ("value", numbers(&values)),
            ("clock_offset_s", Arc::new(Int64Array::from(offsets))),
        ];
        let form = if words { Form::Words } else { Form::Plain };
        let names = ["notes", "value", "clock_offset_s", "markers"];
        let text = jsonl(&names, &table(rows.len(), form, &columns));
        let lines = objects(&text);
        prop_assert_eq!(lines.len(), rows.len());
        for (line, row) in lines.iter().zip(&rows) {
            prop_assert_eq!(&line["notes"], &json!(row.0));
            prop_assert_eq!(&line["markers"], &json!(row.1));
            prop_assert_eq!(&line["clock_offset_s"], &json!(row.3));
        }
        // The parser of the test rounds long numbers; the one of the standard library does not.
        for (line, row) in text.split_terminator('\n').zip(&rows) {
            let number = line.split("\"value\":").last().unwrap().split(',').next().unwrap();
            if row.2.is_finite() {
                prop_assert_eq!(number.parse::<f64>().unwrap().to_bits(), row.2.to_bits());
            } else {
                prop_assert_eq!(number, "null");
            }
        }
    }
}
