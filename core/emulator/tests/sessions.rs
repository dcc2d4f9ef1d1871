//! Sessions as hosts see them: wake-up, order of messages, command mode, states, violations.

#![allow(clippy::unwrap_used, reason = "helper functions of tests")]

mod support;

use support::{ACK, ENQ, EOT, Host, NAK, Token, assert_agrees, contour_models, scenario};

const WAKES: [(&str, &[u8]); 9] = [
    ("contour-usb", b"\x04"),
    ("contour-next-link", b"X"),
    ("contour-next-link-24", b"X\x06"),
    ("contour-next-link-mmol", b"X"),
    ("contour-next", b"\x06"),
    ("contour-next-usb", b"X\x06"),
    ("contour-next-one", b"\x06"),
    ("contour-next-2021", b"\x06"),
    ("contour-plus-blue", b"X\x06"),
];

#[test]
fn wakes_on_the_bytes_of_each_model() {
    for (model, wakes) in WAKES {
        for byte in [b'X', EOT, ACK, NAK, ENQ, 0x18] {
            let mut host = Host::open(model);
            assert!(host.silence(60_000));
            host.send(&[byte]).unwrap();
            let answer = host.token(2_000).unwrap();
            let expected = wakes.contains(&byte).then_some(Token::Control(EOT));
            assert_eq!(answer, expected, "{model} {byte:#x}");
            assert_eq!(host.audit().session_open, wakes.contains(&byte));
            assert_eq!(host.audit().violations, Vec::<String>::new());
        }
    }
}

#[test]
fn glues_the_enquiry_or_sends_it_twenty_milliseconds_later() {
    for (model, apart) in [("contour-usb", false), ("contour-next-link", true)] {
        let mut host = Host::open(model);
        host.send(if apart { b"X" } else { &[EOT] }).unwrap();
        assert_eq!(host.control(2_000), Some(EOT));
        while host.token(50).unwrap() != Some(Token::Control(ENQ)) {}
        let (last, waited) = host.log.last().unwrap();
        if apart {
            assert_eq!((last[3], last[4], *waited), (1, ENQ, 20));
        } else {
            assert!(last[3] > 1 && last[3 + usize::from(last[3])] == ENQ);
        }
    }
}

#[test]
fn runs_the_captured_session_of_an_empty_meter() {
    let mut host = Host::open("contour-usb?records=0");
    host.send(&[EOT]).unwrap();
    assert_eq!(host.control(2_000), Some(EOT));
    let Some(Token::Frame(1, first, false, true)) = host.token(2_000).unwrap() else {
        panic!()
    };
    assert!(first.contains("|0||||||1|"), "{first}");
    assert_eq!(host.control(2_000), Some(ENQ));
    assert_eq!(host.sizes.len(), 4, "one message of four reports");
    host.send(&[ACK]).unwrap();
    let Some(Token::Frame(1, second, false, true)) = host.token(2_000).unwrap() else {
        panic!()
    };
    assert!(second.contains("|0|||||P|1|"), "{second}");
    host.send(&[ACK]).unwrap();
    let patient = Token::Frame(2, "P|1".into(), false, true);
    assert_eq!(host.token(2_000).unwrap(), Some(patient));
    host.send(&[ACK]).unwrap();
    let terminator = Token::Frame(3, "L|1||N".into(), true, true);
    assert_eq!(host.token(2_000).unwrap(), Some(terminator));
    assert!(host.audit().session_open);
    host.send(&[ACK]).unwrap();
    assert_eq!(host.control(2_000), Some(EOT));
    assert!(host.silence(60_000));
    let audit = host.audit();
    assert!(audit.complaints().is_empty());
    assert_eq!(
        (audit.acks, audit.frames_sent, audit.sessions_completed),
        (4, 4, 1)
    );
}

#[test]
fn ends_by_eot_except_on_the_next_one() {
    for model in contour_models() {
        let mut host = Host::open(&format!("{}?records=20", model.key));
        let session = host.download();
        assert_eq!(
            session.ended_by_eot,
            model.key != "contour-next-one",
            "{}",
            model.key
        );
        assert_eq!(session.results.len(), 20);
        assert_eq!(
            (session.gaps, session.duplicates, session.naks, session.junk),
            (0, 0, 0, 0)
        );
        assert_eq!(
            host.audit().complaints(),
            Vec::<String>::new(),
            "{}",
            model.key
        );
    }
}

#[test]
fn can_be_read_twice() {
    let mut host = Host::open("contour-next-usb?records=9");
    let (first, second) = (host.download(), host.download());
    assert_eq!(first.results, second.results);
    assert_ne!(first.headers[1], second.headers[1]);
}

#[test]
fn repeats_a_frame_after_fifteen_seconds_six_times_then_ends() {
    let mut host = Host::open("contour-next-usb?records=2&state=enq");
    assert_eq!(host.control(1_000), Some(ENQ));
    host.send(&[ACK]).unwrap();
    for turn in 0..7 {
        let before = host.elapsed_ms;
        assert!(
            matches!(host.token(60_000).unwrap(), Some(Token::Frame(1, ..))),
            "{turn}"
        );
        let waited = host.elapsed_ms - before;
        assert!(if turn == 0 {
            waited < 100
        } else {
            (15_000..15_100).contains(&waited)
        });
    }
    assert_eq!(host.control(60_000), Some(EOT));
    assert!(host.silence(60_000) && !host.audit().session_open);
    assert_eq!(host.audit().repeats, 6);
}

#[test]
fn gives_up_an_unanswered_offer() {
    let mut host = Host::open("contour-next-usb");
    host.send(b"X").unwrap();
    while host.token(2_000).unwrap().is_some() {}
    assert!(host.audit().session_open);
    assert_eq!(host.control(20_000), Some(EOT));
    assert!(!host.audit().session_open);
}

#[test]
fn repeats_on_its_own_when_an_acknowledgement_is_lost() {
    let mut host = Host::open("contour-usb?records=2&fault=ack-lost:1&state=enq");
    let mut texts = Vec::new();
    while let Some(token) = host.token(20_000).unwrap() {
        match token {
            Token::Control(EOT) => break,
            Token::Frame(number, ..) => texts.push(number),
            _ => {}
        }
        host.send(&[ACK]).unwrap();
    }
    assert_eq!(texts, [1, 2, 3, 3, 4, 5]);
    assert!((15_000..16_000).contains(&host.elapsed_ms));
    assert_eq!(host.audit().complaints(), Vec::<String>::new());
}

#[test]
fn ends_on_eot_in_the_data_phase() {
    let mut host = Host::open("contour-next-usb?state=frame");
    assert!(host.audit().session_open);
    host.send(&[EOT]).unwrap();
    assert_eq!(host.control(1_000), Some(EOT));
    let audit = host.audit();
    assert_eq!((audit.session_open, audit.sessions_aborted), (false, 1));
}

#[test]
fn can_be_read_from_every_state_it_is_found_in() {
    for model in contour_models() {
        for state in ["idle", "frame", "command", "enq"] {
            let scenario = scenario(&format!("{}?records=15&state={state}", model.key));
            let mut host = Host::new(&scenario);
            assert_eq!(host.audit().session_open, state != "idle");
            let session = host.download();
            assert_eq!(
                session.results.len(),
                15,
                "{} {state}: {session:?}",
                model.key
            );
            for (text, truth) in session.results.iter().zip(scenario.truth()) {
                assert_agrees(text, &truth);
            }
            assert_eq!(
                host.audit().complaints(),
                Vec::<String>::new(),
                "{} {state}",
                model.key
            );
        }
    }
}

fn command_mode(uri: &str) -> Host {
    let mut host = Host::open(uri);
    host.send(b"X").unwrap();
    while host.token(2_000).unwrap() != Some(Token::Control(ENQ)) {}
    host.send(&[NAK]).unwrap();
    assert_eq!(host.control(2_000), Some(EOT));
    assert!(!host.audit().session_open);
    host.send(&[ENQ]).unwrap();
    assert_eq!(host.control(2_000), Some(ACK));
    assert!(host.audit().session_open);
    host
}

#[test]
fn reads_and_sets_the_clock_in_command_mode() {
    let mut host = command_mode("contour-next-usb?records=4");
    let ack = (String::new(), ACK);
    assert_eq!(host.command("R|"), ack);
    assert_eq!(host.command("D|\r"), ("D|260530|\r\n".into(), ACK));
    assert_eq!(host.command("R|"), ack);
    assert_eq!(host.command("T|\r"), ("D|1812|\r\n".into(), ACK));
    for text in ["W|", "D|\r", "270203|\r", "W|", "T|\r", "0405|\r"] {
        assert_eq!(host.command(text), ack, "{text}");
    }
    assert_eq!(
        host.audit().clock_settings[1].to_string(),
        "2027-02-03T04:05:00"
    );
    assert_eq!(host.command("M|"), ("D|0|\r\n".into(), ACK));
    host.send(&[0x18]).unwrap();
    assert!(host.silence(1_000), "CAN has no effect");
    host.send(&[EOT]).unwrap();
    assert_eq!(host.control(2_000), Some(ENQ));
    host.send(&[ACK]).unwrap();
    let Some(Token::Frame(1, header, ..)) = host.token(2_000).unwrap() else {
        panic!()
    };
    assert!(header.contains("|P|1|20270203040"), "{header}");
    assert_eq!(host.audit().violations, Vec::<String>::new());
}

#[test]
fn clock_runs_in_virtual_time() {
    let mut host = command_mode("contour-next-usb?clock=2026-12-31T23:59:50");
    assert!(host.silence(20_000));
    assert_eq!(host.command("R|").1, ACK);
    assert_eq!(host.command("D|\r").0, "D|270101|\r\n");
}

#[test]
fn refuses_the_clock_when_a_pump_owns_it() {
    let mut host = command_mode("contour-next-link?fault=pump");
    assert_eq!(host.command("R|").1, ACK);
    assert_eq!(host.command("D|\r"), (String::new(), NAK));
}

#[test]
fn vanishes_on_power_off_and_records_pump_commands() {
    let mut host = command_mode("contour-next-link");
    for text in ["W|", "Q|", "1|"] {
        assert_eq!(host.command(text).1, ACK);
    }
    assert_eq!(host.audit().violations.len(), 2);
    assert_eq!(host.command("W|").1, ACK);
    host.send(b"E|\r").unwrap();
    assert!(host.token(10).is_err() && host.send(b"X").is_err());
    assert_eq!(host.audit().violations[2], "power off");
}

#[test]
fn records_violations_of_the_host() {
    let mut host = Host::open("contour-next-usb?records=5");
    host.raw_write(&[0; 65]).unwrap();
    host.raw_write(&[]).unwrap();
    host.raw_write(&[9; 64]).unwrap();
    let mut long = [0; 64];
    long[3] = 61;
    host.raw_write(&long).unwrap();
    host.send(b"W|").unwrap();
    host.send(&[0x0F]).unwrap();
    host.send(b"X").unwrap();
    while host.token(2_000).unwrap() != Some(Token::Control(ENQ)) {}
    host.send(&[ACK]).unwrap();
    host.send(&[ACK]).unwrap();
    assert_eq!(
        host.audit().complaints(),
        [
            "report of 65 bytes in place of 64",
            "report of 0 bytes in place of 64",
            "unknown report prefix",
            "payload length 61 above 60",
            "text outside command mode: `W|`",
            "unknown byte 0x0f",
            "acknowledged a frame before reading it",
            "session left open",
        ]
    );
}

#[test]
fn accepts_the_prefixes_of_known_hosts() {
    for prefix in [*b"\0\0\0", *b"ABC", *b"BBC"] {
        let mut host = Host::open("contour-next-usb");
        let mut report = [0; 64];
        report[..3].copy_from_slice(&prefix);
        report[3..5].copy_from_slice(&[1, b'X']);
        host.raw_write(&report).unwrap();
        assert_eq!(host.control(2_000), Some(EOT));
        assert!(host.audit().violations.is_empty());
    }
}
