//! The HID interface: reports between a meter and the interrupt endpoints (HID 1.11).

use super::control::{GET_DESCRIPTOR, STANDARD_INTERFACE, Setup};
use super::{Ended, HURRY_MS, descriptor};
use crate::audit::Audit;
use crate::meter::{HidMeter, REPORT_SIZE, Unplugged};

/// Vendor-defined usages: one report of 64 bytes in each direction, without a number.
pub(super) const REPORT_DESCRIPTOR: &[u8] = &[
    0x06, 0x00, 0xFF, // usage page: vendor-defined
    0x09, 0x01, // usage 1
    0xA1, 0x01, // collection: application
    0x15, 0x00, // logical minimum 0
    0x26, 0xFF, 0x00, // logical maximum 255
    0x75, 0x08, // 8 bits
    0x95, 0x40, // 64 times
    0x09, 0x02, // usage 2
    0x81, 0x02, // input: variable
    0x09, 0x03, // usage 3
    0x91, 0x02, // output: variable
    0xC0, // end of the collection
];

/// Class requests.
const GET_REPORT: u8 = 1;
const GET_IDLE: u8 = 2;
const SET_REPORT: u8 = 9;
const SET_IDLE: u8 = 10;
/// Types of reports.
const INPUT: u8 = 1;
const OUTPUT: u8 = 2;

/// Size of the report descriptor as the HID descriptor tells it.
pub(super) fn report_descriptor_size() -> [u8; 2] {
    u16::try_from(REPORT_DESCRIPTOR.len())
        .unwrap_or(0)
        .to_le_bytes()
}

/// A HID interface.
pub(super) struct Hid {
    meter: Box<dyn HidMeter>,
    idle: u8,
    /// Time that went by and that the meter was not told yet: it has none but that of its reads.
    owed_ms: u32,
    /// The last report that went out, for a host that asks on the default endpoint.
    last: [u8; REPORT_SIZE],
}

impl Hid {
    /// The interface of a meter.
    pub(super) fn new(meter: Box<dyn HidMeter>) -> Self {
        Self {
            meter,
            idle: 0,
            owed_ms: 0,
            last: [0; REPORT_SIZE],
        }
    }

    /// Answers a request to the interface.
    pub(super) fn control(&mut self, setup: Setup, data: &[u8]) -> Result<Ended, Unplugged> {
        let class = setup.kind != STANDARD_INTERFACE;
        Ok(match (class, setup.request, setup.to_host) {
            (false, GET_DESCRIPTOR, true) => match setup.value_high() {
                descriptor::HID => Ended::Sent(descriptor::hid().to_vec()),
                descriptor::REPORT => Ended::Sent(descriptor::report().to_vec()),
                _ => Ended::Stalled,
            },
            (true, GET_IDLE, true) => Ended::Sent(vec![self.idle]),
            (true, SET_IDLE, false) => {
                self.idle = setup.value_high();
                Ended::Took(0)
            }
            (true, GET_REPORT, true) if setup.value_high() == INPUT => {
                Ended::Sent(self.last.to_vec())
            }
            (true, SET_REPORT, false) if setup.value_high() == OUTPUT => self.take(data)?,
            _ => Ended::Stalled,
        })
    }

    /// Takes a report from the host.
    pub(super) fn take(&mut self, report: &[u8]) -> Result<Ended, Unplugged> {
        self.meter.write(report)?;
        Ok(Ended::Took(report.len()))
    }

    /// Gives a report to the host, if there is one by now.
    pub(super) fn give(&mut self, length: usize) -> Result<Option<Ended>, Unplugged> {
        // A turn without a report ends a timer of the meter, and those last longer than the hurry.
        loop {
            let soon = self.owed_ms.saturating_add(HURRY_MS);
            let due = self.meter.due_ms().filter(|due| *due <= soon);
            let answer = self.meter.read(due.unwrap_or(0).max(self.owed_ms))?;
            self.owed_ms = self.owed_ms.saturating_sub(answer.elapsed_ms);
            match answer.report {
                Some(report) => {
                    self.last = report;
                    return Ok(Some(if length < REPORT_SIZE {
                        Ended::Babble
                    } else {
                        Ended::Sent(report.to_vec())
                    }));
                }
                None if due.is_none() => return Ok(None),
                None => {}
            }
        }
    }

    /// Lets time go by.
    pub(super) fn pass(&mut self, elapsed_ms: u32) {
        self.owed_ms = self.owed_ms.saturating_add(elapsed_ms);
    }

    /// Time until a waiting host may get a report.
    pub(super) fn wait_ms(&self) -> Option<u32> {
        let due = self.meter.due_ms()?;
        Some(due.saturating_sub(HURRY_MS).saturating_sub(self.owed_ms))
    }

    /// What the meter noticed.
    pub(super) fn audit(&self) -> Audit {
        self.meter.audit()
    }
}
