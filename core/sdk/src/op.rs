//! The running operation as plugin code sees it: cancellation, progress, log, time, links.

use std::cell::Cell;
use std::ffi::{CStr, CString};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use glucopipe_abi as abi;

use crate::error::{Error, Result, Status};
use crate::link::Link;

/// How much a log line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something failed.
    Error,
    /// Something a user should know.
    Warn,
    /// What is being done.
    Info,
    /// For authors.
    Debug,
    /// Every exchange.
    Trace,
}

impl Level {
    fn code(self) -> i32 {
        match self {
            Self::Error => abi::GP_LOG_ERROR,
            Self::Warn => abi::GP_LOG_WARN,
            Self::Info => abi::GP_LOG_INFO,
            Self::Debug => abi::GP_LOG_DEBUG,
            Self::Trace => abi::GP_LOG_TRACE,
        }
    }
}

/// One running operation of the host.
///
/// Cheap to ask: call [`Op::check`] in every loop.
pub struct Op {
    raw: *const abi::gp_op,
    op: abi::gp_op,
    host: abi::gp_host,
    transport: Option<abi::gp_transport>,
    time: Option<abi::gp_time>,
    closing: Cell<bool>,
    started: Instant,
}

// SAFETY: the host's functions carry the tag [any] or are called by one thread at a time, and the
// pointers are not used after the operation; `Op` is not `Sync`.
unsafe impl Send for Op {}

impl Op {
    /// Wraps the host's operation.
    ///
    /// # Errors
    /// When a table of the host is not readable.
    ///
    /// # Safety
    /// `raw` is null or points to a `gp_op` that outlives the `Op`.
    pub unsafe fn from_raw(raw: *const abi::gp_op) -> Result<Self> {
        let broken = |error: abi::TableError| Error::new(Status::Internal, error.to_string());
        // SAFETY: by the caller's word, and tables of a valid operation are valid.
        unsafe {
            let op = abi::read_table(raw).map_err(broken)?;
            let host = abi::read_table(op.host).map_err(broken)?;
            let extension = |id: &CStr| match host.get_extension {
                Some(get) => get(op.host, id.as_ptr()),
                None => std::ptr::null(),
            };
            let transport = extension(abi::GP_EXT_TRANSPORT).cast::<abi::gp_transport>();
            let time = extension(abi::GP_EXT_TIME).cast::<abi::gp_time>();
            Ok(Self {
                raw,
                op,
                host,
                transport: abi::read_table(transport).ok(),
                time: abi::read_table(time).ok(),
                closing: Cell::new(false),
                started: Instant::now(),
            })
        }
    }

    pub(crate) fn raw(&self) -> *const abi::gp_op {
        self.raw
    }

    pub(crate) fn transport(&self) -> Option<&abi::gp_transport> {
        self.transport.as_ref()
    }

    /// Whether the host wants the operation to stop.
    pub fn cancelled(&self) -> bool {
        // SAFETY: the operation is alive, and the function may be called at any time.
        self.op
            .cancelled
            .is_some_and(|cancelled| unsafe { cancelled(self.raw) } != 0)
    }

    /// Ends the operation early once the host wants that; passes after [`Op::begin_closing`], so that
    /// the same code may talk to the device while it is left in order.
    ///
    /// # Errors
    /// [`Status::Cancelled`].
    pub fn check(&self) -> Result<()> {
        if !self.is_closing() && self.cancelled() {
            Err(Error::cancelled())
        } else {
            Ok(())
        }
    }

    /// Reports progress; `total` 0 means unknown.
    pub fn progress(&self, done: u64, total: u64, step: &str) {
        if let Some(progress) = self.op.progress {
            let step = text(step);
            // SAFETY: the operation is alive; the text lives until the call returns.
            unsafe { progress(self.raw, done, total, step.as_ptr()) };
        }
    }

    /// Logs one line; never a secret, never a reading.
    pub fn log(&self, level: Level, target: &str, line: &str) {
        if let Some(log) = self.host.log {
            let (target, line) = (text(target), text(&line.replace('\n', " ")));
            // SAFETY: the host outlives the operation; the texts live until the call returns.
            unsafe { log(self.op.host, level.code(), target.as_ptr(), line.as_ptr()) };
        }
    }

    /// Microseconds since 1970-01-01 UTC of the computer's clock.
    pub fn utc_us(&self) -> i64 {
        match self.time.as_ref().and_then(|time| time.utc_us) {
            // SAFETY: the operation is alive, and the function may be called at any time.
            Some(utc_us) => unsafe { utc_us(self.raw) },
            None => SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .ok()
                .and_then(|since| i64::try_from(since.as_micros()).ok())
                .unwrap_or(0),
        }
    }

    /// Milliseconds that only grow; the clock to measure waits with.
    pub fn monotonic_ms(&self) -> u64 {
        match self.time.as_ref().and_then(|time| time.monotonic_ms) {
            // SAFETY: the operation is alive, and the function may be called at any time.
            Some(monotonic_ms) => unsafe { monotonic_ms(self.raw) },
            None => u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
        }
    }

    /// Opens a link to the device the user chose.
    ///
    /// # Errors
    /// As the host says: not found, no permission, not of this kind.
    pub fn open_link(&self, kind: crate::link::Kind) -> Result<Link> {
        Link::open(self, kind)
    }

    /// The chosen device as the host sees it, a JSON object: `link`, `vendor`, `product`, `serial`,
    /// `node`, as far as known.
    ///
    /// # Errors
    /// When the host lends no devices, or says why not.
    pub fn describe_device(&self) -> Result<serde_json::Value> {
        let describe = self
            .transport()
            .and_then(|table| table.describe)
            .ok_or_else(no_transport)?;
        let text = crate::ffi::call_for_text(|out, error| {
            // SAFETY: the operation is alive; both out-parameters are zeroed and ours.
            unsafe { describe(self.raw, out, error) }
        })?;
        serde_json::from_str(&text)
            .map_err(|error| Error::new(Status::Internal, format!("the host's device: {error}")))
    }

    /// From now on links work although the operation was cancelled, for a limited time, so that the
    /// device can be left in order.
    pub fn begin_closing(&self) {
        self.closing.set(true);
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.get()
    }
}

pub(crate) fn no_transport() -> Error {
    Error::new(
        Status::Unsupported,
        "the host lends no devices (no glucopipe.transport/1)",
    )
}

/// A C text; NUL bytes are left out, so that no text can fail.
pub(crate) fn text(text: &str) -> CString {
    let mut bytes = text.as_bytes().to_vec();
    bytes.retain(|&byte| byte != 0);
    CString::new(bytes).unwrap_or_default()
}
