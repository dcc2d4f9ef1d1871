//! Parquet, one file or a data-set folder, replaced whole at each run.
//!
//! `layout` decides names, `encode` decides types, encodings and metadata, `sink` writes.

mod encode;
#[cfg(test)]
mod fixtures;
mod layout;
mod sink;

use std::path::PathBuf;

use glucopipe_sdk::exporter::Exporter;
use glucopipe_sdk::files::check_target;
use glucopipe_sdk::schemars::JsonSchema;
use glucopipe_sdk::serde::Deserialize;
use glucopipe_sdk::{Op, Result};

use crate::layout::Layout;
use crate::sink::ParquetSink;

/// The exporter `parquet`.
pub struct Parquet;

/// Keys of a Parquet sink.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(crate = "glucopipe_sdk::serde")]
#[schemars(crate = "glucopipe_sdk::schemars")]
pub struct Config {
    /// A folder for the data set, for example `out/readings`, which gets one file `readings.parquet`;
    /// or, when it ends in `.parquet`, that single file. Files are replaced whole: readers see the
    /// earlier file or the new one, nothing between. Missing folders are made.
    #[schemars(length(min = 1))]
    pub path: PathBuf,
}

impl Exporter for Parquet {
    const ID: &'static str = "parquet";
    const SUMMARY: &'static str = "Parquet files, for DuckDB, Polars, pyarrow and Spark";

    type Config = Config;
    type Sink = ParquetSink;

    fn open(_op: &Op, config: Config) -> Result<ParquetSink> {
        sink(config)
    }

    fn check(_op: &Op, config: &Config) -> Result<Vec<String>> {
        check_target(&Layout::of(config.path.clone())?.file())?;
        Ok(Vec::new())
    }
}

/// The sink of a configuration; touches nothing.
fn sink(config: Config) -> Result<ParquetSink> {
    Ok(ParquetSink::new(Layout::of(config.path)?))
}

glucopipe_sdk::export_plugin! {
    name: "parquet",
    drivers: [],
    exporters: [Parquet],
    transforms: [],
}

#[cfg(test)]
mod tests {
    use glucopipe_sdk::testing::{TestHost, config_table};
    use glucopipe_sdk::{Status, serde_json};

    use super::*;
    use crate::fixtures::{Form, batch};

    #[test]
    fn a_path_is_enough_and_opening_writes_nothing() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("out");
        let config = serde_json::json!({ "path": path });
        sink(serde_json::from_value(config).unwrap()).unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn a_check_says_what_a_run_would_fail_with_and_writes_nothing() {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("file"), "").unwrap();
        std::fs::create_dir_all(home.path().join("set/readings.parquet")).unwrap();
        let check = |path: &str| {
            let config = serde_json::json!({ "path": home.path().join(path) });
            TestHost::new().check_exporter::<Parquet>(&config)
        };
        for path in ["out/readings", "out/all.parquet"] {
            assert_eq!(check(path).unwrap(), [""; 0]);
        }
        assert!(!home.path().join("out").exists());
        for (path, message) in [
            ("file", "is a file, expected a folder"),
            ("file/readings", "cannot write in folder"),
            ("set", "is a folder, expected a file"),
        ] {
            let error = check(path).unwrap_err();
            assert!(error.message.contains(message), "{error}");
        }
    }

    #[test]
    fn the_page_of_sinks_has_the_keys() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/sinks.md");
        let table = config_table::<Config>();
        let page = std::fs::read_to_string(page).unwrap();
        assert!(page.contains(&table), "docs/sinks.md lacks this:\n{table}");
    }

    #[test]
    fn delivers_through_its_table() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("readings.parquet");
        let host = TestHost::new();
        let config = serde_json::json!({ "path": path });
        let mut sink = host.open_exporter::<Parquet>(&config).unwrap();
        for _ in 0..2 {
            sink.write(&[batch(2, Form::Words, &[])]).unwrap();
        }
        let report = sink.commit().unwrap();
        assert_eq!(report.delivered, 4);
        assert_eq!(report.bytes, std::fs::metadata(&path).unwrap().len());
        assert_eq!(host.progress().last().unwrap().done, 4);
    }

    #[test]
    fn a_cancelled_write_or_commit_leaves_nothing() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("readings.parquet");
        let config = serde_json::json!({ "path": path });
        for questions in 0..3 {
            let host = TestHost::new();
            host.cancel_after(questions);
            let mut sink = host.open_exporter::<Parquet>(&config).unwrap();
            let written = sink.write(&[batch(2, Form::Words, &[])]);
            assert_eq!(written.is_ok(), questions == 2);
            let outcome = written.and_then(|()| sink.commit());
            assert_eq!(outcome.unwrap_err().status, Status::Cancelled);
            drop(sink);
            assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
        }
    }
}
