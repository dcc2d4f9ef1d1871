//! Calling drivers. A session is closed when its owner is dropped; its streams borrow the owner, so they
//! are released before.

use std::ffi::CString;
use std::marker::PhantomData;
use std::ptr;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use chrono::{DateTime, NaiveDateTime};
use glucopipe_abi as abi;
use glucopipe_sdk::driver::{Clock as MeterClock, DeviceInfo, Query, ReadReport};
use glucopipe_sdk::ffi::{call, call_for_text};
use glucopipe_sdk::stream::{Batches, Import};
use glucopipe_sdk::{Error, Status};
use serde_json::{Value, json};

use super::call::{config_text, lacks, named, parse};
use super::operation::Lent;
use crate::isolate::{Call, Child, Streamed};
use crate::plugin::Component;

/// An open meter.
pub struct OpenDriver {
    session: Session,
    component: Arc<Component>,
    // Declared last: the operation outlives the session.
    op: Arc<dyn Lent>,
}

enum Session {
    Here(*mut abi::gp_session),
    Apart(Box<Child>),
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
        op: Arc<dyn Lent>,
        config: &Value,
    ) -> Result<Self, Error> {
        if let Some(apart) = component.apart() {
            let child = Child::open(apart, op.clone(), named(&component, config))?;
            return Ok(Self {
                session: Session::Apart(Box::new(child)),
                component,
                op,
            });
        }
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
            session: Session::Here(session),
            component,
            op,
        })
    }

    /// What the meter says of itself.
    ///
    /// # Errors
    /// As the driver says.
    pub fn info(&mut self) -> Result<DeviceInfo, Error> {
        let info =
            tidied(self.description()?).map_err(|what| Error::new(Status::Internal, what))?;
        self.op.admit(&info.serial)?;
        Ok(info)
    }

    fn description(&mut self) -> Result<DeviceInfo, Error> {
        let session = match &mut self.session {
            Session::Here(session) => *session,
            Session::Apart(child) => return child.answer(Call::Info),
        };
        let info = self.component.driver().and_then(|table| table.info);
        let info = info.ok_or_else(|| lacks("info"))?;
        let text = call_for_text(|out, error| {
            // SAFETY: session and operation are alive; out-parameters are zeroed and ours.
            unsafe { info(session, self.op.raw(), out, error) }
        })?;
        parse("description of the meter", &text)
    }

    /// Starts reading the records that a query asks for: all of them, if there is none.
    ///
    /// # Errors
    /// As the driver says.
    pub fn read(&mut self, query: Option<&Query>) -> Result<ReadStream<'_>, Error> {
        let session = match &mut self.session {
            Session::Here(session) => *session,
            Session::Apart(child) => return Ok(ReadStream(Stream::Apart(child.read(query)?))),
        };
        let read = self.component.driver().and_then(|table| table.read);
        let read = read.ok_or_else(|| lacks("read"))?;
        let query = query.map(|query| config_text(&json!(query)));
        let query = query.as_ref().map_or(ptr::null(), |text| text.as_ptr());
        let mut stream = abi::ArrowArrayStream::EMPTY;
        let started = call(|error| {
            // SAFETY: session and operation are alive; out-parameters are zeroed and ours.
            unsafe { read(session, self.op.raw(), query, &raw mut stream, error) }
        });
        // SAFETY: ours now, on success; on failure it is released or zeroed, and only then released.
        let stream = unsafe { Import::new(stream) };
        started?;
        Ok(ReadStream(Stream::Here(stream?, PhantomData)))
    }

    /// What the last read found.
    ///
    /// # Errors
    /// As the driver says.
    pub fn read_report(&mut self) -> Result<ReadReport, Error> {
        let session = match &mut self.session {
            Session::Here(session) => *session,
            Session::Apart(child) => return child.answer(Call::ReadReport),
        };
        let report = self.component.driver().and_then(|table| table.read_report);
        let report = report.ok_or_else(|| lacks("read_report"))?;
        let text = call_for_text(|out, error| {
            // SAFETY: session and operation are alive; out-parameters are zeroed and ours.
            unsafe { report(session, self.op.raw(), out, error) }
        })?;
        parse("read report", &text)
    }

    /// What the meter's clock shows.
    ///
    /// # Errors
    /// As the driver says; [`Status::Unsupported`] when it has no way to ask.
    pub fn clock(&mut self) -> Result<MeterClock, Error> {
        let session = match &mut self.session {
            Session::Here(session) => *session,
            Session::Apart(child) => {
                let (seconds, resolution_s) = child.answer(Call::Clock)?;
                return meter_clock(seconds, resolution_s);
            }
        };
        let get = self.component.driver().and_then(|table| table.get_clock);
        let get = get.ok_or_else(|| lacks("get_clock"))?;
        let mut clock = abi::gp_clock {
            local_seconds: 0,
            utc_offset_seconds: 0,
            resolution_seconds: 0,
        };
        // SAFETY: session and operation are alive; out-parameters are zeroed and ours.
        call(|error| unsafe { get(session, self.op.raw(), &raw mut clock, error) })?;
        meter_clock(clock.local_seconds, clock.resolution_seconds)
    }

    /// Sets the meter's clock.
    ///
    /// # Errors
    /// As the driver says; [`Status::Unsupported`] when it has no way to set it.
    pub fn set_clock(&mut self, local: NaiveDateTime) -> Result<(), Error> {
        let session = match &mut self.session {
            Session::Here(session) => *session,
            Session::Apart(child) => {
                return child.answer(Call::SetClock(local.and_utc().timestamp()));
            }
        };
        let set = self.component.driver().and_then(|table| table.set_clock);
        let set = set.ok_or_else(|| lacks("set_clock"))?;
        let clock = abi::gp_clock {
            local_seconds: local.and_utc().timestamp(),
            utc_offset_seconds: abi::GP_OFFSET_UNKNOWN,
            resolution_seconds: 1,
        };
        // SAFETY: session, operation and clock are alive; the out-parameter is zeroed and ours.
        call(|error| unsafe { set(session, self.op.raw(), &raw const clock, error) })
    }

    /// Destroys all stored readings of the meter with this serial.
    ///
    /// # Errors
    /// As the driver says; [`Status::Unsupported`] when it has no way to erase, and
    /// [`Status::Precondition`], with nothing changed, when it is another meter.
    pub fn erase(&mut self, expect_serial: &str) -> Result<(), Error> {
        let session = match &mut self.session {
            Session::Here(session) => *session,
            Session::Apart(child) => return child.answer(Call::Erase(expect_serial.to_owned())),
        };
        let erase = self.component.driver().and_then(|table| table.erase);
        let erase = erase.ok_or_else(|| lacks("erase"))?;
        let serial = CString::new(expect_serial)
            .map_err(|_| Error::new(Status::Precondition, "no serial holds a NUL"))?;
        // SAFETY: session, operation and text are alive; the out-parameter is zeroed and ours.
        call(|error| unsafe { erase(session, self.op.raw(), serial.as_ptr(), error) })
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
        // A child closes its own.
        let Session::Here(session) = self.session else {
            return;
        };
        if let Some(close) = self.component.driver().and_then(|table| table.close) {
            // SAFETY: open, its streams are released because they borrow `self`, closed once.
            unsafe { close(session) };
        }
    }
}

/// The stream of a read; the session is busy until it is dropped.
pub struct ReadStream<'a>(Stream<'a>);

enum Stream<'a> {
    Here(Import, PhantomData<&'a mut OpenDriver>),
    Apart(Streamed<'a>),
}

impl Batches for ReadStream<'_> {
    fn schema(&self) -> SchemaRef {
        match &self.0 {
            Stream::Here(stream, _) => stream.schema(),
            Stream::Apart(stream) => stream.schema(),
        }
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, Error> {
        match &mut self.0 {
            Stream::Here(stream, _) => stream.next_batch(),
            Stream::Apart(stream) => stream.next_batch(),
        }
    }
}

fn meter_clock(local_seconds: i64, resolution_s: u32) -> Result<MeterClock, Error> {
    let local = DateTime::from_timestamp(local_seconds, 0)
        .ok_or_else(|| Error::new(Status::Internal, "it gave a time that does not exist"))?;
    Ok(MeterClock {
        local: local.naive_utc(),
        resolution_s,
    })
}
