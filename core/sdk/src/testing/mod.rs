//! A host for tests: drives drivers, exporters and transforms through their C tables, natively, without a
//! device and without real time.
//!
//! ```
//! use glucopipe_sdk::link::Kind;
//! use glucopipe_sdk::testing::{Script, TestHost};
//!
//! let script = Script::new().expect(b"serial?").reply(b"A-100");
//! let host = TestHost::new().with_link(Kind::Hid, script);
//! let op = host.op();
//! let mut link = op.open_link(Kind::Hid)?;
//! link.write(&op, 1000, b"serial?")?;
//! let mut report = [0; 64];
//! let len = link.read(&op, 1000, &mut report)?;
//! assert_eq!(&report[..len], b"A-100");
//! # Ok::<(), glucopipe_sdk::Error>(())
//! ```
//!
//! [`TestHost::open_driver`], [`TestHost::open_exporter`] and [`TestHost::open_transform`] run a component
//! as glucopipe runs it: configuration as JSON, readings as a C stream, panics caught. Waiting costs no
//! time: a read without an answer moves the host's clock on by its timeout.

mod config_table;
mod drive;
mod peer;
mod sample;
mod table;

use std::ffi::{CStr, c_char, c_void};
use std::mem::size_of;
use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use arrow::array::RecordBatch;
use glucopipe_abi as abi;
use serde_json::{Value, json};

pub use config_table::config_table;
pub use drive::{Read, TestFilter, TestSession, TestSink, TestStream};
pub use peer::{Peer, Script, answering};
pub use sample::{batch, feed};
pub use table::{Form, MORNING, moments, numbers, table, texts};

use crate::driver::Driver;
use crate::error::{Error, Result};
use crate::export::size;
use crate::exporter::{Exporter, Preview, Wants};
use crate::ffi::borrowed_text;
use crate::link::Kind;
use crate::op::Op;
use crate::transform::Transform;

/// A call of [`Op::progress`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Steps done.
    pub done: u64,
    /// Steps in all; 0 is unknown.
    pub total: u64,
    /// What is being done.
    pub step: String,
}

/// A call of [`Op::log`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// `GP_LOG_*`: 1 error to 5 trace.
    pub level: i32,
    /// Where it comes from.
    pub target: String,
    /// The line.
    pub text: String,
}

/// What the host knows and saw.
struct State {
    /// Questions after `op->cancelled` until it says yes; `None` is never.
    cancel_in: Option<u32>,
    utc_us: i64,
    monotonic_ms: u64,
    progress: Vec<Progress>,
    log: Vec<LogLine>,
    device: Value,
    peer: Option<(Kind, Box<dyn Peer>)>,
    /// Bytes of the last answer that were not read yet, of links that carry bytes.
    unread: Vec<u8>,
    link_open: bool,
    closing_calls: u32,
}

/// The tables that plugins see, and the state behind them.
struct Inner {
    host: abi::gp_host,
    op: abi::gp_op,
    state: Mutex<State>,
}

impl Inner {
    /// The state; a panic elsewhere does not make it unusable.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A host with one operation, and at most one link to a scripted device.
pub struct TestHost {
    // Never freed: an `Op` or a `Link` of it has no lifetime, and may outlive it in a safe test.
    inner: &'static Inner,
}

impl Default for TestHost {
    fn default() -> Self {
        Self::new()
    }
}

impl TestHost {
    /// A host without a device, at 2026-06-01 12:00 UTC.
    pub fn new() -> Self {
        let inner = Box::into_raw(Box::new(Inner {
            host: abi::gp_host {
                struct_size: size(size_of::<abi::gp_host>()),
                abi_minor: abi::GP_ABI_MINOR,
                host_data: ptr::null_mut(),
                name: c"glucopipe-testing".as_ptr(),
                version: c"0.0.0".as_ptr(),
                log: Some(log),
                get_extension: Some(get_extension),
            },
            op: abi::gp_op {
                struct_size: size(size_of::<abi::gp_op>()),
                reserved: 0,
                host: ptr::null(),
                host_data: ptr::null_mut(),
                cancelled: Some(cancelled),
                progress: Some(progress),
            },
            state: Mutex::new(State {
                cancel_in: None,
                utc_us: 1_780_315_200_000_000,
                monotonic_ms: 0,
                progress: Vec::new(),
                log: Vec::new(),
                device: json!({}),
                peer: None,
                unread: Vec::new(),
                link_open: false,
                closing_calls: 0,
            }),
        }));
        // SAFETY: just made, nobody else has it yet, and it is never freed.
        let inner = unsafe {
            (*inner).host.host_data = inner.cast();
            (*inner).op.host_data = inner.cast();
            (*inner).op.host = &raw const (*inner).host;
            &*inner
        };
        Self { inner }
    }

    /// Lends a device: links of this kind lead to the peer.
    #[must_use]
    pub fn with_link(self, kind: Kind, peer: impl Peer + 'static) -> Self {
        self.inner.state().peer = Some((kind, Box::new(peer)));
        self
    }

    /// Sets what [`Op::describe_device`] says.
    #[must_use]
    pub fn with_device(self, device: Value) -> Self {
        self.inner.state().device = device;
        self
    }

    /// Sets the computer's clock, microseconds since 1970-01-01 UTC.
    #[must_use]
    pub fn with_utc_us(self, utc_us: i64) -> Self {
        self.inner.state().utc_us = utc_us;
        self
    }

    /// Cancels the operation.
    pub fn cancel(&self) {
        self.cancel_after(0);
    }

    /// Cancels the operation once it has been asked so many times whether it is, by the plugin or by a
    /// link.
    pub fn cancel_after(&self, questions: u32) {
        self.inner.state().cancel_in = Some(questions);
    }

    /// All progress so far.
    pub fn progress(&self) -> Vec<Progress> {
        self.inner.state().progress.clone()
    }

    /// All log lines so far.
    pub fn log(&self) -> Vec<LogLine> {
        self.inner.state().log.clone()
    }

    /// Whether a link is open.
    pub fn link_is_open(&self) -> bool {
        self.inner.state().link_open
    }

    /// Calls of links made after [`Op::begin_closing`].
    pub fn closing_calls(&self) -> u32 {
        self.inner.state().closing_calls
    }

    /// The operation, for code that takes one.
    ///
    /// # Panics
    /// Never: the tables are ours.
    pub fn op(&self) -> Op {
        // SAFETY: the operation is alive for ever.
        unsafe { Op::from_raw(self.raw_op()) }.expect("our own tables are complete")
    }

    /// The operation as plugins of any language get it; alive for ever.
    pub fn raw_op(&self) -> *const abi::gp_op {
        &raw const self.inner.op
    }

    /// Opens a driver.
    ///
    /// # Errors
    /// As the driver says.
    pub fn open_driver<D: Driver>(&self, config: &Value) -> Result<TestSession<D>> {
        TestSession::open(self.raw_op(), config)
    }

    /// Opens an exporter.
    ///
    /// # Errors
    /// As the exporter says.
    pub fn open_exporter<E: Exporter>(&self, config: &Value) -> Result<TestSink<E>> {
        TestSink::open(self.raw_op(), config)
    }

    /// Asks an exporter whether it could deliver; returns its remarks.
    ///
    /// # Errors
    /// As the exporter says.
    pub fn check_exporter<E: Exporter>(&self, config: &Value) -> Result<Vec<String>> {
        TestSink::<E>::check(self.raw_op(), config)
    }

    /// Asks an exporter what a sink of this configuration is to be given.
    ///
    /// # Errors
    /// When the configuration is refused.
    pub fn exporter_wants<E: Exporter>(&self, config: &Value) -> Result<Wants> {
        TestSink::<E>::wants(config)
    }

    /// Asks an exporter what it would do with these batches.
    ///
    /// # Errors
    /// As the exporter says.
    pub fn preview_export<E: Exporter>(
        &self,
        config: &Value,
        batches: &[RecordBatch],
    ) -> Result<Option<Preview>> {
        let readings = feed(batches.iter().cloned().map(Ok));
        TestSink::<E>::preview(self.raw_op(), config, readings)
    }

    /// Opens a transform.
    ///
    /// # Errors
    /// As the transform says.
    pub fn open_transform<T: Transform>(&self, config: &Value) -> Result<TestFilter<T>> {
        TestFilter::open(self.raw_op(), config)
    }
}

/// # Safety
/// `op` is the operation of a [`TestHost`].
unsafe fn inner_of(op: *const abi::gp_op) -> &'static Inner {
    // SAFETY: by the caller's word; it leads to an `Inner`, which is never freed.
    unsafe { &*(*op).host_data.cast::<Inner>() }
}

impl State {
    fn is_cancelled(&mut self) -> bool {
        match &mut self.cancel_in {
            None => false,
            Some(0) => true,
            Some(left) => {
                *left -= 1;
                false
            }
        }
    }

    /// Whether a call of a link may go on.
    fn may_go_on(&mut self, flags: u32) -> Result<()> {
        if flags & abi::GP_IO_CLOSING != 0 {
            self.closing_calls += 1;
        } else if self.is_cancelled() {
            return Err(Error::cancelled());
        }
        Ok(())
    }

    /// Lets virtual time pass.
    fn wait(&mut self, ms: u32) {
        self.monotonic_ms += u64::from(ms);
        self.utc_us += i64::from(ms) * 1000;
    }
}

unsafe extern "C" fn cancelled(op: *const abi::gp_op) -> i32 {
    // SAFETY: an operation of ours.
    i32::from(unsafe { inner_of(op) }.state().is_cancelled())
}

unsafe extern "C" fn progress(op: *const abi::gp_op, done: u64, total: u64, step: *const c_char) {
    // SAFETY: an operation of ours, and a text of the plugin.
    let (inner, step) = unsafe { (inner_of(op), borrowed_text(step)) };
    inner.state().progress.push(Progress {
        done,
        total,
        step: step.unwrap_or_default(),
    });
}

unsafe extern "C" fn log(
    host: *const abi::gp_host,
    level: i32,
    target: *const c_char,
    text: *const c_char,
) {
    // SAFETY: a host of ours, and texts of the plugin.
    let (inner, target, text) = unsafe {
        (
            &*(*host).host_data.cast::<Inner>(),
            borrowed_text(target),
            borrowed_text(text),
        )
    };
    inner.state().log.push(LogLine {
        level,
        target: target.unwrap_or_default(),
        text: text.unwrap_or_default(),
    });
}

unsafe extern "C" fn get_extension(_: *const abi::gp_host, id: *const c_char) -> *const c_void {
    if id.is_null() {
        return ptr::null();
    }
    // SAFETY: not null, and a text of the plugin.
    let id = unsafe { CStr::from_ptr(id) };
    if id == abi::GP_EXT_TRANSPORT {
        (&raw const peer::TRANSPORT).cast()
    } else if id == abi::GP_EXT_TIME {
        (&raw const TIME).cast()
    } else {
        ptr::null()
    }
}

static TIME: abi::gp_time = abi::gp_time {
    struct_size: size(size_of::<abi::gp_time>()),
    reserved: 0,
    utc_us: Some(utc_us),
    monotonic_ms: Some(monotonic_ms),
};

unsafe extern "C" fn utc_us(op: *const abi::gp_op) -> i64 {
    // SAFETY: an operation of ours.
    unsafe { inner_of(op) }.state().utc_us
}

unsafe extern "C" fn monotonic_ms(op: *const abi::gp_op) -> u64 {
    // SAFETY: an operation of ours.
    unsafe { inner_of(op) }.state().monotonic_ms
}
