//! Operations lent to plugins: cancellation, progress, time, and the chosen device.

use std::ffi::{CStr, c_char, c_void};
use std::mem::size_of;
use std::ptr::{self, NonNull};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use glucopipe_abi as abi;
use glucopipe_sdk::ffi::borrowed_text;
use glucopipe_sdk::{Error, Status};

use super::link_trace::LinkTrace;
use super::log::{DEBUG, INFORMATION, LogLine, Logger, TRACE};
use super::transport;
use crate::cancel::Cancel;
use crate::clock::{Clock, OperationTime};
use crate::device::Device;

/// Longest log line or progress phrase taken from a plugin.
const LINE_LIMIT: usize = 2000;

/// Most bytes that the plugin of one operation may log: it may do nothing else.
const LOG_LIMIT: u64 = 1 << 20;

/// How far an operation is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The source or sink.
    pub node: String,
    /// Done so far.
    pub done: u64,
    /// In all; 0 if unknown.
    pub total: u64,
    /// A short phrase.
    pub step: String,
}

/// Where progress goes.
pub type ProgressSink = Arc<dyn Fn(Progress) + Send + Sync>;

/// What an operation is made of.
pub struct OperationSetup {
    /// The source or sink it works for.
    pub node: String,
    /// Told to stop by this.
    pub cancel: Cancel,
    /// The computer's clock.
    pub clock: Clock,
    /// Where log lines go.
    pub logger: Logger,
    /// Where progress goes.
    pub progress: Option<ProgressSink>,
    /// The device a driver may open.
    pub device: Option<Device>,
}

/// What the callbacks of an operation find behind `host_data`.
pub(super) struct State {
    pub(super) setup: OperationSetup,
    pub(super) time: OperationTime,
    /// Closing I/O has begun.
    closing: AtomicBool,
    /// Since when closing I/O is granted although cancelled, as milliseconds of the operation plus one; 0 for not yet.
    closing_since: AtomicU64,
    /// A link was refused because another program has the device.
    pub(super) busy: AtomicBool,
    /// Exchanges over links, for the report.
    pub(super) exchanges: AtomicU64,
    /// Tells each call of a link, if somebody wants to know.
    pub(super) trace: Option<LinkTrace>,
    /// Bytes that the plugin has logged.
    logged: AtomicU64,
}

/// Closing I/O that a driver is granted after a cancellation.
const CLOSING_LIMIT_MS: u64 = 12_000;

impl State {
    /// Whether I/O may go on.
    pub(super) fn may_go_on(&self, flags: u32) -> bool {
        let closing = flags & abi::GP_IO_CLOSING != 0;
        if closing {
            self.closing.store(true, Ordering::SeqCst);
        }
        if !self.setup.cancel.is_set() {
            return true;
        }
        if !closing {
            return false;
        }
        let now = self.time.monotonic_ms() + 1;
        let since = self
            .closing_since
            .compare_exchange(0, now, Ordering::SeqCst, Ordering::SeqCst)
            .map_or_else(|since| since, |_| now);
        now.saturating_sub(since) < CLOSING_LIMIT_MS
    }

    /// Whether a link may be opened: in place of one that failed, also to leave a device in order.
    pub(super) fn may_open(&self) -> bool {
        let closing = self.closing.load(Ordering::SeqCst);
        self.may_go_on(if closing { abi::GP_IO_CLOSING } else { 0 })
    }

    /// Logs a line of the host's own, for people who ask for more.
    pub(super) fn note(&self, text: String) {
        self.tell(INFORMATION, text);
    }

    fn tell(&self, level: u8, text: String) {
        self.setup.logger.log(LogLine {
            level,
            target: self.setup.node.clone(),
            text,
        });
    }

    /// Logs a line of the plugin, unless it has said too much.
    fn hear(&self, level: u8, part: &str, text: String) {
        let (node, logger) = (&self.setup.node, &self.setup.logger);
        if !logger.wants(level) {
            return;
        }
        let bytes = (part.len() + text.len() + 1) as u64;
        let before = self.logged.fetch_add(bytes, Ordering::Relaxed);
        if before >= LOG_LIMIT {
            return;
        }
        let text = match before + bytes < LOG_LIMIT {
            true => text,
            false => "its plugin says more, which is not shown".to_owned(),
        };
        let target = match part {
            "" => node.clone(),
            part => format!("{node}/{part}"),
        };
        logger.log(LogLine {
            level,
            target,
            text,
        });
    }
}

/// One running operation. The tables live at fixed addresses as long as it does.
pub struct Operation {
    tables: NonNull<Tables>,
}

struct Tables {
    op: abi::gp_op,
    host: abi::gp_host,
    state: State,
}

// SAFETY: the tables are never written after they are made, and the state is thread safe.
unsafe impl Send for Operation {}
// SAFETY: as above.
unsafe impl Sync for Operation {}

impl Operation {
    /// Starts an operation.
    pub fn start(setup: OperationSetup) -> Self {
        let time = OperationTime::start(setup.clock.clone());
        let state = State {
            trace: LinkTrace::new(&setup.logger, &setup.node, &setup.clock, &time),
            setup,
            time,
            closing: AtomicBool::new(false),
            closing_since: AtomicU64::new(0),
            busy: AtomicBool::new(false),
            exchanges: AtomicU64::new(0),
            logged: AtomicU64::new(0),
        };
        let tables = Box::into_raw(Box::new(Tables {
            op: abi::gp_op {
                struct_size: table_size::<abi::gp_op>(),
                reserved: 0,
                host: ptr::null(),
                host_data: ptr::null_mut(),
                cancelled: Some(cancelled),
                progress: Some(progress),
            },
            host: abi::gp_host {
                struct_size: table_size::<abi::gp_host>(),
                abi_minor: abi::GP_ABI_MINOR,
                host_data: ptr::null_mut(),
                name: c"glucopipe".as_ptr(),
                version: concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast(),
                log: Some(log),
                get_extension: Some(get_extension),
            },
            state,
        }));
        // SAFETY: just made, and nobody else has it yet. From here on it is only read.
        unsafe {
            let state = (&raw mut (*tables).state).cast::<c_void>();
            (*tables).op.host_data = state;
            (*tables).host.host_data = state;
            (*tables).op.host = &raw const (*tables).host;
            Self {
                tables: NonNull::new_unchecked(tables),
            }
        }
    }

    fn tables(&self) -> &Tables {
        // SAFETY: alive until `self` is dropped, and only read.
        unsafe { self.tables.as_ref() }
    }

    /// Why it was cancelled, if it was.
    pub fn cancel(&self) -> &Cancel {
        &self.tables().state.setup.cancel
    }

    /// Whether another program had the device.
    pub fn was_busy(&self) -> bool {
        self.tables().state.busy.load(Ordering::SeqCst)
    }

    /// Where the driver left the recording that is its device, if it did and has not come back.
    pub fn departure(&self) -> Option<String> {
        self.tables().state.setup.device.as_ref()?.departure()
    }

    /// Its time.
    pub fn time(&self) -> &OperationTime {
        &self.tables().state.time
    }

    /// Sees that the meter that answered is the one that was chosen.
    ///
    /// # Errors
    /// [`Status::NotFound`] when it is another.
    pub fn admit(&self, serial: &str) -> Result<(), Error> {
        let device = self.tables().state.setup.device.as_ref();
        if device.is_none_or(|device| device.admits(serial)) {
            return Ok(());
        }
        let message = "the meter there has another serial than was asked for";
        Err(Error::new(Status::NotFound, message))
    }

    /// Logs a line of the host itself, for those who want to know more.
    pub fn debug(&self, text: String) {
        self.tables().state.tell(DEBUG, text);
    }

    /// Reads and writes over links so far.
    pub fn exchanges(&self) -> u64 {
        self.tables().state.exchanges.load(Ordering::SeqCst)
    }
}

/// What the call of a plugin is lent: an operation, or one that another process lends.
pub trait Lent: Send + Sync {
    /// The operation as the ABI has it; valid as long as `self`.
    fn raw(&self) -> *const abi::gp_op;

    /// What it is stopped by.
    fn cancel(&self) -> &Cancel;

    /// Logs a line about the plugin, at a level of `GP_LOG_*`.
    fn note(&self, level: i32, text: &str);

    /// Sees that the meter that answered is the one that was chosen, where that is known.
    ///
    /// # Errors
    /// [`Status::NotFound`] when it is another.
    fn admit(&self, _serial: &str) -> Result<(), Error> {
        Ok(())
    }
}

impl Lent for Operation {
    fn raw(&self) -> *const abi::gp_op {
        &raw const self.tables().op
    }

    fn cancel(&self) -> &Cancel {
        Self::cancel(self)
    }

    fn admit(&self, serial: &str) -> Result<(), Error> {
        Self::admit(self, serial)
    }

    fn note(&self, level: i32, text: &str) {
        // What a plugin wrote past the host may steer a terminal.
        let visible = |c: char| if c.is_control() { ' ' } else { c };
        self.tables().state.tell(
            u8::try_from(level).unwrap_or(TRACE),
            text.chars().take(LINE_LIMIT).map(visible).collect(),
        );
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        // SAFETY: came from a box, and is freed once; sessions and streams are gone before.
        drop(unsafe { Box::from_raw(self.tables.as_ptr()) });
    }
}

pub(crate) fn table_size<T>() -> u32 {
    u32::try_from(size_of::<T>()).unwrap_or(u32::MAX)
}

/// The state behind an operation a plugin hands back.
///
/// # Safety
/// `op` is null or an operation of this host that is still alive.
pub(super) unsafe fn state<'a>(op: *const abi::gp_op) -> Option<&'a State> {
    // SAFETY: by the caller's word.
    unsafe { op.as_ref()?.host_data.cast::<State>().as_ref() }
}

/// A plugin's text, shortened and without control characters.
///
/// # Safety
/// `text` is null or NUL-terminated.
unsafe fn clean(text: *const c_char) -> String {
    // SAFETY: by the caller's word.
    let text = unsafe { borrowed_text(text) }.unwrap_or_default();
    text.chars()
        .take(LINE_LIMIT)
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

unsafe extern "C" fn cancelled(op: *const abi::gp_op) -> i32 {
    // SAFETY: plugins call with the operation they were given.
    unsafe { state(op) }
        .is_none_or(|state| state.setup.cancel.is_set())
        .into()
}

unsafe extern "C" fn progress(op: *const abi::gp_op, done: u64, total: u64, step: *const c_char) {
    // SAFETY: as above; the text is NUL-terminated by the ABI.
    let (state, step) = unsafe { (state(op), clean(step)) };
    if let Some((sink, setup)) = state.and_then(|s| Some((s.setup.progress.as_ref()?, &s.setup))) {
        sink(Progress {
            node: setup.node.clone(),
            done,
            total,
            step,
        });
    }
}

unsafe extern "C" fn log(
    host: *const abi::gp_host,
    level: i32,
    target: *const c_char,
    text: *const c_char,
) {
    // SAFETY: plugins call with the host they were given and NUL-terminated texts.
    let (state, target, text) = unsafe {
        let state = host
            .as_ref()
            .and_then(|host| host.host_data.cast::<State>().as_ref());
        (state, clean(target), clean(text))
    };
    if let Some(state) = state {
        let level = u8::try_from(level.clamp(1, 5)).unwrap_or(TRACE);
        state.hear(level, &target, text);
    }
}

unsafe extern "C" fn get_extension(_host: *const abi::gp_host, id: *const c_char) -> *const c_void {
    if id.is_null() {
        return ptr::null();
    }
    // SAFETY: not null, and NUL-terminated by the ABI.
    let id = unsafe { CStr::from_ptr(id) };
    if id == abi::GP_EXT_TRANSPORT {
        (&raw const transport::TABLE.0).cast()
    } else if id == abi::GP_EXT_TIME {
        (&raw const TIME.0).cast()
    } else {
        ptr::null()
    }
}

/// A constant table that threads may share.
pub(crate) struct Shared<T>(pub(crate) T);
// SAFETY: constant tables of function pointers.
unsafe impl<T> Sync for Shared<T> {}

static TIME: Shared<abi::gp_time> = Shared(abi::gp_time {
    #[allow(clippy::cast_possible_truncation)] // some bytes
    struct_size: size_of::<abi::gp_time>() as u32,
    reserved: 0,
    utc_us: Some(utc_us),
    monotonic_ms: Some(monotonic_ms),
});

unsafe extern "C" fn utc_us(op: *const abi::gp_op) -> i64 {
    // SAFETY: plugins call with the operation they were given.
    unsafe { state(op) }.map_or(0, |state| state.time.utc_us())
}

unsafe extern "C" fn monotonic_ms(op: *const abi::gp_op) -> u64 {
    // SAFETY: plugins call with the operation they were given.
    unsafe { state(op) }.map_or(0, |state| state.time.monotonic_ms())
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn a_plugin_that_logs_without_end_is_not_shown_without_end() {
        let lines: Arc<Mutex<Vec<LogLine>>> = Arc::default();
        let taken = lines.clone();
        let operation = Operation::start(OperationSetup {
            node: "meter".to_owned(),
            cancel: Cancel::new(),
            clock: Clock::System,
            logger: Logger::new(INFORMATION, move |line| taken.lock().unwrap().push(line)),
            progress: None,
            device: None,
        });
        let host = operation.tables().op.host;
        for level in [abi::GP_LOG_DEBUG, abi::GP_LOG_ERROR] {
            for _ in 0..200_000 {
                // SAFETY: the host of an operation that is alive, and texts.
                unsafe { log(host, level, c"link".as_ptr(), c"no answer, again".as_ptr()) };
            }
        }
        let lines = lines.lock().unwrap();
        let bytes: usize = lines.iter().map(|line| line.text.len()).sum();
        assert!(bytes < 1 << 20, "{bytes}");
        assert_eq!(lines[0].target, "meter/link");
        assert_eq!(lines[0].text, "no answer, again");
        let last = lines.last().map(|line| line.text.as_str());
        assert_eq!(last, Some("its plugin says more, which is not shown"));
    }
}
