//! Errors as they cross the boundary: a status, one line for a person, and what is at fault.

use std::fmt;

use glucopipe_abi as abi;

/// What kind of failure it is; the host picks the exit code and the advice by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// A bug in the plugin.
    Internal,
    /// The device or plugin cannot do this.
    Unsupported,
    /// Configuration or query; the user can mend it.
    InvalidArgument,
    /// No such device or file.
    NotFound,
    /// Permission, busy, wrong password.
    Access,
    /// The link, the disk or the network failed.
    Io,
    /// No answer within the time given.
    Timeout,
    /// The operation was cancelled.
    Cancelled,
    /// The device or server answered outside its protocol.
    Protocol,
    /// Refused before anything was changed.
    Precondition,
    /// The device was disconnected.
    Lost,
}

/// Status, ABI code and the `errno` that stands for it in an Arrow stream.
const STATUSES: [(Status, abi::gp_status, i32); 11] = [
    (Status::Internal, abi::GP_E_INTERNAL, abi::errno::EIO),
    (Status::Unsupported, abi::GP_E_UNSUPPORTED, abi::errno::EIO),
    (
        Status::InvalidArgument,
        abi::GP_E_INVALID_ARGUMENT,
        abi::errno::EINVAL,
    ),
    (Status::NotFound, abi::GP_E_NOT_FOUND, abi::errno::EIO),
    (Status::Access, abi::GP_E_ACCESS, abi::errno::EACCES),
    (Status::Io, abi::GP_E_IO, abi::errno::EIO),
    (Status::Timeout, abi::GP_E_TIMEOUT, abi::errno::ETIMEDOUT),
    (
        Status::Cancelled,
        abi::GP_E_CANCELLED,
        abi::errno::ECANCELED,
    ),
    (Status::Protocol, abi::GP_E_PROTOCOL, abi::errno::EPROTO),
    (
        Status::Precondition,
        abi::GP_E_PRECONDITION,
        abi::errno::EIO,
    ),
    (Status::Lost, abi::GP_E_LOST, abi::errno::ENODEV),
];

impl Status {
    /// The `GP_E_*` code.
    pub fn code(self) -> abi::gp_status {
        STATUSES
            .iter()
            .find(|row| row.0 == self)
            .map_or(abi::GP_E_INTERNAL, |row| row.1)
    }

    /// The status of a `GP_E_*` code; unknown codes are [`Status::Internal`].
    pub fn from_code(code: abi::gp_status) -> Self {
        STATUSES
            .iter()
            .find(|row| row.1 == code)
            .map_or(Self::Internal, |row| row.0)
    }

    /// The `errno` that stands for it in an Arrow stream.
    pub fn errno(self) -> i32 {
        STATUSES
            .iter()
            .find(|row| row.0 == self)
            .map_or(abi::errno::EIO, |row| row.2)
    }

    /// The status of a stream's `errno`; what the header does not name is [`Status::Io`].
    pub fn from_errno(errno: i32) -> Self {
        match errno {
            abi::errno::EIO => Self::Io,
            _ => STATUSES
                .iter()
                .find(|row| row.2 == errno)
                .map_or(Self::Io, |row| row.0),
        }
    }
}

/// Why an operation failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What kind of failure it is.
    pub status: Status,
    /// One line, lower case; no secrets, no readings.
    pub message: String,
    /// The configuration key at fault, dotted: `partition_by`.
    pub key: Option<String>,
    /// The same call may succeed later.
    pub retryable: bool,
    /// `errno` or HTTP status; 0 if there is none.
    pub native: i64,
}

/// Result of plugin code.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of a kind with a message.
    pub fn new(status: Status, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            key: None,
            retryable: false,
            native: 0,
        }
    }

    /// The operation was cancelled.
    pub fn cancelled() -> Self {
        Self::new(Status::Cancelled, "cancelled")
    }

    /// A value of the configuration that cannot be used; `key` is dotted.
    pub fn config(key: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            key: Some(key.into()),
            ..Self::new(Status::InvalidArgument, message)
        }
    }

    /// A failed file operation: `what` says which, on which file.
    pub fn file(what: impl fmt::Display, error: &std::io::Error) -> Self {
        let status = match error.kind() {
            std::io::ErrorKind::PermissionDenied => Status::Access,
            std::io::ErrorKind::NotFound => Status::NotFound,
            _ => Status::Io,
        };
        Self {
            native: error.raw_os_error().map_or(0, i64::from),
            ..Self::new(status, format!("{what}: {error}"))
        }
    }

    /// Marks the error as one that may pass.
    #[must_use]
    pub fn retryable(mut self) -> Self {
        self.retryable = true;
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

impl From<arrow::error::ArrowError> for Error {
    fn from(error: arrow::error::ArrowError) -> Self {
        Self::new(Status::Internal, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_survives_the_boundary() {
        for (status, code, _) in STATUSES {
            assert_eq!(Status::from_code(code), status);
            assert_eq!(status.code(), code);
        }
        assert_eq!(Status::from_code(4711), Status::Internal);
    }

    #[test]
    fn stream_errors_keep_what_errno_can_say() {
        for status in [
            Status::Cancelled,
            Status::Lost,
            Status::Timeout,
            Status::Protocol,
        ] {
            assert_eq!(Status::from_errno(status.errno()), status);
        }
        assert_eq!(Status::from_errno(Status::NotFound.errno()), Status::Io);
        assert_eq!(Status::from_errno(9999), Status::Io);
    }
}
