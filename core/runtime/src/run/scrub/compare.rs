//! Holds what came out of a scrubber against what went in. A finding names no serial, date or value.

use chrono::{NaiveDateTime, TimeDelta};
use glucopipe_sdk::driver::DeviceInfo;
use glucopipe_sdk::transcript::{Event, Transcript};

use super::answers::{Answers, Reading, is_unset};
use crate::run::report::SourceReport;

/// Values at the edge of what meters measure, or beyond: of these a driver may leave what they are, because the
/// edge says more than a person. Unit, lowest, highest.
const EDGES: [(&str, f64, f64); 2] = [("mg/dL", 20.0, 600.0), ("mmol/L", 1.1, 33.3)];
/// A shorter serial is in everything.
const SERIAL_MIN: usize = 4;

type Outcome = Result<(), String>;

fn demand(holds: bool, otherwise: impl FnOnce() -> String) -> Outcome {
    if holds { Ok(()) } else { Err(otherwise()) }
}

/// The same link, and as many events of the same kinds and lengths.
pub(super) fn same_conversation(before: &Transcript, after: &Transcript) -> Outcome {
    let head = before.link == after.link && before.usb == after.usb;
    demand(head, || "link or USB ids are others".into())?;
    let shape = |transcript: &Transcript| -> Vec<(u8, usize)> {
        let events = transcript.events.iter();
        let shape = events.map(|(_, event)| match event {
            Event::Out(bytes) => (0, bytes.len()),
            Event::In(bytes) => (1, bytes.len()),
            Event::Silence(_) => (2, 0),
            Event::Lost => (3, 0),
            Event::Opened => (6, 0),
            Event::Command(bytes) => (4, bytes.len()),
            Event::Status(_, _, sense) => (5, sense.len()),
        });
        shape.collect()
    };
    let same = shape(before) == shape(after);
    demand(same, || {
        "the exchanges are others in number, kind or length".into()
    })
}

/// The same answers, but for serials, dates and values, and these are all others.
pub(super) fn same_answers(before: &Answers, after: &Answers, days: i64) -> Outcome {
    match (&before.info, &after.info) {
        (Ok(before), Ok(after)) => same_meter(before, after, days)?,
        (before, after) => demand(before.as_ref().err() == after.as_ref().err(), || {
            "the meter's description cannot be read as it could".into()
        })?,
    }
    match (&before.clock, &after.clock) {
        (Ok(before), Ok(after)) => moved("the clock", *before, *after, days)?,
        (before, after) => demand(before.as_ref().err() == after.as_ref().err(), || {
            "the clock cannot be read as it could".into()
        })?,
    }
    let (old, new) = (&before.report, &after.report);
    let outcome = |report: &SourceReport| {
        let reasons: Vec<String> = report.reasons.iter().map(|text| worded(text)).collect();
        let annotations = report.annotations.clone();
        (
            report.status,
            report.expected,
            report.read,
            reasons,
            annotations,
        )
    };
    let outcome = outcome(old) == outcome(new);
    demand(outcome, || "the read ends otherwise".into())?;
    let reasons = |report: &SourceReport| -> Vec<(u64, String)> {
        let aside = report.set_aside.iter();
        aside
            .map(|one| (one.position, worded(&one.reason)))
            .collect()
    };
    demand(reasons(old) == reasons(new), || {
        "other records are set aside, or for other reasons".into()
    })?;
    // Nobody knows what the bytes of such a record mean.
    let mut aside = old.set_aside.iter().zip(&new.set_aside);
    let kept = aside.find(|(old, new)| !old.raw.is_empty() && old.raw == new.raw);
    if let Some((record, _)) = kept {
        let number = record.position;
        return Err(format!(
            "record {number}, which was set aside, came as the same bytes"
        ));
    }
    let (old, new) = match (&before.read, &after.read) {
        (Some(old), Some(new)) => (old, new),
        (None, None) => return Ok(()),
        _ => return Err("the readings are there in one of the two only".into()),
    };
    same_meter(&old.0, &new.0, days)?;
    demand(old.1.len() == new.1.len(), || {
        "the number of readings is another".into()
    })?;
    let mut pairs = (1..).zip(old.1.iter().zip(&new.1));
    pairs.try_for_each(|(number, (old, new))| same_reading(number, old, new, days))
}

/// A reason without its numbers: a wrong checksum is another when the bytes are.
fn worded(reason: &str) -> String {
    let words = reason
        .split(' ')
        .filter(|word| !word.contains(|c: char| c.is_ascii_digit()));
    words.collect::<Vec<_>>().join(" ")
}

fn same_meter(before: &DeviceInfo, after: &DeviceInfo, days: i64) -> Outcome {
    let plain = |meter: &DeviceInfo| DeviceInfo {
        serial: String::new(),
        serial_raw: None,
        clock: None,
        clock_read_us: None,
        ..meter.clone()
    };
    let mut expected = plain(before);
    let mut found = plain(after);
    // What is told of a meter besides may hold the serial or a date, too.
    for meter in [&mut expected, &mut found] {
        meter.extra.clear();
    }
    demand(expected == found, || {
        "model, firmware, unit or number of records are others".into()
    })?;
    demand(before.serial != after.serial, || {
        "the serial is the same".into()
    })?;
    match (before.clock, after.clock) {
        (Some(before), Some(after)) => moved("the clock", before, after, days),
        (before, after) => demand(before == after, || "the clock is there in one only".into()),
    }
}

fn same_reading(number: usize, before: &Reading, after: &Reading, days: i64) -> Outcome {
    let what = format!("reading {number}");
    moved(&what, before.time, after.time, days)?;
    let kept = (&before.kept, before.limit) == (&after.kept, after.limit);
    demand(kept, || {
        format!("{what} has another kind, unit, range or marker")
    })?;
    let same = before.value == after.value || before.raw_value == after.raw_value;
    demand(!same || may_stay(before), || {
        format!("{what} has kept its value")
    })?;
    let untouched = before.raw == after.raw && before.raw.is_some();
    demand(
        !untouched || (may_stay(before) && is_unset(before.time)),
        || format!("{what} came as the same bytes"),
    )
}

/// Whether a value says nothing of a person: it is no measurement, or at its edge.
fn may_stay(reading: &Reading) -> bool {
    let edge = EDGES.iter().find(|(unit, ..)| *unit == reading.unit);
    let beyond =
        edge.is_some_and(|(_, low, high)| !(*low < reading.value && reading.value < *high));
    !reading.is_measured() || reading.value == 0.0 || beyond
}

fn moved(what: &str, before: NaiveDateTime, after: NaiveDateTime, days: i64) -> Outcome {
    let expected = TimeDelta::try_days(days).and_then(|days| before.checked_add_signed(days));
    let right = expected == Some(after) || (is_unset(before) && before == after);
    demand(right, || format!("{what} has not moved as all dates do"))
}

/// The serial is nowhere any more, be it in bytes or in what a driver tells.
pub(super) fn nothing_left(before: &Answers, after: &Answers, made: &Transcript) -> Outcome {
    let said: Vec<u8> = made
        .events
        .iter()
        .flat_map(|(_, event)| bytes(event))
        .copied()
        .collect();
    let told = after.meters().map(|meter| format!("{meter:?}"));
    let told: Vec<String> = told.collect();
    let serials = before.meters().flat_map(|meter| {
        let raw = meter.serial_raw.as_deref().unwrap_or_default();
        [meter.serial.as_str(), raw.trim()]
    });
    for serial in serials.filter(|serial| serial.len() >= SERIAL_MIN) {
        let wide: Vec<u8> = serial.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let found = [serial.as_bytes(), &wide].into_iter().any(|needle| {
            let in_event = made
                .events
                .iter()
                .any(|(_, event)| holds(bytes(event), needle));
            in_event || holds(&said, needle)
        });
        let found = found || told.iter().any(|text| text.contains(serial));
        demand(!found, || "the serial is still there".into())?;
    }
    Ok(())
}

fn bytes(event: &Event) -> &[u8] {
    match event {
        Event::Out(bytes) | Event::In(bytes) | Event::Command(bytes) => bytes,
        Event::Status(_, _, sense) => sense,
        Event::Silence(_) | Event::Lost | Event::Opened => &[],
    }
}

fn holds(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

#[cfg(test)]
mod tests;
