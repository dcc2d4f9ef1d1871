//! The host extension `glucopipe.transport/1`: links lent to drivers.

use std::mem::size_of;
use std::slice;
use std::sync::atomic::Ordering;

use glucopipe_abi as abi;
use glucopipe_sdk::ffi::{give_error, give_text, guard::guard};
use glucopipe_sdk::link::{Kind, ScsiData};
use glucopipe_sdk::{Error, Status};

use super::link_trace::{self, LinkTrace};
use super::operation::{Shared, State, state};
use crate::cancel::Talk;
use crate::transport::link::{BUSY, Link, LinkContext, LinkError};

/// Longest wait inside one call of a back end, so that a cancellation is seen soon.
const SLICE_MS: u32 = 100;
/// Longest wait a driver may ask for.
const TIMEOUT_LIMIT_MS: u32 = 60_000;
/// Largest transfer a driver may ask for.
pub(crate) const TRANSFER_LIMIT: u64 = 16 << 20;

pub(super) static TABLE: Shared<abi::gp_transport> = Shared(abi::gp_transport {
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

/// The object behind `gp_link`.
struct OpenLink {
    link: Box<dyn Link>,
    trace: Option<LinkTrace>,
    /// Ends after the link.
    _talk: Talk,
}

impl From<LinkError> for Error {
    fn from(error: LinkError) -> Self {
        match error {
            LinkError::Timeout => Self::new(Status::Timeout, "nothing came in time"),
            LinkError::Lost => Self::new(Status::Lost, "the device was disconnected"),
            LinkError::Cancelled => Self::cancelled(),
            LinkError::Unsupported => {
                Self::new(Status::Unsupported, "the device has no link of this kind")
            }
            LinkError::Transcript(reason) => {
                Self::new(Status::Io, format!("the recording does not fit: {reason}"))
            }
            LinkError::Busy => Self::new(Status::Access, BUSY),
            LinkError::Access(reason) => Self::new(Status::Access, reason),
            LinkError::Io(reason) => Self::new(Status::Io, reason),
        }
    }
}

/// Runs host code for a plugin: no panic of ours unwinds into it.
///
/// # Safety
/// `op` and `error` are what the plugin was given or zeroed memory of its own.
unsafe fn serve(
    op: *const abi::gp_op,
    error: *mut abi::gp_error,
    code: impl FnOnce(&State) -> Result<(), Error>,
) -> abi::gp_status {
    let outcome = guard(|| {
        // SAFETY: by the caller's word.
        let state = unsafe { state(op) };
        code(state.ok_or_else(|| Error::new(Status::InvalidArgument, "no operation was given"))?)
    });
    match outcome {
        Ok(()) => abi::GP_OK,
        // SAFETY: by the caller's word.
        Err(failure) => unsafe { give_error(error, &failure) },
    }
}

/// # Safety
/// `link` is null or came from `open` and is not closed.
unsafe fn opened<'a>(link: *mut abi::gp_link) -> Result<&'a mut OpenLink, Error> {
    // SAFETY: by the caller's word; calls on one link do not overlap.
    unsafe { link.cast::<OpenLink>().as_mut() }
        .ok_or_else(|| Error::new(Status::InvalidArgument, "no link was given"))
}

fn check(state: &State, flags: u32) -> Result<(), Error> {
    if state.may_go_on(flags) {
        Ok(())
    } else {
        Err(Error::cancelled())
    }
}

fn context<'a>(state: &'a State, flags: u32, go_on: &'a dyn Fn() -> bool) -> LinkContext<'a> {
    LinkContext {
        time: &state.time,
        cancel: &state.setup.cancel,
        go_on,
        closing: flags & abi::GP_IO_CLOSING != 0,
    }
}

unsafe extern "C" fn describe(
    op: *const abi::gp_op,
    out: *mut abi::gp_string,
    error: *mut abi::gp_error,
) -> abi::gp_status {
    // SAFETY: the plugin hands its operation and zeroed out-parameters.
    unsafe {
        serve(op, error, |state| {
            give_text(out, &device(state)?.describe().to_string());
            Ok(())
        })
    }
}

fn device(state: &State) -> Result<&crate::device::Device, Error> {
    state
        .setup
        .device
        .as_ref()
        .ok_or_else(|| Error::new(Status::NotFound, "no device was chosen for this operation"))
}

unsafe extern "C" fn open(
    op: *const abi::gp_op,
    kind: u32,
    out: *mut *mut abi::gp_link,
    error: *mut abi::gp_error,
) -> abi::gp_status {
    // SAFETY: the plugin hands its operation and zeroed out-parameters.
    unsafe {
        serve(op, error, |state| {
            let go_on = || state.may_open();
            if !go_on() {
                return Err(Error::cancelled());
            }
            let kind = match kind {
                abi::GP_LINK_HID => Kind::Hid,
                abi::GP_LINK_SCSI => Kind::Scsi,
                abi::GP_LINK_SERIAL => Kind::Serial,
                abi::GP_LINK_FILE => Kind::File,
                _ => return Err(LinkError::Unsupported.into()),
            };
            let call = || {
                let link = device(state)?.open(kind, &context(state, 0, &go_on));
                let busy = matches!(link, Err(LinkError::Busy));
                state.busy.fetch_or(busy, Ordering::SeqCst);
                Ok(link?)
            };
            let words = |outcome: &Result<_, _>| link_trace::opened(kind, outcome);
            let link = LinkTrace::follow(state.trace.as_ref(), call, words)?;
            if let Some(route) = link.route() {
                state.note(format!("the meter is reached by {route}"));
            }
            if out.is_null() {
                return Err(Error::new(
                    Status::InvalidArgument,
                    "no room for the link was given",
                ));
            }
            let link = OpenLink {
                link,
                trace: state.trace.clone(),
                _talk: state.setup.cancel.talk(),
            };
            out.write(Box::into_raw(Box::new(link)).cast());
            Ok(())
        })
    }
}

unsafe extern "C" fn close(link: *mut abi::gp_link) {
    if !link.is_null() {
        // SAFETY: came from `open` and is closed once.
        let link = unsafe { Box::from_raw(link.cast::<OpenLink>()) };
        let _ = guard(|| {
            let trace = link.trace.clone();
            drop(link);
            if let Some(trace) = trace {
                trace.closed();
            }
            Ok(())
        });
    }
}

unsafe extern "C" fn read(
    link: *mut abi::gp_link,
    op: *const abi::gp_op,
    flags: u32,
    timeout_ms: u32,
    buffer: *mut u8,
    cap: u64,
    len: *mut u64,
    error: *mut abi::gp_error,
) -> abi::gp_status {
    // SAFETY: the plugin hands its link and operation, `cap` writable bytes, and out-parameters.
    unsafe {
        serve(op, error, |state| {
            let link = opened(link)?;
            let cap = usize::try_from(cap.min(TRANSFER_LIMIT)).unwrap_or(0);
            if buffer.is_null() || len.is_null() || cap == 0 {
                return Err(Error::new(Status::InvalidArgument, "no buffer was given"));
            }
            let buffer = slice::from_raw_parts_mut(buffer, cap);
            let until = state.time.monotonic_ms() + u64::from(timeout_ms.min(TIMEOUT_LIMIT_MS));
            let go_on = || state.may_go_on(flags);
            let call = || loop {
                check(state, flags)?;
                let left = until.saturating_sub(state.time.monotonic_ms());
                let wait = u32::try_from(left).unwrap_or(u32::MAX).min(SLICE_MS);
                match link.link.read(&context(state, flags, &go_on), wait, buffer) {
                    Err(LinkError::Timeout) if left > u64::from(wait) => {}
                    outcome => return Ok(outcome?),
                }
            };
            let count = LinkTrace::follow(state.trace.as_ref(), call, link_trace::read)?;
            state.exchanges.fetch_add(1, Ordering::Relaxed);
            len.write(count as u64);
            Ok(())
        })
    }
}

unsafe extern "C" fn write(
    link: *mut abi::gp_link,
    op: *const abi::gp_op,
    flags: u32,
    _timeout_ms: u32,
    bytes: *const u8,
    len: u64,
    error: *mut abi::gp_error,
) -> abi::gp_status {
    // SAFETY: the plugin hands its link and operation, and `len` readable bytes.
    unsafe {
        serve(op, error, |state| {
            let link = opened(link)?;
            if bytes.is_null() || len == 0 || len > TRANSFER_LIMIT {
                return Err(Error::new(
                    Status::InvalidArgument,
                    "no bytes were given, or too many",
                ));
            }
            let bytes = slice::from_raw_parts(bytes, usize::try_from(len).unwrap_or(0));
            let go_on = || state.may_go_on(flags);
            let call = || {
                check(state, flags)?;
                state.exchanges.fetch_add(1, Ordering::Relaxed);
                Ok(link.link.write(&context(state, flags, &go_on), bytes)?)
            };
            let words = |outcome: &Result<_, _>| link_trace::write(bytes, outcome);
            LinkTrace::follow(state.trace.as_ref(), call, words)
        })
    }
}

unsafe extern "C" fn scsi(
    link: *mut abi::gp_link,
    op: *const abi::gp_op,
    flags: u32,
    command: *mut abi::gp_scsi,
    error: *mut abi::gp_error,
) -> abi::gp_status {
    // SAFETY: the plugin hands its link and operation, and a command with the bytes it names.
    unsafe {
        serve(op, error, |state| {
            let link = opened(link)?;
            let invalid = |what| Error::new(Status::InvalidArgument, what);
            let command = command
                .as_mut()
                .ok_or_else(|| invalid("no command was given"))?;
            if command.cdb.is_null() || !matches!(command.cdb_len, 6 | 10 | 12 | 16) {
                return Err(invalid("a command block has 6, 10, 12 or 16 bytes"));
            }
            let cdb = slice::from_raw_parts(command.cdb, command.cdb_len as usize);
            let len = command.data_len as usize;
            let has_data = len > 0 && command.direction != abi::GP_SCSI_NO_DATA;
            if u64::from(command.data_len) > TRANSFER_LIMIT || (has_data && command.data.is_null())
            {
                return Err(invalid("the data of the command are missing or too long"));
            }
            let data = match command.direction {
                abi::GP_SCSI_FROM_DEVICE if has_data => {
                    ScsiData::From(slice::from_raw_parts_mut(command.data, len))
                }
                abi::GP_SCSI_TO_DEVICE if has_data => {
                    ScsiData::To(slice::from_raw_parts(command.data.cast_const(), len))
                }
                _ => ScsiData::None,
            };
            let timeout = command.timeout_ms.min(TIMEOUT_LIMIT_MS);
            let go_on = || state.may_go_on(flags);
            let context = context(state, flags, &go_on);
            let trace = state.trace.as_ref();
            let said = trace.map(|_| link_trace::command(cdb, &data));
            let call = || {
                check(state, flags)?;
                state.exchanges.fetch_add(1, Ordering::Relaxed);
                Ok(link.link.scsi(&context, timeout, cdb, data)?)
            };
            let words =
                |outcome: &Result<_, _>| link_trace::commanded(said.unwrap_or_default(), outcome);
            let status = LinkTrace::follow(trace, call, words)?;
            let sense = status.sense.len().min(command.sense.len());
            command.status = status.status;
            command.residue = status.residue;
            command.sense[..sense].copy_from_slice(&status.sense[..sense]);
            command.sense_len = u32::try_from(sense).unwrap_or(0);
            Ok(())
        })
    }
}

unsafe extern "C" fn configure_serial(
    link: *mut abi::gp_link,
    op: *const abi::gp_op,
    baud: u32,
    data_bits: u32,
    parity: u32,
    stop_bits: u32,
    error: *mut abi::gp_error,
) -> abi::gp_status {
    // SAFETY: the plugin hands its link and operation.
    unsafe {
        serve(op, error, |state| {
            let link = &mut opened(link)?.link;
            let call = || {
                check(state, 0)?;
                Ok(link.configure_serial(baud, data_bits, parity, stop_bits)?)
            };
            let words = |outcome: &Result<_, _>| link_trace::configured(baud, outcome);
            LinkTrace::follow(state.trace.as_ref(), call, words)
        })
    }
}
