//! `readings.json`: what the columns mean, for people and programs that find the data set.
//!
//! It lies beside the folder, because readers of a folder take every file in it for data, and is the same for
//! all data sets.

use std::fs;
use std::io::Write;
use std::path::Path;

use glucopipe_sdk::Result;
use glucopipe_sdk::files::WholeFile;
use glucopipe_sdk::schema::{COLUMNS, Kind, SCHEMA_KEY, VERSION};
use glucopipe_sdk::serde_json::{self, Value, json};

/// Its name.
pub(super) const NAME: &str = "readings.json";
/// A file that is larger is none of ours.
const MOST_BYTES: u64 = 1 << 20;

/// Whether it is to be written: it is missing, or is of another version of this program.
pub(super) fn is_due(file: &Path) -> bool {
    match fs::metadata(file) {
        Err(_) => true,
        Ok(about) if !about.is_file() || about.len() > MOST_BYTES => false,
        Ok(_) => fs::read(file).is_ok_and(|text| {
            let found: Option<Value> = serde_json::from_slice(&text).ok();
            let ours = found.is_some_and(|found| found.get(SCHEMA_KEY).is_some());
            ours && text != self::text().as_bytes()
        }),
    }
}

/// Writes it, where it is due.
///
/// # Errors
/// As the disk says.
pub(super) fn write(file: &Path) -> Result<()> {
    if !is_due(file) {
        return Ok(());
    }
    let mut whole = WholeFile::create(file)?;
    let written = whole.write_all(text().as_bytes());
    written.map_err(|error| {
        glucopipe_sdk::Error::file(format!("cannot write `{}`", file.display()), &error)
    })?;
    whole.commit()
}

fn text() -> String {
    let columns: Vec<Value> = COLUMNS
        .iter()
        .map(|column| {
            let mut about = json!({
                "name": column.name,
                "type": type_of(column.kind),
                "null": column.nullable,
                "meaning": column.meaning,
            });
            if let (false, Some(about)) = (column.words.is_empty(), about.as_object_mut()) {
                about.insert("words".to_owned(), json!(column.words));
            }
            about
        })
        .collect();
    let whole = json!({
        SCHEMA_KEY: VERSION,
        "order": ["local_time", "record_key"],
        "columns": columns,
        "partitions": {
            "year": "year of `local_time`",
            "month": "month of `local_time`, 1 to 12",
            "person": "as the column",
            "device_serial": "as the column",
            "kind": "as the column",
        },
    });
    format!("{whole:#}\n")
}

fn type_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Words | Kind::Text => "string",
        Kind::Instant => "timestamp(us, UTC)",
        Kind::Civil => "timestamp(us), no zone",
        Kind::Number => "float64",
        Kind::Small => "int16",
        Kind::Integer => "int64",
        Kind::Bytes => "binary",
    }
}
