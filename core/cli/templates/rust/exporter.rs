//! The glucopipe exporter example-name: a line for each reading, with its time, value and unit, into a file.
//!
//! It works as it stands; replace [`format`]. The file appears whole or not at all, at each run with all that
//! is known. An exporter that adds to what is there says so in `Exporter::wants`, and knows a reading again by
//! its `reading_id`.

use std::io::Write;
use std::path::PathBuf;

use glucopipe_sdk::arrow::array::{Float64Array, TimestampMicrosecondArray};
use glucopipe_sdk::batch::{Texts, typed};
use glucopipe_sdk::exporter::{CommitReport, Exporter, Sink};
use glucopipe_sdk::files::{WholeFile, check_target};
use glucopipe_sdk::stream::Batches;
use glucopipe_sdk::{Error, Op, Result, schemars::JsonSchema, serde::Deserialize};

/// The exporter.
pub struct Lines;

/// Its keys in `[sinks.NAME]`.
#[derive(Deserialize, JsonSchema)]
#[serde(crate = "glucopipe_sdk::serde", deny_unknown_fields)]
#[schemars(crate = "glucopipe_sdk::schemars")]
pub struct Config {
    /// The file to write. (Users read this line.)
    path: PathBuf,
}

impl Exporter for Lines {
    const ID: &'static str = "example-name";
    const SUMMARY: &'static str = "A line of text for each reading";
    type Config = Config;
    type Sink = Writer;

    fn open(_: &Op, config: Config) -> Result<Writer> {
        let file = Some(WholeFile::create(&config.path)?);
        Ok(Writer {
            file,
            report: CommitReport::default(),
        })
    }

    fn check(_: &Op, config: &Config) -> Result<Vec<String>> {
        check_target(&config.path)?;
        Ok(Vec::new())
    }
}

/// An open file; dropped without a commit, it is gone.
pub struct Writer {
    file: Option<WholeFile>,
    report: CommitReport,
}

impl Sink for Writer {
    fn write(&mut self, op: &Op, readings: &mut dyn Batches) -> Result<()> {
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        while let Some(batch) = readings.next_batch()? {
            op.check()?;
            // Columns go by name; where they stand may change, and new ones may come.
            let times: &TimestampMicrosecondArray = typed(&batch, "local_time")?;
            let values: &Float64Array = typed(&batch, "value")?;
            let units = Texts::of(&batch, "unit")?;
            for row in 0..batch.num_rows() {
                let unit = units.get(row).unwrap_or_default();
                let line = format(times.value(row), values.value(row), unit);
                file.write_all(line.as_bytes())
                    .map_err(|error| Error::file("cannot write the lines", &error))?;
            }
            self.report.delivered += batch.num_rows() as u64;
        }
        Ok(())
    }

    fn commit(&mut self, _: &Op) -> Result<CommitReport> {
        if let Some(file) = self.file.take() {
            self.report.bytes = file.bytes();
            self.report.targets = vec![file.target().display().to_string()];
            file.commit()?;
        }
        Ok(self.report.clone())
    }
}

/// The format, and nothing of the host: a reading in, a line out.
fn format(local_time_us: i64, value: f64, unit: &str) -> String {
    format!("{}\t{value}\t{unit}\n", local_time_us / 1_000_000)
}

glucopipe_sdk::export_plugin! {
    name: "example-name",
    drivers: [],
    exporters: [Lines],
    transforms: [],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_its_unit() {
        assert_eq!(
            format(86_400_000_000, 5.1, "mmol/L"),
            "86400\t5.1\tmmol/L\n"
        );
    }
}
