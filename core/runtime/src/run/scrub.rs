//! Transcripts that can be shared: a driver replaces serials, dates and values, and what comes out is held
//! against what went in before anybody gets to see it.

mod answers;
mod compare;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{Datelike, NaiveDateTime, TimeDelta};
use glucopipe_sdk::ffi::guard::guard;
use glucopipe_sdk::scrub::{Disguise, KEY};
use glucopipe_sdk::transcript::Transcript;
use glucopipe_sdk::{Error, Status};
use sha2::{Digest, Sha256};

use self::answers::Answers;
use super::blame;
use super::engine::{Limits, RunSetup};
use super::watch::{Ended, watch};
use crate::config::DEFAULT_TIMEOUT_SECS;
use crate::device::{Finder, Selector, read_transcript};
use crate::host::{Lent, Operation, scrub_transcript};
use crate::plugin::Component;
use crate::problem::{Code, Place, Problem};

/// Name of the operation in messages.
const NODE: &str = "transcript";
/// Dates move by more than they lie apart, so that none becomes one that was there: by so many days more, and
/// up to so many on top.
const SHIFT: (i64, u64) = (365, 1000);
/// Years that every meter can show, be it with two digits or as seconds from 2000 on.
const YEARS: std::ops::RangeInclusive<i32> = 2001..=2098;

/// A transcript that can be shared.
#[derive(Debug)]
pub struct Scrubbed {
    /// Its text.
    pub text: String,
    /// The driver that scrubbed and read it: `contour/0.1.0`.
    pub driver: String,
    /// How many readings are in it.
    pub readings: u64,
}

/// Makes a transcript fit to be shared; the same seed gives the same again.
///
/// # Errors
/// No such transcript or driver, a driver that cannot scrub, or a result that is not the same conversation or
/// still holds what it should not.
pub fn scrub(
    finder: &Finder<'_>,
    driver: Option<&str>,
    (path, seed): (&Path, Option<u64>),
    setup: &RunSetup,
) -> Result<Scrubbed, Problem> {
    let (component, _) = finder.choose(driver, &Selector::Replay(path.to_owned()))?;
    let transcript = read_transcript(path)?;
    scrub_with(&component, (path, &transcript), seed, setup)
}

/// Whether a driver has a scrubber at all.
pub(crate) fn can_scrub(component: &Component, setup: &RunSetup) -> bool {
    let op: Arc<dyn Lent> = Arc::new(Operation::start(setup.operation(NODE)));
    let nothing = Disguise::new([0; KEY], 0);
    let asked = scrub_transcript(component, &op, "", &nothing);
    !asked.is_err_and(|error| error.status == Status::Unsupported)
}

/// Lets a driver scrub a transcript, and compares.
///
/// # Errors
/// As for [`scrub`].
pub(crate) fn scrub_with(
    component: &Arc<Component>,
    (path, transcript): (&Path, &Transcript),
    seed: Option<u64>,
    setup: &RunSetup,
) -> Result<Scrubbed, Problem> {
    let refused = |cause: &str| refused(path, cause);
    let ask = |transcript: &Transcript| Answers::of(component, path, transcript, setup);
    let before = ask(transcript)?;
    go_on(setup)?;
    if before.is_silent() {
        let cause = format!(
            "driver `{}` reads nothing from it, so nothing can be compared",
            component.id
        );
        return Err(refused(&cause).hint(
            "`--driver` names another driver; a conversation of another program cannot be replayed",
        ));
    }
    let key = key(seed)?;
    let dates = before.dates();
    let days =
        shift(&key, &dates).ok_or_else(|| refused("its dates lie too far apart to be moved"))?;
    let text = run(
        component,
        transcript,
        Disguise::new(key, days),
        (path, setup),
    )?;
    let made = Transcript::parse(&text).map_err(|error| {
        let what = format!(
            "its transcript is none, line {}: {}",
            error.line, error.reason
        );
        blame::broken(component, &what)
    })?;
    let after = ask(&made)?;
    go_on(setup)?;
    compare::same_conversation(transcript, &made)
        .and_then(|()| compare::same_answers(&before, &after, days))
        .and_then(|()| compare::nothing_left(&before, &after, &made))
        .map_err(|cause| {
            let who = format!("scrubbed by `{}`: {cause}", component.versioned());
            refused(&who).hint(
                "this is a bug in that driver: report it to its author, without the transcript",
            )
        })?;
    // What was compared, and nothing that the driver wrote beside it.
    Ok(Scrubbed {
        text: made.to_text(),
        driver: component.versioned(),
        readings: after.readings(),
    })
}

/// Ends the work when the user wants no more of it: the answers are cut short then.
fn go_on(setup: &RunSetup) -> Result<(), Problem> {
    match setup.cancel.is_set() {
        true => Err(blame::interrupted(NODE)),
        false => Ok(()),
    }
}

/// Lets the driver scrub.
fn run(
    component: &Arc<Component>,
    transcript: &Transcript,
    disguise: Disguise,
    (path, setup): (&Path, &RunSetup),
) -> Result<String, Problem> {
    let op = Arc::new(Operation::start(setup.operation(NODE)));
    let (lent, text): (Arc<dyn Lent>, String) = (op.clone(), transcript.to_text());
    let called = component.clone();
    let work = move || guard(|| scrub_transcript(&called, &lent, &text, &disguise));
    let limit = Duration::from_secs(DEFAULT_TIMEOUT_SECS);
    match watch(NODE, op.cancel(), limit, Limits::default().grace, work) {
        Ended::Returned(text) => text.map_err(|error| failed(component, &error, &op, path)),
        Ended::Abandoned => Err(blame::stuck(component, NODE, None)),
        Ended::NotStarted(cause) => Err(blame::not_started(NODE, cause)),
    }
}

fn failed(component: &Component, error: &Error, op: &Operation, path: &Path) -> Problem {
    match error.status {
        Status::Unsupported => refused(path, &error.message)
            .hint("its author can let it: `Sharing a transcript` in docs/plugins.md says how"),
        Status::Protocol | Status::InvalidArgument => refused(path, &error.message),
        _ => {
            let label = format!("transcript `{}`", path.display());
            blame::driver_failed(component, error, op, NODE, &label, DEFAULT_TIMEOUT_SECS)
        }
    }
}

fn refused(path: &Path, cause: &str) -> Problem {
    let shown = path.display().to_string();
    Problem::error(
        Code::SCRUB,
        format!("`{shown}` cannot be made fit to share"),
    )
    .at(Place::Named(shown))
    .cause(cause)
    .kept("nothing was written")
}

/// The key of a seed, or one that nobody will know.
fn key(seed: Option<u64>) -> Result<[u8; KEY], Problem> {
    let mut key = [0; KEY];
    match seed {
        Some(seed) => key = Sha256::digest(seed.to_le_bytes()).into(),
        None => getrandom::fill(&mut key).map_err(|error| {
            Problem::error(Code::INTERNAL, "the system gives no random numbers")
                .cause(error.to_string())
        })?,
    }
    Ok(key)
}

/// How many days to move dates by: back, if the first one allows that, else on.
fn shift(key: &[u8; KEY], dates: &[NaiveDateTime]) -> Option<i64> {
    let more = Disguise::new(*key, 0).number(b"days", 0, 0..=SHIFT.1);
    let more = SHIFT.0 + i64::try_from(more).ok()?;
    let (Some(first), Some(last)) = (dates.iter().min(), dates.iter().max()) else {
        return Some(-more);
    };
    let days = (*last - *first).num_days() + more;
    let fits = |days: i64| {
        let delta = TimeDelta::try_days(days)?;
        let (first, last) = (
            first.checked_add_signed(delta)?,
            last.checked_add_signed(delta)?,
        );
        (YEARS.contains(&first.year()) && YEARS.contains(&last.year())).then_some(days)
    };
    fits(-days).or_else(|| fits(days))
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;

    use super::*;

    fn date(year: i32, month: u32) -> NaiveDateTime {
        NaiveDate::from_ymd_opt(year, month, 1).unwrap().into()
    }

    #[test]
    fn dates_move_by_more_than_they_lie_apart() {
        let key = [1; KEY];
        let days = shift(&key, &[date(2026, 5), date(2024, 5)]).unwrap();
        assert!((-730 - 365 - 1000..-730 - 365).contains(&days), "{days}");
        // A clock that was set wrong once: only the way ahead is free.
        let days = shift(&key, &[date(2026, 5), date(2005, 1)]).unwrap();
        assert!(days > 21 * 365, "{days}");
        assert_eq!(shift(&key, &[date(2080, 5), date(2001, 1)]), None);
        assert!(shift(&key, &[]).unwrap() < -365);
    }

    #[test]
    fn a_seed_gives_its_key_and_none_gives_another_each_time() {
        assert_eq!(key(Some(7)).unwrap(), key(Some(7)).unwrap());
        assert_ne!(key(Some(7)).unwrap(), key(Some(8)).unwrap());
        assert_ne!(key(None).unwrap(), key(None).unwrap());
    }
}
