//! SCSI commands out of bulk transfers (USB Mass Storage, Bulk-Only Transport): a command, its data, its status.

use glucopipe_sdk::transcript::{Event, LINE_LIMIT};

use super::usb::Transfer;

/// First bytes of a command, and its length.
const COMMAND: [u8; 4] = *b"USBC";
const COMMAND_LEN: usize = 31;
/// First bytes of a status, and its length.
const STATUS: [u8; 4] = *b"USBS";
const STATUS_LEN: usize = 13;
/// Flag of a command: its data come from the device.
const FROM_DEVICE: u8 = 0x80;
/// Status of a command that failed, as Bulk-Only says it and as SCSI does.
const FAILED: u8 = 1;
const CHECK_CONDITION: u32 = 2;
/// Operation code of REQUEST SENSE (SPC), and the bytes of sense data that a transcript keeps.
const REQUEST_SENSE: u8 = 0x03;
const SENSE_MAX: usize = 32;

/// Whether data to a device are a command.
pub(super) fn is_command(data: &[u8]) -> bool {
    data.len() == COMMAND_LEN && data.starts_with(&COMMAND)
}

/// The commands of one disk.
#[derive(Debug, Default)]
pub(super) struct BulkOnly {
    open: Option<Open>,
    left_out: u64,
}

/// A command that has not ended.
#[derive(Debug)]
struct Open {
    tag: [u8; 4],
    block: Vec<u8>,
    from_device: bool,
    /// How long its data are.
    length: usize,
    data: Vec<u8>,
}

impl Open {
    /// Takes a command apart.
    fn of(data: &[u8]) -> Option<Self> {
        let number = |at: usize| data.get(at..)?.first_chunk::<4>().copied();
        let length = usize::from(*data.get(14)?);
        Some(Self {
            tag: number(4)?,
            length: usize::try_from(u32::from_le_bytes(number(8)?)).ok()?,
            from_device: data.get(12)? & FROM_DEVICE != 0,
            block: data.get(15..)?.get(..length)?.to_vec(),
            data: Vec::new(),
        })
    }

    fn wants_more(&self) -> bool {
        self.data.len() < self.length.min(LINE_LIMIT)
    }

    fn take(&mut self, data: &[u8]) {
        let room = self.length.min(LINE_LIMIT) - self.data.len();
        self.data.extend(data.iter().take(room));
    }
}

impl BulkOnly {
    /// Takes a transfer; a command that has ended becomes events.
    pub(super) fn transfer(&mut self, transfer: &Transfer<'_>, events: &mut Vec<Event>) {
        let data = transfer.data;
        match &mut self.open {
            Some(open) if !transfer.incoming && !open.from_device && open.wants_more() => {
                open.take(data);
            }
            _ if !transfer.incoming && is_command(data) => {
                self.left_out += u64::from(self.open.is_some());
                self.open = Open::of(data);
                self.left_out += u64::from(self.open.is_none());
            }
            _ if !transfer.incoming => {}
            Some(open) => match status(data, open.tag) {
                Some((status, residue)) => self.end(status, residue, events),
                None if open.from_device && open.wants_more() => open.take(data),
                None => {}
            },
            None => {}
        }
    }

    /// Commands of which the capture does not say how they ended.
    pub(super) fn left_out(&self) -> u64 {
        self.left_out + u64::from(self.open.is_some())
    }

    fn end(&mut self, status: u8, residue: u32, events: &mut Vec<Event>) {
        let Some(open) = self.open.take() else { return };
        if status > FAILED || open.length > LINE_LIMIT {
            self.left_out += 1;
            return;
        }
        // A link asks for the reason itself, and tells it with the status.
        if let (Some(Event::Status(CHECK_CONDITION, _, sense)), Some(&REQUEST_SENSE), 0) =
            (events.last_mut(), open.block.first(), status)
            && sense.is_empty()
        {
            sense.extend(open.data.iter().take(SENSE_MAX));
            return;
        }
        events.push(Event::Command(open.block));
        if !open.data.is_empty() {
            events.push(match open.from_device {
                true => Event::In(open.data),
                false => Event::Out(open.data),
            });
        }
        let status = if status == FAILED { CHECK_CONDITION } else { 0 };
        events.push(Event::Status(status, residue, Vec::new()));
    }
}

/// The status of a command, and how many bytes of its data were not transferred.
fn status(data: &[u8], tag: [u8; 4]) -> Option<(u8, u32)> {
    let rest = data
        .strip_prefix(&STATUS)
        .filter(|_| data.len() == STATUS_LEN)?;
    let (found, rest) = rest.split_first_chunk::<4>()?;
    let (residue, rest) = rest.split_first_chunk::<4>()?;
    (*found == tag).then_some((*rest.first()?, u32::from_le_bytes(*residue)))
}
