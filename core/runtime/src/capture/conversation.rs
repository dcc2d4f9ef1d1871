//! What one device said, as events of a transcript.

use glucopipe_sdk::transcript::{Event, LINE_LIMIT};

use super::Source;
use super::bulk_only::BulkOnly;
use super::packets::{CaptureError, visit};
use super::survey::Seen;
use super::usb::{Address, Kind, Transfer};

/// Most events and bytes that are taken.
const EVENTS: usize = 1 << 20;
const BYTES: usize = 64 << 20;
/// First bytes of the request that sends a report where there is no endpoint for it (HID 1.11, 7.2.2).
const SET_REPORT: [u8; 2] = [0x21, 0x09];

/// Whether a request sends a report.
pub(super) fn sets_report(setup: [u8; 8]) -> bool {
    setup.starts_with(&SET_REPORT)
}

/// The events of one device.
#[derive(Debug, Default)]
pub(super) struct Conversation {
    /// The events, in order.
    pub(super) events: Vec<Event>,
    /// SCSI commands without an end.
    pub(super) left_out: u64,
}

impl Conversation {
    /// Takes what a device said out of a capture.
    ///
    /// # Errors
    /// As [`visit`], and when packets of it are not whole, or too many.
    pub(super) fn of(
        input: impl Source,
        device: Address,
        seen: Seen,
    ) -> Result<Self, CaptureError> {
        let mut made = Self::default();
        let mut disk = BulkOnly::default();
        // A request and its data may be two packets.
        let mut sets = false;
        let mut bytes = 0;
        visit(input, |transfer| {
            if transfer.at != device {
                return Ok(());
            }
            let taken = match (transfer.kind, seen.is_hid()) {
                (Kind::Interrupt, true) => report(transfer),
                (Kind::Control, true) => {
                    if let Some(setup) = transfer.setup {
                        sets = sets_report(setup);
                    }
                    let sent = sets && !transfer.incoming && !transfer.data.is_empty();
                    sets &= !sent;
                    sent.then(|| Event::Out(transfer.data.to_vec()))
                }
                (Kind::Bulk, false) => {
                    disk.transfer(transfer, &mut made.events);
                    None
                }
                _ => return Ok(()),
            };
            if transfer.is_cut {
                return Err(CaptureError::Cut);
            }
            bytes += transfer.data.len();
            made.events.extend(taken);
            let much =
                made.events.len() > EVENTS || bytes > BYTES || transfer.data.len() > LINE_LIMIT;
            match much {
                true => Err(CaptureError::TooMuch("traffic")),
                false => Ok(()),
            }
        })?;
        made.left_out = disk.left_out();
        Ok(made)
    }
}

fn report(transfer: &Transfer<'_>) -> Option<Event> {
    let data = transfer.data.to_vec();
    let event = match transfer.incoming {
        true => Event::In(data),
        false => Event::Out(data),
    };
    (!transfer.data.is_empty()).then_some(event)
}
