//! Any bytes a meter may send: reports, tokens, frames, records.

#![no_main]

use glucopipe_driver_contour::protocol::frame::Frame;
use glucopipe_driver_contour::protocol::header::Header;
use glucopipe_driver_contour::protocol::join::Joiner;
use glucopipe_driver_contour::protocol::record::{Decoder, Record};
use glucopipe_driver_contour::protocol::report;
use glucopipe_driver_contour::protocol::token::{Token, Tokeniser};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut tokeniser = Tokeniser::new();
    for body in bytes.chunks(64) {
        tokeniser.push(report::decode(body).unwrap_or(body));
    }
    let (mut joiner, mut decoder) = (Joiner::new(), Decoder::default());
    for token in tokeniser {
        let Token::Frame(raw) = token else { continue };
        // The text of a damaged frame goes on, so that records are reached without a checksum.
        let records = match Frame::parse(&raw) {
            Ok(frame) => joiner.push(&frame),
            Err(_) => vec![raw],
        };
        for record in records {
            if let Ok(header) = Header::parse(&record) {
                decoder = Decoder::new(&header);
            }
            if let Record::Result(result) = decoder.decode(&record) {
                assert!(result.value.to_f64().is_finite());
            }
        }
    }
});
