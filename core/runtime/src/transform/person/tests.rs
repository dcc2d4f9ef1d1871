use insta::assert_snapshot;
use proptest::prelude::*;
use serde_json::json;

use super::super::testing::{
    Row, any_row, apply, assert_raw_untouched, batch, context, open, texts,
};
use super::*;
use crate::render::render;

fn of(serial: &'static str) -> Row {
    Row {
        serial,
        ..Row::glucose(93.0, "mg/dL")
    }
}

fn assign(rows: &[Row]) -> Outcome {
    apply("person", &json!({}), rows, &context())
}

/// What is said after reads of these meters; each read is sent twice, as when the journal has it too.
fn said(reads: &[&[&'static str]]) -> String {
    let mut transform = open("person", &json!({})).unwrap();
    for (index, serials) in reads.iter().chain(reads).enumerate() {
        let index = index % reads.len();
        let rows: Vec<Row> = serials.iter().map(|serial| of(serial)).collect();
        let context = ReadContext {
            source: format!("meter{index}"),
            ..context()
        };
        let outcome = transform.apply(batch(&rows), &context).unwrap();
        assert!(outcome.warnings.is_empty());
    }
    let problems = transform.finish();
    assert!(transform.finish().is_empty(), "it is said once");
    let shown = problems.iter().map(|problem| render(problem, false));
    shown.collect::<Vec<_>>().join("----\n")
}

#[test]
fn fills_in_whose_the_meter_is_and_holds_the_others_back() {
    let outcome = assign(&["ab 12", "BEN-000111", "XYZ-999", "7801-1234567", "AB123"].map(of));
    assert_eq!(
        texts(&outcome.batch, "person"),
        ["anna", "ben", "anna"].map(|name| Some(name.to_owned()))
    );
    assert_eq!(
        texts(&outcome.batch, "reading_id"),
        ["id0", "id1", "id3"].map(|id| Some(id.to_owned()))
    );
    assert_eq!(outcome.dropped, 2);
    assert_eq!(
        outcome.notes,
        ["person: 3 of 5 readings are somebody's, 2 are held back"]
    );
}

#[test]
fn the_serial_decides_whoever_was_there_before() {
    let row = Row {
        person: Some("ben"),
        ..of("AB12")
    };
    let outcome = assign(&[row]);
    assert_eq!(texts(&outcome.batch, "person"), [Some("anna".to_owned())]);
    assert_eq!(said(&[&["AB12"], &[]]), "");
}

#[test]
fn names_without_a_reading_go_nowhere() {
    let outcome = assign(&[of("AB12")]);
    let names = words(&outcome.batch, "person").unwrap();
    assert_eq!(names.values.iter().flatten().collect::<Vec<_>>(), ["anna"]);
}

#[test]
fn readings_held_back_are_counted_over_all_reads() {
    let one: &[&str] = &["AB12", "XYZ-1234999"];
    let more: &[&str] = &["AB12", "77", "XYZ-1234999"];
    let many: &[&str] = &[
        "A-100001", "A-100002", "A-100003", "A-100004", "A-100005", "A-100006",
    ];
    let shown = [said(&[one]), said(&[one, more]), said(&[many])];
    assert!(!shown.concat().contains("1234999"));
    assert_snapshot!(shown.join("====\n"));
}

proptest! {
    /// Whatever the rows: each comes out with its owner or is counted, and nothing else changes.
    #[test]
    fn no_reading_is_lost_or_given_away(rows in prop::collection::vec(any_row(), 0..40)) {
        let outcome = assign(&rows);
        let (known, before) = (outcome.batch.num_rows() as u64, batch(&rows));
        prop_assert_eq!(known + outcome.dropped, rows.len() as u64);
        prop_assert_eq!(outcome.dropped, rows.iter().filter(|row| row.serial != "AB12").count() as u64);
        prop_assert!(texts(&outcome.batch, "person").iter().all(|name| name.as_deref() == Some("anna")));
        assert_raw_untouched(&before, &outcome.batch);
    }
}
