//! One reading's whole life: what the meter sent, what contradicted it, who has it.

use chrono::{DateTime, SecondsFormat};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row};
use serde::Serialize;
use serde_json::{Map, Value};

use super::upkeep::json;
use super::{Journal, MeterKey};
use crate::problem::Problem;

/// A reading, as the journal has it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Life {
    /// Its id.
    pub reading_id: String,
    /// The frame as it came, hexadecimal.
    pub frame: Option<String>,
    /// What the driver made of it, column by column.
    pub fields: Map<String, Value>,
    /// The read that first had it.
    pub read: Read,
    /// When it was last seen in the meter, RFC 3339.
    pub last_seen_at: String,
    /// What came later under its key and says something else: the fields, and when.
    pub conflicts: Vec<Map<String, Value>>,
    /// Who is to be given it.
    pub sinks: Vec<Delivery>,
    /// The meter in the journal.
    #[serde(skip)]
    pub meter: MeterKey,
    /// The session in the journal.
    #[serde(skip)]
    pub session: i64,
}

/// A read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Read {
    /// When, RFC 3339.
    pub at: String,
    /// Place of the record in it, from 1.
    pub position: u64,
    /// `contour/0.1.0`.
    pub driver: String,
    /// How the meter was reached.
    pub transport: String,
    /// Model of the meter.
    pub model: Option<String>,
    /// Serial of the meter.
    pub serial: String,
    /// Firmware of the meter.
    pub firmware: Option<String>,
    /// Meter clock minus the computer's, seconds.
    pub clock_offset_s: Option<i64>,
}

/// What a sink has said to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Delivery {
    /// Name of the sink where it was last used.
    pub sink: String,
    /// The exporter.
    pub exporter: String,
    /// The pipeline file.
    pub pipeline: String,
    /// When it answered, RFC 3339; `None` when it has not.
    pub told_at: Option<String>,
    /// Whether the transforms above it are known to leave the reading out.
    pub left_out: bool,
    /// Why it refused it for good.
    pub refused: Option<String>,
}

/// The columns of a reading that the driver filled, without the frame.
const FIELDS: &str = "local_time, kind, value, unit, range, range_limit, meal, reference, notes, markers, \
                      raw_value, raw_unit";

impl Journal {
    /// All that is known of a reading.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn life(&self, reading_id: &str) -> Result<Option<Life>, Problem> {
        self.read(|sqlite| {
            let found = sqlite
                .query_row(
                    &format!(
                        "SELECT reading, reading_id, raw, session, position, sessions.read_at, \
                         sessions.driver, sessions.transport, sessions.model, serial, sessions.firmware, \
                         sessions.clock_offset_s, latest.read_at, meter, record_key, {FIELDS} \
                         FROM readings JOIN sessions USING (session) JOIN meters USING (meter) \
                         JOIN (SELECT session AS last, read_at FROM sessions) AS latest ON last = last_session \
                         WHERE reading_id = ?"
                    ),
                    [reading_id],
                    |row| Ok((row.get::<_, i64>(0)?, life(row)?)),
                )
                .optional()?;
            let Some((reading, mut life)) = found else {
                return Ok(None);
            };
            life.conflicts = conflicts(sqlite, reading)?;
            life.sinks = sinks(sqlite, reading, life.meter)?;
            Ok(Some(life))
        })
    }
}

fn life(row: &Row<'_>) -> rusqlite::Result<Life> {
    let frame = match json(row.get_ref(2)?) {
        Value::String(hex) => Some(hex),
        _ => None,
    };
    Ok(Life {
        reading_id: row.get(1)?,
        frame,
        fields: fields(row, 14)?,
        read: Read {
            at: moment(row.get(5)?),
            position: u64::try_from(row.get::<_, i64>(4)?).unwrap_or(0),
            driver: row.get(6)?,
            transport: row.get(7)?,
            model: row.get(8)?,
            serial: row.get(9)?,
            firmware: row.get(10)?,
            clock_offset_s: row.get(11)?,
        },
        last_seen_at: moment(row.get(12)?),
        conflicts: Vec::new(),
        sinks: Vec::new(),
        meter: row.get(13)?,
        session: row.get(3)?,
    })
}

/// The columns of a row from one on, those that are not null.
fn fields(row: &Row<'_>, from: usize) -> rusqlite::Result<Map<String, Value>> {
    let mut fields = Map::new();
    for index in from.. {
        let Ok(name) = row.as_ref().column_name(index) else {
            break;
        };
        let value = match (name, row.get_ref(index)?) {
            (_, ValueRef::Null) => continue,
            ("local_time", ValueRef::Integer(us)) => local(us).into(),
            (_, value) => json(value),
        };
        fields.insert(name.to_owned(), value);
    }
    Ok(fields)
}

fn conflicts(sqlite: &Connection, reading: i64) -> rusqlite::Result<Vec<Map<String, Value>>> {
    let mut statement = sqlite.prepare(&format!(
        "SELECT read_at, {FIELDS} FROM conflicts JOIN sessions USING (session) WHERE reading = ? \
         ORDER BY session"
    ))?;
    let rows = statement.query_map([reading], |row| {
        let mut found = fields(row, 1)?;
        found.insert("read_at".to_owned(), moment(row.get(0)?).into());
        Ok(found)
    })?;
    rows.collect()
}

fn sinks(sqlite: &Connection, reading: i64, meter: MeterKey) -> rusqlite::Result<Vec<Delivery>> {
    let mut statement = sqlite.prepare(
        "SELECT name, exporter, pipeline, told_at, refused, EXISTS \
         (SELECT 1 FROM left_out WHERE left_out.sink = sinks.sink AND reading = ?1) FROM sinks \
         LEFT JOIN ledger ON ledger.sink = sinks.sink AND reading = ?1 \
         WHERE told_at IS NOT NULL OR sinks.sink IN (SELECT sink FROM feeds WHERE meter = ?2) \
         ORDER BY sinks.sink",
    )?;
    let rows = statement.query_map((reading, meter), |row| {
        Ok(Delivery {
            sink: row.get(0)?,
            exporter: row.get(1)?,
            pipeline: row.get(2)?,
            told_at: row.get::<_, Option<i64>>(3)?.map(moment),
            refused: row.get(4)?,
            left_out: row.get(5)?,
        })
    })?;
    rows.collect()
}

fn moment(us: i64) -> String {
    let moment = DateTime::from_timestamp_micros(us).unwrap_or_default();
    moment.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

fn local(us: i64) -> String {
    let shown = DateTime::from_timestamp_micros(us).unwrap_or_default();
    shown.naive_utc().format("%Y-%m-%dT%H:%M:%S%.f").to_string()
}
