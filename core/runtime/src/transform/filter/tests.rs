use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::testing::{
    Row, any_row, apply, assert_raw_untouched, batch, context, local, open, refused, texts,
};
use super::*;

/// Which rows pass, by their number.
fn passing(options: &Value, rows: &[Row]) -> Vec<usize> {
    let outcome = apply("filter", options, rows, &context());
    assert_eq!(
        outcome.dropped,
        (rows.len() - outcome.batch.num_rows()) as u64
    );
    let ids = texts(&outcome.batch, "reading_id").into_iter().flatten();
    ids.map(|id| id.trim_start_matches("id").parse().unwrap())
        .collect()
}

fn of_kind(kind: &'static str) -> Row {
    Row {
        kind,
        ..Row::glucose(5.0, "mmol/L")
    }
}

#[test]
fn passes_the_kinds_that_are_named() {
    let rows = ["glucose", "control", "ketone", "glucose"].map(of_kind);
    assert_eq!(passing(&json!({ "kinds": ["glucose"] }), &rows), [0, 3]);
    assert_eq!(
        passing(&json!({ "kinds": ["control", "ketone"] }), &rows),
        [1, 2]
    );
    assert!(passing(&json!({ "kinds": ["carbs"] }), &rows).is_empty());
    assert_eq!(passing(&json!({}), &rows), [0, 1, 2, 3]);
}

#[test]
fn since_passes_its_own_moment_and_until_does_not() {
    let rows = [
        "2025-12-31T23:59:59",
        "2026-01-01T00:00:00",
        "2026-01-01T06:00:00",
        "2026-02-01T00:00:00",
    ]
    .map(Row::at);
    assert_eq!(passing(&json!({ "since": "2026-01-01" }), &rows), [1, 2, 3]);
    assert_eq!(passing(&json!({ "until": "2026-01-01" }), &rows), [0]);
    assert_eq!(
        passing(
            &json!({ "since": "2026-01-01T06:00:00", "until": "2026-02-01" }),
            &rows
        ),
        [2]
    );
}

#[test]
fn utc_moments_compare_the_resolved_time_and_say_when_there_is_none() {
    let resolved = |time| Row {
        time: Some(local(time)),
        ..Row::at("2000-01-01T00:00:00")
    };
    let rows = [
        resolved("2026-01-01T00:00:00"),
        resolved("2025-12-31T22:00:00"),
        resolved("2025-12-31T21:59:59"),
        Row::at("2026-05-01T00:00:00"),
    ];
    let options = json!({ "since": "2026-01-01T00:00:00+02:00" });
    assert_eq!(passing(&options, &rows), [0, 1]);
    let outcome = apply("filter", &options, &rows, &context());
    let [warning] = &outcome.warnings[..] else {
        panic!("{:?}", outcome.warnings)
    };
    assert_eq!(warning.code, Code::DATA_FILTER);
    assert_eq!(
        warning.title,
        "1 of 4 readings were left out because their UTC time is not known"
    );
    assert!(
        apply("filter", &options, &rows[..3], &context())
            .warnings
            .is_empty()
    );
    assert_eq!(outcome.notes, ["filter: 2 of 4 readings pass"]);
}

#[test]
fn spans_count_back_from_the_read() {
    let read = |time| Row {
        time: Some(local(time)),
        read_at: local("2026-06-01T00:00:00"),
        ..Row::at("2000-01-01T00:00:00")
    };
    let rows = [
        "2026-05-01T23:59:59",
        "2026-05-02T00:00:00",
        "2026-05-31T12:00:00",
    ]
    .map(read);
    assert_eq!(passing(&json!({ "since": "30d" }), &rows), [1, 2]);
    assert_eq!(
        passing(&json!({ "since": "30d", "until": "12h" }), &rows),
        [1]
    );
}

#[test]
fn passes_ranges_and_meters() {
    let ranged = |range, serial| Row {
        range,
        serial,
        ..Row::glucose(600.0, "mg/dL")
    };
    let rows = [
        ranged("in", "AB12"),
        ranged("above", "AB12"),
        ranged("below", "cd 34"),
    ];
    assert_eq!(passing(&json!({ "range": ["in"] }), &rows), [0]);
    assert_eq!(
        passing(&json!({ "range": ["above", "below"] }), &rows),
        [1, 2]
    );
    assert_eq!(passing(&json!({ "devices": ["ab 12"] }), &rows), [0, 1]);
    assert_eq!(
        passing(&json!({ "devices": ["CD34"], "range": ["below"] }), &rows),
        [2]
    );
    assert!(passing(&json!({ "devices": ["AB12"], "range": ["below"] }), &rows).is_empty());
}

#[test]
fn all_passing_is_the_same_batch() {
    let before = batch(&[of_kind("glucose")]);
    let outcome = open("filter", &json!({ "kinds": ["glucose"] }))
        .unwrap()
        .apply(before.clone(), &context());
    for (old, new) in before
        .columns()
        .iter()
        .zip(outcome.unwrap().batch.columns())
    {
        assert!(std::sync::Arc::ptr_eq(old, new));
    }
}

#[test]
fn refuses_what_it_cannot_understand() {
    for (options, key) in [
        (json!({ "since": "yesterday" }), "since"),
        (json!({ "until": "01.02.2026" }), "until"),
        (
            json!({ "since": "2026-02-01", "until": "2026-01-01" }),
            "until",
        ),
        (
            json!({ "since": "2026-02-01", "until": "2026-02-01" }),
            "until",
        ),
        (json!({ "since": "12h", "until": "30d" }), "until"),
        (json!({ "devices": ["AB12", "  "] }), "devices.1"),
        (json!({ "devices": [] }), "devices"),
        (json!({ "kinds": [] }), "kinds"),
    ] {
        let rejected = refused("filter", &options);
        assert_eq!(
            (rejected.key.as_str(), rejected.code),
            (key, Code::DATA_FILTER),
            "{options}"
        );
        assert!(!rejected.message.ends_with('.'));
    }
    assert_eq!(
        refused("filter", &json!({ "kinds": ["blood"] })).code,
        Code::CONFIG_VALUE
    );
    let hint = refused("filter", &json!({ "since": "yesterday" }))
        .hint
        .unwrap();
    assert!(hint.contains("2026-01-01T06:00:00Z"));
}

proptest! {
    #[test]
    fn what_passes_is_untouched_and_what_does_not_is_counted(
        rows in prop::collection::vec(any_row(), 0..40),
        kinds in prop::option::of(prop::sample::subsequence(vec!["glucose", "ketone", "control", "insulin", "carbs"], 1..5)),
        range in prop::option::of(prop::sample::subsequence(vec!["in", "below", "above"], 1..3)),
        devices in prop::option::of(Just(vec!["CD34"])),
        since in prop::option::of(prop::sample::select(vec!["1990-01-01", "2000-01-01T00:00:00Z", "5200w"])),
    ) {
        let options = json!({ "kinds": kinds, "range": range, "devices": devices, "since": since });
        let outcome = apply("filter", &options, &rows, &context());
        assert_raw_untouched(&batch(&rows), &outcome.batch);
        let ids = texts(&outcome.batch, "reading_id").into_iter().flatten();
        let kept: Vec<usize> = ids.map(|id| id[2..].parse().unwrap()).collect();
        prop_assert_eq!(kept.len() as u64 + outcome.dropped, rows.len() as u64);
        for (index, row) in rows.iter().enumerate() {
            let fits = kinds.as_ref().is_none_or(|kinds| kinds.contains(&row.kind))
                && range.as_ref().is_none_or(|range| range.contains(&row.range))
                && (devices.is_none() || row.serial == "cd 34")
                && match since {
                    None => true,
                    Some("1990-01-01") => row.local >= local("1990-01-01T00:00:00"),
                    Some("5200w") => row.time.is_some_and(|time| time >= row.read_at - 5200 * 7 * 86_400_000_000),
                    Some(_) => row.time.is_some_and(|time| time >= local("2000-01-01T00:00:00")),
                };
            prop_assert_eq!(kept.contains(&index), fits, "row {}", index);
        }
    }
}

#[test]
fn passes_the_persons_that_are_named() {
    let of = |person| Row {
        person,
        ..Row::glucose(5.0, "mmol/L")
    };
    let rows = [
        of(Some("anna")),
        of(None),
        of(Some("ben")),
        of(Some("Anna")),
    ];
    assert_eq!(passing(&json!({ "persons": ["anna"] }), &rows), [0]);
    assert_eq!(
        passing(&json!({ "persons": ["ben", "anna"] }), &rows),
        [0, 2]
    );
    let rejected = refused("filter", &json!({ "persons": ["ben", "ana"] }));
    assert_eq!(
        (rejected.key.as_str(), rejected.hint.as_deref()),
        ("persons.1", Some("did you mean `anna`?"))
    );
    assert_eq!(refused("filter", &json!({ "persons": [] })).key, "persons");
}
