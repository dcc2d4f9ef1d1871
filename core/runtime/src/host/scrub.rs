//! Calling drivers to scrub transcripts.

use std::ffi::CString;
use std::sync::Arc;

use glucopipe_sdk::ffi::call_for_text;
use glucopipe_sdk::scrub::Disguise;
use glucopipe_sdk::{Error, Status};
use serde_json::json;

use super::call::{config_text, named};
use super::operation::Lent;
use crate::isolate::Child;
use crate::plugin::Component;

/// Gives a transcript of a driver another serial, other dates and other values; nothing of what comes back is
/// checked yet.
///
/// # Errors
/// As the driver says; [`Status::Unsupported`] when it cannot scrub.
pub fn scrub_transcript(
    component: &Component,
    op: &Arc<dyn Lent>,
    transcript: &str,
    disguise: &Disguise,
) -> Result<String, Error> {
    if let Some(apart) = component.apart() {
        let named = named(component, &json!(disguise));
        return Child::scrub(apart, op.clone(), named, transcript);
    }
    let scrub = component.scrubber().and_then(|table| table.scrub);
    let scrub = scrub.ok_or_else(|| {
        let message = format!("driver `{}` does not scrub transcripts", component.id);
        Error::new(Status::Unsupported, message)
    })?;
    let no_nul = |_| Error::new(Status::InvalidArgument, "no transcript holds a NUL");
    let driver = CString::new(component.id.as_str()).map_err(no_nul)?;
    let transcript = CString::new(transcript).map_err(no_nul)?;
    let disguise = config_text(&json!(disguise));
    call_for_text(|out, error| {
        // SAFETY: operation and texts are alive; out-parameters are zeroed and ours.
        unsafe {
            scrub(
                op.raw(),
                driver.as_ptr(),
                transcript.as_ptr(),
                disguise.as_ptr(),
                out,
                error,
            )
        }
    })
}
