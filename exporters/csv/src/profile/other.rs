//! What the layouts of other programs share: which readings have a place, and glucose in one unit.

use std::collections::BTreeMap;
use std::io::Write as _;

use glucopipe_sdk::Result;
use glucopipe_sdk::arrow::array::{Float64Array, RecordBatch, TimestampMicrosecondArray};
use glucopipe_sdk::arrow::buffer::ScalarBuffer;
use glucopipe_sdk::batch::{Texts, typed};
use glucopipe_sdk::decimal::{Factor, Scale};
use glucopipe_sdk::text::Numbers;

use crate::Config;
use crate::options::{OutOfRange, Unit, factor, out_of_range};

/// Notes by which drivers tell the kinds of insulin apart.
const FAST: &str = "fast-acting insulin";
const LONG: &str = "long-acting insulin";

/// The columns of a batch that decide where a reading goes.
pub(super) struct Source {
    pub(super) times: ScalarBuffer<i64>,
    pub(super) values: ScalarBuffer<f64>,
    kinds: Texts,
    units: Texts,
    ranges: Texts,
    notes: Texts,
}

/// What a reading is, for other programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Is<'a> {
    Glucose(Unit),
    /// In mmol/L.
    Ketone,
    Insulin(Insulin),
    /// In this unit: `g`, or one in braces.
    Carbs(&'a str),
    /// Nothing that they know, in words.
    Other(&'a str),
}

impl<'a> Is<'a> {
    /// Why it has no place, where its kind has none.
    pub(super) fn reason(self) -> &'a str {
        match self {
            Self::Glucose(_) => "glucose",
            Self::Ketone => "ketone",
            Self::Insulin(_) => "insulin",
            Self::Carbs(_) => "carbs",
            Self::Other(reason) => reason,
        }
    }
}

/// A kind of insulin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Insulin {
    Fast,
    Long,
    /// Mixed, or the meter does not say.
    Other,
}

/// Beyond the measuring range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beyond {
    Above,
    Below,
}

impl Source {
    /// The columns of a batch.
    ///
    /// # Errors
    /// When one is lacking or of another type.
    pub(super) fn of(batch: &RecordBatch) -> Result<Self> {
        let times: &TimestampMicrosecondArray = typed(batch, "local_time")?;
        let values: &Float64Array = typed(batch, "value")?;
        Ok(Self {
            times: times.values().clone(),
            values: values.values().clone(),
            kinds: Texts::of(batch, "kind")?,
            units: Texts::of(batch, "unit")?,
            ranges: Texts::of(batch, "range")?,
            notes: Texts::of(batch, "notes")?,
        })
    }

    /// What a reading is.
    pub(super) fn is(&self, row: usize) -> Is<'_> {
        let unit = self.units.get(row).unwrap_or_default();
        match self.kinds.get(row).unwrap_or_default() {
            "glucose" => {
                Unit::named(unit).map_or(Is::Other("glucose in another unit"), Is::Glucose)
            }
            "ketone" if unit == Unit::MmolPerL.name() => Is::Ketone,
            "ketone" => Is::Other("ketone in another unit"),
            "insulin" => Is::Insulin(self.insulin(row)),
            "carbs" => Is::Carbs(unit),
            other => Is::Other(other),
        }
    }

    fn insulin(&self, row: usize) -> Insulin {
        let notes = self.notes.get(row).unwrap_or_default();
        let has = |word| notes.split("; ").any(|note| note == word);
        match (has(FAST), has(LONG)) {
            (true, false) => Insulin::Fast,
            (false, true) => Insulin::Long,
            _ => Insulin::Other,
        }
    }

    /// Whether a reading is HI or LO.
    pub(super) fn beyond(&self, row: usize) -> Option<Beyond> {
        match self.ranges.get(row) {
            Some("above") => Some(Beyond::Above),
            Some("below") => Some(Beyond::Below),
            _ => None,
        }
    }
}

/// Glucose in one unit, and an account of what became of all readings.
pub(super) struct Glucose {
    profile: &'static str,
    /// The unit of the file, once it is known.
    unit: Option<Unit>,
    factor: Factor,
    pub(super) out_of_range: OutOfRange,
    decimals: Decimals,
    /// By unit of the reading: mg/dL, mmol/L.
    numbers: [Option<Numbers>; 2],
    after: u8,
    beyond: u64,
    /// Readings without a place, by reason.
    left_out: BTreeMap<String, u64>,
}

/// How many decimals there are, by the unit of the reading and that of the file; `None` is as many as it has.
pub(super) type Decimals = fn(Unit, Unit) -> Option<u8>;

impl Glucose {
    /// Glucose as a configuration wants it, with a byte after each number.
    ///
    /// # Errors
    /// When the configuration is none.
    pub(super) fn new(config: &Config, decimals: Decimals, after: u8) -> Result<Self> {
        Ok(Self {
            profile: config.profile.word(),
            unit: config.unit,
            factor: factor(config)?,
            out_of_range: out_of_range(config)?,
            decimals,
            numbers: [None, None],
            after,
            beyond: 0,
            left_out: BTreeMap::new(),
        })
    }

    /// As a program shows glucose: whole mg/dL, mmol/L with one decimal.
    pub(super) fn as_shown(_: Unit, to: Unit) -> Option<u8> {
        match to {
            Unit::MgPerDl => Some(0),
            Unit::MmolPerL => Some(1),
        }
    }

    /// The unit of a file that must say it before the first reading: of the first reading in sight, or
    /// mg/dL.
    ///
    /// # Errors
    /// When the batch lacks a column.
    pub(super) fn settle(&mut self, first: Option<&RecordBatch>) -> Result<Unit> {
        if let (None, Some(batch)) = (self.unit, first) {
            let source = Source::of(batch)?;
            self.unit = (0..batch.num_rows()).find_map(|row| match source.is(row) {
                Is::Glucose(unit) => Some(unit),
                _ => None,
            });
        }
        Ok(*self.unit.get_or_insert(Unit::MgPerDl))
    }

    /// Appends a value of this unit in that of the file.
    pub(super) fn append(&mut self, value: f64, from: Unit, out: &mut Vec<u8>) {
        let to = *self.unit.get_or_insert(from);
        let (decimals, factor, after) = ((self.decimals)(from, to), self.factor, self.after);
        let [mg, mmol] = &mut self.numbers;
        let numbers = match from {
            Unit::MgPerDl => mg,
            Unit::MmolPerL => mmol,
        };
        let numbers = numbers.get_or_insert_with(|| {
            let scale = match (from, to) {
                (Unit::MgPerDl, Unit::MmolPerL) => factor.to_mmol(decimals),
                (Unit::MmolPerL, Unit::MgPerDl) => factor.to_mg(decimals),
                _ => Scale::new(1, 1, decimals),
            };
            Numbers::written_by(after, move |value, out| {
                let value = scale.apply(value);
                // Writing to memory does not fail.
                let _ = match decimals {
                    Some(places) => write!(out, "{value:.*}", usize::from(places)),
                    None => write!(out, "{value}"),
                };
            })
        });
        numbers.append(value, out);
    }

    /// Counts a reading beyond the measuring range; whether it has a place.
    pub(super) fn keeps(&mut self, beyond: Option<Beyond>) -> bool {
        if beyond.is_none() {
            return true;
        }
        if self.out_of_range == OutOfRange::Skip {
            self.leave_out("out of range");
            return false;
        }
        self.beyond += 1;
        true
    }

    /// Counts a reading without a place.
    pub(super) fn leave_out(&mut self, reason: &str) {
        match self.left_out.get_mut(reason) {
            Some(count) => *count += 1,
            None => {
                self.left_out.insert(reason.to_owned(), 1);
            }
        }
    }

    /// How glucose was converted, and how many readings have no place, and why.
    pub(super) fn remark(&self) -> Option<String> {
        let mut text = format!("profile `{}`", self.profile);
        if let Some(unit) = self.unit {
            text.push_str(&format!(
                ": glucose in {}, factor {}",
                unit.name(),
                self.factor.number()
            ));
        }
        if self.beyond > 0 {
            text.push_str(&format!("; HI or LO: {}", self.beyond));
        }
        if !self.left_out.is_empty() {
            let reasons: Vec<String> = self
                .left_out
                .iter()
                .map(|(reason, count)| format!("{count} {reason}"))
                .collect();
            let readings = self.left_out.values().sum::<u64>();
            text.push_str(&format!(
                "; readings without a place in it: {readings} ({})",
                reasons.join(", ")
            ));
        }
        Some(text)
    }
}
