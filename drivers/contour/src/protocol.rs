//! The Contour protocol without any input or output: no device, no clock, no panic on any bytes.
//!
//! The layers, from the wire upwards: [`report`] (HID reports) → [`token`] (the byte stream) →
//! [`frame`], [`sequence`] and [`join`] (LIS1-A) → [`header`], [`record`], [`result`] (LIS2-A) →
//! [`completeness`]; beside them [`command`], the command mode. Which byte to answer, and when, is not
//! decided here.

pub mod command;
pub mod completeness;
pub mod decimal;
pub mod frame;
pub mod header;
pub mod join;
pub mod limits;
pub mod local_time;
pub mod markers;
pub mod model;
pub mod record;
pub mod report;
pub mod result;
pub mod scrub;
pub mod sequence;
mod text;
pub mod token;

#[cfg(test)]
mod properties;
#[cfg(test)]
pub(crate) mod samples;

/// Start of a frame (LIS1-A `<STX>`).
pub const STX: u8 = 0x02;
/// End of the last frame of a message (LIS1-A `<ETX>`).
pub const ETX: u8 = 0x03;
/// End of every other frame (LIS1-A `<ETB>`).
pub const ETB: u8 = 0x17;
/// Ends a record, and starts the end of a frame (LIS1-A and LIS2-A `<CR>`).
pub const CR: u8 = 0x0d;
/// Last byte of a frame (LIS1-A `<LF>`).
pub const LF: u8 = 0x0a;
/// Wakes a meter up: the letter X (captured: vendor software on a Contour Next Link).
pub const WAKE_UP: u8 = b'X';

/// A control byte that stands alone between frames (LIS1-A).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Control {
    /// `EOT`: the sender gives the line back.
    Eot = 0x04,
    /// `ENQ`: asks whether the other side is ready to receive.
    Enq = 0x05,
    /// `ACK`: yes, or the last frame was good.
    Ack = 0x06,
    /// `NAK`: no, or the last frame was bad. 15 in hexadecimal, not decimal.
    Nak = 0x15,
}

impl Control {
    /// Returns the byte on the wire.
    pub const fn byte(self) -> u8 {
        self as u8
    }

    /// Recognises a control byte.
    pub const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0x04 => Some(Self::Eot),
            0x05 => Some(Self::Enq),
            0x06 => Some(Self::Ack),
            0x15 => Some(Self::Nak),
            _ => None,
        }
    }
}
