//! What is not a meter is never written to.

use glucopipe_sdk::serde_json::{Value, json};
use glucopipe_sdk::{Result, Status};

use super::fake::{Act, Bench, Fake, SERIAL};

/// Tries every operation; each must be refused.
fn refused(bench: &mut Bench, status: Status) -> String {
    let time = "2026-06-01T12:00:00".parse().unwrap();
    let session = &mut bench.session;
    let outcomes: [Result<()>; 5] = [
        session.info().map(|_| ()),
        session.read().map(|_| ()),
        session.clock().map(|_| ()),
        session.set_clock(time),
        session.erase(SERIAL),
    ];
    let mut message = String::new();
    for outcome in outcomes {
        let error = outcome.unwrap_err();
        assert_eq!(error.status, status, "{}", error.message);
        message = error.message;
    }
    message
}

fn never_written(mut bench: Bench) {
    let message = refused(&mut bench, Status::Precondition);
    assert!(message.starts_with("not a LifeScan meter"), "{message}");
    assert!(message.ends_with("nothing was written"), "{message}");
    assert!(bench.fake().written.is_empty());
}

#[test]
fn disk_of_another_vendor_is_never_written() {
    for vendor in [b"Generic ", b"lifescan", b"\0\0\0\0\0\0\0\0", b"LifeSca\0"] {
        let mut fake = Fake::new(3);
        fake.vendor = *vendor;
        never_written(Bench::new(fake));
    }
}

#[test]
fn disk_with_another_boot_sector_is_never_written() {
    for label in [b"NO NAME    FAT16", b"LIFESCAN   FAT32", &[0; 16]] {
        let mut fake = Fake::new(3);
        fake.label = *label;
        never_written(Bench::new(fake));
    }
}

#[test]
fn device_of_another_usb_vendor_is_not_even_asked() {
    for vendor in [json!("0781"), json!(""), json!(2766), json!("*")] {
        let bench = Bench::described(Fake::new(3), json!({"vendor": vendor}));
        never_written(bench);
        let device = json!({"link": "scsi", "vendor": "0781", "product": "5567"});
        let mut bench = Bench::described(Fake::new(3), device);
        refused(&mut bench, Status::Precondition);
        assert_eq!(bench.fake().seen, 0);
    }
}

#[test]
fn host_that_knows_no_vendor_leaves_it_to_the_disk() {
    for device in [
        json!({}),
        json!({"vendor": Value::Null}),
        json!({"node": "/dev/sg1"}),
    ] {
        let mut fake = Fake::new(3);
        let mut bench = Bench::described(Fake::new(3), device.clone());
        assert_eq!(bench.session.read().unwrap().rows(), 3);
        fake.vendor = *b"Generic ";
        never_written(Bench::described(fake, device));
    }
}

#[test]
fn checks_come_before_the_first_write() {
    let mut operations = Vec::new();
    let (sender, receiver) = std::sync::mpsc::channel();
    let fake = Fake::new(1).with_plan(move |step| {
        sender.send(step.operation).unwrap();
        Act::Right
    });
    Bench::new(fake).session.info().unwrap();
    operations.extend(receiver.try_iter());
    assert_eq!(operations[..4], [0x12, 0x28, 0x2a, 0x28]);
}

#[test]
fn disk_that_does_not_say_what_it_is_is_never_written() {
    let faults = [
        Act::Check(vec![0x70, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x20, 0]),
        Act::Residue(36),
        Act::Fail(Status::Timeout, false),
        Act::Fail(Status::Lost, false),
    ];
    for read in [0x12, 0x28] {
        for fault in faults.clone() {
            let fake = Fake::new(3).with_plan(move |step| match step.operation {
                operation if operation == read => fault.clone(),
                _ => Act::Right,
            });
            let mut bench = Bench::new(fake);
            assert!(bench.session.read().is_err());
            assert!(bench.session.erase(SERIAL).is_err());
            assert!(bench.fake().written.is_empty());
            assert!(bench.fake().seen < 64);
        }
    }
}

#[test]
fn disk_that_looks_like_a_meter_but_answers_as_none_gets_one_write() {
    let answers = [Act::Echo, Act::Say(vec![4, 9]), Act::Spoil, Act::Stale];
    for answer in answers {
        let fake = Fake::new(3).with_plan(move |_| answer.clone());
        let mut bench = Bench::new(fake);
        let error = bench.session.read().unwrap_err();
        assert_eq!(error.status, Status::Protocol);
        assert_eq!(bench.fake().written.len(), 1);
    }
}

#[test]
fn first_answer_that_does_not_come_through_is_read_again_and_not_asked_for_again() {
    let aborted = vec![0x70, 0, 0xb, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    for act in [Act::Check(aborted), Act::Residue(512)] {
        // INQUIRY, boot sector, the question, its answer.
        let fake = Fake::new(3).with_plan(move |step| match step.number {
            3 => act.clone(),
            _ => Act::Right,
        });
        let mut bench = Bench::new(fake);
        assert_eq!(bench.session.read().unwrap().rows(), 3);
        let model = bench.fake().messages();
        let model = model.iter().filter(|message| ***message == [3, 0xe6, 2, 1]);
        assert_eq!(model.count(), 1);
    }
}

#[test]
fn new_disk_refuses_its_first_command_and_is_asked_again() {
    let attention = vec![0x70, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x29, 0];
    let fake = Fake::new(3).with_plan(move |step| match step.number {
        1 => Act::Check(attention.clone()),
        _ => Act::Right,
    });
    assert_eq!(Bench::new(fake).session.read().unwrap().rows(), 3);
}

#[test]
fn meter_is_identified_again_over_a_new_link_and_must_be_the_same() {
    // The link fails amid the read; a stick is in the port when it is opened again.
    let mut bench = Bench::new(Fake::new(9).with_plan(|step| match step.record() {
        Some(4) => Act::Fail(Status::Lost, false),
        _ => Act::Right,
    }));
    let read = {
        let session = &mut bench.session;
        let mut stream = session.stream().unwrap();
        let device = stream.device().unwrap();
        assert_eq!(device.record_count, Some(9));
        stream.next_batch().unwrap()
    };
    // The same meter came back once, and was lost again.
    assert_eq!(read.unwrap().num_rows(), 4);
    let report = bench.session.report().unwrap();
    assert_eq!(
        (report.complete, &report.counts["reopened"]),
        (false, &json!(1))
    );
    let written = bench.fake().written.len();
    bench.fake().vendor = *b"Generic ";
    let error = bench.session.read().unwrap_err();
    assert_eq!(error.status, Status::Precondition);
    assert_eq!(bench.fake().written.len(), written);
}

#[test]
fn reset_of_the_disk_demands_identification_before_the_next_write() {
    let attention = vec![0x70, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x28, 0];
    let (mut done, mut operations) = (false, Vec::new());
    let (sender, receiver) = std::sync::mpsc::channel();
    let fake = Fake::new(6).with_plan(move |step| {
        sender.send(step.operation).unwrap();
        if step.record() == Some(3) && !std::mem::replace(&mut done, true) {
            return Act::Check(attention.clone());
        }
        Act::Right
    });
    let mut bench = Bench::new(fake);
    let read = bench.session.read().unwrap();
    assert_eq!(read.rows(), 6);
    assert!(read.report.unwrap().complete);
    operations.extend(receiver.try_iter());
    let sense = operations
        .iter()
        .position(|operation| *operation == 3)
        .unwrap();
    // REQUEST SENSE, INQUIRY, boot sector, model, serial, then the record again.
    assert_eq!(
        operations[sense..sense + 9],
        [0x03, 0x12, 0x28, 0x2a, 0x28, 0x2a, 0x28, 0x2a, 0x28]
    );
}

#[test]
fn another_meter_amid_an_operation_is_refused() {
    let mut bench = Bench::new(Fake::new(6));
    let attention = vec![0x70, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x28, 0];
    let mut done = false;
    bench.fake().plan = Box::new(move |step| {
        if step.record() == Some(3) && !std::mem::replace(&mut done, true) {
            return Act::Check(attention.clone());
        }
        // After the reset, another meter says another serial.
        match step.message {
            [_, 0xe6, 2, 0] if done => Act::Say(vec![4, 6, b'Q', 0, 0, 0]),
            _ => Act::Right,
        }
    });
    let read = bench.session.read().unwrap();
    assert_eq!((read.rows(), read.error), (3, None));
    let report = read.report.unwrap();
    assert!(!report.complete);
    assert!(report.reasons[0].starts_with("another meter is attached"));
}
