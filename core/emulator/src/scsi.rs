//! The seam between a virtual meter that is a disk and whatever carries its commands.

use crate::audit::Audit;
use crate::meter::Unplugged;

/// Size of a block.
pub const BLOCK_SIZE: usize = 512;
/// SCSI status of a command that went wrong; the sense data say why.
pub const CHECK_CONDITION: u8 = 0x02;

/// One meter that looks like a disk, seen from the host's end of the cable.
///
/// Bulk-only wrapping, its tags and its resets are the link's business: the meter gets bare SCSI
/// commands.
pub trait ScsiMeter: Send {
    /// Runs one command; `cdb` without padding.
    fn command(&mut self, cdb: &[u8], data: ScsiTransfer<'_>) -> Result<ScsiOutcome, Unplugged>;

    /// Lets virtual time go by between commands.
    fn pass(&mut self, _elapsed_ms: u32) {}

    /// Notes that the link was reset: the host has to make sure again what the disk is.
    fn reset(&mut self) {}

    /// Tells what the meter noticed of the host's behaviour so far.
    fn audit(&self) -> Audit;
}

/// Data of one command.
#[derive(Debug)]
pub enum ScsiTransfer<'a> {
    /// None.
    None,
    /// The meter fills the buffer as far as it has bytes.
    In(&'a mut [u8]),
    /// The meter takes the bytes.
    Out(&'a [u8]),
}

impl ScsiTransfer<'_> {
    /// Number of bytes the host expects to be transferred.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::None => 0,
            Self::In(buffer) => buffer.len(),
            Self::Out(bytes) => bytes.len(),
        }
    }
}

/// How a command ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScsiOutcome {
    /// SCSI status: 0, or [`CHECK_CONDITION`].
    pub status: u8,
    /// Bytes of the host's data that were not transferred.
    pub residue: u32,
    /// Sense data in fixed format, 18 bytes, when the status is not 0; REQUEST SENSE gives them
    /// once more.
    pub sense: Vec<u8>,
    /// Virtual time that went by.
    pub elapsed_ms: u32,
    /// An endpoint stalled: no status came, the link has to report an I/O error and to recover.
    pub stalled: bool,
}
