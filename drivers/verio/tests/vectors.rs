//! Decodes the shared protocol vectors when they are at hand; they are not part of the repository.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "the helpers are test code too"
)]

use std::path::Path;

use glucopipe_driver_verio::lifescan::epoch::Epoch;
use glucopipe_driver_verio::lifescan::frame::{Form, checksum, decode, encode};
use glucopipe_driver_verio::lifescan::ultra2;
use glucopipe_driver_verio::protocol::command::{Command, Parameter, Query, Register};
use glucopipe_driver_verio::protocol::reply::{self, Reply};
use glucopipe_driver_verio::protocol::scsi;
use serde_json::Value;

const FILE: &str = "../../../shared/vectors/lifescan.json";

/// All vectors; none when the file is missing.
fn all() -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(FILE);
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("skipped: no vectors at {}", path.display());
        return Vec::new();
    };
    let file: Value = serde_json::from_str(&text).unwrap();
    file["vectors"].as_array().unwrap().clone()
}

/// Vectors of this kind.
fn vectors(kind: &str) -> Vec<Value> {
    assert!(KINDS.contains(&kind), "{kind}");
    let all = all();
    let is_empty = all.is_empty();
    let found: Vec<Value> = all
        .into_iter()
        .filter(|vector| vector["kind"] == kind)
        .collect();
    assert!(is_empty || !found.is_empty(), "no vector of kind {kind}");
    found
}

/// The kinds that the tests below go through, whole.
const KINDS: [&str; 10] = [
    "verio_reply",
    "verio_request",
    "serial_request",
    "serial_control",
    "crc16_input",
    "timestamp_u32_le",
    "bot_cbw",
    "sum16_input",
    "ultra2_line",
    "ultra2_bad_line",
];

#[test]
fn every_vector_is_of_a_kind_that_is_tested() {
    for vector in all() {
        let kind = vector["kind"].as_str().unwrap();
        assert!(KINDS.contains(&kind), "{} is a {kind}", vector["id"]);
    }
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

#[test]
fn sums_are_those_of_the_vectors() {
    for vector in vectors("sum16_input") {
        let text = vector["text"].as_str().unwrap();
        let sum = format!("{:04X}", ultra2::checksum(text.as_bytes()));
        assert_eq!(sum, vector["expected"]["checksum"]);
    }
}

#[test]
fn lines_decode_to_the_expected_values() {
    let (mut headers, mut results) = (0, 0);
    for vector in vectors("ultra2_line") {
        let expected = &vector["expected"];
        let text = ultra2::text(vector["text"].as_str().unwrap()).unwrap();
        let sum = format!("{:04X}", ultra2::checksum(text.as_bytes()));
        assert_eq!(expected["checksum_wire"], sum);
        assert_eq!(expected["checksum_calc"], sum);
        if let Some(header) = ultra2::Header::parse(text) {
            assert_eq!(expected["count"], header.count);
            assert_eq!(expected["serial"], header.serial);
            let unit = expected["unit"].as_str().unwrap();
            assert!(header.unit.eq_ignore_ascii_case(unit));
            headers += 1;
            continue;
        }
        let line = ultra2::Line::parse(text).unwrap();
        let shown = line.local.format("%Y-%m-%dT%H:%M:%S").to_string();
        assert_eq!(expected["ts"], shown);
        match expected["mgdl"].as_u64() {
            Some(mg_dl) => {
                assert_eq!(u64::from(line.mg_dl), mg_dl);
                assert_eq!(expected["meal"], line.meal.to_string());
                assert_eq!(expected["comment"], line.comment);
            }
            None => assert_eq!(expected["mgdl_raw"], line.mg_dl),
        }
        assert!(!line.control && !line.damaged);
        results += 1;
    }
    println!("{headers} headers, {results} results");
}

#[test]
fn bad_lines_are_refused() {
    for vector in vectors("ultra2_bad_line") {
        assert_eq!(vector["expected"]["must_fail"], true);
        let text = ultra2::text(vector["text"].as_str().unwrap());
        assert_eq!(text.and_then(ultra2::serial), None, "{}", vector["id"]);
    }
}
