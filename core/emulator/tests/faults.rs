//! Every fault as a host can observe it.

mod support;

use support::{Host, Session, assert_agrees, scenario};

const RECORDS: usize = 20;

fn run(fault: &str) -> (Session, Host) {
    run_on("contour-next-usb", fault)
}

fn run_on(model: &str, fault: &str) -> (Session, Host) {
    let scenario = scenario(&format!("{model}?records={RECORDS}&fault={fault}"));
    let mut host = Host::new(&scenario);
    let session = host.download();
    let truth = scenario.truth();
    for text in &session.results {
        let expected = truth
            .iter()
            .find(|t| text.starts_with(&format!("R|{}|", t.position)));
        if let Some(expected) = expected {
            assert_agrees(text, expected);
        }
    }
    (session, host)
}

/// The fault was repaired: everything arrived, and the meter has nothing to complain about.
fn assert_whole(session: &Session, host: &Host) {
    assert_eq!(session.results.len(), RECORDS, "{session:?}");
    assert_eq!(session.terminator.as_deref(), Some("L|1||N"));
    assert_eq!(host.audit().complaints(), Vec::<String>::new());
}

#[test]
fn checksum_is_bad_once() {
    for n in [0, 1, 7, 20] {
        let (session, host) = run(&format!("checksum:{n}"));
        assert_eq!(session.naks, 1, "{n}");
        assert_eq!((host.audit().naks, host.audit().repeats), (1, 1));
        assert_whole(&session, &host);
    }
}

#[test]
fn checksum_forever_never_gets_through() {
    let (session, host) = run("checksum-forever:5");
    assert_eq!((session.results.len(), session.naks), (4, 6));
    assert!(session.gave_up && !host.audit().session_open);
    let header = run("checksum-forever:0").0;
    assert!(header.results.is_empty() && header.gave_up && header.naks >= 6);
}

#[test]
fn nak_refuses_the_first_wake_up() {
    for model in ["contour-usb", "contour-next-usb", "contour-next-one"] {
        let (session, host) = run_on(model, "nak");
        assert_whole(&session, &host);
    }
}

#[test]
fn duplicate_repeats_an_acknowledged_frame_also_around_the_wrap() {
    for n in 1..=RECORDS {
        let (session, host) = run(&format!("duplicate:{n}"));
        assert_eq!(session.duplicates, 1, "{n}");
        assert_whole(&session, &host);
    }
    let mut host = Host::open("contour-next-usb?records=20&fault=duplicate");
    host.download();
    let numbers: Vec<u8> = host
        .log
        .iter()
        .map(|(report, _)| report[4..6].to_vec())
        .filter(|b| b[0] == 2)
        .map(|b| b[1])
        .collect();
    assert!(
        numbers.windows(3).any(|three| three == b"770"),
        "{numbers:?}"
    );
}

#[test]
fn ack_lost_repeats_the_frame_when_asked() {
    let (session, host) = run("ack-lost:4");
    assert_eq!((session.duplicates, session.naks), (1, 1));
    assert!(host.elapsed_ms > 5_000);
    assert_whole(&session, &host);
}

#[test]
fn stall_resumes_on_nak() {
    for n in [0, 3, 20] {
        let (session, host) = run(&format!("stall:{n}"));
        assert_eq!(session.naks, 1, "{n}");
        assert_whole(&session, &host);
    }
}

#[test]
fn dead_never_comes_back() {
    let (session, mut host) = run("dead:3");
    assert_eq!((session.results.len(), session.naks), (3, 3));
    assert!(session.gave_up && session.terminator.is_none());
    assert!(host.silence(u32::MAX));
    assert!(!host.audit().session_open, "the host sent EOT");
}

#[test]
fn mute_never_answers() {
    let (session, host) = run("mute");
    assert!(session.gave_up && session.headers.is_empty() && host.log.is_empty());
    assert_eq!(host.audit().complaints(), Vec::<String>::new());
}

#[test]
fn unplug_vanishes_after_n_results() {
    for n in [0, 3, 20] {
        let (session, mut host) = run(&format!("unplug:{n}"));
        assert_eq!((session.results.len(), session.unplugged), (n, true));
        assert!(host.send(b"X").is_err() && host.token(0).is_err());
        assert_eq!(host.audit().complaints(), Vec::<String>::new());
    }
}

#[test]
fn garbage_stands_between_frames() {
    let (session, host) = run("garbage:3");
    assert_eq!(session.junk, 1);
    assert_whole(&session, &host);
}

#[test]
fn count_is_off_by_k() {
    for (fault, count) in [("count", "21"), ("count:-2", "18"), ("count:-99", "0")] {
        let (session, host) = run(fault);
        assert_eq!(session.header()[6], count);
        assert_whole(&session, &host);
    }
}

#[test]
fn terminator_is_missing_or_another() {
    let (session, host) = run("no-terminator");
    assert_eq!(
        (session.results.len(), session.terminator.clone()),
        (RECORDS, None)
    );
    assert!(session.ended_by_eot && !host.audit().session_open);
    assert_eq!(run("terminator").0.terminator.as_deref(), Some("L|1||T"));
    assert_eq!(run("terminator:Q").0.terminator.as_deref(), Some("L|1||Q"));
}

#[test]
fn odd_records_have_a_right_checksum_and_are_to_be_set_aside() {
    for n in [1, 2, 3, 20] {
        let uri = format!("contour-next-usb?records={RECORDS}&fault=odd:{n}");
        let scenario = scenario(&uri);
        let odd = scenario.set_aside();
        assert_eq!((odd.len(), scenario.truth().len()), (1, RECORDS - 1));
        assert_eq!(usize::try_from(odd[0].position).unwrap(), n);
        let session = Host::new(&scenario).download();
        assert_eq!((session.results.len(), session.naks), (RECORDS, 0));
        assert_eq!(session.results[n - 1], odd[0].text);
        assert!(!odd[0].reason.is_empty());
    }
}

#[test]
fn restart_starts_again_once() {
    let (session, host) = run("restart:6");
    assert_eq!((session.restarts, session.headers.len()), (1, 3));
    assert_whole(&session, &host);
}

#[test]
fn gap_skips_a_frame_number() {
    for n in [1, 6, 20] {
        let (session, host) = run(&format!("gap:{n}"));
        assert_eq!(session.gaps, 1, "{n}");
        assert_whole(&session, &host);
    }
}

#[test]
fn prefix_is_wrong_once() {
    let (session, host) = run("prefix:3");
    assert_eq!((host.wrong_prefixes, session.naks), (1, 1));
    assert_whole(&session, &host);
}

#[test]
fn empty_report_stands_in_mid_message() {
    for n in [0, 3] {
        let (session, host) = run(&format!("empty-report:{n}"));
        assert_eq!(
            host.sizes.iter().filter(|size| **size == 0).count(),
            1,
            "{n}"
        );
        assert_whole(&session, &host);
    }
}

#[test]
fn slow_takes_its_virtual_time() {
    let (session, host) = run("slow:1500");
    assert_whole(&session, &host);
    let waits = host
        .log
        .iter()
        .filter(|(_, waited)| *waited == 1500)
        .count();
    assert!(waits >= RECORDS + 3, "{waits}");
    assert!(host.elapsed_ms >= 1500 * 23);
}

#[test]
fn cut_ends_the_transmission_early() {
    for n in [0, 7, 20] {
        let (session, host) = run(&format!("cut:{n}"));
        assert_eq!((session.results.len(), session.ended_by_eot), (n, true));
        assert!(session.terminator.is_none() && !host.audit().session_open);
    }
}

#[test]
fn single_header_comes_without_enquiry() {
    let (session, host) = run("single-header");
    assert_eq!(session.headers.len(), 1);
    assert_whole(&session, &host);
}

#[test]
fn faults_add_up() {
    let (session, host) = run("checksum:2+duplicate:5+stall:8+empty-report:9");
    assert_eq!((session.naks, session.duplicates), (2, 1));
    assert_whole(&session, &host);
    let (session, _) = run("gap:2&fault=terminator:R");
    assert_eq!(
        (session.gaps, session.terminator.as_deref()),
        (1, Some("L|1||R"))
    );
}
