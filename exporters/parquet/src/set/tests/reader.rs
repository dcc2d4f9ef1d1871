//! A reader that knows nothing of this program: it lists a folder and reads every file in it that ends in
//! `.parquet`, with the values that folder names say.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use glucopipe_sdk::arrow::array::{RecordBatch, TimestampMicrosecondArray};
use glucopipe_sdk::batch::{Texts, typed};
use glucopipe_sdk::testing::MORNING;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::fixtures::{DAY, Row};

/// What a reader got.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// All files it had found, as readings in their order.
    Whole(Vec<Row>),
    /// A file was not there any more: it says so and starts again.
    Gone,
}

/// Lists, then reads.
pub(super) fn read(root: &Path) -> Seen {
    open(root, &list(root))
}

/// The files of a folder, hidden ones and those of hidden folders too.
pub(super) fn list(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        // A folder that vanishes while it is listed shows nothing.
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path);
            }
        }
    }
    only_data(found)
}

/// A listing that takes its time: every folder is open, and no name was read yet.
pub(super) struct Listing(Vec<(PathBuf, File)>);

impl Listing {
    /// Opens all folders.
    pub(super) fn begin(root: &Path) -> Self {
        let mut open = Vec::new();
        let mut folders = vec![root.to_path_buf()];
        while let Some(folder) = folders.pop() {
            let Ok(handle) = File::open(&folder) else {
                continue;
            };
            for entry in fs::read_dir(&folder).unwrap() {
                folders.extend(Some(entry.unwrap().path()).filter(|path| path.is_dir()));
            }
            open.push((folder, handle));
        }
        Self(open)
    }

    /// Reads the names in them, wherever the folders are by now.
    pub(super) fn end(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for (folder, handle) in &self.0 {
            for entry in rustix::fs::Dir::read_from(handle).unwrap() {
                let entry = entry.unwrap();
                found.push(folder.join(entry.file_name().to_str().unwrap()));
            }
        }
        only_data(found)
    }
}

fn only_data(mut files: Vec<PathBuf>) -> Vec<PathBuf> {
    files.retain(|path| path.extension().is_some_and(|ending| ending == "parquet"));
    files.sort();
    files
}

/// Reads files that were found before.
pub(super) fn open(root: &Path, files: &[PathBuf]) -> Seen {
    let mut rows = Vec::new();
    for path in files {
        let file = match File::open(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Seen::Gone,
            file => file.unwrap(),
        };
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("only whole files");
        for batch in reader.build().unwrap() {
            rows.extend(rows_of(&batch.unwrap(), path.strip_prefix(root).unwrap()));
        }
    }
    rows.sort();
    Seen::Whole(rows)
}

fn rows_of(batch: &RecordBatch, path: &Path) -> Vec<Row> {
    let said = |key: &str| {
        let names = path
            .iter()
            .filter_map(|name| name.to_str()?.split_once('='));
        names
            .into_iter()
            .find(|(name, _)| *name == key)
            .map(|(_, value)| value.to_owned())
    };
    let text = |key: &str, row: usize| match said(key) {
        Some(value) => (value != "__HIVE_DEFAULT_PARTITION__").then_some(value),
        None => Texts::of(batch, key).unwrap().get(row).map(str::to_owned),
    };
    let times: &TimestampMicrosecondArray = typed(batch, "local_time").unwrap();
    let row = |row| Row {
        id: text("reading_id", row).unwrap(),
        day: (times.value(row) - MORNING) / DAY,
        person: text("person", row),
        serial: text("device_serial", row).unwrap(),
    };
    (0..batch.num_rows()).map(row).collect()
}
