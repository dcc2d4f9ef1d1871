//! The profile `iglu`: `id,time,gl`, what the R package of that name reads.
//!
//! Facts: <https://cran.r-project.org/package=iglu>, "Data format": one row a reading, `gl` in mg/dL, `NA` for
//! what is missing. That package converts by 18.

use glucopipe_sdk::Result;
use glucopipe_sdk::arrow::array::RecordBatch;
use glucopipe_sdk::batch::Texts;
use glucopipe_sdk::text::{Moments, TimeForm};

use super::Table;
use super::other::{Glucose, Is, Source};
use super::text::Quoting;
use crate::Config;
use crate::options::{OutOfRange, Unit};

/// Formats readings as that package reads them.
pub(super) struct Iglu {
    glucose: Glucose,
    quoting: Quoting,
}

impl Iglu {
    /// A formatter.
    ///
    /// # Errors
    /// When the configuration is none.
    pub(super) fn new(config: &Config) -> Result<Self> {
        let mg_per_dl = Config {
            unit: Some(Unit::MgPerDl),
            ..config.clone()
        };
        // What the meter showed in mg/dL stays; the rest becomes whole numbers.
        let decimals = |from, to| (from != to).then_some(0);
        Ok(Self {
            glucose: Glucose::new(&mg_per_dl, decimals, b'\n')?,
            quoting: Quoting {
                separator: b',',
                safe: config.excel_safe.unwrap_or(false),
            },
        })
    }
}

impl Table for Iglu {
    fn begin(&mut self, _: Option<&RecordBatch>, out: &mut Vec<u8>) -> Result<()> {
        out.extend_from_slice(b"id,time,gl\n");
        Ok(())
    }

    fn rows(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<u64> {
        let source = Source::of(batch)?;
        let persons = Texts::of(batch, "person")?;
        let serials = Texts::of(batch, "device_serial")?;
        let mut times = Moments::new(source.times.clone(), TimeForm::PLAIN, ",", ",");
        let mut written = 0;
        for row in 0..batch.num_rows() {
            let unit = match source.is(row) {
                Is::Glucose(unit) => unit,
                other => {
                    self.glucose.leave_out(other.reason());
                    continue;
                }
            };
            let beyond = source.beyond(row);
            if !self.glucose.keeps(beyond) {
                continue;
            }
            let id = persons.get(row).or_else(|| serials.get(row));
            self.quoting.escape(id.unwrap_or_default(), out);
            times.append(row, out);
            if beyond.is_some() && self.glucose.out_of_range == OutOfRange::Na {
                out.extend_from_slice(b"NA\n");
            } else {
                self.glucose.append(source.values[row], unit, out);
            }
            written += 1;
        }
        Ok(written)
    }

    fn remark(&self) -> Option<String> {
        self.glucose.remark()
    }
}
