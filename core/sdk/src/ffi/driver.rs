//! The function table of a driver.

use std::ffi::c_char;
use std::marker::PhantomData;
use std::mem::size_of;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use chrono::DateTime;
use glucopipe_abi as abi;

use super::guard::{Guarded, guard, guarded_drop, watch};
use super::{answer, borrowed_text, give_text, parse_config, parse_query};
use crate::batch::BatchBuilder;
use crate::driver::{Download, Driver, Query, ReadReport, Session};
use crate::error::{Error, Result, Status};
use crate::export::size;
use crate::op::Op;
use crate::schema;
use crate::stream::{Batches, export};

/// Most readings in one batch of a meter.
const BATCH_ROWS: usize = 1024;

/// The object behind `gp_session`.
struct Open<S> {
    session: Guarded<S>,
    /// Of the last read, once it has ended; the panic if it ended in one.
    report: Option<Result<ReadReport>>,
}

pub(crate) struct Table<D>(PhantomData<D>);

impl<D: Driver> Table<D> {
    pub(crate) const TABLE: abi::gp_driver = abi::gp_driver {
        struct_size: size(size_of::<abi::gp_driver>()),
        reserved: 0,
        probe: None,
        open: Some(open::<D>),
        close: Some(close::<D>),
        info: Some(info::<D>),
        read: Some(read::<D>),
        read_report: Some(read_report::<D>),
        get_clock: if D::READS_CLOCK {
            Some(get_clock::<D>)
        } else {
            None
        },
        set_clock: if D::SETS_CLOCK {
            Some(set_clock::<D>)
        } else {
            None
        },
        erase: if D::ERASES { Some(erase::<D>) } else { None },
    };
}

/// # Safety
/// `session` is null or came from `open` of the same driver.
unsafe fn opened<'a, D: Driver>(session: *mut abi::gp_session) -> Result<&'a mut Open<D::Session>> {
    // SAFETY: by the caller's word; calls on one session do not overlap.
    unsafe { session.cast::<Open<D::Session>>().as_mut() }
        .ok_or_else(|| Error::new(Status::InvalidArgument, "no session was given"))
}

unsafe extern "C" fn open<D: Driver>(
    op: *const abi::gp_op,
    config: *const c_char,
    out: *mut *mut abi::gp_session,
    error: *mut abi::gp_error,
) -> abi::gp_status {
    // SAFETY: the host hands a live operation, a text, and zeroed out-parameters.
    unsafe {
        let outcome = guard(|| {
            let op = Op::from_raw(op)?;
            let session = D::open(&op, parse_config(config)?)?;
            let open = Box::new(Open {
                session: Guarded::new(session),
                report: None,
            });
            out.write(Box::into_raw(open).cast());
            Ok(())
        });
        answer(error, outcome)
    }
}

unsafe extern "C" fn close<D: Driver>(session: *mut abi::gp_session) {
    if !session.is_null() {
        // SAFETY: came from `open` and is closed once.
        guarded_drop(unsafe { Box::from_raw(session.cast::<Open<D::Session>>()) });
    }
}

unsafe extern "C" fn info<D: Driver>(
    session: *mut abi::gp_session,
    op: *const abi::gp_op,
    out: *mut abi::gp_string,
    error: *mut abi::gp_error,
) -> abi::gp_status {
    // SAFETY: as for `open`.
    unsafe {
        let outcome = opened::<D>(session).and_then(|open| {
            let op = Op::from_raw(op)?;
            let info = open.session.run(|session| session.info(&op))?;
            give_text(out, &json(&info)?);
            Ok(())
        });
        answer(error, outcome)
    }
}

unsafe extern "C" fn read<D: Driver>(
    session: *mut abi::gp_session,
    op: *const abi::gp_op,
    query: *const c_char,
    out: *mut abi::ArrowArrayStream,
    error: *mut abi::gp_error,
) -> abi::gp_status {
    // SAFETY: as for `open`; session and operation outlive the stream.
    unsafe {
        let outcome = opened::<D>(session).and_then(|open| {
            let op = Op::from_raw(op)?;
            let query: Query = parse_query(query)?;
            open.report = None;
            let session: *mut Open<D::Session> = open;
            // The borrow ends with the stream, which the host releases before the next call.
            let download = (*session)
                .session
                .run(|session| session.read(&op, &query))?;
            let mut running = Running::<D> {
                download: Some(std::mem::transmute::<
                    Box<dyn Download + '_>,
                    Box<dyn Download>,
                >(download)),
                panicked: None,
                session,
                op,
            };
            let device = running
                .run(|download, _| json(download.device()))
                .transpose()?
                .unwrap_or_default();
            let stream = ReadStream {
                builder: BatchBuilder::new(schema::driver_readings(device)),
                running,
                pending: None,
            };
            out.write(export(Box::new(stream)));
            Ok(())
        });
        answer(error, outcome)
    }
}

/// A read in progress; ends its conversation with the meter exactly once, at the latest when dropped.
struct Running<D: Driver> {
    download: Option<Box<dyn Download>>,
    panicked: Option<Error>,
    session: *mut Open<D::Session>,
    op: Op,
}

// SAFETY: session and stream carry the tag [serial]: one thread at a time.
unsafe impl<D: Driver> Send for Running<D> {}

impl<D: Driver> Running<D> {
    /// Runs code on the download, unless it has ended; remembers a panic, which poisons the session.
    fn run<T>(
        &mut self,
        code: impl FnOnce(&mut dyn Download, &Op) -> Result<T>,
    ) -> Option<Result<T>> {
        let (download, op) = (self.download.as_deref_mut()?, &self.op);
        Some(watch(|| code(download, op)).unwrap_or_else(|panic| {
            self.panicked = Some(panic.clone());
            Err(panic)
        }))
    }

    /// Ends the conversation and keeps the report; also after a panic, for the meter's sake.
    ///
    /// # Errors
    /// When the end panicked.
    fn finish(&mut self) -> Result<()> {
        let Some(download) = self.download.take() else {
            return Ok(());
        };
        self.op.begin_closing();
        let finished = watch(|| download.finish(&self.op));
        let ended = finished.as_ref().map(|_| ()).map_err(Error::clone);
        let panicked = self.panicked.take().or_else(|| ended.clone().err());
        // SAFETY: the session outlives its streams, and what borrowed it is gone.
        let open = unsafe { &mut *self.session };
        if let Some(panic) = panicked {
            open.session.poison();
            open.report = Some(Err(panic));
        } else {
            open.report = Some(finished);
        }
        ended
    }
}

impl<D: Driver> Drop for Running<D> {
    fn drop(&mut self) {
        // Nobody is left to tell; the report says it.
        let _ = self.finish();
    }
}

/// A read in progress as a stream of batches.
struct ReadStream<D: Driver> {
    builder: BatchBuilder,
    running: Running<D>,
    /// What ended the read, told after the readings before it.
    pending: Option<Error>,
}

impl<D: Driver> ReadStream<D> {
    /// Reads until a batch is full, the end, or an error.
    fn fill(&mut self) -> Result<()> {
        while self.builder.len() < BATCH_ROWS {
            match self.running.run(|download, op| download.next(op)) {
                Some(Ok(Some(reading))) => self.builder.push(&reading),
                Some(Ok(None)) => self.running.finish()?,
                Some(Err(error)) => {
                    // The first failure is the one to tell.
                    let _ = self.running.finish();
                    return Err(error);
                }
                None => break,
            }
        }
        Ok(())
    }
}

impl<D: Driver> Batches for ReadStream<D> {
    fn schema(&self) -> SchemaRef {
        self.builder.schema().clone()
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        if let Err(error) = self.fill() {
            self.pending = Some(error);
        }
        // What was read before an error is delivered first.
        if !self.builder.is_empty() {
            return self.builder.take().map(Some);
        }
        self.pending.take().map_or(Ok(None), Err)
    }
}

unsafe extern "C" fn read_report<D: Driver>(
    session: *mut abi::gp_session,
    _op: *const abi::gp_op,
    out: *mut abi::gp_string,
    error: *mut abi::gp_error,
) -> abi::gp_status {
    // SAFETY: as for `open`.
    unsafe {
        let outcome = opened::<D>(session).and_then(|open| {
            let report = open.report.as_ref();
            let report =
                report.ok_or_else(|| Error::new(Status::Precondition, "no read has ended yet"))?;
            let report = report.as_ref().map_err(Error::clone)?;
            open.session.healthy()?;
            give_text(out, &json(report)?);
            Ok(())
        });
        answer(error, outcome)
    }
}

unsafe extern "C" fn get_clock<D: Driver>(
    session: *mut abi::gp_session,
    op: *const abi::gp_op,
    out: *mut abi::gp_clock,
    error: *mut abi::gp_error,
) -> abi::gp_status {
    // SAFETY: as for `open`.
    unsafe {
        let outcome = opened::<D>(session).and_then(|open| {
            let op = Op::from_raw(op)?;
            let clock = open.session.run(|session| session.clock(&op))?;
            out.write(abi::gp_clock {
                local_seconds: clock.local.and_utc().timestamp(),
                utc_offset_seconds: abi::GP_OFFSET_UNKNOWN,
                resolution_seconds: clock.resolution_s,
            });
            Ok(())
        });
        answer(error, outcome)
    }
}

unsafe extern "C" fn set_clock<D: Driver>(
    session: *mut abi::gp_session,
    op: *const abi::gp_op,
    clock: *const abi::gp_clock,
    error: *mut abi::gp_error,
) -> abi::gp_status {
    // SAFETY: as for `open`.
    unsafe {
        let outcome = opened::<D>(session).and_then(|open| {
            let op = Op::from_raw(op)?;
            let local = clock
                .as_ref()
                .and_then(|clock| DateTime::from_timestamp(clock.local_seconds, 0))
                .ok_or_else(|| Error::new(Status::InvalidArgument, "no such time"))?;
            open.session
                .run(|session| session.set_clock(&op, local.naive_utc()))
        });
        answer(error, outcome)
    }
}

unsafe extern "C" fn erase<D: Driver>(
    session: *mut abi::gp_session,
    op: *const abi::gp_op,
    expect_serial: *const c_char,
    error: *mut abi::gp_error,
) -> abi::gp_status {
    // SAFETY: as for `open`.
    unsafe {
        let outcome = opened::<D>(session).and_then(|open| {
            let op = Op::from_raw(op)?;
            let serial = borrowed_text(expect_serial).filter(|serial| !serial.is_empty());
            let serial =
                serial.ok_or_else(|| Error::new(Status::Precondition, "no serial was given"))?;
            open.session.run(|session| session.erase(&op, &serial))
        });
        answer(error, outcome)
    }
}

fn json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::new(Status::Internal, error.to_string()))
}
