//! Every command of the Verio family against expectations written by hand.

mod support;

use glucopipe_emulator::{LinkKind, Unplugged};
use support::disk::{DiskHost, GENERAL, PARAMETERS, Reply, crc, hex, packet, unhex, utf16};
use support::{contour_models, scenario, verio_models};

#[test]
fn the_hosts_checksum_is_the_right_one() {
    assert_eq!(crc(b"123456789"), 0x29B1);
    assert_eq!(hex(&packet(&[3, 0xE6, 2, 0])), "020a0003e6020003745e");
}

#[test]
fn looks_like_a_small_disk() {
    let mut host = DiskHost::new(&scenario("verio-flex"));
    let (inquiry, outcome) = host.fetch(&[0x12, 0, 0, 0, 36, 0], 36);
    assert_eq!((outcome.status, outcome.residue), (0, 0));
    assert_eq!((inquiry[0], inquiry[4]), (0, 31));
    assert_eq!(inquiry[8..], *b"LifeScan                    ");
    let ready = host
        .run(&[0; 6], glucopipe_emulator::ScsiTransfer::None)
        .unwrap();
    assert_eq!((ready.status, ready.stalled), (0, false));
    let (capacity, _) = host.fetch(&[0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0], 8);
    assert_eq!(hex(&capacity), "00001fff00000200");
    let (mode, outcome) = host.fetch(&[0x1A, 0, 0x3F, 0, 192, 0], 192);
    assert_eq!((&mode[..4], outcome.residue), (&[3, 0, 0, 0][..], 188));
    let (mode, _) = host.fetch(&[0x5A, 0, 0x3F, 0, 0, 0, 0, 0, 8, 0], 8);
    assert_eq!(mode, [0, 6, 0, 0, 0, 0, 0, 0]);
    let (boot, _) = host.read_block(0);
    assert_eq!(boot[0x2B..=0x3A], *b"LIFESCAN   FAT16");
    assert_eq!(boot[510..], [0x55, 0xAA]);
    for lba in [1, 2, 3, 4, 5, 6, 212] {
        assert_eq!(host.read_block(lba).0, [0; 512], "{lba}");
    }
    assert_eq!(host.audit().complaints(), [""; 0]);
}

#[test]
fn tells_the_sense_of_the_last_command() {
    let mut host = DiskHost::new(&scenario("verio"));
    let (_, outcome) = host.fetch(&[0x35, 0, 0, 0, 0, 0, 0, 0, 0, 0], 4);
    assert_eq!((outcome.status, outcome.residue), (2, 4));
    let expected = "700005000000000a00000000200000000000";
    assert_eq!(hex(&outcome.sense), expected);
    let (sense, outcome) = host.fetch(&[3, 0, 0, 0, 18, 0], 18);
    assert_eq!((hex(&sense).as_str(), outcome.status), (expected, 0));
    let (sense, _) = host.fetch(&[3, 0, 0, 0, 18, 0], 18);
    assert_eq!((sense[2], sense[12]), (0, 0));
    // Beyond the end.
    let (_, outcome) = host.fetch(&[0x28, 0, 0, 0, 0x20, 0, 0, 0, 1, 0], 512);
    assert_eq!(
        (outcome.status, outcome.sense[2], outcome.sense[12]),
        (2, 5, 0x21)
    );
    assert_eq!(host.audit().complaints(), [""; 0]);
}

#[test]
fn tells_every_text() {
    let mut host = DiskHost::open("verio-flex");
    let expected = [
        (0, "ZBCDF3G6"),
        (1, "Verio Flex"),
        (2, "02.11.00"),
        (4, "%D %n %y"),
        (5, "%I:%T"),
        (7, "https://example.com"),
        (
            9,
            "ENa 01.02.00; DEa 01.02.00; FRa 01.02.00; ITa 01.02.00; ESa 01.02.00",
        ),
    ];
    for (selector, text) in expected {
        assert_eq!(host.text(GENERAL, &[3, 0xE6, 2, selector]), text);
    }
    assert_eq!(host.text(PARAMETERS, &[3, 0, 0]), "%I:%T");
    assert_eq!(host.text(PARAMETERS, &[3, 2, 0]), "%D %n %y");
    assert_eq!(host.data(GENERAL, &[3, 0xE6, 2, 3]).len() % 2, 1, "no text");
    for selector in [6, 8, 10, 255] {
        let refused = Reply::Message(vec![3, 9]);
        assert_eq!(host.ask(GENERAL, &[3, 0xE6, 2, selector]), refused);
    }
    assert_eq!(host.audit().complaints(), [""; 0]);
}

#[test]
fn models_differ_in_texts_serials_and_ids() {
    let expected = [
        ("verio", "Verio"),
        ("verio-flex", "Verio Flex"),
        ("verio-reflect", "Verio Reflect"),
        ("ultra-plus-flex", "Ultra Plus Flex"),
        ("select-plus", "Select Plus"),
        ("select-plus-flex", "Select Plus Flex"),
    ];
    assert_eq!(verio_models().count(), expected.len());
    for (model, (key, text)) in verio_models().zip(expected) {
        let scenario = scenario(model.key);
        assert_eq!((model.key, scenario.link()), (key, LinkKind::Scsi));
        let mut host = DiskHost::open(model.key);
        assert_eq!(host.text(GENERAL, &[3, 0xE6, 2, 1]), text);
        assert_eq!(scenario.model_text(), Some(text));
        assert_eq!(host.text(GENERAL, &[3, 0xE6, 2, 0]), scenario.serial());
        assert_eq!(scenario.serial().len(), 8);
        assert_eq!(
            Some(host.text(GENERAL, &[3, 0xE6, 2, 2]).as_str()),
            scenario.software_text()
        );
    }
    let mut host = DiskHost::open("verio?serial=ABC123");
    assert_eq!(host.text(GENERAL, &[3, 0xE6, 2, 0]), "ABC123");
}

#[test]
fn repeats_the_prefix_but_for_parameters() {
    let mut host = DiskHost::open("verio");
    for prefix in [3, 4, 5] {
        let Reply::Message(reply) = host.ask(GENERAL, &[prefix, 0xE6, 2, 1]) else {
            panic!("no reply");
        };
        assert_eq!((reply[0], utf16(&reply[2..]).as_str()), (prefix, "Verio"));
        for message in [&[prefix, 4, 0][..], &[prefix, 4]] {
            let unit = Reply::Message(vec![3, 6, 0, 0, 0, 0]);
            assert_eq!(host.ask(PARAMETERS, message), unit);
        }
    }
    let mut host = DiskHost::open("verio?unit=mmol");
    assert_eq!(host.data(PARAMETERS, &[3, 4, 0]), [1, 0, 0, 0]);
    assert_eq!(host.ask(PARAMETERS, &[4, 9, 0]), Reply::Message(vec![3, 9]));
}

#[test]
fn reads_and_sets_the_clock() {
    let mut host = DiskHost::open("verio?clock=2026-05-30T18:05:00");
    // From the reference: 4C E3 AD 31.
    assert_eq!(host.clock(), 0x31AD_E34C);
    let request = unhex("02 0D 00 03 20 01 4C E3 AD 31 03 DB 63");
    assert_eq!(host.ask_raw(GENERAL, &request), Reply::Message(vec![3, 6]));
    assert_eq!(
        host.ask(GENERAL, &[3, 0x20, 1, 1, 0, 0, 0]),
        Reply::Message(vec![3, 6])
    );
    assert_eq!(host.clock(), 1);
    let settings: Vec<String> = host
        .audit()
        .clock_settings
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(settings, ["2026-05-30T18:05:00", "2000-01-01T00:00:01"]);
    let last = u32::MAX.to_le_bytes();
    let set = [&[3, 0x20, 1], last.as_slice()].concat();
    assert_eq!(host.ask(GENERAL, &set), Reply::Message(vec![3, 6]));
    assert_eq!(host.clock(), u32::MAX);
}

#[test]
fn the_clock_goes_with_virtual_time() {
    let mut host = DiskHost::open("verio?fault=slow:30000");
    let before = host.clock();
    // One clock reading: a write and a read.
    assert_eq!(host.clock() - before, 60);
    assert!(host.elapsed_ms >= 60_000);
}

#[test]
fn gives_records_by_index_and_refuses_others() {
    let mut host = DiskHost::open("verio?records=3");
    assert_eq!(host.count(), 3);
    for index in [0, 1, 2] {
        assert_eq!(host.data(GENERAL, &[3, 0x31, 2, index, 0, 0]).len(), 16);
        let length = host.log.last().unwrap()[1];
        assert_eq!(length, 24);
    }
    for (low, high) in [(3, 0), (0, 1), (255, 255)] {
        let reply = host.ask(GENERAL, &[3, 0x31, 2, low, high, 0]);
        assert_eq!(reply, Reply::Message(vec![3, 8]));
    }
    assert_eq!(host.audit().complaints(), [""; 0]);
}

#[test]
fn erases_the_memory_but_not_the_counter() {
    let mut host = DiskHost::open("verio?records=3&counter=65535&fault=count:2");
    assert_eq!(host.count(), 3);
    let newest = host.data(GENERAL, &[3, 0x31, 2, 0, 0, 0]);
    assert_eq!(newest[3..5], [1, 0], "65535, 0, 1");
    assert_eq!(host.ask(GENERAL, &[5, 0x1A]), Reply::Message(vec![5, 6]));
    assert_eq!(
        host.ask(GENERAL, &[3, 0x31, 2, 0, 0, 0]),
        Reply::Message(vec![3, 8])
    );
    // Two tests were taken since.
    assert_eq!(host.count(), 2);
    assert_eq!(host.data(GENERAL, &[3, 0x31, 2, 0, 0, 0])[3..5], [3, 0]);
    assert_eq!(host.data(GENERAL, &[3, 0x31, 2, 1, 0, 0])[3..5], [2, 0]);
    assert_eq!(host.audit().erasures, 1);
    let mut host = DiskHost::open("verio?records=3");
    host.ask(GENERAL, &[3, 0x1A]);
    assert_eq!((host.count(), host.count()), (0, 0));
}

#[test]
fn reads_back_what_it_does_not_process() {
    let mut host = DiskHost::open("verio?records=3");
    let mut wrong = packet(&[3, 0x1A]);
    wrong[6] ^= 1;
    assert_eq!(host.ask_raw(GENERAL, &wrong), Reply::Echo);
    assert_eq!(host.count(), 3, "not executed");
    assert_eq!(host.ask_raw(GENERAL, &[9; 512]), Reply::Echo);
    // The registers do not mix.
    assert_eq!(host.ask(GENERAL, &[3, 4, 0]), Reply::Echo);
    assert_eq!(host.ask(PARAMETERS, &[3, 0xE6, 2, 1]), Reply::Echo);
    // The message of an unknown prefix is none.
    assert_eq!(host.ask(GENERAL, &[2, 0x27, 0]), Reply::Echo);
    assert_eq!(host.ask(GENERAL, &[3, 0x0D, 1]), Reply::Message(vec![3, 9]));
    assert_eq!(
        host.audit().complaints(),
        [
            "request with a wrong CRC",
            "request without start of packet",
            "request to the wrong register",
            "request to the wrong register",
            "request with an unknown prefix",
            "unknown command 0x0d",
        ]
    );
}

#[test]
fn wants_one_block_without_flags() {
    let mut host = DiskHost::open("verio");
    let request = packet(&[3, 0x27, 0]);
    let mut block = request;
    block.resize(1024, 0);
    for (cdb, length) in [
        ([0x2A, 0, 0, 0, 0, 3, 0, 0, 2, 0], 1024),
        ([0x2A, 0, 0, 0, 0, 3, 0, 0, 0, 0], 0),
        ([0x2A, 8, 0, 0, 0, 3, 0, 0, 1, 0], 512),
        ([0x2A, 0, 0, 0, 0, 3, 0, 0, 1, 0], 511),
    ] {
        let data = glucopipe_emulator::ScsiTransfer::Out(&block[..length]);
        let outcome = host.run(&cdb, data).unwrap();
        assert_eq!((outcome.status, outcome.sense[2]), (2, 5));
        assert_eq!(usize::try_from(outcome.residue).unwrap(), length);
    }
    let (_, outcome) = host.fetch(&[0x28, 0, 0, 0, 0, 3, 0, 0, 8, 0], 4096);
    assert_eq!((outcome.status, outcome.residue), (2, 4096));
    assert_eq!(
        host.audit().complaints(),
        [
            "WRITE of 2 blocks",
            "WRITE of 0 blocks",
            "WRITE with flags",
            "WRITE of one block with 511 bytes of data",
            "READ of 8 blocks",
        ]
    );
    assert_eq!(host.audit().requests, 1, "none was executed");
}

#[test]
fn objects_to_writes_before_the_meter_is_known_and_beside_the_registers() {
    let unidentified = |lba| format!("wrote LBA {lba} before INQUIRY and boot sector were read");
    let mut host = DiskHost::new(&scenario("verio"));
    host.ask(GENERAL, &[3, 0xE6, 2, 1]);
    host.read_block(0);
    host.ask(GENERAL, &[3, 0xE6, 2, 1]);
    assert_eq!(
        host.audit().complaints(),
        [unidentified(3), unidentified(3)]
    );

    let mut host = DiskHost::new(&scenario("verio"));
    host.fetch(&[0x12, 0, 0, 0, 36, 0], 36);
    host.read_block(0);
    host.ask(GENERAL, &[3, 0xE6, 2, 0]);
    host.write_block(5, &[7; 512]).unwrap();
    host.write_block(2, &[7; 512]).unwrap();
    assert_eq!(host.read_block(5).0, [7; 512]);
    assert_eq!(host.read_block(2).0, [0; 512]);
    let rules = [
        "the first request does not ask for the model",
        "wrote LBA 5",
        "wrote LBA 2",
    ];
    assert_eq!(host.audit().complaints(), rules);
}

#[test]
fn a_stick_is_no_meter_and_must_not_be_written_to() {
    for (uri, vendor, label) in [
        ("usb-stick", "Generic ", "NO NAME    FAT16"),
        ("usb-stick?looks=inquiry", "LifeScan", "NO NAME    FAT16"),
        ("usb-stick?looks=boot", "Generic ", "LIFESCAN   FAT16"),
    ] {
        let mut host = DiskHost::new(&scenario(uri));
        let (inquiry, _) = host.fetch(&[0x12, 0, 0, 0, 36, 0], 36);
        assert_eq!(inquiry[8..16], *vendor.as_bytes());
        let (boot, _) = host.fetch(&[0x28, 0, 0, 0, 0, 0, 0, 0, 8, 0], 4096);
        assert_eq!(boot[0x2B..=0x3A], *label.as_bytes());
        assert!(!host.identify());
        assert_eq!(host.audit().complaints(), [""; 0], "{uri}");
        assert_eq!(host.ask(GENERAL, &[3, 0x27, 0]), Reply::Echo);
        assert_eq!(
            host.audit().complaints(),
            ["wrote LBA 3 of a disk that is no meter"]
        );
        let stick = scenario(uri);
        assert!(stick.truth().is_empty() && stick.set_aside().is_empty());
    }
}

#[test]
fn a_model_has_one_link_only() {
    for model in verio_models() {
        let scenario = scenario(model.key);
        assert!(scenario.hid_meter().is_none());
        let mut absent = scenario.meter();
        assert_eq!(absent.write(&[0; 64]), Err(Unplugged));
        assert_eq!(absent.read(1), Err(Unplugged));
        assert_eq!(absent.audit().complaints(), [""; 0]);
    }
    for model in contour_models() {
        let scenario = scenario(model.key);
        assert_eq!(scenario.link(), LinkKind::Hid);
        assert!(scenario.hid_meter().is_some() && scenario.scsi_meter().is_none());
    }
}

/// Public vectors, when they lie beside the repository: every request is understood, every reply has
/// the shape of ours.
#[test]
fn has_the_shape_of_published_packets() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../shared/vectors/lifescan.json"
    );
    let Ok(json) = std::fs::read_to_string(path) else {
        eprintln!("skipped: no vectors at {path}");
        return;
    };
    let (mut requests, mut replies) = (0, 0);
    for vector in json.split("\"id\"").skip(1) {
        let field = |name: &str| {
            let (_, rest) = vector.split_once(&format!("\"{name}\": \""))?;
            Some(rest.split('"').next().unwrap_or_default().to_owned())
        };
        let (Some(kind), Some(bytes)) = (field("kind"), field("hex")) else {
            continue;
        };
        let bytes = unhex(&bytes);
        match kind.as_str() {
            "verio_request" => {
                let lba = if vector.contains("\"lba\": 4") {
                    PARAMETERS
                } else {
                    GENERAL
                };
                let mut host = DiskHost::open("verio-flex");
                let Reply::Message(reply) = host.ask_raw(lba, &bytes) else {
                    panic!("not understood: {vector}");
                };
                assert_eq!(reply[1], 6, "{vector}");
                assert_eq!(host.audit().complaints(), [""; 0]);
                requests += 1;
            }
            "verio_reply" => {
                let mut host = DiskHost::open("verio-flex");
                let command = field("command").unwrap();
                let (name, _) = command.split_once(" (").unwrap_or((&command, ""));
                let message: &[u8] = match name {
                    "QUERY serial" => &[4, 0xE6, 2, 0],
                    "QUERY model" => &[4, 0xE6, 2, 1],
                    "READ RTC" => &[4, 0x20, 2],
                    "WRITE RTC acknowledged" => &[4, 0x20, 1, 0, 0, 0, 0],
                    "READ RECORD COUNT response" => &[4, 0x27, 0],
                    other => panic!("unknown reply {other}"),
                };
                host.ask(GENERAL, message);
                let ours = host.log.last().unwrap();
                assert_eq!(ours[..5], bytes[..5], "{vector}");
                let length = usize::from(ours[1]);
                assert_eq!(length, bytes.len());
                if matches!(name, "QUERY model" | "WRITE RTC acknowledged") {
                    assert_eq!(ours[..length], bytes);
                }
                replies += 1;
            }
            _ => {}
        }
    }
    assert!(requests >= 10 && replies >= 5, "{requests} {replies}");
}
