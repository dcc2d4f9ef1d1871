//! Tells each call of a link to those who ask for every one: what was done and how much of it. The bytes are
//! readings and serials, so they are not told; `--record` keeps them.

use std::fmt::{Display, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use glucopipe_sdk::Error;
use glucopipe_sdk::link::{Kind, ScsiData, ScsiStatus};

use super::log::{LogLine, Logger, TRACE};
use crate::clock::{Clock, OperationTime};

/// So many calls of one operation are told: twice what a full meter takes.
const TOLD: u64 = 20_000;

/// Commands by their operation code (SPC, SBC, MMC).
const COMMANDS: [(u8, &str); 17] = [
    (0x00, "TEST UNIT READY"),
    (0x03, "REQUEST SENSE"),
    (0x12, "INQUIRY"),
    (0x1a, "MODE SENSE(6)"),
    (0x1b, "START STOP UNIT"),
    (0x1e, "PREVENT ALLOW MEDIUM REMOVAL"),
    (0x23, "READ FORMAT CAPACITIES"),
    (0x25, "READ CAPACITY(10)"),
    (0x28, "READ(10)"),
    (0x2a, "WRITE(10)"),
    (0x35, "SYNCHRONIZE CACHE(10)"),
    (0x5a, "MODE SENSE(10)"),
    (0x88, "READ(16)"),
    (0x8a, "WRITE(16)"),
    (0xa0, "REPORT LUNS"),
    (0xa8, "READ(12)"),
    (0xaa, "WRITE(12)"),
];

/// Tells the calls of one operation.
#[derive(Clone)]
pub(super) struct LinkTrace(Arc<Teller>);

struct Teller {
    logger: Logger,
    node: String,
    /// `None` where a clock stands still, so that two runs tell the same.
    time: Option<OperationTime>,
    told: AtomicU64,
}

impl LinkTrace {
    /// For an operation; `None` when nobody wants to know.
    pub(super) fn new(
        logger: &Logger,
        node: &str,
        clock: &Clock,
        time: &OperationTime,
    ) -> Option<Self> {
        let real = matches!(clock, Clock::System);
        logger.wants(TRACE).then(|| {
            Self(Arc::new(Teller {
                logger: logger.clone(),
                node: node.to_owned(),
                time: real.then(|| time.clone()),
                told: AtomicU64::new(0),
            }))
        })
    }

    /// Does a call, and tells how it ended.
    pub(super) fn follow<T>(
        trace: Option<&Self>,
        call: impl FnOnce() -> Result<T, Error>,
        words: impl FnOnce(&Result<T, Error>) -> String,
    ) -> Result<T, Error> {
        let Some(Self(teller)) = trace else {
            return call();
        };
        let now = || teller.time.as_ref().map(OperationTime::monotonic_ms);
        let begun = now();
        let outcome = call();
        let mut text = words(&outcome);
        if let (Some(begun), Some(now)) = (begun, now()) {
            let _ = write!(text, " ({} ms)", now.saturating_sub(begun));
        }
        teller.tell(text);
        outcome
    }

    /// Tells that a link is closed.
    pub(super) fn closed(&self) {
        self.0.tell("close the link".to_owned());
    }
}

impl Teller {
    fn tell(&self, text: String) {
        // A driver may poll a link without end.
        let text = match self.told.fetch_add(1, Ordering::Relaxed) {
            ..TOLD => text,
            TOLD => "more calls of links follow, which are not told".to_owned(),
            _ => return,
        };
        self.logger.log(LogLine {
            level: TRACE,
            target: self.node.clone(),
            text,
        });
    }
}

/// How a link was opened.
pub(super) fn opened<T>(kind: Kind, outcome: &Result<T, Error>) -> String {
    let word = match kind {
        Kind::Hid => "hid",
        Kind::Scsi => "scsi",
        Kind::Serial => "serial",
        Kind::File => "file",
    };
    ended(format!("open a {word} link"), outcome.as_ref().err())
}

/// How a read ended.
pub(super) fn read(outcome: &Result<usize, Error>) -> String {
    match outcome {
        Ok(count) => format!("read {}", bytes(*count)),
        Err(error) => ended("read".to_owned(), Some(error)),
    }
}

/// How a write ended.
pub(super) fn write(bytes: &[u8], outcome: &Result<(), Error>) -> String {
    ended(
        format!("write {}", self::bytes(bytes.len())),
        outcome.as_ref().err(),
    )
}

/// What a command is, before its data are lent to it.
pub(super) fn command(cdb: &[u8], data: &ScsiData<'_>) -> String {
    let code = cdb.first().copied().unwrap_or_default();
    let known = COMMANDS.iter().find(|(known, _)| *known == code);
    let name = known.map_or_else(|| format!("command {code:02x}"), |(_, name)| (*name).into());
    match data {
        ScsiData::None => name,
        ScsiData::From(room) => format!("{name}, up to {} from the meter", bytes(room.len())),
        ScsiData::To(sent) => format!("{name}, {} to the meter", bytes(sent.len())),
    }
}

/// How a command ended.
pub(super) fn commanded(command: String, outcome: &Result<ScsiStatus, Error>) -> String {
    let Ok(done) = outcome else {
        return ended(command, outcome.as_ref().err());
    };
    let mut text = format!("{command}: status {}", done.status);
    if done.residue > 0 {
        let _ = write!(text, ", {} not moved", bytes(done.residue));
    }
    if !done.sense.is_empty() {
        let _ = write!(text, ", {} of sense data", bytes(done.sense.len()));
    }
    text
}

fn bytes<N: Display + PartialEq + From<u8>>(count: N) -> String {
    let noun = if count == N::from(1) { "byte" } else { "bytes" };
    format!("{count} {noun}")
}

/// How a line was set.
pub(super) fn configured(baud: u32, outcome: &Result<(), Error>) -> String {
    ended(
        format!("set the line to {baud} baud"),
        outcome.as_ref().err(),
    )
}

fn ended(mut text: String, error: Option<&Error>) -> String {
    if let Some(error) = error {
        let _ = write!(text, ": {}", error.message);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use chrono::DateTime;
    use glucopipe_sdk::Status;

    use super::*;

    type Lines = Arc<Mutex<Vec<String>>>;

    fn listening(most: u8) -> (Lines, Logger) {
        let lines = Lines::default();
        let heard = lines.clone();
        let logger = Logger::new(most, move |line| {
            heard.lock().unwrap().push(line.text);
        });
        (lines, logger)
    }

    fn told(clock: Clock, calls: impl FnOnce(&LinkTrace)) -> Vec<String> {
        let (lines, logger) = listening(TRACE);
        let time = OperationTime::start(clock.clone());
        calls(&LinkTrace::new(&logger, "meter", &clock, &time).unwrap());
        let lines = lines.lock().unwrap();
        lines.clone()
    }

    fn still() -> Clock {
        Clock::Fixed(DateTime::UNIX_EPOCH)
    }

    #[test]
    fn nobody_pays_for_what_nobody_wants() {
        let (lines, logger) = listening(TRACE - 1);
        let time = OperationTime::start(still());
        assert!(LinkTrace::new(&logger, "meter", &still(), &time).is_none());
        let words = |_: &Result<(), Error>| unreachable!("words for nobody");
        LinkTrace::follow(None, || Ok(()), words).unwrap();
        assert!(lines.lock().unwrap().is_empty());
    }

    #[test]
    fn a_million_calls_are_not_a_million_lines() {
        let lines = told(still(), |trace| {
            for _ in 0..1_000_000 {
                trace.closed();
            }
        });
        assert_eq!(lines.len() as u64, TOLD + 1);
        assert_eq!(
            lines.last().unwrap(),
            "more calls of links follow, which are not told"
        );
    }

    #[test]
    fn how_long_it_took_is_told_where_the_clock_goes() {
        let call = |trace: &LinkTrace| {
            let failed = || Err(Error::new(Status::Timeout, "nothing came in time"));
            LinkTrace::follow(Some(trace), failed, read).unwrap_err();
        };
        assert_eq!(told(still(), call), ["read: nothing came in time"]);
        let [line] = &told(Clock::System, call)[..] else {
            panic!("one line");
        };
        assert!(line.starts_with("read: nothing came in time ("), "{line}");
        assert!(line.ends_with(" ms)"), "{line}");
    }

    #[test]
    fn commands_are_told_by_name_and_length() {
        let done = |status, residue, sense| {
            Ok(ScsiStatus {
                status,
                residue,
                sense,
            })
        };
        let write = command(&[0x2a, 1], &ScsiData::To(&[0xaa; 300]));
        let lost = Err(Error::new(Status::Lost, "the device was disconnected"));
        let mut room = [0; 36];
        let lines = [
            read(&Ok(1)),
            commanded(
                command(&[0x12, 0], &ScsiData::From(&mut room)),
                &done(0, 0, vec![]),
            ),
            commanded(
                command(&[0xc1], &ScsiData::None),
                &done(2, 4, vec![0xaa; 18]),
            ),
            commanded(write, &lost),
        ];
        assert_eq!(
            lines,
            [
                "read 1 byte",
                "INQUIRY, up to 36 bytes from the meter: status 0",
                "command c1: status 2, 4 bytes not moved, 18 bytes of sense data",
                "WRITE(10), 300 bytes to the meter: the device was disconnected",
            ]
        );
    }
}
