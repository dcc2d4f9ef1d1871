//! Decodes the shared protocol vectors when they are at hand; they are not part of the repository.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "the helpers are test code too"
)]

use std::path::Path;

use glucopipe_driver_contour::protocol::Control;
use glucopipe_driver_contour::protocol::command::{moment, reply};
use glucopipe_driver_contour::protocol::completeness::{Completeness, Tally};
use glucopipe_driver_contour::protocol::frame::{Frame, FrameEnd, FrameError};
use glucopipe_driver_contour::protocol::header::Header;
use glucopipe_driver_contour::protocol::join::Joiner;
use glucopipe_driver_contour::protocol::record::{Decoder, Record, TerminatorCode};
use glucopipe_driver_contour::protocol::report;
use glucopipe_driver_contour::protocol::sequence::{Order, Sequence};
use glucopipe_driver_contour::protocol::token::{Token, Tokeniser};
use serde_json::Value;

const FILE: &str = "../../../shared/vectors/contour.json";

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
const KINDS: [&str; 8] = [
    "astm_frame",
    "astm_record_text",
    "hid_report",
    "serial_text",
    "remote_command_reply",
    "remote_command_dialogue",
    "session",
    "session_opening",
];

#[test]
fn every_vector_is_of_a_kind_that_is_tested() {
    for vector in all() {
        let kind = text(&vector["kind"]);
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

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn tokens(wire: &[u8]) -> Vec<Token> {
    let mut tokeniser = Tokeniser::new();
    tokeniser.push(wire);
    let tokens = tokeniser.by_ref().collect();
    assert!(!tokeniser.is_partial());
    tokens
}

fn control_token(hex: &Value) -> Option<Token> {
    let byte = u8::from_str_radix(hex.as_str()?, 16).unwrap();
    Some(Token::Control(Control::from_byte(byte).unwrap()))
}

fn assert_record(record: &[u8], expected: &Value) {
    let decoded = Decoder::default().decode(record);
    match (text(&expected["type"]), decoded) {
        ("H", Record::Header(header)) => assert_header(&header, expected),
        ("P", Record::Patient) => {}
        ("O", Record::Order(order)) => {
            assert_eq!(order.number.map(u64::from), expected["seq"].as_u64());
            assert_eq!(Some(order.control), expected["control"].as_bool());
        }
        ("L", Record::Terminator(terminator)) => {
            assert_eq!(text(&expected["code"]), "N");
            assert_eq!(terminator.code, TerminatorCode::Normal);
        }
        ("R", Record::Result(result)) => {
            assert_eq!(result.number.map(u64::from), expected["seq"].as_u64());
            assert_eq!(text(&expected["test"]), "Glucose");
            assert_eq!(result.kind.name(), "glucose");
            assert_eq!(result.raw_value, text(&expected["value"]));
            assert_eq!(result.value.to_string(), result.raw_value);
            assert_eq!(result.unit.ucum(), text(&expected["unit"]));
            assert_eq!(result.raw_unit, text(&expected["unit"]));
            assert_eq!(result.raw_reference, text(&expected["ref"]));
            let markers: Vec<&str> = expected["markers"]
                .as_array()
                .unwrap()
                .iter()
                .map(text)
                .collect();
            assert_eq!(result.markers.raw, markers.join("/"));
            assert!(result.markers.unknown.is_empty() && !result.markers.conflict);
            assert_eq!(result.raw_time, text(&expected["time"]));
            assert_eq!(result.flags, Default::default());
        }
        (_, other) => panic!("expected {expected}, got {other:?}"),
    }
}

fn assert_header(header: &Header, expected: &Value) {
    assert_eq!(header.product, text(&expected["product"]));
    assert!(header.model().is_some());
    let list = |value: &Value| -> Vec<String> {
        value
            .as_array()
            .into_iter()
            .flatten()
            .map(|item| text(item).to_owned())
            .collect()
    };
    assert_eq!(header.versions, list(&expected["versions"]));
    assert_eq!(header.serial_raw, text(&expected["serial"]));
    assert_eq!(header.serial, text(&expected["serial"]).replace(' ', ""));
    assert_eq!(header.sku.as_deref(), expected["sku"].as_str());
    assert_eq!(
        header.sender_extra,
        list(&expected["extra_sender_components"])
    );
    let info = expected["info"].as_object().unwrap();
    assert_eq!(header.info.len(), info.len());
    for (key, value) in info {
        assert_eq!(header.info(key), value.as_str(), "{key}");
    }
    assert_eq!(
        header.result_count,
        text(&expected["result_count"]).parse().ok()
    );
    assert_eq!(header.processing_id, text(&expected["processing_id"]));
    assert_eq!(header.version, text(&expected["spec_version"]));
    assert_eq!(header.clock_raw, text(&expected["clock"]));
    assert!(header.clock.is_some() && !header.suspect);
}

#[test]
fn frames_decode_or_are_refused_as_expected() {
    let (mut good, mut refused) = (0, 0);
    for vector in vectors("astm_frame") {
        let expected = &vector["expected"];
        let tokens = tokens(&bytes(&vector["hex"]));
        let [leading, raw, trailing] = match tokens.as_slice() {
            [Token::Frame(raw)] => [None, Some(raw), None],
            [leading, Token::Frame(raw), trailing] => {
                assert_eq!(Some(leading), control_token(&expected["leading"]).as_ref());
                assert_eq!(
                    Some(trailing),
                    control_token(&expected["trailing"]).as_ref()
                );
                [None, Some(raw), None]
            }
            other => panic!("{}: {other:?}", vector["id"]),
        };
        assert!(leading.is_none() && trailing.is_none());
        let raw = raw.unwrap();
        let record = match Frame::parse(raw) {
            Ok(frame) => {
                assert_eq!(expected["checksum_ok"], true, "{}", vector["id"]);
                assert_eq!(Some(u64::from(frame.number)), expected["frame_no"].as_u64());
                let end = if frame.end == FrameEnd::Etx {
                    "ETX"
                } else {
                    "ETB"
                };
                assert_eq!(expected["end"], end);
                let no_cr = expected["no_cr_before_end"] == true;
                assert_eq!(frame.body.ends_with(b"\r"), !no_cr);
                assert_eq!(&frame.to_bytes(), raw);
                good += 1;
                frame.text().to_vec()
            }
            Err(FrameError::Checksum { sent, computed }) => {
                assert_eq!(expected["checksum_ok"], false, "{}", vector["id"]);
                assert!(text(&vector["note"]).starts_with("NEGATIVE"));
                assert_eq!(format!("{sent:02X}"), text(&expected["checksum_wire"]));
                assert_eq!(format!("{computed:02X}"), text(&expected["checksum_calc"]));
                refused += 1;
                raw[2..raw.len() - 6].to_vec()
            }
            Err(other) => panic!("{}: {other}", vector["id"]),
        };
        assert_eq!(record, text(&expected["record_text"]).as_bytes());
        if !expected["record"].is_null() {
            assert_record(&record, &expected["record"]);
        }
    }
    println!("{good} frames decoded, {refused} refused");
}

#[test]
fn record_texts_decode_to_the_expected_values() {
    for vector in vectors("astm_record_text") {
        assert_record(text(&vector["text"]).as_bytes(), &vector["expected"]);
    }
}

#[test]
fn reports_decode_and_encode_as_expected() {
    for vector in vectors("hid_report") {
        let body = bytes(&vector["hex"]);
        let expected = &vector["expected"];
        if vector["direction"] == "meter->host" {
            let payload = report::decode(&body).unwrap();
            assert_eq!(payload, bytes(&expected["payload"]));
            assert_eq!(Some(payload.len() as u64), expected["length"].as_u64());
        } else {
            let payload = [b'a'; 70];
            let sent: Vec<_> = report::encode(&payload).collect();
            assert_eq!(sent[0][..], body[..]);
            assert_eq!((sent.len(), sent[1][3]), (2, 10));
        }
    }
}

#[test]
fn serials_are_kept_whole() {
    for vector in vectors("serial_text") {
        let serial = text(&vector["text"]);
        let header = format!("H|\\^&||x|Bayer6300^1^{serial}");
        let header = Header::parse(header.as_bytes()).unwrap();
        assert_eq!(
            (header.serial.as_str(), header.serial_raw.as_str()),
            (serial, serial)
        );
        assert!(
            header
                .serial
                .ends_with(text(&vector["expected"]["printed_serial"]))
        );
    }
}

#[test]
fn command_replies_are_text_and_ack() {
    for vector in vectors("remote_command_reply") {
        let reply = format!("{}\r\n", text(&vector["expected"]["reply"]));
        let reply = Token::Text {
            bytes: reply.into_bytes(),
            complete: true,
        };
        let got = tokens(&bytes(&vector["hex"]));
        assert_eq!(got, [reply, Token::Control(Control::Ack)]);
    }
    for vector in vectors("remote_command_dialogue") {
        let mut texts = Vec::new();
        for step in vector["steps"].as_array().unwrap() {
            if step["dir"] == "meter->host" {
                let got = tokens(&bytes(&step["hex"]));
                assert_eq!(got.last(), Some(&Token::Control(Control::Ack)));
                match &got[..got.len() - 1] {
                    [] => {}
                    [
                        Token::Text {
                            complete: true,
                            bytes,
                        },
                    ] => texts.push(bytes.clone()),
                    other => panic!("{other:?}"),
                }
            }
        }
        let (date, time) = (reply(&texts[0]).unwrap(), reply(&texts[1]).unwrap());
        let expected = &vector["expected"];
        let expected = format!("{}T{}", text(&expected["date"]), text(&expected["time"]));
        assert_eq!(moment(date, time).unwrap().to_string(), expected);
    }
}

#[test]
fn empty_session_is_complete() {
    for vector in vectors("session") {
        let mut letters = String::new();
        let mut tally = Tally::default();
        let mut sequence = Sequence::new();
        let mut joiner = Joiner::new();
        let tokens = session_tokens(&vector);
        assert_eq!(tokens.last(), Some(&Token::Control(Control::Eot)));
        for token in tokens {
            match token {
                Token::Control(Control::Enq) => sequence.reset(),
                Token::Frame(raw) => {
                    let frame = Frame::parse(&raw).unwrap();
                    assert_eq!(sequence.check(frame.number), Order::Next);
                    for record in joiner.push(&frame) {
                        letters.push(char::from(record[0]));
                        tally.count(&Decoder::default().decode(&record));
                    }
                }
                _ => {}
            }
        }
        let expected = vector["expected"]["records"].as_array().unwrap();
        assert_eq!(letters, expected.iter().map(text).collect::<String>());
        assert_eq!(tally.assess(), Completeness::Complete);
        assert_eq!(tally.declared, Some(0));
    }
}

#[test]
fn session_opening_is_tokenised_across_reports() {
    for vector in vectors("session_opening") {
        let tokens = session_tokens(&vector);
        let frame = tokens.iter().find_map(|token| match token {
            Token::Frame(raw) => Some(Frame::parse(raw).unwrap()),
            _ => None,
        });
        let header = &vector["expected"]["header"];
        let frame = frame.unwrap();
        assert_eq!(frame.text(), text(&header["record_text"]).as_bytes());
        assert_record(frame.text(), &header["record"]);
        assert_eq!(tokens[0], Token::Control(Control::Eot));
        assert_eq!(
            tokens[2..4],
            [Control::Enq, Control::Eot].map(Token::Control)
        );
        assert!(
            tokens[4..]
                .iter()
                .all(|token| *token == Token::Control(Control::Ack))
        );
    }
}

fn session_tokens(vector: &Value) -> Vec<Token> {
    let mut tokeniser = Tokeniser::new();
    for step in vector["steps"].as_array().unwrap() {
        let body = bytes(&step["hex"]);
        if step["dir"] == "meter->host" {
            tokeniser.push(report::decode(&body).unwrap());
        } else if step["layer"] == "hid_report" {
            let payload = &body[4..4 + usize::from(body[3])];
            assert_eq!(report::encode(payload).next().unwrap()[..], body[..]);
        }
    }
    assert!(!tokeniser.is_partial());
    tokeniser.collect()
}
