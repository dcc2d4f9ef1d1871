//! Where the blocks of the meter's disk hold what belongs to a person: serial, dates, values. All of it is
//! replaced in place, by as many bytes, and what nobody understands becomes zeros.

use std::fmt;

use glucopipe_sdk::scrub::Disguise;

use super::command::{Command, Query, Register};
use super::record::{HIGH_LIMIT, LOW_LIMIT, Range, Record, is_unset};
use super::reply;
use super::scsi::{BLOCK, INQUIRY_LEN};
use super::text;
use crate::lifescan::STATUS_OK;
use crate::lifescan::epoch::Epoch;
use crate::lifescan::frame::{CHECKSUM, ETX, Form, HEAD, OVERHEAD, STX, checksum};

/// Where a boot sector has the number of its volume (FAT).
const VOLUME_NUMBER: std::ops::Range<usize> = 0x27..0x2b;
/// Bytes of a message in front of its data: prefix and status, or prefix and command.
const DATA_AT: usize = 2;

/// A date, moved, is none that a meter can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSuchDate;

impl fmt::Display for NoSuchDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a date, moved, is none that a meter can show")
    }
}

impl std::error::Error for NoSuchDate {}

/// Scrubs the blocks of one conversation, in their order.
#[derive(Debug)]
pub struct Scrubber<'a> {
    disguise: &'a Disguise,
    /// What was asked of each register last: the request as it was sent.
    asked: [Vec<u8>; 2],
    /// The serial as the meter says it, once it has.
    serial: Option<String>,
}

impl<'a> Scrubber<'a> {
    /// Nothing was said yet.
    pub fn new(disguise: &'a Disguise) -> Self {
        Self {
            disguise,
            asked: [Vec::new(), Vec::new()],
            serial: None,
        }
    }

    /// Scrubs what is written to a register.
    ///
    /// # Errors
    /// [`NoSuchDate`].
    pub fn request(&mut self, register: Register, block: &mut [u8]) -> Result<(), NoSuchDate> {
        let asked = message(block).map_or(&[][..], |(message, _)| message);
        self.asked[index(register)] = asked.to_vec();
        self.packet(register, block)
    }

    /// Scrubs what is read from a register.
    ///
    /// # Errors
    /// [`NoSuchDate`].
    pub fn reply(&mut self, register: Register, block: &mut [u8]) -> Result<(), NoSuchDate> {
        self.packet(register, block)
    }

    /// Scrubs the data of a boot sector: its number may follow from the serial.
    pub fn boot_sector(block: &mut [u8]) {
        if let Some(number) = block.get_mut(VOLUME_NUMBER) {
            number.fill(0);
        }
    }

    /// Scrubs INQUIRY data: what is behind the standard ones is the maker's own.
    pub fn inquiry(data: &mut [u8]) {
        if let Some(rest) = data.get_mut(INQUIRY_LEN..) {
            rest.fill(0);
        }
    }

    /// Scrubs the packet in a block. A checksum that was wrong is as wrong as before.
    fn packet(&mut self, register: Register, block: &mut [u8]) -> Result<(), NoSuchDate> {
        let Some((content, wrong_by)) = message(block) else {
            // No packet: what it may hold of one, nobody can tell.
            if let Some(rest) = block.get_mut(HEAD..) {
                rest.fill(0);
            }
            return Ok(());
        };
        let made = self.message(register, content)?;
        let end = HEAD + made.len();
        block[HEAD..end].copy_from_slice(&made);
        let sum = checksum(&block[..=end]) ^ wrong_by;
        let behind = end + 1 + CHECKSUM;
        block[end + 1..behind].copy_from_slice(&sum.to_le_bytes());
        // A block may hold what is left of a longer packet.
        block[behind..].fill(0);
        Ok(())
    }

    fn message(&mut self, register: Register, message: &[u8]) -> Result<Vec<u8>, NoSuchDate> {
        let asked = self.asked[index(register)].clone();
        let asked_for = Command::of(register, &asked);
        // A register that was not understood reads as what was written to it.
        if *message == *asked {
            return Ok(match asked_for {
                Some(Command::WriteClock(seconds)) => {
                    let moved = Command::WriteClock(self.moved(seconds)?).message();
                    [&message[..1], &moved[1..]].concat()
                }
                Some(_) => message.to_vec(),
                None => zeroed(message),
            });
        }
        let data = message.get(DATA_AT..).unwrap_or_default();
        if message.get(1) != Some(&STATUS_OK) {
            return Ok(zeroed(message));
        }
        let made = match asked_for {
            Some(Command::Query(query)) => self.text(data, query == Query::Serial),
            Some(Command::ReadParameter(_)) if reply::unit(data).is_ok() => Some(data.to_vec()),
            Some(Command::ReadParameter(_)) => self.text(data, false),
            Some(Command::ReadClock) => match reply::seconds(data) {
                Ok(seconds) => Some(self.moved(seconds)?.to_le_bytes().to_vec()),
                Err(_) => None,
            },
            Some(Command::RecordCount) => reply::count(data).ok().map(|_| data.to_vec()),
            Some(Command::ReadRecord(_)) => match reply::record(data) {
                Ok(record) => Some(self.record(record)?.encode().to_vec()),
                Err(_) => None,
            },
            Some(Command::WriteClock(_) | Command::MemoryErase) | None => None,
        };
        let made = made.filter(|made| made.len() == data.len());
        Ok(made.map_or_else(
            || zeroed(message),
            |made| [&message[..DATA_AT], &made].concat(),
        ))
    }

    /// A text with another serial wherever it holds it.
    fn text(&mut self, data: &[u8], is_serial: bool) -> Option<Vec<u8>> {
        let said = text::decode(data)?;
        if is_serial {
            self.serial = Some(said.trim().to_owned()).filter(|serial| !serial.is_empty());
        }
        let made = match &self.serial {
            Some(serial) => said.replace(serial, &self.other(serial)),
            None => said,
        };
        let mut made = text::encode(&made);
        // Behind its end a text may have what is left of a longer one.
        made.resize(data.len().max(made.len()), 0);
        Some(made)
    }

    fn other(&self, serial: &str) -> String {
        let made = self.disguise.text(serial.as_bytes());
        String::from_utf8(made).unwrap_or_default()
    }

    fn record(&self, record: Record) -> Result<Record, NoSuchDate> {
        let context = [
            record.key().0.to_le_bytes().to_vec(),
            record.seconds.to_le_bytes().to_vec(),
        ];
        let glucose = match record.range() {
            Range::In => {
                let measured = u64::from(LOW_LIMIT) + 1..=u64::from(HIGH_LIMIT) - 1;
                let other =
                    self.disguise
                        .number(&context.concat(), record.glucose.into(), measured);
                u16::try_from(other).unwrap_or(record.glucose)
            }
            Range::Below | Range::Above | Range::Implausible => record.glucose,
        };
        Ok(Record {
            seconds: self.moved(record.seconds)?,
            glucose,
            ..record
        })
    }

    /// Seconds of the meter's clock, moved; those of one that was never set stay.
    fn moved(&self, seconds: u32) -> Result<u32, NoSuchDate> {
        if is_unset(seconds) {
            return Ok(seconds);
        }
        let moved = self.disguise.moved(Epoch::Year2000.civil(seconds));
        let moved = moved.and_then(|moved| Epoch::Year2000.seconds(moved));
        moved.filter(|moved| !is_unset(*moved)).ok_or(NoSuchDate)
    }
}

const fn index(register: Register) -> usize {
    match register {
        Register::General => 0,
        Register::Parameters => 1,
    }
}

/// The message of the packet in a block, and by what its checksum is wrong.
fn message(block: &[u8]) -> Option<(&[u8], u16)> {
    let [STX, low, high, ..] = *block else {
        return None;
    };
    let length = usize::from(u16::from_le_bytes([low, high]));
    if !(OVERHEAD..=Form::Block.longest()).contains(&length) || block.len() > BLOCK {
        return None;
    }
    let (covered, sent) = block.get(..length)?.split_last_chunk::<CHECKSUM>()?;
    let (end, head) = covered.split_last()?;
    let wrong_by = u16::from_le_bytes(*sent) ^ checksum(covered);
    (*end == ETX).then_some((head.get(HEAD..)?, wrong_by))
}

/// A message without what it says: the prefix, and the status or the command.
fn zeroed(message: &[u8]) -> Vec<u8> {
    let mut zeroed = message.to_vec();
    if let Some(data) = zeroed.get_mut(DATA_AT..) {
        data.fill(0);
    }
    zeroed
}

#[cfg(test)]
mod tests;
