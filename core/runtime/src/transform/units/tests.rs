use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::testing::{
    Row, any_row, apply, assert_raw_untouched, batch, context, numbers, open, refused, texts,
};
use super::*;

fn values(options: &Value, rows: &[Row]) -> Vec<f64> {
    let outcome = apply("units", options, rows, &context());
    numbers(&outcome.batch, "value")
        .into_iter()
        .flatten()
        .collect()
}

#[test]
fn converts_with_the_factor_that_was_chosen() {
    let rows = [Row::glucose(118.0, "mg/dL"), Row::glucose(181.0, "mg/dL")];
    assert_eq!(
        values(&json!({ "to": "mmol/L", "decimals": 1 }), &rows),
        [6.5, 10.0]
    );
    assert_eq!(
        values(
            &json!({ "to": "mmol/L", "factor": 18, "decimals": 1 }),
            &rows
        ),
        [6.6, 10.1]
    );
    assert_eq!(
        values(&json!({ "to": "mmol/L" }), &rows),
        [118.0 / 18.01559, 181.0 / 18.01559]
    );
    assert_eq!(
        values(&json!({ "to": "mmol/L", "factor": 18.0 }), &rows),
        [118.0 / 18.0, 181.0 / 18.0]
    );
    let rows = [Row::glucose(5.6, "mmol/L"), Row::glucose(33.3, "mmol/L")];
    assert_eq!(
        values(&json!({ "to": "mg/dL", "decimals": 0 }), &rows),
        [101.0, 600.0]
    );
    // 5.6 × 18.01559 as decimals, not as doubles.
    assert_eq!(
        values(&json!({ "to": "mg/dL" }), &rows),
        [100.887_304, 599.919_147]
    );
}

#[test]
fn values_in_the_unit_already_are_rounded_only_if_asked() {
    let rows = [Row::glucose(5.55, "mmol/L"), Row::glucose(100.0, "mg/dL")];
    assert_eq!(values(&json!({ "to": "mmol/L" }), &rows)[0], 5.55);
    assert_eq!(
        values(&json!({ "to": "mmol/L", "decimals": 1 }), &rows),
        [5.6, 5.6]
    );
}

#[test]
fn converts_glucose_and_control_with_their_limits_and_nothing_else() {
    let beyond = |kind, unit| Row {
        kind,
        range: "above",
        limit: Some(600.0),
        ..Row::glucose(600.0, unit)
    };
    let rows = [
        beyond("glucose", "mg/dL"),
        beyond("control", "mg/dL"),
        beyond("ketone", "mmol/L"),
        beyond("ketone", "mg/dL"),
        beyond("carbs", "g"),
        beyond("insulin", "[iU]"),
        beyond("glucose", "mmol/L"),
    ];
    let outcome = apply(
        "units",
        &json!({ "to": "mmol/L", "decimals": 1 }),
        &rows,
        &context(),
    );
    let expected = [33.3, 33.3, 600.0, 600.0, 600.0, 600.0, 600.0].map(Some);
    assert_eq!(numbers(&outcome.batch, "value"), expected);
    assert_eq!(numbers(&outcome.batch, "range_limit"), expected);
    let units = texts(&outcome.batch, "unit")
        .into_iter()
        .flatten()
        .collect::<Vec<_>>();
    assert_eq!(
        units,
        ["mmol/L", "mmol/L", "mmol/L", "mg/dL", "g", "[iU]", "mmol/L"]
    );
    assert_eq!(
        texts(&outcome.batch, "raw_unit")[0].as_deref(),
        Some("mg/dL"),
        "what the meter sent stays"
    );
    assert_eq!(
        outcome.notes,
        ["units: glucose in mmol/L, factor 18.01559, 1 decimal; 2 of 7 converted"]
    );
}

#[test]
fn a_batch_with_nothing_to_do_is_the_same_batch() {
    let rows = [
        Row::glucose(5.55, "mmol/L"),
        Row {
            kind: "carbs",
            ..Row::glucose(12.0, "g")
        },
    ];
    let before = batch(&rows);
    let after = open("units", &json!({ "to": "mmol/L" }))
        .unwrap()
        .apply(before.clone(), &context());
    for (old, new) in before.columns().iter().zip(after.unwrap().batch.columns()) {
        assert!(Arc::ptr_eq(old, new));
    }
    assert!(
        apply("units", &json!({ "to": "mmol/L" }), &[], &context())
            .batch
            .num_rows()
            == 0
    );
}

#[test]
fn takes_the_unit_in_any_case_and_refuses_what_it_cannot_do() {
    let rows = [Row::glucose(100.0, "mg/dL")];
    assert_eq!(
        values(&json!({ "to": "MMOL/l", "decimals": 1 }), &rows),
        [5.6]
    );
    let rejected = refused("units", &json!({ "to": "mmol" }));
    assert_eq!(
        (rejected.key.as_str(), rejected.code),
        ("to", Code::CONFIG_VALUE)
    );
    assert_eq!(rejected.message, "expected `mg/dL` or `mmol/L`, got `mmol`");
    assert_eq!(rejected.hint.as_deref(), Some("did you mean `mmol/L`?"));
    let rejected = refused("units", &json!({ "to": "mg/dL", "factor": 18.02 }));
    assert_eq!(rejected.key, "factor");
    assert_eq!(rejected.message, "expected `18.01559` or `18`, got `18.02`");
    assert_eq!(
        refused("units", &json!({ "to": "mg/dL", "decimals": 4 })).key,
        "decimals"
    );
}

proptest! {
    #[test]
    fn raw_columns_never_change(
        rows in prop::collection::vec(any_row(), 0..40),
        to in prop::sample::select(vec!["mg/dL", "mmol/L"]),
        factor in prop::sample::select(vec![18.0, 18.01559]),
        decimals in prop::option::of(0u8..=3),
    ) {
        let options = json!({ "to": to, "factor": factor, "decimals": decimals });
        let outcome = apply("units", &options, &rows, &context());
        assert_raw_untouched(&batch(&rows), &outcome.batch);
        prop_assert_eq!(outcome.batch.num_rows(), rows.len());
        for (row, unit) in rows.iter().zip(texts(&outcome.batch, "unit")) {
            let glucose = matches!(row.kind, "glucose" | "control") && row.unit != "g";
            prop_assert_eq!(unit.as_deref(), Some(if glucose { to } else { row.unit }));
        }
    }

    #[test]
    fn there_and_back_restores_the_value(tenths in 0u32..20_000) {
        let value = f64::from(tenths) / 10.0;
        let mut there = open("units", &json!({ "to": "mmol/L" })).unwrap();
        let mut back = open("units", &json!({ "to": "mg/dL", "decimals": 1 })).unwrap();
        let outcome = there.apply(batch(&[Row::glucose(value, "mg/dL")]), &context()).unwrap();
        let outcome = back.apply(outcome.batch, &context()).unwrap();
        prop_assert_eq!(numbers(&outcome.batch, "value"), [Some(value)]);
    }
}
