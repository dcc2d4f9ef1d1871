//! Which devices talk in a capture, and how.

use std::collections::BTreeMap;
use std::fmt;

use super::bulk_only::is_command;
use super::packets::{CaptureError, End, visit};
use super::usb::{Address, Kind, Transfer};
use super::{Source, conversation};

/// Most devices in a capture.
const DEVICES: usize = 4096;
/// Length and type of the description of a device (USB 2.0, 9.6.1), and where its vendor and product are.
const DESCRIPTION: [u8; 2] = [18, 1];
const VENDOR_AT: usize = 8;

/// What was seen of a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// Vendor and product, if the capture has the device's description.
    pub(super) ids: Option<(u16, u16)>,
    /// Reports from it.
    pub(super) received: u64,
    /// Reports to it.
    pub(super) sent: u64,
    /// SCSI commands.
    pub(super) commands: u64,
}

impl Seen {
    /// Whether it may be a meter.
    pub(super) fn fits(&self) -> bool {
        (self.sent > 0 && self.received > 0) || self.commands > 0
    }

    /// Whether its reports are the conversation; a meter may have a disk besides, with programs of its maker.
    pub(super) fn is_hid(&self) -> bool {
        self.received > 0 && (self.sent > 0 || self.commands == 0)
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ids {
            Some((vendor, product)) => write!(f, "{vendor:04x}:{product:04x}")?,
            None => f.write_str("unknown ids")?,
        }
        let Self {
            received,
            sent,
            commands,
            ..
        } = self;
        write!(
            f,
            ", {sent} reports to it and {received} from it, {commands} SCSI commands"
        )
    }
}

/// All devices of a capture.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// The devices.
    pub(super) devices: BTreeMap<Address, Seen>,
    /// Whether the file ends within a packet.
    pub(super) cut_off: bool,
}

impl Survey {
    /// Looks through a capture.
    ///
    /// # Errors
    /// As [`visit`].
    pub(super) fn of(input: impl Source) -> Result<Self, CaptureError> {
        let mut survey = Self::default();
        let end = visit(input, |transfer| survey.note(transfer))?;
        survey.cut_off = end == End::CutOff;
        Ok(survey)
    }

    fn note(&mut self, transfer: &Transfer<'_>) -> Result<(), CaptureError> {
        if self.devices.len() == DEVICES && !self.devices.contains_key(&transfer.at) {
            return Err(CaptureError::TooMuch("devices"));
        }
        let seen = self.devices.entry(transfer.at).or_default();
        match transfer.kind {
            Kind::Interrupt if transfer.incoming => seen.received += 1,
            Kind::Interrupt => seen.sent += 1,
            Kind::Control if transfer.setup.is_some_and(conversation::sets_report) => {
                seen.sent += 1;
            }
            Kind::Control if transfer.incoming => {
                if let Some(ids) = ids(transfer.data) {
                    seen.ids = Some(ids);
                }
            }
            Kind::Bulk if !transfer.incoming && is_command(transfer.data) => seen.commands += 1,
            Kind::Control | Kind::Bulk => {}
        }
        Ok(())
    }
}

/// Vendor and product out of the description of a device.
fn ids(data: &[u8]) -> Option<(u16, u16)> {
    let rest = data.strip_prefix(&DESCRIPTION)?;
    let four: [u8; 4] = *rest.get(VENDOR_AT - DESCRIPTION.len()..)?.first_chunk()?;
    let [a, b, c, d] = four;
    Some((u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d])))
}
