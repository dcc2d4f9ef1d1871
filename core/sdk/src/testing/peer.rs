//! The other end of a link, and the transport that leads to it.

use std::collections::VecDeque;
use std::ffi::c_void;
use std::mem::size_of;
use std::{ptr, slice};

use glucopipe_abi as abi;

use super::{Inner, inner_of};
use crate::error::{Error, Result, Status};
use crate::export::size;
use crate::ffi::guard::guard;
use crate::ffi::{answer, give_text};
use crate::link::{Kind, ScsiData, ScsiStatus};

/// A device as seen from a link.
pub trait Peer: Send {
    /// Takes what the driver wrote: one HID report, or bytes of a serial line.
    ///
    /// # Errors
    /// What the driver's write shall fail with.
    fn write(&mut self, bytes: &[u8]) -> Result<()>;

    /// Gives the next HID report or bytes; `None` when there is nothing: a timeout, or the end of a file.
    ///
    /// # Errors
    /// What the driver's read shall fail with.
    fn read(&mut self) -> Result<Option<Vec<u8>>>;

    /// As [`Peer::read`], waiting up to `wait_ms` of the host's time; also says how much of it went by.
    /// Only a device that acts on its own has a reason to say it differently.
    ///
    /// # Errors
    /// As [`Peer::read`].
    fn read_within(&mut self, wait_ms: u32) -> Result<(Option<Vec<u8>>, u32)> {
        let bytes = self.read()?;
        let waited = if bytes.is_none() { wait_ms } else { 0 };
        Ok((bytes, waited))
    }

    /// Runs a SCSI command.
    ///
    /// # Errors
    /// What the driver's command shall fail with.
    fn scsi(&mut self, cdb: &[u8], data: ScsiData<'_>) -> Result<ScsiStatus> {
        let _ = (cdb, data);
        Err(Error::new(Status::Unsupported, "this peer has no SCSI"))
    }
}

enum Step {
    Expect(Vec<u8>),
    Reply(Vec<u8>),
    Silence,
    Fail(Error),
}

/// A fixed conversation. Anything else that is written fails; after its end there is silence.
#[derive(Default)]
pub struct Script(VecDeque<Step>);

impl Script {
    /// An empty conversation.
    pub fn new() -> Self {
        Self::default()
    }

    fn with(mut self, step: Step) -> Self {
        self.0.push_back(step);
        self
    }

    /// The driver writes exactly this.
    #[must_use]
    pub fn expect(self, bytes: &[u8]) -> Self {
        self.with(Step::Expect(bytes.to_vec()))
    }

    /// The device sends this.
    #[must_use]
    pub fn reply(self, bytes: &[u8]) -> Self {
        self.with(Step::Reply(bytes.to_vec()))
    }

    /// The device lets one read time out.
    #[must_use]
    pub fn silence(self) -> Self {
        self.with(Step::Silence)
    }

    /// The next call of the link fails.
    #[must_use]
    pub fn fail(self, error: Error) -> Self {
        self.with(Step::Fail(error))
    }
}

impl Peer for Script {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        match self.0.pop_front() {
            Some(Step::Expect(expected)) if expected == bytes => Ok(()),
            Some(Step::Expect(expected)) => Err(Error::new(
                Status::Internal,
                format!("script: got write {bytes:02x?}, expected {expected:02x?}"),
            )),
            Some(Step::Fail(error)) => Err(error),
            _ => Err(Error::new(
                Status::Internal,
                format!("script: got write {bytes:02x?}, expected none here"),
            )),
        }
    }

    fn read(&mut self) -> Result<Option<Vec<u8>>> {
        match self.0.pop_front() {
            Some(Step::Reply(bytes)) => Ok(Some(bytes)),
            Some(Step::Fail(error)) => Err(error),
            Some(Step::Silence) | None => Ok(None),
            Some(expect @ Step::Expect(_)) => {
                self.0.push_front(expect);
                Ok(None)
            }
        }
    }
}

/// A device that answers each write with any number of reports.
pub fn answering(
    answer: impl FnMut(&[u8]) -> Vec<Vec<u8>> + Send + 'static,
) -> impl Peer + 'static {
    struct Answering<F>(F, VecDeque<Vec<u8>>);
    impl<F: FnMut(&[u8]) -> Vec<Vec<u8>> + Send> Peer for Answering<F> {
        fn write(&mut self, bytes: &[u8]) -> Result<()> {
            self.1.extend((self.0)(bytes));
            Ok(())
        }
        fn read(&mut self) -> Result<Option<Vec<u8>>> {
            Ok(self.1.pop_front())
        }
    }
    Answering(answer, VecDeque::new())
}

pub(super) static TRANSPORT: abi::gp_transport = abi::gp_transport {
    struct_size: size(size_of::<abi::gp_transport>()),
    reserved: 0,
    describe: Some(describe),
    open: Some(open),
    close: Some(close),
    read: Some(read),
    write: Some(write),
    scsi: Some(scsi),
    configure_serial: Some(configure_serial),
};

unsafe extern "C" fn describe(
    op: *const abi::gp_op,
    out: *mut abi::gp_string,
    error: *mut abi::gp_error,
) -> abi::gp_status {
    // SAFETY: an operation of ours, and out-parameters of the plugin.
    unsafe {
        give_text(out, &inner_of(op).state().device.to_string());
        answer(error, Ok(()))
    }
}

unsafe extern "C" fn open(
    op: *const abi::gp_op,
    kind: u32,
    out: *mut *mut abi::gp_link,
    error: *mut abi::gp_error,
) -> abi::gp_status {
    // SAFETY: an operation of ours, and out-parameters of the plugin.
    unsafe {
        let inner = inner_of(op);
        let mut state = inner.state();
        let stopped = state.closing_calls == 0 && state.is_cancelled();
        let outcome = match &state.peer {
            _ if stopped => Err(Error::cancelled()),
            None => Err(Error::new(Status::NotFound, "no device is attached")),
            Some((lent, _)) if lent.code() != kind => Err(Error::new(
                Status::Unsupported,
                "the device has no link of this kind",
            )),
            Some(_) if state.link_open => {
                Err(Error::new(Status::Access, "the device is open already"))
            }
            Some(_) => {
                state.link_open = true;
                // One link at a time, so the host itself can stand for it.
                out.write(ptr::from_ref(inner).cast_mut().cast());
                Ok(())
            }
        };
        answer(error, outcome)
    }
}

/// # Safety
/// `link` is an open link of ours.
unsafe fn inner_behind(link: *mut abi::gp_link) -> &'static Inner {
    // SAFETY: by the caller's word; `open` made it from a reference that lives for ever.
    unsafe { &*link.cast::<c_void>().cast::<Inner>() }
}

unsafe extern "C" fn close(link: *mut abi::gp_link) {
    if !link.is_null() {
        // SAFETY: not null, and an open link of ours.
        unsafe { inner_behind(link) }.state().link_open = false;
    }
}

fn gone() -> Error {
    Error::new(Status::Internal, "the link has no peer")
}

unsafe extern "C" fn read(
    link: *mut abi::gp_link,
    _op: *const abi::gp_op,
    flags: u32,
    timeout_ms: u32,
    buffer: *mut u8,
    capacity: u64,
    len: *mut u64,
    error: *mut abi::gp_error,
) -> abi::gp_status {
    // SAFETY: an open link of ours, and memory of the plugin with that capacity.
    unsafe {
        let outcome = guard(|| {
            let mut state = inner_behind(link).state();
            state.may_go_on(flags)?;
            let state = &mut *state;
            let (kind, peer) = state.peer.as_mut().ok_or_else(gone)?;
            let kind = *kind;
            if state.unread.is_empty() {
                let (bytes, waited) = match kind {
                    Kind::File => (peer.read()?, 0),
                    _ => peer.read_within(timeout_ms)?,
                };
                state.wait(waited);
                match bytes {
                    Some(bytes) => state.unread = bytes,
                    None if kind == Kind::File => {}
                    None => {
                        let message = format!("no answer after {timeout_ms} ms");
                        return Err(Error::new(Status::Timeout, message));
                    }
                }
            }
            let count = usize::try_from(capacity)
                .unwrap_or(usize::MAX)
                .min(state.unread.len());
            ptr::copy_nonoverlapping(state.unread.as_ptr(), buffer, count);
            len.write(count as u64);
            state.unread.drain(..count);
            if kind == Kind::Hid {
                // A report is read whole or cut short.
                state.unread.clear();
            }
            Ok(())
        });
        answer(error, outcome)
    }
}

unsafe extern "C" fn write(
    link: *mut abi::gp_link,
    _op: *const abi::gp_op,
    flags: u32,
    _timeout_ms: u32,
    bytes: *const u8,
    len: u64,
    error: *mut abi::gp_error,
) -> abi::gp_status {
    // SAFETY: an open link of ours, and as many bytes of the plugin.
    unsafe {
        let outcome = guard(|| {
            let mut state = inner_behind(link).state();
            state.may_go_on(flags)?;
            let bytes = bytes_of(bytes, len)?;
            state.peer.as_mut().ok_or_else(gone)?.1.write(bytes)
        });
        answer(error, outcome)
    }
}

/// # Safety
/// `len` bytes are readable at `bytes`, or `len` is 0.
unsafe fn bytes_of<'a>(bytes: *const u8, len: u64) -> Result<&'a [u8]> {
    let len = usize::try_from(len).map_err(|_| gone())?;
    if len == 0 {
        return Ok(&[]);
    }
    // SAFETY: by the caller's word.
    Ok(unsafe { slice::from_raw_parts(bytes, len) })
}

unsafe extern "C" fn scsi(
    link: *mut abi::gp_link,
    _op: *const abi::gp_op,
    flags: u32,
    command: *mut abi::gp_scsi,
    error: *mut abi::gp_error,
) -> abi::gp_status {
    // SAFETY: an open link of ours, and a command of the plugin with its buffers.
    unsafe {
        let outcome = guard(|| {
            let mut state = inner_behind(link).state();
            state.may_go_on(flags)?;
            let command = &mut *command;
            let cdb = bytes_of(command.cdb, command.cdb_len.into())?;
            let data = match command.direction {
                abi::GP_SCSI_FROM_DEVICE if command.data_len > 0 => {
                    ScsiData::From(slice::from_raw_parts_mut(
                        command.data,
                        bytes_of(command.data, command.data_len.into())?.len(),
                    ))
                }
                abi::GP_SCSI_TO_DEVICE => {
                    ScsiData::To(bytes_of(command.data, command.data_len.into())?)
                }
                _ => ScsiData::None,
            };
            let done = state.peer.as_mut().ok_or_else(gone)?.1.scsi(cdb, data)?;
            let sense = done.sense.len().min(command.sense.len());
            command.status = done.status;
            command.residue = done.residue;
            command.sense[..sense].copy_from_slice(&done.sense[..sense]);
            command.sense_len = u32::try_from(sense).unwrap_or(0);
            Ok(())
        });
        answer(error, outcome)
    }
}

unsafe extern "C" fn configure_serial(
    link: *mut abi::gp_link,
    _op: *const abi::gp_op,
    _baud: u32,
    _data_bits: u32,
    _parity: u32,
    _stop_bits: u32,
    error: *mut abi::gp_error,
) -> abi::gp_status {
    // SAFETY: an open link of ours, and an error of the plugin.
    unsafe {
        let state = inner_behind(link).state();
        let outcome = match &state.peer {
            Some((Kind::Serial, _)) => Ok(()),
            _ => Err(Error::new(Status::Unsupported, "not a serial line")),
        };
        answer(error, outcome)
    }
}
