//! Invents the stored records of a meter (lifescan.md section 3.5).
//!
//! The times come from `schedule`; this module decides what was stored.

use super::model::Model;
use crate::civil::LocalTime;
use crate::faults::Fault;
use crate::rng::Rng;
use crate::scenario::Scenario;
use crate::schedule::{Slot, hand_out, schedule};
use crate::truth::{Kind, Meal, Range, Truth};

/// Keeps values apart from times of the same seed.
const VALUE_STREAM: u64 = 0x4C_53_56_41_4C;
/// 2000-01-01T00:00:00 on the clock of [`LocalTime`].
pub(super) const EPOCH_S: i64 = 946_684_800;
/// Measuring range of the strips in mg/dL.
const LOWEST: u16 = 20;
const HIGHEST: u16 = 600;
/// Stored in place of a value above and below the measuring range.
const CODE_HIGH: u16 = 0xFFFF;
const CODE_LOW: u16 = 0xFFFE;
/// A value no strip can measure.
const IMPOSSIBLE: u16 = 5000;
/// Bit of the control byte: control solution.
const CONTROL: u8 = 0x01;
/// A bit of the control byte that nobody has decoded.
const OTHER_BIT: u8 = 0x02;
/// Value of the reserved byte when the fault asks for one.
const RESERVED: u8 = 0x5A;
/// Where the inverse record numbers start.
const FIRST_INVERSE: u16 = 5;
/// Time between two tests taken while the meter is being read.
const LATE_TEST_S: i64 = 60;

/// Size of a record behind prefix and status.
pub(super) const RECORD_SIZE: usize = 16;

/// One stored record.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    /// What it means.
    pub(crate) truth: Truth,
    /// Why it cannot be a reading, if it cannot.
    pub(crate) odd: Option<&'static str>,
    /// The bytes behind prefix and status.
    pub(super) bytes: [u8; RECORD_SIZE],
}

/// What a result is made to show.
#[derive(Clone, Copy, Debug)]
enum Role {
    /// A test with this control byte.
    Control(u8),
    /// This value.
    Value(u16),
    /// This value, with a meal mark where the model has any.
    Marked(u16, u8),
    /// An ordinary value with a meal mark where the model has any.
    Meal(u8),
}

/// Roles in the order in which a short list gets them.
const ROLES: &[Role] = &[
    Role::Meal(1),
    Role::Meal(2),
    Role::Control(CONTROL),
    Role::Value(HIGHEST + 1),
    Role::Value(LOWEST - 1),
    Role::Value(LOWEST),
    Role::Value(HIGHEST),
    Role::Value(CODE_HIGH),
    Role::Value(CODE_LOW),
    Role::Control(OTHER_BIT),
    Role::Control(CONTROL | OTHER_BIT),
    Role::Marked(650, 2),
    Role::Marked(12, 1),
    Role::Marked(256, 1),
    Role::Marked(255, 2),
    Role::Control(CONTROL),
];
/// Meal bytes of the many ordinary results; repeated entries are more frequent.
const EVERYDAY: &[u8] = &[0, 0, 0, 1, 1, 2];

/// Number of tests taken while the meter is being read.
pub(super) fn late(scenario: &Scenario) -> usize {
    let count = |fault: &Fault| match fault {
        Fault::Count(count) => usize::try_from(*count).unwrap_or(0),
        Fault::Replace(_) => 1,
        _ => 0,
    };
    scenario.faults.iter().map(count).sum()
}

/// Makes all records of a scenario, newest first; the first [`late`] of them are not stored yet
/// when the meter is plugged in.
pub(crate) fn generate(model: &Model, scenario: &Scenario) -> Vec<Record> {
    let mut slots = schedule(scenario);
    let mut roles = hand_out(ROLES, &slots);
    for number in 1..=late(scenario) {
        let after = i64::try_from(number).unwrap_or(0) * LATE_TEST_S;
        slots.push(Slot {
            time: scenario.end.plus_seconds(after),
            twin: false,
            reserved: true,
        });
        roles.push(None);
    }
    let mut rng = Rng::new(scenario.seed ^ VALUE_STREAM);
    let mut stored: Vec<Stored> = Vec::with_capacity(slots.len());
    for (slot, role) in slots.iter().zip(roles) {
        let test = match stored.last().filter(|_| slot.twin) {
            Some(twin) => twin.clone(),
            None => invent(model, &mut rng, role),
        };
        stored.push(Stored {
            time: slot.time,
            ..test
        });
    }
    let (mut records, newest) = (Vec::with_capacity(stored.len()), stored.len());
    for (index, test) in stored.into_iter().rev().enumerate() {
        let since_plugged = u16::try_from(newest - 1 - index).unwrap_or(u16::MAX);
        let counter = scenario.counter.wrapping_add(since_plugged);
        let index = u16::try_from(index).unwrap_or(u16::MAX);
        let inverse = if model.inverse_grows {
            index
        } else {
            since_plugged
        };
        let inverse = inverse.wrapping_add(FIRST_INVERSE);
        let record = test.record(model, scenario, u32::from(index) + 1, inverse, counter);
        records.push(record);
    }
    records
}

/// The records of a scenario that are stored in the end, newest first.
pub(crate) fn lasting(model: &Model, scenario: &Scenario) -> Vec<Record> {
    let mut records = generate(model, scenario);
    let replaced = |fault: &&Fault| matches!(fault, Fault::Replace(_));
    let replaced = scenario.faults.iter().filter(replaced).count();
    records.truncate(records.len().saturating_sub(replaced));
    records
}

fn invent(model: &Model, rng: &mut Rng, role: Option<Role>) -> Stored {
    let marked = |meal: u8| if model.meals { meal } else { 0 };
    let test = |glucose, meal, control| Stored {
        time: LocalTime::from_seconds(EPOCH_S),
        glucose,
        meal,
        control,
    };
    match role {
        Some(Role::Control(control)) => test(level(rng, 105, 135), 0, control),
        Some(Role::Value(glucose)) => test(glucose, 0, 0),
        Some(Role::Marked(glucose, meal)) => test(glucose, marked(meal), 0),
        Some(Role::Meal(meal)) => test(ordinary(rng, meal), marked(meal), 0),
        None => {
            let meal = marked(rng.pick(EVERYDAY, 0));
            test(ordinary(rng, meal), meal, 0)
        }
    }
}

fn ordinary(rng: &mut Rng, meal: u8) -> u16 {
    match (rng.between(0, 19), meal) {
        (0, _) => level(rng, 45, 69),
        (1, _) => level(rng, 251, 420),
        (_, 1) => level(rng, 74, 152),
        (_, 2) => level(rng, 105, 245),
        _ => level(rng, 68, 252),
    }
}

fn level(rng: &mut Rng, low: u32, high: u32) -> u16 {
    u16::try_from(rng.between(low, high)).unwrap_or(LOWEST)
}

/// One test as the meter remembers it.
#[derive(Clone, Debug)]
struct Stored {
    time: LocalTime,
    glucose: u16,
    meal: u8,
    control: u8,
}

impl Stored {
    fn record(
        mut self,
        model: &Model,
        scenario: &Scenario,
        position: u32,
        inverse: u16,
        counter: u16,
    ) -> Record {
        let (mut reserved, mut odd) = (0, None);
        for fault in &scenario.faults {
            match *fault {
                Fault::Odd(at) if at == position => {
                    self.glucose = IMPOSSIBLE;
                    odd = Some("glucose above 2000 mg/dL");
                }
                Fault::Layout(at) if at == position => reserved = RESERVED,
                Fault::Meal(meal, at) if at == position => self.meal = meal,
                _ => {}
            }
        }
        let seconds = u32::try_from(self.time.to_seconds() - EPOCH_S).unwrap_or(0);
        let [i0, i1] = inverse.to_le_bytes();
        let [c0, c1] = counter.to_le_bytes();
        let [t0, t1, t2, t3] = seconds.to_le_bytes();
        let [g0, g1] = self.glucose.to_le_bytes();
        let bytes = [
            i0,
            i1,
            self.control,
            c0,
            c1,
            t0,
            t1,
            t2,
            t3,
            g0,
            g1,
            self.meal,
            reserved,
            model.flags,
            0x0B,
            0x00,
        ];
        Record {
            truth: self.truth(position, counter, seconds, &bytes),
            odd,
            bytes,
        }
    }

    fn truth(&self, position: u32, counter: u16, seconds: u32, bytes: &[u8]) -> Truth {
        let (range, limit) = match self.glucose {
            CODE_LOW | 0..LOWEST => (Range::Below, Some(LOWEST)),
            LOWEST..=HIGHEST => (Range::In, None),
            _ => (Range::Above, Some(HIGHEST)),
        };
        Truth {
            position,
            local_time: self.time,
            kind: if self.control & CONTROL == 0 {
                Kind::Glucose
            } else {
                Kind::Control
            },
            value: f64::from(limit.unwrap_or(self.glucose)),
            unit: "mg/dL",
            range,
            range_limit: limit.map(f64::from),
            meal: match self.meal {
                1 => Some(Meal::Before),
                2 => Some(Meal::After),
                _ => None,
            },
            minutes_after_meal: None,
            reference: None,
            insulin_type: None,
            raw_value: self.glucose.to_string(),
            raw_unit: "mg/dL".to_owned(),
            markers: match self.meal {
                0 => String::new(),
                meal => format!("{meal:02X}"),
            },
            raw_time: seconds.to_string(),
            counter: Some(counter),
            sent: bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }
}
