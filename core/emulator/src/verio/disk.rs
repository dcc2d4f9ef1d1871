//! What every small disk answers (SPC and SBC), whatever its blocks hold.

use crate::scsi::{BLOCK_SIZE, CHECK_CONDITION, ScsiOutcome, ScsiTransfer};

use super::packet::Block;

/// Blocks of the disk.
const CAPACITY: u32 = 8192;
/// Time one command takes.
const COMMAND_MS: u32 = 1;
/// Offset of volume label and file-system name in the boot sector.
const LABEL_AT: usize = 0x2B;

/// Sense key, additional sense code and its qualifier.
pub(super) type Sense = [u8; 3];

/// Nothing to report.
const NO_SENSE: Sense = [0, 0, 0];
/// The operation code is not known.
pub(super) const UNKNOWN_COMMAND: Sense = [0x05, 0x20, 0x00];
/// The block does not exist.
pub(super) const NO_SUCH_BLOCK: Sense = [0x05, 0x21, 0x00];
/// A field of the command is not usable.
pub(super) const WRONG_FIELD: Sense = [0x05, 0x24, 0x00];
/// The command was given up.
pub(super) const ABORTED: Sense = [0x0B, 0x00, 0x00];

/// Blocks of a READ(10) or WRITE(10).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// First block.
    pub(super) lba: u32,
    /// Number of blocks.
    pub(super) blocks: u16,
    /// All flags of the command are zero.
    pub(super) plain: bool,
}

impl Span {
    /// All blocks exist.
    pub(super) fn exists(self) -> bool {
        u64::from(self.lba) + u64::from(self.blocks) <= u64::from(CAPACITY)
    }
}

/// A command descriptor block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command {
    /// TEST UNIT READY and PREVENT ALLOW MEDIUM REMOVAL.
    Ready,
    /// REQUEST SENSE with the allocation length.
    RequestSense(usize),
    /// INQUIRY with the allocation length.
    Inquiry(usize),
    /// READ CAPACITY(10).
    Capacity,
    /// MODE SENSE(6) with the allocation length.
    ModeSense6(usize),
    /// MODE SENSE(10) with the allocation length.
    ModeSense10(usize),
    /// READ(10).
    Read(Span),
    /// WRITE(10).
    Write(Span),
    /// Something with a field that is not usable.
    Wrong,
    /// Anything else.
    Unknown,
}

impl Command {
    /// Reads a command descriptor block.
    pub(super) fn parse(cdb: &[u8]) -> Self {
        match *cdb {
            [0x00 | 0x1E, _, _, _, _, _, ..] => Self::Ready,
            [0x03, _, _, _, length, _, ..] => Self::RequestSense(length.into()),
            // Vital product data pages are not kept.
            [0x12, 0, 0, high, low, _, ..] => Self::Inquiry(u16::from_be_bytes([high, low]).into()),
            [0x1A, _, _, _, length, _, ..] => Self::ModeSense6(length.into()),
            [0x5A, _, _, _, _, _, _, high, low, _, ..] => {
                Self::ModeSense10(u16::from_be_bytes([high, low]).into())
            }
            [0x25, _, _, _, _, _, _, _, _, _, ..] => Self::Capacity,
            [
                code @ (0x28 | 0x2A),
                flags,
                a,
                b,
                c,
                d,
                group,
                high,
                low,
                control,
                ref rest @ ..,
            ] => {
                let span = Span {
                    lba: u32::from_be_bytes([a, b, c, d]),
                    blocks: u16::from_be_bytes([high, low]),
                    plain: [flags, group, control]
                        .iter()
                        .chain(rest)
                        .all(|byte| *byte == 0),
                };
                if code == 0x28 {
                    Self::Read(span)
                } else {
                    Self::Write(span)
                }
            }
            [
                0x00 | 0x03 | 0x12 | 0x1A | 0x1E | 0x25 | 0x28 | 0x2A | 0x5A,
                ..,
            ] => Self::Wrong,
            _ => Self::Unknown,
        }
    }
}

/// The parts that are the same for all blocks.
#[derive(Debug)]
pub(super) struct Disk {
    /// Vendor field of INQUIRY.
    pub(super) vendor: [u8; 8],
    /// Product and revision fields of INQUIRY.
    pub(super) product: [u8; 20],
    /// Volume label and file-system name in the boot sector.
    pub(super) label: [u8; 19],
    /// Why the last command went wrong.
    sense: Sense,
    /// Time one command takes.
    elapsed_ms: u32,
}

impl Disk {
    /// A disk; `slow` in place of the usual time of a command.
    pub(super) fn new(
        vendor: [u8; 8],
        product: [u8; 20],
        label: [u8; 19],
        slow: Option<u32>,
    ) -> Self {
        Self {
            vendor,
            product,
            label,
            sense: NO_SENSE,
            elapsed_ms: slow.unwrap_or(COMMAND_MS),
        }
    }

    /// Runs every command that has nothing to do with blocks.
    pub(super) fn run(&mut self, command: Command, data: ScsiTransfer<'_>) -> ScsiOutcome {
        match command {
            Command::Ready => self.good(data.len()),
            Command::RequestSense(length) => {
                let sense = fixed_sense(self.sense);
                self.send(&sense, length, data)
            }
            Command::Inquiry(length) => {
                let inquiry = self.inquiry();
                self.send(&inquiry, length, data)
            }
            Command::Capacity => {
                let block = u32::try_from(BLOCK_SIZE).unwrap_or(0).to_be_bytes();
                let capacity = [(CAPACITY - 1).to_be_bytes(), block].concat();
                self.send(&capacity, capacity.len(), data)
            }
            Command::ModeSense6(length) => self.send(&[3, 0, 0, 0], length, data),
            Command::ModeSense10(length) => self.send(&[0, 6, 0, 0, 0, 0, 0, 0], length, data),
            Command::Unknown => self.check(UNKNOWN_COMMAND, data.len()),
            Command::Read(_) | Command::Write(_) | Command::Wrong => {
                self.check(WRONG_FIELD, data.len())
            }
        }
    }

    /// Sends bytes to the host, no more than it asked for.
    pub(super) fn send(
        &mut self,
        bytes: &[u8],
        most: usize,
        data: ScsiTransfer<'_>,
    ) -> ScsiOutcome {
        let bytes = bytes.get(..most).unwrap_or(bytes);
        match data {
            ScsiTransfer::In(buffer) => {
                let sent = bytes.len().min(buffer.len());
                for (slot, byte) in buffer.iter_mut().zip(bytes) {
                    *slot = *byte;
                }
                self.good(buffer.len() - sent)
            }
            ScsiTransfer::None => self.good(0),
            ScsiTransfer::Out(bytes) => self.check(WRONG_FIELD, bytes.len()),
        }
    }

    /// A command that went well.
    pub(super) fn good(&mut self, residue: usize) -> ScsiOutcome {
        self.sense = NO_SENSE;
        ScsiOutcome {
            residue: u32::try_from(residue).unwrap_or(u32::MAX),
            elapsed_ms: self.elapsed_ms,
            ..ScsiOutcome::default()
        }
    }

    /// A command that went wrong; nothing was transferred.
    pub(super) fn check(&mut self, sense: Sense, residue: usize) -> ScsiOutcome {
        let outcome = self.good(residue);
        self.sense = sense;
        ScsiOutcome {
            status: CHECK_CONDITION,
            sense: fixed_sense(sense).to_vec(),
            ..outcome
        }
    }

    /// The boot sector.
    pub(super) fn boot_sector(&self) -> Block {
        /// Jump, name, and parameters: 512-byte sectors, one a cluster, 8 reserved, two tables of
        /// 32, 512 entries in the root, 8192 sectors, fixed disk.
        const HEAD: [u8; 24] = [
            0xEB, 0x3C, 0x90, b'M', b'S', b'D', b'O', b'S', b'5', b'.', b'0', 0x00, 0x02, 0x01,
            0x08, 0x00, 0x02, 0x00, 0x02, 0x00, 0x20, 0xF8, 0x20, 0x00,
        ];
        const EXTENDED_AT: usize = 0x26;
        const SIGNATURE_AT: usize = BLOCK_SIZE - 2;
        let mut block = [0; BLOCK_SIZE];
        for (at, bytes) in [
            (0, HEAD.as_slice()),
            (EXTENDED_AT, &[0x29]),
            (LABEL_AT, &self.label),
            (SIGNATURE_AT, &[0x55, 0xAA]),
        ] {
            for (slot, byte) in block.iter_mut().skip(at).zip(bytes) {
                *slot = *byte;
            }
        }
        block
    }

    fn inquiry(&self) -> Vec<u8> {
        // Direct access, removable, SPC-2 without pages.
        let mut inquiry = vec![0x00, 0x80, 0x04, 0x02, 31, 0, 0, 0];
        inquiry.extend_from_slice(&self.vendor);
        inquiry.extend_from_slice(&self.product);
        inquiry
    }
}

fn fixed_sense([key, code, qualifier]: Sense) -> [u8; 18] {
    [
        0x70, 0, key, 0, 0, 0, 0, 10, 0, 0, 0, 0, code, qualifier, 0, 0, 0, 0,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_commands_of_the_reference() {
        let cdb = [0x2A, 0, 0, 0, 0, 3, 0, 0, 1, 0];
        let span = Span {
            lba: 3,
            blocks: 1,
            plain: true,
        };
        assert_eq!(Command::parse(&cdb), Command::Write(span));
        let cdb = [0x28, 0, 0, 0, 0, 3, 0, 0, 1, 0];
        assert_eq!(Command::parse(&cdb), Command::Read(span));
        assert_eq!(
            Command::parse(&[0x12, 0, 0, 0, 0x24, 0]),
            Command::Inquiry(36)
        );
    }

    #[test]
    fn notices_flags_and_short_commands() {
        for at in [1, 6, 9] {
            let mut cdb = [0x28, 0, 0, 0, 0, 3, 0, 0, 1, 0];
            cdb[at] = 8;
            assert!(
                matches!(Command::parse(&cdb), Command::Read(span) if !span.plain),
                "{at}"
            );
        }
        assert_eq!(Command::parse(&[0x28, 0, 0, 0, 0, 3]), Command::Wrong);
        // Vital product data.
        assert_eq!(Command::parse(&[0x12, 1, 0x80, 0, 0xFF, 0]), Command::Wrong);
        assert_eq!(Command::parse(&[0x35; 10]), Command::Unknown);
        assert_eq!(Command::parse(&[]), Command::Unknown);
    }
}
