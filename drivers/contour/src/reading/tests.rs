use glucopipe_sdk::serde_json;

use super::*;
use crate::protocol::header::Header;
use crate::protocol::record::{ControlOrders, Decoder};
use crate::protocol::samples;

fn decode_with(header: &str, texts: &[&str]) -> Decoded {
    let decoder = Decoder::new(&Header::parse(header.as_bytes()).unwrap());
    let mut orders = ControlOrders::default();
    let mut collection = Collection::default();
    for text in texts {
        match decoder.decode(text.as_bytes()) {
            Record::Order(order) => orders.add(&order),
            record => collection.kept.push(Kept {
                record,
                raw: b"frame".to_vec(),
            }),
        }
    }
    collection.orders = orders;
    Decoded::new(collection)
}

fn decode(texts: &[&str]) -> Decoded {
    decode_with(samples::HEADER_7390, texts)
}

#[test]
fn plain_result_becomes_a_reading_with_its_texts() {
    let decoded = decode(&["R|1|^^^Glucose|93|mg/dL^P||A/Z1/X||202605301805"]);
    let reading = &decoded.readings[0];
    let value = Concentration::MgPerDl(MgPerDl::new(93.0).unwrap());
    assert_eq!(
        reading.measurement(),
        Measurement::Glucose(Ranged::In(value))
    );
    assert_eq!((reading.raw_value(), reading.raw_unit()), ("93", "mg/dL"));
    assert_eq!(reading.local_time().to_string(), "2026-05-30 18:05:00");
    assert_eq!(reading.meal, Some(Meal::After));
    assert_eq!(reading.reference, Some(Reference::Plasma));
    assert_eq!(reading.notes, ["15 min after meal", "activity"]);
    assert_eq!(reading.markers.as_deref(), Some("A/Z1/X"));
    assert_eq!(reading.raw.as_deref(), Some(&b"frame"[..]));
    assert!(reading.annotations.is_empty() && decoded.set_aside.is_empty());
}

#[test]
fn high_and_low_become_the_limit_of_the_meter_simulated() {
    let decoded = decode(&[
        "R|1|^^^Glucose|601|mg/dL^P||>||202605301805",
        "R|2|^^^Glucose|9|mg/dL^P||<||202605301806",
        "R|3|^^^Glucose|601|mg/dL^P||||202605301807",
    ]);
    let limit = |value| Concentration::MgPerDl(MgPerDl::new(value).unwrap());
    let measured: Vec<_> = decoded.readings.iter().map(Reading::measurement).collect();
    assert_eq!(
        measured,
        [
            Measurement::Glucose(Ranged::Above(limit(600.0))),
            Measurement::Glucose(Ranged::Below(limit(10.0))),
            Measurement::Glucose(Ranged::In(limit(601.0))),
        ]
    );
    assert_eq!(decoded.readings[0].raw_value(), "601");
    assert_eq!(decoded.readings[2].annotations, ["outside_declared_range"]);
}

#[test]
fn limit_nobody_declared_is_said_to_be_the_usual_one_simulated() {
    let decoded = decode_with(
        samples::HEADER_6200,
        &["R|1|^^^Glucose|33.4|mmol/L^P||>/B/A||202605301805"],
    );
    let reading = &decoded.readings[0];
    assert_eq!(
        reading.annotations,
        ["marker_conflict", "limit_source:default"]
    );
    assert_eq!(reading.meal, None);
}

#[test]
fn control_insulin_and_carbohydrates_keep_their_kinds_simulated() {
    let decoded = decode(&[
        "R|1|^^^Glucose|7.9|mmol/L^P||C||202605301805",
        "R|2|^^^Insulin|65|1^||||202605301805",
        "R|3|^^^Carb|30|2^||||202605301805",
        "R|4|^^^Carb|30|0^||||202605301805",
    ]);
    let amount = |value| Amount::new(value).unwrap();
    let mmol = Concentration::MmolPerL(MmolPerL::new(7.9).unwrap());
    let measured: Vec<_> = decoded.readings.iter().map(Reading::measurement).collect();
    assert_eq!(
        measured,
        [
            Measurement::Control(Ranged::In(mmol)),
            Measurement::Insulin(amount(6.5)),
            Measurement::Carbs(amount(30.0), CarbUnit::Points),
            Measurement::Carbs(amount(30.0), CarbUnit::Unknown),
        ]
    );
    let insulin = &decoded.readings[1];
    assert_eq!(insulin.notes, ["fast-acting insulin"]);
    assert_eq!((insulin.raw_value(), insulin.raw_unit()), ("65", "[iU]"));
}

#[test]
fn order_makes_a_control_test_before_and_after_its_result_simulated() {
    let decoded = decode(&[
        "O|1||||||||||Q",
        "R|1|^^^Glucose|93|mg/dL^P||||202605301805",
        "R|2|^^^Glucose|94|mg/dL^P||||202605301806",
        "R|3|^^^Glucose|95|mg/dL^P||||202605301807",
        "O|2||||||||||Q",
    ]);
    let control = |reading: &Reading| matches!(reading.measurement(), Measurement::Control(_));
    let controls: Vec<bool> = decoded.readings.iter().map(control).collect();
    assert_eq!(controls, [true, true, false]);
    assert_eq!(decoded.controls_by_order, 2);
}

#[test]
fn records_that_are_no_readings_are_set_aside_with_position_and_reason_simulated() {
    let decoded = decode(&[
        "R|1|^^^Ketone|0.4|mmol/L||||202605301805",
        "R|2|^^^Glucose|93|mg/dL^P||||202605301805",
        "R|3|^^^Glucose|2001|mg/dL^P||||202605301805",
        "M|1|x",
        "P^1^Doe",
        "R|5|^^^Glucose|93|mg/dL^P||||202613301805",
        "R|6|^^^Insulin|99999999|1^||||202605301805",
    ]);
    assert_eq!(decoded.readings.len(), 1);
    let found: Vec<_> = decoded
        .set_aside
        .iter()
        .map(|record| (record.position, record.reason.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            (1, "unknown test `Ketone`"),
            (3, "the value is larger than a meter can measure"),
            (4, "records of type `M` are not known"),
            (5, "the text is not a record"),
            (6, "the time is not a possible date and time"),
            (7, "the value is larger than a meter can measure"),
        ]
    );
    assert!(decoded.set_aside[0].raw.starts_with("527c31"));
    assert_eq!(decoded.set_aside[3].raw, "");
}

#[test]
fn unknown_markers_are_counted_within_bounds_simulated() {
    let texts: Vec<String> = (0..40)
        .map(|at| {
            format!(
                "R|1|^^^Glucose|93|mg/dL^P||Q{at:02}/\u{1}{}||202605301805",
                "y".repeat(50)
            )
        })
        .collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let decoded = decode(&texts);
    assert_eq!(decoded.unknown_markers.len(), UNKNOWN_LISTED);
    assert_eq!(decoded.unknown_markers.get("Q00"), Some(&1));
    assert!(
        decoded
            .unknown_markers
            .values()
            .any(|records| *records == 40)
    );
    assert_eq!(decoded.readings[0].annotations, ["suspect"]);
}

#[test]
fn report_counts_kinds_and_names_reasons_simulated() {
    let texts = [
        "O|1||||||||||Q",
        "R|1|^^^Glucose|93|mg/dL^P||Q7||202605301805",
        "R|4|^^^Glucose|601|mg/dL^P||>||202605301805",
    ];
    let decoder = Decoder::default();
    let mut tally = crate::protocol::completeness::Tally::default();
    tally.count(&decoder.decode(samples::HEADER_7390.as_bytes()));
    for text in texts {
        tally.count(&decoder.decode(text.as_bytes()));
    }
    let report = crate::report::report(&tally, Default::default(), decode(&texts));
    assert!(!report.complete);
    assert_eq!(
        report.reasons,
        [
            "the meter sent no end record",
            "the meter announced 3 results and sent 2"
        ]
    );
    let count = |name: &str| report.counts[name].as_u64().unwrap();
    assert_eq!((count("glucose"), count("control"), count("hi")), (1, 1, 1));
    assert_eq!(
        report.notes,
        [
            "results whose number does not follow the one before: 1",
            "unknown marker `Q7`: 1"
        ]
    );
    let text = serde_json::to_string(&report).unwrap();
    assert!(!text.contains("aB3dEf") && !text.contains("7390-1234567"));
}
