//! Command and status wrappers of Bulk-Only mass storage.

/// Size of a command wrapper, and of a status wrapper.
pub(super) const COMMAND_SIZE: usize = 31;
pub(super) const STATUS_SIZE: usize = 13;
/// `USBC` and `USBS`.
const COMMAND_SIGNATURE: [u8; 4] = *b"USBC";
const STATUS_SIGNATURE: [u8; 4] = *b"USBS";
/// Direction flag: to the host.
const FLAG_TO_HOST: u8 = 0x80;
/// Longest command descriptor block.
const LONGEST_COMMAND: usize = 16;
/// Most data of one command; the kernel asks for 120 KiB at most.
const MOST_DATA: u32 = 1 << 20;

/// Operation codes of SCSI commands with data.
const REQUEST_SENSE: u8 = 0x03;
const INQUIRY: u8 = 0x12;
const MODE_SENSE_6: u8 = 0x1A;
const READ_CAPACITY: u8 = 0x25;
const READ_10: u8 = 0x28;
const WRITE_10: u8 = 0x2A;
const MODE_SENSE_10: u8 = 0x5A;
/// Size of a block.
const BLOCK: usize = crate::scsi::BLOCK_SIZE;

/// Which way data go, and how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Data {
    /// None.
    None,
    /// To the host.
    In(usize),
    /// From the host.
    Out(usize),
}

/// A command wrapper.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Command {
    /// To be repeated in the status.
    pub(super) tag: [u8; 4],
    /// What the host expects.
    pub(super) data: Data,
    /// Logical unit.
    pub(super) lun: u8,
    /// The command descriptor block, without padding.
    pub(super) cdb: Vec<u8>,
}

impl Command {
    /// Reads a wrapper that is valid and meaningful.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; COMMAND_SIZE] = bytes.try_into().ok()?;
        let (signature, rest) = bytes.split_first_chunk::<4>()?;
        let (tag, rest) = rest.split_first_chunk::<4>()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let ([flags, lun, size], block) = rest.split_first_chunk::<3>()?;
        let cdb = block.get(..usize::from(*size))?;
        let length = u32::from_le_bytes(*length);
        let valid = *signature == COMMAND_SIGNATURE
            && flags & !FLAG_TO_HOST == 0
            && *lun < 16
            && (1..=LONGEST_COMMAND).contains(&cdb.len())
            && length <= MOST_DATA;
        let length = usize::try_from(length).ok()?;
        valid.then(|| Self {
            tag: *tag,
            data: match length {
                0 => Data::None,
                _ if flags & FLAG_TO_HOST == 0 => Data::Out(length),
                _ => Data::In(length),
            },
            lun: *lun,
            cdb: cdb.to_vec(),
        })
    }

    /// What the command itself asks for, where the host leaves room for so much; a command that says
    /// no number is content with what the host expects.
    pub(super) fn wants(&self) -> Data {
        let blocks = |high: &u8, low: &u8| usize::from(u16::from_be_bytes([*high, *low])) * BLOCK;
        let wanted = match self.cdb.as_slice() {
            [READ_10, _, _, _, _, _, _, high, low, ..] => Data::In(blocks(high, low)),
            [WRITE_10, _, _, _, _, _, _, high, low, ..] => Data::Out(blocks(high, low)),
            [
                REQUEST_SENSE | INQUIRY | MODE_SENSE_6 | READ_CAPACITY | MODE_SENSE_10,
                ..,
            ] => match self.data {
                Data::Out(length) => Data::In(length),
                expected => expected,
            },
            _ => Data::None,
        };
        match wanted {
            Data::In(0) | Data::Out(0) => Data::None,
            wanted => wanted,
        }
    }
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Well.
    Good = 0,
    /// The sense data say why not.
    Failed = 1,
    /// Host and device do not agree on the data.
    PhaseError = 2,
}

/// A status wrapper.
pub(super) fn status(tag: [u8; 4], residue: usize, verdict: Verdict) -> [u8; STATUS_SIZE] {
    let mut wrapper = [0; STATUS_SIZE];
    let residue = u32::try_from(residue).unwrap_or(u32::MAX).to_le_bytes();
    let parts = [STATUS_SIGNATURE, tag, residue];
    let bytes = parts.into_iter().flatten().chain([verdict as u8]);
    for (slot, byte) in wrapper.iter_mut().zip(bytes) {
        *slot = byte;
    }
    wrapper
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The computed examples of lifescan.md section 3.1.
    #[test]
    fn reads_and_writes_the_wrappers_of_the_reference() {
        let mut inquiry = b"USBC\x01\0\0\0\x24\0\0\0\x80\0\x06\x12\0\0\0\x24\0".to_vec();
        inquiry.resize(COMMAND_SIZE, 0);
        let command = Command::parse(&inquiry).unwrap();
        assert_eq!(command.cdb, [0x12, 0, 0, 0, 0x24, 0]);
        assert_eq!(
            (command.data, command.wants()),
            (Data::In(36), Data::In(36))
        );
        let mut write = b"USBC\x02\0\0\0\0\x02\0\0\0\0\x0A\x2A\0\0\0\0\x03\0\0\x01\0".to_vec();
        write.resize(COMMAND_SIZE, 0);
        let command = Command::parse(&write).unwrap();
        assert_eq!(
            (command.data, command.wants()),
            (Data::Out(512), Data::Out(512))
        );
        let good = b"USBS\x03\0\0\0\0\0\0\0\0";
        assert_eq!(status([3, 0, 0, 0], 0, Verdict::Good), *good);
    }

    #[test]
    fn refuses_wrappers_that_are_not_meaningful() {
        let mut good = b"USBC\x01\0\0\0\0\0\0\0\0\0\x06".to_vec();
        good.resize(COMMAND_SIZE, 0);
        assert!(Command::parse(&good).is_some());
        for (at, byte) in [(0, b'X'), (11, 1), (12, 1), (13, 16), (14, 0), (14, 17)] {
            let mut bad = good.clone();
            bad[at] = byte;
            assert_eq!(Command::parse(&bad), None, "{at}");
        }
        assert_eq!(Command::parse(&good[1..]), None);
    }
}
