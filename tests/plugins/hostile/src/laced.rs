//! Objects that hold the SDK's object and what is to go wrong.

use std::ffi::c_char;
use std::ptr;

use glucopipe_sdk::arrow::array::RecordBatch;
use glucopipe_sdk::arrow::datatypes::SchemaRef;
use glucopipe_sdk::ffi::{borrowed_text, give_error, give_text};
use glucopipe_sdk::serde::de::DeserializeOwned;
use glucopipe_sdk::stream::Batches;
use glucopipe_sdk::{Error, Result, Status, abi};

/// What stands behind an opaque pointer of this plugin.
pub(crate) struct Laced<I, C> {
    /// The object of the SDK's component.
    pub(crate) inner: *mut I,
    /// Its configuration.
    pub(crate) config: C,
}

impl<I, C> Laced<I, C> {
    /// Hands the object out as the opaque pointer.
    pub(crate) fn into_raw(inner: *mut I, config: C) -> *mut I {
        Box::into_raw(Box::new(Self { inner, config })).cast()
    }

    /// The object behind a pointer of [`Laced::into_raw`].
    ///
    /// # Safety
    /// `raw` came from there and was not taken back.
    pub(crate) unsafe fn of<'a>(raw: *mut I) -> &'a Self {
        // SAFETY: by the caller's word.
        unsafe { &*raw.cast::<Self>() }
    }

    /// Takes the object back.
    ///
    /// # Safety
    /// As for [`Laced::of`], once; null is allowed.
    pub(crate) unsafe fn from_raw(raw: *mut I) -> Option<Box<Self>> {
        // SAFETY: by the caller's word.
        (!raw.is_null()).then(|| unsafe { Box::from_raw(raw.cast::<Self>()) })
    }
}

/// The configuration the host handed over, which fits its schema.
///
/// # Safety
/// `config` is null or NUL-terminated.
pub(crate) unsafe fn config<C: DeserializeOwned>(config: *const c_char) -> Option<C> {
    // SAFETY: by the caller's word.
    let text = unsafe { borrowed_text(config) }?;
    glucopipe_sdk::serde_json::from_str(&text).ok()
}

/// Fails a call as it should be done.
///
/// # Safety
/// `out` is null or points to a zeroed error.
pub(crate) unsafe fn fail(
    out: *mut abi::gp_error,
    status: Status,
    message: &str,
) -> abi::gp_status {
    // SAFETY: by the caller's word.
    unsafe { give_error(out, &Error::new(status, message)) }
}

/// Answers a call for JSON with this text.
///
/// # Safety
/// `out` is null or points to a zeroed text.
pub(crate) unsafe fn say(out: *mut abi::gp_string, text: &str) -> abi::gp_status {
    // SAFETY: by the caller's word.
    unsafe { give_text(out, text) };
    abi::GP_OK
}

/// Answers with a text that is not UTF-8.
///
/// # Safety
/// As for [`say`].
pub(crate) unsafe fn say_bytes(out: *mut abi::gp_string) -> abi::gp_status {
    const BYTES: &std::ffi::CStr = c"{\"serial\": \"\xff\xfe\"}";
    let text = abi::gp_string {
        data: BYTES.as_ptr(),
        len: BYTES.to_bytes().len() as u64,
        release: None,
        private_data: ptr::null_mut(),
    };
    // SAFETY: by the caller's word.
    unsafe { out.write(text) };
    abi::GP_OK
}

/// Batches that were prepared, under a schema that may lie; gives the last one for ever if told to.
pub(crate) struct Prepared {
    /// What is announced.
    pub(crate) schema: SchemaRef,
    /// The batches, last first.
    pub(crate) batches: Vec<RecordBatch>,
    /// Whether the last batch comes again and again.
    pub(crate) endless: bool,
}

impl Prepared {
    /// One batch under its own schema.
    pub(crate) fn one(batch: RecordBatch) -> Self {
        Self {
            schema: batch.schema(),
            batches: vec![batch],
            endless: false,
        }
    }
}

impl Batches for Prepared {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        if self.endless {
            Ok(self.batches.last().cloned())
        } else {
            Ok(self.batches.pop())
        }
    }
}
