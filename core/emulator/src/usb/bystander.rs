//! A HID device that is no meter, though its reports look the same.

use crate::audit::Audit;
use crate::meter::{Answer, HidMeter, Unplugged, UsbIds};

/// Its ids: those set apart for private tests, which no driver may claim.
pub(super) const IDS: UsbIds = UsbIds {
    vendor: 0x1209,
    product: 0x0001,
};

/// Takes no report and sends none.
#[derive(Debug, Default)]
pub(super) struct Bystander(Audit);

impl HidMeter for Bystander {
    fn write(&mut self, _report: &[u8]) -> Result<(), Unplugged> {
        self.0.reports_received += 1;
        self.0
            .violation("wrote a report to a device that is no meter");
        Ok(())
    }

    fn read(&mut self, wait_ms: u32) -> Result<Answer, Unplugged> {
        Ok(Answer {
            report: None,
            elapsed_ms: wait_ms,
        })
    }

    fn due_ms(&self) -> Option<u32> {
        None
    }

    fn audit(&self) -> Audit {
        self.0.clone()
    }
}
