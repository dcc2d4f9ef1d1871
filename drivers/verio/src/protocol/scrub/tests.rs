//! Blocks with invented content, before and after.

use glucopipe_sdk::scrub::KEY;
use proptest::prelude::*;

use super::super::command::Parameter;
use super::super::reply::Reply;
use super::*;
use crate::lifescan::frame::encode;

const SERIAL: &str = "ZX12345";

fn disguise() -> Disguise {
    Disguise::new([3; KEY], -1000)
}

fn block(message: &[u8]) -> Vec<u8> {
    let mut block = encode(Form::Block, 0, message).unwrap();
    block.resize(BLOCK, 0);
    block
}

/// The block of a reply, scrubbed behind its request.
fn scrubbed(scrubber: &mut Scrubber<'_>, command: Command, mut reply: Vec<u8>) -> Vec<u8> {
    let mut request = block(&command.message());
    let before = request.clone();
    scrubber.request(command.register(), &mut request).unwrap();
    assert_eq!(
        request == before,
        !matches!(command, Command::WriteClock(_))
    );
    scrubber.reply(command.register(), &mut reply).unwrap();
    reply
}

/// The data of a good reply, scrubbed.
fn data(scrubber: &mut Scrubber<'_>, command: Command, data: &[u8]) -> Vec<u8> {
    let reply = block(&[&[4, STATUS_OK], data].concat());
    let made = scrubbed(scrubber, command, reply);
    Reply::parse(&[], &made)
        .expect("a good reply")
        .data
        .to_vec()
}

#[test]
fn the_serial_is_another_wherever_it_stands() {
    let disguise = disguise();
    let mut scrubber = Scrubber::new(&disguise);
    let serial = data(
        &mut scrubber,
        Command::Query(Query::Serial),
        &text::encode(SERIAL),
    );
    let serial = text::decode(&serial).unwrap();
    assert_ne!(serial, SERIAL);
    assert_eq!(serial.len(), SERIAL.len());
    let url = text::encode(&format!("http://meter/{SERIAL}"));
    let url = data(&mut scrubber, Command::Query(Query::Url), &url);
    assert_eq!(
        text::decode(&url).unwrap(),
        format!("http://meter/{serial}")
    );
    let model = text::encode("Verio Flex");
    assert_eq!(
        data(&mut scrubber, Command::Query(Query::Model), &model),
        model
    );
    // What is left behind the end of a text is not told.
    let left = [text::encode(""), text::encode(SERIAL)].concat();
    let left = data(
        &mut scrubber,
        Command::ReadParameter(Parameter::DateFormat),
        &left,
    );
    assert!(left.iter().all(|byte| *byte == 0));
}

#[test]
fn records_have_another_value_and_date_and_nothing_else() {
    let disguise = disguise();
    let mut scrubber = Scrubber::new(&disguise);
    let record = Record::decode([
        5, 0, 1, 0xd4, 0, 0x6c, 0xff, 0xad, 0x31, 0x76, 0, 1, 0, 9, 11, 0,
    ]);
    let made = data(&mut scrubber, Command::ReadRecord(0), &record.encode());
    let made = reply::record(&made).unwrap();
    assert_ne!(made.glucose, record.glucose);
    assert_eq!(made.range(), Range::In);
    assert_eq!(made.seconds, record.seconds - 1000 * 86_400);
    let rest = Record {
        seconds: record.seconds,
        glucose: record.glucose,
        ..made
    };
    assert_eq!(rest, record);
    for (glucose, seconds) in [
        (601, 1_000_000_000),
        (19, 0),
        (600, u32::MAX),
        (0xffff, 0),
        (20, 0),
    ] {
        let limit = Record {
            glucose,
            seconds,
            ..record
        };
        let made = data(&mut scrubber, Command::ReadRecord(0), &limit.encode());
        let made = reply::record(&made).unwrap();
        assert_eq!(
            (made.glucose, made.is_time_unset()),
            (glucose, limit.is_time_unset())
        );
    }
}

#[test]
fn clocks_move_and_numbers_stay() {
    let disguise = disguise();
    let mut scrubber = Scrubber::new(&disguise);
    let seconds = 833_479_500_u32;
    let made = data(&mut scrubber, Command::ReadClock, &seconds.to_le_bytes());
    assert_eq!(reply::seconds(&made), Ok(seconds - 1000 * 86_400));
    assert_eq!(data(&mut scrubber, Command::RecordCount, &[7, 0]), [7, 0]);
    let unit = Command::ReadParameter(Parameter::Unit);
    assert_eq!(data(&mut scrubber, unit, &[1, 0, 0, 0]), [1, 0, 0, 0]);
    // The time that is set, and the same as an echo.
    let write = Command::WriteClock(seconds);
    let echo = scrubbed(&mut scrubber, write, block(&write.message()));
    let moved = Command::WriteClock(seconds - 1000 * 86_400);
    assert_eq!(echo, block(&moved.message()));
    let mut early = block(&[3, STATUS_OK, 9, 0, 0, 0]);
    let mut request = block(&Command::ReadClock.message());
    scrubber.request(Register::General, &mut request).unwrap();
    let refused = scrubber.reply(Register::General, &mut early);
    assert_eq!(refused, Err(NoSuchDate));
}

#[test]
fn what_is_not_understood_becomes_zeros() {
    let disguise = disguise();
    let mut scrubber = Scrubber::new(&disguise);
    let query = Command::Query(Query::Serial);
    // Another status, another length, and no packet at all.
    let refused = scrubbed(&mut scrubber, query, block(&[3, 9, 1, 2]));
    assert_eq!(refused, block(&[3, 9, 0, 0]));
    let record = scrubbed(&mut scrubber, Command::ReadRecord(0), block(&[3, 6, 1, 2]));
    assert_eq!(record, block(&[3, 6, 0, 0]));
    let mut strange = [vec![9, 1, 2], SERIAL.into()].concat();
    scrubber.reply(Register::General, &mut strange).unwrap();
    assert_eq!(strange, [9, 1, 2, 0, 0, 0, 0, 0, 0, 0]);
    // A question that is not known, and its answer.
    let mut request = block(&[3, 0xe6, 2, 3]);
    scrubber.request(Register::General, &mut request).unwrap();
    let mut answer = block(&[3, 6, 5, 5]);
    scrubber.reply(Register::General, &mut answer).unwrap();
    assert_eq!(answer, block(&[3, 6, 0, 0]));

    let mut boot = vec![7; BLOCK];
    Scrubber::boot_sector(&mut boot);
    assert_eq!(boot[0x26..0x2c], [7, 0, 0, 0, 0, 7]);
    let mut inquiry = vec![7; 40];
    Scrubber::inquiry(&mut inquiry);
    assert_eq!(inquiry[35..], [7, 0, 0, 0, 0]);
}

#[test]
fn a_wrong_checksum_stays_as_wrong_and_the_rest_of_a_block_is_emptied() {
    let disguise = disguise();
    let mut scrubber = Scrubber::new(&disguise);
    let good = block(&[&[3, STATUS_OK], &text::encode(SERIAL)[..]].concat());
    let mut bad = good.clone();
    let length = usize::from(bad[1]);
    bad[length - 1] ^= 0x40;
    bad[300] = 9;
    let query = Command::Query(Query::Serial);
    let good = scrubbed(&mut scrubber, query, good);
    let mut bad = scrubbed(&mut scrubber, query, bad);
    assert!(Reply::parse(&[], &bad).is_err());
    bad[length - 1] ^= 0x40;
    assert_eq!(bad, good);
}

#[test]
fn every_command_is_known_again() {
    for command in [
        Command::Query(Query::Serial),
        Command::Query(Query::Languages),
        Command::ReadParameter(Parameter::Unit),
        Command::ReadClock,
        Command::WriteClock(7),
        Command::RecordCount,
        Command::ReadRecord(499),
        Command::MemoryErase,
    ] {
        for prefix in [3, 4, 5] {
            let mut message = command.message();
            message[0] = prefix;
            let found = Command::of(command.register(), &message);
            assert_eq!(found, Some(command));
        }
    }
    assert_eq!(Command::of(Register::General, &[3, 0xe6, 2, 3]), None);
    assert_eq!(Command::of(Register::General, &[]), None);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_scrubbed_in_their_place(
        request in prop::collection::vec(any::<u8>(), 0..40),
        message in prop::collection::vec(any::<u8>(), 0..60),
        known in prop::sample::select(&[
            Command::Query(Query::Serial), Command::ReadClock, Command::ReadRecord(1), Command::RecordCount,
        ][..]),
        days in -400_000i64..400_000,
    ) {
        let disguise = Disguise::new([5; KEY], days);
        let mut scrubber = Scrubber::new(&disguise);
        for register in [Register::General, Register::Parameters] {
            let mut raw = request.clone();
            let _ = scrubber.request(register, &mut raw);
            prop_assert_eq!(raw.len(), request.len());
            let mut asked = block(&known.message());
            prop_assert!(scrubber.request(register, &mut asked).is_ok());
            let good = [&[3, STATUS_OK], &message[..]].concat();
            for content in [&good, &message] {
                let mut made = block(content);
                if scrubber.reply(register, &mut made).is_ok() {
                    let (kept, wrong_by) = super::message(&made).unwrap();
                    prop_assert_eq!((kept.len(), wrong_by), (content.len(), 0));
                }
            }
        }
    }
}
