//! Properties over all layers.

use proptest::prelude::*;

use super::record::{LEN, Record};
use super::scsi::{Sense, is_meter_boot_sector, is_meter_inquiry};
use super::{command::Command, reply, text};
use crate::lifescan::epoch::Epoch;
use crate::lifescan::frame::{Form, FrameError, decode, encode};

const FORMS: [Form; 2] = [Form::Serial, Form::Block];

/// Takes bytes through everything that reads bytes.
fn decode_all(request: &[u8], bytes: &[u8]) {
    for form in FORMS {
        if let Ok(packet) = decode(form, bytes) {
            assert!(bytes.starts_with(packet.bytes));
            let again = encode(form, packet.link_control, packet.message).unwrap();
            assert_eq!(again, packet.bytes);
        }
    }
    if let Ok(good) = reply::Reply::parse(request, bytes) {
        decode_data(good.data);
    }
    decode_data(bytes);
    assert!(reply::remains(bytes).len() <= bytes.len());
    let _ = (is_meter_inquiry(bytes), is_meter_boot_sector(bytes));
    let _ = Sense::decode(bytes);
}

fn decode_data(data: &[u8]) {
    let _ = reply::acknowledgement(data);
    let _ = (reply::text(data), reply::seconds(data));
    let _ = (reply::count(data), reply::unit(data));
    if let Ok(record) = reply::record(data) {
        let _ = (record.range(), record.meal(), record.local_time());
        let _ = (record.markers(), record.is_control(), record.is_at_limit());
    }
}

proptest! {
    #[test]
    fn decoding_any_bytes_never_panics(
        request in prop::collection::vec(any::<u8>(), 0..16),
        bytes in prop::collection::vec(any::<u8>(), 0..600),
    ) {
        decode_all(&request, &bytes);
    }

    #[test]
    fn decoding_any_message_in_a_good_packet_never_panics(
        message in prop::collection::vec(any::<u8>(), 0..240),
        good in any::<bool>(),
    ) {
        let mut message = message;
        if let (true, [prefix, status, ..]) = (good, message.as_mut_slice()) {
            (*prefix, *status) = (4, 6);
        }
        for form in FORMS {
            decode_all(&[], &encode(form, 0, &message).unwrap());
        }
    }

    #[test]
    fn packets_come_back(
        link in any::<u8>(),
        message in prop::collection::vec(any::<u8>(), 0..250),
        rest in prop::collection::vec(any::<u8>(), 0..16),
    ) {
        for (form, link) in [(Form::Serial, link), (Form::Block, 0)] {
            let mut wire = encode(form, link, &message).unwrap();
            let length = wire.len();
            wire.extend(&rest);
            let packet = decode(form, &wire).unwrap();
            prop_assert_eq!((packet.link_control, packet.message), (link, &message[..]));
            prop_assert_eq!(packet.bytes, &wire[..length]);
        }
    }

    #[test]
    fn one_changed_bit_is_noticed(
        message in prop::collection::vec(any::<u8>(), 0..60),
        at in any::<prop::sample::Index>(),
        bit in 0u8..8,
    ) {
        let mut wire = encode(Form::Block, 0, &message).unwrap();
        let at = at.index(wire.len());
        wire[at] ^= 1 << bit;
        wire.resize(512, 0);
        prop_assert!(decode(Form::Block, &wire).is_err());
    }

    #[test]
    fn cut_packets_are_refused(
        message in prop::collection::vec(any::<u8>(), 0..60),
        at in any::<prop::sample::Index>(),
    ) {
        let wire = encode(Form::Block, 0, &message).unwrap();
        let at = at.index(wire.len());
        let refused = decode(Form::Block, &wire[..at]);
        prop_assert!(matches!(refused, Err(FrameError::Length(_))));
    }

    #[test]
    fn records_come_back(bytes in any::<[u8; LEN]>()) {
        prop_assert_eq!(Record::decode(bytes).encode(), bytes);
    }

    #[test]
    fn no_request_is_taken_for_its_reply(index in any::<u16>(), seconds in any::<u32>()) {
        for command in [Command::ReadRecord(index), Command::WriteClock(seconds)] {
            let mut block = command.packet().unwrap();
            let request = block.clone();
            block.resize(512, 0);
            let refused = reply::Reply::parse(&request, &block);
            prop_assert_eq!(refused, Err(reply::ReplyError::NotProcessed));
            prop_assert!(reply::Reply::parse(&[], &block).is_err());
        }
    }

    #[test]
    fn texts_come_back(content in "\\PC*") {
        prop_assert_eq!(text::decode(&text::encode(&content)), Some(content));
    }

    #[test]
    fn seconds_come_back(seconds in any::<u32>()) {
        for epoch in [Epoch::Year1970, Epoch::Year2000] {
            prop_assert_eq!(epoch.seconds(epoch.civil(seconds)), Some(seconds));
        }
    }
}
