use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::testing::{
    Row, any_row, apply, assert_raw_untouched, batch, context, context_with, open, refused, texts,
    times,
};
use super::*;
use crate::problem::Code;

fn rows(locals: &[&str]) -> Vec<Row> {
    locals.iter().map(|local| Row::at(local)).collect()
}

/// Time of day in UTC, offset and quality of each row.
fn resolve(options: &Value, locals: &[&str], context: &ReadContext) -> Vec<(String, i16, String)> {
    let outcome = apply("clock", options, &rows(locals), context);
    let offsets: &Int16Array = typed(&outcome.batch, "utc_offset_min").unwrap();
    let times = times(&outcome.batch, "time").into_iter().flatten();
    let qualities = texts(&outcome.batch, "time_quality").into_iter().flatten();
    let cells = times.zip(offsets.values()).zip(qualities);
    cells
        .map(|((time, offset), quality)| (time[11..].to_owned(), *offset, quality))
        .collect()
}

fn resolve_in(zone: &str, locals: &[&str]) -> Vec<(String, i16, String)> {
    resolve(&json!({ "timezone": zone }), locals, &context())
}

fn cell(time: &str, offset: i16, quality: &str) -> (String, i16, String) {
    (time.to_owned(), offset, quality.to_owned())
}

fn clock_offsets(outcome: &Outcome) -> Vec<Option<i64>> {
    typed::<Int64Array>(&outcome.batch, "clock_offset_s")
        .unwrap()
        .iter()
        .collect()
}

#[test]
fn resolves_ordinary_times() {
    assert_eq!(
        resolve_in(
            "Europe/Athens",
            &["2026-01-30T18:05:00", "2026-05-30T18:05:00"]
        ),
        [cell("16:05:00", 120, "zone"), cell("15:05:00", 180, "zone")]
    );
    assert_eq!(
        resolve_in("Asia/Kathmandu", &["2026-05-30T18:05:00"]),
        [cell("12:20:00", 345, "zone")]
    );
    assert_eq!(
        resolve_in("UTC", &["2026-05-30T18:05:00"]),
        [cell("18:05:00", 0, "zone")]
    );
    assert_eq!(
        resolve_in(
            "America/New_York",
            &["2025-12-31T23:59:59", "2026-01-01T00:00:00"]
        ),
        [
            cell("04:59:59", -300, "zone"),
            cell("05:00:00", -300, "zone")
        ]
    );
}

#[test]
fn a_time_that_never_was_takes_the_offset_before_the_change() {
    assert_eq!(
        resolve_in("Europe/Berlin", &["2026-03-29T02:30:00"]),
        [cell("01:30:00", 60, "nonexistent")]
    );
    assert_eq!(
        resolve_in("Australia/Lord_Howe", &["2026-10-04T02:15:00"]),
        [cell("15:45:00", 630, "nonexistent")]
    );
}

#[test]
fn a_time_that_was_twice_is_the_first_unless_order_proves_the_second() {
    let berlin = |locals: &[&str]| {
        let cells = resolve_in("Europe/Berlin", locals);
        assert!(
            cells
                .iter()
                .all(|(.., quality)| quality == "ambiguous" || quality == "zone")
        );
        cells
            .into_iter()
            .map(|(time, offset, _)| (time[..5].to_owned(), offset))
            .collect::<Vec<_>>()
    };
    let at = |time: &str, offset| (time.to_owned(), offset);
    assert_eq!(berlin(&["2026-10-25T02:30:00"]), [at("00:30", 120)]);
    assert_eq!(
        berlin(&["2026-10-25T02:10:00", "2026-10-25T02:50:00"]),
        [at("00:10", 120), at("00:50", 120)]
    );
    assert_eq!(
        berlin(&[
            "2026-10-25T01:50:00",
            "2026-10-25T02:50:00",
            "2026-10-25T02:10:00",
            "2026-10-25T02:55:00",
            "2026-10-25T03:10:00",
        ]),
        [
            at("23:50", 120),
            at("00:50", 120),
            at("01:10", 60),
            at("01:55", 60),
            at("02:10", 60)
        ]
    );
    // The meter was set back by hand, somewhat later.
    assert_eq!(
        berlin(&["2026-10-25T03:30:00", "2026-10-25T02:35:00"]),
        [at("02:30", 60), at("01:35", 60)]
    );
    // Days later is a clock that was set, which tells nothing.
    assert_eq!(
        berlin(&["2026-10-28T03:30:00", "2026-10-25T02:35:00"]),
        [at("02:30", 60), at("00:35", 120)]
    );
    // From before the overlap there is no way back into it.
    assert_eq!(
        berlin(&[
            "2026-10-25T01:59:00",
            "2026-10-25T01:30:00",
            "2026-10-25T02:10:00"
        ])[2],
        at("00:10", 120)
    );
}

#[test]
fn the_order_of_another_meter_or_read_proves_nothing() {
    let other = Row {
        serial: "CD34",
        ..Row::at("2026-10-25T02:10:00")
    };
    let outcome = apply(
        "clock",
        &json!({ "timezone": "Europe/Berlin" }),
        &[Row::at("2026-10-25T02:50:00"), other],
        &context(),
    );
    assert_eq!(
        times(&outcome.batch, "time")[1].as_deref(),
        Some("2026-10-25T00:10:00")
    );
    let mut clock = open("clock", &json!({ "timezone": "Europe/Berlin" })).unwrap();
    for local in ["2026-10-25T02:50:00", "2026-10-25T02:10:00"] {
        let outcome = clock.apply(batch(&rows(&[local])), &context()).unwrap();
        let offsets: &Int16Array = typed(&outcome.batch, "utc_offset_min").unwrap();
        assert_eq!(offsets.value(0), 120);
    }
}

#[test]
fn the_offset_of_the_clock_is_measured_and_told_but_changes_nothing() {
    let context = context_with("2026-05-30T15:05:00", 60, "2026-05-30T15:05:30Z");
    let options = json!({ "timezone": "Europe/Athens" });
    let outcome = apply("clock", &options, &rows(&["2026-05-30T15:00:00"]), &context);
    assert_eq!(clock_offsets(&outcome), [Some(-10_800)]);
    assert_eq!(
        times(&outcome.batch, "time")[0].as_deref(),
        Some("2026-05-30T12:00:00")
    );
    assert_eq!(
        texts(&outcome.batch, "time_quality")[0].as_deref(),
        Some("zone")
    );
    let [warning] = &outcome.warnings[..] else {
        panic!("{:?}", outcome.warnings)
    };
    assert_eq!(warning.code, Code::CLOCK_OFFSET);
    assert_eq!(
        warning.title,
        "meter clock is 3 h 00 min behind this computer"
    );
    assert_eq!(
        warning.causes[0],
        "the meter showed 15:05, this computer 18:05 in `Europe/Athens`"
    );
    assert_eq!(warning.kept.as_deref(), Some("times were not changed"));
    assert!(
        outcome
            .notes
            .contains(&"clock: meter clock offset -10800 s, uncertainty 30 s".to_owned())
    );
    assert!(outcome.notes[0].starts_with("clock: zone Europe/Athens, tz database 20"));
}

#[test]
fn without_a_clock_there_is_no_offset_and_nothing_to_correct() {
    let options = json!({ "timezone": "UTC", "correct_drift": true });
    let outcome = apply(
        "clock",
        &options,
        &rows(&["2026-05-30T15:00:00"]),
        &context(),
    );
    assert_eq!(clock_offsets(&outcome), [None]);
    assert_eq!(
        texts(&outcome.batch, "time_quality")[0].as_deref(),
        Some("zone")
    );
    assert!(outcome.warnings.is_empty());
}

#[test]
fn drift_is_subtracted_from_time_and_from_nothing_else() {
    let options = json!({ "timezone": "Europe/Berlin", "correct_drift": true });
    let context = context_with("2026-11-01T12:01:30", 1, "2026-11-01T11:00:00Z");
    let locals = [
        "2026-03-29T02:30:00",
        "2026-05-30T18:05:00",
        "2026-10-25T02:30:00",
        "2026-10-25T03:00:30",
    ];
    assert_eq!(
        resolve(&options, &locals, &context),
        [
            cell("01:28:30", 60, "nonexistent"),
            cell("16:03:30", 120, "zone+drift"),
            cell("00:28:30", 120, "ambiguous"),
            cell("01:59:00", 60, "zone+drift"),
        ]
    );
    let outcome = apply("clock", &options, &rows(&locals), &context);
    assert_eq!(clock_offsets(&outcome), [Some(90); 4]);
    assert!(outcome.warnings.is_empty(), "90 s are fine");
    assert_eq!(
        outcome.notes.last().map(String::as_str),
        Some("clock: offset 90 s subtracted from readings 1 to 4")
    );
}

#[test]
fn a_correction_across_a_change_takes_the_offset_of_the_corrected_time() {
    let options = json!({ "timezone": "Europe/Berlin", "correct_drift": true });
    let context = context_with("2026-11-01T15:00:00", 1, "2026-11-01T11:00:00Z");
    assert_eq!(
        resolve(&options, &["2026-10-25T04:00:00"], &context),
        [cell("00:00:00", 120, "zone+drift")]
    );
}

#[test]
fn a_correction_stops_at_a_change_of_the_meters_clock() {
    let options = json!({ "timezone": "UTC", "correct_drift": true });
    let context = context_with("2026-05-30T12:10:00", 1, "2026-05-30T12:00:00Z");
    let quality = |locals: &[&str]| {
        let cells = resolve(&options, locals, &context);
        cells
            .into_iter()
            .map(|(.., quality)| quality)
            .collect::<Vec<_>>()
    };
    // Set back by three hours.
    assert_eq!(
        quality(&[
            "2026-05-01T12:00:00",
            "2026-05-01T09:00:00",
            "2026-05-02T09:00:00"
        ]),
        ["zone", "zone+drift", "zone+drift"]
    );
    // A nudge of two minutes is none.
    assert_eq!(
        quality(&["2026-05-01T12:00:00", "2026-05-01T11:58:00"]),
        ["zone+drift"; 2]
    );
    // From the future of the meter's own clock.
    assert_eq!(
        quality(&["2026-05-01T12:00:00", "2026-06-01T12:00:00"]),
        ["zone"; 2]
    );
    assert_eq!(
        quality(&["2027-05-01T12:00:00", "2026-05-30T12:05:00"]),
        ["zone", "zone+drift"]
    );
    let outcome = apply(
        "clock",
        &options,
        &rows(&["2027-05-01T12:00:00", "2026-05-30T12:05:00"]),
        &context,
    );
    assert!(
        outcome
            .notes
            .iter()
            .any(|note| note.contains("clock_changed")),
        "{:?}",
        outcome.notes
    );
    assert!(
        outcome.notes.iter().all(|note| !note.contains("2027")),
        "{:?}",
        outcome.notes
    );
    assert!(
        outcome.warnings[0]
            .kept
            .as_ref()
            .unwrap()
            .starts_with("times were corrected")
    );
}

#[test]
fn daylight_saving_is_no_change_of_the_clock() {
    let options = json!({ "timezone": "Europe/Berlin", "correct_drift": true });
    let context = context_with("2026-11-01T12:00:20", 1, "2026-11-01T11:00:00Z");
    let locals = [
        "2026-10-25T01:00:00",
        "2026-10-25T02:50:00",
        "2026-10-25T02:10:00",
    ];
    assert_eq!(
        resolve(&options, &locals, &context)[0],
        cell("22:59:40", 120, "zone+drift")
    );
}

#[test]
fn inverted_names_are_warned_of_once() {
    let mut clock = open("clock", &json!({ "timezone": "Etc/GMT+5" })).unwrap();
    let mut warnings = || {
        clock
            .apply(batch(&rows(&["2026-05-30T15:00:00"])), &context())
            .unwrap()
            .warnings
    };
    assert_eq!(warnings()[0].code, Code::CONFIG_ZONE);
    assert!(warnings().is_empty());
}

#[test]
fn refuses_what_is_no_zone() {
    let rejected = refused("clock", &json!({ "timezone": "Europe/Atens" }));
    assert_eq!(
        (rejected.key.as_str(), rejected.code),
        ("timezone", Code::CONFIG_ZONE)
    );
    assert_eq!(
        rejected.message,
        "expected an IANA time zone, got `Europe/Atens`"
    );
    assert_eq!(
        rejected.hint.as_deref(),
        Some("did you mean `Europe/Athens`?")
    );
}

#[test]
fn an_empty_read_is_fine() {
    let context = context_with("2026-05-30T12:10:00", 1, "2026-05-30T12:00:00Z");
    let options = json!({ "timezone": "UTC", "correct_drift": true });
    assert_eq!(apply("clock", &options, &[], &context).batch.num_rows(), 0);
}

proptest! {
    #[test]
    fn raw_columns_never_change_and_undoing_the_correction_restores(
        rows in prop::collection::vec(any_row(), 0..40),
        zone in prop::sample::select(vec!["UTC", "Europe/Berlin", "Australia/Lord_Howe", "Etc/GMT+5"]),
        correct in any::<bool>(),
        clock in prop::option::of(0i64..4_000_000_000),
        read in 0i64..4_000_000_000,
        resolution in prop::sample::select(vec![1u32, 60]),
    ) {
        let mut context = context();
        context.device.clock = clock.and_then(|us| chrono::DateTime::from_timestamp(us, 0)).map(|t| t.naive_utc());
        context.device.clock_read_us = Some(read * SECOND_US);
        context.device.clock_resolution_s = Some(resolution);
        let options = json!({ "timezone": zone, "correct_drift": correct });
        let outcome = apply("clock", &options, &rows, &context);
        assert_raw_untouched(&batch(&rows), &outcome.batch);
        let time: &TimestampMicrosecondArray = typed(&outcome.batch, "time").unwrap();
        let plain = apply("clock", &json!({ "timezone": zone }), &rows, &context);
        let plain_time: &TimestampMicrosecondArray = typed(&plain.batch, "time").unwrap();
        let east: &Int16Array = typed(&plain.batch, "utc_offset_min").unwrap();
        let offsets = clock_offsets(&outcome);
        let corrected = texts(&outcome.batch, "time_quality");
        for row in 0..rows.len() {
            let moved = (plain_time.value(row) - time.value(row)) / SECOND_US;
            prop_assert!(moved == 0 || (correct && Some(moved) == offsets[row]));
            prop_assert!(corrected[row].as_deref() != Some("zone+drift") || correct);
            // Without a correction, time and offset give back what the meter showed.
            prop_assert_eq!(plain_time.value(row) + i64::from(east.value(row)) * 60 * SECOND_US, rows[row].local);
        }
    }
}
