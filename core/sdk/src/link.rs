//! Links to devices, lent by the host (`glucopipe.transport/1`).

use std::ptr;

use glucopipe_abi as abi;

use crate::error::{Error, Result, Status};
use crate::ffi;
use crate::op::{Op, no_transport};

/// What a link carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// HID reports, one a call, without a report number in front.
    Hid,
    /// SCSI commands.
    Scsi,
    /// Serial bytes.
    Serial,
    /// A file, read only.
    File,
}

impl Kind {
    pub(crate) fn code(self) -> u32 {
        match self {
            Self::Hid => abi::GP_LINK_HID,
            Self::Scsi => abi::GP_LINK_SCSI,
            Self::Serial => abi::GP_LINK_SERIAL,
            Self::File => abi::GP_LINK_FILE,
        }
    }
}

/// Parity of a serial line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parity {
    /// No parity bit.
    None,
    /// Even.
    Even,
    /// Odd.
    Odd,
}

/// Data of a SCSI command.
#[derive(Debug)]
pub enum ScsiData<'a> {
    /// None.
    None,
    /// The device sends.
    From(&'a mut [u8]),
    /// The device receives.
    To(&'a [u8]),
}

/// Outcome of a SCSI command that came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScsiStatus {
    /// SCSI status; 0 is good.
    pub status: u32,
    /// Bytes of data not transferred.
    pub residue: u32,
    /// Sense data, when the status is not 0.
    pub sense: Vec<u8>,
}

/// An open link; closed when dropped.
pub struct Link {
    link: *mut abi::gp_link,
    table: abi::gp_transport,
}

// SAFETY: calls on one link never overlap because they take `&mut self`, and links have no thread
// affinity.
unsafe impl Send for Link {}

impl Link {
    pub(crate) fn open(op: &Op, kind: Kind) -> Result<Self> {
        let table = *op.transport().ok_or_else(no_transport)?;
        let open = table.open.ok_or_else(no_transport)?;
        let mut link = ptr::null_mut();
        ffi::call(|error| {
            // SAFETY: the operation is alive; both out-parameters are zeroed and ours.
            unsafe { open(op.raw(), kind.code(), &raw mut link, error) }
        })?;
        if link.is_null() {
            return Err(Error::new(Status::Internal, "the host opened no link"));
        }
        Ok(Self { link, table })
    }

    fn flags(op: &Op) -> u32 {
        if op.is_closing() {
            abi::GP_IO_CLOSING
        } else {
            0
        }
    }

    /// Reads into `buffer`; waits up to `timeout_ms`. Returns the number of bytes.
    ///
    /// # Errors
    /// [`Status::Timeout`] if nothing came, [`Status::Lost`] if the device went away, and as the host
    /// says.
    pub fn read(&mut self, op: &Op, timeout_ms: u32, buffer: &mut [u8]) -> Result<usize> {
        let read = self.table.read.ok_or_else(no_transport)?;
        let mut len = 0u64;
        ffi::call(|error| {
            // SAFETY: the link is open, the operation alive, the buffer ours for the call.
            unsafe {
                read(
                    self.link,
                    op.raw(),
                    Self::flags(op),
                    timeout_ms,
                    buffer.as_mut_ptr(),
                    buffer.len() as u64,
                    &raw mut len,
                    error,
                )
            }
        })?;
        usize::try_from(len)
            .ok()
            .filter(|&len| len <= buffer.len())
            .ok_or_else(|| Error::new(Status::Internal, "the host read more than was asked for"))
    }

    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// As for [`Link::read`].
    pub fn write(&mut self, op: &Op, timeout_ms: u32, bytes: &[u8]) -> Result<()> {
        let write = self.table.write.ok_or_else(no_transport)?;
        ffi::call(|error| {
            // SAFETY: the link is open, the operation alive, the bytes live until the call returns.
            unsafe {
                write(
                    self.link,
                    op.raw(),
                    Self::flags(op),
                    timeout_ms,
                    bytes.as_ptr(),
                    bytes.len() as u64,
                    error,
                )
            }
        })
    }

    /// Runs one SCSI command.
    ///
    /// # Errors
    /// When no status came back. A status other than 0 is not an error here.
    pub fn scsi(
        &mut self,
        op: &Op,
        timeout_ms: u32,
        cdb: &[u8],
        data: ScsiData<'_>,
    ) -> Result<ScsiStatus> {
        let scsi = self.table.scsi.ok_or_else(no_transport)?;
        let (direction, pointer, len) = match data {
            ScsiData::None => (abi::GP_SCSI_NO_DATA, ptr::null_mut(), 0),
            ScsiData::From(bytes) => (abi::GP_SCSI_FROM_DEVICE, bytes.as_mut_ptr(), bytes.len()),
            ScsiData::To(bytes) => (
                abi::GP_SCSI_TO_DEVICE,
                bytes.as_ptr().cast_mut(),
                bytes.len(),
            ),
        };
        let too_long = |_| Error::new(Status::InvalidArgument, "a SCSI transfer over 4 GiB");
        let mut command = abi::gp_scsi {
            cdb: cdb.as_ptr(),
            data: pointer,
            cdb_len: u32::try_from(cdb.len()).map_err(too_long)?,
            data_len: u32::try_from(len).map_err(too_long)?,
            direction,
            timeout_ms,
            status: 0,
            residue: 0,
            sense_len: 0,
            reserved: 0,
            sense: [0; 32],
        };
        ffi::call(|error| {
            // SAFETY: the link is open, the operation alive; command and data are ours for the call,
            // and the host only reads data that go to the device.
            unsafe {
                scsi(
                    self.link,
                    op.raw(),
                    Self::flags(op),
                    &raw mut command,
                    error,
                )
            }
        })?;
        let sense = usize::try_from(command.sense_len)
            .unwrap_or(0)
            .min(command.sense.len());
        Ok(ScsiStatus {
            status: command.status,
            residue: command.residue,
            sense: command.sense[..sense].to_vec(),
        })
    }

    /// Sets the line of a serial link.
    ///
    /// # Errors
    /// As the host says.
    pub fn configure_serial(
        &mut self,
        op: &Op,
        baud: u32,
        data_bits: u32,
        parity: Parity,
        stop_bits: u32,
    ) -> Result<()> {
        let configure = self.table.configure_serial.ok_or_else(no_transport)?;
        let parity = match parity {
            Parity::None => 'N',
            Parity::Even => 'E',
            Parity::Odd => 'O',
        };
        ffi::call(|error| {
            // SAFETY: the link is open and the operation alive.
            unsafe {
                configure(
                    self.link,
                    op.raw(),
                    baud,
                    data_bits,
                    u32::from(parity),
                    stop_bits,
                    error,
                )
            }
        })
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let Some(close) = self.table.close {
            // SAFETY: the link is open and not used again.
            unsafe { close(self.link) };
        }
    }
}
