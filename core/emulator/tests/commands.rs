//! The command mode and its faults as a host can observe them.

#![allow(clippy::unwrap_used, reason = "helper functions of tests")]

mod support;

use support::{ACK, ENQ, EOT, Host, NAK, Token};

/// Brings a meter that X wakes up into command mode; the answer to the enquiry.
fn enter(uri: &str) -> (Host, Option<u8>) {
    let mut host = Host::open(uri);
    host.send(b"X").unwrap();
    while host.token(2_000).unwrap() != Some(Token::Control(ENQ)) {}
    host.send(&[NAK]).unwrap();
    assert_eq!(host.control(2_000), Some(EOT));
    host.send(&[ENQ]).unwrap();
    let answer = host.token(2_000).unwrap().map(|token| match token {
        Token::Control(byte) => byte,
        other => panic!("{other:?}"),
    });
    (host, answer)
}

fn command_mode(fault: &str) -> Host {
    let (host, answer) = enter(&format!("contour-next-usb?records=4&fault={fault}"));
    assert_eq!(answer, Some(ACK));
    host
}

/// Leaves the command mode, and refuses the data that are offered then.
fn leave(host: &mut Host) {
    host.send(&[EOT]).unwrap();
    assert_eq!(host.control(10_000), Some(ENQ));
    host.send(&[NAK]).unwrap();
    assert_eq!(host.control(2_000), Some(EOT));
    assert_eq!(host.audit().complaints(), Vec::<String>::new());
}

const DONE: (String, u8) = (String::new(), ACK);
const REFUSED: (String, u8) = (String::new(), NAK);

#[test]
fn lost_messages_are_not_heard_once() {
    let mut host = command_mode("command-lost");
    assert_eq!(host.command("R|"), DONE);
    host.send(b"D|\r").unwrap();
    assert!(host.silence(10_000));
    assert_eq!(host.command("D|\r"), ("D|260530|\r\n".into(), ACK));
    leave(&mut host);
}

#[test]
fn late_answers_come_six_seconds_late_and_also_behind_the_end() {
    let mut host = command_mode("command-late");
    assert_eq!(host.command("R|"), DONE);
    host.send(b"D|\r").unwrap();
    assert!(host.silence(5_000));
    host.send(&[EOT]).unwrap();
    let late = Token::Text(b"D|260530|\r\n".to_vec());
    assert_eq!(host.token(2_000).unwrap(), Some(late));
    assert_eq!(host.control(100), Some(ACK));
    assert_eq!(host.control(100), Some(ENQ));
}

#[test]
fn mute_meter_says_nothing_more_and_is_left_by_eot() {
    let mut host = command_mode("command-mute");
    assert_eq!(host.command("R|"), DONE);
    for bytes in [&b"D|\r"[..], b"R|", &[ENQ]] {
        host.send(bytes).unwrap();
        assert!(host.silence(60_000) && host.audit().session_open);
    }
    host.send(&[EOT]).unwrap();
    assert!(!host.audit().session_open);
}

#[test]
fn enquiry_is_not_answered_or_refused() {
    let (host, answer) = enter("contour-next-usb?fault=command-mute:0");
    assert_eq!((answer, host.audit().session_open), (None, false));
    let (host, answer) = enter("contour-next-usb?fault=no-command");
    assert_eq!((answer, host.audit().session_open), (Some(NAK), false));
}

#[test]
fn message_is_refused_once() {
    let mut host = command_mode("command-nak");
    assert_eq!(host.command("R|"), DONE);
    assert_eq!(host.command("D|\r"), REFUSED);
    assert_eq!(host.command("R|"), DONE);
    assert_eq!(host.command("D|\r").1, ACK);
    leave(&mut host);
}

#[test]
fn odd_text_stands_in_place_of_a_date() {
    let mut host = command_mode("command-odd");
    assert_eq!(host.command("R|"), DONE);
    let (text, end) = host.command("D|\r");
    assert!(end == ACK && text != "D|260530|\r\n", "{text}");
    leave(&mut host);
}

#[test]
fn unplug_vanishes_after_a_message() {
    let mut host = command_mode("command-unplug:1");
    host.send(b"R|").unwrap();
    assert!(host.token(10).is_err());
    assert_eq!(host.audit().complaints(), Vec::<String>::new());
}

#[test]
fn new_dates_or_times_are_refused() {
    for (fault, date, time) in [("nak-date", REFUSED, DONE), ("nak-time", DONE, REFUSED)] {
        let mut host = command_mode(fault);
        for (letter, new, answer) in [("D|\r", "270203|\r", date), ("T|\r", "0405|\r", time)] {
            assert_eq!(host.command("W|"), DONE);
            assert_eq!(host.command(letter), DONE);
            assert_eq!(host.command(new), answer, "{fault}");
        }
        assert_eq!(host.audit().clock_settings.len(), 1);
        leave(&mut host);
    }
}

#[test]
fn stuck_clock_takes_nothing() {
    let mut host = command_mode("clock-stuck");
    let before = host.audit().clock.unwrap();
    for text in ["W|", "D|\r", "270203|\r", "W|", "T|\r", "0405|\r"] {
        assert_eq!(host.command(text), DONE, "{text}");
    }
    let audit = host.audit();
    assert!(audit.clock_settings.is_empty());
    assert!(audit.clock.unwrap().to_seconds() - before.to_seconds() < 2);
    leave(&mut host);
}

#[test]
fn a_cr_is_refused_and_none_is_taken() {
    let mut host = command_mode("no-cr");
    assert_eq!(host.command("R|"), DONE);
    assert_eq!(host.command("T|\r"), REFUSED);
    assert_eq!(host.command("R|"), DONE);
    assert_eq!(host.command("T|"), ("D|1812|\r\n".into(), ACK));
    leave(&mut host);
}

#[test]
fn audit_tells_what_the_clock_shows() {
    let mut host = command_mode("");
    for text in ["W|", "T|\r", "0405|\r"] {
        assert_eq!(host.command(text), DONE, "{text}");
    }
    assert!(host.silence(20_000));
    let clock = host.audit().clock.unwrap().to_string();
    assert_eq!(clock, "2026-05-30T04:05:20");
}
