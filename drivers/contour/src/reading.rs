//! Turns the records of a download into readings, and sets aside what is none.
//!
//! A set-aside record keeps its bytes, except where they may be a patient's data or the password:
//! only results and records of an unknown letter do.

use std::collections::BTreeMap;

use glucopipe_sdk::driver::SetAside;
use glucopipe_sdk::reading::{
    Amount, CarbUnit, Concentration, Identity, Meal, Measurement, MgPerDl, MmolPerL, Ranged,
    Reading, Reference, Verbatim,
};

use crate::device::civil_time;
use crate::protocol::limits::{GlucoseUnit, LimitSource};
use crate::protocol::markers;
use crate::protocol::record::{Odd, Record};
use crate::protocol::result::{self, Kind, Range, ResultRecord, Unit};
use crate::session::{Collection, Kept};

/// Most different unknown markers that a report lists.
const UNKNOWN_LISTED: usize = 16;
/// Characters of an unknown marker that a report shows.
const UNKNOWN_SHOWN: usize = 16;

/// What a download holds.
#[derive(Debug, Default)]
pub(crate) struct Decoded {
    /// Readings in the meter's order.
    pub(crate) readings: Vec<Reading>,
    /// Records that are none.
    pub(crate) set_aside: Vec<SetAside>,
    /// Readings that only an order made control tests.
    pub(crate) controls_by_order: u32,
    /// Markers nobody knows, with the number of their records.
    pub(crate) unknown_markers: BTreeMap<String, u32>,
}

impl Decoded {
    /// Decodes the collected records.
    pub(crate) fn new(collection: Collection) -> Self {
        let Collection { kept, orders, .. } = collection;
        let mut decoded = Self::default();
        let mut position = 0;
        for Kept { record, raw } in kept {
            position += 1;
            match record {
                Record::Result(mut result) => {
                    if result.kind == Kind::Glucose && orders.covers(&result) {
                        result.mark_control();
                        decoded.controls_by_order += 1;
                    }
                    decoded.note_markers(&result);
                    match reading(&result, raw) {
                        Some(reading) => decoded.readings.push(reading),
                        None => decoded.set_aside.push(SetAside::new(
                            position,
                            "the value is larger than a meter can measure",
                            &result.raw,
                        )),
                    }
                }
                record => decoded.set_aside.extend(set_aside(position, &record)),
            }
        }
        decoded
    }

    fn note_markers(&mut self, result: &ResultRecord) {
        for marker in &result.markers.unknown {
            let shown: String = marker
                .escape_default()
                .to_string()
                .chars()
                .take(UNKNOWN_SHOWN)
                .collect();
            if self.unknown_markers.len() < UNKNOWN_LISTED
                || self.unknown_markers.contains_key(&shown)
            {
                *self.unknown_markers.entry(shown).or_default() += 1;
            }
        }
    }
}

fn set_aside(position: u64, record: &Record) -> Option<SetAside> {
    match record {
        Record::Odd(Odd { reason, raw, .. }) => {
            let raw = if raw.starts_with(b"R") {
                raw.as_slice()
            } else {
                &[]
            };
            Some(SetAside::new(position, reason.to_string(), raw))
        }
        Record::Other { letter, raw } => {
            let reason = format!("records of type `{letter}` are not known");
            Some(SetAside::new(position, reason, raw))
        }
        _ => None,
    }
}

/// Makes a reading; `None` for a value or time that cannot be one.
fn reading(result: &ResultRecord, raw: Vec<u8>) -> Option<Reading> {
    if result.flags.implausible && result.range == Range::In {
        return None;
    }
    let verbatim = Verbatim {
        time: &result.raw_time,
        value: &result.raw_value,
        unit: result.unit.ucum(),
    };
    let time = civil_time(result.time)?;
    let mut reading = Reading::new(time, measurement(result)?, verbatim, Identity::Observed);
    reading.meal = result.markers.meal.map(|meal| match meal {
        markers::Meal::Before => Meal::Before,
        markers::Meal::After => Meal::After,
        markers::Meal::Fasting => Meal::Fasting,
    });
    reading.reference = result.reference.map(|reference| match reference {
        result::Reference::Plasma => Reference::Plasma,
        result::Reference::WholeBlood => Reference::WholeBlood,
        result::Reference::Capillary => Reference::Capillary,
        result::Reference::Deproteinised => Reference::Deproteinised,
    });
    reading.notes = result.markers.notes();
    reading.markers = Some(result.markers.raw.clone()).filter(|text| !text.is_empty());
    reading.raw = Some(raw);
    reading.annotations = annotations(result);
    Some(reading)
}

fn measurement(result: &ResultRecord) -> Option<Measurement> {
    let value = result.value.to_f64();
    let amount = || Amount::new(value);
    let carbs = |unit| amount().map(|amount| Measurement::Carbs(amount, unit));
    match result.unit {
        Unit::Glucose(unit) => {
            let value = match unit {
                GlucoseUnit::MgPerDl => Concentration::MgPerDl(MgPerDl::new(value)?),
                GlucoseUnit::MmolPerL => Concentration::MmolPerL(MmolPerL::new(value)?),
            };
            let ranged = match result.range {
                Range::In => Ranged::In(value),
                Range::Below(_) => Ranged::Below(value),
                Range::Above(_) => Ranged::Above(value),
            };
            Some(if result.kind == Kind::Control {
                Measurement::Control(ranged)
            } else {
                Measurement::Glucose(ranged)
            })
        }
        Unit::InsulinUnits => amount().map(Measurement::Insulin),
        Unit::Grams => carbs(CarbUnit::Grams),
        Unit::Points => carbs(CarbUnit::Points),
        Unit::Choices => carbs(CarbUnit::Choices),
        Unit::Unknown => carbs(CarbUnit::Unknown),
    }
}

fn annotations(result: &ResultRecord) -> Vec<String> {
    let by_default = matches!(
        result.range,
        Range::Below(LimitSource::Default) | Range::Above(LimitSource::Default)
    );
    [
        (
            result.flags.outside_declared_range,
            "outside_declared_range",
        ),
        (result.flags.marker_conflict, "marker_conflict"),
        (result.flags.suspect, "suspect"),
        (by_default, "limit_source:default"),
    ]
    .into_iter()
    .filter(|(applies, _)| *applies)
    .map(|(_, word)| word.to_owned())
    .collect()
}

#[cfg(test)]
mod tests;
