//! The wrappers around a command on the wire (USB Mass Storage Class, Bulk-Only Transport 1.0): bytes, no I/O.

use thiserror::Error;

/// Interface class: mass storage.
pub const CLASS: u8 = 0x08;
/// Interface subclass: the transparent SCSI command set.
pub const SUBCLASS: u8 = 0x06;
/// Interface protocol: Bulk-Only.
pub const PROTOCOL: u8 = 0x50;
/// Request type of [`RESET`]: to the interface, of its class.
pub const RESET_TYPE: u8 = 0x21;
/// Class request: Bulk-Only Mass Storage Reset.
pub const RESET: u8 = 0xff;

/// Bytes of a command block wrapper.
pub const CBW_LEN: usize = 31;
/// Bytes of a command status wrapper.
pub const CSW_LEN: usize = 13;
/// Longest command block that fits.
pub const CDB_MAX: usize = 16;
/// First bytes of a command block wrapper.
const CBW_SIGNATURE: &[u8; 4] = b"USBC";
/// First bytes of a command status wrapper.
const CSW_SIGNATURE: &[u8; 4] = b"USBS";
/// Flag of a command block wrapper: the device sends the data.
const FROM_DEVICE: u8 = 0x80;
/// The only logical unit that is asked.
const LUN: u8 = 0;

/// Which way data go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The device sends.
    In,
    /// The device receives.
    Out,
}

/// A command on its way to the device.
#[derive(Clone, Copy, Debug)]
pub struct Cbw<'a> {
    /// Number that the status repeats.
    pub tag: u32,
    /// Bytes of data.
    pub len: u32,
    /// Which way they go.
    pub direction: Direction,
    /// Command block.
    pub cdb: &'a [u8],
}

impl Cbw<'_> {
    /// The wrapper; `None` when the command block is empty or too long.
    pub fn encode(&self) -> Option<[u8; CBW_LEN]> {
        let cdb_len = u8::try_from(self.cdb.len()).ok()?;
        let mut bytes = [0; CBW_LEN];
        bytes[..4].copy_from_slice(CBW_SIGNATURE);
        bytes[4..8].copy_from_slice(&self.tag.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.len.to_le_bytes());
        bytes[12] = match self.direction {
            Direction::In => FROM_DEVICE,
            Direction::Out => 0,
        };
        bytes[13] = LUN;
        bytes[14] = cdb_len;
        let room = bytes.get_mut(15..15 + self.cdb.len())?;
        room.copy_from_slice(self.cdb);
        (cdb_len > 0).then_some(bytes)
    }
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Well.
    Passed,
    /// The device refused it; sense data say why.
    Failed,
    /// Host and device do not agree where they are.
    PhaseError,
}

/// What the device says of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Csw {
    /// Number of the command.
    pub tag: u32,
    /// Bytes of data that were not transferred or not used.
    pub residue: u32,
    /// How it ended.
    pub outcome: Outcome,
}

/// Why a status cannot be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CswError {
    /// Not 13 bytes.
    #[error("its status has {0} bytes instead of {CSW_LEN}")]
    Length(usize),
    /// Other first bytes.
    #[error("its status does not begin as one")]
    Signature,
    /// No known outcome.
    #[error("its status is {0:#04x}, which means nothing")]
    Outcome(u8),
    /// It belongs to another command.
    #[error("its status belongs to another command")]
    Tag,
    /// More bytes are missing than there were to transfer.
    #[error("its status misses {residue} of {len} bytes")]
    Residue {
        /// Bytes it says are missing.
        residue: u32,
        /// Bytes of the command.
        len: u32,
    },
}

impl Csw {
    /// Takes a status apart.
    ///
    /// # Errors
    /// When it is none.
    pub fn decode(bytes: &[u8]) -> Result<Self, CswError> {
        let bytes: &[u8; CSW_LEN] = bytes
            .try_into()
            .map_err(|_| CswError::Length(bytes.len()))?;
        let [a, b, c, d, t0, t1, t2, t3, r0, r1, r2, r3, outcome] = *bytes;
        if [a, b, c, d] != *CSW_SIGNATURE {
            return Err(CswError::Signature);
        }
        Ok(Self {
            tag: u32::from_le_bytes([t0, t1, t2, t3]),
            residue: u32::from_le_bytes([r0, r1, r2, r3]),
            outcome: match outcome {
                0 => Outcome::Passed,
                1 => Outcome::Failed,
                2 => Outcome::PhaseError,
                other => return Err(CswError::Outcome(other)),
            },
        })
    }

    /// Puts a status together, as a device does.
    pub fn encode(&self) -> [u8; CSW_LEN] {
        let mut bytes = [0; CSW_LEN];
        bytes[..4].copy_from_slice(CSW_SIGNATURE);
        bytes[4..8].copy_from_slice(&self.tag.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.residue.to_le_bytes());
        bytes[12] = match self.outcome {
            Outcome::Passed => 0,
            Outcome::Failed => 1,
            Outcome::PhaseError => 2,
        };
        bytes
    }

    /// Whether it is the status of the command `tag` with `len` bytes of data.
    ///
    /// # Errors
    /// What speaks against it.
    pub fn answers(&self, tag: u32, len: u32) -> Result<(), CswError> {
        let residue = self.residue;
        match self.outcome {
            _ if self.tag != tag => Err(CswError::Tag),
            // The residue of a phase error means nothing.
            Outcome::Passed | Outcome::Failed if residue > len => {
                Err(CswError::Residue { residue, len })
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn command_is_wrapped_as_the_standard_says() {
        let cbw = Cbw {
            tag: 0x0403_0201,
            len: 512,
            direction: Direction::In,
            cdb: &[0x28, 0, 0, 0, 0, 3, 0, 0, 1, 0],
        };
        let bytes = cbw.encode().unwrap();
        assert_eq!(
            &bytes[..15],
            b"USBC\x01\x02\x03\x04\x00\x02\x00\x00\x80\x00\x0a"
        );
        assert_eq!(&bytes[15..25], cbw.cdb);
        assert_eq!(&bytes[25..], [0; 6]);
        let out = Cbw {
            direction: Direction::Out,
            ..cbw
        };
        assert_eq!(out.encode().unwrap()[12], 0);
    }

    #[test]
    fn command_blocks_have_1_to_16_bytes() {
        let wrap = |cdb: &[u8]| {
            let direction = Direction::Out;
            let (tag, len) = (1, 0);
            Cbw {
                tag,
                len,
                direction,
                cdb,
            }
            .encode()
        };
        assert!(wrap(&[0; 16]).is_some());
        for len in [0, 17, 256, 300] {
            assert_eq!(wrap(&vec![0; len]), None, "{len}");
        }
    }

    #[test]
    fn status_must_be_one_and_of_this_command() {
        let csw = Csw {
            tag: 7,
            residue: 476,
            outcome: Outcome::Passed,
        };
        let bytes = csw.encode();
        assert_eq!(&bytes, b"USBS\x07\0\0\0\xdc\x01\0\0\0");
        assert_eq!(csw.answers(7, 512), Ok(()));
        assert_eq!(csw.answers(8, 512), Err(CswError::Tag));
        let (residue, len) = (476, 475);
        assert_eq!(csw.answers(7, 475), Err(CswError::Residue { residue, len }));
        let lost = Csw {
            outcome: Outcome::PhaseError,
            ..csw
        };
        assert_eq!(lost.answers(7, 0), Ok(()));
        assert_eq!(Csw::decode(&bytes[..12]), Err(CswError::Length(12)));
        assert_eq!(
            Csw::decode(b"USBC\x07\0\0\0\0\0\0\0\0"),
            Err(CswError::Signature)
        );
        assert_eq!(
            Csw::decode(b"USBS\x07\0\0\0\0\0\0\0\x03"),
            Err(CswError::Outcome(3))
        );
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(tag: u32, residue: u32, outcome in 0..3) {
            let outcome =
                [Outcome::Passed, Outcome::Failed, Outcome::PhaseError][usize::try_from(outcome).unwrap()];
            let csw = Csw { tag, residue, outcome };
            prop_assert_eq!(Csw::decode(&csw.encode()), Ok(csw));
        }

        #[test]
        fn any_bytes_are_a_status_or_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(csw) = Csw::decode(&bytes) {
                prop_assert_eq!(&csw.encode()[..], &bytes[..]);
            }
        }
    }
}
