//! The profile `glucometerutils`: what `glucometer dump` of <https://github.com/glucometers-tech/glucometerutils>
//! prints, `"2026-05-30 18:05:00","5.56","Before Meal","blood sample",""`.
//!
//! Facts: `as_csv` of the readings and `convert_glucose_unit` in its `common.py`. All glucose in one unit;
//! that program divides by 18 and keeps two decimals.

use std::io::Write as _;

use glucopipe_sdk::Result;
use glucopipe_sdk::arrow::array::RecordBatch;
use glucopipe_sdk::batch::Texts;
use glucopipe_sdk::text::{Moments, Render, TextCells, TimeForm};

use super::Table;
use super::other::{Beyond, Glucose, Is, Source};
use super::text::{QUOTE, Quoting};
use crate::Config;
use crate::options::OutOfRange;

/// Formats readings as that program does.
pub(super) struct Glucometerutils {
    glucose: Glucose,
    ketones: bool,
    quoting: Quoting,
}

impl Glucometerutils {
    /// A formatter.
    ///
    /// # Errors
    /// When the configuration is none.
    pub(super) fn new(config: &Config) -> Result<Self> {
        Ok(Self {
            glucose: Glucose::new(config, |_, _| Some(2), QUOTE)?,
            ketones: config.ketones.unwrap_or(false),
            quoting: Quoting {
                separator: b',',
                safe: config.excel_safe.unwrap_or(false),
            },
        })
    }
}

impl Table for Glucometerutils {
    fn begin(&mut self, _: Option<&RecordBatch>, _: &mut Vec<u8>) -> Result<()> {
        Ok(())
    }

    fn rows(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<u64> {
        let source = Source::of(batch)?;
        let mut times = Moments::new(source.times.clone(), TimeForm::PLAIN, "\"", "\",\"");
        let meals = TextCells::new(Texts::of(batch, "meal")?, Meal);
        let comments = TextCells::new(Texts::of(batch, "notes")?, Comment(self.quoting));
        let mut written = 0;
        for row in 0..batch.num_rows() {
            let unit = match source.is(row) {
                Is::Glucose(unit) => Some(unit),
                Is::Ketone if self.ketones => None,
                other => {
                    self.glucose.leave_out(other.reason());
                    continue;
                }
            };
            let beyond = source.beyond(row);
            if !self.glucose.keeps(beyond) {
                continue;
            }
            times.append(row, out);
            match (self.glucose.out_of_range, beyond, unit) {
                (OutOfRange::Infinity, Some(Beyond::Above), _) => out.extend_from_slice(b"inf\""),
                (OutOfRange::Infinity, Some(Beyond::Below), _) => out.extend_from_slice(b"-inf\""),
                (_, _, Some(unit)) => self.glucose.append(source.values[row], unit, out),
                // Writing to memory does not fail.
                (_, _, None) => _ = write!(out, "{:.2}\"", source.values[row]),
            }
            out.extend_from_slice(b",\"");
            if unit.is_some() {
                meals.append(row, out);
            }
            out.extend_from_slice(b"\",\"blood sample\",\"");
            comments.append(row, out);
            out.extend_from_slice(b"\"\n");
            written += 1;
        }
        Ok(written)
    }

    fn remark(&self) -> Option<String> {
        self.glucose.remark()
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
struct Comment(Quoting);

impl Render for Comment {
    fn render(&self, text: Option<&str>, out: &mut Vec<u8>) {
        let text = text.unwrap_or_default().replace("\r\n", " ");
        self.0.append_apostrophe(text.as_bytes(), out);
        out.extend(text.bytes().map(|byte| match byte {
            QUOTE => b'\'',
            b'\r' | b'\n' => b' ',
            other => other,
        }));
    }
}

#[cfg(test)]
mod tests;
