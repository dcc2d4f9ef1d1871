//! Captures of invented devices, and files that are none.

use std::io::Write;

use glucopipe_sdk::transcript::Event;
use proptest::prelude::*;

use super::testing::{BULK, CONTROL, Capture, Head, INTERRUPT};
use super::*;
use crate::problem::Problem;

const METER: (u16, u8) = (1, 5);
const KEYBOARD: (u16, u8) = (1, 4);

fn imported(bytes: &[u8], device: Option<&str>) -> Result<Imported, Problem> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    import(file.path(), device.map(|text| text.parse().unwrap()))
}

fn transcript(link: &str, events: Vec<Event>) -> Transcript {
    Transcript {
        link: link.into(),
        usb: Some(("1a79".into(), "7410".into())),
        events: (1..).zip(events).collect(),
    }
}

fn reports() -> Transcript {
    let events = vec![
        Event::Out(vec![0, 0, 0, 1, 0x58]),
        Event::In(b"ABC\x01\x04".to_vec()),
        Event::In(vec![9; 64]),
    ];
    transcript("hid", events)
}

fn commands() -> Transcript {
    let events = vec![
        Event::Command(vec![0x12, 0, 0, 0, 36, 0]),
        Event::In(vec![7; 36]),
        Event::Status(0, 0, Vec::new()),
        Event::Command(vec![0x2a, 0, 0, 0, 0, 3, 0, 0, 1, 0]),
        Event::Out(vec![8; 512]),
        Event::Status(0, 0, Vec::new()),
        Event::Command(vec![0; 6]),
        Event::Status(0, 0, Vec::new()),
    ];
    transcript("scsi", events)
}

const FORMS: [(Head, bool, bool); 7] = [
    (Head::Short, true, false),
    (Head::Short, false, true),
    (Head::Long, true, false),
    (Head::Long, true, true),
    (Head::Long, false, false),
    (Head::Windows, true, false),
    (Head::Windows, false, false),
];

#[test]
fn a_conversation_is_found_in_every_form_of_a_capture() {
    for (head, is_ng, is_big) in FORMS {
        for said in [reports(), commands()] {
            let mut capture = Capture::new(head, is_ng, is_big);
            capture.description(KEYBOARD, 0x046d, 1);
            capture.transfer(KEYBOARD, (INTERRUPT, 0x81), true, None, &[1; 8]);
            capture.description(METER, 0x1a79, 0x7410);
            capture.converse(METER, &said);
            let made = imported(&capture.bytes, None).unwrap();
            assert_eq!(made.transcript, said, "{head:?}");
            assert_eq!(made.device.to_string(), "1.5");
            assert!(!made.cut_off && made.left_out == 0);
        }
    }
}

#[test]
fn reports_may_go_by_requests() {
    for head in [Head::Long, Head::Windows] {
        let mut capture = Capture::new(head, true, false);
        let setup = [0x21, 9, 0, 2, 0, 0, 4, 0];
        capture.transfer(METER, (CONTROL, 0), false, Some(setup), &[1, 2, 3, 4]);
        let other = [0x21, 0x0a, 0, 0, 0, 0, 0, 0];
        capture.transfer(METER, (CONTROL, 0), false, Some(other), &[]);
        capture.transfer(METER, (INTERRUPT, 0x81), true, None, &[5]);
        let made = imported(&capture.bytes, None).unwrap().transcript;
        let events: Vec<_> = made.events.into_iter().map(|(_, event)| event).collect();
        assert_eq!(events, [Event::Out(vec![1, 2, 3, 4]), Event::In(vec![5])]);
        assert_eq!(made.usb, None);
    }
}

#[test]
fn the_reason_of_a_refused_command_goes_with_its_status() {
    let mut capture = Capture::new(Head::Long, true, false);
    let refused = vec![
        Event::Command(vec![0x28, 0, 0, 0, 0, 9, 0, 0, 1, 0]),
        Event::Status(2, 512, Vec::new()),
        Event::Command(vec![3, 0, 0, 0, 18, 0]),
        Event::In(vec![0x70; 18]),
        Event::Status(0, 0, Vec::new()),
    ];
    capture.converse(METER, &transcript("scsi", refused));
    // One that never ended, and one with a status of another.
    let half = vec![Event::Command(vec![0; 6])];
    capture.converse(METER, &transcript("scsi", half.clone()));
    capture.transfer(METER, (BULK, 0x81), true, None, b"USBS\x09\0\0\0\0\0\0\0\0");
    capture.converse(METER, &transcript("scsi", half));
    let made = imported(&capture.bytes, None).unwrap();
    let events: Vec<_> = made
        .transcript
        .events
        .into_iter()
        .map(|(_, event)| event)
        .collect();
    let expected = [
        Event::Command(vec![0x28, 0, 0, 0, 0, 9, 0, 0, 1, 0]),
        Event::Status(2, 512, vec![0x70; 18]),
    ];
    assert_eq!((events.as_slice(), made.left_out), (&expected[..], 2));
}

#[test]
fn which_device_is_meant_must_be_certain() {
    let mut capture = Capture::new(Head::Long, true, false);
    capture.description(METER, 0x1a79, 0x7410);
    capture.converse(METER, &reports());
    capture.converse((2, 7), &commands());
    capture.transfer(KEYBOARD, (INTERRUPT, 0x81), true, None, &[1; 8]);
    let problem = imported(&capture.bytes, None).unwrap_err();
    assert_eq!(problem.code, Code::DEVICE_CHOICE);
    assert_eq!(
        problem.causes,
        [
            "device 1.4: unknown ids, 0 reports to it and 1 from it, 0 SCSI commands",
            "device 1.5: 1a79:7410, 1 reports to it and 2 from it, 0 SCSI commands",
            "device 2.7: unknown ids, 0 reports to it and 0 from it, 3 SCSI commands",
        ]
    );
    let disk = imported(&capture.bytes, Some("2.7")).unwrap();
    assert_eq!(disk.transcript.events, commands().events);
    // A device that only speaks fits when it is named.
    let keyboard = imported(&capture.bytes, Some("1.4")).unwrap();
    assert_eq!(keyboard.transcript.events.len(), 1);
    let nobody = imported(&capture.bytes, Some("3.3")).unwrap_err();
    assert_eq!(nobody.code, Code::CAPTURE);
}

#[test]
fn what_is_no_capture_is_refused_in_words() {
    let cause = |bytes: &[u8]| imported(bytes, None).unwrap_err().causes.remove(0);
    assert_eq!(cause(b""), "there is no packet in it");
    assert_eq!(
        cause(b"glucopipe-transcript 1\n"),
        "it is neither pcapng nor pcap"
    );
    let empty = Capture::new(Head::Long, true, false);
    assert_eq!(cause(&empty.bytes), "there is no packet in it");
    let mut network = Capture::of_link(1, Head::Long, true, false);
    network.packet(&[0; 60]);
    assert_eq!(
        cause(&network.bytes),
        "it holds no USB traffic of usbmon or USBPcap (link type 1)"
    );
    let mut silent = Capture::new(Head::Long, true, false);
    silent.description(METER, 1, 2);
    assert_eq!(
        cause(&silent.bytes),
        "it has no HID reports in both directions, and no SCSI commands"
    );
    let mut damaged = Capture::new(Head::Long, true, false);
    damaged.converse(METER, &reports());
    let good = damaged.bytes.len();
    // A block that ends in another length than it begins with.
    damaged.bytes.extend([6, 0, 0, 0, 32, 0, 0, 0]);
    damaged.bytes.extend([0; 24]);
    assert_eq!(
        cause(&damaged.bytes),
        format!("it is damaged behind byte {good}")
    );
    let gone = import(Path::new("/nonexistent/x"), None).unwrap_err();
    assert_eq!(gone.code, Code::CAPTURE);
}

#[test]
fn a_cut_packet_is_an_error_and_a_cut_file_is_not() {
    let mut capture = Capture::new(Head::Windows, true, false);
    capture.converse(METER, &reports());
    let cut = imported(&capture.bytes[..capture.bytes.len() - 8], None).unwrap();
    assert!(cut.cut_off);
    assert_eq!(cut.transcript.events, reports().events[..2]);
    // The head says more than there is.
    let mut packet = vec![0; 27];
    packet[0] = 27;
    packet[16] = 1;
    packet[17] = 1;
    packet[19] = 5;
    packet[21] = 0x83;
    packet[22] = INTERRUPT;
    packet[23] = 64;
    packet.extend([1; 10]);
    capture.packet(&packet);
    let problem = imported(&capture.bytes, None).unwrap_err();
    assert!(problem.causes[0].contains("cut short"), "{problem:?}");
}

#[test]
fn a_capture_cut_in_the_first_command_is_refused() {
    let mut capture = Capture::new(Head::Windows, true, false);
    let mut said = commands();
    said.events.truncate(3);
    capture.converse(METER, &said);
    let problem = imported(&capture.bytes[..capture.bytes.len() - 8], None).unwrap_err();
    assert!(problem.causes[0].contains("says nothing"), "{problem:?}");
}

#[test]
fn a_long_block_needs_more_room_and_an_endless_one_is_refused() {
    let mut capture = Capture::new(Head::Long, true, false);
    capture.transfer((9, 9), (BULK, 0x81), true, None, &vec![0; 300_000]);
    capture.converse(METER, &reports());
    let made = imported(&capture.bytes, None).unwrap();
    assert_eq!(made.transcript.events, reports().events);
    let mut endless = Capture::new(Head::Long, true, false).bytes;
    endless.extend([6, 0, 0, 0, 0xfc, 0xff, 0xff, 0x7f]);
    endless.resize(20 << 20, 0);
    let problem = imported(&endless, None).unwrap_err();
    assert!(
        problem.causes[0].starts_with("it is damaged"),
        "{problem:?}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn any_bytes_are_imported_or_refused(
        form in prop::sample::select(&FORMS[..]),
        packets in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..120), 0..8),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        is_disk in any::<bool>(),
    ) {
        let (head, is_ng, is_big) = form;
        let mut capture = Capture::new(head, is_ng, is_big);
        let said = if is_disk { commands() } else { reports() };
        for packet in &packets {
            capture.packet(packet);
            capture.converse(METER, &said);
        }
        for (at, byte) in flips {
            let at = at.index(capture.bytes.len());
            capture.bytes[at] = byte;
        }
        for device in [None, Some(Address { bus: 1, device: 5 })] {
            if let Ok(survey) = Survey::of(capture.bytes.as_slice())
                && let Ok((device, seen)) = choose(&survey, device)
            {
                let _ = Conversation::of(capture.bytes.as_slice(), device, seen);
            }
        }
    }

    #[test]
    fn any_packet_is_read_or_passed_over(packet in prop::collection::vec(any::<u8>(), 0..100), is_big in any::<bool>()) {
        for link in [189, 220, 249] {
            let form = usb::Form::of(link).unwrap();
            if let Some(transfer) = usb::Transfer::decode(form, is_big, &packet, false) {
                prop_assert!(transfer.data.len() <= packet.len());
            }
        }
    }
}
