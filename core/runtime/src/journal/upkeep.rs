//! Looking after the journal: counts, checks, a copy for other programs.

use rusqlite::Connection;
use rusqlite::types::ValueRef;
use serde::Serialize;
use serde_json::{Map, Value};

use super::Journal;
use super::ledger::{SinkKey, count};
use crate::problem::Problem;
use crate::run::identity::reading_id;

/// What a journal holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Meters that were read.
    pub meters: u64,
    /// Reads, complete or not.
    pub sessions: u64,
    /// Readings.
    pub readings: u64,
    /// Contradictions under the key of a reading.
    pub conflicts: u64,
    /// Records that could not be decoded.
    pub set_aside: u64,
    /// The destinations.
    pub sinks: Vec<SinkStats>,
}

/// What a destination has answered for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SinkStats {
    /// Its number in the journal.
    pub sink: SinkKey,
    /// Its name where it was last used.
    pub name: String,
    /// The pipeline file it was last used in.
    pub pipeline: String,
    /// The exporter.
    pub exporter: String,
    /// `everything`, `new` or `revised`.
    pub wants: String,
    /// Readings it took.
    pub acknowledged: u64,
    /// Readings it refused for good.
    pub refused: u64,
    /// Readings that the transforms above it keep from it.
    pub left_out: u64,
    /// Readings of its meters that it has not answered for.
    pub pending: u64,
}

/// What a check of the journal found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Upkept {
    /// Readings that were checked.
    pub readings: u64,
    /// What is wrong, in words; empty when all is well.
    pub findings: Vec<String>,
}

/// Readings of settled sessions that a sink has not answered for, and that are not left out.
const OVERLOOKED: &str = "SELECT count(*) FROM settled JOIN readings USING (session) \
     WHERE NOT EXISTS (SELECT 1 FROM ledger WHERE ledger.sink = settled.sink \
     AND ledger.reading = readings.reading) \
     AND NOT EXISTS (SELECT 1 FROM left_out WHERE left_out.sink = settled.sink \
     AND left_out.reading = readings.reading)";
/// Most findings that are told.
const FINDINGS: usize = 100;

impl Journal {
    /// Counts what is there.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn stats(&self) -> Result<Stats, Problem> {
        self.read(|sqlite| {
            let rows = |table: &str| count(sqlite, &format!("SELECT count(*) FROM {table}"), []);
            Ok(Stats {
                meters: rows("meters")?,
                sessions: rows("sessions")?,
                readings: rows("readings")?,
                conflicts: rows("conflicts")?,
                set_aside: rows("set_aside")?,
                sinks: sinks(sqlite)?,
            })
        })
    }

    /// Checks the file alone; gives what is wrong, in words.
    ///
    /// # Errors
    /// When the journal cannot be read at all.
    pub fn check(&self) -> Result<Vec<String>, Problem> {
        self.read(integrity)
    }

    /// Checks the file, the references in it, and that every reading has the id of its record.
    ///
    /// # Errors
    /// When the journal cannot be read at all.
    pub fn verify(&self) -> Result<Upkept, Problem> {
        self.read(|sqlite| {
            let mut upkept = Upkept {
                readings: 0,
                findings: integrity(sqlite)?,
            };
            let mut statement = sqlite.prepare("PRAGMA foreign_key_check")?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let (table, parent): (String, String) = (row.get(0)?, row.get(2)?);
                let found =
                    format!("a row of `{table}` refers to a row of `{parent}` that is not there");
                upkept.findings.push(found);
                if upkept.findings.len() >= FINDINGS {
                    break;
                }
            }
            let overlooked = count(sqlite, OVERLOOKED, [])?;
            if overlooked > 0 {
                let found = format!("{overlooked} readings would never be offered to a sink again");
                upkept.findings.push(found);
            }
            check_ids(sqlite, &mut upkept)?;
            Ok(upkept)
        })
    }
}

fn integrity(sqlite: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut findings = Vec::new();
    let mut statement = sqlite.prepare("PRAGMA integrity_check")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let found: String = row.get(0)?;
        if found != "ok" {
            findings.push(found);
        }
    }
    Ok(findings)
}

fn check_ids(sqlite: &Connection, upkept: &mut Upkept) -> rusqlite::Result<()> {
    let mut statement = sqlite.prepare(
        "SELECT reading_id, meters.driver, serial, record_key FROM readings \
         JOIN sessions USING (session) JOIN meters USING (meter)",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let text = |index: usize| -> rusqlite::Result<&str> { Ok(row.get_ref(index)?.as_str()?) };
        upkept.readings += 1;
        let id = text(0)?;
        let right = reading_id(text(1)?, text(2)?, text(3)?);
        if right.hyphenated().to_string() != id && upkept.findings.len() < FINDINGS {
            let found = format!("reading {id} has not the id of its record");
            upkept.findings.push(found);
        }
    }
    Ok(())
}

fn sinks(sqlite: &Connection) -> rusqlite::Result<Vec<SinkStats>> {
    let mut statement = sqlite.prepare(
        "SELECT name, pipeline, exporter, wants, \
         (SELECT count(*) FROM ledger WHERE ledger.sink = sinks.sink), \
         (SELECT count(refused) FROM ledger WHERE ledger.sink = sinks.sink), \
         (SELECT count(*) FROM feeds JOIN sessions USING (meter) JOIN readings USING (session) \
         WHERE feeds.sink = sinks.sink AND NOT EXISTS (SELECT 1 FROM ledger \
         WHERE ledger.sink = sinks.sink AND ledger.reading = readings.reading) \
         AND NOT EXISTS (SELECT 1 FROM left_out \
         WHERE left_out.sink = sinks.sink AND left_out.reading = readings.reading)), \
         (SELECT count(*) FROM left_out WHERE left_out.sink = sinks.sink), \
         sink FROM sinks ORDER BY sink",
    )?;
    let rows = statement.query_map([], |row| {
        let number = |index| -> rusqlite::Result<u64> {
            Ok(u64::try_from(row.get::<_, i64>(index)?).unwrap_or(0))
        };
        let (answered, refused) = (number(4)?, number(5)?);
        Ok(SinkStats {
            sink: row.get(8)?,
            name: row.get(0)?,
            pipeline: row.get(1)?,
            exporter: row.get(2)?,
            wants: row.get(3)?,
            acknowledged: answered - refused,
            refused,
            left_out: number(7)?,
            pending: number(6)?,
        })
    })?;
    rows.collect()
}

/// The tables of an export, in an order in which each comes after what it refers to.
const TABLES: [&str; 11] = [
    "meters",
    "sessions",
    "sources",
    "readings",
    "conflicts",
    "set_aside",
    "sinks",
    "feeds",
    "ledger",
    "left_out",
    "events",
];

impl Journal {
    /// Gives every row as a line of JSON, `{"table": …}` with its columns; bytes are hexadecimal. Stops when
    /// `line` says false.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn export(&self, mut line: impl FnMut(&str) -> bool) -> Result<(), Problem> {
        self.read(|sqlite| {
            for table in TABLES {
                let mut statement = sqlite.prepare(&format!("SELECT * FROM {table}"))?;
                let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
                let mut rows = statement.query([])?;
                while let Some(row) = rows.next()? {
                    let mut object = Map::new();
                    object.insert("table".to_owned(), table.into());
                    for (index, name) in names.iter().enumerate() {
                        object.insert(name.clone(), json(row.get_ref(index)?));
                    }
                    if !line(&Value::from(object).to_string()) {
                        return Ok(());
                    }
                }
            }
            Ok(())
        })
    }
}

pub(super) fn json(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => number.into(),
        ValueRef::Real(number) => number.into(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into(),
        ValueRef::Blob(bytes) => {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            hex.into()
        }
    }
}
