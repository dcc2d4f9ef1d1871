//! Reads of a meter that answers.

use glucopipe_sdk::arrow::array::{BinaryArray, RecordBatch, TimestampMicrosecondArray};
use glucopipe_sdk::batch::{Texts, typed};
use glucopipe_sdk::driver::ReadReport;
use glucopipe_sdk::serde_json::json;
use glucopipe_sdk::testing::Read;
use glucopipe_sdk::{Error, Status};

use super::fake::{Act, Bench, CLOCK, Fake, SERIAL, Step, record};
use crate::protocol::record::Record;

/// Cells of a text column, of all batches.
pub(super) fn cells(read: &Read, column: &str) -> Vec<Option<String>> {
    let of = |batch: &RecordBatch| -> Vec<Option<String>> {
        let texts = Texts::of(batch, column).unwrap();
        (0..batch.num_rows())
            .map(|row| texts.get(row).map(str::to_owned))
            .collect()
    };
    read.batches.iter().flat_map(of).collect()
}

pub(super) fn report(read: &Read) -> &ReadReport {
    read.report.as_ref().unwrap()
}

#[test]
fn reads_five_hundred_records_oldest_first_and_is_complete() {
    let mut bench = Bench::new(Fake::new(500));
    let read = bench.session.read().unwrap();
    let report = report(&read);
    assert_eq!((read.rows(), &read.error), (500, &None));
    assert_eq!((report.complete, report.expected), (true, Some(500)));
    assert!(report.reasons.is_empty() && report.set_aside.is_empty() && report.notes.is_empty());
    assert_eq!(report.counts["glucose"], 500);
    // Identity: model, serial, software, unit; clock, count; records; count.
    assert_eq!(report.counts["exchanges"], 6 + 500 + 1);
    assert_eq!(report.counts["scsi_commands"], 2 + 2 * 507);
    let keys = cells(&read, "record_key");
    let key = |number: u16| {
        let Record {
            counter, seconds, ..
        } = record(number, 0);
        Some(format!("glucose|{counter}|{seconds}"))
    };
    assert_eq!((&keys[0], &keys[499]), (&key(0), &key(499)));
    assert!(cells(&read, "annotations").iter().all(Option::is_none));
    let batch = &read.batches[0];
    let times: &TimestampMicrosecondArray = typed(batch, "local_time").unwrap();
    assert!((1..500).all(|row| times.value(row - 1) < times.value(row)));
    let raw: &BinaryArray = typed(batch, "raw").unwrap();
    assert_eq!((raw.value(7).len(), raw.value(7)[0]), (24, 2));
    let last = bench.host.progress().pop().unwrap();
    assert_eq!((last.done, last.total), (500, 500));
}

#[test]
fn tells_what_the_meter_is() {
    let mut bench = Bench::new(Fake::new(3));
    bench.fake().serial = "zxv 00123".to_owned();
    let info = bench.session.info().unwrap();
    assert_eq!(info.serial, SERIAL);
    assert_eq!(info.serial_raw.as_deref(), Some("zxv 00123"));
    assert_eq!(info.model, "Verio Flex");
    assert_eq!(info.firmware.as_deref(), Some("PVS_01.02.03"));
    assert_eq!(info.unit.as_deref(), Some("mmol/L"));
    assert_eq!(info.record_count, Some(3));
    assert_eq!(info.clock.unwrap().to_string(), "2026-06-01 12:00:00");
    assert_eq!(info.clock_resolution_s, Some(1));
    assert_eq!(info.clock_read_us, Some(1_780_315_200_000_000));
    let told: Vec<_> = info.extra.iter().collect();
    let expected = [
        ("date_format", "%D %n %y"),
        ("languages", "ENa 01.02.00; DEa 01.02.00"),
        ("time_format", "%I:%T"),
        ("time_format_setting", "%I:%T"),
    ];
    assert_eq!(told.len(), expected.len(), "{told:?}");
    for (name, text) in expected {
        assert_eq!(info.extra[name], text, "{name}");
    }
    assert_eq!(bench.fake().count(0x31), 0);
}

/// What nobody needs does not cost the description of a meter that falls silent at it.
#[test]
fn a_meter_silent_at_an_odd_question_is_described_without_the_answer() {
    let silent = |step: &Step<'_>| match step.message {
        [_, 0xe6, 2, 4, ..] => Act::Fail(Status::Timeout, false),
        _ => Act::Right,
    };
    let info = Bench::new(Fake::new(3).with_plan(silent)).session.info();
    let info = info.unwrap();
    assert_eq!((info.record_count, info.extra.len()), (Some(3), 0));
}

#[test]
fn any_prefix_of_replies_will_do() {
    for prefix in [3, 4, 5] {
        let mut fake = Fake::new(2);
        fake.prefix = prefix;
        let mut bench = Bench::new(fake);
        assert!(report(&bench.session.read().unwrap()).complete);
        assert!(bench.fake().messages().iter().all(|sent| sent[0] == 3));
    }
}

#[test]
fn empty_meter_is_a_complete_read() {
    let mut bench = Bench::new(Fake::new(0));
    let read = bench.session.read().unwrap();
    assert_eq!((read.rows(), report(&read).complete), (0, true));
    assert_eq!(report(&read).expected, Some(0));
}

#[test]
fn decodes_values_marks_and_limits() {
    let mut fake = Fake::new(12);
    let newest_first: [(u16, u8, u8); 12] = [
        (104, 1, 0),
        (104, 2, 0),
        (118, 0, 1),
        (104, 3, 0),
        (19, 0, 0),
        (20, 0, 0),
        (600, 0, 0),
        (601, 0, 0),
        (0xffff, 0, 0),
        (0xfffe, 0, 0),
        (2_001, 0, 0),
        (90, 0, 0),
    ];
    for (record, (glucose, meal, control)) in fake.records.iter_mut().zip(newest_first) {
        (record.glucose, record.meal, record.control) = (glucose, meal, control);
    }
    (fake.records[11].zero, fake.records[11].flags) = (1, 0x2a);
    let mut bench = Bench::new(fake);
    let read = bench.session.read().unwrap();
    let newest_first = |column| {
        let mut cells = cells(&read, column);
        cells.reverse();
        let cells: Vec<String> = cells.into_iter().map(Option::unwrap_or_default).collect();
        cells
    };
    assert_eq!(newest_first("raw_value")[..4], ["104", "104", "118", "104"]);
    assert_eq!(newest_first("meal")[..4], ["before", "after", "", ""]);
    assert_eq!(
        newest_first("kind")[1..4],
        ["glucose", "control", "glucose"]
    );
    let ranges = newest_first("range");
    assert_eq!(
        ranges[4..10],
        ["below", "in", "in", "above", "above", "below"]
    );
    let annotations = newest_first("annotations");
    assert_eq!(
        annotations[3..8],
        [
            "meal_unknown",
            "limit_source:model-table",
            "at_limit",
            "at_limit",
            "limit_source:model-table"
        ]
    );
    assert_eq!(annotations[10], "layout_suspect");
    let markers = newest_first("markers");
    assert_eq!(
        (&*markers[0], &*markers[2], &*markers[10]),
        ("00 01 00 00", "01 00 00 00", "00 00 01 2a")
    );
    let report = report(&read);
    // Kept raw with a reason: nothing is missing.
    assert!(report.complete);
    assert_eq!(report.set_aside.len(), 1);
    assert_eq!(report.set_aside[0].position, 2);
    assert!(report.set_aside[0].reason.starts_with("implausible"));
    assert!(report.set_aside[0].raw.starts_with("02180004"));
    assert_eq!(report.notes, ["unknown meal mark `03`: 1"]);
    assert_eq!(
        (&report.counts["hi"], &report.counts["lo"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(report.counts["control"], 1);
}

#[test]
fn times_after_the_meters_clock_are_set_aside_and_unset_ones_are_kept() {
    let mut fake = Fake::new(4);
    fake.records[0].seconds = CLOCK + 86_401;
    fake.records[1].seconds = CLOCK + 86_400;
    fake.records[2].seconds = u32::MAX;
    fake.records[3].seconds = 0;
    let mut bench = Bench::new(fake);
    let read = bench.session.read().unwrap();
    assert_eq!((read.rows(), report(&read).set_aside.len()), (3, 1));
    let annotations = cells(&read, "annotations");
    assert_eq!(annotations[0].as_deref(), Some("time_unset"));
    assert_eq!(annotations[1].as_deref(), Some("time_unset"));
    assert_eq!(annotations[2], None);
    let keys = cells(&read, "record_key");
    assert_eq!(keys[1].as_deref(), Some("glucose|1001|4294967295"));
}

#[test]
fn clock_never_set_sets_no_record_aside() {
    for clock in [0, 100_000, u32::MAX] {
        let mut fake = Fake::new(4);
        fake.clock = clock;
        let mut bench = Bench::new(fake);
        let read = bench.session.read().unwrap();
        assert_eq!((read.rows(), report(&read).complete), (4, true));
        assert!(report(&read).notes[0].contains("clock is not set"));
        assert_eq!(read.device.clock.is_some(), clock == 100_000);
    }
}

#[test]
fn numbers_out_of_order_are_annotated() {
    let mut fake = Fake::new(6);
    fake.records[2].counter = 7;
    fake.records[4].inverse = 99;
    let mut bench = Bench::new(fake);
    let read = bench.session.read().unwrap();
    assert!(report(&read).complete);
    let suspect: Vec<bool> = cells(&read, "annotations")
        .iter()
        .map(|words| words.as_deref() == Some("order_suspect"))
        .collect();
    assert_eq!(suspect, [false, true, true, true, false, false]);
}

#[test]
fn test_taken_meanwhile_is_read_too() {
    for (at, restarts) in [(0, 1), (3, 1), (5, 1)] {
        let mut fake = Fake::new(6);
        fake.test_at = Some((at, record(6, 0)));
        let mut bench = Bench::new(fake);
        let read = bench.session.read().unwrap();
        let report = report(&read);
        assert_eq!((read.rows(), report.complete), (7, true), "{at}");
        assert_eq!(report.expected, Some(7));
        assert_eq!(report.counts["restarts"], restarts);
    }
}

#[test]
fn test_taken_with_a_full_memory_is_noticed() {
    let mut fake = Fake::new(6);
    // The oldest record goes when the new one comes, and the number stays.
    fake.capacity = 6;
    fake.test_at = Some((3, record(6, 0)));
    let mut bench = Bench::new(fake);
    let read = bench.session.read().unwrap();
    assert_eq!((read.rows(), report(&read).complete), (6, true));
    assert_eq!(report(&read).counts["restarts"], 1);
    let keys = cells(&read, "record_key");
    assert!(keys[5].as_deref().unwrap().starts_with("glucose|1006|"));
}

#[test]
fn unknown_products_are_read_and_marked() {
    let device = json!({"link": "scsi", "vendor": "2766", "product": "0abc"});
    let mut bench = Bench::described(Fake::new(2), device);
    let read = bench.session.read().unwrap();
    assert_eq!(read.device.model, "Verio Flex (untested)");
    assert!(report(&read).complete);
}

#[test]
fn model_that_is_no_text_is_read_all_the_same() {
    let mut fake = Fake::new(1);
    fake.model = vec![0x00, 0xd8, 0, 0];
    let info = Bench::new(fake).session.info().unwrap();
    assert_eq!(info.model, "OneTouch Verio family (untested)");
}

#[test]
fn second_read_on_the_same_link_costs_less_and_finds_the_same() {
    let mut bench = Bench::new(Fake::new(5));
    bench.session.info().unwrap();
    let first = bench.session.read().unwrap();
    let second = bench.session.read().unwrap();
    assert_eq!(report(&first).counts, report(&second).counts);
    assert_eq!(report(&second).counts["exchanges"], 5 + 5 + 1);
    assert_eq!(cells(&first, "record_key"), cells(&second, "record_key"));
}

#[test]
fn nothing_private_reaches_log_report_or_progress() {
    let mut bench = Bench::new(Fake::new(3).with_plan(|step| match step.record() {
        Some(1) => Act::Spoil,
        _ => Act::Right,
    }));
    bench.session.info().unwrap();
    let read = bench.session.read().unwrap();
    let lines: Vec<String> = bench.host.log().into_iter().map(|line| line.text).collect();
    assert!(!lines.is_empty());
    let mut report = report(&read).clone();
    report.set_aside.clear();
    let said = format!("{lines:?}{:?}{report:?}", bench.host.progress());
    for secret in ["00123", "2026", "1001", "1002"] {
        assert!(!said.contains(secret), "{secret}");
    }
}

#[test]
fn stream_released_early_is_not_complete() {
    let mut bench = Bench::new(Fake::new(6));
    drop(bench.session.stream().unwrap());
    let report = bench.session.report().unwrap();
    assert!(!report.complete);
    assert_eq!(report.reasons, ["the read was not finished"]);
    assert_eq!(bench.session.read().unwrap().rows(), 6);
}

#[test]
fn unknown_configuration_keys_are_refused() {
    let host = glucopipe_sdk::testing::TestHost::new();
    let error: Error = host
        .open_driver::<crate::Verio>(&json!({"retries": 3}))
        .err()
        .unwrap();
    assert_eq!(error.status, Status::InvalidArgument);
}
