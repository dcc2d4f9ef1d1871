//! Frames with invented records, before and after.

use glucopipe_sdk::scrub::KEY;
use proptest::prelude::*;

use super::super::frame::{FrameEnd, encode};
use super::super::record::Record;
use super::super::samples;
use super::*;

fn disguise() -> Disguise {
    Disguise::new([3; KEY], -1000)
}

/// A record in a frame, scrubbed behind a header.
fn scrubbed(header: &str, record: &str) -> String {
    let disguise = disguise();
    let mut scrubber = Scrubber::new(&disguise);
    let mut last = Vec::new();
    for text in [header, record] {
        last = encode(3, format!("{text}\r").as_bytes(), FrameEnd::Etb);
        scrubber.frame(&mut last).unwrap();
    }
    let frame = Frame::parse(&last).expect("the checksum is right again");
    String::from_utf8(frame.text().to_vec()).unwrap()
}

fn result(header: &str, record: &str) -> super::super::result::ResultRecord {
    let header = Header::parse(header.as_bytes()).unwrap();
    match Decoder::new(&header).decode(record.as_bytes()) {
        Record::Result(result) => *result,
        other => panic!("{other:?}"),
    }
}

#[test]
fn headers_say_another_meter_of_the_same_model_at_another_time() {
    for text in [
        samples::HEADER_7390,
        samples::HEADER_7350,
        samples::HEADER_6200,
        samples::HEADER_7410_SIMULATED,
        samples::HEADER_7800,
        samples::HEADER_7150,
    ] {
        let made = scrubbed(text, text);
        let (before, after) = (
            Header::parse(text.as_bytes()).unwrap(),
            Header::parse(made.as_bytes()).unwrap(),
        );
        assert_eq!(made.len(), text.len());
        assert_eq!(after.product, before.product);
        assert_eq!((after.info, after.sku), (before.info, before.sku));
        assert_eq!(after.serial[..5], before.serial[..5]);
        assert_ne!(after.serial, before.serial);
        for lost in ["1234567", "C12345", "SAM1234", "aB3dEf", "20260530"] {
            assert!(!made.contains(lost), "{made}");
        }
        assert!(made.contains("20230903"), "{made}");
    }
    // The same digits stand twice, and stay the same.
    let made = scrubbed(samples::HEADER_6200, samples::HEADER_6200);
    let header = Header::parse(made.as_bytes()).unwrap();
    assert!(header.serial_raw.ends_with(&header.sender_extra[0]));
}

#[test]
fn results_have_another_value_and_date_and_nothing_else() {
    let header = samples::HEADER_7410_SIMULATED;
    for text in [
        "R|11|^^^Glucose|10.4|mmol/L^P||F/M0/T1||202605301805",
        "R|12|^^^Glucose|159|mg/dL^P||A/T0/M0||20260530180500",
        "R|13|^^^Glucose|93|mg/dL^P||C||20260530180500",
        "R|1|^^^Carb|30|1^||||202605301805",
        "R|2|^^^Insulin|65|1^||||202605301805",
    ] {
        let made = scrubbed(header, text);
        let (before, after) = (result(header, text), result(header, &made));
        assert_ne!(after.value, before.value, "{made}");
        assert_eq!((after.kind, after.range), (before.kind, before.range));
        assert_eq!((after.unit, after.markers), (before.unit, before.markers));
        assert_eq!((after.flags, after.number), (before.flags, before.number));
        assert_eq!(after.time.to_string()[..10], *"2023-09-03");
        assert_eq!(after.raw_time[8..], before.raw_time[8..]);
    }
}

#[test]
fn limits_of_the_meter_are_no_measurements() {
    for text in [
        "R|1|^^^Glucose|601|mg/dL^P||>||202605301805",
        "R|1|^^^Glucose|19|mg/dL^P||<||202605301805",
        "R|1|^^^Glucose|605|mg/dL^P||||202605301805",
    ] {
        let made = scrubbed(samples::HEADER_7410_SIMULATED, text);
        assert_eq!(made, text.replace("20260530", "20230903"));
    }
}

#[test]
fn what_is_not_understood_is_blanked() {
    let header = samples::HEADER_7410_SIMULATED;
    let pairs = [
        ("P|1||||Some^Name|19700101", "P|1||||XXXX^XXXX|00000000"),
        ("O|2|id7|||||||||Q", "O|2|XX0|||||||||Q"),
        ("C|1|comment", "C|0|XXXXXXX"),
        ("L|1||N", "L|1||N"),
        ("ANYTEXT 5.5", "XXXXXXX 0.0"),
        (
            "R|1|^^^Glucose|HI|mg/dL^P||B||202613301805|note",
            "R|1|^^^Glucose|XX|mg/dL^P||B||000000000000|XXXX",
        ),
        ("R|1", "R|1"),
    ];
    for (text, expected) in pairs {
        assert_eq!(scrubbed(header, text), expected);
    }
}

#[test]
fn a_wrong_checksum_stays_as_wrong_and_equal_frames_stay_equal() {
    let disguise = disguise();
    let good = encode(
        3,
        b"R|1|^^^Glucose|159|mg/dL^P||B||202605301805\r",
        FrameEnd::Etb,
    );
    let mut bad = good.clone();
    let low = bad.len() - 3;
    bad[low] = if bad[low] == b'0' { b'1' } else { b'0' };
    let (mut one, mut again, mut wrong) = (good.clone(), good, bad);
    let mut scrubber = Scrubber::new(&disguise);
    for frame in [&mut one, &mut again, &mut wrong] {
        scrubber.frame(frame).unwrap();
    }
    assert_eq!(one, again);
    assert!(Frame::parse(&one).is_ok());
    assert!(matches!(
        Frame::parse(&wrong),
        Err(FrameError::Checksum { .. })
    ));
    let body = |frame: &[u8]| frame[..frame.len() - 4].to_vec();
    assert_eq!(body(&one), body(&wrong));
}

#[test]
fn dates_of_command_mode_move_and_commands_stay() {
    let disguise = disguise();
    let scrubber = Scrubber::new(&disguise);
    let pairs: [(&[u8], &[u8]); 9] = [
        (b"D|260530|\r\n", b"D|230903|\r\n"),
        (b"260530|\r", b"230903|\r"),
        (b"D|1805|\r\n", b"D|1805|\r\n"),
        (b"1805|\r", b"1805|\r"),
        (b"D|\r", b"D|\r"),
        (b"R|", b"R|"),
        (b"X", b"X"),
        (b"Ann|7", b"XXX|0"),
        (b"D|261330|\r\n", b"D|000000|\r\n"),
    ];
    for (text, expected) in pairs {
        let mut made = text.to_vec();
        scrubber.text(&mut made).unwrap();
        assert_eq!(made, expected, "{}", String::from_utf8_lossy(text));
    }
    // Two digits cannot say a year before 2000.
    let mut early = b"D|010101|\r\n".to_vec();
    assert_eq!(scrubber.text(&mut early), Err(ScrubError::Date));
}

#[test]
fn a_record_in_pieces_is_refused() {
    let disguise = disguise();
    let mut part = encode(3, b"R|1|^^^Glucose|15", FrameEnd::Etb);
    let refused = Scrubber::new(&disguise).frame(&mut part);
    assert_eq!(refused, Err(ScrubError::Divided));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_scrubbed_in_their_place(
        body in prop::collection::vec(prop_oneof![Just(b'|'), Just(b'^'), Just(CR), any::<u8>()], 0..80),
        letter in prop::sample::select(&b"HRPOLCx"[..]),
        days in -400_000i64..400_000,
    ) {
        let disguise = Disguise::new([5; KEY], days);
        let mut scrubber = Scrubber::new(&disguise);
        let text = [&[letter, b'|'], &body[..]].concat();
        let _ = scrubber.text(&mut text.clone());
        let frame = encode(1, &[&text[..], &[CR]].concat(), FrameEnd::Etb);
        let mut made = frame.clone();
        if scrubber.frame(&mut made).is_ok() {
            prop_assert_eq!(made.len(), frame.len());
            // Bytes of control inside would be a frame in a frame.
            prop_assert_eq!(Frame::parse(&made).is_ok(), Frame::parse(&frame).is_ok());
        }
        let mut raw = body.clone();
        let _ = scrubber.frame(&mut raw);
        prop_assert_eq!(raw.len(), body.len());
    }
}
