//! Turns the records of a download into readings, oldest first, and sets aside what is none.

use std::collections::BTreeMap;

use glucopipe_sdk::driver::SetAside;
use glucopipe_sdk::reading::{
    Concentration, Identity, Meal, Measurement, MgPerDl, Ranged, Reading, Verbatim,
};

use crate::protocol::record::{self, HIGH_LIMIT, LOW_LIMIT, Range, Record};

/// Unit of all values on the wire (other programs agree).
const UNIT: &str = "mg/dL";
/// How far behind the meter's clock a record may be: one day (our own rule).
const FUTURE_S: u64 = 86_400;
/// 2010-01-01, before the first of these meters was sold: an earlier clock is not set, and says nothing of
/// the records. Seconds since 2000-01-01.
const FIRST_METERS: u32 = 315_619_200;

/// A record that was read.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    /// Index at the meter; 0 is the newest.
    pub(crate) index: u16,
    /// The record.
    pub(crate) record: Record,
    /// The reply packet.
    pub(crate) packet: Vec<u8>,
}

/// A record that could not be read.
#[derive(Clone, Debug)]
pub(crate) struct Unreadable {
    /// Index at the meter; 0 is the newest.
    pub(crate) index: u16,
    /// Why.
    pub(crate) reason: String,
    /// What came instead.
    pub(crate) raw: Vec<u8>,
}

/// Numbers of results.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) glucose: u64,
    pub(crate) control: u64,
    pub(crate) below: u64,
    pub(crate) above: u64,
    pub(crate) implausible: u64,
}

/// What a download holds.
#[derive(Debug, Default)]
pub(crate) struct Decoded {
    /// Readings, oldest first.
    pub(crate) readings: Vec<Reading>,
    /// Records that are none.
    pub(crate) set_aside: Vec<SetAside>,
    /// What was counted.
    pub(crate) tally: Tally,
    /// Meal marks nobody knows, with the number of their records.
    pub(crate) unknown_meals: BTreeMap<u8, u32>,
}

/// Whether the meter's clock says anything of the records.
pub(crate) fn is_clock_set(clock: u32) -> bool {
    !record::is_unset(clock) && clock >= FIRST_METERS
}

impl Decoded {
    /// Decodes what was read of `expected` records, newest first, while the meter's clock showed this.
    pub(crate) fn new(
        kept: Vec<Kept>,
        unreadable: Vec<Unreadable>,
        expected: u16,
        clock: Option<u32>,
    ) -> Self {
        let position = |index: u16| u64::from(expected.saturating_sub(index));
        let clock = clock.filter(|clock| is_clock_set(*clock));
        let mut decoded = Self::default();
        for Unreadable { index, reason, raw } in unreadable {
            let aside = SetAside::new(position(index), reason, &raw);
            decoded.set_aside.push(aside);
        }
        let mut order = Order::default();
        for Kept {
            index,
            record,
            packet,
        } in kept.into_iter().rev()
        {
            let in_order = order.follows(index, &record);
            match reading(&record, packet, clock) {
                Ok(mut reading) => {
                    if !in_order {
                        reading.annotations.push("order_suspect".to_owned());
                    }
                    decoded.count(&record);
                    decoded.readings.push(reading);
                }
                Err((reason, packet)) => {
                    decoded.tally.implausible += 1;
                    let aside = SetAside::new(position(index), reason, &packet);
                    decoded.set_aside.push(aside);
                }
            }
        }
        decoded.set_aside.sort_by_key(|aside| aside.position);
        decoded
    }

    fn count(&mut self, record: &Record) {
        let tally = &mut self.tally;
        *(if record.is_control() {
            &mut tally.control
        } else {
            &mut tally.glucose
        }) += 1;
        match record.range() {
            Range::Below => tally.below += 1,
            Range::Above => tally.above += 1,
            Range::In | Range::Implausible => {}
        }
        if let record::Meal::Unknown(mark) = record.meal() {
            *self.unknown_meals.entry(mark).or_default() += 1;
        }
    }
}

/// Which way the inverse number goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Up,
    Down,
}

/// Whether records, oldest first, have numbers as the meter's order demands.
#[derive(Debug, Default)]
struct Order {
    before: Option<(u16, Record)>,
    /// What the inverse number does from one record to the next newer one, once that is known.
    direction: Option<Direction>,
}

impl Order {
    /// Whether the counter grew, and the inverse number went on by one for each index in one direction.
    /// Nobody has recorded which direction that is.
    fn follows(&mut self, index: u16, record: &Record) -> bool {
        let Some((index_before, before)) = self.before.replace((index, *record)) else {
            return true;
        };
        let grown = record.counter.wrapping_sub(before.counter);
        let steps = index_before.wrapping_sub(index);
        let change = record.inverse.wrapping_sub(before.inverse);
        let direction = match change {
            up if up == steps => Direction::Up,
            down if down == steps.wrapping_neg() => Direction::Down,
            _ => return false,
        };
        let known = *self.direction.get_or_insert(direction);
        known == direction && (1..=u16::MAX / 2).contains(&grown)
    }
}

/// Makes a reading, or says why a record is none.
fn reading(
    record: &Record,
    packet: Vec<u8>,
    clock: Option<u32>,
) -> Result<Reading, (&'static str, Vec<u8>)> {
    let latest = clock.map(|clock| u64::from(clock) + FUTURE_S);
    let in_future = latest.is_some_and(|latest| u64::from(record.seconds) > latest);
    if in_future && !record.is_time_unset() {
        let reason = "implausible: its time is more than a day after the meter's clock";
        return Err((reason, packet));
    }
    let Some(measurement) = measurement(record) else {
        let reason = "implausible: its value is larger than a meter can measure";
        return Err((reason, packet));
    };
    let (time, value) = (record.seconds.to_string(), record.glucose.to_string());
    let verbatim = Verbatim {
        time: &time,
        value: &value,
        unit: UNIT,
    };
    let identity = Identity::Counter(record.counter.into());
    let mut reading = Reading::new(record.local_time(), measurement, verbatim, identity);
    reading.meal = match record.meal() {
        record::Meal::Before => Some(Meal::Before),
        record::Meal::After => Some(Meal::After),
        record::Meal::None | record::Meal::Unknown(_) => None,
    };
    reading.markers = Some(record.markers());
    reading.raw = Some(packet);
    reading.annotations = annotations(record);
    Ok(reading)
}

fn measurement(record: &Record) -> Option<Measurement> {
    let concentration = |value: u16| MgPerDl::new(value.into()).map(Concentration::MgPerDl);
    let ranged = match record.range() {
        Range::In => Ranged::In(concentration(record.glucose)?),
        Range::Below => Ranged::Below(concentration(LOW_LIMIT)?),
        Range::Above => Ranged::Above(concentration(HIGH_LIMIT)?),
        Range::Implausible => return None,
    };
    Some(if record.is_control() {
        Measurement::Control(ranged)
    } else {
        Measurement::Glucose(ranged)
    })
}

fn annotations(record: &Record) -> Vec<String> {
    let beyond = matches!(record.range(), Range::Below | Range::Above);
    [
        (beyond, "limit_source:model-table"),
        (record.is_at_limit(), "at_limit"),
        (
            matches!(record.meal(), record::Meal::Unknown(_)),
            "meal_unknown",
        ),
        (record.zero != 0, "layout_suspect"),
        (record.is_time_unset(), "time_unset"),
    ]
    .into_iter()
    .filter(|(applies, _)| *applies)
    .map(|(_, word)| word.to_owned())
    .collect()
}
