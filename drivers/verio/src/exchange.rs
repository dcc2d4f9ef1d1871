//! Blocks of the meter's disk over the host's link: reads of any, writes of registers alone.
//!
//! Nothing is written without [`Proof`] that the disk is a meter's, and proof ends with the link and with
//! a reset of the disk. What to repeat is decided in [`crate::meter`].

use glucopipe_sdk::link::{Kind, Link, ScsiData};
use glucopipe_sdk::{Error, Op, Result as SdkResult, Status};

use crate::identify::Proof;
use crate::protocol::command::Register;
use crate::protocol::scsi::{
    BLOCK, Fault, INQUIRY, INQUIRY_LEN, REQUEST_SENSE, SENSE_LEN, Sense, read_10, write_10,
};

/// Longest wait for one SCSI command.
const TIMEOUT_MS: u32 = 5_000;
/// SCSI status: done (SAM).
const GOOD: u32 = 0;

/// A block of the disk.
pub(crate) type Block = [u8; BLOCK];

/// Why a SCSI command brought nothing.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// No status came back: the link failed, or the operation was cancelled.
    Link(Error),
    /// A status came back, not a good one.
    Command(Fault),
}

/// The disk of a meter, or of something else.
#[derive(Default)]
pub(crate) struct Disk {
    link: Option<Link>,
    proof: Option<Proof>,
    /// SCSI commands sent.
    commands: u64,
}

impl Disk {
    /// Opens the link unless it is open.
    pub(crate) fn open(&mut self, op: &Op) -> SdkResult<()> {
        if self.link.is_none() {
            self.proof = None;
            self.link = Some(op.open_link(Kind::Scsi)?);
        }
        Ok(())
    }

    /// Gives up the link; the next one needs new proof.
    pub(crate) fn close(&mut self) {
        self.proof = None;
        self.link = None;
    }

    /// Whether registers may be written.
    pub(crate) fn is_proved(&self) -> bool {
        self.proof.is_some()
    }

    /// Allows writes of registers.
    pub(crate) fn admit(&mut self, proof: Proof) {
        self.proof = Some(proof);
    }

    /// Forbids writes until there is new proof.
    pub(crate) fn doubt(&mut self) {
        self.proof = None;
    }

    /// SCSI commands sent so far.
    pub(crate) fn commands(&self) -> u64 {
        self.commands
    }

    /// Asks what the device is.
    pub(crate) fn inquiry(&mut self, op: &Op) -> Result<[u8; INQUIRY_LEN], Trouble> {
        let mut data = [0; INQUIRY_LEN];
        self.run(op, &INQUIRY, ScsiData::From(&mut data), INQUIRY_LEN)?;
        Ok(data)
    }

    /// Reads a block.
    pub(crate) fn read_block(&mut self, op: &Op, lba: u32) -> Result<Block, Trouble> {
        let mut block = [0; BLOCK];
        self.run(op, &read_10(lba), ScsiData::From(&mut block), BLOCK)?;
        Ok(block)
    }

    /// Writes a packet, padded to a block, to a register.
    pub(crate) fn write_register(
        &mut self,
        op: &Op,
        register: Register,
        packet: &[u8],
    ) -> Result<(), Trouble> {
        let mut block = [0; BLOCK];
        match block.get_mut(..packet.len()) {
            Some(head) if self.is_proved() => head.copy_from_slice(packet),
            Some(_) => return Err(bug("a write to a disk that is not identified was stopped")),
            None => return Err(bug("a request is longer than a block")),
        }
        let write = write_10(register.lba());
        self.run(op, &write, ScsiData::To(&block), BLOCK)
    }

    /// Runs a command; only a good status with all data transferred is success.
    fn run(&mut self, op: &Op, cdb: &[u8], data: ScsiData<'_>, of: usize) -> Result<(), Trouble> {
        op.check().map_err(Trouble::Link)?;
        let link = self.link.as_mut().ok_or_else(|| {
            let message = "the connection to the meter broke";
            Trouble::Link(Error::new(Status::Lost, message))
        })?;
        self.commands += 1;
        let done = link
            .scsi(op, TIMEOUT_MS, cdb, data)
            .map_err(Trouble::Link)?;
        let (status, missing) = (done.status, done.residue);
        let fault = match status {
            GOOD if missing == 0 => return Ok(()),
            GOOD => Fault::Residue { missing, of },
            _ => {
                let sense = match Sense::decode(&done.sense) {
                    None => self.request_sense(op)?,
                    sense => sense,
                };
                Fault::Status { status, sense }
            }
        };
        if fault.is_unit_attention() {
            self.doubt();
        }
        Err(Trouble::Command(fault))
    }

    /// Asks why the last command failed, where the link does not say.
    fn request_sense(&mut self, op: &Op) -> Result<Option<Sense>, Trouble> {
        let Some(link) = self.link.as_mut() else {
            return Ok(None);
        };
        let mut sense = [0; SENSE_LEN];
        self.commands += 1;
        let data = ScsiData::From(&mut sense);
        let done = link
            .scsi(op, TIMEOUT_MS, &REQUEST_SENSE, data)
            .map_err(Trouble::Link)?;
        Ok(Sense::decode(&sense).filter(|_| done.status == GOOD))
    }
}

fn bug(message: &str) -> Trouble {
    Trouble::Link(Error::new(Status::Internal, message))
}
