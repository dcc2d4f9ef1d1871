//! A transcript of this driver made fit to be shared; what is replaced is told in [`crate::protocol::scrub`].

use glucopipe_sdk::scrub::Disguise;
use glucopipe_sdk::transcript::{Event, Transcript};
use glucopipe_sdk::{Error, Result, Status};

use crate::protocol::command::Register;
use crate::protocol::scrub::Scrubber;
use crate::protocol::scsi::{INQUIRY, REQUEST_SENSE, read_10, write_10};

/// Operation code of READ CAPACITY(10) (SBC): how many blocks there are.
const READ_CAPACITY: u8 = 0x25;
/// Operation code of MODE SENSE(6) (SPC): settings of the disk.
const MODE_SENSE: u8 = 0x1a;

/// What the data of a command are.
enum Data {
    Request(Register),
    Reply(Register),
    BootSector,
    Inquiry,
    /// The disk's own.
    Disk,
    Unknown,
}

impl Data {
    fn of(command: &[u8]) -> Self {
        for register in [Register::General, Register::Parameters] {
            if *command == write_10(register.lba()) {
                return Self::Request(register);
            }
            if *command == read_10(register.lba()) {
                return Self::Reply(register);
            }
        }
        match command {
            command if *command == read_10(0) => Self::BootSector,
            // The byte behind the operation asks for pages, some of which hold a serial.
            [operation, 0, ..] if *operation == INQUIRY[0] => Self::Inquiry,
            [operation, ..]
                if [REQUEST_SENSE[0], READ_CAPACITY, MODE_SENSE].contains(operation) =>
            {
                Self::Disk
            }
            _ => Self::Unknown,
        }
    }
}

/// Scrubs a transcript.
///
/// # Errors
/// When it is none of a disk, or a date cannot be moved.
pub(crate) fn scrub(transcript: &mut Transcript, disguise: &Disguise) -> Result<()> {
    let refused = |what: String| Error::new(Status::Protocol, what);
    if transcript.link != "scsi" {
        let what = format!("a Verio has no link `{}`", transcript.link);
        return Err(refused(what));
    }
    let mut scrubber = Scrubber::new(disguise);
    let mut data = Data::Unknown;
    for (line, event) in &mut transcript.events {
        let scrubbed = match (event, &data) {
            (Event::Command(command), _) => {
                data = Data::of(command);
                continue;
            }
            (Event::Out(block), Data::Request(register)) => scrubber.request(*register, block),
            (Event::In(block), Data::Reply(register)) => scrubber.reply(*register, block),
            (Event::In(block), Data::BootSector) => {
                Scrubber::boot_sector(block);
                Ok(())
            }
            (Event::In(bytes), Data::Inquiry) => {
                Scrubber::inquiry(bytes);
                Ok(())
            }
            (Event::In(_), Data::Disk) => Ok(()),
            (Event::In(bytes) | Event::Out(bytes), _) => {
                bytes.fill(0);
                Ok(())
            }
            (Event::Status(..) | Event::Silence(_) | Event::Lost | Event::Opened, _) => Ok(()),
        };
        scrubbed.map_err(|error| refused(format!("line {line}: {error}")))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use glucopipe_sdk::scrub::KEY;

    use super::*;

    #[test]
    fn blocks_of_others_are_emptied_and_other_links_refused() {
        let disguise = Disguise::new([1; KEY], -1);
        let event = |event| (0, event);
        let full = || vec![7; 16];
        let mut transcript = Transcript {
            link: "scsi".into(),
            usb: None,
            events: vec![
                event(Event::In(full())),
                event(Event::Command(read_10(0).into())),
                event(Event::In(vec![7; 0x2c])),
                event(Event::Status(0, 0, Vec::new())),
                event(Event::Command(vec![0x12, 1, 0x80, 0, 36, 0])),
                event(Event::In(full())),
                event(Event::Command(vec![
                    READ_CAPACITY,
                    0,
                    0,
                    0,
                    0,
                    0,
                    0,
                    0,
                    0,
                    0,
                ])),
                event(Event::In(full())),
                event(Event::Command(write_10(212).into())),
                event(Event::Out(full())),
                event(Event::Lost),
            ],
        };
        scrub(&mut transcript, &disguise).unwrap();
        let data = |at: usize| match &transcript.events[at].1 {
            Event::In(bytes) | Event::Out(bytes) => bytes.clone(),
            other => panic!("{other:?}"),
        };
        for emptied in [0, 5, 9] {
            assert_eq!(data(emptied), [0; 16]);
        }
        assert_eq!(data(7), full());
        assert_eq!(data(2)[0x26..], [7, 0, 0, 0, 0, 7]);
        transcript.link = "hid".into();
        let error = scrub(&mut transcript, &disguise).unwrap_err();
        assert_eq!(error.status, Status::Protocol);
    }
}
