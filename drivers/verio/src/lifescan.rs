//! What LifeScan OneTouch protocols share, on USB and on serial lines.
//!
//! Packets of the binary ones and their checksum are in [`frame`], counted seconds in [`epoch`]; lines of
//! the one that is text in [`ultra2`]. Commands, registers and link control belong to each family. Nothing
//! here does input or output, or panics on any bytes.
//! Facts: the public LifeScan binary protocol pages, replies captured from a Verio Flex.

pub mod epoch;
pub mod frame;
pub mod ultra2;

/// Second byte of the message of a reply: done (captured).
pub const STATUS_OK: u8 = 0x06;
