//! `clock`: the moment of a reading, from what the meter showed and a time zone.
//!
//! Also measures how far the meter's clock is off, says so, and subtracts it if asked to. What the
//! meter showed stays in `local_time`, so that everything here can be undone.

use std::sync::{Arc, LazyLock};

use arrow::array::{
    Array, ArrayRef, DictionaryArray, Int16Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::Int32Type;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::offset::ClockOffset;
use super::zone::{Occurs, Segment, Zone};
use super::{Outcome, ReadContext, Rejected, Transform, parse, replace, typed, words, zone_name};
use crate::config::Person;
use crate::problem::Problem;

const SECOND_US: i64 = 1_000_000;
/// A meter's clock may be nudged by this much without anything being made of it.
const NUDGE_US: i64 = 120 * SECOND_US;
/// A reading this far ahead of the meter's own clock was made before the clock was set back.
const AHEAD_US: i64 = 86_400 * SECOND_US;

/// Keys of a `clock` transform.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    /// IANA name of the time zone the meter was used in, such as `Europe/Athens`.
    timezone: String,
    /// Subtracts the measured offset of the meter's clock from `time`; `local_time` stays.
    #[serde(default)]
    correct_drift: bool,
}

/// Makes the transform.
pub(super) fn open(options: &Value, _: &[Person]) -> Result<Box<dyn Transform>, Rejected> {
    let config: Config = parse(options)?;
    let zone = zone_name::parse("timezone", &config.timezone)?;
    Ok(Box::new(Clock {
        zone: Zone::new(zone),
        corrects: config.correct_drift,
        warning: zone_name::warning(zone),
    }))
}

struct Clock {
    zone: Zone,
    corrects: bool,
    /// What there is to say of the zone, once.
    warning: Option<Problem>,
}

/// The words of `time_quality`, in the order of [`Quality`].
static QUALITIES: LazyLock<Arc<StringArray>> = LazyLock::new(|| {
    Arc::new(StringArray::from(vec![
        "zone",
        "zone+drift",
        "ambiguous",
        "nonexistent",
    ]))
});

#[derive(Clone, Copy, PartialEq, Eq)]
enum Quality {
    Zone = 0,
    Drift = 1,
    Ambiguous = 2,
    Nonexistent = 3,
}

/// The columns being made.
struct Resolved {
    time: Vec<i64>,
    offset_min: Vec<i16>,
    quality: Vec<i32>,
    /// From this row on, no change of the meter's clock is seen.
    unbroken: usize,
    ambiguous: usize,
    nonexistent: usize,
}

/// What the order of readings tells about a time that occurs twice.
#[derive(Default)]
struct Order {
    previous: Option<i64>,
    /// Start of the overlap whose second occurrence has begun.
    second: Option<i64>,
}

impl Order {
    /// Takes note of a reading; true if time went backwards and daylight saving does not explain it.
    #[inline]
    fn step(&mut self, local: i64, segment: &Segment) -> bool {
        let back = self
            .previous
            .map_or(0, |previous| previous.saturating_sub(local));
        let previous = self.previous.replace(local);
        if segment.occurs != Occurs::Twice {
            self.second = None;
            return back > NUDGE_US;
        }
        // The change sets a clock back by the length of the overlap, so a longer step is no proof.
        let length = segment.end - segment.start;
        let proves = previous.is_some_and(|previous| previous >= segment.start);
        if back > 0 && back <= length && proves {
            self.second = Some(segment.start);
            return false;
        }
        if self.second != Some(segment.start) {
            self.second = None;
        }
        back > NUDGE_US
    }
}

impl Transform for Clock {
    fn apply(&mut self, batch: RecordBatch, context: &ReadContext) -> Result<Outcome, Problem> {
        let locals: &TimestampMicrosecondArray = typed(&batch, "local_time")?;
        let serials = words(&batch, "device_serial")?;
        let rows = locals.len();
        let measured = ClockOffset::measure(&context.device, &self.zone);
        // One word means one meter, and then there is nothing to compare.
        let serials = if serials.values.len() > 1 {
            serials.keys()
        } else {
            &[]
        };
        let horizon = measured.map_or(i64::MAX, |offset| offset.meter_us.saturating_add(AHEAD_US));
        let mut resolved = self.resolve(locals.values(), serials, horizon);
        if let Some(offset) = measured.filter(|_| self.corrects) {
            let offset_us = offset.correction_s().saturating_mul(SECOND_US);
            self.subtract(&mut resolved, locals.values(), offset_us);
        }
        let notes = self.notes(&resolved, measured);
        let mut warnings: Vec<Problem> = self.warning.take().into_iter().collect();
        let warn = |offset: ClockOffset| {
            let corrected = self.corrects && resolved.unbroken < rows;
            offset.warning(&context.source, self.zone.name(), corrected)
        };
        warnings.extend(measured.and_then(warn));
        let times = TimestampMicrosecondArray::new(resolved.time.into(), None);
        let qualities = Int32Array::new(resolved.quality.into(), None);
        // Every key is a `Quality`.
        let qualities = DictionaryArray::<Int32Type>::new(qualities, QUALITIES.clone());
        let mut columns: Vec<(&str, ArrayRef)> = vec![
            ("time", Arc::new(times.with_timezone("UTC"))),
            (
                "utc_offset_min",
                Arc::new(Int16Array::from(resolved.offset_min)),
            ),
            ("time_quality", Arc::new(qualities)),
        ];
        if let Some(offset) = measured {
            let offsets = Int64Array::from_value(offset.seconds, rows);
            columns.push(("clock_offset_s", Arc::new(offsets)));
        }
        let batch = replace(&batch, columns)?;
        Ok(Outcome {
            warnings,
            notes,
            clock_offset_s: measured.map(|offset| offset.seconds),
            ..Outcome::of(batch)
        })
    }
}

impl Clock {
    /// Resolves local times in the zone; `horizon` is the latest that the meter can have shown since
    /// its clock was last set.
    fn resolve(&mut self, locals: &[i64], serials: &[i32], horizon: i64) -> Resolved {
        let rows = locals.len();
        let mut resolved = Resolved {
            time: Vec::with_capacity(rows),
            offset_min: Vec::with_capacity(rows),
            quality: Vec::with_capacity(rows),
            unbroken: 0,
            ambiguous: 0,
            nonexistent: 0,
        };
        let mut order = Order::default();
        for (row, &local) in locals.iter().enumerate() {
            if row > 0 && serials.get(row) != serials.get(row - 1) {
                order = Order::default();
            }
            let segment = self.zone.segment(local);
            if order.step(local, segment) {
                resolved.unbroken = row;
            }
            if local > horizon {
                resolved.unbroken = row + 1;
            }
            let (east, quality) = match segment.occurs {
                Occurs::Once => (segment.first, Quality::Zone),
                Occurs::Twice if order.second.is_some() => (segment.second, Quality::Ambiguous),
                Occurs::Twice => (segment.first, Quality::Ambiguous),
                Occurs::Never => (segment.first, Quality::Nonexistent),
            };
            resolved.ambiguous += usize::from(quality == Quality::Ambiguous);
            resolved.nonexistent += usize::from(quality == Quality::Nonexistent);
            resolved.time.push(local.saturating_sub(east.us));
            resolved.offset_min.push(east.min);
            resolved.quality.push(quality as i32);
        }
        resolved
    }

    /// Subtracts the offset from the times since the last change of the meter's clock.
    fn subtract(&mut self, resolved: &mut Resolved, locals: &[i64], offset_us: i64) {
        for (row, local) in locals.iter().enumerate().skip(resolved.unbroken) {
            let time = resolved.time[row].saturating_sub(offset_us);
            resolved.time[row] = time;
            if resolved.quality[row] != Quality::Zone as i32 {
                continue;
            }
            resolved.quality[row] = Quality::Drift as i32;
            // Where the correction crosses a change of the zone, the offset is that of the new time.
            let segment = self.zone.segment(local.saturating_sub(offset_us));
            if segment.occurs != Occurs::Once || segment.first.min != resolved.offset_min[row] {
                resolved.offset_min[row] = self.zone.at(time).min;
            }
        }
    }

    /// What was done, for the run report.
    fn notes(&self, resolved: &Resolved, measured: Option<ClockOffset>) -> Vec<String> {
        let rows = resolved.time.len();
        let tz = chrono_tz::IANA_TZDB_VERSION;
        let mut notes = vec![format!(
            "clock: zone {}, tz database {tz}",
            self.zone.name()
        )];
        match measured {
            None => notes.push("clock: the meter told no clock, so its offset is not known".into()),
            Some(ClockOffset {
                seconds,
                uncertainty_s,
                ..
            }) => notes.push(format!(
                "clock: meter clock offset {seconds} s, uncertainty {uncertainty_s} s"
            )),
        }
        if resolved.ambiguous > 0 {
            notes.push(format!(
                "clock: {} of {rows} local times occur twice",
                resolved.ambiguous
            ));
        }
        if resolved.nonexistent > 0 {
            notes.push(format!(
                "clock: {} of {rows} local times never occur",
                resolved.nonexistent
            ));
        }
        if resolved.unbroken > 0 {
            let before = resolved.unbroken;
            notes.push(format!("clock: clock_changed: the meter's clock was changed after reading {before} of {rows}"));
        }
        if let Some(offset) = measured.filter(|_| self.corrects && resolved.unbroken < rows) {
            let from = resolved.unbroken + 1;
            notes.push(format!(
                "clock: offset {} s subtracted from readings {from} to {rows}",
                offset.correction_s()
            ));
        }
        if measured.is_some() && self.corrects && resolved.unbroken > 0 {
            notes.push(format!(
                "clock: {} readings from before that were not corrected",
                resolved.unbroken
            ));
        }
        notes
    }
}

#[cfg(test)]
mod tests;
