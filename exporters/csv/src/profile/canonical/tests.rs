//! Whole batches as CSV text.

use std::sync::Arc;

use glucopipe_sdk::arrow::array::{
    ArrayRef, DictionaryArray, Int16Array, Int64Array, StringArray, UInt8Array,
};
use glucopipe_sdk::arrow::datatypes::UInt8Type;
use glucopipe_sdk::serde_json::{self, json};
use glucopipe_sdk::testing::{Form, MORNING, moments, numbers, table as batch, texts};
use proptest::prelude::*;

use super::*;
use crate::profile::columns_of;

const FORMS: [Form; 2] = [Form::Words, Form::Plain];

fn formatter(names: &[&str]) -> Canonical {
    let mut config = json!({ "path": "readings.csv" });
    if !names.is_empty() {
        config["columns"] = names.into();
    }
    let config = serde_json::from_value(config).unwrap();
    Canonical::new(columns_of(&config).unwrap(), Dialect::of(&config))
}

fn csv(names: &[&str], batch: &RecordBatch) -> String {
    let mut formatter = formatter(names);
    let mut out = Vec::new();
    formatter.begin(None, &mut out).unwrap();
    let rows = formatter.rows(batch, &mut out).unwrap();
    assert_eq!(rows, batch.num_rows() as u64);
    String::from_utf8(out).unwrap()
}

/// A strict reader of RFC 4180 with `\n`: `None` is a cell with nothing in it, not even quotes.
fn read(text: &str) -> Vec<Vec<Option<String>>> {
    let mut rows = Vec::new();
    let mut row = Vec::new();
    let mut letters = text.chars().peekable();
    while letters.peek().is_some() {
        let mut cell = String::new();
        let quoted = letters.next_if_eq(&'"').is_some();
        if quoted {
            loop {
                match letters.next().expect("an open quote") {
                    '"' if letters.next_if_eq(&'"').is_some() => cell.push('"'),
                    '"' => break,
                    letter => cell.push(letter),
                }
            }
        } else {
            while let Some(letter) = letters.next_if(|letter| !",\n".contains(*letter)) {
                assert!(!"\"\r".contains(letter), "{letter:?} outside quotes");
                cell.push(letter);
            }
        }
        row.push((quoted || !cell.is_empty()).then_some(cell));
        match letters.next() {
            Some(',') => {}
            Some('\n') => rows.push(std::mem::take(&mut row)),
            other => panic!("got {other:?} after a cell"),
        }
    }
    assert!(row.is_empty(), "the last line has no end");
    rows
}

#[test]
fn the_canonical_form_exactly() {
    let columns: Vec<(&str, ArrayRef)> = vec![
        (
            "reading_id",
            texts(&[Some("id-1"), Some("id-2"), Some("id-3")]),
        ),
        (
            "time",
            moments(&[Some(MORNING - 7_200_000_000), None, Some(-1)]),
        ),
        (
            "local_time",
            moments(&[
                Some(MORNING),
                Some(MORNING + 250_000),
                Some(4_102_444_800_000_000),
            ]),
        ),
        (
            "utc_offset_min",
            Arc::new(Int16Array::from(vec![Some(120), None, Some(-210)])),
        ),
        (
            "time_quality",
            texts(&[Some("zone+drift"), Some("unresolved"), Some("zone")]),
        ),
        (
            "value",
            numbers(&[Some(93.0), Some(600.0), Some(118.0 / 18.01559)]),
        ),
        (
            "unit",
            texts(&[Some("mg/dL"), Some("mg/dL"), Some("mmol/L")]),
        ),
        ("range", texts(&[Some("in"), Some("above"), Some("in")])),
        ("range_limit", numbers(&[None, Some(600.0), None])),
        ("meal", texts(&[Some("before"), None, None])),
        (
            "notes",
            texts(&[Some("said \"ok\", twice"), None, Some("")]),
        ),
        ("markers", texts(&[Some("B"), Some("=1+1"), Some("-\n")])),
        ("raw_value", texts(&[Some("93"), Some("HI"), Some("118")])),
        (
            "raw_unit",
            texts(&[Some("mg/dL"), Some("mg/dL"), Some("mg/dL")]),
        ),
        (
            "record_key",
            texts(&[Some("a|1"), Some("a|2"), Some("a,3")]),
        ),
        ("person", texts(&[Some("Zoë"), None, Some("@home")])),
        (
            "clock_offset_s",
            Arc::new(Int64Array::from(vec![Some(-3), None, Some(0)])),
        ),
        (
            "read_at",
            moments(&[Some(MORNING), Some(MORNING), Some(MORNING)]),
        ),
    ];
    for form in FORMS {
        assert_eq!(
            csv(&[], &batch(3, form, &columns)),
            "reading_id,time,local_time,utc_offset_min,time_quality,kind,value,unit,range,range_limit,\
             meal,reference,notes,markers,raw_value,raw_unit,record_key,device_model,device_serial,\
             device_firmware,driver,person,clock_offset_s,read_at\n\
             id-1,2024-03-01T05:15:00Z,2024-03-01T07:15:00,120,zone+drift,glucose,93,mg/dL,in,,\
             before,,\"said \"\"ok\"\", twice\",B,93,mg/dL,a|1,x,x,x,x,Zoë,-3,2024-03-01T07:15:00Z\n\
             id-2,,2024-03-01T07:15:00.25,,unresolved,glucose,600,mg/dL,above,600,\
             ,,,'=1+1,HI,mg/dL,a|2,x,x,x,x,,,2024-03-01T07:15:00Z\n\
             id-3,1969-12-31T23:59:59.999999Z,2100-01-01T00:00:00,-210,zone,glucose,\
             6.549882629433729,mmol/L,in,,,,\"\",\"'-\n\",118,mg/dL,\"a,3\",x,x,x,x,'@home,0,\
             2024-03-01T07:15:00Z\n",
            "{form:?}"
        );
    }
}

/// Six decimals, and a point where numbers have a comma, make a text of a time.
#[test]
fn plain_moments_are_whole_seconds() {
    let fraction = moments(&[Some(MORNING + 123_456)]);
    let columns = [("read_at", fraction.clone()), ("local_time", fraction)];
    let batch = batch(1, Form::Words, &columns);
    let names = ["local_time", "read_at"];
    for (times, expected) in [
        (
            "iso",
            "2024-03-01T07:15:00.123456,2024-03-01T07:15:00.123456Z\n",
        ),
        ("plain", "2024-03-01 07:15:00.123456,2024-03-01 07:15:00\n"),
    ] {
        let config = json!({ "path": "readings.csv", "times": times, "columns": names });
        let config = serde_json::from_value(config).unwrap();
        let mut format = Canonical::new(columns_of(&config).unwrap(), Dialect::of(&config));
        let mut out = Vec::new();
        format.rows(&batch, &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}

#[test]
fn numbers_never_get_an_apostrophe() {
    let columns = [
        ("value", numbers(&[Some(-1.5), Some(-0.0)])),
        ("raw_value", texts(&[Some("-1.5"), Some("+2")])),
    ];
    let batch = batch(2, Form::Words, &columns);
    assert_eq!(
        csv(&["value", "raw_value"], &batch),
        "value,raw_value\n-1.5,'-1.5\n-0,'+2\n"
    );
}

#[test]
fn a_null_in_a_single_column_is_no_empty_line() {
    let columns = [("meal", texts(&[None, Some("after")]))];
    for form in FORMS {
        assert_eq!(
            csv(&["meal"], &batch(2, form, &columns)),
            "meal\n\"\"\nafter\n"
        );
    }
    let columns = [("range_limit", numbers(&[None]))];
    assert_eq!(
        csv(&["range_limit"], &batch(1, Form::Words, &columns)),
        "range_limit\n\"\"\n"
    );
}

#[test]
fn no_rows_are_a_header() {
    let batch = batch(0, Form::Words, &[]);
    assert_eq!(csv(&["value", "unit"], &batch), "value,unit\n");
}

#[test]
fn slices_and_dictionaries_of_any_kind_are_their_rows() {
    let words = StringArray::from(vec![Some("x,y"), None, Some("unused")]);
    let keys = UInt8Array::from(vec![Some(0), Some(1), None, Some(0)]);
    let small: ArrayRef = Arc::new(DictionaryArray::<UInt8Type>::new(keys, Arc::new(words)));
    let columns = [
        ("notes", small),
        (
            "record_key",
            texts(&[Some("a,"), Some("b"), Some("c"), Some("d")]),
        ),
        ("range_limit", numbers(&[Some(1.0), None, Some(3.0), None])),
    ];
    let names = ["notes", "record_key", "range_limit"];
    let rows = ["\"x,y\",\"a,\",1\n", ",b,\n", ",c,3\n", "\"x,y\",d,\n"];
    let batch = batch(4, Form::Plain, &columns);
    for start in 0..4 {
        for end in start..=4 {
            let text = csv(&names, &batch.slice(start, end - start));
            let lines = text.strip_prefix("notes,record_key,range_limit\n").unwrap();
            assert_eq!(lines, rows[start..end].concat(), "{start}..{end}");
        }
    }
}

#[test]
fn a_missing_column_is_named() {
    let batch = batch(1, Form::Words, &[]).project(&[0, 1]).unwrap();
    let error = formatter(&[]).rows(&batch, &mut Vec::new());
    assert!(error.unwrap_err().message.contains("`local_time`"));
}

/// Texts of the letters that matter, and any others.
fn cell() -> impl Strategy<Value = Option<String>> {
    prop::option::of(prop_oneof![
        "[=+\\-@\t\r\n\",;' ab\0]{0,6}",
        any::<String>()
    ])
}

proptest! {
    #[test]
    fn a_batch_is_its_rows_also_where_columns_are_the_same(
        rows in prop::collection::vec((0..2_i64, prop::option::of(0..2_i16), prop::option::of("[a,]"), prop::option::of(0..2_u8)), 1..5),
        words: bool,
    ) {
        let times: Vec<_> = rows.iter().map(|row| Some(row.0)).collect();
        let offsets: Vec<_> = rows.iter().map(|row| row.1).collect();
        let notes: Vec<_> = rows.iter().map(|row| row.2.as_deref()).collect();
        let limits: Vec<_> = rows.iter().map(|row| row.3.map(f64::from)).collect();
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("local_time", moments(&times)),
            ("utc_offset_min", Arc::new(Int16Array::from(offsets))),
            ("notes", texts(&notes)),
            ("range_limit", numbers(&limits)),
        ];
        let whole = batch(rows.len(), if words { Form::Words } else { Form::Plain }, &columns);
        let names = ["utc_offset_min", "kind", "notes", "range_limit", "local_time", "unit"];
        let head = csv(&names, &whole.slice(0, 0));
        let single: String = (0..rows.len())
            .map(|row| csv(&names, &whole.slice(row, 1)).split_off(head.len()))
            .collect();
        prop_assert_eq!(csv(&names, &whole), head + &single);
    }

    #[test]
    fn reads_back_the_same(
        rows in prop::collection::vec((cell(), cell(), any::<f64>(), any::<i32>()), 1..20),
        words: bool,
    ) {
        let notes: Vec<_> = rows.iter().map(|row| row.0.clone()).collect();
        let markers: Vec<_> = rows.iter().map(|row| row.1.clone()).collect();
        let values: Vec<_> = rows.iter().map(|row| Some(row.2)).collect();
        let micros: Vec<_> = rows.iter().map(|row| Some(i64::from(row.3) * 1_000_003)).collect();
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("notes", Arc::new(StringArray::from(notes))),
            ("markers", Arc::new(StringArray::from(markers))),
            ("value", numbers(&values)),
            ("local_time", moments(&micros)),
        ];
        let form = if words { Form::Words } else { Form::Plain };
        let text = csv(&["notes", "value", "local_time", "markers"], &batch(rows.len(), form, &columns));
        let lines = read(&text);
        prop_assert_eq!(lines.len(), rows.len() + 1);
        for (line, row) in lines[1..].iter().zip(&rows) {
            prop_assert_eq!(line.len(), 4);
            for (cell, expected) in [(&line[0], &row.0), (&line[3], &row.1)] {
                let expected = expected.as_ref().map(|text| {
                    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
                        format!("'{text}")
                    } else {
                        text.clone()
                    }
                });
                prop_assert_eq!(cell, &expected);
            }
            let value: f64 = line[1].as_ref().unwrap().parse().unwrap();
            prop_assert!(value.to_bits() == row.2.to_bits() || row.2.is_nan());
            let time: glucopipe_sdk::chrono::NaiveDateTime =
                line[2].as_ref().unwrap().parse().unwrap();
            prop_assert_eq!(time.and_utc().timestamp_micros(), i64::from(row.3) * 1_000_003);
        }
    }
}
