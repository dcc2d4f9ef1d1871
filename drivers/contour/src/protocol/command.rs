//! Command mode: the messages a meter may be sent in it, and the text it replies with.
//!
//! A date or a time is asked for in two messages and set in three; the meter answers each of them.
//! Messages and replies were captured on a Next USB, the setting is known from other programs.
//!
//! There is no message besides [`COMMANDS`]. Of the others that are known, `Q` and `1` open the radio to
//! an insulin pump, and `E` takes the meter off the bus.

use super::local_time::LocalTime;
use super::{CR, LF};

/// Letter and end of the messages whose text does not change, and names of all for people.
pub const COMMANDS: [(&str, &[u8]); 6] = [
    ("read", b"R|"),
    ("write", b"W|"),
    ("date", b"D|"),
    ("time", b"T|"),
    ("new date", b""),
    ("new time", b""),
];

/// What a reply with a date or a time begins with, whichever it is.
const REPLY: &[u8] = b"D|";
/// Ends a part of a message or reply.
const DELIMITER: u8 = b'|';

/// Years that two digits can tell.
pub const YEARS: std::ops::RangeInclusive<u16> = 2000..=2099;

/// Whether [`CR`] stands behind `D|` and `T|`: programs differ, and each works with the meters its
/// author owns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ending {
    /// It does.
    #[default]
    Cr,
    /// It does not.
    Bare,
}

/// A message in command mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// What is named next is asked for.
    Read,
    /// What is named next is set.
    Write,
    /// Names the date.
    Date(Ending),
    /// Names the time.
    Time(Ending),
    /// The date to set, behind [`Command::Write`] and [`Command::Date`].
    NewDate(LocalTime),
    /// The hour and minute to set, behind [`Command::Write`] and [`Command::Time`]; the second becomes 0.
    NewTime(LocalTime),
}

impl Command {
    /// Returns name and letter, of [`COMMANDS`].
    const fn entry(self) -> (&'static str, &'static [u8]) {
        COMMANDS[match self {
            Self::Read => 0,
            Self::Write => 1,
            Self::Date(_) => 2,
            Self::Time(_) => 3,
            Self::NewDate(_) => 4,
            Self::NewTime(_) => 5,
        }]
    }

    /// Names it in messages to people.
    pub const fn name(self) -> &'static str {
        self.entry().0
    }

    /// Returns the bytes of the message.
    pub fn bytes(self) -> Vec<u8> {
        let mut bytes = self.entry().1.to_vec();
        match self {
            Self::Read | Self::Write | Self::Date(Ending::Bare) | Self::Time(Ending::Bare) => {}
            Self::Date(Ending::Cr) | Self::Time(Ending::Cr) => bytes.push(CR),
            Self::NewDate(new) => {
                bytes.extend(digits([
                    u8::try_from(new.year % 100).unwrap_or(0),
                    new.month,
                    new.day,
                ]));
                bytes.extend([DELIMITER, CR]);
            }
            Self::NewTime(new) => {
                bytes.extend(digits([new.hour, new.minute]));
                bytes.extend([DELIMITER, CR]);
            }
        }
        bytes
    }
}

/// Two decimal digits of each number below 100.
fn digits<const N: usize>(numbers: [u8; N]) -> impl Iterator<Item = u8> {
    numbers
        .into_iter()
        .flat_map(|number| [b'0' + number / 10 % 10, b'0' + number % 10])
}

/// Takes the digits out of a reply: six of a date, four of a time. `None` for anything else.
pub fn reply<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let text = text.strip_suffix(&[CR, LF]).unwrap_or(text);
    let digits = text.strip_prefix(REPLY)?.strip_suffix(&[DELIMITER])?;
    let digits: [u8; N] = digits.try_into().ok()?;
    digits.iter().all(u8::is_ascii_digit).then_some(digits)
}

/// Puts the digits of a date and of a time together; `None` when there is no such moment.
pub fn moment(date: [u8; 6], time: [u8; 4]) -> Option<LocalTime> {
    const CENTURY: &[u8] = b"20";
    LocalTime::parse(&[CENTURY, &date, &time].concat())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn time(text: &str) -> LocalTime {
        LocalTime::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn messages_are_those_of_the_reference() {
        let new = time("202605300805");
        let expected: [(Command, &[u8]); 8] = [
            (Command::Read, b"R|"),
            (Command::Write, b"W|"),
            (Command::Date(Ending::Cr), b"D|\r"),
            (Command::Date(Ending::Bare), b"D|"),
            (Command::Time(Ending::Cr), b"T|\r"),
            (Command::Time(Ending::Bare), b"T|"),
            (Command::NewDate(new), b"260530|\r"),
            (Command::NewTime(new), b"0805|\r"),
        ];
        for (command, bytes) in expected {
            assert_eq!(command.bytes(), bytes, "{}", command.name());
        }
    }

    #[test]
    fn nothing_reaches_a_pump_or_takes_the_meter_off_the_bus() {
        let letters: Vec<u8> = COMMANDS
            .iter()
            .flat_map(|(_, text)| text.first().copied())
            .collect();
        assert_eq!(letters, b"RWDT");
        for command in [
            Command::NewDate(time("209912312359")),
            Command::NewTime(time("200001011000")),
        ] {
            let bytes = command.bytes();
            let body = bytes.strip_suffix(b"|\r").unwrap();
            // `1|` alone opens the radio: what is set never has one digit.
            assert!(body.len() >= 4 && body.iter().all(u8::is_ascii_digit));
        }
    }

    #[test]
    fn captured_replies_give_the_moment() {
        let date = reply(b"D|190626|\r\n").unwrap();
        let time = reply(b"D|1103|\r\n").unwrap();
        assert_eq!(moment(date, time).unwrap().to_string(), "2019-06-26T11:03");
    }

    #[test]
    fn other_replies_give_nothing() {
        let bad: [&[u8]; 9] = [
            b"",
            b"D|",
            b"D|1103|",
            b"D|19062|\r\n",
            b"D|1906260|\r\n",
            b"T|190626|\r\n",
            b"D|19O626|\r\n",
            b"D|190626\r\n",
            b"X|190626|",
        ];
        for text in bad {
            assert_eq!(reply::<6>(text), None, "{text:?}");
        }
        assert_eq!(moment(*b"261301", *b"0000"), None);
        assert_eq!(moment(*b"260530", *b"2400"), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_000) })]

        #[test]
        fn what_is_set_is_what_is_read(
            year in YEARS, month in 1_u8..=12, day in 1_u8..=28, hour in 0_u8..24, minute in 0_u8..60,
        ) {
            let set = LocalTime { year, month, day, hour, minute, second: None };
            let said = |command: Command| {
                let bytes = command.bytes();
                [b"D|", bytes.strip_suffix(b"\r").unwrap(), b"\r\n"].concat()
            };
            let date = reply(&said(Command::NewDate(set))).unwrap();
            let time = reply(&said(Command::NewTime(set))).unwrap();
            prop_assert_eq!(moment(date, time), Some(set));
        }

        #[test]
        fn replies_of_any_bytes_never_panic(text in prop::collection::vec(any::<u8>(), 0..20)) {
            let date = reply::<6>(&text);
            let time = reply::<4>(&text);
            prop_assert!(date.is_none() || time.is_none());
        }
    }
}
