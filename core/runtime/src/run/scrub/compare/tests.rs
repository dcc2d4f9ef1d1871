//! Scrubbers that forget something, each found out.

use chrono::NaiveDate;
use glucopipe_sdk::Status;
use glucopipe_sdk::driver::SetAside;

use super::*;
use crate::run::report::SourceStatus;
use crate::run::source::replayed_source;

const DAYS: i64 = -500;

fn day(day: u32) -> NaiveDateTime {
    NaiveDate::from_ymd_opt(2026, 5, day).unwrap().into()
}

fn reading(number: u32) -> Reading {
    Reading {
        time: day(number),
        value: 90.0 + f64::from(number),
        limit: None,
        unit: "mg/dL".into(),
        raw_value: (90 + number).to_string(),
        raw: Some(vec![7, u8::try_from(number).unwrap()]),
        kept: vec![Some("glucose".into()), None],
    }
}

fn meter() -> DeviceInfo {
    DeviceInfo {
        serial: "ZX12345".into(),
        model: "Made Up".into(),
        record_count: Some(2),
        clock: Some(day(30)),
        ..DeviceInfo::default()
    }
}

fn before() -> Answers {
    let mut report = replayed_source("meter");
    report.status = SourceStatus::Complete;
    report.read = 2;
    report.set_aside = vec![SetAside::new(3, "checksum 0x1234, expected 0x5678", &[1])];
    Answers {
        info: Ok(meter()),
        clock: Ok(day(30)),
        report,
        read: Some((meter(), vec![reading(1), reading(2)])),
    }
}

/// What a good scrubber makes of [`before`].
fn after() -> Answers {
    let mut answers = before();
    let move_back = |time: &mut NaiveDateTime| *time += TimeDelta::days(DAYS);
    let meters = [
        answers.info.as_mut().ok(),
        answers.read.as_mut().map(|read| &mut read.0),
    ];
    for meter in meters.into_iter().flatten() {
        meter.serial = "QQ54321".into();
        meter.clock.iter_mut().for_each(move_back);
    }
    answers.clock.iter_mut().for_each(move_back);
    for reading in readings(&mut answers) {
        move_back(&mut reading.time);
        reading.value += 1.5;
        reading.raw_value.push('9');
        reading.raw = reading
            .raw
            .as_ref()
            .map(|raw| [raw.as_slice(), &[1]].concat());
    }
    answers.report.set_aside = vec![SetAside::new(3, "checksum 0x1111, expected 0x2222", &[2])];
    answers
}

fn readings(answers: &mut Answers) -> &mut Vec<Reading> {
    &mut answers.read.as_mut().unwrap().1
}

/// A change of good answers, and what is said of it.
type Slip = (fn(&mut Answers), &'static str);

const SLIPS: &[Slip] = &[
    (
        |made| made.info.as_mut().unwrap().serial = meter().serial,
        "the serial is the same",
    ),
    (
        |made| made.info.as_mut().unwrap().model = "Other".into(),
        "model, firmware, unit or number of records are others",
    ),
    (
        |made| made.info = Err(Status::Protocol),
        "the meter's description cannot be read as it could",
    ),
    (
        |made| made.clock = Ok(day(30)),
        "the clock has not moved as all dates do",
    ),
    (
        |made| made.clock = Err(Status::Protocol),
        "the clock cannot be read as it could",
    ),
    (|made| made.report.read = 1, "the read ends otherwise"),
    (
        |made| made.report.reasons.push("cut".into()),
        "the read ends otherwise",
    ),
    (
        |made| made.report.set_aside.clear(),
        "other records are set aside, or for other reasons",
    ),
    (
        |made| made.report.set_aside[0].raw = "01".into(),
        "record 3, which was set aside, came as the same bytes",
    ),
    (
        |made| made.read = None,
        "the readings are there in one of the two only",
    ),
    (
        |made| drop(readings(made).pop()),
        "the number of readings is another",
    ),
    (
        |made| readings(made)[1].time = day(2),
        "reading 2 has not moved as all dates do",
    ),
    (
        |made| readings(made)[0].time += TimeDelta::days(1),
        "reading 1 has not moved as all dates do",
    ),
    (
        |made| readings(made)[1].kept[1] = Some("before".into()),
        "reading 2 has another kind, unit, range or marker",
    ),
    (
        |made| readings(made)[1].limit = Some(600.0),
        "reading 2 has another kind, unit, range or marker",
    ),
    (
        |made| readings(made)[0].value = 91.0,
        "reading 1 has kept its value",
    ),
    (
        |made| readings(made)[0].raw_value = "91".into(),
        "reading 1 has kept its value",
    ),
    (
        |made| readings(made)[0].raw = Some(vec![7, 1]),
        "reading 1 came as the same bytes",
    ),
];

#[test]
fn every_slip_is_found_and_a_good_scrubber_passes() {
    assert_eq!(same_answers(&before(), &after(), DAYS), Ok(()));
    for (slip, words) in SLIPS {
        let mut made = after();
        slip(&mut made);
        let found = same_answers(&before(), &made, DAYS).unwrap_err();
        assert_eq!(found, *words);
    }
}

#[test]
fn what_says_nothing_of_a_person_may_stay() {
    let (mut old, mut new) = (before(), after());
    let edges = [(600.0, None), (20.0, Some(20.0))];
    for ((value, limit), number) in edges.into_iter().zip(0..) {
        for answers in [&mut old, &mut new] {
            let reading = &mut readings(answers)[number];
            (reading.value, reading.limit) = (value, limit);
            reading.raw_value = value.to_string();
        }
    }
    // A clock that was never set shows where it counts from.
    let start = chrono::DateTime::from_timestamp(946_684_800, 0)
        .unwrap()
        .naive_utc();
    for answers in [&mut old, &mut new] {
        readings(answers)[0].time = start;
        readings(answers)[0].raw = Some(vec![9]);
    }
    assert_eq!(same_answers(&old, &new, DAYS), Ok(()));
}

#[test]
fn a_serial_that_is_left_is_found_in_any_form() {
    let transcript = |data: &[&[u8]]| Transcript {
        link: "hid".into(),
        usb: None,
        events: (1..)
            .zip(data.iter().map(|data| Event::In(data.to_vec())))
            .collect(),
    };
    let clean = transcript(&[b"QQ54321"]);
    assert_eq!(nothing_left(&before(), &after(), &clean), Ok(()));
    let left = Err("the serial is still there".to_owned());
    let wide: Vec<u8> = meter()
        .serial
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    for data in [
        &[b"..ZX12345".as_slice()][..],
        &[&wide],
        &[b"..ZX1", b"2345"],
    ] {
        assert_eq!(nothing_left(&before(), &after(), &transcript(data)), left);
    }
    let mut told = after();
    told.info
        .as_mut()
        .unwrap()
        .extra
        .insert("also".into(), "ZX12345".into());
    assert_eq!(nothing_left(&before(), &told, &clean), left);
}

#[test]
fn another_conversation_is_found() {
    let one = |event: Event| Transcript {
        link: "hid".into(),
        usb: None,
        events: vec![(2, event)],
    };
    let before = one(Event::In(vec![1, 2]));
    assert_eq!(
        same_conversation(&before, &one(Event::In(vec![3, 4]))),
        Ok(())
    );
    let others = [
        one(Event::In(vec![1])),
        one(Event::Out(vec![1, 2])),
        one(Event::Lost),
        Transcript {
            events: Vec::new(),
            ..one(Event::Lost)
        },
        Transcript {
            link: "serial".into(),
            ..one(Event::In(vec![1, 2]))
        },
    ];
    for other in others {
        assert!(same_conversation(&before, &other).is_err());
    }
}
