//! The profile `glucometerutils`: what `glucometer dump` of <https://github.com/glucometers-tech/glucometerutils>
//! prints, `"2026-05-30 18:05:00","5.56","Before Meal","blood sample",""`.
//!
//! Facts: `GlucoseReading.as_csv` and `convert_glucose_unit` in its `common.py`. Glucose alone, all of it
//! in one unit; that program divides by 18 and keeps two decimals.

use std::collections::BTreeMap;
use std::io::Write as _;

use glucopipe_sdk::Result;
use glucopipe_sdk::arrow::array::{Float64Array, RecordBatch, TimestampMicrosecondArray};
use glucopipe_sdk::batch::{Texts, typed};
use glucopipe_sdk::text::{Moments, Render, TextCells};

use super::{OutOfRange, Unit};

/// mg/dL of one mmol/L, as that program has it.
const FACTOR: f64 = 18.0;

/// Formats readings as that program does.
pub(crate) struct Glucometerutils {
    /// The unit of the file, once it is known.
    unit: Option<Unit>,
    out_of_range: OutOfRange,
    /// Readings without a line, by reason.
    left_out: BTreeMap<String, u64>,
}

impl Glucometerutils {
    /// A formatter into this unit, or into that of the first reading.
    pub(crate) fn new(unit: Option<Unit>, out_of_range: OutOfRange) -> Self {
        Self {
            unit,
            out_of_range,
            left_out: BTreeMap::new(),
        }
    }

    /// Appends one line per reading that has a place here; returns how many.
    ///
    /// # Errors
    /// When the batch lacks a column or has it in another type.
    pub(crate) fn rows(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<u64> {
        let times: &TimestampMicrosecondArray = typed(batch, "local_time")?;
        let mut times = Moments::new(times.values().clone(), "\"", "\",\"").plain();
        let values: &Float64Array = typed(batch, "value")?;
        let kinds = Texts::of(batch, "kind")?;
        let units = Texts::of(batch, "unit")?;
        let ranges = Texts::of(batch, "range")?;
        let meals = TextCells::new(Texts::of(batch, "meal")?, Meal);
        let comments = TextCells::new(Texts::of(batch, "notes")?, Comment);
        let mut written = 0;
        for row in 0..batch.num_rows() {
            let kind = kinds.get(row).unwrap_or_default();
            if kind != "glucose" {
                self.leave_out(kind);
                continue;
            }
            let Some(unit) = units.get(row).and_then(Unit::named) else {
                self.leave_out("glucose in another unit");
                continue;
            };
            let value = match (ranges.get(row), self.out_of_range) {
                (Some("above" | "below"), OutOfRange::Skip) => {
                    self.leave_out("out of range");
                    continue;
                }
                (Some("above"), OutOfRange::Infinity) => f64::INFINITY,
                (Some("below"), OutOfRange::Infinity) => f64::NEG_INFINITY,
                _ => values.value(row),
            };
            let wanted = *self.unit.get_or_insert(unit);
            times.append(row, out);
            // Writing to memory does not fail.
            let _ = write!(out, "{:.2}", converted(value, unit, wanted));
            out.extend_from_slice(b"\",\"");
            meals.append(row, out);
            out.extend_from_slice(b"\",\"blood sample\",\"");
            comments.append(row, out);
            out.extend_from_slice(b"\"\n");
            written += 1;
        }
        Ok(written)
    }

    /// How many readings have no line, and why.
    pub(crate) fn left_out(&self) -> Option<String> {
        if self.left_out.is_empty() {
            return None;
        }
        let reasons: Vec<String> = self
            .left_out
            .iter()
            .map(|(reason, count)| format!("{count} {reason}"))
            .collect();
        let readings = self.left_out.values().sum::<u64>();
        Some(format!(
            "readings without a place in the profile `glucometerutils`: {readings} ({})",
            reasons.join(", ")
        ))
    }

    fn leave_out(&mut self, reason: &str) {
        match self.left_out.get_mut(reason) {
            Some(count) => *count += 1,
            None => {
                self.left_out.insert(reason.to_owned(), 1);
            }
        }
    }
}

fn converted(value: f64, from: Unit, to: Unit) -> f64 {
    match (from, to) {
        (Unit::MgPerDl, Unit::MmolPerL) => value / FACTOR,
        (Unit::MmolPerL, Unit::MgPerDl) => value * FACTOR,
        _ => value,
    }
}

/// The words for a meal; that program has none for fasting.
struct Meal;

impl Render for Meal {
    fn render(&self, text: Option<&str>, out: &mut Vec<u8>) {
        out.extend_from_slice(match text {
            Some("before") => b"Before Meal",
            Some("after") => b"After Meal",
            _ => b"",
        });
    }
}

/// A comment. That program does not escape quotes, and one line is one reading.
struct Comment;

impl Render for Comment {
    fn render(&self, text: Option<&str>, out: &mut Vec<u8>) {
        let text = text.unwrap_or_default().replace("\r\n", " ");
        out.extend(text.bytes().map(|byte| match byte {
            b'"' => b'\'',
            b'\r' | b'\n' => b' ',
            other => other,
        }));
    }
}

#[cfg(test)]
mod tests;
