//! Every fault of the Verio family as a host can observe it.

mod support;

use glucopipe_emulator::{Meal, faults_of};
use support::disk::{DiskHost, Download, GENERAL, Reply, unhex};
use support::scenario;

const RECORDS: usize = 20;
/// Replies in front of the first record: model, serial, software, unit, clock, count.
const FIRST_RECORD: usize = 7;

fn run(fault: &str) -> (Download, DiskHost) {
    let scenario = scenario(&format!("select-plus?records={RECORDS}&fault={fault}"));
    let mut host = DiskHost::new(&scenario);
    let download = host.download();
    assert_eq!(host.audit().complaints(), [""; 0], "{fault}");
    (download, host)
}

fn sent(fault: &str) -> Vec<String> {
    let scenario = scenario(&format!("select-plus?records={RECORDS}&fault={fault}"));
    scenario
        .truth()
        .into_iter()
        .map(|truth| truth.sent)
        .collect()
}

/// The fault was repaired by so many repeats.
fn assert_whole(fault: &str, repeats: usize) {
    let (download, _) = run(fault);
    assert_eq!(download.records, sent(fault), "{fault}");
    assert_eq!(
        (download.repeats, download.restarts),
        (repeats, 0),
        "{fault}"
    );
    assert!(!download.unplugged);
}

#[test]
fn faults_that_happen_once_are_repaired_by_asking_again() {
    for fault in ["crc", "refuse", "status", "check", "residue", "stall"] {
        assert_whole(fault, 1);
        for n in [1, 2, 4, FIRST_RECORD, FIRST_RECORD + RECORDS - 1] {
            assert_whole(&format!("{fault}:{n}"), 1);
        }
        assert_whole(&format!("{fault}:8+{fault}:10"), 2);
        assert_whole(&format!("{fault}:900"), 0);
    }
    assert_whole("crc:7+status:9+refuse:11+check:13", 4);
}

#[test]
fn each_fault_looks_different() {
    let second = |fault: &str| {
        let mut host = DiskHost::open(&format!("verio?records=5&fault={fault}:2"));
        let first = host.ask(GENERAL, &[3, 0x27, 0]);
        assert_eq!(
            host.ask(GENERAL, &[3, 0x27, 0]),
            Reply::Message(vec![3, 6, 5, 0])
        );
        (first, host)
    };
    assert_eq!(second("crc").0, Reply::BadCrc);
    assert_eq!(second("refuse").0, Reply::Echo);
    // The data stay.
    assert_eq!(second("status").0, Reply::Message(vec![3, 9, 5, 0]));
    assert_eq!(second("check").0, Reply::Check(0x0B));
    assert_eq!(second("residue").0, Reply::Short(512));
    let (stalled, host) = second("stall");
    assert_eq!(stalled, Reply::Stalled);
    let rules = [
        "wrote LBA 3 before INQUIRY and boot sector were read",
        "the first request does not ask for the model",
    ];
    assert_eq!(host.audit().complaints(), rules);
}

#[test]
fn a_refused_erase_is_not_executed() {
    for fault in ["refuse", "status"] {
        let mut host = DiskHost::open(&format!("verio?records=5&fault={fault}:2"));
        host.ask(GENERAL, &[3, 0x1A]);
        assert_eq!((host.audit().erasures, host.count()), (0, 5), "{fault}");
    }
}

#[test]
fn crc_forever_loses_one_record() {
    let (download, _) = run("crc-forever:9");
    let mut expected = sent("");
    expected.remove(2);
    assert_eq!((download.missing, download.repeats), (vec![2], 4));
    assert_eq!(download.records, expected);
    let mut host = DiskHost::open("verio?fault=crc-forever:2");
    for prefix in [3, 4] {
        assert_eq!(host.ask(GENERAL, &[prefix, 0x27, 0]), Reply::BadCrc);
    }
    assert!(matches!(
        host.ask(GENERAL, &[3, 0x20, 2]),
        Reply::Message(_)
    ));
}

#[test]
fn unplug_vanishes_after_n_replies() {
    for n in [1, 3, 6, FIRST_RECORD + 2] {
        let (download, host) = run(&format!("unplug:{n}"));
        assert_eq!((download.unplugged, host.log.len()), (true, n));
        assert_eq!(download.records.len(), (n + 1).saturating_sub(FIRST_RECORD));
    }
    let mut host = DiskHost::new(&scenario("verio?fault=unplug:0"));
    assert!(
        host.run(&[0; 6], glucopipe_emulator::ScsiTransfer::None)
            .is_err()
    );
}

#[test]
fn count_takes_tests_while_the_meter_is_read() {
    for (fault, late) in [("count", 1), ("count:3", 3)] {
        let (download, _) = run(fault);
        assert_eq!(
            (download.restarts, download.records.len()),
            (1, RECORDS + late)
        );
        assert_eq!(download.records, sent(fault));
        let plain = sent("");
        let counters = |list: &[String]| -> Vec<Vec<u8>> {
            list.iter()
                .map(|record| unhex(record)[2..].to_vec())
                .collect()
        };
        assert_eq!(
            counters(&download.records)[late..],
            counters(&plain),
            "the rest is the same"
        );
    }
}

#[test]
fn layout_sets_the_reserved_byte_only() {
    let (download, _) = run("layout:4");
    let (plain, changed) = (unhex(&sent("")[3]), unhex(&download.records[3]));
    let different: Vec<usize> = (0..16).filter(|at| plain[*at] != changed[*at]).collect();
    assert_eq!(different, [12]);
    let truth = |fault| scenario(&format!("select-plus?records=20&fault={fault}")).truth();
    assert_eq!(truth("layout:4")[3].value, truth("")[3].value);
}

#[test]
fn meal_is_any_byte() {
    for (fault, at, byte, meal) in [
        ("meal", 2, 3, None),
        ("meal:255:1", 0, 255, None),
        ("meal:2:20", 19, 2, Some(Meal::After)),
    ] {
        let scenario = scenario(&format!("verio?records={RECORDS}&fault={fault}"));
        let truth = &scenario.truth()[at];
        assert_eq!(unhex(&truth.sent)[11], byte);
        assert_eq!(
            (truth.meal, truth.markers.clone()),
            (meal, format!("{byte:02X}"))
        );
        assert_eq!(DiskHost::new(&scenario).download().records[at], truth.sent);
    }
}

#[test]
fn odd_records_have_a_right_checksum_and_are_to_be_set_aside() {
    for n in [1, 3, 20] {
        let scenario = scenario(&format!("verio?records={RECORDS}&fault=odd:{n}"));
        let odd = scenario.set_aside();
        assert_eq!((odd.len(), scenario.truth().len()), (1, RECORDS - 1));
        assert_eq!(usize::try_from(odd[0].position).unwrap(), n);
        assert_eq!(odd[0].reason, "glucose above 2000 mg/dL");
        assert_eq!(unhex(&odd[0].text)[9..11], 5000_u16.to_le_bytes());
        let download = DiskHost::new(&scenario).download();
        assert_eq!(
            (download.records[n - 1].clone(), download.repeats),
            (odd[0].text.clone(), 0)
        );
    }
}

#[test]
fn replace_keeps_the_number_of_records() {
    let (download, mut host) = run("replace:3");
    assert_eq!(
        (&download.records, download.restarts),
        (&sent("replace:3"), 0)
    );
    assert_eq!(usize::from(host.count()), RECORDS);
    let (before, _) = run("replace:90");
    assert_eq!(before.records.len(), RECORDS);
    assert_ne!(before.records, download.records);
}

#[test]
fn slow_takes_its_virtual_time() {
    let (download, host) = run("slow:1500");
    assert_eq!(download.records.len(), RECORDS);
    // Two commands each for 7 requests and the records; INQUIRY and boot sector.
    assert_eq!(host.elapsed_ms, 1500 * (2 * (7 + 20) + 2));
}

/// A host waits as long as it likes: no answer comes in an hour.
#[test]
fn a_disk_that_is_silent_takes_for_ever() {
    let took = |host: &mut DiskHost| {
        let before = host.elapsed_ms;
        let command = [0x28, 0, 0, 0, 0, 3, 0, 0, 1, 0];
        let mut block = [0; 512];
        let answer = host.run(&command, glucopipe_emulator::ScsiTransfer::In(&mut block));
        assert!(answer.is_ok());
        host.elapsed_ms - before
    };
    let mut mute = DiskHost::open("verio?records=5&fault=mute");
    assert!(took(&mut mute) >= 3_600_000);
    let mut dead = DiskHost::open("verio?records=5&fault=dead:3");
    let count = dead.ask(GENERAL, &[3, 0x27, 0]);
    assert_eq!(count, Reply::Message(vec![3, 6, 5, 0]));
    assert!(took(&mut dead) < 1_000);
    let second = dead.write_block(GENERAL, &[]);
    assert_eq!(second.unwrap().status, 0);
    assert!(took(&mut dead) >= 3_600_000);
}

#[test]
fn every_fault_is_in_these_tests() {
    let tested = [
        "check",
        "count",
        "crc",
        "crc-forever",
        "dead",
        "layout",
        "meal",
        "mute",
        "odd",
        "refuse",
        "replace",
        "residue",
        "slow",
        "stall",
        "status",
        "unplug",
    ];
    let listed: Vec<&str> = faults_of("verio").iter().map(|fault| fault.name).collect();
    assert_eq!(listed, tested);
}
