//! Requests: what is asked, and of which register.
//!
//! The second byte of a request is never 06, so that a request that comes back is no good reply.

use crate::lifescan::frame::{Form, FrameError, encode};

/// First byte of every request; the meters also take 04 and 05 (other programs).
pub const PREFIX: u8 = 0x03;

/// Command byte: text about the meter (LifeScan protocol pages).
const QUERY: u8 = 0xe6;
/// Behind [`QUERY`] (LifeScan protocol pages).
const QUERY_READ: u8 = 0x02;
/// Command byte: the clock (LifeScan protocol pages).
const RTC: u8 = 0x20;
/// Behind [`RTC`]: set it.
const RTC_WRITE: u8 = 0x01;
/// Behind [`RTC`]: read it.
const RTC_READ: u8 = 0x02;
/// Command byte: number of records, with the byte behind it (LifeScan protocol pages).
const RECORD_COUNT: [u8; 2] = [0x27, 0x00];
/// Command bytes: one record (LifeScan protocol pages).
const READ_RECORD: [u8; 2] = [0x31, 0x02];
/// Command byte: destroy all records (LifeScan protocol pages, other programs).
const MEMORY_ERASE: u8 = 0x1a;
/// Last byte of some requests, without known meaning (LifeScan protocol pages).
const FILL: u8 = 0x00;

/// What a query asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Query {
    /// Serial number.
    Serial = 0x00,
    /// Name of the model.
    Model = 0x01,
    /// Version of the software.
    Software = 0x02,
    /// How the meter shows dates.
    DateFormat = 0x04,
    /// How the meter shows times.
    TimeFormat = 0x05,
    /// Address of the maker.
    Url = 0x07,
    /// Languages of the meter.
    Languages = 0x09,
}

/// A setting of the meter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Parameter {
    /// How the meter shows times.
    TimeFormat = 0x00,
    /// How the meter shows dates.
    DateFormat = 0x02,
    /// Unit on the display; values on the wire are mg/dL whatever it is.
    Unit = 0x04,
}

/// A block of the meter's disk that takes requests. No other block is ever written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Register {
    /// For all commands but [`Command::ReadParameter`].
    General,
    /// For [`Command::ReadParameter`].
    Parameters,
}

impl Register {
    /// Returns the number of its block (LifeScan protocol pages).
    pub const fn lba(self) -> u32 {
        match self {
            Self::General => 3,
            Self::Parameters => 4,
        }
    }
}

/// A request to the meter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// Text about the meter.
    Query(Query),
    /// A setting.
    ReadParameter(Parameter),
    /// The clock.
    ReadClock,
    /// Sets the clock to seconds since 2000-01-01 by its own time.
    WriteClock(u32),
    /// Number of stored records.
    RecordCount,
    /// One record; index 0 is the newest.
    ReadRecord(u16),
    /// Destroys all stored records.
    MemoryErase,
}

/// The commands without a number in them.
const FIXED: [Command; 13] = [
    Command::Query(Query::Serial),
    Command::Query(Query::Model),
    Command::Query(Query::Software),
    Command::Query(Query::DateFormat),
    Command::Query(Query::TimeFormat),
    Command::Query(Query::Url),
    Command::Query(Query::Languages),
    Command::ReadParameter(Parameter::TimeFormat),
    Command::ReadParameter(Parameter::DateFormat),
    Command::ReadParameter(Parameter::Unit),
    Command::ReadClock,
    Command::RecordCount,
    Command::MemoryErase,
];

impl Command {
    /// Returns the register it belongs to; others do not answer it.
    pub const fn register(self) -> Register {
        match self {
            Self::ReadParameter(_) => Register::Parameters,
            _ => Register::General,
        }
    }

    /// Whether it changes anything in the meter.
    pub const fn changes_meter(self) -> bool {
        matches!(self, Self::WriteClock(_) | Self::MemoryErase)
    }

    /// Names it in messages; neither numbers nor contents of records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Query(Query::Serial) => "query serial",
            Self::Query(Query::Model) => "query model",
            Self::Query(Query::Software) => "query software version",
            Self::Query(_) => "query",
            Self::ReadParameter(_) => "read parameter",
            Self::ReadClock => "read clock",
            Self::WriteClock(_) => "write clock",
            Self::RecordCount => "read record count",
            Self::ReadRecord(_) => "read record",
            Self::MemoryErase => "memory erase",
        }
    }

    /// Returns the message.
    pub fn message(self) -> Vec<u8> {
        let mut message = vec![PREFIX];
        match self {
            Self::Query(query) => message.extend([QUERY, QUERY_READ, query as u8]),
            Self::ReadParameter(parameter) => message.extend([parameter as u8, FILL]),
            Self::ReadClock => message.extend([RTC, RTC_READ]),
            Self::WriteClock(seconds) => {
                message.extend([RTC, RTC_WRITE]);
                message.extend(seconds.to_le_bytes());
            }
            Self::RecordCount => message.extend(RECORD_COUNT),
            Self::ReadRecord(index) => {
                message.extend(READ_RECORD);
                message.extend(index.to_le_bytes());
                message.push(FILL);
            }
            Self::MemoryErase => message.push(MEMORY_ERASE),
        }
        message
    }

    /// Recognises a message that was sent to a register, by this driver or by another program.
    pub fn of(register: Register, message: &[u8]) -> Option<Self> {
        let mut fixed = FIXED
            .iter()
            .copied()
            .filter(|command| command.register() == register);
        let asks = message.get(1..)?;
        match *asks {
            [RTC, RTC_WRITE, a, b, c, d] if register == Register::General => {
                Some(Self::WriteClock(u32::from_le_bytes([a, b, c, d])))
            }
            [first, second, low, high, _]
                if register == Register::General && [first, second] == READ_RECORD =>
            {
                Some(Self::ReadRecord(u16::from_le_bytes([low, high])))
            }
            _ => fixed.find(|command| command.message().get(1..) == Some(asks)),
        }
    }

    /// Returns the packet to write, not yet padded to a block.
    ///
    /// # Errors
    /// None in practice: all messages are short.
    pub fn packet(self) -> Result<Vec<u8>, FrameError> {
        encode(Form::Block, 0, &self.message())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifescan::STATUS_OK;

    /// Each command, with some of the numbers that they may have.
    fn all() -> impl Iterator<Item = Command> {
        let numbered = [
            Command::WriteClock(6),
            Command::ReadRecord(6),
            Command::ReadRecord(499),
        ];
        FIXED.into_iter().chain(numbered)
    }

    #[test]
    fn packets_are_those_of_the_worked_examples() {
        let examples: [(Command, &[u8]); 9] = [
            (
                Command::Query(Query::Serial),
                &[2, 10, 0, 3, 0xe6, 2, 0, 3, 0x74, 0x5e],
            ),
            (
                Command::Query(Query::Model),
                &[2, 10, 0, 3, 0xe6, 2, 1, 3, 0x45, 0x6d],
            ),
            (
                Command::Query(Query::Software),
                &[2, 10, 0, 3, 0xe6, 2, 2, 3, 0x16, 0x38],
            ),
            (
                Command::ReadParameter(Parameter::Unit),
                &[2, 9, 0, 3, 4, 0, 3, 0xb0, 0xae],
            ),
            (Command::ReadClock, &[2, 9, 0, 3, 0x20, 2, 3, 0xd4, 0x92]),
            (Command::RecordCount, &[2, 9, 0, 3, 0x27, 0, 3, 0x26, 0x71]),
            (
                Command::ReadRecord(0),
                &[2, 12, 0, 3, 0x31, 2, 0, 0, 0, 3, 0xed, 0x4c],
            ),
            (
                Command::ReadRecord(1),
                &[2, 12, 0, 3, 0x31, 2, 1, 0, 0, 3, 0x59, 0x3a],
            ),
            (
                Command::WriteClock(0x31ad_e34c),
                &[2, 13, 0, 3, 0x20, 1, 0x4c, 0xe3, 0xad, 0x31, 3, 0xdb, 0x63],
            ),
        ];
        for (command, packet) in examples {
            assert_eq!(command.packet().unwrap(), packet, "{command:?}");
        }
    }

    #[test]
    fn no_request_can_be_taken_for_a_good_reply() {
        for command in all() {
            let message = command.message();
            assert_eq!(message[0], PREFIX);
            assert_ne!(message[1], STATUS_OK, "{command:?}");
        }
    }

    #[test]
    fn only_parameters_are_asked_of_block_four() {
        for command in all() {
            let four = matches!(command, Command::ReadParameter(_));
            assert_eq!(command.register().lba(), if four { 4 } else { 3 });
        }
    }

    #[test]
    fn only_clock_setting_and_erase_change_the_meter() {
        let changing = all().filter(|command| command.changes_meter());
        assert_eq!(changing.count(), 2);
        assert!(Command::WriteClock(0).changes_meter() && Command::MemoryErase.changes_meter());
    }
}
