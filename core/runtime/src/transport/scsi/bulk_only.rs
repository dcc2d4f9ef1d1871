//! Bulk-Only Transport: one SCSI command as wrapper, data and status over two endpoints (USB Mass Storage
//! Class, Bulk-Only Transport 1.0), and what puts host and device in step again.

use glucopipe_sdk::link::{ScsiData, ScsiStatus};

use super::Disk;
use super::wire::{CSW_LEN, Cbw, Csw, CswError, Direction, Outcome};
use crate::transport::link::LinkError;

/// Longest wait for one transfer, so that a stop is seen soon.
const SLICE_MS: u32 = 100;
/// SCSI status: done (SAM).
const GOOD: u32 = 0;
/// SCSI status: refused, and sense data say why (SAM).
const CHECK_CONDITION: u32 = 2;
/// REQUEST SENSE of [`SENSE_LEN`] bytes (SPC).
const REQUEST_SENSE: [u8; 6] = [0x03, 0, 0, 0, 18, 0];
/// Bytes of sense data in the fixed form (SPC).
const SENSE_LEN: usize = 18;

/// What ended a transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The wait was over.
    Timeout,
    /// The device stalled the endpoint.
    Stall,
    /// There is no device any more.
    Gone,
    /// Anything else; the system's words.
    Other(String),
}

/// How a transfer went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Bytes transferred, also before a fault.
    pub len: usize,
    /// What ended it, unless everything went over or the device sent a short packet.
    pub fault: Option<Fault>,
}

/// The two endpoints of a device and its control pipe.
pub trait Pipe {
    /// Sends bytes.
    fn send(&mut self, bytes: &[u8], wait_ms: u32) -> Moved;
    /// Receives bytes up to a short packet.
    fn receive(&mut self, buffer: &mut [u8], wait_ms: u32) -> Moved;
    /// Lets a stalled endpoint go on.
    ///
    /// # Errors
    /// Any fault.
    fn clear_halt(&mut self, direction: Direction) -> Result<(), Fault>;
    /// Sends the Bulk-Only Mass Storage Reset.
    ///
    /// # Errors
    /// Any fault.
    fn reset(&mut self) -> Result<(), Fault>;
}

/// A disk behind a pipe.
pub struct BulkOnly<P: Pipe> {
    pipe: P,
    tag: u32,
    /// A command was begun whose status was not seen.
    out_of_step: bool,
}

/// Why a command has no status.
enum Broken {
    Stopped,
    Late,
    Gone,
    Fault(String),
}

impl From<Fault> for Broken {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Timeout => Self::Late,
            Fault::Stall => Self::Fault("the device refused a control request".into()),
            Fault::Gone => Self::Gone,
            Fault::Other(what) => Self::Fault(what),
        }
    }
}

impl From<CswError> for Broken {
    fn from(error: CswError) -> Self {
        Self::Fault(format!(
            "the disk and this computer are out of step: {error}"
        ))
    }
}

/// The time a command may take, counted in waits.
struct Patience<'a> {
    left_ms: u32,
    stop: &'a dyn Fn() -> bool,
}

impl Patience<'_> {
    fn slice(&self) -> Result<u32, Broken> {
        match self.left_ms {
            _ if (self.stop)() => Err(Broken::Stopped),
            0 => Err(Broken::Late),
            left => Ok(left.min(SLICE_MS)),
        }
    }
}

/// How a phase ended: bytes, and whether the endpoint is stalled.
struct Phase {
    len: usize,
    stalled: bool,
}

impl<P: Pipe> BulkOnly<P> {
    /// A disk that nobody has talked to.
    pub fn new(pipe: P) -> Self {
        Self {
            pipe,
            tag: 0,
            out_of_step: false,
        }
    }

    /// The pipe.
    pub fn pipe(&self) -> &P {
        &self.pipe
    }

    /// Runs a command, and asks for sense data when it is refused.
    fn run(
        &mut self,
        patience: &mut Patience<'_>,
        cdb: &[u8],
        data: ScsiData<'_>,
    ) -> Result<ScsiStatus, Broken> {
        let (outcome, residue) = self.exchange(patience, cdb, data)?;
        if outcome == Outcome::Passed {
            let (status, sense) = (GOOD, Vec::new());
            return Ok(ScsiStatus {
                status,
                residue,
                sense,
            });
        }
        let mut sense = vec![0; SENSE_LEN];
        let told = if cdb.first() == REQUEST_SENSE.first() {
            0
        } else {
            match self.exchange(patience, &REQUEST_SENSE, ScsiData::From(&mut sense))? {
                (Outcome::Passed, missing) => SENSE_LEN.saturating_sub(missing as usize),
                _ => 0,
            }
        };
        sense.truncate(told);
        let status = CHECK_CONDITION;
        Ok(ScsiStatus {
            status,
            residue,
            sense,
        })
    }

    /// The three phases of a command; never [`Outcome::PhaseError`].
    fn exchange(
        &mut self,
        patience: &mut Patience<'_>,
        cdb: &[u8],
        data: ScsiData<'_>,
    ) -> Result<(Outcome, u32), Broken> {
        let (direction, len) = match &data {
            ScsiData::None => (Direction::Out, 0),
            ScsiData::From(buffer) => (Direction::In, buffer.len()),
            ScsiData::To(bytes) => (Direction::Out, bytes.len()),
        };
        let invalid = || Broken::Fault("a command that Bulk-Only Transport cannot carry".into());
        let len = u32::try_from(len).map_err(|_| invalid())?;
        self.tag = self.tag.wrapping_add(1);
        let tag = self.tag;
        let cbw = Cbw {
            tag,
            len,
            direction,
            cdb,
        }
        .encode()
        .ok_or_else(invalid)?;
        if self.send(patience, &cbw)?.stalled {
            return Err(Broken::Fault("the disk refused a command".into()));
        }
        let phase = match data {
            ScsiData::None => Phase {
                len: 0,
                stalled: false,
            },
            ScsiData::From(buffer) => self.receive(patience, buffer)?,
            ScsiData::To(bytes) => self.send(patience, bytes)?,
        };
        if phase.stalled {
            self.pipe.clear_halt(direction)?;
        }
        let csw = self.status(patience)?;
        csw.answers(tag, len)?;
        if csw.outcome == Outcome::PhaseError {
            return Err(Broken::Fault("the disk reports a phase error".into()));
        }
        let moved = u32::try_from(phase.len).unwrap_or(len);
        // What did not go over is missing, whatever the device says.
        Ok((csw.outcome, csw.residue.max(len.saturating_sub(moved))))
    }

    /// Reads the status; once more after a stall, and after the empty packet that some devices end their
    /// data with.
    fn status(&mut self, patience: &mut Patience<'_>) -> Result<Csw, Broken> {
        let mut again = true;
        loop {
            let mut bytes = [0; CSW_LEN];
            let phase = self.receive(patience, &mut bytes)?;
            match phase {
                Phase { stalled: true, .. } if again => self.pipe.clear_halt(Direction::In)?,
                Phase { stalled: true, .. } => {
                    return Err(Broken::Fault("the disk refused to give its status".into()));
                }
                Phase { len: 0, .. } if again => {}
                Phase { len, .. } => return Ok(Csw::decode(bytes.get(..len).unwrap_or(&bytes))?),
            }
            again = false;
        }
    }

    fn send(&mut self, patience: &mut Patience<'_>, bytes: &[u8]) -> Result<Phase, Broken> {
        let mut len = 0;
        while let Some(rest) = bytes.get(len..).filter(|rest| !rest.is_empty()) {
            let wait = patience.slice()?;
            let moved = self.pipe.send(rest, wait);
            len += moved.len.min(rest.len());
            match moved.fault {
                None if moved.len == 0 => {
                    return Err(Broken::Fault("the disk takes no data".into()));
                }
                None => {}
                Some(Fault::Timeout) => patience.left_ms -= wait,
                Some(Fault::Stall) => return Ok(Phase { len, stalled: true }),
                Some(fault) => return Err(fault.into()),
            }
        }
        Ok(Phase {
            len,
            stalled: false,
        })
    }

    fn receive(&mut self, patience: &mut Patience<'_>, buffer: &mut [u8]) -> Result<Phase, Broken> {
        let mut len = 0;
        while let Some(rest) = buffer.get_mut(len..).filter(|rest| !rest.is_empty()) {
            let wait = patience.slice()?;
            let asked = rest.len();
            let moved = self.pipe.receive(rest, wait);
            len += moved.len.min(asked);
            match moved.fault {
                None if moved.len < asked => break,
                None => {}
                Some(Fault::Timeout) => patience.left_ms -= wait,
                Some(Fault::Stall) => return Ok(Phase { len, stalled: true }),
                Some(fault) => return Err(fault.into()),
            }
        }
        Ok(Phase {
            len,
            stalled: false,
        })
    }

    /// Reset recovery: afterwards the device waits for a command.
    fn recover(&mut self) -> Result<(), Fault> {
        self.out_of_step = true;
        self.pipe.reset()?;
        self.pipe.clear_halt(Direction::In)?;
        self.pipe.clear_halt(Direction::Out)?;
        self.out_of_step = false;
        Ok(())
    }
}

impl<P: Pipe> Disk for BulkOnly<P> {
    fn command(
        &mut self,
        stop: &dyn Fn() -> bool,
        timeout_ms: u32,
        cdb: &[u8],
        data: ScsiData<'_>,
    ) -> Result<ScsiStatus, LinkError> {
        if self.out_of_step {
            self.recover().map_err(|fault| match fault {
                Fault::Gone => LinkError::Lost,
                Fault::Timeout => LinkError::Timeout,
                Fault::Stall => LinkError::Io("the disk refused to be reset".into()),
                Fault::Other(what) => LinkError::Io(what),
            })?;
        }
        let mut patience = Patience {
            left_ms: timeout_ms,
            stop,
        };
        self.out_of_step = true;
        let broken = match self.run(&mut patience, cdb, data) {
            Ok(status) => {
                self.out_of_step = false;
                return Ok(status);
            }
            Err(broken) => broken,
        };
        Err(match broken {
            Broken::Stopped => LinkError::Cancelled,
            Broken::Late => LinkError::Timeout,
            Broken::Gone => {
                self.out_of_step = false;
                LinkError::Lost
            }
            Broken::Fault(what) => match self.recover() {
                Err(Fault::Gone) => LinkError::Lost,
                _ => LinkError::Io(what),
            },
        })
    }
}

impl<P: Pipe> Drop for BulkOnly<P> {
    /// Whoever has the disk next finds it waiting for a command.
    fn drop(&mut self) {
        if self.out_of_step {
            // A device that cannot be reset is left to whoever resets it next.
            let _ = self.recover();
        }
    }
}

#[cfg(test)]
mod tests;
