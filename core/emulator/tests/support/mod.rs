//! Small hosts that follow the algorithms of the references, for tests only.

#![allow(
    clippy::unwrap_used,
    dead_code,
    unreachable_pub,
    reason = "a module of test programs, each of which uses its own part"
)]

pub mod disk;

use glucopipe_emulator::{
    Audit, HidMeter, LinkKind, ModelEntry, Scenario, Truth, Unplugged, catalog, parse,
};

pub const EOT: u8 = 0x04;
pub const ENQ: u8 = 0x05;
pub const ACK: u8 = 0x06;
pub const NAK: u8 = 0x15;

pub fn scenario(uri: &str) -> Scenario {
    parse(uri).unwrap_or_else(|error| panic!("{uri}: {error}"))
}

pub fn contour_models() -> impl Iterator<Item = &'static ModelEntry> {
    catalog().iter().filter(|model| model.link == LinkKind::Hid)
}

pub fn verio_models() -> impl Iterator<Item = &'static ModelEntry> {
    catalog().iter().filter(|model| model.usb.vendor == 0x2766)
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    Control(u8),
    /// Number, record text, last, checksum right.
    Frame(u8, String, bool, bool),
    /// Bytes outside frames.
    Text(Vec<u8>),
}

pub struct Host {
    meter: Box<dyn HidMeter>,
    stream: Vec<u8>,
    /// Every report read, with its waiting time.
    pub log: Vec<([u8; 64], u32)>,
    /// Payload sizes of the reports read.
    pub sizes: Vec<usize>,
    pub elapsed_ms: u64,
    pub wrong_prefixes: usize,
}

#[derive(Debug, Default)]
pub struct Session {
    pub headers: Vec<String>,
    pub results: Vec<String>,
    pub terminator: Option<String>,
    pub ended_by_eot: bool,
    pub duplicates: usize,
    pub naks: usize,
    pub gaps: usize,
    pub restarts: usize,
    pub junk: usize,
    pub gave_up: bool,
    pub unplugged: bool,
}

impl Session {
    pub fn header(&self) -> Vec<&str> {
        self.headers
            .last()
            .map(|text| text.split('|').collect())
            .unwrap_or_default()
    }
}

impl Host {
    pub fn new(scenario: &Scenario) -> Self {
        Self {
            meter: scenario.meter(),
            stream: Vec::new(),
            log: Vec::new(),
            sizes: Vec::new(),
            elapsed_ms: 0,
            wrong_prefixes: 0,
        }
    }

    pub fn open(uri: &str) -> Self {
        Self::new(&scenario(uri))
    }

    pub fn audit(&self) -> Audit {
        self.meter.audit()
    }

    pub fn raw_write(&mut self, report: &[u8]) -> Result<(), Unplugged> {
        self.meter.write(report)
    }

    pub fn send(&mut self, payload: &[u8]) -> Result<(), Unplugged> {
        let mut report = [0; 64];
        report[3] = u8::try_from(payload.len()).unwrap();
        report[4..4 + payload.len()].copy_from_slice(payload);
        self.meter.write(&report)
    }

    /// Reads one report into the stream; false when the meter stayed silent.
    fn fill(&mut self, wait_ms: u32) -> Result<bool, Unplugged> {
        let answer = self.meter.read(wait_ms)?;
        assert!(answer.elapsed_ms <= wait_ms);
        self.elapsed_ms += u64::from(answer.elapsed_ms);
        let Some(report) = answer.report else {
            return Ok(false);
        };
        self.log.push((report, answer.elapsed_ms));
        if report[..3] != *b"ABC" {
            self.wrong_prefixes += 1;
            return Ok(true);
        }
        let length = usize::from(report[3]);
        assert!(length <= 60 && report[4 + length..].iter().all(|byte| *byte == 0));
        self.sizes.push(length);
        self.stream.extend_from_slice(&report[4..4 + length]);
        Ok(true)
    }

    /// The next token, waiting up to `wait_ms` for each report.
    pub fn token(&mut self, wait_ms: u32) -> Result<Option<Token>, Unplugged> {
        loop {
            if let Some((token, length)) = tokenise(&self.stream) {
                self.stream.drain(..length);
                return Ok(Some(token));
            }
            if !self.fill(wait_ms)? {
                let left = std::mem::take(&mut self.stream);
                return Ok((!left.is_empty()).then_some(Token::Text(left)));
            }
        }
    }

    pub fn control(&mut self, wait_ms: u32) -> Option<u8> {
        match self.token(wait_ms) {
            Ok(Some(Token::Control(byte))) => Some(byte),
            other => panic!("no control byte but {other:?}"),
        }
    }

    pub fn silence(&mut self, wait_ms: u32) -> bool {
        self.token(wait_ms).unwrap().is_none()
    }

    /// Sends a command and returns the answer up to its control byte.
    pub fn command(&mut self, text: &str) -> (String, u8) {
        self.send(text.as_bytes()).unwrap();
        let mut words = String::new();
        loop {
            match self.token(2_000).unwrap().unwrap() {
                Token::Text(bytes) => words.push_str(std::str::from_utf8(&bytes).unwrap()),
                Token::Control(byte) => return (words, byte),
                other => panic!("{other:?}"),
            }
        }
    }

    /// A whole download by the ladder of the reference.
    pub fn download(&mut self) -> Session {
        let mut session = Session::default();
        if self.drive(&mut session).is_err() {
            session.unplugged = true;
        }
        session
    }

    fn drive(&mut self, session: &mut Session) -> Result<(), Unplugged> {
        while self.token(100)?.is_some() {}
        let mut expected = None;
        for wake in [b'X', EOT, ACK, NAK].into_iter().cycle().take(16) {
            self.send(&[wake])?;
            while let Some(token) = self.token(2_000)? {
                match token {
                    Token::Control(EOT) => {}
                    Token::Control(ENQ) => self.send(&[ACK])?,
                    Token::Control(NAK) => self.send(&[EOT])?,
                    Token::Frame(number, text, _, ok) => {
                        let enquiry = match self.token(300)? {
                            Some(Token::Control(ENQ)) => true,
                            None => false,
                            other => panic!("after the header: {other:?}"),
                        };
                        if !ok {
                            session.naks += 1;
                            self.send(&[NAK])?;
                            continue;
                        }
                        session.headers.push(text.clone());
                        self.send(&[ACK])?;
                        if !enquiry {
                            expected = Some((number + 1) % 8);
                            break;
                        }
                    }
                    _ => session.junk += 1,
                }
            }
            if expected.is_some() {
                break;
            }
        }
        match expected {
            Some(expected) => self.collect(session, expected),
            None => {
                session.gave_up = true;
                Ok(())
            }
        }
    }

    fn collect(&mut self, session: &mut Session, mut expected: u8) -> Result<(), Unplugged> {
        let (mut naks, mut silent) = (0, 0);
        loop {
            let Some(token) = self.token(5_000)? else {
                silent += 1;
                if silent > 3 || session.terminator.is_some() {
                    session.gave_up = session.terminator.is_none();
                    if session.gave_up {
                        self.send(&[EOT])?;
                    }
                    return Ok(());
                }
                session.naks += 1;
                self.send(&[NAK])?;
                continue;
            };
            match token {
                Token::Control(EOT) => {
                    session.ended_by_eot = true;
                    return Ok(());
                }
                Token::Control(ENQ) => {
                    session.restarts += 1;
                    session.results.clear();
                    expected = 1;
                    self.send(&[ACK])?;
                }
                Token::Frame(_, _, _, false) => {
                    naks += 1;
                    if naks > 6 {
                        session.gave_up = true;
                        self.send(&[EOT])?;
                        return Ok(());
                    }
                    session.naks += 1;
                    self.send(&[NAK])?;
                }
                Token::Frame(number, text, last, true) => {
                    (naks, silent) = (0, 0);
                    if number == (expected + 7) % 8 {
                        session.duplicates += 1;
                    } else {
                        session.gaps += usize::from(number != expected);
                        expected = (number + 1) % 8;
                        assert_eq!(last, text.starts_with("L|"), "{text}");
                        match text.as_bytes()[0] {
                            b'H' => session.headers.push(text),
                            b'R' => session.results.push(text),
                            b'L' => session.terminator = Some(text),
                            _ => assert_eq!(text, "P|1"),
                        }
                    }
                    self.send(&[ACK])?;
                }
                _ => session.junk += 1,
            }
        }
    }
}

fn tokenise(stream: &[u8]) -> Option<(Token, usize)> {
    match stream.first()? {
        0x02 => {
            let end = stream.iter().position(|byte| matches!(byte, 0x03 | 0x17))?;
            let tail = stream.get(end + 1..end + 5)?;
            let sum = stream[1..=end]
                .iter()
                .fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
            let ok = tail == format!("{sum:02X}\r\n").as_bytes();
            assert_eq!(stream[end - 1], b'\r');
            let text = String::from_utf8(stream[2..end - 1].to_vec()).unwrap();
            let token = Token::Frame(stream[1] - b'0', text, stream[end] == 0x03, ok);
            Some((token, end + 5))
        }
        byte @ (0x04..=0x06 | 0x15) => Some((Token::Control(*byte), 1)),
        _ => {
            let end = stream
                .iter()
                .position(|byte| matches!(byte, 0x02 | 0x04..=0x06 | 0x15))?;
            Some((Token::Text(stream[..end].to_vec()), end))
        }
    }
}

/// Fields of a result: value, unit, markers, time.
pub fn fields(text: &str) -> (&str, &str, &str, &str) {
    let fields: Vec<&str> = text.split('|').collect();
    assert_eq!(fields.len(), 9, "{text}");
    assert_eq!((fields[5], fields[7]), ("", ""));
    (fields[3], fields[4], fields[6], fields[8])
}

/// The wire text agrees with the truth in every raw part.
pub fn assert_agrees(text: &str, truth: &Truth) {
    let (value, unit, markers, time) = fields(text);
    assert_eq!(value, truth.raw_value);
    assert_eq!(unit, truth.raw_unit);
    assert_eq!(markers, truth.markers);
    assert_eq!(time, truth.raw_time);
    assert!(text.starts_with(&format!("R|{}|^^^", truth.position)));
}
