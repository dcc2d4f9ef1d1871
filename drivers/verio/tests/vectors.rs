//! Decodes the shared protocol vectors when they are at hand; they are not part of the repository.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "the helpers are test code too"
)]

use std::path::Path;

use glucopipe_driver_verio::lifescan::epoch::Epoch;
use glucopipe_driver_verio::lifescan::frame::{Form, checksum, decode, encode};
use glucopipe_driver_verio::protocol::command::{Command, Parameter, Query, Register};
use glucopipe_driver_verio::protocol::reply::{self, Reply};
use glucopipe_driver_verio::protocol::scsi;
use serde_json::Value;

const FILE: &str = "../../../shared/vectors/lifescan.json";

/// Vectors of this kind; none when the file is missing.
fn vectors(kind: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("skipped: no vectors at {}", path.display());
        return Vec::new();
    };
    let file: Value = serde_json::from_str(&text).unwrap();
    let all = file["vectors"].as_array().unwrap();
    let found: Vec<Value> = all
        .iter()
        .filter(|vector| vector["kind"] == kind)
        .cloned()
        .collect();
    assert!(!found.is_empty(), "no vector of kind {kind}");
    found
}

fn bytes(hex: &Value) -> Vec<u8> {
    let hex = hex.as_str().unwrap();
    assert_eq!(hex.len() % 2, 0);
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect()
}

/// Checks the frame against what is expected, and returns its message.
fn message(vector: &Value, form: Form) -> Vec<u8> {
    let (id, expected) = (&vector["id"], &vector["expected"]);
    let wire = bytes(&vector["hex"]);
    assert_eq!(expected["crc_ok"], true, "{id}");
    let mut block = wire.clone();
    block.resize(512, 0);
    let packet = decode(form, &block).unwrap();
    assert_eq!(packet.bytes, wire, "{id}");
    assert_eq!(Some(wire.len() as u64), expected["length"].as_u64(), "{id}");
    let link = u64::from(packet.link_control);
    assert_eq!(Some(link), expected["link_control"].as_u64(), "{id}");
    assert_eq!(packet.message, bytes(&expected["message"]), "{id}");
    let crc = format!("{:04x}", checksum(&wire[..wire.len() - 2]));
    assert_eq!(crc, expected["crc"], "{id}");
    let again = encode(form, packet.link_control, packet.message).unwrap();
    assert_eq!(again, wire, "{id}");
    packet.message.to_vec()
}

/// The request of a name, where the driver has it.
fn command(name: &str) -> Option<Command> {
    Some(match name {
        "QUERY serial" => Command::Query(Query::Serial),
        "QUERY model" => Command::Query(Query::Model),
        "QUERY software" => Command::Query(Query::Software),
        "QUERY time format" => Command::Query(Query::TimeFormat),
        "QUERY languages" => Command::Query(Query::Languages),
        "READ PARAM date format" => Command::ReadParameter(Parameter::DateFormat),
        "READ RTC" => Command::ReadClock,
        "WRITE RTC 2020-01-02T03:04:05" => {
            let time = "2020-01-02T03:04:05".parse().unwrap();
            Command::WriteClock(Epoch::Year2000.seconds(time).unwrap())
        }
        "READ RECORD COUNT" => Command::RecordCount,
        "READ RECORD #0" | "READ RECORD 0" => Command::ReadRecord(0),
        _ => return None,
    })
}

#[test]
fn replies_decode_to_the_expected_values() {
    for vector in vectors("verio_reply") {
        message(&vector, Form::Block);
        let expected = &vector["expected"];
        let wire = bytes(&vector["hex"]);
        let data = Reply::parse(&[], &wire).unwrap().data;
        match expected["command"].as_str().unwrap() {
            "QUERY serial" | "QUERY model" => {
                assert_eq!(reply::text(data).unwrap(), expected["value"]);
            }
            "READ RTC" => {
                let seconds = reply::seconds(data).unwrap();
                assert_eq!(
                    Some(u64::from(seconds)),
                    expected["seconds_since_2000"].as_u64()
                );
                let civil = Epoch::Year2000.civil(seconds);
                let shown = civil.format("%Y-%m-%dT%H:%M:%S").to_string();
                assert_eq!(shown, expected["device_local"]);
            }
            "WRITE RTC acknowledged" => reply::acknowledgement(data).unwrap(),
            "READ RECORD COUNT response (1)" => assert_eq!(reply::count(data), Ok(1)),
            other => panic!("{other} is not known"),
        }
    }
}

#[test]
fn requests_are_those_of_the_driver_but_for_the_prefix() {
    let mut own = 0;
    for vector in vectors("verio_request") {
        let sent = message(&vector, Form::Block);
        let expected = &vector["expected"];
        assert_eq!(Some(u64::from(sent[0])), expected["prefix"].as_u64());
        let name = expected["command"].as_str().unwrap();
        let Some(command) = command(name) else {
            // Without its last byte, as one program sends it.
            assert_eq!((name.starts_with("READ PARAM"), sent.len()), (true, 2));
            let ours = Command::ReadParameter(Parameter::Unit).message();
            assert!(ours.starts_with(&sent));
            continue;
        };
        own += 1;
        let ours = command.message();
        assert_eq!(ours[1..], sent[1..], "{name}");
        if sent[0] == ours[0] {
            assert_eq!(command.packet().unwrap(), bytes(&vector["hex"]));
        }
        let lba = u64::from(command.register().lba());
        assert_eq!(Some(lba), expected["lba"].as_u64(), "{name}");
    }
    println!("{own} requests are the driver's own");
}

#[test]
fn serial_packets_have_the_same_frame() {
    for kind in ["serial_request", "serial_control"] {
        for vector in vectors(kind) {
            message(&vector, Form::Serial);
        }
    }
}

#[test]
fn checksums_are_those_of_the_vectors() {
    for vector in vectors("crc16_input") {
        let crc = checksum(&bytes(&vector["hex"]));
        let expected = &vector["expected"];
        assert_eq!(format!("{crc:04x}"), expected["crc"]);
        let wire = bytes(&expected["little_endian_on_wire"]);
        assert_eq!(crc.to_le_bytes()[..], wire);
    }
}

#[test]
fn times_are_seconds_since_an_epoch() {
    for vector in vectors("timestamp_u32_le") {
        let seconds: [u8; 4] = bytes(&vector["hex"]).try_into().unwrap();
        let civil = Epoch::Year1970.civil(u32::from_le_bytes(seconds));
        let shown = civil.format("%Y-%m-%dT%H:%M:%S").to_string();
        let expected = vector["expected"]["datetime"].as_str().unwrap();
        assert!(expected.starts_with(&shown), "{shown}");
    }
}

#[test]
fn command_blocks_are_those_of_the_vectors() {
    for vector in vectors("bot_cbw") {
        let expected = &vector["expected"];
        let cdb = bytes(&expected["cdb"]);
        let wire = bytes(&vector["hex"]);
        assert_eq!(wire[15..15 + cdb.len()], cdb);
        let lba = Register::General.lba();
        match cdb[0] {
            0x2a => assert_eq!(cdb, scsi::write_10(lba)),
            0x28 => assert_eq!(cdb, scsi::read_10(lba)),
            // One program sends it longer than the standard has it.
            0x12 => assert_ne!(cdb, scsi::INQUIRY),
            other => panic!("{other:02x} is not known"),
        }
    }
}
