//! The report of a read: whether it is complete, why not, and what was counted.

use glucopipe_sdk::driver::ReadReport;
use glucopipe_sdk::serde_json::{Map, Value};

use crate::meter::Traffic;
use crate::reading::Decoded;

/// How a read went, apart from its records.
#[derive(Debug, Default)]
pub(crate) struct Course {
    /// Number of records the meter said it holds.
    pub(crate) expected: u16,
    /// Records left unread, because the host keeps them.
    pub(crate) known: u16,
    /// Records that could not be read.
    pub(crate) unreadable: usize,
    /// Why it is not complete, apart from those.
    pub(crate) reasons: Vec<String>,
    /// Times it began again, because a test was taken meanwhile.
    pub(crate) restarts: u32,
    /// Whether the meter's clock says anything of the records.
    pub(crate) clock_set: bool,
}

/// Reports on a read; its readings are not looked at.
pub(crate) fn report(course: Course, traffic: Traffic, decoded: Decoded) -> ReadReport {
    let counts = counts(&course, traffic, &decoded);
    let notes = notes(&course, &decoded);
    let mut reasons = course.reasons;
    if course.unreadable > 0 {
        reasons.push(format!(
            "{} of {} records could not be read",
            course.unreadable, course.expected
        ));
    }
    ReadReport {
        complete: reasons.is_empty(),
        reasons,
        expected: Some(course.expected.into()),
        known: course.known.into(),
        set_aside: decoded.set_aside,
        counts,
        notes,
    }
}

fn counts(course: &Course, traffic: Traffic, decoded: &Decoded) -> Map<String, Value> {
    let tally = decoded.tally;
    let unreadable = u64::try_from(course.unreadable).unwrap_or(u64::MAX);
    [
        ("glucose", tally.glucose),
        ("control", tally.control),
        ("hi", tally.above),
        ("lo", tally.below),
        ("implausible", tally.implausible),
        ("unreadable", unreadable),
        ("exchanges", traffic.exchanges),
        ("scsi_commands", traffic.commands),
        ("repeats", traffic.repeats),
        ("reopened", traffic.reopened),
        ("restarts", course.restarts.into()),
    ]
    .into_iter()
    .map(|(name, number)| (name.to_owned(), number.into()))
    .collect()
}

fn notes(course: &Course, decoded: &Decoded) -> Vec<String> {
    let clock = (!course.clock_set).then(|| {
        "the meter's clock is not set: times of records were not checked against it".to_owned()
    });
    let meals = decoded
        .unknown_meals
        .iter()
        .map(|(mark, records)| format!("unknown meal mark `{mark:02x}`: {records}"));
    clock.into_iter().chain(meals).collect()
}
