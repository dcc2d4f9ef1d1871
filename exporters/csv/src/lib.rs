//! CSV, one file, replaced whole at each run.
//!
//! `profile` makes the bytes, each layout in a module of its own; the SDK writes the file.

mod profile;

use std::path::PathBuf;

use glucopipe_sdk::exporter::Exporter;
use glucopipe_sdk::schemars::JsonSchema;
use glucopipe_sdk::serde::Deserialize;
use glucopipe_sdk::text::TextFile;
use glucopipe_sdk::{Op, Result};

use crate::profile::Format;
pub use crate::profile::{OutOfRange, Profile, Unit};

/// The exporter `csv`.
pub struct Csv;

/// Keys of a CSV sink.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(crate = "glucopipe_sdk::serde")]
#[schemars(crate = "glucopipe_sdk::schemars")]
pub struct Config {
    /// The file to write, for example `out/readings.csv`. It is replaced whole: readers see the
    /// earlier file or the new one, nothing between. Missing folders are made.
    #[schemars(length(min = 1))]
    pub path: PathBuf,

    /// The layout: `canonical` has the columns of a reading; `glucometerutils` is what that program
    /// dumps, with glucose readings only.
    #[serde(default)]
    pub profile: Profile,

    /// Profile `canonical`: the columns to write, in this order. Without it: all columns of a reading
    /// in their own order. `raw`, the bytes as the meter sent them, has no place in CSV.
    #[schemars(length(min = 1))]
    pub columns: Option<Vec<String>>,

    /// Profile `glucometerutils`: the one unit of the file. Without it: the unit of the first reading.
    /// Other readings are converted by the factor 18.
    pub unit: Option<Unit>,

    /// Profile `glucometerutils`: readings beyond the measuring range (HI, LO) are `inf` and `-inf`, or
    /// left out. Without it: `infinity`.
    pub out_of_range: Option<OutOfRange>,
}

impl Exporter for Csv {
    const ID: &'static str = "csv";
    const SUMMARY: &'static str = "one CSV file, for spreadsheets and scripts";

    type Config = Config;
    type Sink = TextFile<Format>;

    fn open(_op: &Op, config: Config) -> Result<TextFile<Format>> {
        sink(config)
    }

    fn check(_op: &Op, config: &Config) -> Result<Vec<String>> {
        sink(config.clone())?.check()?;
        Ok(Vec::new())
    }
}

/// The sink of a configuration; touches nothing.
fn sink(config: Config) -> Result<TextFile<Format>> {
    let format = Format::of(&config)?;
    TextFile::new(config.path, format)
}

glucopipe_sdk::export_plugin! {
    name: "csv",
    drivers: [],
    exporters: [Csv],
    transforms: [],
}

#[cfg(test)]
mod tests;
