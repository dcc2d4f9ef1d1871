//! Messages of USB/IP: a header of 48 bytes, big-endian, and the data of the transfer.

use std::fmt;

use super::Ended;
use super::control::{SETUP_SIZE, TO_HOST};
use super::device::Transfer;

/// Size of every header.
pub(crate) const HEADER_SIZE: usize = 48;
/// Most data of one transfer.
pub(crate) const MOST_DATA: usize = 1 << 20;

/// Kinds of messages.
const SUBMIT: u32 = 1;
const UNLINK: u32 = 2;
const SUBMITTED: u32 = 3;
const UNLINKED: u32 = 4;
/// Direction: to the host.
const IN: u32 = 1;
/// Highest endpoint number.
const LAST_ENDPOINT: u32 = 15;
/// Number of packets of a transfer that is not isochronous; some hosts say 0.
const NOT_ISOCHRONOUS: u32 = u32::MAX;

/// Linux error numbers, as the status of a transfer.
const EPIPE: i32 = -32;
const EOVERFLOW: i32 = -75;
const ECONNRESET: i32 = -104;

/// What the stream holds is not USB/IP, or asks for what no virtual device has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireError {
    /// A message of an unknown kind.
    UnknownMessage(u32),
    /// More data than any transfer has.
    TooLong(u32),
    /// An endpoint number or direction that does not exist.
    NoEndpoint(u32),
    /// An isochronous transfer.
    Isochronous,
    /// More transfers waiting than a host has any use for.
    TooMany,
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownMessage(kind) => write!(f, "unknown USB/IP message {kind:#x}"),
            Self::TooLong(length) => write!(f, "a USB/IP transfer of {length} bytes"),
            Self::NoEndpoint(endpoint) => write!(f, "no USB endpoint {endpoint:#x}"),
            Self::Isochronous => f.write_str("an isochronous USB/IP transfer"),
            Self::TooMany => f.write_str("too many USB/IP transfers are waiting"),
        }
    }
}

impl std::error::Error for WireError {}

/// A message from the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// Do this transfer.
    Submit { number: u32, transfer: Transfer },
    /// Forget the transfer of the number `target`.
    Unlink { number: u32, target: u32 },
}

impl Request {
    /// Takes one message off the front of a stream; `None` while it is not there in whole.
    pub(crate) fn take(stream: &mut Vec<u8>) -> Result<Option<Self>, WireError> {
        let Some(header) = stream.first_chunk::<HEADER_SIZE>() else {
            return Ok(None);
        };
        let (words, _) = header.as_chunks::<4>();
        let word = |at: usize| words.get(at).map_or(0, |word| u32::from_be_bytes(*word));
        let (kind, number) = (word(0), word(1));
        if kind == UNLINK {
            let target = word(5);
            stream.drain(..HEADER_SIZE);
            return Ok(Some(Self::Unlink { number, target }));
        }
        if kind != SUBMIT {
            return Err(WireError::UnknownMessage(kind));
        }
        let (direction, endpoint, said, packets) = (word(3), word(4), word(6), word(8));
        if direction > IN || endpoint > LAST_ENDPOINT {
            return Err(WireError::NoEndpoint(endpoint));
        }
        if packets != 0 && packets != NOT_ISOCHRONOUS {
            return Err(WireError::Isochronous);
        }
        let length = usize::try_from(said).unwrap_or(usize::MAX);
        if length > MOST_DATA {
            return Err(WireError::TooLong(said));
        }
        let to_host = direction == IN;
        let behind = if to_host { 0 } else { length };
        if stream.len() < HEADER_SIZE + behind {
            return Ok(None);
        }
        let setup = header.last_chunk::<SETUP_SIZE>().copied();
        let data = stream.drain(..HEADER_SIZE + behind).skip(HEADER_SIZE);
        let data = data.collect();
        let address = u8::try_from(endpoint).unwrap_or(0);
        Ok(Some(Self::Submit {
            number,
            transfer: Transfer {
                endpoint: if to_host { address | TO_HOST } else { address },
                setup: setup.unwrap_or_default(),
                data,
                length: if to_host { length } else { 0 },
            },
        }))
    }

    /// Writes the message, as a host does.
    #[cfg(test)]
    pub(crate) fn encode(&self) -> Vec<u8> {
        let (words, setup, data) = match self {
            Self::Submit { number, transfer } => {
                let to_host = transfer.endpoint & TO_HOST != 0;
                let length = transfer.length.max(transfer.data.len());
                let words = [
                    SUBMIT,
                    *number,
                    1,
                    u32::from(to_host),
                    (transfer.endpoint & !TO_HOST).into(),
                    0,
                    u32::try_from(length).unwrap(),
                    0,
                    0,
                    0,
                ];
                (words, transfer.setup, transfer.data.as_slice())
            }
            Self::Unlink { number, target } => {
                let words = [UNLINK, *number, 1, 0, 0, *target, 0, 0, 0, 0];
                (words, [0; SETUP_SIZE], [].as_slice())
            }
        };
        let words: Vec<u8> = words.into_iter().flat_map(u32::to_be_bytes).collect();
        [words.as_slice(), &setup, data].concat()
    }
}

/// A message to the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// The transfer of this number ended.
    Submitted { number: u32, ended: Ended },
    /// The request of this number to forget a transfer was in time, or was not.
    Unlinked { number: u32, forgotten: bool },
}

impl Reply {
    /// Appends the message to a stream.
    pub(crate) fn append(&self, stream: &mut Vec<u8>) {
        let (kind, number, status, length, data) = match self {
            Self::Submitted { number, ended } => {
                let (status, length, data) = match ended {
                    Ended::Sent(bytes) => (0, bytes.len(), bytes.as_slice()),
                    Ended::Took(length) => (0, *length, [].as_slice()),
                    Ended::Stalled => (EPIPE, 0, [].as_slice()),
                    Ended::Babble => (EOVERFLOW, 0, [].as_slice()),
                };
                (SUBMITTED, *number, status, length, data)
            }
            Self::Unlinked { number, forgotten } => {
                let status = if *forgotten { ECONNRESET } else { 0 };
                (UNLINKED, *number, status, 0, [].as_slice())
            }
        };
        let length = u32::try_from(length).unwrap_or(0);
        let start = stream.len();
        let status = status.cast_unsigned();
        for word in [kind, number, 0, 0, 0, status, length] {
            stream.extend_from_slice(&word.to_be_bytes());
        }
        stream.resize(start + HEADER_SIZE, 0);
        stream.extend_from_slice(data);
    }
}
