//! A meter, cable or disk that misbehaves during a read.

use glucopipe_sdk::Status;
use glucopipe_sdk::serde_json::json;

use super::fake::{Act, Bench, Fake, Step};
use super::reads::{cells, report};

/// Something goes wrong each time this record is asked for.
fn always(at: u16, act: Act) -> impl FnMut(&Step<'_>) -> Act + Send + 'static {
    move |step| match step.record() {
        Some(index) if index == at => act.clone(),
        _ => Act::Right,
    }
}

/// Something goes wrong the first time this record is asked for.
fn once(at: u16, act: Act) -> impl FnMut(&Step<'_>) -> Act + Send + 'static {
    let mut act = Some(act);
    move |step| match step.record() {
        Some(index) if index == at => act.take().unwrap_or(Act::Right),
        _ => Act::Right,
    }
}

#[test]
fn bad_answer_is_asked_for_again() {
    let faults = [
        Act::Echo,
        Act::Spoil,
        Act::Stale,
        Act::Say(vec![4, 9, 0, 0]),
        Act::Say(vec![4, 6, 0, 0]),
        Act::Say(vec![7, 6]),
        Act::Residue(512),
        Act::Residue(1),
        Act::Check(vec![0x70, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x44, 0]),
        Act::Check(Vec::new()),
        Act::Sensed(vec![0x72, 4, 0x44, 0]),
        Act::Sensed(vec![0x72, 6, 0x29, 0]),
    ];
    for fault in faults {
        let shown = format!("{fault:?}");
        let mut bench = Bench::new(Fake::new(5).with_plan(once(2, fault)));
        let read = bench.session.read().unwrap();
        let report = report(&read);
        assert_eq!((read.rows(), report.complete), (5, true), "{shown}");
        // A stale register shows only as a record that came before.
        let repeats = u64::from(!shown.starts_with("Stale"));
        assert_eq!(report.counts["repeats"], json!(repeats), "{shown}");
    }
}

#[test]
fn record_that_stays_unreadable_is_set_aside_and_the_read_is_incomplete() {
    let faults: [(Act, &str, &str); 6] = [
        (
            Act::Echo,
            "did not process the request",
            "020c000331020200000385a1",
        ),
        (Act::Spoil, "malformed reply: checksum 0x", "02180004"),
        (
            Act::Say(vec![4, 9]),
            "status 0x09, expected 0x06",
            "02080004",
        ),
        (
            Act::Say(vec![4, 6, 1]),
            "got 1 bytes of data, expected 16",
            "02090004",
        ),
        (Act::Residue(512), "512 of 512 bytes", ""),
        (
            Act::Check(vec![0x70, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x44, 0]),
            "SCSI status 2, sense 4/44/00",
            "",
        ),
    ];
    for (fault, reason, raw) in faults {
        let mut bench = Bench::new(Fake::new(5).with_plan(always(2, fault)));
        let read = bench.session.read().unwrap();
        let report = report(&read);
        assert_eq!((read.rows(), report.complete), (4, false), "{reason}");
        assert_eq!(report.reasons, ["1 of 5 records could not be read"]);
        let aside = &report.set_aside[0];
        assert_eq!((aside.position, report.set_aside.len()), (3, 1));
        assert!(aside.reason.contains(reason), "{}", aside.reason);
        let head = aside.raw.get(..8).unwrap_or_default();
        assert!(raw.starts_with(head), "{} {raw}", aside.raw);
        assert_eq!(report.counts["repeats"], 3);
        // The gap alone puts no neighbour in doubt.
        assert!(cells(&read, "annotations").iter().all(Option::is_none));
        // Requests that failed in the transfer are not seen by the meter.
        let seen = if raw.is_empty() { 4 } else { 8 };
        assert_eq!(bench.fake().count(0x31), seen);
    }
}

#[test]
fn register_that_stays_stale_ends_in_a_reason() {
    let mut bench = Bench::new(Fake::new(5).with_plan(always(2, Act::Stale)));
    let read = bench.session.read().unwrap();
    let report = report(&read);
    assert_eq!((read.rows(), report.complete), (4, false));
    assert_eq!(report.counts["restarts"], 1);
    assert!(report.set_aside[0].reason.contains("given before"));
}

#[test]
fn refused_identity_is_an_error_that_says_so() {
    let fake = Fake::new(5).with_plan(|step| match step.message {
        [_, 0xe6, 2, 0] => Act::Echo,
        _ => Act::Right,
    });
    let mut bench = Bench::new(fake);
    let error = bench.session.read().unwrap_err();
    assert_eq!(error.status, Status::Protocol);
    assert_eq!(
        error.message,
        "`query serial` failed: the meter did not process the request: its register reads it back"
    );
    // Model once, serial four times.
    assert_eq!(bench.fake().count(0xe6), 5);
}

#[test]
fn error_status_is_carried_in_the_message() {
    let fake = Fake::new(5).with_plan(|step| match step.writes(0x20) {
        true => Act::Say(vec![4, 0x0b, 1, 2, 3, 4]),
        false => Act::Right,
    });
    let error = Bench::new(fake).session.clock().unwrap_err();
    assert_eq!(error.status, Status::Protocol);
    assert!(error.message.contains("status 0x0b, expected 0x06"));
}

#[test]
fn meter_without_serial_is_refused() {
    let mut fake = Fake::new(5);
    fake.serial = " ".to_owned();
    let error = Bench::new(fake).session.read().unwrap_err();
    assert_eq!(error.status, Status::Protocol);
}

#[test]
fn version_and_unit_may_be_missing() {
    let fake = Fake::new(2).with_plan(|step| match step.message {
        [_, 0xe6, 2, 2] | [_, 4, 0] => Act::Say(vec![4, 9]),
        _ => Act::Right,
    });
    let read = Bench::new(fake).session.read().unwrap();
    assert_eq!((read.device.firmware, read.device.unit), (None, None));
    assert!(read.report.unwrap().complete);
}

#[test]
fn stall_opens_the_link_again_and_goes_on() {
    for status in [Status::Io, Status::Timeout, Status::Lost] {
        for came_through in [false, true] {
            let plan = once(2, Act::Fail(status, came_through));
            let mut bench = Bench::new(Fake::new(5).with_plan(plan));
            let read = bench.session.read().unwrap();
            let report = report(&read);
            assert_eq!((read.rows(), report.complete), (5, true));
            assert_eq!(report.counts["reopened"], 1);
            assert!(bench.host.link_is_open());
        }
    }
}

#[test]
fn vanished_meter_leaves_the_newest_records_and_the_reason() {
    let mut bench = Bench::new(Fake::new(10).with_plan(|step| match step.number {
        0..=25 => Act::Right,
        _ => Act::Fail(Status::Lost, false),
    }));
    let read = bench.session.read().unwrap();
    let report = report(&read);
    assert!((1..10).contains(&read.rows()), "{}", read.rows());
    assert_eq!((report.complete, &read.error), (false, &None));
    assert_eq!(report.reasons, ["simulated"]);
    assert!(!bench.host.link_is_open());
    bench.fake().plan = Box::new(|_| Act::Right);
    assert_eq!(bench.session.read().unwrap().rows(), 10);
}

#[test]
fn meter_that_vanishes_before_the_first_record_is_lost() {
    let mut bench = Bench::new(Fake::new(10).with_plan(always(0, Act::Fail(Status::Lost, false))));
    let read = bench.session.read().unwrap();
    assert_eq!(read.error.unwrap().status, Status::Lost);
    assert!(!read.report.unwrap().complete);
}

#[test]
fn cancellation_at_any_moment_ends_at_once_and_harms_nothing() {
    for questions in 0..60 {
        let mut bench = Bench::new(Fake::new(6));
        bench.host.cancel_after(questions);
        match bench.session.read() {
            Ok(read) => {
                let cancelled = read.error.map(|error| error.status);
                let complete = read.report.unwrap().complete;
                assert!(
                    complete || cancelled == Some(Status::Cancelled),
                    "{questions}"
                );
            }
            Err(error) => assert_eq!(error.status, Status::Cancelled),
        }
        assert_eq!(bench.host.closing_calls(), 0);
        assert_eq!(bench.fake().records.len(), 6);
        bench.host.cancel_after(u32::MAX);
        assert_eq!(bench.session.read().unwrap().rows(), 6, "{questions}");
    }
}

#[test]
fn silent_meter_ends_in_bounded_time() {
    let fake = Fake::new(5).with_plan(|_| Act::Fail(Status::Timeout, false));
    let mut bench = Bench::new(fake);
    assert_eq!(bench.session.read().unwrap_err().status, Status::Timeout);
    assert_eq!(bench.fake().seen, 2);
}
