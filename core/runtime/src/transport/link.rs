//! What every link can do, whatever is behind it.

use glucopipe_sdk::link::{Kind, ScsiData, ScsiStatus};

#[cfg(unix)]
use rustix::io::Errno;

use crate::cancel::Cancel;
use crate::clock::OperationTime;

/// What a link is told about the operation it works for.
pub struct LinkContext<'a> {
    /// Time of the operation; virtual links move it.
    pub time: &'a OperationTime,
    /// Set when the operation should stop; virtual links that keep a real pace wait on it.
    pub cancel: &'a Cancel,
    /// Whether to go on: not after a cancellation, unless the driver is leaving the meter in order.
    pub go_on: &'a dyn Fn() -> bool,
    /// Whether the driver is leaving the meter in order.
    pub closing: bool,
}

/// What a driver is told of [`LinkError::Busy`], with the status of what is not allowed.
pub(crate) const BUSY: &str = "another program talks to this meter";

/// Why a link failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkError {
    /// Nothing came in the time given.
    Timeout,
    /// The device went away.
    Lost,
    /// The operation was cancelled.
    Cancelled,
    /// Not allowed; the operating system's words.
    Access(String),
    /// Another program talks to the device.
    Busy,
    /// The device or back end cannot do this.
    Unsupported,
    /// The recording and the driver disagree.
    Transcript(String),
    /// The operating system's words.
    Io(String),
}

impl From<std::io::Error> for LinkError {
    fn from(error: std::io::Error) -> Self {
        #[cfg(unix)]
        if let Some(Errno::NODEV | Errno::NXIO | Errno::SHUTDOWN) = Errno::from_io_error(&error) {
            return Self::Lost;
        }
        match error.kind() {
            std::io::ErrorKind::PermissionDenied => Self::Access(error.to_string()),
            _ => Self::Io(error.to_string()),
        }
    }
}

/// A link to one device. One call at a time.
pub trait Link: Send {
    /// What it carries.
    fn kind(&self) -> Kind;

    /// How a real device is reached, for people who ask.
    fn route(&self) -> Option<&str> {
        None
    }

    /// Reads one report, or some bytes; waits up to `wait_ms`. 0 bytes only at the end of a file.
    ///
    /// # Errors
    /// [`LinkError::Timeout`] when nothing came.
    fn read(
        &mut self,
        context: &LinkContext<'_>,
        wait_ms: u32,
        buffer: &mut [u8],
    ) -> Result<usize, LinkError>;

    /// Writes one report, or some bytes.
    ///
    /// # Errors
    /// When not all of it went out.
    fn write(&mut self, context: &LinkContext<'_>, bytes: &[u8]) -> Result<(), LinkError>;

    /// Runs one SCSI command.
    ///
    /// # Errors
    /// When no status came back.
    fn scsi(
        &mut self,
        _context: &LinkContext<'_>,
        _timeout_ms: u32,
        _cdb: &[u8],
        _data: ScsiData<'_>,
    ) -> Result<ScsiStatus, LinkError> {
        Err(LinkError::Unsupported)
    }

    /// Sets the line of a serial link: baud, data bits, parity letter, stop bits.
    ///
    /// # Errors
    /// When the line cannot be set so.
    fn configure_serial(
        &mut self,
        _baud: u32,
        _data_bits: u32,
        _parity: u32,
        _stop_bits: u32,
    ) -> Result<(), LinkError> {
        Err(LinkError::Unsupported)
    }
}
