//! Calling plugins: safe owners of sessions, sinks and transforms.
//!
//! An object is closed when its owner is dropped. Streams borrow the owner, so they are released
//! before.

use std::ffi::CString;
use std::marker::PhantomData;
use std::ptr;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use chrono::{DateTime, NaiveDateTime};
use glucopipe_abi as abi;
use glucopipe_sdk::driver::{Clock as MeterClock, DeviceInfo, Query, ReadReport};
use glucopipe_sdk::exporter::{CommitReport, Preview, Wants};
use glucopipe_sdk::ffi::{call, call_for_text};
use glucopipe_sdk::schema::column_named;
use glucopipe_sdk::stream::{Batches, Import, export};
use glucopipe_sdk::{Error, Status};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::operation::Operation;
use crate::plugin::Component;

fn config_text(config: &Value) -> CString {
    // JSON text escapes NUL, so the conversion cannot fail.
    CString::new(config.to_string()).unwrap_or_default()
}

fn lacks(what: &str) -> Error {
    Error::new(Status::Unsupported, format!("the plugin has no `{what}`"))
}

/// A text of a plugin as the type it should be.
fn parse<T: DeserializeOwned>(what: &str, text: &str) -> Result<T, Error> {
    // serde's own text may quote a value, and a value may be a reading.
    serde_json::from_str(text).map_err(|error| {
        let line = error.line();
        Error::new(
            Status::Internal,
            format!("its {what} is not the JSON the ABI asks for (line {line})"),
        )
    })
}

/// An open meter.
pub struct OpenDriver {
    session: *mut abi::gp_session,
    component: Arc<Component>,
    // Declared last: the operation outlives the session.
    op: Arc<Operation>,
}

// SAFETY: sessions carry the tag [serial]: any thread, one call at a time.
unsafe impl Send for OpenDriver {}

impl OpenDriver {
    /// Opens the device of the operation.
    ///
    /// # Errors
    /// As the driver says.
    pub fn open(
        component: Arc<Component>,
        op: Arc<Operation>,
        config: &Value,
    ) -> Result<Self, Error> {
        let open = component
            .driver()
            .and_then(|table| table.open)
            .ok_or_else(|| lacks("open"))?;
        let config = config_text(config);
        let mut session = ptr::null_mut();
        // SAFETY: operation and text are alive; out-parameters are zeroed and ours.
        call(|error| unsafe { open(op.raw(), config.as_ptr(), &raw mut session, error) })?;
        if session.is_null() {
            return Err(Error::new(Status::Internal, "it opened no session"));
        }
        Ok(Self {
            session,
            component,
            op,
        })
    }

    /// What the meter says of itself.
    ///
    /// # Errors
    /// As the driver says.
    pub fn info(&mut self) -> Result<DeviceInfo, Error> {
        let info = self.component.driver().and_then(|table| table.info);
        let info = info.ok_or_else(|| lacks("info"))?;
        let text = call_for_text(|out, error| {
            // SAFETY: session and operation are alive; out-parameters are zeroed and ours.
            unsafe { info(self.session, self.op.raw(), out, error) }
        })?;
        let info = parse("description of the meter", &text)?;
        let info = tidied(info).map_err(|what| Error::new(Status::Internal, what))?;
        self.op.admit(&info.serial)?;
        Ok(info)
    }

    /// Starts reading the records that a query asks for: all of them, if there is none.
    ///
    /// # Errors
    /// As the driver says.
    pub fn read(&mut self, query: Option<&Query>) -> Result<ReadStream<'_>, Error> {
        let read = self.component.driver().and_then(|table| table.read);
        let read = read.ok_or_else(|| lacks("read"))?;
        let query = query.map(|query| config_text(&json!(query)));
        let query = query.as_ref().map_or(ptr::null(), |text| text.as_ptr());
        let mut stream = abi::ArrowArrayStream::EMPTY;
        let started = call(|error| {
            // SAFETY: session and operation are alive; out-parameters are zeroed and ours.
            unsafe { read(self.session, self.op.raw(), query, &raw mut stream, error) }
        });
        // SAFETY: ours now, on success; on failure it is released or zeroed, and only then released.
        let stream = unsafe { Import::new(stream) };
        started?;
        Ok(ReadStream {
            stream: stream?,
            _session: PhantomData,
        })
    }

    /// What the last read found.
    ///
    /// # Errors
    /// As the driver says.
    pub fn read_report(&mut self) -> Result<ReadReport, Error> {
        let report = self.component.driver().and_then(|table| table.read_report);
        let report = report.ok_or_else(|| lacks("read_report"))?;
        let text = call_for_text(|out, error| {
            // SAFETY: session and operation are alive; out-parameters are zeroed and ours.
            unsafe { report(self.session, self.op.raw(), out, error) }
        })?;
        parse("read report", &text)
    }

    /// What the meter's clock shows.
    ///
    /// # Errors
    /// As the driver says; [`Status::Unsupported`] when it has no way to ask.
    pub fn clock(&mut self) -> Result<MeterClock, Error> {
        let get = self.component.driver().and_then(|table| table.get_clock);
        let get = get.ok_or_else(|| lacks("get_clock"))?;
        let mut clock = abi::gp_clock {
            local_seconds: 0,
            utc_offset_seconds: 0,
            resolution_seconds: 0,
        };
        // SAFETY: session and operation are alive; out-parameters are zeroed and ours.
        call(|error| unsafe { get(self.session, self.op.raw(), &raw mut clock, error) })?;
        let local = DateTime::from_timestamp(clock.local_seconds, 0)
            .ok_or_else(|| Error::new(Status::Internal, "it gave a time that does not exist"))?;
        Ok(MeterClock {
            local: local.naive_utc(),
            resolution_s: clock.resolution_seconds,
        })
    }

    /// Sets the meter's clock.
    ///
    /// # Errors
    /// As the driver says; [`Status::Unsupported`] when it has no way to set it.
    pub fn set_clock(&mut self, local: NaiveDateTime) -> Result<(), Error> {
        let set = self.component.driver().and_then(|table| table.set_clock);
        let set = set.ok_or_else(|| lacks("set_clock"))?;
        let clock = abi::gp_clock {
            local_seconds: local.and_utc().timestamp(),
            utc_offset_seconds: abi::GP_OFFSET_UNKNOWN,
            resolution_seconds: 1,
        };
        // SAFETY: session, operation and clock are alive; the out-parameter is zeroed and ours.
        call(|error| unsafe { set(self.session, self.op.raw(), &raw const clock, error) })
    }

    /// Destroys all stored readings of the meter with this serial.
    ///
    /// # Errors
    /// As the driver says; [`Status::Unsupported`] when it has no way to erase, and
    /// [`Status::Precondition`], with nothing changed, when it is another meter.
    pub fn erase(&mut self, expect_serial: &str) -> Result<(), Error> {
        let erase = self.component.driver().and_then(|table| table.erase);
        let erase = erase.ok_or_else(|| lacks("erase"))?;
        let serial = CString::new(expect_serial)
            .map_err(|_| Error::new(Status::Precondition, "no serial holds a NUL"))?;
        // SAFETY: session, operation and text are alive; the out-parameter is zeroed and ours.
        call(|error| unsafe { erase(self.session, self.op.raw(), serial.as_ptr(), error) })
    }
}

/// A driver's description of a meter as it may go to terminals and tables: control characters are blanks, and a
/// serial with one is none, because readings go by it.
///
/// # Errors
/// What is wrong with it.
pub fn tidied(mut device: DeviceInfo) -> Result<DeviceInfo, String> {
    if device.serial.contains(char::is_control) {
        return Err("the serial in its description of the meter has control characters".into());
    }
    let texts = [
        &mut device.serial_raw,
        &mut device.firmware,
        &mut device.unit,
    ];
    for text in texts.into_iter().flatten().chain([&mut device.model]) {
        *text = text.replace(char::is_control, " ");
    }
    device.extra.values_mut().for_each(tidy);
    Ok(device)
}

fn tidy(value: &mut Value) {
    match value {
        Value::String(text) => *text = text.replace(char::is_control, " "),
        Value::Array(values) => values.iter_mut().for_each(tidy),
        Value::Object(values) => values.values_mut().for_each(tidy),
        _ => {}
    }
}

impl Drop for OpenDriver {
    fn drop(&mut self) {
        if let Some(close) = self.component.driver().and_then(|table| table.close) {
            // SAFETY: open, its streams are released because they borrow `self`, closed once.
            unsafe { close(self.session) };
        }
    }
}

/// The stream of a read; the session is busy until it is dropped.
pub struct ReadStream<'a> {
    stream: Import,
    _session: PhantomData<&'a mut OpenDriver>,
}

impl Batches for ReadStream<'_> {
    fn schema(&self) -> SchemaRef {
        self.stream.schema()
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, Error> {
        self.stream.next_batch()
    }
}

/// An open destination.
pub struct OpenExporter {
    sink: *mut abi::gp_sink,
    component: Arc<Component>,
    // Declared last: the operation outlives the sink.
    op: Arc<Operation>,
}

// SAFETY: sinks carry the tag [serial]: any thread, one call at a time.
unsafe impl Send for OpenExporter {}

impl OpenExporter {
    /// Opens the destination; nothing is visible there yet.
    ///
    /// # Errors
    /// As the exporter says.
    pub fn open(
        component: Arc<Component>,
        op: Arc<Operation>,
        config: &Value,
    ) -> Result<Self, Error> {
        let open = component.exporter().and_then(|table| table.open);
        let open = open.ok_or_else(|| lacks("open"))?;
        let config = config_text(config);
        let mut sink = ptr::null_mut();
        // SAFETY: operation and text are alive; out-parameters are zeroed and ours.
        call(|error| unsafe { open(op.raw(), config.as_ptr(), &raw mut sink, error) })?;
        if sink.is_null() {
            return Err(Error::new(Status::Internal, "it opened no sink"));
        }
        Ok(Self {
            sink,
            component,
            op,
        })
    }

    /// Hands readings over.
    ///
    /// # Errors
    /// As the exporter says, or when it left the stream unreleased. Such a stream is leaked: the
    /// exporter may have released it through a copy, and a second release would be fatal.
    pub fn write(&mut self, readings: Box<dyn Batches>) -> Result<(), Error> {
        let write = self.component.exporter().and_then(|table| table.write);
        let write = write.ok_or_else(|| lacks("write"))?;
        let mut stream = export(readings);
        let written = call(|error| {
            // SAFETY: sink and operation are alive; the exporter takes the stream over.
            unsafe { write(self.sink, self.op.raw(), &raw mut stream, error) }
        });
        written?;
        if stream.release.is_some() {
            return Err(Error::new(
                Status::Internal,
                "it did not release the stream of readings",
            ));
        }
        Ok(())
    }

    /// Makes everything written durable and visible.
    ///
    /// # Errors
    /// As the exporter says.
    pub fn commit(&mut self) -> Result<Committed, Error> {
        let commit = self.component.exporter().and_then(|table| table.commit);
        let commit = commit.ok_or_else(|| lacks("commit"))?;
        let mut done = false;
        let text = call_for_text(|out, error| {
            // SAFETY: sink and operation are alive; out-parameters are zeroed and ours.
            let code = unsafe { commit(self.sink, self.op.raw(), out, error) };
            done = code == abi::GP_OK;
            code
        });
        let report = text.and_then(|text| parse("commit report", &text));
        if done {
            Ok(Committed { report })
        } else {
            Err(report.err().unwrap_or_else(lost))
        }
    }
}

/// A commit that succeeded.
#[derive(Debug)]
pub struct Committed {
    /// What the exporter says of it, or why that cannot be understood.
    pub report: Result<CommitReport, Error>,
}

fn lost() -> Error {
    Error::new(Status::Internal, "it failed without an error")
}

/// Asks an exporter whether a run could deliver; changes nothing. `None` when it has nothing to check.
///
/// # Errors
/// As the exporter says.
pub fn check_exporter(
    component: &Component,
    op: &Operation,
    config: &Value,
) -> Result<Option<Vec<String>>, Error> {
    let Some(check) = component.exporter().and_then(|table| table.check) else {
        return Ok(None);
    };
    let config = config_text(config);
    let text = call_for_text(|out, error| {
        // SAFETY: operation and text are alive; out-parameters are zeroed and ours.
        unsafe { check(op.raw(), config.as_ptr(), out, error) }
    })?;
    parse("findings", &text).map(Some)
}

/// What an exporter would do with these readings; changes nothing. `None` when it cannot say.
///
/// # Errors
/// As the exporter says, or when it left the stream unreleased, as for [`OpenExporter::write`].
pub fn preview_export(
    component: &Component,
    op: &Operation,
    config: &Value,
    readings: Box<dyn Batches>,
) -> Result<Option<Preview>, Error> {
    let Some(preview) = component.exporter().and_then(|table| table.preview) else {
        return Ok(None);
    };
    let (config, mut stream) = (config_text(config), export(readings));
    let text = call_for_text(|out, error| {
        // SAFETY: operation and text are alive; the exporter takes the stream over; out-parameters are
        // zeroed and ours.
        unsafe { preview(op.raw(), config.as_ptr(), &raw mut stream, out, error) }
    })?;
    if stream.release.is_some() {
        return Err(Error::new(
            Status::Internal,
            "it did not release the stream of readings",
        ));
    }
    parse("preview", &text)
}

/// What a sink of this configuration is to be given; everything unless its exporter says otherwise.
///
/// # Errors
/// When the exporter refuses the configuration.
pub fn exporter_wants(component: &Component, config: &Value) -> Result<Wants, Error> {
    let Some(wants) = component.exporter().and_then(|table| table.wants) else {
        return Ok(Wants::Everything);
    };
    let config = config_text(config);
    let mut wanted = 0;
    call(|error| {
        // SAFETY: the text is alive, the out-parameter ours, the error zeroed and ours.
        unsafe { wants(config.as_ptr(), &raw mut wanted, error) }
    })?;
    Ok(match wanted {
        abi::GP_WANTS_NEW => Wants::New,
        abi::GP_WANTS_REVISED => Wants::Revised,
        _ => Wants::Everything,
    })
}

impl Drop for OpenExporter {
    fn drop(&mut self) {
        if let Some(close) = self.component.exporter().and_then(|table| table.close) {
            // SAFETY: open, and closed once.
            unsafe { close(self.sink) };
        }
    }
}

/// Most batches without rows that a transform may give.
const EMPTY_LIMIT: usize = 1000;

/// A configured transform plugin.
pub struct OpenTransform {
    filter: *mut abi::gp_filter,
    component: Arc<Component>,
    // Declared last: the operation outlives the filter.
    op: Arc<Operation>,
}

// SAFETY: transforms carry the tag [serial]: any thread, one call at a time.
unsafe impl Send for OpenTransform {}

impl OpenTransform {
    /// Configures the transform.
    ///
    /// # Errors
    /// As the transform says.
    pub fn open(
        component: Arc<Component>,
        op: Arc<Operation>,
        config: &Value,
    ) -> Result<Self, Error> {
        let open = component.transform().and_then(|table| table.open);
        let open = open.ok_or_else(|| lacks("open"))?;
        let config = config_text(config);
        let mut filter = ptr::null_mut();
        // SAFETY: operation and text are alive; out-parameters are zeroed and ours.
        call(|error| unsafe { open(op.raw(), config.as_ptr(), &raw mut filter, error) })?;
        if filter.is_null() {
            return Err(Error::new(Status::Internal, "it opened no transform"));
        }
        Ok(Self {
            filter,
            component,
            op,
        })
    }

    /// Applies the transform to a stream and takes all of its output, at most `row_limit` rows.
    ///
    /// # Errors
    /// As the transform says, or when it did not take the stream over. Such a stream is leaked: the
    /// transform may read and release it through a copy.
    pub fn apply(
        &mut self,
        readings: Box<dyn Batches>,
        row_limit: usize,
    ) -> Result<Vec<RecordBatch>, Error> {
        let apply = self.component.transform().and_then(|table| table.apply);
        let apply = apply.ok_or_else(|| lacks("apply"))?;
        let mut input = export(readings);
        let mut output = abi::ArrowArrayStream::EMPTY;
        let applied = call(|error| {
            // SAFETY: transform and operation are alive; the transform takes the input over.
            unsafe {
                apply(
                    self.filter,
                    self.op.raw(),
                    &raw mut input,
                    &raw mut output,
                    error,
                )
            }
        });
        // SAFETY: ours now, on success; on failure it is released or zeroed, and only then released.
        let output = unsafe { Import::new(output) };
        applied?;
        let mut output = output?;
        if input.release.is_some() {
            let what = "it did not take the stream of readings over";
            return Err(Error::new(Status::Internal, what));
        }
        check_types(&output.schema())?;
        let (mut batches, mut rows) = (Vec::new(), 0);
        while let Some(batch) = output.next_batch()? {
            if self.op.cancel().is_set() {
                return Err(Error::cancelled());
            }
            rows += batch.num_rows();
            if rows > row_limit {
                return Err(Error::new(
                    Status::Internal,
                    "it gives more rows than it was given",
                ));
            }
            if batches.len() > row_limit + EMPTY_LIMIT {
                return Err(Error::new(Status::Internal, "its stream does not end"));
            }
            batches.push(batch);
        }
        Ok(batches)
    }
}

/// Checks the columns of a transform before any of its buffers is looked at: the importer takes buffers
/// for what the schema says.
fn check_types(schema: &SchemaRef) -> Result<(), Error> {
    let broken = |what: String| Err(Error::new(Status::Internal, what));
    for field in schema.fields() {
        match column_named(field.name()) {
            Some(column) if column.kind.accepts(field.data_type()) => {}
            Some(_) => return broken(format!("it changed the type of column `{}`", field.name())),
            None => return broken(format!("it added the column `{}`", field.name())),
        }
    }
    Ok(())
}

impl Drop for OpenTransform {
    fn drop(&mut self) {
        if let Some(close) = self.component.transform().and_then(|table| table.close) {
            // SAFETY: open, its streams are released because `apply` drops them, closed once.
            unsafe { close(self.filter) };
        }
    }
}
