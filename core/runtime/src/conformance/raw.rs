//! Calling a component's table as a rude host would: with configurations that are none, without an error, and
//! looking closely at what comes back.

use std::ffi::{CStr, c_char, c_void};
use std::ptr;
use std::sync::Arc;

use glucopipe_abi as abi;
use glucopipe_sdk::Status;
use glucopipe_sdk::ffi::borrowed_text;

use crate::host::{Lent as _, Operation};
use crate::plugin::Component;

/// What a call gave.
pub(super) struct Answer {
    /// The code that was returned.
    pub(super) code: abi::gp_status,
    /// The message in the error.
    pub(super) message: Option<String>,
    /// What of the error breaks the contract.
    pub(super) faults: Vec<String>,
}

impl Answer {
    /// The status of the code.
    pub(super) fn status(&self) -> Status {
        Status::from_code(self.code)
    }

    /// What failed, for people.
    pub(super) fn words(&self) -> String {
        let message = self.message.as_deref().unwrap_or("no message");
        format!("{:?} ({message})", self.status())
    }
}

/// Calls a function with an error to fill, and looks at how it was filled.
pub(super) fn call(function: impl FnOnce(*mut abi::gp_error) -> abi::gp_status) -> Answer {
    let mut error = abi::gp_error::EMPTY;
    let code = function(&raw mut error);
    let mut faults = Vec::new();
    let mut fault = |text: &str| faults.push(text.to_owned());
    // SAFETY: texts of an error are null or NUL-terminated and live until it is released.
    let (message, details) = unsafe { (text_of(error.message), text_of(error.details)) };
    if code == abi::GP_OK {
        if error.code != abi::GP_OK || !error.message.is_null() {
            fault("it filled the error although the call succeeded");
        }
    } else {
        if error.code != code {
            fault(&format!(
                "the error says code {}, the call returned {code}",
                error.code
            ));
        }
        match &message {
            Text::Missing => fault("the error has no message"),
            Text::Invalid => fault("the message is not UTF-8"),
            Text::Valid(text) if text.trim().is_empty() => fault("the message is empty"),
            Text::Valid(text) if text.contains('\n') => {
                fault("the message has more than one line");
            }
            Text::Valid(_) => {}
        }
        match &details {
            Text::Missing => {}
            Text::Valid(text) if serde_json::from_str::<serde_json::Map<_, _>>(text).is_ok() => {}
            _ => fault("`details` of the error is no JSON object"),
        }
    }
    if let Some(release) = error.release {
        // SAFETY: the error was filled by the function and is released once.
        unsafe { release(&raw mut error) };
        if error.release.is_some() {
            fault("`release` of the error did not set itself to NULL");
        }
    }
    let message = match message {
        Text::Valid(text) => Some(text),
        Text::Missing | Text::Invalid => None,
    };
    Answer {
        code,
        message,
        faults,
    }
}

enum Text {
    Missing,
    Invalid,
    Valid(String),
}

/// # Safety
/// As for [`borrowed_text`].
unsafe fn text_of(text: *const c_char) -> Text {
    if text.is_null() {
        return Text::Missing;
    }
    // SAFETY: by the caller's word.
    unsafe { borrowed_text(text) }.map_or(Text::Invalid, Text::Valid)
}

/// An open session, sink or transform; closed when dropped.
pub(super) struct Object {
    pointer: *mut c_void,
    component: Arc<Component>,
    // Declared last: the operation outlives the object.
    op: Arc<Operation>,
}

// SAFETY: objects carry the tag [serial]: any thread, one call at a time.
unsafe impl Send for Object {}

impl Object {
    /// Opens with a configuration that may be anything.
    pub(super) fn open(
        component: &Arc<Component>,
        op: &Arc<Operation>,
        config: Option<&CStr>,
    ) -> (Answer, Option<Self>) {
        let mut pointer = ptr::null_mut();
        let answer = call(|error| open(component, op, config, &mut pointer, error));
        (answer, Self::of(pointer, component, op))
    }

    /// As [`Object::open`], without an error to fill.
    pub(super) fn open_silently(
        component: &Arc<Component>,
        op: &Arc<Operation>,
        config: Option<&CStr>,
    ) -> (abi::gp_status, Option<Self>) {
        let mut pointer = ptr::null_mut();
        let code = open(component, op, config, &mut pointer, ptr::null_mut());
        (code, Self::of(pointer, component, op))
    }

    fn of(pointer: *mut c_void, component: &Arc<Component>, op: &Arc<Operation>) -> Option<Self> {
        (!pointer.is_null()).then(|| Self {
            pointer,
            component: component.clone(),
            op: op.clone(),
        })
    }

    /// The session of a driver.
    pub(super) fn session(&self) -> *mut abi::gp_session {
        self.pointer.cast()
    }

    /// The sink of an exporter.
    pub(super) fn sink(&self) -> *mut abi::gp_sink {
        self.pointer.cast()
    }

    /// The filter of a transform.
    pub(super) fn filter(&self) -> *mut abi::gp_filter {
        self.pointer.cast()
    }

    /// Its operation.
    pub(super) fn op(&self) -> *const abi::gp_op {
        self.op.raw()
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        close(&self.component, self.pointer);
    }
}

fn open(
    component: &Component,
    op: &Operation,
    config: Option<&CStr>,
    pointer: &mut *mut c_void,
    error: *mut abi::gp_error,
) -> abi::gp_status {
    let config = config.map_or(ptr::null(), CStr::as_ptr);
    // The loader has seen that every kind has its `open`.
    let missing = abi::GP_E_UNSUPPORTED;
    // SAFETY: operation and text are alive, out-parameters zeroed; an opaque pointer is a pointer.
    unsafe {
        if let Some(table) = component.driver() {
            let mut out: *mut abi::gp_session = ptr::null_mut();
            let code = table
                .open
                .map_or(missing, |open| open(op.raw(), config, &raw mut out, error));
            *pointer = out.cast();
            code
        } else if let Some(table) = component.exporter() {
            let mut out: *mut abi::gp_sink = ptr::null_mut();
            let code = table
                .open
                .map_or(missing, |open| open(op.raw(), config, &raw mut out, error));
            *pointer = out.cast();
            code
        } else if let Some(table) = component.transform() {
            let mut out: *mut abi::gp_filter = ptr::null_mut();
            let code = table
                .open
                .map_or(missing, |open| open(op.raw(), config, &raw mut out, error));
            *pointer = out.cast();
            code
        } else {
            missing
        }
    }
}

/// Closes an object, or nothing.
pub(super) fn close(component: &Component, pointer: *mut c_void) {
    // SAFETY: open and closed once, or null, which is allowed.
    unsafe {
        if let Some(close) = component.driver().and_then(|table| table.close) {
            close(pointer.cast());
        } else if let Some(close) = component.exporter().and_then(|table| table.close) {
            close(pointer.cast());
        } else if let Some(close) = component.transform().and_then(|table| table.close) {
            close(pointer.cast());
        }
    }
}
