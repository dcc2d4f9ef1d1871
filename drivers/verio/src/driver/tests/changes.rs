//! Clock setting and erase.

use glucopipe_sdk::Status;

use super::fake::{Act, Bench, CLOCK, Fake, SERIAL};

const ERASE: u8 = 0x1a;

#[test]
fn clock_is_read_set_and_read_back() {
    let mut bench = Bench::new(Fake::new(2));
    let clock = bench.session.clock().unwrap();
    assert_eq!(clock.local.to_string(), "2026-06-01 12:00:00");
    assert_eq!(clock.resolution_s, 1);
    let time = "2026-05-30T18:05:00".parse().unwrap();
    bench.session.set_clock(time).unwrap();
    assert_eq!(bench.session.clock().unwrap().local, time);
    let messages = bench.fake().messages();
    let write = messages
        .iter()
        .find(|message| message.starts_with(&[3, 0x20, 1]));
    assert_eq!(write.unwrap()[3..], [0x4c, 0xe3, 0xad, 0x31]);
    assert_eq!(bench.fake().records.len(), 2);
}

#[test]
fn clock_that_does_not_follow_is_an_error() {
    let mut bench = Bench::new(Fake::new(2).with_plan(|step| match step.message {
        [_, 0x20, 1, ..] => Act::Say(vec![4, 6]),
        _ => Act::Right,
    }));
    let time = "2026-05-30T18:05:00".parse().unwrap();
    let error = bench.session.set_clock(time).unwrap_err();
    assert_eq!(error.status, Status::Protocol);
    assert_eq!(
        error.message,
        "the meter took the new time; its clock shows 2026-06-01T12:00:00 now"
    );
    let time = "2026-06-01T12:00:02".parse().unwrap();
    bench.session.set_clock(time).unwrap();
}

#[test]
fn times_the_clock_cannot_show_are_refused_before_anything() {
    let mut bench = Bench::new(Fake::new(2));
    for time in [
        "1999-12-31T23:59:59",
        "2000-01-01T00:00:00",
        "2136-02-07T06:28:16",
    ] {
        let error = bench.session.set_clock(time.parse().unwrap()).unwrap_err();
        assert_eq!(error.status, Status::InvalidArgument);
    }
    assert_eq!(bench.fake().seen, 0);
}

#[test]
fn refused_clock_stays_as_it_was() {
    for (act, writes) in [(Act::Say(vec![4, 9]), 1), (Act::Echo, 4)] {
        let mut bench = Bench::new(Fake::new(2).with_plan(move |step| match step.message {
            [_, 0x20, 1, ..] => act.clone(),
            _ => Act::Right,
        }));
        let time = "2026-05-30T18:05:00".parse().unwrap();
        let error = bench.session.set_clock(time).unwrap_err();
        assert_eq!(error.status, Status::Protocol);
        let shows = "; its clock shows 2026-06-01T12:00:00 now";
        assert!(error.message.ends_with(shows), "{}", error.message);
        let fake = bench.fake();
        // It is read once, behind the writes.
        assert_eq!((fake.count(0x20), fake.clock), (writes + 1, CLOCK));
    }
}

#[test]
fn clock_decides_whether_it_was_set_when_the_answer_does_not() {
    for (act, taken) in [
        (Act::Spoil, true),
        (Act::Fail(Status::Io, true), true),
        (Act::Fail(Status::Io, false), false),
        (Act::Say(vec![4, 6, 0]), false),
    ] {
        let shown = format!("{act:?}");
        let mut bench = Bench::new(Fake::new(2).with_plan(move |step| match step.message {
            [_, 0x20, 1, ..] => act.clone(),
            _ => Act::Right,
        }));
        let time = "2026-05-30T18:05:00".parse().unwrap();
        match bench.session.set_clock(time) {
            Ok(()) => assert!(taken, "{shown}"),
            Err(error) => {
                let shows = "; its clock shows 2026-06-01T12:00:00 now";
                assert!(!taken && error.message.ends_with(shows), "{error}");
            }
        }
        assert_eq!(bench.fake().clock != CLOCK, taken, "{shown}");
    }
}

#[test]
fn clock_that_cannot_be_read_back_is_not_known() {
    let mut bench = Bench::new(Fake::new(2).with_plan(|step| match step.message {
        [_, 0x20, ..] => Act::Spoil,
        _ => Act::Right,
    }));
    let time = "2026-05-30T18:05:00".parse().unwrap();
    let error = bench.session.set_clock(time).unwrap_err();
    let unknown = "whether the clock was set is not known";
    assert!(error.message.ends_with(unknown), "{error}");
}

#[test]
fn erase_empties_the_meter_whose_serial_was_named() {
    for serial in [SERIAL, "zxv 00123 "] {
        let mut bench = Bench::new(Fake::new(9));
        bench.session.erase(serial).unwrap();
        assert!(bench.fake().records.is_empty());
        assert_eq!(bench.fake().count(ERASE), 1);
        let read = bench.session.read().unwrap();
        assert_eq!((read.rows(), read.report.unwrap().complete), (0, true));
    }
}

#[test]
fn erase_with_another_serial_changes_nothing() {
    let mut bench = Bench::new(Fake::new(9));
    bench.session.read().unwrap();
    for serial in ["ZXV00124", "ZXV0012", "X", ""] {
        let error = bench.session.erase(serial).unwrap_err();
        assert_eq!(error.status, Status::Precondition);
        assert!(!error.message.contains("ZXV"));
    }
    assert_eq!(bench.fake().count(ERASE), 0);
    assert_eq!(bench.session.read().unwrap().rows(), 9);
}

#[test]
fn erase_identifies_the_meter_anew() {
    let mut bench = Bench::new(Fake::new(9));
    bench.session.read().unwrap();
    let written = bench.fake().written.len();
    bench.fake().label = *b"NO NAME    FAT16";
    let error = bench.session.erase(SERIAL).unwrap_err();
    assert_eq!(error.status, Status::Precondition);
    assert_eq!(bench.fake().written.len(), written);
}

#[test]
fn erase_that_left_records_is_an_error() {
    let cases = [
        (Act::Say(vec![4, 6]), "took the erase, but still holds", 1),
        (Act::Say(vec![4, 9]), "status 0x09", 1),
        (Act::Echo, "did not process the request", 4),
        (Act::Residue(512), "512 of 512 bytes", 1),
        (Act::Fail(Status::Lost, false), "still holds records", 1),
    ];
    for (act, part, writes) in cases {
        let mut bench = Bench::new(Fake::new(9).with_plan(move |step| {
            if step.writes(ERASE) {
                act.clone()
            } else {
                Act::Right
            }
        }));
        let error = bench.session.erase(SERIAL).unwrap_err();
        assert!(error.message.contains(part), "{}", error.message);
        assert_eq!(bench.fake().records.len(), 9);
        // Requests that failed in the transfer are not seen by the meter.
        assert!(bench.fake().count(ERASE) <= writes);
    }
}

#[test]
fn erase_with_a_lost_answer_is_judged_by_what_is_left() {
    for act in [Act::Spoil, Act::Fail(Status::Timeout, true)] {
        let mut bench = Bench::new(Fake::new(9).with_plan(move |step| {
            if step.writes(ERASE) {
                act.clone()
            } else {
                Act::Right
            }
        }));
        bench.session.erase(SERIAL).unwrap();
        assert!(bench.fake().records.is_empty());
        assert_eq!(bench.fake().count(ERASE), 1);
    }
}

#[test]
fn erase_whose_outcome_cannot_be_asked_says_so() {
    let mut gone = false;
    let mut bench = Bench::new(Fake::new(9).with_plan(move |step| {
        gone |= step.writes(ERASE);
        if gone {
            Act::Fail(Status::Lost, true)
        } else {
            Act::Right
        }
    }));
    let error = bench.session.erase(SERIAL).unwrap_err();
    assert_eq!(error.status, Status::Lost);
    assert!(error.message.ends_with("is not known"), "{}", error.message);
}

/// A link that fails behind the change is opened again although the operation was cancelled.
#[test]
fn cancellation_keeps_no_change_from_being_looked_at() {
    for (failures, known) in [(1, true), (usize::MAX, false)] {
        for questions in 0..40 {
            let (mut gone, mut left) = (false, failures);
            let mut bench = Bench::new(Fake::new(3).with_plan(move |step| {
                let fails = gone && left > 0;
                gone |= step.writes(ERASE);
                if fails {
                    left -= 1;
                    Act::Fail(Status::Io, false)
                } else {
                    Act::Right
                }
            }));
            bench.host.cancel_after(questions);
            let erased = bench.session.erase(SERIAL);
            let taken = bench.fake().records.is_empty();
            match erased {
                Ok(()) => assert!(taken && known, "{questions}"),
                Err(error) if taken => {
                    assert!(!known, "{questions}: {error}");
                    assert!(error.message.ends_with("is not known"), "{error}");
                }
                Err(error) => assert_eq!(error.status, Status::Cancelled, "{questions}"),
            }
        }
    }
}

/// A host that waits no longer has not stopped a change in time.
#[test]
fn a_change_that_nobody_waits_for_is_not_known() {
    let mut gone = false;
    let mut bench = Bench::new(Fake::new(3).with_plan(move |step| {
        gone |= step.writes(ERASE);
        if gone {
            Act::Fail(Status::Cancelled, true)
        } else {
            Act::Right
        }
    }));
    let error = bench.session.erase(SERIAL).unwrap_err();
    assert_eq!(error.status, Status::Timeout);
    assert!(error.message.ends_with("is not known"), "{error}");
}

#[test]
fn cancellation_comes_before_a_change_or_not_at_all() {
    for questions in 0..40 {
        let mut bench = Bench::new(Fake::new(3));
        bench.host.cancel_after(questions);
        match bench.session.erase(SERIAL) {
            Ok(()) => assert!(bench.fake().records.is_empty()),
            Err(error) => {
                assert_eq!(error.status, Status::Cancelled, "{questions}");
                assert_eq!(bench.fake().count(ERASE), 0);
            }
        }
        let mut bench = Bench::new(Fake::new(3));
        bench.host.cancel_after(questions);
        let time = "2026-05-30T18:05:00".parse().unwrap();
        match bench.session.set_clock(time) {
            Ok(()) => assert_ne!(bench.fake().clock, CLOCK),
            Err(error) => {
                assert_eq!(error.status, Status::Cancelled, "{questions}");
                assert_eq!(bench.fake().clock, CLOCK);
            }
        }
    }
}
