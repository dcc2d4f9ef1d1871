//! Answers what a plugin in a child asks for, as if it were here: with the SDK, on the operation itself.

use std::collections::HashMap;
use std::sync::Arc;

use glucopipe_abi as abi;
use glucopipe_sdk::link::{Kind, Link, Parity, ScsiData};
use glucopipe_sdk::op::Level;
use glucopipe_sdk::{Error, Op, Status};

use super::batches::Sender;
use super::message::{Remark, Reply, Request};
use crate::host::{Lent, TRANSFER_LIMIT};

/// Most links that are open at once.
const LINKS: usize = 16;

/// What one operation lends.
pub(super) struct Lender {
    // Links are closed before the operation they belong to.
    links: HashMap<u64, Link>,
    last: u64,
    op: Op,
    /// The same operation, while the plugin leaves the device in order.
    closing: Op,
    /// Whether the device is lent.
    devices: bool,
    _op: Arc<dyn Lent>,
}

type Answer = (Result<Reply, Error>, Vec<u8>);

impl Lender {
    /// Lends what the operation has; its device only if `devices` are permitted.
    ///
    /// # Errors
    /// When its tables cannot be read, which they can.
    pub(super) fn new(lent: Arc<dyn Lent>, devices: bool) -> Result<Self, Error> {
        // SAFETY: the operation is kept below, and dropped after these two.
        let (op, closing) = unsafe { (Op::from_raw(lent.raw())?, Op::from_raw(lent.raw())?) };
        closing.begin_closing();
        Ok(Self {
            links: HashMap::new(),
            last: 0,
            op,
            closing,
            devices,
            _op: lent,
        })
    }

    /// Passes on what is said.
    pub(super) fn hear(&self, remark: Remark) {
        match remark {
            Remark::Log {
                level,
                target,
                text,
            } => {
                let level = match level {
                    ..=abi::GP_LOG_ERROR => Level::Error,
                    abi::GP_LOG_WARN => Level::Warn,
                    abi::GP_LOG_INFO => Level::Info,
                    abi::GP_LOG_DEBUG => Level::Debug,
                    _ => Level::Trace,
                };
                self.op.log(level, &target, &text);
            }
            Remark::Progress { done, total, step } => self.op.progress(done, total, &step),
        }
    }

    /// Answers a request; `input` are the readings of the running call.
    pub(super) fn answer(
        &mut self,
        request: Request,
        body: &[u8],
        input: Option<&mut Sender<'static>>,
    ) -> Answer {
        let mut bytes = Vec::new();
        let reply = self.try_answer(request, body, input, &mut bytes);
        (reply, bytes)
    }

    fn try_answer(
        &mut self,
        request: Request,
        body: &[u8],
        input: Option<&mut Sender<'static>>,
        bytes: &mut Vec<u8>,
    ) -> Result<Reply, Error> {
        match request {
            Request::Describe | Request::Open { .. } if !self.devices => {
                let what = "the manifest of the plugin does not ask for `devices`";
                Err(Error::new(Status::Unsupported, what))
            }
            Request::UtcUs => Ok(Reply::Number(self.op.utc_us())),
            Request::MonotonicMs => {
                let now = i64::try_from(self.op.monotonic_ms()).unwrap_or(i64::MAX);
                Ok(Reply::Number(now))
            }
            Request::Describe => Ok(Reply::Text(self.op.describe_device()?.to_string())),
            Request::Open { kind } => self.open(kind),
            Request::Close { link } => {
                self.links.remove(&link);
                Ok(Reply::Done)
            }
            Request::Read {
                link,
                flags,
                timeout_ms,
                cap,
            } => {
                bytes.resize(room(cap), 0);
                let (link, op) = self.link(link, flags)?;
                let read = link.read(op, timeout_ms, bytes);
                bytes.truncate(*read.as_ref().unwrap_or(&0));
                read.map(|_| Reply::Done)
            }
            Request::Write {
                link,
                flags,
                timeout_ms,
            } => {
                let (link, op) = self.link(link, flags)?;
                link.write(op, timeout_ms, body).map(|()| Reply::Done)
            }
            Request::Scsi {
                link,
                flags,
                cdb,
                direction,
                cap,
                timeout_ms,
            } => {
                let (link, op) = self.link(link, flags)?;
                let data = match direction {
                    abi::GP_SCSI_FROM_DEVICE => {
                        bytes.resize(room(cap), 0);
                        ScsiData::From(bytes)
                    }
                    abi::GP_SCSI_TO_DEVICE => ScsiData::To(body),
                    _ => ScsiData::None,
                };
                let done = link.scsi(op, timeout_ms, &cdb, data)?;
                Ok(Reply::Scsi {
                    status: done.status,
                    residue: done.residue,
                    sense: done.sense,
                })
            }
            Request::Serial {
                link,
                baud,
                data_bits,
                parity,
                stop_bits,
            } => {
                let parity = match u8::try_from(parity) {
                    Ok(b'N') => Parity::None,
                    Ok(b'E') => Parity::Even,
                    Ok(b'O') => Parity::Odd,
                    _ => return Err(invalid("no parity of this name")),
                };
                let (link, op) = self.link(link, 0)?;
                link.configure_serial(op, baud, data_bits, parity, stop_bits)?;
                Ok(Reply::Done)
            }
            Request::NextInput => match input
                .ok_or_else(|| invalid("no readings were given"))?
                .next()?
            {
                Some(frame) => {
                    *bytes = frame;
                    Ok(Reply::Done)
                }
                None => Ok(Reply::End),
            },
        }
    }

    fn open(&mut self, kind: u32) -> Result<Reply, Error> {
        let kind = match kind {
            abi::GP_LINK_HID => Kind::Hid,
            abi::GP_LINK_SCSI => Kind::Scsi,
            abi::GP_LINK_SERIAL => Kind::Serial,
            abi::GP_LINK_FILE => Kind::File,
            _ => return Err(Error::new(Status::Unsupported, "no link of this kind")),
        };
        if self.links.len() >= LINKS {
            return Err(invalid("too many links are open"));
        }
        let link = self.op.open_link(kind)?;
        self.last += 1;
        self.links.insert(self.last, link);
        Ok(Reply::Number(i64::try_from(self.last).unwrap_or(i64::MAX)))
    }

    fn link(&mut self, link: u64, flags: u32) -> Result<(&mut Link, &Op), Error> {
        let link = self.links.get_mut(&link);
        let link = link.ok_or_else(|| invalid("no link was given"))?;
        let op = if flags & abi::GP_IO_CLOSING == 0 {
            &self.op
        } else {
            &self.closing
        };
        Ok((link, op))
    }
}

fn invalid(what: &str) -> Error {
    Error::new(Status::InvalidArgument, what)
}

/// Room for a transfer, as the host's own table bounds it.
fn room(cap: usize) -> usize {
    cap.min(usize::try_from(TRANSFER_LIMIT).unwrap_or(usize::MAX))
}
