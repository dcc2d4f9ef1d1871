//! Properties over the whole stack; about ten thousand streams in all.

use proptest::prelude::*;

use super::completeness::Tally;
use super::frame::{Frame, FrameEnd, encode};
use super::header::Header;
use super::join::{Joiner, RECORD_MAX};
use super::record::{Decoder, Record};
use super::sequence::{Order, Sequence};
use super::token::{TOKEN_MAX, Token, Tokeniser};
use super::{Control, report, samples};

/// Runs a stream through every layer, as a reader that accepts all good frames would.
fn decode_all(wire: &[u8]) -> Vec<Record> {
    let mut tokeniser = Tokeniser::new();
    let mut sequence = Sequence::new();
    let mut joiner = Joiner::new();
    let mut decoder = Decoder::default();
    let mut tally = Tally::default();
    let mut records = Vec::new();
    let mut decode = |text: Vec<u8>| {
        assert!(text.len() <= RECORD_MAX + TOKEN_MAX);
        let record = decoder.decode(&text);
        if let Record::Header(header) = &record {
            decoder = Decoder::new(header);
        }
        tally.count(&record);
        records.push(record);
    };
    for chunk in wire.chunks(report::PAYLOAD_MAX) {
        tokeniser.push(chunk);
        for token in tokeniser.by_ref() {
            match token {
                Token::Frame(raw) => {
                    assert!(raw.len() <= TOKEN_MAX);
                    let Ok(frame) = Frame::parse(&raw) else {
                        continue;
                    };
                    if sequence.check(frame.number) != Order::Duplicate {
                        joiner.push(&frame).into_iter().for_each(&mut decode);
                    }
                }
                Token::Control(Control::Enq) => sequence.reset(),
                Token::Control(_) => {}
                Token::Text { bytes, .. } | Token::Garbage(bytes) => {
                    assert!(bytes.len() <= TOKEN_MAX);
                }
            }
        }
    }
    joiner.finish().into_iter().for_each(&mut decode);
    let _ = tally.assess();
    records
}

fn tokens(chunks: &[&[u8]]) -> Vec<Token> {
    let mut tokeniser = Tokeniser::new();
    let mut tokens = Vec::new();
    for chunk in chunks {
        tokeniser.push(chunk);
        tokens.extend(tokeniser.by_ref());
    }
    tokens
}

fn header() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        samples::HEADER_7390,
        samples::HEADER_7350,
        samples::HEADER_6200,
        samples::HEADER_7410_SIMULATED,
        samples::HEADER_7800,
        samples::HEADER_7150,
    ])
}

fn result_text() -> impl Strategy<Value = String> {
    (
        prop::sample::select(vec!["Glucose", "Carb", "Insulin", "Other"]),
        "[0-9]{1,3}(\\.[0-9])?",
        prop::sample::select(vec!["mg/dL^P", "mmol/L^P", "1^", "0", ""]),
        "([BAFCDISX<>]|Z[1-9A-C]|[MT][0-9])?(/([BAFX<>]|Z[1-9A-C]))?",
        "20260[1-9][0-3][0-9][0-2][0-9][0-5][0-9]([0-5][0-9])?",
    )
        .prop_map(|(test, value, unit, markers, time)| {
            format!("R|1|^^^{test}|{value}|{unit}||{markers}||{time}")
        })
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    (header(), prop::collection::vec(result_text(), 0..4))
        .prop_map(|(header, records)| samples::transmission(header, &records))
}

/// Bytes that are likely to mean something to the tokeniser.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        prop::sample::select(
            b"\x02\x03\x04\x05\x06\x15\x17\r\n0123456789ABCDEFHLOPR|^\\&/".to_vec()
        ),
        any::<u8>(),
    ];
    prop::collection::vec(byte, 0..400)
}

#[derive(Clone, Debug)]
enum Mutation {
    Set(u8),
    Remove,
    Insert(u8),
    Cut,
    Repeat,
}

fn mutation() -> impl Strategy<Value = (prop::sample::Index, Mutation)> {
    let mutation = prop_oneof![
        any::<u8>().prop_map(Mutation::Set),
        Just(Mutation::Remove),
        any::<u8>().prop_map(Mutation::Insert),
        Just(Mutation::Cut),
        Just(Mutation::Repeat),
    ];
    (any::<prop::sample::Index>(), mutation)
}

fn mutate(wire: &mut Vec<u8>, at: prop::sample::Index, mutation: &Mutation) {
    if wire.is_empty() {
        return;
    }
    let at = at.index(wire.len());
    match mutation {
        Mutation::Set(byte) => wire[at] = *byte,
        Mutation::Remove => {
            wire.remove(at);
        }
        Mutation::Insert(byte) => wire.insert(at, *byte),
        Mutation::Cut => wire.truncate(at),
        Mutation::Repeat => {
            let tail = wire[at..].to_vec();
            wire.extend(tail.into_iter().take(100));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(3400) })]

    #[test]
    fn random_streams_never_panic(wire in noise()) {
        decode_all(&wire);
    }

    #[test]
    fn mutated_streams_never_panic(
        mut wire in stream(),
        mutations in prop::collection::vec(mutation(), 1..8),
    ) {
        for (at, mutation) in mutations {
            mutate(&mut wire, at, &mutation);
        }
        decode_all(&wire);
    }

    #[test]
    fn records_of_any_bytes_never_panic(
        letter in prop::sample::select(b"HRPOLX".to_vec()),
        rest in noise(),
    ) {
        let record = [&[letter, b'|'], rest.as_slice()].concat();
        Decoder::default().decode(&record);
        let _ = Header::parse(&[&[letter], rest.as_slice()].concat());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1000) })]

    #[test]
    fn intact_streams_give_every_record(
        header in header(),
        texts in prop::collection::vec(result_text(), 0..10),
    ) {
        let records = decode_all(&samples::transmission(header, &texts));
        prop_assert_eq!(records.len(), texts.len() + 4);
        prop_assert!(matches!(records.last(), Some(Record::Terminator(_))));
        prop_assert!(matches!(records.first(), Some(Record::Header(_))));
    }

    #[test]
    fn any_split_gives_the_same_tokens(
        wire in prop_oneof![stream(), noise()],
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
    ) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(wire.len() + 1)).collect();
        cuts.extend([0, wire.len()]);
        cuts.sort_unstable();
        let chunks: Vec<&[u8]> = cuts.windows(2).map(|pair| &wire[pair[0]..pair[1]]).collect();
        prop_assert_eq!(tokens(&chunks), tokens(&[&wire]));
        let single: Vec<&[u8]> = wire.chunks(1).collect();
        prop_assert_eq!(tokens(&single), tokens(&[&wire]));
    }

    #[test]
    fn tokens_hold_every_byte_of_the_stream(wire in noise()) {
        let mut seen = 0;
        let mut tokeniser = Tokeniser::new();
        tokeniser.push(&wire);
        for token in tokeniser.by_ref() {
            seen += match token {
                Token::Control(_) => 1,
                Token::Frame(bytes) | Token::Garbage(bytes) | Token::Text { bytes, .. } => bytes.len(),
            };
        }
        prop_assert!(seen <= wire.len());
        prop_assert_eq!(seen == wire.len(), !tokeniser.is_partial());
    }

    #[test]
    fn parse_undoes_encode(
        number in 0_u8..8,
        body in prop::collection::vec(any::<u8>(), 0..300),
        etx in any::<bool>(),
    ) {
        let end = if etx { FrameEnd::Etx } else { FrameEnd::Etb };
        let raw = encode(number, &body, end);
        let frame = Frame::parse(&raw);
        prop_assert_eq!(frame, Ok(Frame { number, body: &body, end }));
        prop_assert_eq!(frame.map(|frame| frame.to_bytes()), Ok(raw));
    }

    #[test]
    fn one_changed_byte_is_noticed(
        body in "[ -~]{0,60}",
        at in any::<prop::sample::Index>(),
        change in 1_u8..=255,
    ) {
        let raw = encode(1, body.as_bytes(), FrameEnd::Etb);
        let mut changed = raw.clone();
        let at = at.index(raw.len());
        changed[at] ^= change;
        let same_case = raw.eq_ignore_ascii_case(&changed) && at + 4 >= raw.len();
        prop_assert_eq!(Frame::parse(&changed).is_ok(), same_case);
    }

    #[test]
    fn report_decode_undoes_encode(payload in prop::collection::vec(any::<u8>(), 0..300)) {
        let mut joined = Vec::new();
        for mut body in report::encode(&payload) {
            body[..3].copy_from_slice(&report::METER_PREFIX);
            joined.extend_from_slice(report::decode(&body).unwrap());
        }
        prop_assert_eq!(joined, payload);
    }

    #[test]
    fn report_decode_never_panics(body in prop::collection::vec(any::<u8>(), 0..80)) {
        let _ = report::decode(&body);
    }
}
