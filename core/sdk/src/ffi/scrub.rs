//! The extension that scrubs transcripts.

use std::ffi::c_char;

use glucopipe_abi as abi;

use super::guard::guard;
use super::{answer, borrowed_text, give_text, parse};
use crate::error::{Error, Result, Status};
use crate::scrub::Disguise;
use crate::transcript::Transcript;

/// A driver that may scrub.
#[derive(Clone, Copy, Debug)]
pub struct Scrubber {
    /// Its id.
    pub driver: &'static str,
    /// How it does.
    pub scrub: Option<fn(&mut Transcript, &Disguise) -> Result<()>>,
}

/// Runs `gp_scrub.scrub` on the driver that is meant.
///
/// # Safety
/// The texts are null or NUL-terminated, the out-parameters null or zeroed.
pub unsafe fn scrub(
    scrubbers: &[Scrubber],
    driver: *const c_char,
    transcript: *const c_char,
    disguise: *const c_char,
    out: *mut abi::gp_string,
    error: *mut abi::gp_error,
) -> abi::gp_status {
    // SAFETY: by the caller's word.
    unsafe {
        let outcome = guard(|| {
            let driver = borrowed_text(driver).unwrap_or_default();
            let scrub = scrubbers.iter().find(|one| one.driver == driver);
            let scrub = scrub.and_then(|one| one.scrub).ok_or_else(|| {
                let message = format!("driver `{driver}` does not scrub transcripts");
                Error::new(Status::Unsupported, message)
            })?;
            let text = borrowed_text(transcript).ok_or_else(|| {
                let message = "the transcript is missing, too long or not UTF-8";
                Error::new(Status::InvalidArgument, message)
            })?;
            let mut transcript = Transcript::parse(&text).map_err(|error| {
                let message = format!("line {} of the transcript: {}", error.line, error.reason);
                Error::new(Status::InvalidArgument, message)
            })?;
            let disguise: Disguise = parse("disguise", disguise)?;
            scrub(&mut transcript, &disguise)?;
            give_text(out, &transcript.to_text());
            Ok(())
        });
        answer(error, outcome)
    }
}
