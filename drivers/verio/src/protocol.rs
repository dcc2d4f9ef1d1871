//! The protocol of the Verio family without any input or output: no device, no clock, no panic on any
//! bytes.
//!
//! A [`command`] is written to its register, a block of the meter's disk ([`scsi`]); what the register
//! then reads is a [`reply`], and behind that a [`text`] or a [`record`]. Packets are those of
//! [`crate::lifescan`]. What to repeat, and what to write at all, is not decided here.

pub mod command;
pub mod record;
pub mod reply;
pub mod scrub;
pub mod scsi;
pub mod text;

#[cfg(test)]
mod properties;
