use std::sync::Arc;

use glucopipe_sdk::arrow::array::ArrayRef;
use glucopipe_sdk::testing::{Form, MORNING, moments, numbers, table, texts};

use super::*;

/// Noon of the day of [`MORNING`].
const NOW_MS: i64 = MORNING / 1000 + 5 * 3_600_000;

fn taken(out_of_range: OutOfRange, rows: usize, columns: &[(&str, ArrayRef)]) -> Intake {
    let mut intake = Intake::new(out_of_range, NOW_MS);
    let mut columns = columns.to_vec();
    if !columns.iter().any(|(name, _)| *name == "time") {
        columns.push(("time", moments(&vec![Some(MORNING); rows])));
    }
    for form in [Form::Words, Form::Plain] {
        intake = Intake::new(out_of_range, NOW_MS);
        intake.take(&table(rows, form, &columns)).unwrap();
    }
    intake
}

fn repeat(text: &str, rows: usize) -> ArrayRef {
    texts(&vec![Some(text); rows])
}

#[test]
fn a_reading_keeps_what_it_was() {
    let offset: ArrayRef = Arc::new(Int16Array::from(vec![Some(120)]));
    let intake = taken(
        OutOfRange::Skip,
        1,
        &[
            ("reading_id", repeat("id-1", 1)),
            ("time", moments(&[Some(MORNING + 999_999)])),
            ("utc_offset_min", offset),
            ("raw_value", repeat("93", 1)),
            ("raw_unit", repeat("mg/dL", 1)),
            ("meal", repeat("before", 1)),
            ("notes", repeat("stress; sick", 1)),
            ("device_model", repeat("Contour <Next>", 1)),
            ("device_serial", repeat("1000001", 1)),
        ],
    );
    let stick = &intake.sticks[0];
    assert_eq!(stick.reading_id, "id-1");
    assert_eq!((stick.second_ms, stick.offset_min), (MORNING / 1000, 120));
    assert_eq!(Some(stick.glucose), Glucose::from_mg_per_dl(93.0));
    assert_eq!(stick.device, "Contour Next 1000001");
    assert_eq!(stick.notes, "before meal / stress/ sick");
    assert_eq!(
        (stick.raw_value.as_str(), stick.raw_unit.as_str()),
        ("93", "mg/dL")
    );
}

#[test]
fn only_finger_sticks_have_a_place() {
    let kinds = [
        "glucose", "control", "ketone", "insulin", "carbs", "control",
    ];
    let kinds: Vec<_> = kinds.into_iter().map(Some).collect();
    let intake = taken(OutOfRange::Limit, 6, &[("kind", texts(&kinds))]);
    assert_eq!(intake.sticks.len(), 1);
    assert_eq!(intake.left_out.values().sum::<u64>(), 5);
    assert_eq!(
        intake.left_out_words().unwrap(),
        "readings without a place in Nightscout: 1 carbs, 2 control, 1 insulin, 1 ketone"
    );
}

#[test]
fn hi_and_lo_go_only_when_asked_for_and_as_the_limit() {
    let ranges = texts(&[Some("above"), Some("below"), Some("in")]);
    let columns = [
        ("range", ranges),
        ("value", numbers(&[Some(600.0), Some(0.6), Some(5.5)])),
        (
            "unit",
            texts(&[Some("mg/dL"), Some("mmol/L"), Some("mmol/L")]),
        ),
        ("raw_value", texts(&[Some("33.4"), Some("LO"), Some("5.5")])),
        ("raw_unit", repeat("mmol/L", 3)),
    ];
    let skipped = taken(OutOfRange::Skip, 3, &columns);
    assert_eq!(
        (skipped.sticks.len(), skipped.left_out["out of range"]),
        (1, 2)
    );
    let sent = taken(OutOfRange::Limit, 3, &columns);
    let beyond: Vec<_> = sent.sticks.iter().map(|stick| stick.beyond).collect();
    assert_eq!(beyond, [Some(Beyond::Above), Some(Beyond::Below), None]);
    // The limit, never the meter's 33.4.
    assert_eq!(Some(sent.sticks[0].glucose), Glucose::from_mg_per_dl(600.0));
}

/// 10 mg/dL shown as 0.6 mmol/L would come back as 11.
#[test]
fn a_limit_that_was_rounded_in_mmol_is_left_out() {
    let intake = taken(
        OutOfRange::Limit,
        2,
        &[
            ("range", texts(&[Some("below"), Some("in")])),
            ("value", numbers(&[Some(0.6), Some(6.6)])),
            ("unit", repeat("mmol/L", 2)),
            ("raw_value", texts(&[Some("LO"), Some("118")])),
            ("raw_unit", repeat("mg/dL", 2)),
        ],
    );
    assert_eq!(intake.sticks.len(), 1);
    assert_eq!(
        intake.left_out_words().unwrap(),
        "readings without a place in Nightscout: 1 out of range, with a limit that `units` has rounded in mmol/L"
    );
}

#[test]
fn readings_of_several_persons_are_refused() {
    for (kinds, persons, expected) in [
        (["glucose"; 3], [Some("anna"); 3], true),
        (["glucose"; 3], [None; 3], true),
        (
            ["glucose"; 3],
            [Some("anna"), Some("anna"), Some("ben")],
            false,
        ),
        (["glucose"; 3], [Some("anna"), Some("anna"), None], false),
        // What is never sent is nobody's.
        (
            ["glucose", "glucose", "ketone"],
            [Some("anna"), Some("anna"), Some("ben")],
            true,
        ),
    ] {
        let columns = [
            ("kind", texts(&kinds.map(Some))),
            ("person", texts(&persons)),
        ];
        let intake = taken(OutOfRange::Skip, 3, &columns);
        let one = intake.expect_one_person();
        assert_eq!(one.is_ok(), expected, "{persons:?}");
        if let Err(error) = one {
            assert!(error.message.contains("`persons = [\"NAME\"]`"), "{error}");
            assert!(!error.message.contains("anna"), "{error}");
        }
    }
}

/// 118 mg/dL shown as 6.6 mmol/L is 118, not 119; what stands in mg/dL is taken as it stands.
#[test]
fn no_number_is_converted_there_and_back() {
    let intake = taken(
        OutOfRange::Skip,
        4,
        &[
            (
                "value",
                numbers(&[Some(6.6), Some(5.5), Some(599.4), Some(118.0)]),
            ),
            (
                "unit",
                texts(&[Some("mmol/L"), Some("mmol/L"), Some("mg/dL"), Some("mg/dL")]),
            ),
            (
                "raw_value",
                texts(&[Some("118"), Some("5.5"), Some("33.3"), Some("118")]),
            ),
            (
                "raw_unit",
                texts(&[Some("mg/dL"), Some("mmol/L"), Some("mmol/L"), Some("mg/dL")]),
            ),
        ],
    );
    let expected = [
        Glucose::from_mg_per_dl(118.0),
        Glucose::from_mmol_per_l(5.5),
        Glucose::from_both(599.0, 33.3),
        Glucose::from_mg_per_dl(118.0),
    ];
    let got: Vec<_> = intake
        .sticks
        .iter()
        .map(|stick| Some(stick.glucose))
        .collect();
    assert_eq!(got, expected);
}

#[test]
fn wrong_clocks_are_held_back_or_refused_with_a_reason() {
    let now_us = NOW_MS * 1000;
    let intake = taken(
        OutOfRange::Skip,
        7,
        &[
            (
                "reading_id",
                texts(&["a", "b", "c", "d", "e", "f", "g"].map(Some)),
            ),
            (
                "time",
                moments(&[
                    Some(now_us + AHEAD_MS * 1000),
                    Some(now_us + AHEAD_MS * 1000 + 1000),
                    Some(i64::MAX),
                    Some(EARLIEST_MS * 1000),
                    Some(EARLIEST_MS * 1000 + 1000),
                    Some(i64::MIN),
                    None,
                ]),
            ),
        ],
    );
    let sent: Vec<_> = intake
        .sticks
        .iter()
        .map(|stick| stick.reading_id.as_str())
        .collect();
    assert_eq!(sent, ["a", "e"]);
    let held: Vec<_> = intake
        .held
        .iter()
        .map(|(held, id)| (*held, id.as_str()))
        .collect();
    assert_eq!(
        held,
        [
            (Held::Future, "b"),
            (Held::Future, "c"),
            (Held::Unresolved, "g")
        ]
    );
    let refused: Vec<_> = intake
        .refused
        .iter()
        .map(|one| one.reading_id.as_str())
        .collect();
    assert_eq!(refused, ["d", "f"]);
    assert_eq!(
        intake.refused[0].reason,
        "dated before 2000: the meter's clock was not set"
    );
    insta::assert_snapshot!(intake.held_words(|_| true).unwrap());
}

#[test]
fn what_is_no_value_is_refused() {
    let intake = taken(
        OutOfRange::Limit,
        3,
        &[
            ("value", numbers(&[Some(0.0), Some(f64::NAN), Some(5.0)])),
            (
                "unit",
                texts(&[Some("mg/dL"), Some("mmol/L"), Some("{unknown}")]),
            ),
            ("raw_unit", repeat("x", 3)),
        ],
    );
    assert_eq!((intake.sticks.len(), intake.refused.len()), (0, 3));
}

#[test]
fn the_clock_that_is_most_off_says_how_far_a_correction_moves_readings() {
    let offsets: ArrayRef = Arc::new(Int64Array::from(vec![Some(-7200), Some(30), None]));
    let intake = taken(OutOfRange::Skip, 3, &[("clock_offset_s", offsets)]);
    assert_eq!(intake.clock_off_ms, 7_200_000);
    let far: ArrayRef = Arc::new(Int64Array::from(vec![Some(i64::MIN)]));
    assert_eq!(
        taken(OutOfRange::Skip, 1, &[("clock_offset_s", far)]).clock_off_ms,
        i64::MAX
    );
}
