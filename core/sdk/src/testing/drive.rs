//! Components under test, called through their C tables as a host calls them.

use std::ffi::{CString, c_char};
use std::marker::PhantomData;
use std::ptr;

use arrow::array::RecordBatch;
use chrono::NaiveDateTime;
use glucopipe_abi as abi;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::sample::feed;
use crate::driver::{Clock, DeviceInfo, Driver, Query, ReadReport};
use crate::error::{Error, Result, Status};
use crate::exporter::{CommitReport, Exporter, Preview, Wants};
use crate::ffi::{call, call_for_text, driver, exporter, transform};
use crate::op::text;
use crate::schema::DEVICE_KEY;
use crate::stream::{Batches, Import, export};
use crate::transform::Transform;

fn lacking() -> Error {
    Error::new(Status::Unsupported, "the component has no such function")
}

fn parse<T: DeserializeOwned>(json: &str) -> Result<T> {
    serde_json::from_str(json)
        .map_err(|error| Error::new(Status::Internal, format!("not what was promised: {error}")))
}

/// Opens an object of a table.
fn open<T>(
    table_open: Option<
        unsafe extern "C" fn(
            *const abi::gp_op,
            *const c_char,
            *mut *mut T,
            *mut abi::gp_error,
        ) -> i32,
    >,
    op: *const abi::gp_op,
    config: &Value,
) -> Result<*mut T> {
    let open = table_open.ok_or_else(lacking)?;
    let config: CString = text(&config.to_string());
    let mut object = ptr::null_mut();
    call(|error| {
        // SAFETY: the operation is alive, the text lives until the call returns, both out-parameters are
        // ours and zeroed.
        unsafe { open(op, config.as_ptr(), &raw mut object, error) }
    })?;
    Ok(object)
}

/// An open driver.
pub struct TestSession<D: Driver> {
    session: *mut abi::gp_session,
    op: *const abi::gp_op,
    driver: PhantomData<D>,
}

/// All that one read brought.
#[derive(Debug)]
pub struct Read {
    /// The meter, as the stream says.
    pub device: DeviceInfo,
    /// The readings, in the columns that a driver fills.
    pub batches: Vec<RecordBatch>,
    /// What ended the stream early.
    pub error: Option<Error>,
    /// What the read found.
    pub report: Result<ReadReport>,
}

impl Read {
    /// Number of readings.
    pub fn rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }
}

impl<D: Driver> TestSession<D> {
    const TABLE: abi::gp_driver = driver::Table::<D>::TABLE;

    pub(super) fn open(op: *const abi::gp_op, config: &Value) -> Result<Self> {
        Ok(Self {
            session: open(Self::TABLE.open, op, config)?,
            op,
            driver: PhantomData,
        })
    }

    /// What the meter says of itself.
    ///
    /// # Errors
    /// As the driver says.
    pub fn info(&mut self) -> Result<DeviceInfo> {
        let info = Self::TABLE.info.ok_or_else(lacking)?;
        parse(&call_for_text(|out, error| {
            // SAFETY: session and operation are alive, both out-parameters ours and zeroed.
            unsafe { info(self.session, self.op, out, error) }
        })?)
    }

    /// Starts a read; dropping the stream ends it.
    ///
    /// # Errors
    /// As the driver says.
    pub fn stream(&mut self) -> Result<TestStream<'_>> {
        self.start(None)
    }

    fn start(&mut self, query: Option<&Query>) -> Result<TestStream<'_>> {
        let read = Self::TABLE.read.ok_or_else(lacking)?;
        let query = query.map(|query| text(&serde_json::json!(query).to_string()));
        let query = query.as_ref().map_or(ptr::null(), |query| query.as_ptr());
        let mut stream = abi::ArrowArrayStream::EMPTY;
        call(|error| {
            // SAFETY: session and operation are alive, both out-parameters ours and zeroed.
            unsafe { read(self.session, self.op, query, &raw mut stream, error) }
        })?;
        // SAFETY: the driver filled it, and it is moved away.
        let stream = unsafe { Import::new(stream) }?;
        Ok(TestStream {
            stream,
            session: PhantomData,
        })
    }

    /// Reads everything.
    ///
    /// # Errors
    /// When the read did not even start.
    pub fn read(&mut self) -> Result<Read> {
        self.read_within(None)
    }

    /// Reads what a query asks for.
    ///
    /// # Errors
    /// When the read did not even start.
    pub fn read_for(&mut self, query: &Query) -> Result<Read> {
        self.read_within(Some(query))
    }

    fn read_within(&mut self, query: Option<&Query>) -> Result<Read> {
        let mut stream = self.start(query)?;
        let device = stream.device()?;
        let mut batches = Vec::new();
        let error = loop {
            match stream.next_batch() {
                Ok(Some(batch)) => batches.push(batch),
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        drop(stream);
        Ok(Read {
            device,
            batches,
            error,
            report: self.report(),
        })
    }

    /// What the last read found.
    ///
    /// # Errors
    /// When there was none, or it panicked.
    pub fn report(&mut self) -> Result<ReadReport> {
        let report = Self::TABLE.read_report.ok_or_else(lacking)?;
        parse(&call_for_text(|out, error| {
            // SAFETY: session and operation are alive, both out-parameters ours and zeroed.
            unsafe { report(self.session, self.op, out, error) }
        })?)
    }

    /// The meter's clock.
    ///
    /// # Errors
    /// As the driver says.
    pub fn clock(&mut self) -> Result<Clock> {
        let get_clock = Self::TABLE.get_clock.ok_or_else(lacking)?;
        let mut clock = abi::gp_clock {
            local_seconds: 0,
            utc_offset_seconds: 0,
            resolution_seconds: 0,
        };
        call(|error| {
            // SAFETY: session and operation are alive, both out-parameters ours and zeroed.
            unsafe { get_clock(self.session, self.op, &raw mut clock, error) }
        })?;
        let local = chrono::DateTime::from_timestamp(clock.local_seconds, 0);
        Ok(Clock {
            local: local
                .ok_or_else(|| Error::new(Status::Internal, "no such time"))?
                .naive_utc(),
            resolution_s: clock.resolution_seconds,
        })
    }

    /// Sets the meter's clock.
    ///
    /// # Errors
    /// As the driver says.
    pub fn set_clock(&mut self, local: NaiveDateTime) -> Result<()> {
        let set_clock = Self::TABLE.set_clock.ok_or_else(lacking)?;
        let clock = abi::gp_clock {
            local_seconds: local.and_utc().timestamp(),
            utc_offset_seconds: abi::GP_OFFSET_UNKNOWN,
            resolution_seconds: 1,
        };
        call(|error| {
            // SAFETY: session and operation are alive, the clock and the zeroed error ours.
            unsafe { set_clock(self.session, self.op, &raw const clock, error) }
        })
    }

    /// Erases the meter with this serial.
    ///
    /// # Errors
    /// As the driver says.
    pub fn erase(&mut self, expect_serial: &str) -> Result<()> {
        let erase = Self::TABLE.erase.ok_or_else(lacking)?;
        let serial = text(expect_serial);
        call(|error| {
            // SAFETY: session, operation and text are alive, the zeroed error ours.
            unsafe { erase(self.session, self.op, serial.as_ptr(), error) }
        })
    }
}

impl<D: Driver> Drop for TestSession<D> {
    fn drop(&mut self) {
        if let Some(close) = Self::TABLE.close {
            // SAFETY: streams borrow the session, so they are gone; closed once.
            unsafe { close(self.session) };
        }
    }
}

/// A read in progress.
pub struct TestStream<'s> {
    stream: Import,
    session: PhantomData<&'s mut ()>,
}

impl TestStream<'_> {
    /// The meter, as the stream says.
    ///
    /// # Errors
    /// When it does not say.
    pub fn device(&self) -> Result<DeviceInfo> {
        let schema = self.stream.schema();
        parse(schema.metadata().get(DEVICE_KEY).map_or("", String::as_str))
    }

    /// The next batch, or `None` at the end.
    ///
    /// # Errors
    /// What ended the stream early, as far as `errno` can say it.
    pub fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        self.stream.next_batch()
    }
}

/// An open exporter; dropped without [`TestSink::commit`], it discards what was written.
pub struct TestSink<E: Exporter> {
    sink: *mut abi::gp_sink,
    op: *const abi::gp_op,
    exporter: PhantomData<E>,
}

impl<E: Exporter> TestSink<E> {
    const TABLE: abi::gp_exporter = exporter::Table::<E>::TABLE;

    pub(super) fn open(op: *const abi::gp_op, config: &Value) -> Result<Self> {
        Ok(Self {
            sink: open(Self::TABLE.open, op, config)?,
            op,
            exporter: PhantomData,
        })
    }

    pub(super) fn check(op: *const abi::gp_op, config: &Value) -> Result<Vec<String>> {
        let check = Self::TABLE.check.ok_or_else(lacking)?;
        let config = text(&config.to_string());
        parse(&call_for_text(|out, error| {
            // SAFETY: operation and text are alive, both out-parameters ours and zeroed.
            unsafe { check(op, config.as_ptr(), out, error) }
        })?)
    }

    pub(super) fn wants(config: &Value) -> Result<Wants> {
        let wants = Self::TABLE.wants.ok_or_else(lacking)?;
        let config = text(&config.to_string());
        let mut wanted = 0;
        call(|error| {
            // SAFETY: the text is alive, the out-parameter ours, the error zeroed and ours.
            unsafe { wants(config.as_ptr(), &raw mut wanted, error) }
        })?;
        match wanted {
            abi::GP_WANTS_NEW => Ok(Wants::New),
            abi::GP_WANTS_REVISED => Ok(Wants::Revised),
            _ => Ok(Wants::Everything),
        }
    }

    pub(super) fn preview(
        op: *const abi::gp_op,
        config: &Value,
        readings: Box<dyn Batches>,
    ) -> Result<Option<Preview>> {
        let preview = Self::TABLE.preview.ok_or_else(lacking)?;
        let (config, mut stream) = (text(&config.to_string()), export(readings));
        let seen = call_for_text(|out, error| {
            // SAFETY: operation and text are alive, the stream is handed over, both out-parameters ours and
            // zeroed.
            unsafe { preview(op, config.as_ptr(), &raw mut stream, out, error) }
        });
        if stream.release.is_some() {
            return Err(Error::new(Status::Internal, "the stream was not released"));
        }
        parse(&seen?)
    }

    /// Writes batches, for example of [`super::batch`].
    ///
    /// # Errors
    /// As the exporter says.
    pub fn write(&mut self, batches: &[RecordBatch]) -> Result<()> {
        self.write_stream(feed(batches.iter().cloned().map(Ok)))
    }

    /// Writes a stream, for example of [`feed`].
    ///
    /// # Errors
    /// As the exporter says, or when it left the stream unreleased.
    pub fn write_stream(&mut self, readings: Box<dyn Batches>) -> Result<()> {
        let write = Self::TABLE.write.ok_or_else(lacking)?;
        let mut stream = export(readings);
        let written = call(|error| {
            // SAFETY: sink and operation are alive, the stream is handed over, the zeroed error ours.
            unsafe { write(self.sink, self.op, &raw mut stream, error) }
        });
        if stream.release.is_some() {
            return Err(Error::new(Status::Internal, "the stream was not released"));
        }
        written
    }

    /// Makes everything written visible.
    ///
    /// # Errors
    /// As the exporter says.
    pub fn commit(&mut self) -> Result<CommitReport> {
        let commit = Self::TABLE.commit.ok_or_else(lacking)?;
        parse(&call_for_text(|out, error| {
            // SAFETY: sink and operation are alive, both out-parameters ours and zeroed.
            unsafe { commit(self.sink, self.op, out, error) }
        })?)
    }
}

impl<E: Exporter> Drop for TestSink<E> {
    fn drop(&mut self) {
        if let Some(close) = Self::TABLE.close {
            // SAFETY: opened by this table, closed once.
            unsafe { close(self.sink) };
        }
    }
}

/// An open transform.
pub struct TestFilter<T: Transform> {
    filter: *mut abi::gp_filter,
    op: *const abi::gp_op,
    transform: PhantomData<T>,
}

impl<T: Transform> TestFilter<T> {
    const TABLE: abi::gp_transform = transform::Table::<T>::TABLE;

    pub(super) fn open(op: *const abi::gp_op, config: &Value) -> Result<Self> {
        Ok(Self {
            filter: open(Self::TABLE.open, op, config)?,
            op,
            transform: PhantomData,
        })
    }

    /// Sends batches through, for example of [`super::batch`].
    ///
    /// # Errors
    /// As the transform says.
    pub fn apply(&mut self, batches: &[RecordBatch]) -> Result<Vec<RecordBatch>> {
        self.apply_stream(feed(batches.iter().cloned().map(Ok)))
    }

    /// Sends a stream through, for example of [`feed`].
    ///
    /// # Errors
    /// As the transform says, or when it did not take the stream over.
    pub fn apply_stream(&mut self, readings: Box<dyn Batches>) -> Result<Vec<RecordBatch>> {
        let apply = Self::TABLE.apply.ok_or_else(lacking)?;
        let (mut stream, mut out) = (export(readings), abi::ArrowArrayStream::EMPTY);
        let applied = call(|error| {
            // SAFETY: filter and operation are alive, `stream` is handed over, the rest ours and zeroed.
            unsafe { apply(self.filter, self.op, &raw mut stream, &raw mut out, error) }
        });
        if stream.release.is_some() {
            return Err(Error::new(
                Status::Internal,
                "the stream was not taken over",
            ));
        }
        applied?;
        // SAFETY: the transform filled it, and it is moved away.
        let mut out = unsafe { Import::new(out) }?;
        let mut batches = Vec::new();
        while let Some(batch) = out.next_batch()? {
            batches.push(batch);
        }
        Ok(batches)
    }
}

impl<T: Transform> Drop for TestFilter<T> {
    fn drop(&mut self) {
        if let Some(close) = Self::TABLE.close {
            // SAFETY: streams live no longer than `apply_stream`; closed once.
            unsafe { close(self.filter) };
        }
    }
}
