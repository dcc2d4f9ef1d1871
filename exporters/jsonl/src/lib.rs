//! JSON Lines, one file: replaced, added to or merged with at each run.
//!
//! `format` makes the bytes; the SDK writes the file.

mod format;

use std::path::PathBuf;

use glucopipe_sdk::exporter::{Exporter, Preview, Wants};
use glucopipe_sdk::schemars::JsonSchema;
use glucopipe_sdk::serde::Deserialize;
use glucopipe_sdk::stream::Batches;
use glucopipe_sdk::text::{Mode, TextFile, columns};
use glucopipe_sdk::{Op, Result};

use crate::format::Lines;

/// The exporter `jsonl`.
pub struct Jsonl;

/// Keys of a JSON Lines sink.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(crate = "glucopipe_sdk::serde")]
#[schemars(crate = "glucopipe_sdk::schemars")]
pub struct Config {
    /// The file to write, for example `out/readings.jsonl`, or `-` for standard output. Readers see the
    /// earlier file or the new one, nothing between. Missing folders are made.
    #[schemars(length(min = 1), extend("format" = "output-file"))]
    pub path: PathBuf,

    /// What becomes of the file that is there: `replace` writes all that is known; `append` puts new
    /// readings after it; `merge` puts readings to their place in it, each once, and keeps lines it does
    /// not know.
    #[serde(default)]
    pub mode: Mode,

    /// The columns to write, in this order. Without it: all columns of a reading in their own order.
    /// `raw`, the bytes as the meter sent them, has no place in JSON.
    #[schemars(length(min = 1))]
    pub columns: Option<Vec<String>>,
}

impl Exporter for Jsonl {
    const ID: &'static str = "jsonl";
    const SUMMARY: &'static str = "one file of JSON Lines, for scripts and jq";

    type Config = Config;
    type Sink = TextFile<Lines>;

    fn open(_op: &Op, config: Config) -> Result<TextFile<Lines>> {
        sink(config)
    }

    fn wants(config: &Config) -> Result<Wants> {
        config.mode.check(&config.path)?;
        columns(config.columns.as_deref(), config.mode)?;
        Ok(config.mode.wants())
    }

    fn check(_op: &Op, config: &Config) -> Result<Vec<String>> {
        sink(config.clone())?.check()?;
        Ok(Vec::new())
    }

    fn preview(op: &Op, config: Config, readings: &mut dyn Batches) -> Result<Option<Preview>> {
        sink(config)?.preview(op, readings).map(Some)
    }
}

/// The sink of a configuration; touches nothing.
fn sink(config: Config) -> Result<TextFile<Lines>> {
    let lines = Lines::new(&columns(config.columns.as_deref(), config.mode)?);
    TextFile::new(config.path, config.mode, lines)
}

glucopipe_sdk::export_plugin! {
    name: "jsonl",
    drivers: [],
    exporters: [Jsonl],
    transforms: [],
}

#[cfg(test)]
mod tests;
