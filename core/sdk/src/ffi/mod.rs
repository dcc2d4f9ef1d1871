//! Crossing the C boundary: errors and texts in both directions, and the guard against panics.

pub(crate) mod driver;
pub(crate) mod exporter;
pub mod guard;
pub mod scrub;
pub(crate) mod transform;

use std::ffi::{CStr, c_char};

use glucopipe_abi as abi;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result, Status};
use crate::op::text;

/// Calls a function of the ABI and turns a failure into an [`Error`].
///
/// # Errors
/// As the function says.
pub fn call(function: impl FnOnce(*mut abi::gp_error) -> abi::gp_status) -> Result<()> {
    let mut error = abi::gp_error::EMPTY;
    let code = function(&raw mut error);
    let failed = if code == abi::GP_OK {
        Ok(())
    } else {
        // SAFETY: after a failure the texts are null or NUL-terminated and live until release.
        let (message, details) =
            unsafe { (borrowed_text(error.message), borrowed_text(error.details)) };
        let details: Option<serde_json::Value> =
            details.and_then(|details| serde_json::from_str(&details).ok());
        Err(Error {
            status: Status::from_code(code),
            message: message.unwrap_or_else(|| format!("failed without a message (code {code})")),
            key: details.and_then(|details| Some(details.get("key")?.as_str()?.to_owned())),
            retryable: error.flags & abi::GP_ERR_RETRYABLE != 0,
            native: error.native,
        })
    };
    if let Some(release) = error.release {
        // SAFETY: the error was filled by the function and is released once.
        unsafe { release(&raw mut error) };
    }
    failed
}

/// Calls a function of the ABI that hands out a text.
///
/// # Errors
/// As the function says, or when the text is not UTF-8 or longer than 64 MiB.
pub fn call_for_text(
    function: impl FnOnce(*mut abi::gp_string, *mut abi::gp_error) -> abi::gp_status,
) -> Result<String> {
    let mut out = abi::gp_string::EMPTY;
    let called = call(|error| function(&raw mut out, error));
    // SAFETY: on success the text is NUL-terminated and lives until release.
    let text = called.map(|()| unsafe { borrowed_text(out.data) });
    if let Some(release) = out.release {
        // SAFETY: the text was handed to us and is released once.
        unsafe { release(&raw mut out) };
    }
    text?.ok_or_else(|| Error::new(Status::Internal, "a text is missing, too long or not UTF-8"))
}

/// Longest text taken from the other side.
const TEXT_LIMIT: usize = 64 << 20;

/// Copies a foreign text; invalid UTF-8 is `None`.
///
/// # Safety
/// `text` is null or NUL-terminated.
pub unsafe fn borrowed_text(text: *const c_char) -> Option<String> {
    if text.is_null() {
        return None;
    }
    // SAFETY: not null, and NUL-terminated by the caller's word.
    let bytes = unsafe { CStr::from_ptr(text) }.to_bytes();
    (bytes.len() <= TEXT_LIMIT).then(|| String::from_utf8(bytes.to_vec()).ok())?
}

/// Fills an out-parameter of the caller with a text of ours.
///
/// # Safety
/// `out` is null or points to a `gp_string` that may be overwritten.
pub unsafe fn give_text(out: *mut abi::gp_string, content: &str) {
    unsafe extern "C" fn release(string: *mut abi::gp_string) {
        // SAFETY: the text came from `into_raw` below; it is freed once because release is cleared.
        unsafe {
            drop(std::ffi::CString::from_raw((*string).data.cast_mut()));
            *string = abi::gp_string::EMPTY;
        }
    }
    if out.is_null() {
        return;
    }
    let content = text(content);
    let len = content.as_bytes().len() as u64;
    let string = abi::gp_string {
        data: content.into_raw(),
        len,
        release: Some(release),
        ..abi::gp_string::EMPTY
    };
    // SAFETY: by the caller's word.
    unsafe { out.write(string) };
}

/// Fills the caller's error; returns its code.
///
/// # Safety
/// `out` is null or points to a zeroed `gp_error`.
pub unsafe fn give_error(out: *mut abi::gp_error, error: &Error) -> abi::gp_status {
    unsafe extern "C" fn release(error: *mut abi::gp_error) {
        // SAFETY: both texts came from `into_raw` below or are null; freed once because release is
        // cleared.
        unsafe {
            for text in [(*error).message, (*error).details] {
                if !text.is_null() {
                    drop(std::ffi::CString::from_raw(text.cast_mut()));
                }
            }
            *error = abi::gp_error {
                code: (*error).code,
                ..abi::gp_error::EMPTY
            };
        }
    }
    let code = error.status.code();
    if out.is_null() {
        return code;
    }
    let details = error.key.as_ref().map_or(std::ptr::null_mut(), |key| {
        text(&serde_json::json!({ "key": key }).to_string()).into_raw()
    });
    let filled = abi::gp_error {
        code,
        flags: if error.retryable {
            abi::GP_ERR_RETRYABLE
        } else {
            0
        },
        native: error.native,
        message: text(&error.message.replace('\n', " ")).into_raw(),
        details,
        release: Some(release),
        private_data: std::ptr::null_mut(),
    };
    // SAFETY: by the caller's word.
    unsafe { out.write(filled) };
    code
}

/// Turns the outcome of plugin code into what the call returns.
///
/// # Safety
/// As for [`give_error`].
pub(crate) unsafe fn answer(out: *mut abi::gp_error, outcome: Result<()>) -> abi::gp_status {
    match outcome {
        Ok(()) => abi::GP_OK,
        // SAFETY: by the caller's word.
        Err(error) => unsafe { give_error(out, &error) },
    }
}

/// Parses the configuration of a component.
///
/// # Errors
/// When the text is missing or does not fit the type; the message names no values.
///
/// # Safety
/// `config` is null or NUL-terminated.
pub(crate) unsafe fn parse_config<T: DeserializeOwned>(config: *const c_char) -> Result<T> {
    // SAFETY: by the caller's word.
    unsafe { parse("configuration", config) }
}

/// Parses a query; none given is the default one.
///
/// # Errors
/// As for [`parse_config`].
///
/// # Safety
/// `query` is null or NUL-terminated.
pub(crate) unsafe fn parse_query<T: DeserializeOwned + Default>(query: *const c_char) -> Result<T> {
    if query.is_null() {
        return Ok(T::default());
    }
    // SAFETY: by the caller's word.
    unsafe { parse("query", query) }
}

/// # Safety
/// `json` is null or NUL-terminated.
unsafe fn parse<T: DeserializeOwned>(name: &str, json: *const c_char) -> Result<T> {
    let wrong = |what| Error::new(Status::InvalidArgument, format!("the {name} {what}"));
    // SAFETY: by the caller's word.
    let json = unsafe { borrowed_text(json) };
    let json = json.ok_or_else(|| wrong("is missing, too long or not UTF-8"))?;
    // serde would also take an array for a struct, field by field.
    if !json.trim_start().starts_with('{') {
        return Err(wrong("is not a JSON object"));
    }
    serde_json::from_str(&json).map_err(|error| {
        // serde's own text may quote a value, and a value may be a secret.
        wrong(match error.classify() {
            serde_json::error::Category::Data => "does not fit its schema",
            _ => "is not JSON",
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_cross_both_ways() {
        let mut original = Error::config("path", "no\nsuch\0folder").retryable();
        original.native = 2;
        // SAFETY: `call` hands a zeroed error.
        let back = call(|out| unsafe { give_error(out, &original) }).unwrap_err();
        assert_eq!(
            back,
            Error {
                message: "no suchfolder".into(),
                ..original
            }
        );
    }

    #[test]
    fn texts_cross_and_bad_ones_are_refused() {
        let text = call_for_text(|out, _| {
            // SAFETY: `call_for_text` hands a zeroed text.
            unsafe { give_text(out, "5.5 mmol/L") };
            abi::GP_OK
        });
        assert_eq!(text.unwrap(), "5.5 mmol/L");
        assert!(call_for_text(|_, _| abi::GP_OK).is_err());
        let invalid = call_for_text(|out, _| {
            // SAFETY: a static, NUL-terminated text without release.
            unsafe { (*out).data = c"\xff".as_ptr() };
            abi::GP_OK
        });
        assert!(invalid.is_err());
    }

    #[test]
    fn a_failure_without_a_message_still_says_something() {
        let error = call(|_| 77).unwrap_err();
        assert_eq!(error.status, Status::Internal);
        assert_eq!(error.message, "failed without a message (code 77)");
    }
}
