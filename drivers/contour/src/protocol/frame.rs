//! One LIS1-A frame: its parts, its checksum, and the way back to bytes.
//!
//! `STX FN body ETX|ETB C1 C2 CR LF`. The order of frames is [`super::sequence`], what a body means
//! is [`super::join`] and [`super::record`]. Checksums recomputed on captured Contour USB traffic.

use std::error::Error;
use std::fmt;

use super::{CR, ETB, ETX, LF, STX};

/// A frame whose checksum is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Frame number, 0 to 7.
    pub number: u8,
    /// What lies between the frame number and the end byte, with the CR that ends a record.
    pub body: &'a [u8],
    /// The end byte.
    pub end: FrameEnd,
}

/// The byte that ends a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameEnd {
    /// `ETB`: more frames follow.
    Etb,
    /// `ETX`: the last frame.
    Etx,
}

impl FrameEnd {
    /// Returns the byte on the wire.
    pub const fn byte(self) -> u8 {
        match self {
            Self::Etb => ETB,
            Self::Etx => ETX,
        }
    }
}

impl<'a> Frame<'a> {
    /// Takes a frame apart and checks it; lower-case checksum digits are accepted.
    ///
    /// A body without the closing CR is a good frame: [`super::join::Joiner`] decides what it means.
    pub fn parse(raw: &'a [u8]) -> Result<Self, FrameError> {
        let [STX, digit, body @ .., end, high, low, CR, LF] = raw else {
            return Err(FrameError::Shape);
        };
        let end = match *end {
            ETX => FrameEnd::Etx,
            ETB => FrameEnd::Etb,
            _ => return Err(FrameError::Shape),
        };
        let (Some(high), Some(low)) = (hex_digit(*high), hex_digit(*low)) else {
            return Err(FrameError::Shape);
        };
        let sent = high << 4 | low;
        let computed = checksum(*digit, body, end);
        if sent != computed {
            return Err(FrameError::Checksum { sent, computed });
        }
        match digit {
            b'0'..=b'7' => Ok(Self {
                number: digit - b'0',
                body,
                end,
            }),
            _ => Err(FrameError::Number(*digit)),
        }
    }

    /// Returns the body without its closing CR.
    pub fn text(&self) -> &'a [u8] {
        self.body.strip_suffix(&[CR]).unwrap_or(self.body)
    }

    /// Returns the bytes on the wire.
    pub fn to_bytes(&self) -> Vec<u8> {
        encode(self.number, self.body, self.end)
    }
}

/// Builds a frame; the frame number is taken modulo 8, the body is used as it is.
pub fn encode(number: u8, body: &[u8], end: FrameEnd) -> Vec<u8> {
    let digit = b'0' + number % 8;
    let sum = checksum(digit, body, end);
    let mut raw = Vec::with_capacity(body.len() + 7);
    raw.extend([STX, digit]);
    raw.extend(body);
    raw.push(end.byte());
    raw.extend(format!("{sum:02X}").into_bytes());
    raw.extend([CR, LF]);
    raw
}

/// Sum of all bytes from the frame number to the end byte, modulo 256 (LIS1-A).
fn checksum(digit: u8, body: &[u8], end: FrameEnd) -> u8 {
    body.iter()
        .fold(digit.wrapping_add(end.byte()), |sum, byte| {
            sum.wrapping_add(*byte)
        })
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

/// Why a frame is answered with NAK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// The bytes do not have the form of a frame.
    Shape,
    /// The frame number is not a digit from 0 to 7.
    Number(u8),
    /// The checksum does not fit.
    Checksum {
        /// The checksum the meter sent.
        sent: u8,
        /// The checksum of the bytes received.
        computed: u8,
    },
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shape => write!(f, "the bytes are not a frame"),
            Self::Number(byte) => write!(f, "frame number byte {byte:02x}, expected 30 to 37"),
            Self::Checksum { sent, computed } => {
                write!(f, "frame checksum {sent:02X}, computed {computed:02X}")
            }
        }
    }
}

impl Error for FrameError {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Worked by hand with invented values: 50 bytes, checksum 15.
    const WORKED: &[u8] = b"\x023R|1|^^^Glucose|93|mg/dL^P||B||202605301805\r\x1715\r\n";

    #[test]
    fn worked_frame_is_encoded_and_parsed() {
        let body = b"R|1|^^^Glucose|93|mg/dL^P||B||202605301805\r";
        assert_eq!(WORKED.len(), 50);
        assert_eq!(encode(3, body, FrameEnd::Etb), WORKED);
        let frame = Frame::parse(WORKED).unwrap();
        assert_eq!(
            frame,
            Frame {
                number: 3,
                body,
                end: FrameEnd::Etb
            }
        );
        assert_eq!(frame.text(), &body[..body.len() - 1]);
        assert_eq!(frame.to_bytes(), WORKED);
    }

    #[test]
    fn accepts_lower_case_checksum() {
        let upper = encode(1, b"A\r", FrameEnd::Etb);
        assert_eq!(upper, b"\x021A\r\x1796\r\n");
        for body in [&b"ANYTEXT\r"[..], b"P|3\r", b"P|5\r", b"P|9\r"] {
            let mut lower = encode(6, body, FrameEnd::Etx);
            let tail = lower.len() - 4;
            lower[tail..].make_ascii_lowercase();
            assert_eq!(Frame::parse(&lower).unwrap().body, body);
        }
    }

    #[test]
    fn rejects_frame_with_bad_checksum() {
        let mut raw = WORKED.to_vec();
        raw[4] = b'2';
        let error = FrameError::Checksum {
            sent: 0x15,
            computed: 0x16,
        };
        assert_eq!(Frame::parse(&raw), Err(error));
        assert_eq!(error.to_string(), "frame checksum 15, computed 16");
    }

    #[test]
    fn rejects_frame_numbers_that_are_no_octal_digit() {
        for digit in [b'8', b'9', b'A', b' '] {
            let sum = checksum(digit, b"P|1\r", FrameEnd::Etb);
            let tail = format!("{sum:02X}\r\n");
            let raw = [&[STX, digit], &b"P|1\r\x17"[..], tail.as_bytes()];
            assert_eq!(Frame::parse(&raw.concat()), Err(FrameError::Number(digit)));
        }
    }

    #[test]
    fn rejects_cut_and_shapeless_bytes() {
        for end in 0..WORKED.len() {
            assert!(Frame::parse(&WORKED[..end]).is_err());
        }
        assert_eq!(
            Frame::parse(b"\x021P|1\r\x18ZZ\r\n"),
            Err(FrameError::Shape)
        );
        assert_eq!(
            Frame::parse(b"\x021P|1\r\x17ZZ\r\n"),
            Err(FrameError::Shape)
        );
    }

    #[test]
    fn body_without_closing_cr_is_a_good_frame() {
        let raw = encode(1, b"ANYTEXT", FrameEnd::Etb);
        assert_eq!(Frame::parse(&raw).unwrap().text(), b"ANYTEXT");
    }
}
