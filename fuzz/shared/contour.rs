//! Any bytes a Contour may send, for the fuzz target `contour` and the test that replays its corpus.

use glucopipe_driver_contour::protocol::command::{moment, reply};
use glucopipe_driver_contour::protocol::frame::Frame;
use glucopipe_driver_contour::protocol::header::Header;
use glucopipe_driver_contour::protocol::join::Joiner;
use glucopipe_driver_contour::protocol::record::{Decoder, Record};
use glucopipe_driver_contour::protocol::report::{self, REPORT_LEN};
use glucopipe_driver_contour::protocol::token::{Token, Tokeniser};

/// Takes bytes, as reports or as they are, through all layers.
pub(crate) fn run(bytes: &[u8]) {
    let stream: Vec<u8> = bytes
        .chunks(REPORT_LEN)
        .flat_map(|body| report::decode(body).unwrap_or(body))
        .copied()
        .collect();
    let tokens = tokens(stream.chunks(report::PAYLOAD_MAX));
    // Where reports end means nothing.
    assert_eq!(tokens, self::tokens(stream.chunks(1)));
    assert_eq!(tokens, self::tokens([stream.as_slice()].into_iter()));
    let (mut joiner, mut decoder) = (Joiner::new(), Decoder::default());
    for token in tokens {
        let records = match token {
            Token::Frame(raw) => match Frame::parse(&raw) {
                Ok(frame) => {
                    let again = frame.to_bytes();
                    assert!(again.eq_ignore_ascii_case(&raw));
                    joiner.push(&frame)
                }
                // The text of a damaged frame goes on, so that records are reached without a checksum.
                Err(_) => vec![raw],
            },
            Token::Text { bytes, .. } => {
                command_reply(&bytes);
                continue;
            }
            Token::Control(_) | Token::Garbage(_) => continue,
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
}

fn tokens<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Token> {
    let mut tokeniser = Tokeniser::new();
    for piece in pieces {
        tokeniser.push(piece);
    }
    tokeniser.collect()
}

fn command_reply(text: &[u8]) {
    if let Some(date) = reply::<6>(text) {
        assert!(reply::<4>(text).is_none());
        if let Some(moment) = moment(date, *b"2359") {
            assert_eq!((moment.hour, moment.minute), (23, 59));
        }
    }
}
