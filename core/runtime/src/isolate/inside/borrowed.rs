//! The operation of the host, lent on to the plugin in this process: every callback is a question to the
//! host, but whether it was cancelled, which the lifeline says.

use std::ffi::{CStr, c_char, c_void};
use std::mem::size_of;
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::Arc;

use glucopipe_abi as abi;
use glucopipe_sdk::ffi::{borrowed_text, give_error, give_text, guard::guard};
use glucopipe_sdk::{Error, Status};

use super::wire::Wire;
use crate::cancel::Cancel;
use crate::host::{Lent, Shared, TRANSFER_LIMIT, table_size};
use crate::isolate::message::{Remark, Reply, Request};

/// An operation that is the host's. The tables live at fixed addresses as long as it does.
pub(super) struct Borrowed {
    tables: NonNull<Tables>,
}

struct Tables {
    op: abi::gp_op,
    host: abi::gp_host,
    wire: Arc<Wire>,
    cancel: Cancel,
}

// SAFETY: the tables are never written after they are made, and wire and flag are thread safe.
unsafe impl Send for Borrowed {}
// SAFETY: as above.
unsafe impl Sync for Borrowed {}

/// A link of the host.
struct Link {
    wire: Arc<Wire>,
    number: u64,
}

impl Borrowed {
    /// Lends on what the host lends.
    pub(super) fn new(wire: Arc<Wire>, cancel: Cancel) -> Self {
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
            wire,
            cancel,
        }));
        // SAFETY: just made, and nobody else has it yet. From here on it is only read.
        unsafe {
            (*tables).op.host_data = tables.cast();
            (*tables).host.host_data = tables.cast();
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
}

impl Drop for Borrowed {
    fn drop(&mut self) {
        // SAFETY: came from a box, and is freed once; sessions and streams are gone before.
        drop(unsafe { Box::from_raw(self.tables.as_ptr()) });
    }
}

impl Lent for Borrowed {
    fn raw(&self) -> *const abi::gp_op {
        &raw const self.tables().op
    }

    fn cancel(&self) -> &Cancel {
        &self.tables().cancel
    }

    fn note(&self, level: i32, text: &str) {
        self.tables().wire.say(Remark::Log {
            level,
            target: String::new(),
            text: text.to_owned(),
        });
    }
}

/// # Safety
/// `op` is null or an operation of this host that is still alive.
unsafe fn tables<'a>(op: *const abi::gp_op) -> Option<&'a Tables> {
    // SAFETY: by the caller's word.
    unsafe { op.as_ref()?.host_data.cast::<Tables>().as_ref() }
}

unsafe extern "C" fn cancelled(op: *const abi::gp_op) -> i32 {
    // SAFETY: plugins call with the operation they were given.
    unsafe { tables(op) }
        .is_none_or(|tables| tables.cancel.is_set())
        .into()
}

/// # Safety
/// `text` is null or NUL-terminated.
unsafe fn said(text: *const c_char) -> String {
    // SAFETY: by the caller's word.
    unsafe { borrowed_text(text) }.unwrap_or_default()
}

unsafe extern "C" fn progress(op: *const abi::gp_op, done: u64, total: u64, step: *const c_char) {
    // SAFETY: as above; the text is NUL-terminated by the ABI.
    let (tables, step) = unsafe { (tables(op), said(step)) };
    if let Some(tables) = tables {
        tables.wire.say(Remark::Progress { done, total, step });
    }
}

unsafe extern "C" fn log(
    host: *const abi::gp_host,
    level: i32,
    target: *const c_char,
    text: *const c_char,
) {
    // SAFETY: plugins call with the host they were given and NUL-terminated texts.
    let (tables, target, text) = unsafe {
        let tables = host
            .as_ref()
            .and_then(|host| host.host_data.cast::<Tables>().as_ref());
        (tables, said(target), said(text))
    };
    if let Some(tables) = tables {
        tables.wire.say(Remark::Log {
            level,
            target,
            text,
        });
    }
}

unsafe extern "C" fn get_extension(_host: *const abi::gp_host, id: *const c_char) -> *const c_void {
    if id.is_null() {
        return ptr::null();
    }
    // SAFETY: not null, and NUL-terminated by the ABI.
    let id = unsafe { CStr::from_ptr(id) };
    if id == abi::GP_EXT_TRANSPORT {
        (&raw const TRANSPORT.0).cast()
    } else if id == abi::GP_EXT_TIME {
        (&raw const TIME.0).cast()
    } else {
        ptr::null()
    }
}

static TIME: Shared<abi::gp_time> = Shared(abi::gp_time {
    #[allow(clippy::cast_possible_truncation)] // some bytes
    struct_size: size_of::<abi::gp_time>() as u32,
    reserved: 0,
    utc_us: Some(utc_us),
    monotonic_ms: Some(monotonic_ms),
});

static TRANSPORT: Shared<abi::gp_transport> = Shared(abi::gp_transport {
    #[allow(clippy::cast_possible_truncation)] // some bytes
    struct_size: size_of::<abi::gp_transport>() as u32,
    reserved: 0,
    describe: Some(describe),
    open: Some(open),
    close: Some(close),
    read: Some(read),
    write: Some(write),
    scsi: Some(scsi),
    configure_serial: Some(configure_serial),
});

/// # Safety
/// `op` is what the plugin was given.
unsafe fn number(op: *const abi::gp_op, request: Request) -> i64 {
    // SAFETY: by the caller's word.
    match unsafe { tables(op) }.map(|tables| tables.wire.ask(request, &[])) {
        Some(Ok((Reply::Number(number), _))) => number,
        _ => 0,
    }
}

unsafe extern "C" fn utc_us(op: *const abi::gp_op) -> i64 {
    // SAFETY: plugins call with the operation they were given.
    unsafe { number(op, Request::UtcUs) }
}

unsafe extern "C" fn monotonic_ms(op: *const abi::gp_op) -> u64 {
    // SAFETY: plugins call with the operation they were given.
    u64::try_from(unsafe { number(op, Request::MonotonicMs) }).unwrap_or(0)
}

/// Asks the host for a plugin: no panic of ours unwinds into it.
///
/// # Safety
/// `error` is zeroed memory of the plugin or null.
unsafe fn serve(
    error: *mut abi::gp_error,
    code: impl FnOnce() -> Result<(), Error>,
) -> abi::gp_status {
    match guard(code) {
        Ok(()) => abi::GP_OK,
        // SAFETY: by the caller's word.
        Err(failure) => unsafe { give_error(error, &failure) },
    }
}

fn invalid(what: &str) -> Error {
    Error::new(Status::InvalidArgument, what)
}

fn strange() -> Error {
    Error::new(Status::Internal, "a strange answer of the host")
}

/// # Safety
/// `op` is what the plugin was given.
unsafe fn wire<'a>(op: *const abi::gp_op) -> Result<&'a Arc<Wire>, Error> {
    // SAFETY: by the caller's word.
    let tables = unsafe { tables(op) };
    Ok(&tables
        .ok_or_else(|| invalid("no operation was given"))?
        .wire)
}

/// # Safety
/// `link` is null or came from `open` and is not closed.
unsafe fn opened<'a>(link: *mut abi::gp_link) -> Result<&'a Link, Error> {
    // SAFETY: by the caller's word.
    unsafe { link.cast::<Link>().as_ref() }.ok_or_else(|| invalid("no link was given"))
}

unsafe extern "C" fn describe(
    op: *const abi::gp_op,
    out: *mut abi::gp_string,
    error: *mut abi::gp_error,
) -> abi::gp_status {
    // SAFETY: the plugin hands its operation and zeroed out-parameters.
    unsafe {
        serve(error, || match wire(op)?.ask(Request::Describe, &[])? {
            (Reply::Text(text), _) => {
                give_text(out, &text);
                Ok(())
            }
            _ => Err(strange()),
        })
    }
}

unsafe extern "C" fn open(
    op: *const abi::gp_op,
    kind: u32,
    out: *mut *mut abi::gp_link,
    error: *mut abi::gp_error,
) -> abi::gp_status {
    // SAFETY: the plugin hands its operation and zeroed out-parameters.
    unsafe {
        serve(error, || {
            if out.is_null() {
                return Err(invalid("no room for the link was given"));
            }
            let wire = wire(op)?;
            let (Reply::Number(number), _) = wire.ask(Request::Open { kind }, &[])? else {
                return Err(strange());
            };
            let link = Link {
                wire: wire.clone(),
                number: u64::try_from(number).map_err(|_| strange())?,
            };
            out.write(Box::into_raw(Box::new(link)).cast());
            Ok(())
        })
    }
}

unsafe extern "C" fn close(link: *mut abi::gp_link) {
    if link.is_null() {
        return;
    }
    // SAFETY: came from `open` and is closed once.
    let link = unsafe { Box::from_raw(link.cast::<Link>()) };
    let _ = guard(|| {
        let request = Request::Close { link: link.number };
        link.wire.ask(request, &[]).map(drop)
    });
}

unsafe extern "C" fn read(
    link: *mut abi::gp_link,
    _op: *const abi::gp_op,
    flags: u32,
    timeout_ms: u32,
    buffer: *mut u8,
    cap: u64,
    len: *mut u64,
    error: *mut abi::gp_error,
) -> abi::gp_status {
    // SAFETY: the plugin hands its link, `cap` writable bytes, and out-parameters.
    unsafe {
        serve(error, || {
            let link = opened(link)?;
            let cap = usize::try_from(cap.min(TRANSFER_LIMIT)).unwrap_or(0);
            if buffer.is_null() || len.is_null() || cap == 0 {
                return Err(invalid("no buffer was given"));
            }
            let request = Request::Read {
                link: link.number,
                flags,
                timeout_ms,
                cap,
            };
            let (_, bytes) = link.wire.ask(request, &[])?;
            let bytes = bytes.get(..bytes.len().min(cap)).unwrap_or_default();
            slice::from_raw_parts_mut(buffer, bytes.len()).copy_from_slice(bytes);
            len.write(bytes.len() as u64);
            Ok(())
        })
    }
}

unsafe extern "C" fn write(
    link: *mut abi::gp_link,
    _op: *const abi::gp_op,
    flags: u32,
    timeout_ms: u32,
    bytes: *const u8,
    len: u64,
    error: *mut abi::gp_error,
) -> abi::gp_status {
    // SAFETY: the plugin hands its link, and `len` readable bytes.
    unsafe {
        serve(error, || {
            let link = opened(link)?;
            if bytes.is_null() || len == 0 || len > TRANSFER_LIMIT {
                return Err(invalid("no bytes were given, or too many"));
            }
            let bytes = slice::from_raw_parts(bytes, usize::try_from(len).unwrap_or(0));
            let request = Request::Write {
                link: link.number,
                flags,
                timeout_ms,
            };
            link.wire.ask(request, bytes).map(drop)
        })
    }
}

unsafe extern "C" fn scsi(
    link: *mut abi::gp_link,
    _op: *const abi::gp_op,
    flags: u32,
    command: *mut abi::gp_scsi,
    error: *mut abi::gp_error,
) -> abi::gp_status {
    // SAFETY: the plugin hands its link, and a command with the bytes it names.
    unsafe {
        serve(error, || {
            let link = opened(link)?;
            let command = command
                .as_mut()
                .ok_or_else(|| invalid("no command was given"))?;
            if command.cdb.is_null() || !matches!(command.cdb_len, 6 | 10 | 12 | 16) {
                return Err(invalid("a command block has 6, 10, 12 or 16 bytes"));
            }
            let len = command.data_len as usize;
            let has_data = len > 0 && command.direction != abi::GP_SCSI_NO_DATA;
            if u64::from(command.data_len) > TRANSFER_LIMIT || (has_data && command.data.is_null())
            {
                return Err(invalid("the data of the command are missing or too long"));
            }
            let to_device = has_data && command.direction == abi::GP_SCSI_TO_DEVICE;
            let body = match to_device {
                true => slice::from_raw_parts(command.data.cast_const(), len),
                false => &[],
            };
            let request = Request::Scsi {
                link: link.number,
                flags,
                cdb: slice::from_raw_parts(command.cdb, command.cdb_len as usize).to_vec(),
                direction: if has_data {
                    command.direction
                } else {
                    abi::GP_SCSI_NO_DATA
                },
                cap: len,
                timeout_ms: command.timeout_ms,
            };
            let (reply, bytes) = link.wire.ask(request, body)?;
            let Reply::Scsi {
                status,
                residue,
                sense,
            } = reply
            else {
                return Err(strange());
            };
            if has_data && command.direction == abi::GP_SCSI_FROM_DEVICE {
                let bytes = bytes.get(..bytes.len().min(len)).unwrap_or_default();
                slice::from_raw_parts_mut(command.data, bytes.len()).copy_from_slice(bytes);
            }
            command.status = status;
            command.residue = residue;
            let count = sense.len().min(command.sense.len());
            command.sense[..count].copy_from_slice(&sense[..count]);
            command.sense_len = u32::try_from(count).unwrap_or(0);
            Ok(())
        })
    }
}

unsafe extern "C" fn configure_serial(
    link: *mut abi::gp_link,
    _op: *const abi::gp_op,
    baud: u32,
    data_bits: u32,
    parity: u32,
    stop_bits: u32,
    error: *mut abi::gp_error,
) -> abi::gp_status {
    // SAFETY: the plugin hands its link.
    unsafe {
        serve(error, || {
            let link = opened(link)?;
            let request = Request::Serial {
                link: link.number,
                baud,
                data_bits,
                parity,
                stop_bits,
            };
            link.wire.ask(request, &[]).map(drop)
        })
    }
}
