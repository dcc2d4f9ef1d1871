//! Remote-command mode (contour.md section 4.3).

use crate::civil::LocalTime;
use crate::frame::{ACK, CR, LF, NAK};

/// How far a command of several messages has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Waits for a command.
    Ready,
    /// `R|` was received.
    Read,
    /// `W|` was received.
    Write,
    /// `W|` and `D|` were received.
    SetDate,
    /// `W|` and `T|` were received.
    SetTime,
}

/// What a meter does not let be done to its clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Refusals {
    /// Anything: a pump owns the clock.
    pub(crate) pump: bool,
    /// A CR behind the letter for date or time.
    pub(crate) cr: bool,
    /// New dates.
    pub(crate) date: bool,
    /// New times.
    pub(crate) time: bool,
}

/// What the meter does about a command message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reaction {
    /// Next step.
    pub(crate) step: Step,
    /// Bytes to answer with.
    pub(crate) reply: Vec<u8>,
    /// New clock.
    pub(crate) clock: Option<LocalTime>,
    /// The meter leaves the bus.
    pub(crate) power_off: bool,
    /// Rule the host broke.
    pub(crate) violation: Option<String>,
}

impl Reaction {
    fn answer(step: Step, byte: u8) -> Self {
        Self {
            step,
            reply: vec![byte],
            clock: None,
            power_off: false,
            violation: None,
        }
    }

    fn accept(step: Step) -> Self {
        Self::answer(step, ACK)
    }

    pub(crate) fn refuse() -> Self {
        Self::answer(Step::Ready, NAK)
    }

    fn say(text: &str) -> Self {
        let mut reply = text.as_bytes().to_vec();
        reply.extend_from_slice(&[CR, LF, ACK]);
        Self {
            reply,
            ..Self::accept(Step::Ready)
        }
    }

    fn set(clock: Option<LocalTime>) -> Self {
        match clock {
            Some(_) => Self {
                clock,
                ..Self::accept(Step::Ready)
            },
            None => Self {
                violation: Some("clock setting that is no date or time".to_owned()),
                ..Self::refuse()
            },
        }
    }

    fn against(self, rule: impl Into<String>) -> Self {
        Self {
            violation: Some(rule.into()),
            ..self
        }
    }
}

/// Answers one command message.
pub(crate) fn react(step: Step, message: &[u8], clock: LocalTime, refusals: Refusals) -> Reaction {
    // Projects differ in a CR behind the second part; both forms work.
    let text = message.strip_suffix(&[CR]).unwrap_or(message);
    let cr = text.len() < message.len();
    match (step, text) {
        (Step::Read | Step::Write, b"D|" | b"T|") if refusals.pump || (refusals.cr && cr) => {
            Reaction::refuse()
        }
        (Step::Read, b"D|") => Reaction::say(&format!("D|{}|", date_digits(clock))),
        (Step::Read, b"T|") => Reaction::say(&format!("D|{:02}{:02}|", clock.hour, clock.minute)),
        (Step::Write, b"D|") => Reaction::accept(Step::SetDate),
        (Step::Write, b"T|") => Reaction::accept(Step::SetTime),
        (Step::SetDate, _) if refusals.date => Reaction::refuse(),
        (Step::SetTime, _) if refusals.time => Reaction::refuse(),
        (Step::SetDate, _) => Reaction::set(with_date(clock, text)),
        (Step::SetTime, _) => Reaction::set(with_time(clock, text)),
        (_, b"R|") => Reaction::accept(Step::Read),
        (_, b"W|") => Reaction::accept(Step::Write),
        (_, b"M|") => Reaction::say("D|0|"),
        (_, b"Q|" | b"1|") => Reaction::accept(Step::Write).against("insulin-pump pass-through"),
        (_, b"0|") => Reaction::accept(Step::Ready),
        (Step::Write, b"E|") => Reaction {
            power_off: true,
            ..Reaction::accept(Step::Ready)
        }
        .against("power off"),
        // A host that does not know the mode tries its wake-up byte.
        (_, b"X") => Reaction::refuse(),
        _ => Reaction::refuse().against(format!("unknown command `{}`", printable(text))),
    }
}

/// The message with everything but printable ASCII replaced, cut to a few characters.
pub(crate) fn printable(message: &[u8]) -> String {
    const SHOWN: usize = 8;
    let char = |byte: &u8| {
        if byte.is_ascii_graphic() {
            char::from(*byte)
        } else {
            '.'
        }
    };
    message.iter().take(SHOWN).map(char).collect()
}

fn date_digits(clock: LocalTime) -> String {
    format!("{:02}{:02}{:02}", clock.year % 100, clock.month, clock.day)
}

fn with_date(clock: LocalTime, text: &[u8]) -> Option<LocalTime> {
    let [year, month, day] = pairs(text)?;
    let LocalTime {
        hour,
        minute,
        second,
        ..
    } = clock;
    LocalTime::new(2000 + u16::from(year), month, day, hour, minute, second)
}

fn with_time(clock: LocalTime, text: &[u8]) -> Option<LocalTime> {
    let [hour, minute] = pairs(text)?;
    LocalTime::new(clock.year, clock.month, clock.day, hour, minute, 0)
}

/// Reads exactly N two-digit numbers and the delimiter behind them.
fn pairs<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let digits = text.strip_suffix(b"|")?;
    if digits.len() != 2 * N || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let mut numbers = [0; N];
    for (number, pair) in numbers.iter_mut().zip(digits.chunks(2)) {
        *number = pair.iter().fold(0, |sum, digit| sum * 10 + (digit - b'0'));
    }
    Some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: Refusals = Refusals {
        pump: false,
        cr: false,
        date: false,
        time: false,
    };

    fn clock() -> LocalTime {
        LocalTime::parse("2026-05-30T18:12:30").unwrap()
    }

    #[test]
    fn reads_date_and_time_with_the_letter_d() {
        assert_eq!(
            react(Step::Ready, b"R|", clock(), NONE),
            Reaction::accept(Step::Read)
        );
        let date = react(Step::Read, b"D|\r", clock(), NONE);
        assert_eq!(date.reply, b"D|260530|\r\n\x06");
        assert_eq!(
            react(Step::Read, b"T|", clock(), NONE).reply,
            b"D|1812|\r\n\x06"
        );
        assert_eq!(
            react(Step::Ready, b"M|", clock(), NONE).reply,
            b"D|0|\r\n\x06"
        );
    }

    #[test]
    fn sets_date_and_time() {
        let date = react(Step::SetDate, b"270101|\r", clock(), NONE);
        assert_eq!(date.clock.unwrap().to_string(), "2027-01-01T18:12:30");
        let time = react(Step::SetTime, b"0007|\r", clock(), NONE);
        assert_eq!(time.clock.unwrap().to_string(), "2026-05-30T00:07:00");
    }

    #[test]
    fn refuses_impossible_settings() {
        for text in [&b"261301|\r"[..], b"26010|\r", b"260101\r", b"", b"26-1-1|"] {
            let reaction = react(Step::SetDate, text, clock(), NONE);
            assert_eq!((reaction.reply, reaction.clock), (vec![NAK], None));
            assert!(reaction.violation.is_some());
        }
    }

    #[test]
    fn refuses_the_clock_of_a_paired_link() {
        let paired = Refusals { pump: true, ..NONE };
        for step in [Step::Read, Step::Write] {
            for text in [&b"D|\r"[..], b"T|"] {
                let reaction = react(step, text, clock(), paired);
                assert_eq!(reaction, Reaction::refuse());
            }
        }
    }

    #[test]
    fn refuses_what_it_is_told_to() {
        let cr = Refusals { cr: true, ..NONE };
        assert_eq!(react(Step::Read, b"T|\r", clock(), cr), Reaction::refuse());
        assert_eq!(
            react(Step::Read, b"T|", clock(), cr).reply.last(),
            Some(&ACK)
        );
        let new = react(Step::SetTime, b"0007|\r", clock(), cr);
        assert!(new.clock.is_some());
        let date = Refusals { date: true, ..NONE };
        let refused = react(Step::SetDate, b"270101|\r", clock(), date);
        assert_eq!(refused, Reaction::refuse());
        let time = Refusals { time: true, ..NONE };
        let refused = react(Step::SetTime, b"0007|\r", clock(), time);
        assert_eq!(refused, Reaction::refuse());
    }

    #[test]
    fn objects_to_pump_and_power_commands() {
        for command in [b"Q|", b"1|"] {
            assert!(
                react(Step::Write, command, clock(), NONE)
                    .violation
                    .is_some()
            );
        }
        let off = react(Step::Write, b"E|\r", clock(), NONE);
        assert!(off.power_off && off.violation.is_some());
        assert!(react(Step::Ready, b"Z|", clock(), NONE).violation.is_some());
        assert!(react(Step::Ready, b"X", clock(), NONE).violation.is_none());
    }
}
