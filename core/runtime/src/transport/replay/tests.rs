use super::*;
use crate::cancel::Cancel;
use crate::clock::{Clock, OperationTime};

const LONG: u32 = 1_000;

/// A recording and who talks to it.
struct Talk {
    replay: Replay,
    departure: Departure,
    time: OperationTime,
    cancel: Cancel,
    closing: bool,
}

impl Talk {
    fn new(link: &str, events: &str) -> Self {
        let text = format!("glucopipe-transcript 1\nlink {link}\n{events}");
        let departure = Departure::default();
        Self {
            replay: Replay::new(Transcript::parse(&text).unwrap(), departure.clone()),
            departure,
            time: OperationTime::start(Clock::System),
            cancel: Cancel::new(),
            closing: false,
        }
    }

    fn with<T>(&mut self, call: impl FnOnce(&mut Replay, &LinkContext<'_>) -> T) -> T {
        let context = LinkContext {
            time: &self.time,
            cancel: &self.cancel,
            go_on: &|| true,
            closing: self.closing,
        };
        call(&mut self.replay, &context)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), LinkError> {
        self.with(|replay, context| replay.write(context, bytes))
    }

    fn read(&mut self) -> Result<Vec<u8>, LinkError> {
        let mut buffer = [0; 64];
        let read = self.with(|replay, context| replay.read(context, LONG, &mut buffer));
        read.map(|len| buffer[..len].to_vec())
    }

    fn scsi(&mut self, cdb: &[u8], data: ScsiData<'_>) -> Result<ScsiStatus, LinkError> {
        self.with(|replay, context| replay.scsi(context, LONG, cdb, data))
    }

    fn words(&self) -> String {
        self.departure.words().unwrap_or_default()
    }
}

#[test]
fn a_wrong_byte_is_told_with_its_line_and_what_was_recorded() {
    let mut talk = Talk::new("hid", "> 00000001 15\n< 41\n> 00000001 06 00*59\n< 42\n");
    talk.write(&[0, 0, 0, 1, 0x15]).unwrap();
    assert_eq!(talk.read(), Ok(vec![0x41]));
    let mut nak = vec![0, 0, 0, 1, 0x15];
    nak.resize(64, 0);
    talk.write(&nak).unwrap();
    assert_eq!(talk.read(), Err(LinkError::Timeout));
    let expected =
        "line 5: the driver sends `> 0000000115 00*11 …`, where `> 0000000106 00*11 …` is recorded";
    assert_eq!(talk.words(), expected);
    // What is tried then comes of it.
    talk.write(&[7]).unwrap();
    assert_eq!(talk.words(), expected);
}

#[test]
fn a_driver_that_comes_back_has_not_left() {
    let mut talk = Talk::new("hid", "> 0102\n< 41\n> 03\n");
    // A wake-up of its own.
    talk.write(&[9]).unwrap();
    assert_eq!(talk.read(), Err(LinkError::Timeout));
    assert_ne!(talk.words(), "");
    talk.write(&[1, 2]).unwrap();
    assert_eq!(talk.words(), "");
    assert_eq!(talk.read(), Ok(vec![0x41]));
    // Nothing is said where there is nothing to be said.
    assert_eq!(talk.read(), Err(LinkError::Timeout));
    assert_eq!(
        talk.words(),
        "line 5: the driver waits, where `> 03` is recorded"
    );
    talk.write(&[4]).unwrap();
    assert_eq!(
        talk.words(),
        "line 5: the driver sends `> 04`, where `> 03` is recorded"
    );
    talk.write(&[3]).unwrap();
    assert_eq!(talk.words(), "");
    assert_eq!(talk.read(), Err(LinkError::Timeout));
    assert_eq!(
        talk.words(),
        "after line 5: the driver waits, where nothing more is recorded"
    );
}

#[test]
fn answers_are_not_shown_and_long_lines_around_their_difference() {
    let mut talk = Talk::new("serial", "< c0ffee\n");
    talk.write(&[1]).unwrap();
    assert_eq!(
        talk.words(),
        "line 3: the driver sends `> 01`, where an answer of the meter is recorded"
    );

    let mut talk = Talk::new("serial", "> 00*40 01 00*20\n");
    let mut sent = vec![0; 40];
    sent.extend([2, 3]);
    talk.write(&sent).unwrap();
    assert_eq!(
        talk.words(),
        "line 3: the driver sends `> … 00*8 0203`, where `> … 00*8 01 00*7 …` is recorded"
    );
}

#[test]
fn what_leaves_the_meter_in_order_is_no_departure() {
    let mut talk = Talk::new("hid", "> 01\n");
    talk.closing = true;
    talk.write(&[4]).unwrap();
    assert_eq!(talk.read(), Err(LinkError::Timeout));
    assert_eq!(talk.words(), "");
}

#[test]
fn an_endless_other_conversation_ends() {
    let mut talk = Talk::new("hid", "> 01\n");
    for _ in 0..MISMATCH_LIMIT {
        talk.write(&[4]).unwrap();
    }
    let expected = "at line 3 the driver sends something else than recorded";
    assert_eq!(
        talk.write(&[4]),
        Err(LinkError::Transcript(expected.into()))
    );
}

const INQUIRY: [u8; 6] = [0x12, 0, 0, 0, 36, 0];

#[test]
fn another_command_or_other_data_are_told() {
    let events = "c 120000002400\n< c0ff\n= 0 0\nc 2a00\n> 0102\n= 0 0\n";
    let mut talk = Talk::new("scsi", events);
    let differs = |line| {
        let words = format!("line {line}: the driver sends another command");
        Err(LinkError::Transcript(words))
    };
    assert_eq!(talk.scsi(&[0x2a, 0], ScsiData::To(&[1, 2])), differs(3));
    assert_eq!(
        talk.words(),
        "line 3: the driver sends `c 2a00`, where `c 120000002400` is recorded"
    );
    let mut buffer = [0; 2];
    let data = ScsiData::From(&mut buffer);
    assert_eq!(talk.scsi(&INQUIRY, data).unwrap().status, 0);
    assert_eq!((buffer, talk.words().as_str()), ([0xc0, 0xff], ""));
    assert_eq!(talk.scsi(&[0x2a, 0], ScsiData::To(&[1, 3])), differs(7));
    assert_eq!(
        talk.words(),
        "line 7: the driver sends `> 0103`, where `> 0102` is recorded"
    );

    let mut talk = Talk::new("scsi", events);
    let status = LinkError::Transcript("line 4: expected a status".into());
    assert_eq!(talk.scsi(&INQUIRY, ScsiData::None), Err(status));
    assert_eq!(
        talk.words(),
        "line 4: the driver moves no data, where an answer of the meter is recorded"
    );
}

/// As `--record` writes it down.
#[test]
fn a_command_that_got_no_status_gets_none_again() {
    let mut talk = Talk::new("scsi", "c 120000002400\n. 5000\nc 120000002400\n! lost\n");
    let silent = talk.scsi(&INQUIRY, ScsiData::None);
    assert_eq!(silent, Err(LinkError::Timeout));
    assert_eq!(talk.scsi(&INQUIRY, ScsiData::None), Err(LinkError::Lost));
    assert_eq!(talk.scsi(&INQUIRY, ScsiData::None), Err(LinkError::Lost));
    assert_eq!(talk.words(), "");
}
