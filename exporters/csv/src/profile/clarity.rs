//! The profile `clarity`: the layout of Dexcom Clarity's exports, which many programs read.
//!
//! Facts: programs that read such files. A header of 14 columns, ten rows without a time about the person and
//! the device, then one row an event. Finger-sticks are calibrations there.

use std::io::Write as _;

use glucopipe_sdk::Result;
use glucopipe_sdk::arrow::array::RecordBatch;
use glucopipe_sdk::batch::Texts;
use glucopipe_sdk::text::{Moments, Numbers, Precision, TextCells, TimeForm};

use super::Table;
use super::other::{Beyond, Glucose, Insulin, Is, Source};
use super::text::{CsvText, Quoting};
use crate::Config;
use crate::options::EventType;

const SEPARATOR: u8 = b',';

/// The rows in front, as event type and subtype; readers skip them, some by their number. Names and alarms
/// stay empty.
const PREFACE: [(&str, &str); 10] = [
    ("FirstName", ""),
    ("LastName", ""),
    ("Device", ""),
    ("Alert", "Fall"),
    ("Alert", "High"),
    ("Alert", "Low"),
    ("Alert", "Signal Loss"),
    ("Alert", "Rise"),
    ("Alert", "Urgent Low"),
    ("Alert", "Urgent Low Soon"),
];

/// Formats readings as Clarity does.
pub(super) struct Clarity {
    glucose: Glucose,
    numbers: Numbers,
    quoting: Quoting,
    event_type: EventType,
    /// Number of the last row.
    index: u64,
}

impl Clarity {
    /// A formatter.
    ///
    /// # Errors
    /// When the configuration is none.
    pub(super) fn new(config: &Config) -> Result<Self> {
        Ok(Self {
            glucose: Glucose::new(config, Glucose::as_shown, SEPARATOR)?,
            numbers: Numbers::new(SEPARATOR),
            quoting: Quoting {
                separator: SEPARATOR,
                safe: config.excel_safe.unwrap_or(false),
            },
            event_type: config.event_type.unwrap_or_default(),
            index: 0,
        })
    }
}

impl Table for Clarity {
    fn begin(&mut self, first: Option<&RecordBatch>, out: &mut Vec<u8>) -> Result<()> {
        let unit = self.glucose.settle(first)?.name();
        // Writing to memory does not fail.
        let _ = writeln!(
            out,
            "Index,Timestamp (YYYY-MM-DDThh:mm:ss),Event Type,Event Subtype,Patient Info,Device Info,\
             Source Device ID,Glucose Value ({unit}),Insulin Value (u),Carb Value (grams),\
             Duration (hh:mm:ss),Glucose Rate of Change ({unit}/min),Transmitter Time (Long Integer),\
             Transmitter ID"
        );
        for (event, subtype) in PREFACE {
            self.index += 1;
            let _ = writeln!(out, "{},,{event},{subtype},,,,,,,,,,", self.index);
        }
        Ok(())
    }

    fn rows(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<u64> {
        let source = Source::of(batch)?;
        let quoted = |name| -> Result<TextCells<CsvText>> {
            let texts = Texts::of(batch, name)?;
            let how = CsvText::new(&texts, self.quoting, &[SEPARATOR]);
            Ok(TextCells::new(texts, how))
        };
        let (models, serials) = (quoted("device_model")?, quoted("device_serial")?);
        let form = TimeForm {
            precision: Precision::Seconds,
            ..TimeForm::ISO
        };
        let mut times = Moments::new(source.times.clone(), form, ",", ",");
        let event_type: &[u8] = match self.event_type {
            EventType::Calibration => b"Calibration,,,",
            EventType::Egv => b"EGV,,,",
        };
        let mut written = 0;
        for row in 0..batch.num_rows() {
            let is = source.is(row);
            let event = match is {
                Is::Glucose(_) => event_type,
                Is::Insulin(Insulin::Fast) => b"Insulin,Fast-Acting,,",
                Is::Insulin(Insulin::Long) => b"Insulin,Long-Acting,,",
                Is::Carbs("g") => b"Carbs,,,",
                other => {
                    self.glucose.leave_out(match other {
                        Is::Insulin(_) => "insulin neither fast nor long",
                        Is::Carbs(_) => "carbs not in grams",
                        other => other.reason(),
                    });
                    continue;
                }
            };
            let beyond = source.beyond(row);
            if !self.glucose.keeps(beyond) {
                continue;
            }
            self.index += 1;
            // Writing to memory does not fail.
            let _ = write!(out, "{}", self.index);
            times.append(row, out);
            out.extend_from_slice(event);
            models.append(row, out);
            serials.append(row, out);
            let value = source.values[row];
            // Glucose, insulin, carbohydrates, and five cells that are not for meters.
            match (is, beyond) {
                (Is::Glucose(_), Some(Beyond::Above)) => out.extend_from_slice(b"High,"),
                (Is::Glucose(_), Some(Beyond::Below)) => out.extend_from_slice(b"Low,"),
                (Is::Glucose(unit), None) => self.glucose.append(value, unit, out),
                (Is::Insulin(_), _) => {
                    out.push(SEPARATOR);
                    self.numbers.append(value, out);
                    out.push(SEPARATOR);
                }
                _ => {
                    out.extend_from_slice(b",,");
                    self.numbers.append(value, out);
                }
            }
            if let Is::Glucose(_) = is {
                out.extend_from_slice(b",,");
            }
            out.extend_from_slice(b",,,\n");
            written += 1;
        }
        Ok(written)
    }

    fn remark(&self) -> Option<String> {
        self.glucose.remark()
    }
}
