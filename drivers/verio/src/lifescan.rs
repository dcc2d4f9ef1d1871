//! What all binary LifeScan OneTouch protocols share, on USB and on serial lines.
//!
//! Packets and their checksum are in [`frame`], counted seconds in [`epoch`]. Commands, registers and
//! link control belong to each family. Nothing here does input or output, or panics on any bytes.
//! Facts: the public LifeScan binary protocol pages, replies captured from a Verio Flex.

pub mod epoch;
pub mod frame;

/// Second byte of the message of a reply: done (captured).
pub const STATUS_OK: u8 = 0x06;
