//! Virtual meters as USB devices, and the messages that carry a USB device to a kernel.
//!
//! Pure as the rest: [`UsbDevice`] answers transfers, [`UsbipPort`] turns a stream of USB/IP messages
//! into transfers and back. Whoever owns the stream does the input and output, tells how much time
//! went by, and waits as long as [`UsbipPort::wait_ms`] says.
//!
//! Facts: USB 2.0 chapter 9, HID 1.11, Mass Storage Bulk-Only 1.0, and USB/IP as the Linux kernel
//! documents it. Which interfaces and endpoints a meter has is in the references; their order,
//! the manufacturer strings and the report descriptor are invented.

mod bulk_only;
mod bystander;
mod command_block;
mod control;
mod descriptor;
mod device;
mod hid;
mod port;
#[cfg(test)]
mod tests;
mod wire;

pub(crate) use descriptor::{Identity, Shape};
pub use device::UsbDevice;
pub use port::UsbipPort;
pub use wire::WireError;

/// Answers that are due within this time come at once, so that a transfer of many records takes no
/// longer than the host makes it. Longer silences are kept.
const HURRY_MS: u32 = 200;
/// Packet size of every endpoint, the largest for control, bulk and interrupt at full speed.
const PACKET: u8 = 64;

/// How a transfer ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// To the host: these bytes, as many as were asked for or fewer.
    Sent(Vec<u8>),
    /// From the host: that many bytes were taken.
    Took(usize),
    /// The endpoint stalled.
    Stalled,
    /// The device had more for the host than the host had room for.
    Babble,
}
