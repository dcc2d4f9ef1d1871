//! CSV, one file: replaced, added to or merged with at each run.
//!
//! `options` has the words of the keys, `profile` makes the bytes, each layout in a module of its own; the
//! SDK writes the file.

mod options;
mod profile;

use std::path::PathBuf;

use glucopipe_sdk::exporter::{Exporter, Preview, Wants};
use glucopipe_sdk::op::Level;
use glucopipe_sdk::schemars::JsonSchema;
use glucopipe_sdk::serde::Deserialize;
use glucopipe_sdk::stream::Batches;
use glucopipe_sdk::text::{Mode, TextFile};
use glucopipe_sdk::{Op, Result};

pub use crate::options::{
    DateFormat, Decimal, EventType, LineEnd, OutOfRange, Profile, Separator, Times, Unit,
};
use crate::profile::Format;

/// What readers make of `event_type = "EGV"`.
const SENSOR_VALUES: &str = "`event_type = \"EGV\"` makes finger-sticks look like values of a sensor: \
                             who reads the file will take them for such";

/// The exporter `csv`.
pub struct Csv;

/// Keys of a CSV sink.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(crate = "glucopipe_sdk::serde")]
#[schemars(crate = "glucopipe_sdk::schemars")]
pub struct Config {
    /// The file to write, for example `out/readings.csv`, or `-` for standard output. Readers see the
    /// earlier file or the new one, nothing between. Missing folders are made.
    #[schemars(length(min = 1), extend("format" = "output-file"))]
    pub path: PathBuf,

    /// What becomes of the file that is there: `replace` writes all that is known; `append` puts new
    /// readings after it; `merge` puts readings to their place in it, each once, and keeps rows it does
    /// not know.
    #[serde(default)]
    pub mode: Mode,

    /// The layout: the columns of a reading (`canonical`), the same for spreadsheets (`excel`), or what
    /// other programs write and read.
    #[serde(default)]
    pub profile: Profile,

    /// `canonical`, `excel`: the columns to write, in this order. Without it: all columns of a reading in
    /// their own order. `raw`, the bytes as the meter sent them, has no place in CSV.
    #[schemars(length(min = 1))]
    pub columns: Option<Vec<String>>,

    /// Text that a spreadsheet would run as a formula gets an apostrophe in front. Without it: `true` for
    /// `canonical` and `excel`, otherwise `false`.
    pub excel_safe: Option<bool>,

    /// `excel`: what is between cells. Without it: `;` where `decimal` is `comma`, otherwise `,`.
    pub separator: Option<Separator>,

    /// `excel`: what is before the decimals of a number. Without it: `point`.
    pub decimal: Option<Decimal>,

    /// `canonical`, `excel`: what ends a line. Without it: `crlf` for `excel`, `lf` for `canonical`.
    pub line_end: Option<LineEnd>,

    /// `canonical`, `excel`: whether the file begins with a byte order mark, by which Excel knows UTF-8.
    /// Without it: `true` for `excel`, `false` for `canonical`.
    pub bom: Option<bool>,

    /// `canonical`, `excel`: `plain` is `2024-03-01 07:15:00`, without `Z` in UTC, which Excel takes for a
    /// time; `iso` is `2024-03-01T07:15:00`, which it takes for text. Without it: `iso`.
    pub times: Option<Times>,

    /// `glucometerutils`, `libreview`, `clarity`: the one unit of glucose. Without it: that of the first
    /// glucose reading.
    pub unit: Option<Unit>,

    /// `iglu`, `libreview`, `clarity`: mg/dL in one mmol/L; `18` matches programs that divide by 18. Without
    /// it: 18.01559. `glucometerutils` always has 18.
    #[schemars(extend("enum" = [18.01559, 18]))]
    pub factor: Option<f64>,

    /// What becomes of readings beyond the measuring range (HI, LO): `glucometerutils` has `infinity` or
    /// `skip`, `iglu` has `na`, `limit` or `skip`, `libreview` has `note`, `limit` or `skip`, `clarity` has
    /// `words` or `skip`. Without it: the first of these.
    pub out_of_range: Option<OutOfRange>,

    /// `glucometerutils`: whether ketones are written too, always in mmol/L. Without it: `false`.
    pub ketones: Option<bool>,

    /// `libreview`: how dates are written. Without it: `DD-MM-YYYY`.
    pub date_format: Option<DateFormat>,

    /// `clarity`: what finger-sticks are. Readers take `EGV` for values of a sensor. Without it:
    /// `calibration`.
    pub event_type: Option<EventType>,
}

impl Exporter for Csv {
    const ID: &'static str = "csv";
    const SUMMARY: &'static str = "one CSV file, for spreadsheets and scripts";

    type Config = Config;
    type Sink = TextFile<Format>;

    fn open(op: &Op, config: Config) -> Result<TextFile<Format>> {
        if config.event_type == Some(EventType::Egv) {
            op.log(Level::Warn, "", SENSOR_VALUES);
        }
        sink(op, config)
    }

    fn wants(config: &Config) -> Result<Wants> {
        options::check(config)?;
        profile::columns_of(config)?;
        Ok(config.mode.wants())
    }

    fn check(op: &Op, config: &Config) -> Result<Vec<String>> {
        sink(op, config.clone())?.check()?;
        let egv = config.event_type == Some(EventType::Egv);
        Ok(egv.then(|| SENSOR_VALUES.to_owned()).into_iter().collect())
    }

    fn preview(op: &Op, config: Config, readings: &mut dyn Batches) -> Result<Option<Preview>> {
        sink(op, config)?.preview(op, readings).map(Some)
    }
}

/// The sink of a configuration; touches nothing.
fn sink(op: &Op, config: Config) -> Result<TextFile<Format>> {
    let format = Format::of(&config, op.utc_us())?;
    TextFile::new(config.path, config.mode, format)
}

glucopipe_sdk::export_plugin! {
    name: "csv",
    drivers: [],
    exporters: [Csv],
    transforms: [],
}

#[cfg(test)]
mod tests;
