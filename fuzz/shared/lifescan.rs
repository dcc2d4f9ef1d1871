//! Any bytes a LifeScan meter may send, for the fuzz target `lifescan` and the test that replays its
//! corpus.

use glucopipe_driver_verio::lifescan::frame::{Form, checksum, decode, encode};
use glucopipe_driver_verio::lifescan::ultra2;
use glucopipe_driver_verio::protocol::record::{LEN, Record};
use glucopipe_driver_verio::protocol::reply::{self, Reply};
use glucopipe_driver_verio::protocol::scsi::{Sense, is_meter_boot_sector, is_meter_inquiry};
use glucopipe_driver_verio::protocol::text;

/// Takes bytes through everything that reads bytes: as they are, and as the message of a good packet.
pub(crate) fn run(bytes: &[u8]) {
    packet(bytes);
    data(bytes);
    for form in [Form::Serial, Form::Block] {
        let Ok(wire) = encode(form, 0, bytes) else {
            continue;
        };
        let packed = decode(form, &wire).expect("what was packed is a packet");
        assert_eq!((packed.message, packed.bytes), (bytes, wire.as_slice()));
        packet(&wire);
    }
    let _ = (is_meter_inquiry(bytes), is_meter_boot_sector(bytes));
    let _ = Sense::decode(bytes);
    line(&String::from_utf8_lossy(bytes));
}

fn packet(bytes: &[u8]) {
    for form in [Form::Serial, Form::Block] {
        if let Ok(packet) = decode(form, bytes) {
            assert!(bytes.starts_with(packet.bytes));
            let again = encode(form, packet.link_control, packet.message);
            assert_eq!(again.as_deref(), Ok(packet.bytes));
            let (body, sum) = packet.bytes.split_at(packet.bytes.len() - 2);
            assert_eq!(checksum(body).to_le_bytes(), sum);
        }
    }
    // A register that reads back its request is never an answer to it.
    assert!(bytes.is_empty() || Reply::parse(bytes, bytes).is_err());
    if let Ok(reply) = Reply::parse(&[], bytes) {
        data(reply.data);
    }
    assert!(reply::remains(bytes).len() <= bytes.len());
}

fn data(data: &[u8]) {
    let _ = (reply::acknowledgement(data), reply::seconds(data));
    let _ = (reply::count(data), reply::unit(data));
    if let Ok(content) = reply::text(data) {
        assert_eq!(text::decode(&text::encode(&content)), Some(content));
    }
    if let Ok(record) = reply::record(data) {
        let raw: [u8; LEN] = data.try_into().expect("a record has its length");
        assert_eq!(record.encode(), raw);
        assert_eq!(Record::decode(raw), record);
        let _ = (record.range(), record.meal(), record.local_time());
        let _ = (record.markers(), record.is_control(), record.is_at_limit());
    }
}

fn line(line: &str) {
    let text = ultra2::text(line).unwrap_or(line);
    let _ = (
        ultra2::serial(text),
        ultra2::Header::parse(text),
        ultra2::Line::parse(text),
    );
}
