//! Reads that end at a record the host keeps.

use glucopipe_sdk::driver::Query;

use super::fake::{Act, Bench, Fake, SERIAL, record};
use super::reads::{cells, report};
use crate::lifescan::frame::{Form, encode};
use crate::protocol::record::Record;

/// Questions of a read besides those for records.
const QUESTIONS: usize = 7;

/// A host that keeps these records of a meter.
fn keeping(serial: &str, records: impl IntoIterator<Item = Record>) -> Query {
    let frame = |record: Record| {
        let message = [&[4, 6], record.encode().as_slice()].concat();
        let packet = encode(Form::Block, 0, &message).unwrap();
        packet.iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let frames = records.into_iter().map(frame).collect();
    Query {
        known: [(serial.to_owned(), frames)].into(),
    }
}

#[test]
fn reads_only_what_is_newer_than_a_record_that_is_kept() {
    for new in [0_u16, 1, 5] {
        let mut bench = Bench::new(Fake::new(100));
        let at = usize::from(new);
        let kept = bench.fake().records[at];
        let read = bench.session.read_for(&keeping(SERIAL, [kept])).unwrap();
        let report = report(&read);
        assert_eq!((read.rows(), &read.error), (at, &None));
        assert_eq!((report.complete, report.expected), (true, Some(100)));
        assert_eq!(report.known, u64::from(100 - new));
        assert_eq!(report.counts["exchanges"], QUESTIONS + at + 1);
        let keys = cells(&read, "record_key");
        let newest = record(99, 0);
        let newest = format!("glucose|{}|{}", newest.counter, newest.seconds);
        assert_eq!(keys.last(), (new > 0).then_some(&Some(newest)));
    }
}

/// The number that runs against the index may be another one when tests have been taken.
#[test]
fn the_same_record_under_another_inverse_number_is_kept() {
    let mut bench = Bench::new(Fake::new(10));
    let record = bench.fake().records[2];
    let kept = Record {
        inverse: record.inverse.wrapping_add(2),
        ..record
    };
    let read = bench.session.read_for(&keeping(SERIAL, [kept])).unwrap();
    assert_eq!((read.rows(), report(&read).known), (2, 8));
}

#[test]
fn a_record_that_differs_in_anything_else_is_read() {
    let mut bench = Bench::new(Fake::new(10));
    let record = bench.fake().records[2];
    let others = [
        Record {
            counter: record.counter ^ 1,
            ..record
        },
        Record {
            seconds: record.seconds + 1,
            ..record
        },
        Record {
            glucose: record.glucose + 1,
            ..record
        },
        Record {
            control: record.control ^ 1,
            ..record
        },
        Record {
            meal: record.meal ^ 1,
            ..record
        },
        Record {
            flags: record.flags ^ 1,
            ..record
        },
    ];
    let read = bench.session.read_for(&keeping(SERIAL, others)).unwrap();
    let report = report(&read);
    assert_eq!((read.rows(), report.known, report.complete), (10, 0, true));
}

#[test]
fn records_of_another_meter_end_nothing() {
    let mut bench = Bench::new(Fake::new(10));
    let all = bench.fake().records.clone();
    let read = bench.session.read_for(&keeping("ZXV99999", all)).unwrap();
    assert_eq!((read.rows(), report(&read).known), (10, 0));
}

/// What a person has marked since is read again, up to a record that is as it was.
#[test]
fn a_record_that_was_marked_since_is_passed_over() {
    let mut bench = Bench::new(Fake::new(10));
    let kept: Vec<Record> = bench.fake().records[..3].to_vec();
    bench.fake().records[0].meal ^= 1;
    let read = bench.session.read_for(&keeping(SERIAL, kept)).unwrap();
    assert_eq!((read.rows(), report(&read).known), (1, 9));
}

#[test]
fn an_erased_meter_is_read_to_its_end() {
    let mut bench = Bench::new(Fake::new(10));
    let kept = bench.fake().records.split_off(4);
    let read = bench.session.read_for(&keeping(SERIAL, kept)).unwrap();
    let report = report(&read);
    assert_eq!((read.rows(), report.known, report.complete), (4, 0, true));
}

/// A record that cannot be read before the one that is kept leaves the read incomplete, as it should.
#[test]
fn what_is_unreadable_is_not_known() {
    let fake = Fake::new(10).with_plan(|step| match step.record() {
        Some(1) => Act::Spoil,
        _ => Act::Right,
    });
    let mut bench = Bench::new(fake);
    let kept = bench.fake().records[3];
    let read = bench.session.read_for(&keeping(SERIAL, [kept])).unwrap();
    let report = report(&read);
    assert_eq!((read.rows(), report.known, report.complete), (2, 7, false));
    assert_eq!(report.reasons, ["1 of 10 records could not be read"]);
}

/// A test taken meanwhile moves all records: what is kept is found one further down.
#[test]
fn a_test_taken_meanwhile_is_not_lost() {
    let mut fake = Fake::new(10);
    fake.test_at = Some((1, record(10, 0)));
    let mut bench = Bench::new(fake);
    let kept = bench.fake().records[2];
    let read = bench.session.read_for(&keeping(SERIAL, [kept])).unwrap();
    let report = report(&read);
    assert_eq!((read.rows(), report.known, report.complete), (3, 8, true));
    assert_eq!(report.counts["restarts"], 1);
}

#[test]
fn what_is_no_frame_of_a_record_is_passed_over() {
    let mut bench = Bench::new(Fake::new(3));
    for text in ["", "0", "zz", "0218", "é1"] {
        let query = Query {
            known: [(SERIAL.to_owned(), vec![text.to_owned()])].into(),
        };
        let read = bench.session.read_for(&query).unwrap();
        assert_eq!((read.rows(), report(&read).known), (3, 0), "{text}");
    }
}
