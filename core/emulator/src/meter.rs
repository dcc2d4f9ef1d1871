//! The seam between a virtual meter and whatever carries its reports.

use std::fmt;

use crate::audit::Audit;

/// Size of a HID report body in both directions (contour.md section 2).
pub const REPORT_SIZE: usize = 64;

/// One HID meter seen from the host's end of the cable.
///
/// Time is virtual: the caller says how long it is willing to wait and is told how much of it
/// went by.
pub trait HidMeter: Send {
    /// Takes one report from the host; `report` is the 64-byte body without a report number.
    ///
    /// A body of another size is recorded as a violation and otherwise ignored.
    fn write(&mut self, report: &[u8]) -> Result<(), Unplugged>;

    /// Waits up to `wait_ms` of virtual time for one report to the host.
    fn read(&mut self, wait_ms: u32) -> Result<Answer, Unplugged>;

    /// Virtual time until the meter may have a report or act on its own; `None` when it waits for the
    /// host.
    fn due_ms(&self) -> Option<u32>;

    /// Tells what the meter noticed of the host's behaviour so far.
    fn audit(&self) -> Audit;
}

/// What came of waiting for a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The report, or `None` when the meter was silent for the whole time.
    pub report: Option<[u8; REPORT_SIZE]>,
    /// Virtual time that went by.
    pub elapsed_ms: u32,
}

/// The device left the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unplugged;

impl fmt::Display for Unplugged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the virtual meter was unplugged")
    }
}

impl std::error::Error for Unplugged {}

/// What a virtual meter is plugged into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LinkKind {
    /// HID reports: [`HidMeter`].
    Hid,
    /// SCSI commands: [`ScsiMeter`](crate::ScsiMeter).
    Scsi,
}

/// A HID device that is not there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Absent;

impl HidMeter for Absent {
    fn write(&mut self, _report: &[u8]) -> Result<(), Unplugged> {
        Err(Unplugged)
    }

    fn read(&mut self, _wait_ms: u32) -> Result<Answer, Unplugged> {
        Err(Unplugged)
    }

    fn due_ms(&self) -> Option<u32> {
        None
    }

    fn audit(&self) -> Audit {
        Audit::default()
    }
}

/// The ids in a USB device descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct UsbIds {
    /// Vendor id.
    pub vendor: u16,
    /// Product id.
    pub product: u16,
}

impl fmt::Display for UsbIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04x}:{:04x}", self.vendor, self.product)
    }
}
