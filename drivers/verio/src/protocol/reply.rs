//! Replies: what a register reads after a request, judged by status and length.

use std::fmt;

use crate::lifescan::STATUS_OK;
use crate::lifescan::frame::{Form, FrameError, OVERHEAD, decode};
use crate::protocol::record::Record;
use crate::protocol::text;

/// First bytes of replies. Most repeat the request's, some answer 03 to all (captured, other programs).
const PREFIXES: [u8; 3] = [0x03, 0x04, 0x05];

/// Why a reply is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplyError {
    /// The register reads back the request: the meter refused it, or the disk is none of a meter.
    NotProcessed,
    /// No packet.
    Frame(FrameError),
    /// The message begins with none of the known bytes.
    Prefix(u8),
    /// The meter says that it failed.
    Status(u8),
    /// More or fewer bytes than this reply has.
    Length {
        /// Bytes behind the status.
        got: usize,
        /// What they should be.
        expected: usize,
    },
    /// Not a text.
    Text,
    /// A text, but not one that a meter has for a serial.
    Serial,
}

impl fmt::Display for ReplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotProcessed => {
                f.write_str("the meter did not process the request: its register reads it back")
            }
            Self::Frame(error) => write!(f, "malformed reply: {error}"),
            Self::Prefix(prefix) => write!(
                f,
                "malformed reply: got first byte 0x{prefix:02x}, expected 0x03, 0x04 or 0x05"
            ),
            Self::Status(status) => {
                write!(f, "the meter answered status 0x{status:02x}, expected 0x06")
            }
            Self::Length { got, expected } => write!(
                f,
                "malformed reply: got {got} bytes of data, expected {expected}"
            ),
            Self::Text => f.write_str("malformed reply: not a text in UTF-16"),
            Self::Serial => {
                f.write_str("malformed reply: a serial has letters, digits and `-` only")
            }
        }
    }
}

impl std::error::Error for ReplyError {}

/// A good reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reply<'a> {
    /// The whole packet, without the rest of the block.
    pub packet: &'a [u8],
    /// What follows the status.
    pub data: &'a [u8],
}

impl<'a> Reply<'a> {
    /// Finds the reply to a request packet in the block that was read.
    ///
    /// # Errors
    /// As [`ReplyError`] says; the data behind another status than 06 have no meaning.
    pub fn parse(request: &[u8], block: &'a [u8]) -> Result<Self, ReplyError> {
        if !request.is_empty() && block.starts_with(request) {
            return Err(ReplyError::NotProcessed);
        }
        let packet = decode(Form::Block, block).map_err(ReplyError::Frame)?;
        match packet.message {
            [prefix, ..] if !PREFIXES.contains(prefix) => Err(ReplyError::Prefix(*prefix)),
            [_, STATUS_OK, data @ ..] => Ok(Self {
                packet: packet.bytes,
                data,
            }),
            [_, status, ..] => Err(ReplyError::Status(*status)),
            _ => Err(ReplyError::Frame(FrameError::Length(packet.bytes.len()))),
        }
    }
}

/// What to keep of a block that is no good reply: as many bytes as it claims, or all up to the last that
/// is not zero.
pub fn remains(block: &[u8]) -> &[u8] {
    let claimed = block
        .get(1..3)
        .map_or(0, |head| usize::from(head[0]) | usize::from(head[1]) << 8);
    if (OVERHEAD..=block.len()).contains(&claimed) {
        return block.get(..claimed).unwrap_or_default();
    }
    let end = block.iter().rposition(|byte| *byte != 0);
    block.get(..end.map_or(0, |at| at + 1)).unwrap_or_default()
}

fn exactly<const N: usize>(data: &[u8]) -> Result<[u8; N], ReplyError> {
    data.try_into().map_err(|_| ReplyError::Length {
        got: data.len(),
        expected: N,
    })
}

/// Decodes the reply to a command that only acknowledges.
///
/// # Errors
/// [`ReplyError::Length`].
pub fn acknowledgement(data: &[u8]) -> Result<(), ReplyError> {
    exactly::<0>(data).map(|_| ())
}

/// Decodes a text.
///
/// # Errors
/// [`ReplyError::Text`].
pub fn text(data: &[u8]) -> Result<String, ReplyError> {
    text::decode(data).ok_or(ReplyError::Text)
}

/// Decodes the serial, which tells one meter's readings from another's: what looks like none is not taken
/// for one. It may stand between blanks.
///
/// # Errors
/// [`ReplyError::Text`] and [`ReplyError::Serial`].
pub fn serial(data: &[u8]) -> Result<String, ReplyError> {
    let serial = text(data)?;
    let of_serial = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | ' ');
    match serial.chars().all(of_serial) {
        true => Ok(serial),
        false => Err(ReplyError::Serial),
    }
}

/// Decodes the clock: seconds since 2000-01-01.
///
/// # Errors
/// [`ReplyError::Length`].
pub fn seconds(data: &[u8]) -> Result<u32, ReplyError> {
    exactly(data).map(u32::from_le_bytes)
}

/// Decodes the number of records.
///
/// # Errors
/// [`ReplyError::Length`].
pub fn count(data: &[u8]) -> Result<u16, ReplyError> {
    exactly(data).map(u16::from_le_bytes)
}

/// Decodes the display unit as UCUM; `None` for a number nobody knows.
///
/// # Errors
/// [`ReplyError::Length`].
pub fn unit(data: &[u8]) -> Result<Option<&'static str>, ReplyError> {
    exactly(data).map(|bytes| match u32::from_le_bytes(bytes) {
        0 => Some("mg/dL"),
        1 => Some("mmol/L"),
        _ => None,
    })
}

/// Decodes a record.
///
/// # Errors
/// [`ReplyError::Length`].
pub fn record(data: &[u8]) -> Result<Record, ReplyError> {
    exactly(data).map(Record::decode)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lifescan::frame::encode;
    use crate::protocol::command::{Command, Query};

    fn block(message: &[u8]) -> Vec<u8> {
        let mut block = encode(Form::Block, 0, message).unwrap();
        block.resize(512, 0);
        block
    }

    #[test]
    fn accepts_each_known_prefix_whatever_was_asked() {
        for prefix in PREFIXES {
            let block = block(&[prefix, 6, 0xf4, 1]);
            let reply = Reply::parse(&[], &block).unwrap();
            assert_eq!((reply.packet.len(), reply.data), (10, &[0xf4, 1][..]));
            assert_eq!(count(reply.data), Ok(500));
        }
        assert_eq!(
            Reply::parse(&[], &block(&[6, 6])),
            Err(ReplyError::Prefix(6))
        );
    }

    #[test]
    fn carries_any_other_status() {
        let error = Reply::parse(&[], &block(&[4, 9, 1, 2, 3])).unwrap_err();
        assert_eq!(error, ReplyError::Status(9));
        assert_eq!(
            error.to_string(),
            "the meter answered status 0x09, expected 0x06"
        );
    }

    #[test]
    fn tells_a_request_read_back_from_a_bad_reply() {
        let request = Command::Query(Query::Serial).packet().unwrap();
        let mut block = request.clone();
        block.resize(512, 0);
        assert_eq!(
            Reply::parse(&request, &block),
            Err(ReplyError::NotProcessed)
        );
        // Without the comparison, the status position alone tells.
        assert_eq!(Reply::parse(&[], &block), Err(ReplyError::Status(0xe6)));
    }

    #[test]
    fn refuses_a_message_without_a_status() {
        let error = ReplyError::Frame(FrameError::Length(7));
        assert_eq!(Reply::parse(&[], &block(&[3])), Err(error));
    }

    #[test]
    fn refuses_data_of_another_length() {
        let wrong = |got, expected| ReplyError::Length { got, expected };
        assert_eq!(acknowledgement(&[0]), Err(wrong(1, 0)));
        assert_eq!(seconds(&[0; 3]), Err(wrong(3, 4)));
        assert_eq!(count(&[0; 3]), Err(wrong(3, 2)));
        assert_eq!(unit(&[]), Err(wrong(0, 4)));
        assert_eq!(record(&[0; 18]), Err(wrong(18, 16)));
    }

    #[test]
    fn takes_no_other_reply_for_a_serial() {
        let told = |text: &str| serial(&text::encode(text));
        assert_eq!(told(" ZX12-3ab").as_deref(), Ok(" ZX12-3ab"));
        assert_eq!(told("").as_deref(), Ok(""));
        for wrong in ["ZX12ß", "ZX;12", "ĀȂ"] {
            assert_eq!(told(wrong), Err(ReplyError::Serial), "{wrong}");
        }
        // Clock, count, acknowledgement, and a record of a control solution.
        let record = [
            5, 0, 1, 0xd4, 0, 0x6c, 0xff, 0xad, 0x31, 0x76, 0, 0, 0, 0, 11, 0,
        ];
        for other in [&[0x4c, 0xe3, 0xad, 0x31][..], &[0xf4, 1], &[], &record] {
            assert!(serial(other).is_err(), "{other:?}");
        }
    }

    #[test]
    fn knows_two_units() {
        assert_eq!(unit(&[0; 4]), Ok(Some("mg/dL")));
        assert_eq!(unit(&[1, 0, 0, 0]), Ok(Some("mmol/L")));
        assert_eq!(unit(&[2, 0, 0, 0]), Ok(None));
    }

    #[test]
    fn keeps_of_a_bad_block_what_may_be_a_packet() {
        assert_eq!(remains(&block(&[3, 6])).len(), 8);
        assert_eq!(remains(&[9, 0, 0, 7, 0, 0]), [9, 0, 0, 7]);
        assert!(remains(&[0; 512]).is_empty() && remains(&[]).is_empty());
    }
}
