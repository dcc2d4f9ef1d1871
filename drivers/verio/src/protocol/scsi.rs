//! Command blocks, what they answer, and how a disk shows that it is a meter.

use std::fmt;

/// Bytes of a block.
pub const BLOCK: usize = 512;
/// Bytes of [`INQUIRY`] data.
pub const INQUIRY_LEN: usize = 36;
/// Bytes of sense data that are asked for.
pub const SENSE_LEN: usize = 18;

/// INQUIRY, 36 bytes (SPC).
pub const INQUIRY: [u8; 6] = [0x12, 0, 0, 0, 36, 0];
/// REQUEST SENSE, 18 bytes (SPC).
pub const REQUEST_SENSE: [u8; 6] = [0x03, 0, 0, 0, 18, 0];
/// Operation code of READ(10) (SBC).
const READ_10: u8 = 0x28;
/// Operation code of WRITE(10) (SBC).
const WRITE_10: u8 = 0x2a;

/// Where INQUIRY data name the vendor (SPC).
const VENDOR_AT: usize = 8;
/// The vendor that meters name (LifeScan protocol pages, other programs).
const VENDOR: &[u8; 8] = b"LifeScan";
/// First byte of INQUIRY data: a disk, and it is there (SPC).
const DISK: u8 = 0x00;
/// Where a boot sector has its volume label, with the file system behind it (FAT).
const LABEL_AT: usize = 0x2b;
/// Volume label and file system of meters (other programs).
const LABEL: &[u8; 16] = b"LIFESCAN   FAT16";
/// Sense key: the disk was reset or exchanged (SPC).
const UNIT_ATTENTION: u8 = 6;

/// Reads one block.
pub const fn read_10(lba: u32) -> [u8; 10] {
    one_block(READ_10, lba)
}

/// Writes one block.
pub const fn write_10(lba: u32) -> [u8; 10] {
    one_block(WRITE_10, lba)
}

/// Exactly one block, and no flags: meters refuse anything else (LifeScan protocol pages).
const fn one_block(operation: u8, lba: u32) -> [u8; 10] {
    let [a, b, c, d] = lba.to_be_bytes();
    [operation, 0, a, b, c, d, 0, 0, 1, 0]
}

/// Whether INQUIRY data are those of a meter.
pub fn is_meter_inquiry(data: &[u8]) -> bool {
    data.first() == Some(&DISK)
        && data
            .get(VENDOR_AT..)
            .is_some_and(|rest| rest.starts_with(VENDOR))
}

/// Whether a boot sector is that of a meter.
pub fn is_meter_boot_sector(block: &[u8]) -> bool {
    block
        .get(LABEL_AT..)
        .is_some_and(|rest| rest.starts_with(LABEL))
}

/// Why a command failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sense {
    /// Sense key.
    pub key: u8,
    /// Additional code and qualifier.
    pub code: [u8; 2],
}

impl Sense {
    /// Decodes sense data in the fixed or the descriptor form (SPC); `None` when they are neither.
    pub fn decode(data: &[u8]) -> Option<Self> {
        let byte = |at: usize| data.get(at).copied();
        let (key, code) = match byte(0)? & 0x7f {
            0x70 | 0x71 => (byte(2)?, [byte(12).unwrap_or(0), byte(13).unwrap_or(0)]),
            0x72 | 0x73 => (byte(1)?, [byte(2).unwrap_or(0), byte(3).unwrap_or(0)]),
            _ => return None,
        };
        Some(Self {
            key: key & 0x0f,
            code,
        })
    }
}

/// A command that came to its end, but not to a good one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Another status than good.
    Status {
        /// The SCSI status.
        status: u32,
        /// Why.
        sense: Option<Sense>,
    },
    /// Good, but not all data were transferred.
    Residue {
        /// Bytes not transferred.
        missing: u32,
        /// All bytes.
        of: usize,
    },
}

impl Fault {
    /// Whether the disk was reset or exchanged, and may be another one.
    pub const fn is_unit_attention(&self) -> bool {
        matches!(self, Self::Status { sense: Some(sense), .. } if sense.key == UNIT_ATTENTION)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status {
                status,
                sense: Some(sense),
            } => {
                let Sense {
                    key,
                    code: [code, qualifier],
                } = sense;
                write!(
                    f,
                    "SCSI status {status}, sense {key:x}/{code:02x}/{qualifier:02x}"
                )
            }
            Self::Status {
                status,
                sense: None,
            } => write!(f, "SCSI status {status}"),
            Self::Residue { missing, of } => {
                write!(f, "{missing} of {of} bytes were not transferred")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_blocks_are_those_of_the_worked_examples() {
        assert_eq!(write_10(3), [0x2a, 0, 0, 0, 0, 3, 0, 0, 1, 0]);
        assert_eq!(read_10(3), [0x28, 0, 0, 0, 0, 3, 0, 0, 1, 0]);
        assert_eq!(INQUIRY, [0x12, 0, 0, 0, 0x24, 0]);
        assert_eq!(usize::from(INQUIRY[4]), INQUIRY_LEN);
        assert_eq!(usize::from(REQUEST_SENSE[4]), SENSE_LEN);
    }

    #[test]
    fn meter_is_known_by_vendor_and_type() {
        let mut data = [0; INQUIRY_LEN];
        assert!(!is_meter_inquiry(&data));
        data[8..16].copy_from_slice(b"LifeScan");
        assert!(is_meter_inquiry(&data));
        assert!(!is_meter_inquiry(&data[..15]) && !is_meter_inquiry(&[]));
        data[0] = 5;
        assert!(!is_meter_inquiry(&data));
        data[0] = 0;
        data[8..16].copy_from_slice(b"Generic ");
        assert!(!is_meter_inquiry(&data));
    }

    #[test]
    fn meter_is_known_by_its_boot_sector() {
        let mut block = [0; BLOCK];
        assert!(!is_meter_boot_sector(&block));
        block[0x2b..0x3b].copy_from_slice(b"LIFESCAN   FAT16");
        assert!(is_meter_boot_sector(&block));
        assert!(!is_meter_boot_sector(&block[..0x3a]));
        block[0x36..0x3b].copy_from_slice(b"FAT32");
        assert!(!is_meter_boot_sector(&block));
    }

    #[test]
    fn sense_data_have_two_forms() {
        let mut fixed = [0; SENSE_LEN];
        (fixed[0], fixed[2], fixed[12]) = (0xf0, 0x26, 0x28);
        let sense = Sense::decode(&fixed).unwrap();
        assert_eq!((sense.key, sense.code), (6, [0x28, 0]));
        let status = Fault::Status {
            status: 2,
            sense: Some(sense),
        };
        assert!(status.is_unit_attention());
        assert_eq!(status.to_string(), "SCSI status 2, sense 6/28/00");
        let sense = Sense::decode(&[0x72, 5, 0x24, 1]).unwrap();
        assert_eq!((sense.key, sense.code), (5, [0x24, 1]));
        assert_eq!(Sense::decode(&[0x70, 0]), None);
        assert_eq!(Sense::decode(&[0; 18]), None);
    }
}
