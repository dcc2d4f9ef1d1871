//! Calling exporters. A sink is closed when its owner is dropped.

use std::ptr;
use std::sync::Arc;

use glucopipe_abi as abi;
use glucopipe_sdk::exporter::{CommitReport, Preview, Wants};
use glucopipe_sdk::ffi::{call, call_for_text};
use glucopipe_sdk::stream::{Batches, export};
use glucopipe_sdk::{Error, Status};
use serde_json::Value;

use super::call::{config_text, lacks, named, parse};
use super::operation::Lent;
use crate::isolate::{Call, Child};
use crate::plugin::Component;

/// An open destination.
pub struct OpenExporter {
    sink: Sink,
    component: Arc<Component>,
    // Declared last: the operation outlives the sink.
    op: Arc<dyn Lent>,
}

enum Sink {
    Here(*mut abi::gp_sink),
    Apart(Box<Child>),
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
        op: Arc<dyn Lent>,
        config: &Value,
    ) -> Result<Self, Error> {
        if let Some(apart) = component.apart() {
            let child = Child::open(apart, op.clone(), named(&component, config))?;
            return Ok(Self {
                sink: Sink::Apart(Box::new(child)),
                component,
                op,
            });
        }
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
            sink: Sink::Here(sink),
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
        let sink = match &mut self.sink {
            Sink::Here(sink) => *sink,
            Sink::Apart(child) => return child.feed(Call::Write, readings).map(drop),
        };
        let write = self.component.exporter().and_then(|table| table.write);
        let write = write.ok_or_else(|| lacks("write"))?;
        let mut stream = export(readings);
        let written = call(|error| {
            // SAFETY: sink and operation are alive; the exporter takes the stream over.
            unsafe { write(sink, self.op.raw(), &raw mut stream, error) }
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
        let sink = match &mut self.sink {
            Sink::Here(sink) => *sink,
            Sink::Apart(child) => {
                let report = child.commit()?;
                return Ok(Committed { report });
            }
        };
        let commit = self.component.exporter().and_then(|table| table.commit);
        let commit = commit.ok_or_else(|| lacks("commit"))?;
        let mut done = false;
        let text = call_for_text(|out, error| {
            // SAFETY: sink and operation are alive; out-parameters are zeroed and ours.
            let code = unsafe { commit(sink, self.op.raw(), out, error) };
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
    op: &Arc<dyn Lent>,
    config: &Value,
) -> Result<Option<Vec<String>>, Error> {
    if let Some(apart) = component.apart() {
        let asked = (Call::Check as fn(_) -> _, named(component, config));
        let findings = Child::ask(apart, "check", Some(op.clone()), asked, None)?;
        return Ok(findings.flatten());
    }
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
    op: &Arc<dyn Lent>,
    config: &Value,
    readings: Box<dyn Batches>,
) -> Result<Option<Preview>, Error> {
    if let Some(apart) = component.apart() {
        let asked = (Call::Preview as fn(_) -> _, named(component, config));
        let seen = Child::ask(apart, "preview", Some(op.clone()), asked, Some(readings))?;
        return Ok(seen.flatten());
    }
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
    if let Some(apart) = component.apart() {
        let asked = (Call::Wants as fn(_) -> _, named(component, config));
        let wants: Option<Wants> = Child::ask(apart, "wants", None, asked, None)?;
        return Ok(wants.unwrap_or(Wants::Everything));
    }
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
        // A child closes its own.
        let Sink::Here(sink) = self.sink else {
            return;
        };
        if let Some(close) = self.component.exporter().and_then(|table| table.close) {
            // SAFETY: open, and closed once.
            unsafe { close(sink) };
        }
    }
}
