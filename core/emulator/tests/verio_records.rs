//! The invented results of the Verio family: layout, variety, limits and agreement with the wire.

mod support;

use std::collections::BTreeSet;

use glucopipe_emulator::{Kind, LocalTime, Meal, Range, Truth};
use support::disk::{DiskHost, unhex};
use support::{scenario, verio_models};

/// 2000-01-01 on the clock of [`LocalTime`].
const EPOCH_S: i64 = 946_684_800;

/// A record taken apart as the reference says.
struct Parts {
    inverse: u16,
    control: u8,
    counter: u16,
    seconds: u32,
    glucose: u16,
    meal: u8,
    reserved: u8,
    tail: [u8; 2],
}

fn parts(record: &str) -> Parts {
    let bytes = unhex(record);
    assert_eq!(bytes.len(), 16, "{record}");
    let word = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
    Parts {
        inverse: word(0),
        control: bytes[2],
        counter: word(3),
        seconds: u32::from(word(5)) | u32::from(word(7)) << 16,
        glucose: word(9),
        meal: bytes[11],
        reserved: bytes[12],
        tail: [bytes[14], bytes[15]],
    }
}

fn find(truth: &[Truth], raw: &str) -> Truth {
    let found = truth.iter().find(|t| t.raw_value == raw);
    found
        .unwrap_or_else(|| panic!("no result of {raw}"))
        .clone()
}

#[test]
fn sends_what_the_truth_says_on_every_model() {
    for model in verio_models() {
        for unit in ["mg/dL", "mmol/L"] {
            let scenario = scenario(&format!("{}?unit={unit}", model.key));
            let truth = scenario.truth();
            assert_eq!(truth.len(), 300);
            let mut host = DiskHost::new(&scenario);
            let download = host.download();
            assert_eq!(download.records.len(), 300, "{}", model.key);
            assert_eq!((download.repeats, download.restarts), (0, 0));
            assert_eq!(host.audit().complaints(), [""; 0]);
            for ((position, record), truth) in (1..).zip(&download.records).zip(&truth) {
                let parts = parts(record);
                assert_eq!((truth.position, &truth.sent), (position, record));
                assert_eq!(truth.raw_value, parts.glucose.to_string());
                assert_eq!(truth.raw_time, parts.seconds.to_string());
                assert_eq!(truth.counter, Some(parts.counter));
                let time = LocalTime::from_seconds(EPOCH_S + i64::from(parts.seconds));
                assert_eq!(truth.local_time, time);
                let control = parts.control & 1 == 1;
                assert_eq!(truth.kind == Kind::Control, control);
                let meal = match parts.meal {
                    0 => (None, ""),
                    1 => (Some(Meal::Before), "01"),
                    2 => (Some(Meal::After), "02"),
                    other => panic!("meal {other}"),
                };
                assert_eq!((truth.meal, truth.markers.as_str()), meal);
                assert_eq!((truth.unit, truth.raw_unit.as_str()), ("mg/dL", "mg/dL"));
                assert_eq!((parts.reserved, parts.tail), (0, [0x0B, 0]));
            }
        }
    }
}

#[test]
fn counts_down_from_the_newest() {
    for (model, step) in [("verio", 1), ("select-plus-flex", u16::MAX)] {
        let records = DiskHost::new(&scenario(model)).download().records;
        let parts: Vec<Parts> = records.iter().map(|record| parts(record)).collect();
        for pair in parts.windows(2) {
            assert_eq!(pair[1].counter.wrapping_add(1), pair[0].counter);
            assert_eq!(pair[1].inverse, pair[0].inverse.wrapping_add(step));
            assert!(pair[0].seconds >= pair[1].seconds);
        }
        assert_eq!(parts[299].counter, 201);
    }
    let records = DiskHost::new(&scenario("verio?counter=65400"))
        .download()
        .records;
    assert_eq!(parts(&records[0]).counter, 163);
}

#[test]
fn reports_limits_outside_the_range_only() {
    let truth = scenario("verio").truth();
    for (raw, range, value) in [
        ("601", Range::Above, 600.0),
        ("650", Range::Above, 600.0),
        ("65535", Range::Above, 600.0),
        ("600", Range::In, 600.0),
        ("20", Range::In, 20.0),
        ("19", Range::Below, 20.0),
        ("12", Range::Below, 20.0),
        ("65534", Range::Below, 20.0),
    ] {
        let truth = find(&truth, raw);
        assert_eq!((truth.range, truth.value), (range, value), "{raw}");
        assert_eq!(truth.range_limit, (range != Range::In).then_some(value));
    }
    for t in truth.iter().filter(|t| t.range == Range::In) {
        assert_eq!(t.raw_value, t.value.to_string());
    }
}

#[test]
fn marks_meals_on_the_select_plus_only() {
    for model in verio_models() {
        let truth = scenario(model.key).truth();
        let meals: BTreeSet<&str> = truth.iter().map(|t| t.markers.as_str()).collect();
        let expected: &[&str] = if model.key.starts_with("select") {
            &["", "01", "02"]
        } else {
            &[""]
        };
        assert!(meals.iter().eq(expected), "{}: {meals:?}", model.key);
    }
}

#[test]
fn has_control_tests_and_unknown_control_bits() {
    let scenario = scenario("verio");
    let truth = scenario.truth();
    let control = |byte| {
        let with = |t: &&Truth| parts(&t.sent).control == byte;
        truth
            .iter()
            .filter(with)
            .map(|t| t.kind)
            .collect::<Vec<_>>()
    };
    assert_eq!(control(1), [Kind::Control; 2]);
    assert_eq!(control(3), [Kind::Control]);
    assert_eq!(control(2), [Kind::Glucose]);
    assert_eq!(control(0).len(), 296);
}

#[test]
fn has_tests_in_one_minute_and_at_the_daylight_saving_changes() {
    let truth = scenario("verio").truth();
    let minute = |t: &Truth| t.local_time.without_seconds();
    let pairs: Vec<_> = truth
        .windows(2)
        .filter(|p| minute(&p[0]) == minute(&p[1]))
        .collect();
    assert!(
        pairs
            .iter()
            .any(|pair| pair[0].raw_value == pair[1].raw_value)
    );
    assert!(
        pairs
            .iter()
            .any(|pair| pair[0].raw_value != pair[1].raw_value)
    );
    for time in [
        "2025-10-26T02:30:00",
        "2026-03-29T02:30:00",
        "2026-03-29T03:30:00",
    ] {
        assert!(
            truth.iter().any(|t| t.local_time.to_string() == time),
            "{time}"
        );
    }
    assert_eq!(truth[0].local_time.to_string(), "2026-05-30T18:05:00");
}

#[test]
fn works_with_few_and_many_results() {
    for records in [0_usize, 1, 2, 3, 5, 13, 500, 10_000] {
        let scenario = scenario(&format!("select-plus?records={records}"));
        let download = DiskHost::new(&scenario).download();
        assert_eq!(
            (download.records.len(), scenario.truth().len()),
            (records, records)
        );
        let distinct: BTreeSet<&String> = download.records.iter().collect();
        assert_eq!(distinct.len(), records);
    }
}

#[test]
fn depends_on_the_seed_and_nothing_else() {
    let wire = |uri: &str| {
        let mut host = DiskHost::new(&scenario(uri));
        host.download();
        host.log
    };
    assert_eq!(wire("select-plus?seed=7"), wire("select-plus?seed=7"));
    assert_ne!(wire("select-plus?seed=7"), wire("select-plus?seed=8"));
    let a = scenario("verio").truth();
    let b = scenario("verio?serial=42&clock=2030-01-01T00:00&fault=crc&unit=mmol").truth();
    assert_eq!(a, b);
}

#[test]
fn reproduces_the_worked_record_of_the_reference() {
    // 104 mg/dL, before a meal, 2026-05-30T19:05:00, inverse 6, counter 211.
    let worked = "06 00 00 D3 00 5C F1 AD 31 68 00 01 00 00 0B 00";
    let sent = &scenario("select-plus?records=1&end=2026-05-30T19:05:00&counter=211").truth()[0];
    let (worked, ours) = (unhex(worked), unhex(&sent.sent));
    assert_eq!(ours[2..9], worked[2..9], "control, counter and time");
    assert_eq!(ours[14..], worked[14..]);
    assert_eq!(sent.raw_time, "833483100");
}
