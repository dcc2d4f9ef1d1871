//! Invents the stored results of a meter.
//!
//! The times come from [`schedule`](crate::schedule); this module decides what was stored.

use super::model::{Model, Tail};
use super::roles::{Role, assign};
use super::settings::UnitSetting;
use crate::civil::LocalTime;
use crate::faults::Fault;
use crate::frame::{FRAME_OVERHEAD, PAYLOAD_MAX};
use crate::rng::Rng;
use crate::scenario::{Scenario, Unit};
use crate::schedule::{Slot, schedule};
use crate::truth::{InsulinType, Kind, Meal, Range, Truth};

/// Keeps values apart from times and passwords of the same seed.
const VALUE_STREAM: u64 = 0x56_41_4C_55_45;
/// Results per download whose frame is made to fill one report.
const FULL_FRAMES: usize = 4;

/// How a record is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Odd {
    /// The value is no number.
    Value,
    /// The time is no time.
    Time,
    /// The record ends after the test name.
    Short,
}

impl Odd {
    /// What a reader may say about it.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::Value => "value is not a number",
            Self::Time => "time does not exist",
            Self::Short => "fields are missing",
        }
    }
}

/// One stored record.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    /// What it means.
    pub(crate) truth: Truth,
    /// How it is broken, if it is.
    pub(crate) odd: Option<Odd>,
}

impl Record {
    /// The record text on the wire.
    pub(crate) fn text(&self) -> String {
        let mut truth = self.truth.clone();
        match self.odd {
            None => {}
            Some(Odd::Value) => truth.raw_value = "--".to_owned(),
            Some(Odd::Time) => truth.raw_time = "9".repeat(truth.raw_time.len()),
            Some(Odd::Short) => return format!("R|{}|^^^{}", truth.position, truth.kind.test()),
        }
        truth.text()
    }
}

/// Marks of the many ordinary results; repeated entries are more frequent.
const EVERYDAY: &[&str] = &["", "", "", "B", "B", "A", "A", "A/Z8", "A/Z4", "B/X"];
/// Marks by length, to bring a frame to an exact size.
const BY_LENGTH: &[&str] = &[
    "",
    "B",
    "Z8",
    "B/X",
    "A/Z8",
    "B/X/S",
    "A/Z8/X",
    "B/D/X/S",
    "A/Z8/X/S",
    "B/D/I/S/X",
    "A/Z8/D/X/S",
    "A/Z8/X/S/I",
    "A/Z8/D/I/X/S",
];
/// Tokens of unknown meaning seen on newer models, as pairs of hexadecimal digits.
const TAILS: &[(char, char)] = &[('0', '1'), ('0', '1'), ('0', '0'), ('1', '1'), ('0', 'A')];

/// Makes all records of a scenario, in meter order.
pub(crate) fn generate(model: &Model, scenario: &Scenario) -> Vec<Record> {
    let slots = schedule(scenario);
    let roles = assign(model, &slots);
    let mut maker = Maker::new(model, scenario);
    let mut records: Vec<Record> = Vec::with_capacity(slots.len());
    for ((position, slot), role) in (1..).zip(&slots).zip(roles) {
        let twin = records
            .last()
            .filter(|_| slot.twin)
            .map(|record| record.truth.clone());
        let truth = match (twin, role) {
            (Some(twin), _) => {
                let raw_time = maker.time_text(slot.time);
                Truth {
                    position,
                    local_time: slot.time,
                    raw_time,
                    ..twin
                }
            }
            (None, Some(role)) => maker.special(position, slot.time, role),
            (None, None) => maker.ordinary(position, slot.time),
        };
        let wanted = scenario.faults.contains(&Fault::Odd(position));
        let odd = wanted.then_some(match position % 3 {
            0 => Odd::Value,
            1 => Odd::Time,
            _ => Odd::Short,
        });
        records.push(Record { truth, odd });
    }
    fill_frames(model, &slots, &mut records);
    records
}

/// Changes the marks of a few ordinary results so that their frames fill one report exactly.
fn fill_frames(model: &Model, slots: &[Slot], records: &mut [Record]) {
    let roles = assign(model, slots);
    let ordinary: Vec<usize> = (0..records.len())
        .filter(|at| roles[*at].is_none() && !slots[*at].reserved)
        .collect();
    let mut left = FULL_FRAMES;
    for at in ordinary
        .iter()
        .copied()
        .step_by((ordinary.len() / (FULL_FRAMES + 2)).max(1))
    {
        let Some(record) = records.get_mut(at) else {
            continue;
        };
        let truth = &mut record.truth;
        let fixed = truth.text().len() - truth.markers.len() + FRAME_OVERHEAD;
        let fitting = BY_LENGTH.iter().find_map(|marks| {
            let text = markers(model, marks, ('0', '1'));
            (fixed + text.len() == PAYLOAD_MAX).then_some((*marks, text))
        });
        if let Some((marks, text)) = fitting {
            (truth.meal, truth.minutes_after_meal) = decode(marks);
            truth.markers = text;
            left -= 1;
        }
        if left == 0 {
            return;
        }
    }
}

/// Writes a marker field the way the model orders it.
fn markers(model: &Model, marks: &str, (m, t): (char, char)) -> String {
    let tail = match model.tail {
        Tail::Absent => return marks.to_owned(),
        Tail::MT => format!("M{m}/T{t}"),
        Tail::TM => format!("T{t}/M{m}"),
    };
    if marks.is_empty() {
        tail
    } else {
        format!("{marks}/{tail}")
    }
}

/// Meal mark and minutes after the meal, by whole tokens.
fn decode(marks: &str) -> (Option<Meal>, Option<u16>) {
    let meal = marks.split('/').find_map(|token| match token {
        "B" => Some(Meal::Before),
        "A" => Some(Meal::After),
        "F" => Some(Meal::Fasting),
        _ => None,
    });
    let quarters = marks.split('/').find_map(|token| token.strip_prefix('Z'));
    let minutes = quarters
        .and_then(|hex| u16::from_str_radix(hex, 16).ok())
        .map(|q| q * 15);
    (meal, minutes)
}

/// Invents values.
struct Maker<'a> {
    model: &'a Model,
    unit: Unit,
    setting: UnitSetting,
    rng: Rng,
}

impl<'a> Maker<'a> {
    fn new(model: &'a Model, scenario: &Scenario) -> Self {
        Self {
            model,
            unit: scenario.unit,
            setting: model.setting(scenario.unit),
            rng: Rng::new(scenario.seed ^ VALUE_STREAM),
        }
    }

    fn ordinary(&mut self, position: u32, time: LocalTime) -> Truth {
        let marks = self.rng.pick(EVERYDAY, "");
        self.marked(position, time, marks)
    }

    fn special(&mut self, position: u32, time: LocalTime, role: Role) -> Truth {
        match role {
            Role::Marked(marks) => self.marked(position, time, marks),
            Role::Control => {
                let steps = self.level(105, 135);
                let truth = self.glucose(position, time, steps, "C");
                Truth {
                    kind: Kind::Control,
                    ..truth
                }
            }
            Role::High(marks) => {
                let UnitSetting { high, .. } = self.setting;
                let truth = self.glucose(position, time, high + 1, &joined(">", marks));
                self.limited(truth, Range::Above, high)
            }
            Role::Low(marks) => {
                let UnitSetting { low, .. } = self.setting;
                let truth =
                    self.glucose(position, time, low.saturating_sub(1), &joined("<", marks));
                self.limited(truth, Range::Below, low)
            }
            Role::Carbs(code) => {
                let (unit, amount) = match code {
                    '1' => ("g", self.rng.between(10, 120)),
                    '2' => ("points", self.rng.between(1, 20)),
                    '3' => ("choices", self.rng.between(1, 8)),
                    _ => ("", self.rng.between(10, 60)),
                };
                self.entry(
                    position,
                    time,
                    Kind::Carbs,
                    amount,
                    code,
                    f64::from(amount),
                    unit,
                )
            }
            Role::Insulin(code) => {
                // The meter counts tenths of a unit.
                let tenths = self.rng.between(5, 250);
                let units = f64::from(tenths) / 10.0;
                let truth = self.entry(position, time, Kind::Insulin, tenths, code, units, "[iU]");
                let kind = match code {
                    '1' => InsulinType::Fast,
                    '2' => InsulinType::Long,
                    '3' => InsulinType::Mixed,
                    _ => InsulinType::Unknown,
                };
                Truth {
                    insulin_type: Some(kind),
                    ..truth
                }
            }
        }
    }

    fn marked(&mut self, position: u32, time: LocalTime, marks: &str) -> Truth {
        let steps = match (self.rng.between(0, 19), decode(marks).0) {
            (0, _) => self.level(45, 69),
            (1, _) => self.level(251, 420),
            (_, Some(Meal::Before | Meal::Fasting)) => self.level(74, 152),
            (_, Some(Meal::After)) => self.level(105, 245),
            (_, None) => self.level(68, 252),
        };
        self.glucose(position, time, steps, marks)
    }

    /// A level between two bounds in mg/dL, in steps of the meter's unit.
    fn level(&mut self, low: u32, high: u32) -> u32 {
        let level = self.rng.between(low, high);
        match self.unit {
            Unit::MgPerDl => level,
            // 18.01559 mg/dL per mmol/L, to tenths, half up.
            Unit::MmolPerL => (level * 1_000_000 + 900_779) / 1_801_559,
        }
    }

    fn value(&self, steps: u32) -> f64 {
        match self.unit {
            Unit::MgPerDl => f64::from(steps),
            Unit::MmolPerL => f64::from(steps) / 10.0,
        }
    }

    fn time_text(&self, time: LocalTime) -> String {
        time.digits(self.model.result_seconds)
    }

    fn glucose(&mut self, position: u32, time: LocalTime, steps: u32, marks: &str) -> Truth {
        let tail = self.rng.pick(TAILS, ('0', '1'));
        let (meal, minutes_after_meal) = decode(marks);
        Truth {
            position,
            local_time: time,
            kind: Kind::Glucose,
            value: self.value(steps),
            unit: self.unit.text(),
            range: Range::In,
            range_limit: None,
            meal,
            minutes_after_meal,
            reference: Some("plasma"),
            insulin_type: None,
            raw_value: match self.unit {
                Unit::MgPerDl => steps.to_string(),
                Unit::MmolPerL => format!("{}.{}", steps / 10, steps % 10),
            },
            raw_unit: format!("{}^P", self.unit.text()),
            markers: markers(self.model, marks, tail),
            raw_time: self.time_text(time),
            counter: None,
            sent: String::new(),
        }
    }

    fn limited(&self, truth: Truth, range: Range, limit: u32) -> Truth {
        let limit = self.value(limit);
        Truth {
            value: limit,
            range,
            range_limit: Some(limit),
            ..truth
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one column each")]
    fn entry(
        &self,
        position: u32,
        time: LocalTime,
        kind: Kind,
        amount: u32,
        code: char,
        value: f64,
        unit: &'static str,
    ) -> Truth {
        Truth {
            position,
            local_time: time,
            kind,
            value,
            unit,
            range: Range::In,
            range_limit: None,
            meal: None,
            minutes_after_meal: None,
            reference: None,
            insulin_type: None,
            raw_value: amount.to_string(),
            raw_unit: format!("{code}^"),
            markers: String::new(),
            raw_time: self.time_text(time),
            counter: None,
            sent: String::new(),
        }
    }
}

fn joined(first: &str, rest: &str) -> String {
    if rest.is_empty() {
        first.to_owned()
    } else {
        format!("{first}/{rest}")
    }
}
