//! Parquet: one file that is replaced whole at each run, or a data set that grows.
//!
//! `layout` decides which of the two, `partition` the folder of a reading, `encode` types, encodings and
//! metadata; `file` and `set` write.

mod encode;
mod file;
#[cfg(test)]
mod fixtures;
mod layout;
mod partition;
mod set;
mod sink;

use std::path::PathBuf;

use glucopipe_sdk::exporter::{Exporter, Preview, Wants};
use glucopipe_sdk::files::check_target;
use glucopipe_sdk::schemars::JsonSchema;
use glucopipe_sdk::serde::Deserialize;
use glucopipe_sdk::stream::Batches;
use glucopipe_sdk::{Op, Result};

use crate::layout::Layout;
pub use crate::partition::Key;
pub use crate::sink::ParquetSink;

/// The exporter `parquet`.
pub struct Parquet;

/// Keys of a Parquet sink.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(crate = "glucopipe_sdk::serde")]
#[schemars(crate = "glucopipe_sdk::schemars", extend("x-merges" = "compact"))]
pub struct Config {
    /// A folder for the data set, for example `out/readings`: each run adds files with what is new. Or,
    /// when it ends in `.parquet`, a single file, which is replaced whole: readers see the earlier file or
    /// the new one, nothing between. Missing folders are made.
    #[schemars(length(min = 1))]
    pub path: PathBuf,

    /// Data set: the folders in it, from the outside in, named as Hive names them: `year=2024`. `year` and
    /// `month` are those of `local_time`. It cannot be changed for a data set that has files.
    #[serde(default)]
    pub partition_by: Vec<Key>,

    /// Data set: merge the small files of each partition at the end of a run, as `glucopipe compact` does.
    #[serde(default)]
    pub compact: bool,
}

impl Exporter for Parquet {
    const ID: &'static str = "parquet";
    const SUMMARY: &'static str = "Parquet files, for DuckDB, Polars, pyarrow and Spark";

    type Config = Config;
    type Sink = ParquetSink;

    fn open(_op: &Op, config: Config) -> Result<ParquetSink> {
        let layout = Layout::of(&config)?;
        layout.look()?;
        Ok(ParquetSink::new(layout))
    }

    fn wants(config: &Config) -> Result<Wants> {
        Ok(match Layout::of(config)? {
            Layout::File(_) => Wants::Everything,
            Layout::DataSet(_) => Wants::New,
        })
    }

    fn check(_op: &Op, config: &Config) -> Result<Vec<String>> {
        let layout = Layout::of(config)?;
        layout.look()?;
        match &layout {
            Layout::File(file) => check_target(file)?,
            Layout::DataSet(set) => set::check(set)?,
        }
        Ok(Vec::new())
    }

    fn preview(op: &Op, config: Config, readings: &mut dyn Batches) -> Result<Option<Preview>> {
        let layout = Layout::of(&config)?;
        layout.look()?;
        match &layout {
            Layout::File(file) => file::preview(op, file, readings),
            Layout::DataSet(set) => set::preview(op, set, readings),
        }
        .map(Some)
    }
}

glucopipe_sdk::export_plugin! {
    name: "parquet",
    drivers: [],
    exporters: [Parquet],
    transforms: [],
}

#[cfg(test)]
mod tests;
