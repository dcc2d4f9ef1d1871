//! What the two processes say to each other.
//!
//! The host says [`Order`], the child [`Word`]. One call runs at a time. While it runs, any thread of the
//! plugin may ask; what was asked with a number is answered under it.

use std::path::PathBuf;

use glucopipe_sdk::driver::Query;
use glucopipe_sdk::{Error, Status};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::rights::Rights;
use crate::config::Component as Kind;
use crate::plugin::About;

/// What the host says.
#[derive(Debug, Deserialize, Serialize)]
pub(super) enum Order {
    /// Do this; one [`Word::Returned`] comes back.
    Call(Call),
    /// The answer to a request.
    Answer(u64, Result<Reply, Failure>),
}

/// A call of a plugin; each stands for functions of the ABI.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) enum Call {
    /// Give up rights, load the library and describe it; the first call. Gives a [`Description`].
    Load {
        /// Where the library is that was handed over.
        library: PathBuf,
        /// What its plugins may do.
        rights: Rights,
    },
    /// Open an object.
    Open(Named),
    /// Release the object.
    Close,
    /// `info` of a driver.
    Info,
    /// `read` of a driver, for what is wanted; gives a stream.
    Read(Option<Query>),
    /// The next batch of the open stream; gives whether there was one.
    Next,
    /// Release the open stream.
    Release,
    /// `read_report` of a driver.
    ReadReport,
    /// `get_clock` of a driver.
    Clock,
    /// `set_clock` of a driver, to these seconds of civil time.
    SetClock(i64),
    /// `erase` of a driver.
    Erase(String),
    /// `glucopipe.scrub/1` for a driver, whose configuration is the disguise; the body is the transcript, and so
    /// is the body of the answer.
    Scrub(Named),
    /// `write` of an exporter; the body is the head of the stream.
    Write,
    /// `commit` of an exporter.
    Commit,
    /// `check` of an exporter.
    Check(Named),
    /// `wants` of an exporter.
    Wants(Named),
    /// `preview` of an exporter; the body is the head of the stream.
    Preview(Named),
    /// `apply` of a transform; the body is the head of the stream. Gives a stream.
    Apply {
        /// Most rows it may give.
        row_limit: usize,
    },
}

/// A component and its configuration.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Named {
    /// What kind it is: `driver`, `exporter`, `transform`.
    pub(crate) kind: Kind,
    /// Its id.
    pub(crate) id: String,
    /// Its configuration, with secrets.
    pub(crate) config: Value,
}

/// What the child says.
#[derive(Debug, Deserialize, Serialize)]
pub(super) enum Word {
    /// How the call ended; a body is a part of a stream.
    Returned(Result<Value, Failure>),
    /// The plugin asks for this and waits for the answer.
    Asks(u64, Request),
    /// The plugin says this.
    Says(Remark),
}

/// What is said without an answer.
#[derive(Debug, Deserialize, Serialize)]
pub(super) enum Remark {
    /// `log` of the host.
    Log {
        /// `GP_LOG_*`.
        level: i32,
        /// What it is about.
        target: String,
        /// The line.
        text: String,
    },
    /// `progress` of the operation.
    Progress {
        /// Done so far.
        done: u64,
        /// In all; 0 if unknown.
        total: u64,
        /// A short phrase.
        step: String,
    },
}

/// What a plugin asks the host for.
#[derive(Debug, Deserialize, Serialize)]
pub(super) enum Request {
    /// `utc_us` of `glucopipe.time/1`.
    UtcUs,
    /// `monotonic_ms` of `glucopipe.time/1`.
    MonotonicMs,
    /// `describe` of `glucopipe.transport/1`.
    Describe,
    /// `open` of it.
    Open {
        /// `GP_LINK_*`.
        kind: u32,
    },
    /// `close` of it.
    Close {
        /// The link.
        link: u64,
    },
    /// `read` of it.
    Read {
        /// The link.
        link: u64,
        /// `GP_IO_*`.
        flags: u32,
        /// Longest wait.
        timeout_ms: u32,
        /// Room for so many bytes.
        cap: usize,
    },
    /// `write` of it; the bytes are the body.
    Write {
        /// The link.
        link: u64,
        /// `GP_IO_*`.
        flags: u32,
        /// Longest wait.
        timeout_ms: u32,
    },
    /// `scsi` of it; data for the device are the body.
    Scsi {
        /// The link.
        link: u64,
        /// `GP_IO_*`.
        flags: u32,
        /// The command block.
        cdb: Vec<u8>,
        /// `GP_SCSI_*`.
        direction: u32,
        /// Room for so many bytes from the device.
        cap: usize,
        /// Longest wait.
        timeout_ms: u32,
    },
    /// `configure_serial` of it.
    Serial {
        /// The link.
        link: u64,
        /// Baud.
        baud: u32,
        /// Data bits.
        data_bits: u32,
        /// `N`, `E` or `O`.
        parity: u32,
        /// Stop bits.
        stop_bits: u32,
    },
    /// The next batch of the readings that were handed to the call.
    NextInput,
}

/// What the host answers.
#[derive(Debug, Deserialize, Serialize)]
pub(super) enum Reply {
    /// Done; bytes that were asked for are the body.
    Done,
    /// There is no further batch.
    End,
    /// A number: a time, or a link.
    Number(i64),
    /// A text.
    Text(String),
    /// The outcome of a SCSI command; data from the device are the body.
    Scsi {
        /// SCSI status.
        status: u32,
        /// Bytes not transferred.
        residue: u32,
        /// Sense data.
        sense: Vec<u8>,
    },
}

/// An [`Error`] on its way.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct Failure {
    code: i32,
    message: String,
    key: Option<String>,
    retryable: bool,
    native: i64,
}

/// Longest text of an error that is taken from a child.
const MESSAGE_LIMIT: usize = 2000;

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self {
            code: error.status.code(),
            message: error.message,
            key: error.key,
            retryable: error.retryable,
            native: error.native,
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self {
            status: Status::from_code(failure.code),
            message: failure.message.chars().take(MESSAGE_LIMIT).collect(),
            key: failure.key,
            retryable: failure.retryable,
            native: failure.native,
        }
    }
}

/// What a library has, as data.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Description {
    /// Name it gives itself.
    pub(crate) name: String,
    /// Its version.
    pub(crate) version: String,
    /// Minor version of the ABI it was built for.
    pub(crate) abi_minor: u32,
    /// Its components.
    pub(crate) components: Vec<Described>,
}

/// One component as data.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Described {
    /// What kind it is.
    pub(crate) kind: Kind,
    /// Its id.
    pub(crate) id: String,
    /// What it says of itself.
    pub(crate) about: About,
    /// The optional functions that it has.
    pub(crate) has: Vec<String>,
}

/// What a commit came to: the report, or why it cannot be understood.
pub(super) type CommitOutcome = Result<Value, Failure>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_cross_whole() {
        let mut error = Error::config("path", "no such folder").retryable();
        error.native = 2;
        let failure: Failure =
            serde_json::from_str(&serde_json::to_string(&Failure::from(error.clone())).unwrap())
                .unwrap();
        assert_eq!(Error::from(failure), error);
    }
}
