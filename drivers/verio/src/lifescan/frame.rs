//! Packets: `STX length link-control message ETX checksum`.
//!
//! The length counts the whole packet. On USB the length and the link control are together one number of
//! 16 bits. What a message means, and which link control is sent, is not decided here.

use std::fmt;

use crc::{CRC_16_IBM_3740, Crc};

/// First byte of a packet (LifeScan protocol pages, captured).
pub const STX: u8 = 0x02;
/// Byte behind the message (LifeScan protocol pages, captured).
pub const ETX: u8 = 0x03;
/// Bytes of a packet that are not message: STX, length, link control, ETX, two of checksum.
pub const OVERHEAD: usize = 6;
/// Bytes in front of the message.
pub(crate) const HEAD: usize = 3;
/// Bytes behind ETX.
pub(crate) const CHECKSUM: usize = 2;

/// The checksum of all packets; called "CCITT-FALSE" elsewhere (captured replies agree).
static CRC: Crc<u16> = Crc::<u16>::new(&CRC_16_IBM_3740);

/// Computes the checksum of the bytes from STX to ETX; the wire has its low byte first.
pub fn checksum(bytes: &[u8]) -> u16 {
    CRC.checksum(bytes)
}

/// What the two bytes behind STX are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A length byte and link control: serial lines.
    Serial,
    /// A length of 16 bits, at most 512: blocks on USB, where link control is not used.
    Block,
}

impl Form {
    /// Returns the longest packet of this form.
    pub const fn longest(self) -> usize {
        match self {
            Self::Serial => 255,
            Self::Block => 512,
        }
    }
}

/// A packet, borrowed from the bytes it came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Link control; 0 in [`Form::Block`].
    pub link_control: u8,
    /// The message.
    pub message: &'a [u8],
    /// The whole packet, STX to checksum.
    pub bytes: &'a [u8],
}

/// Why bytes are no packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// They do not begin with STX.
    Start,
    /// The length is none that a packet can have, or more than there is.
    Length(usize),
    /// There is no ETX where the message ends.
    End,
    /// The checksum is wrong.
    Checksum {
        /// What came.
        sent: u16,
        /// What the bytes give.
        computed: u16,
    },
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start => f.write_str("no start byte"),
            Self::Length(length) => write!(f, "a length of {length} bytes does not fit"),
            Self::End => f.write_str("no end byte where the length says"),
            Self::Checksum { sent, computed } => {
                write!(f, "checksum 0x{sent:04x}, expected 0x{computed:04x}")
            }
        }
    }
}

impl std::error::Error for FrameError {}

/// Packs a message; `link_control` is left out in [`Form::Block`].
///
/// # Errors
/// [`FrameError::Length`] when the message is too long for the form.
pub fn encode(form: Form, link_control: u8, message: &[u8]) -> Result<Vec<u8>, FrameError> {
    let length = message.len() + OVERHEAD;
    if length > form.longest() {
        return Err(FrameError::Length(length));
    }
    let wide = u16::try_from(length).map_err(|_| FrameError::Length(length))?;
    let [low, high] = wide.to_le_bytes();
    let second = match form {
        Form::Serial => link_control,
        Form::Block => high,
    };
    let mut packet = Vec::with_capacity(length);
    packet.extend([STX, low, second]);
    packet.extend(message);
    packet.push(ETX);
    packet.extend(checksum(&packet).to_le_bytes());
    Ok(packet)
}

/// Finds the packet at the start of the bytes; what follows it is not looked at.
///
/// # Errors
/// The first of STX, length, ETX and checksum that is wrong.
pub fn decode(form: Form, bytes: &[u8]) -> Result<Packet<'_>, FrameError> {
    let &[start, low, second, ..] = bytes else {
        return Err(FrameError::Length(bytes.len()));
    };
    if start != STX {
        return Err(FrameError::Start);
    }
    let (length, link_control) = match form {
        Form::Serial => (usize::from(low), second),
        Form::Block => (usize::from(u16::from_le_bytes([low, second])), 0),
    };
    let misfit = FrameError::Length(length);
    if !(OVERHEAD..=form.longest()).contains(&length) {
        return Err(misfit);
    }
    let packet = bytes.get(..length).ok_or(misfit)?;
    let (covered, sent) = packet.split_last_chunk::<CHECKSUM>().ok_or(misfit)?;
    let (end, rest) = covered.split_last().ok_or(misfit)?;
    if *end != ETX {
        return Err(FrameError::End);
    }
    let (sent, computed) = (u16::from_le_bytes(*sent), checksum(covered));
    if sent != computed {
        return Err(FrameError::Checksum { sent, computed });
    }
    Ok(Packet {
        link_control,
        message: rest.get(HEAD..).unwrap_or_default(),
        bytes: packet,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksum_is_that_of_the_catalogue() {
        assert_eq!(checksum(b"123456789"), 0x29b1);
        assert_eq!(checksum(&[0x02, 0x06, 0x06, 0x03]), 0x41cd);
    }

    #[test]
    fn link_control_packets_are_those_of_the_protocol_pages() {
        let examples: [(u8, [u8; 2]); 6] = [
            (0x08, [0xc2, 0x62]),
            (0x0b, [0x91, 0x37]),
            (0x04, [0xaf, 0x27]),
            (0x05, [0x9e, 0x14]),
            (0x06, [0xcd, 0x41]),
            (0x07, [0xfc, 0x72]),
        ];
        for (link, crc) in examples {
            let packet = encode(Form::Serial, link, &[]).unwrap();
            assert_eq!(packet, [STX, 6, link, ETX, crc[0], crc[1]]);
            let read = decode(Form::Serial, &packet).unwrap();
            assert_eq!((read.link_control, read.message), (link, &[][..]));
        }
    }

    #[test]
    fn both_forms_agree_on_short_packets_without_link_control() {
        let packet = encode(Form::Block, 0x5a, &[3, 0x20, 2]).unwrap();
        assert_eq!(packet, encode(Form::Serial, 0, &[3, 0x20, 2]).unwrap());
        assert_eq!(packet, [2, 9, 0, 3, 0x20, 2, 3, 0xd4, 0x92]);
    }

    #[test]
    fn block_form_carries_what_a_length_byte_cannot() {
        let message = [7; 300];
        let packet = encode(Form::Block, 0, &message).unwrap();
        assert_eq!(packet[1..3], [0x32, 0x01]);
        assert_eq!(decode(Form::Block, &packet).unwrap().message, message);
        let too_long = FrameError::Length(306);
        assert_eq!(encode(Form::Serial, 0, &message), Err(too_long));
        assert_eq!(
            encode(Form::Block, 0, &[0; 507]),
            Err(FrameError::Length(513))
        );
    }

    #[test]
    fn checks_come_in_order_start_length_end_checksum() {
        let good = encode(Form::Block, 0, &[3, 6]).unwrap();
        let spoilt = |at: usize, byte: u8| {
            let mut packet = good.clone();
            packet[at] = byte;
            packet
        };
        let refused = |bytes: &[u8]| decode(Form::Block, bytes).unwrap_err();
        assert_eq!(refused(&[]), FrameError::Length(0));
        assert_eq!(refused(&spoilt(0, 0)), FrameError::Start);
        assert_eq!(refused(&spoilt(1, 5)), FrameError::Length(5));
        assert_eq!(refused(&spoilt(2, 2)), FrameError::Length(520));
        assert_eq!(refused(&good[..7]), FrameError::Length(8));
        assert_eq!(refused(&spoilt(5, 0)), FrameError::End);
        let FrameError::Checksum { sent, computed } = refused(&spoilt(4, 9)) else {
            panic!("the checksum of a spoilt packet is wrong");
        };
        assert_ne!(sent, computed);
    }
}
