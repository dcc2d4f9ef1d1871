//! What was written is read back, in every dialect and however it is cut.

use glucopipe_sdk::serde_json::{self, json};
use glucopipe_sdk::testing::{Form, moments, table, texts};
use proptest::prelude::*;

use super::*;
use crate::profile::canonical::Canonical;
use crate::profile::{Table, columns_of};

/// Texts of the letters that matter, and any others; no text that begins with an apostrophe, which is lost.
fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[=+\\-@\t\r\n\",;ab\0]{0,6}", any::<String>()]
        .prop_filter("an apostrophe in front", |text| !text.starts_with('\''))
}

proptest! {
    #[test]
    fn own_rows_are_read_back(
        rows in prop::collection::vec((text(), -4_000_000_000_000_000_i64..4_000_000_000_000_000, text(), text()), 1..8),
        separator in prop::sample::select(vec![",", ";", "\t"]),
        times in prop::sample::select(vec!["iso", "plain"]),
        lf: bool,
        safe: bool,
    ) {
        let config = json!({
            "path": "a.csv",
            "profile": "excel",
            "separator": separator,
            "times": times,
            "line_end": if lf { "lf" } else { "crlf" },
            "excel_safe": safe,
            "columns": ["notes", "record_key", "value", "local_time", "reading_id"],
        });
        let config = serde_json::from_value(config).unwrap();
        let mut format = Canonical::new(columns_of(&config).unwrap(), Dialect::of(&config));
        let cells = |cell: fn(&(String, i64, String, String)) -> &str| {
            texts(&rows.iter().map(|row| Some(cell(row))).collect::<Vec<_>>())
        };
        let times: Vec<_> = rows.iter().map(|row| Some(row.1)).collect();
        let columns = [
            ("reading_id", cells(|row| &row.0)),
            ("local_time", moments(&times)),
            ("record_key", cells(|row| &row.2)),
            ("notes", cells(|row| &row.3)),
        ];
        let mut text = Vec::new();
        format.rows(&table(rows.len(), Form::Words, &columns), &mut text).unwrap();

        let mut reader = format.reader().unwrap();
        let mut rest = text.as_slice();
        for row in &rows {
            let mut key = RowKey::default();
            let Found::Row(length) = reader.read(rest, &mut key) else {
                panic!("{:?}", reader.read(rest, &mut key));
            };
            prop_assert_eq!(key.reading_id, row.0.as_bytes());
            prop_assert_eq!(key.local_time, row.1);
            prop_assert_eq!(key.record_key, row.2.as_bytes());
            for cut in 0..length {
                let mut key = RowKey::default();
                prop_assert_eq!(reader.read(&rest[..cut], &mut key), Found::Part);
            }
            rest = &rest[length..];
        }
        prop_assert!(rest.is_empty());
    }

    #[test]
    fn any_bytes_are_read_without_harm(text in prop::collection::vec(any::<u8>(), 0..200)) {
        let config = serde_json::from_value(json!({ "path": "a.csv" })).unwrap();
        let format = Canonical::new(columns_of(&config).unwrap(), Dialect::of(&config));
        let mut reader = format.reader().unwrap();
        if let Found::Row(length) = reader.read(&text, &mut RowKey::default()) {
            prop_assert!((1..=text.len()).contains(&length));
        }
        prop_assert!(!reader.explain(&text).is_empty());
    }
}
