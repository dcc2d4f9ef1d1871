//! A link that goes wrong, at every exchange of a read: a driver fails in words or reports what is missing, and
//! never hands out a part as the whole.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, RecordBatch};
use glucopipe_sdk::Status;
use glucopipe_sdk::batch::Texts;

use super::bench::Bench;
use super::driver::{Whole, clean, read_all};
use super::link::{Tap, Trouble};
use super::{Tested, skip};
use crate::plugin::Component;

/// Most exchanges at which one kind of trouble is tried.
const PLACES: u64 = 160;

/// What a driver whose protocol has no checksums says why, in `lacks`.
const CHECKSUMS: &str = "checksums";
/// What helps one that has them.
const ADVICE: &str = "damaged answers were taken for good ones: compare the checksums of the protocol; \
                      if it has none, say so in `lacks`, as `checksums`";

/// What a link that fails ends in.
const BY_LINK: &[Status] = &[Status::Io, Status::Timeout, Status::Protocol, Status::Lost];
/// What damaged bytes may say besides: another device, or one that refuses.
const BY_BYTES: &[Status] = &[
    Status::Io,
    Status::Timeout,
    Status::Protocol,
    Status::Lost,
    Status::Unsupported,
    Status::NotFound,
    Status::Access,
    Status::Precondition,
];

/// The device goes away.
pub(super) fn lost(bench: &mut Bench<'_>) -> Tested {
    everywhere(bench, "the device going away", BY_LINK, fault, |_| {
        Trouble::Lost
    })
}

/// The device says nothing any more.
pub(super) fn silent(bench: &mut Bench<'_>) -> Tested {
    everywhere(bench, "the device falling silent", BY_LINK, fault, |_| {
        Trouble::Silent
    })
}

/// One transfer fails.
pub(super) fn broken(bench: &mut Bench<'_>) -> Tested {
    everywhere(bench, "a transfer failing", BY_LINK, fault, |_| {
        Trouble::Error
    })
}

/// One answer has a wrong bit, or is cut off. Without checksums nobody can see that, so a driver that says it has
/// none is believed.
pub(super) fn damaged(bench: &mut Bench<'_>) -> Tested {
    let component = bench.component()?;
    let tell: Tell = match component.about.lacks.get(CHECKSUMS) {
        Some(why) => {
            bench.note(format!("it has no checksums: {why}"));
            |bench, text| bench.note(text)
        }
        None => |bench, text| {
            bench.warn(ADVICE);
            bench.warn(text);
        },
    };
    everywhere(bench, "a wrong bit", BY_BYTES, tell, Trouble::Damaged)?;
    everywhere(bench, "an answer cut off", BY_BYTES, tell, |_| {
        Trouble::Short
    })
}

/// That it breaks the contract.
fn fault(bench: &Bench<'_>, text: String) {
    bench.fault(text);
}

/// Tells what a read under trouble gave that the meter does not hold.
type Tell = fn(&Bench<'_>, String);

/// Reads the meter again and again, with trouble at one exchange after the other.
fn everywhere(
    bench: &mut Bench<'_>,
    what: &str,
    allowed: &[Status],
    tell: Tell,
    trouble: impl Fn(u64) -> Trouble,
) -> Tested {
    let component = bench.component()?;
    let config = bench.config(&component)?;
    let (whole, exchanges) = clean(bench, &component, &config)?;
    if exchanges == 0 {
        return skip("it exchanges nothing over a link of the host");
    }
    let places: Vec<u64> = if exchanges <= PLACES {
        (1..=exchanges).collect()
    } else {
        (0..PLACES)
            .map(|_| 1 + bench.dice.below(exchanges))
            .collect()
    };
    for at in places {
        let when = format!("{what} at exchange {at} of {exchanges}");
        bench.step(format!("reading with {when} (seed {})", bench.request.seed));
        let tap = Tap::at(at, trouble(bench.dice.roll()));
        let op = bench.operation(Some(bench.tapped(&component, &tap)?));
        match read_all(&component, &op, &config, bench.is_recording()) {
            Err(error) if allowed.contains(&error.status) && !error.message.trim().is_empty() => {}
            Err(error) => bench.fault(format!(
                "{when}: it gave {:?} ({}), expected one of {allowed:?}",
                error.status, error.message
            )),
            Ok(read) => judge(bench, &component, &when, &whole, &read, tell),
        }
    }
    Ok(())
}

fn judge(
    bench: &Bench<'_>,
    component: &Arc<Component>,
    when: &str,
    whole: &Whole,
    read: &Whole,
    tell: Tell,
) {
    if !read.report.complete && read.report.reasons.is_empty() {
        bench.fault(format!("{when}: reported incomplete, and not why"));
    }
    let (has, expected) = (read.readings.num_rows(), whole.readings.num_rows());
    if strays(&read.readings, &whole.readings) {
        let text = format!(
            "{when}: `{}` gave readings that the meter does not hold",
            component.id
        );
        tell(bench, text);
    } else if read.report.complete && has + read.report.set_aside.len() < expected {
        let text =
            format!("{when}: it gave {has} of {expected} readings, and reported them complete");
        tell(bench, text);
    }
}

/// Whether there is a row that the whole read does not have.
fn strays(part: &RecordBatch, whole: &RecordBatch) -> bool {
    let (Ok(keys), Ok(known)) = (
        Texts::of(part, "record_key"),
        Texts::of(whole, "record_key"),
    ) else {
        return true;
    };
    let rows: HashMap<&str, usize> = (0..known.len())
        .filter_map(|row| Some((known.get(row)?, row)))
        .collect();
    (0..keys.len()).any(|row| {
        let origin = keys.get(row).and_then(|key| rows.get(key));
        origin.is_none_or(|&origin| {
            let columns = part.columns().iter().zip(whole.columns());
            columns
                .into_iter()
                .any(|(one, other)| one.slice(row, 1).as_ref() != other.slice(origin, 1).as_ref())
        })
    })
}
