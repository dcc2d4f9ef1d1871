//! A disk that does what bytes say, for the fuzz target `csw` and the test that replays its corpus.

use glucopipe_runtime::transport::link::LinkError;
use glucopipe_runtime::transport::scsi::Disk;
use glucopipe_runtime::transport::scsi::bulk_only::{BulkOnly, Fault, Moved, Pipe};
use glucopipe_runtime::transport::scsi::wire::{CSW_LEN, Csw, Direction, Outcome};
use glucopipe_sdk::link::ScsiData;

/// Time of a command; a pipe that waits uses it up.
const TIMEOUT_MS: u32 = 1_000;
/// More transfers than a command can take: each brings a byte, costs a wait, or ends a phase.
const TRANSFERS_MAX: u32 = 2_000;

/// The pipe of that disk. Bytes that are used up unplug it.
struct Script<'a> {
    bytes: &'a [u8],
    tag: u32,
    /// What came to the host so far.
    heard: Vec<u8>,
    transfers: &'a std::cell::Cell<u32>,
}

impl Script<'_> {
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(*first)
    }

    fn fault(&mut self) -> Option<Fault> {
        self.transfers.set(self.transfers.get() + 1);
        match self.next() {
            None => Some(Fault::Gone),
            Some(byte) => match byte % 16 {
                0 => Some(Fault::Timeout),
                1 => Some(Fault::Stall),
                2 => Some(Fault::Gone),
                3 => Some(Fault::Other("as the script says".into())),
                _ => None,
            },
        }
    }
}

impl Pipe for Script<'_> {
    fn send(&mut self, bytes: &[u8], _wait_ms: u32) -> Moved {
        if let [b'U', b'S', b'B', b'C', a, b, c, d, ..] = *bytes {
            self.tag = u32::from_le_bytes([a, b, c, d]);
        }
        let fault = self.fault();
        // Also more than there was to send.
        let len = match fault {
            None => bytes.len(),
            Some(_) => self.next().map_or(0, usize::from),
        };
        Moved { len, fault }
    }

    fn receive(&mut self, buffer: &mut [u8], _wait_ms: u32) -> Moved {
        let fault = self.fault();
        let kind = self.next().unwrap_or(0);
        let status = Csw {
            tag: self.tag,
            residue: u32::from(kind >> 4),
            outcome: [Outcome::Passed, Outcome::Failed, Outcome::PhaseError][usize::from(kind % 3)],
        };
        let wrapped = status.encode();
        let said = match kind % 4 {
            0 => &wrapped[..],
            1 => {
                let len = usize::from(self.next().unwrap_or(0)).min(self.bytes.len());
                let (said, rest) = self.bytes.split_at(len);
                self.bytes = rest;
                said
            }
            2 => &[0; 512],
            _ => &[],
        };
        let len = said.len().min(buffer.len());
        buffer[..len].copy_from_slice(&said[..len]);
        self.heard.extend_from_slice(&buffer[..len]);
        Moved {
            len: said.len(),
            fault,
        }
    }

    fn clear_halt(&mut self, _direction: Direction) -> Result<(), Fault> {
        self.fault().map_or(Ok(()), Err)
    }

    fn reset(&mut self) -> Result<(), Fault> {
        self.fault().map_or(Ok(()), Err)
    }
}

/// Runs commands until the bytes are used up. Whatever they are: nothing panics, every command ends, and what
/// is reported of one is possible.
pub(crate) fn run(bytes: &[u8]) {
    if let Ok(csw) = Csw::decode(bytes) {
        assert_eq!(csw.encode(), bytes);
    }
    let transfers = std::cell::Cell::new(0);
    let mut disk = BulkOnly::new(Script {
        bytes,
        tag: 0,
        heard: Vec::new(),
        transfers: &transfers,
    });
    for round in 0..64 {
        transfers.set(0);
        let mut buffer = [0; 512];
        let (cdb, data, len): (&[u8], _, usize) = match round % 4 {
            0 => (
                &[0x12, 0, 0, 0, 36, 0],
                ScsiData::From(&mut buffer[..36]),
                36,
            ),
            1 => (&[0x28; 10], ScsiData::From(&mut buffer), 512),
            2 => (&[0x2a; 10], ScsiData::To(&[0; 512]), 512),
            _ => (&[0; 6], ScsiData::None, 0),
        };
        let done = disk.command(&|| false, TIMEOUT_MS, cdb, data);
        assert!(transfers.get() < TRANSFERS_MAX);
        match done {
            Ok(status) => {
                assert!(matches!(status.status, 0 | 2));
                assert!(status.residue as usize <= len && status.sense.len() <= 18);
                assert!(status.status == 2 || status.sense.is_empty());
                let heard = &disk.pipe().heard;
                let last = &heard[heard.len() - CSW_LEN..];
                let last = Csw::decode(last).expect("a status came last");
                assert_eq!(last.tag, disk.pipe().tag);
                assert_ne!(last.outcome, Outcome::PhaseError);
            }
            Err(LinkError::Lost) => return,
            Err(LinkError::Timeout | LinkError::Io(_)) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
}
