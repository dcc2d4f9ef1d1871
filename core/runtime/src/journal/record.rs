//! Writing down what a read brought.

use arrow::array::{Array, BinaryArray, Float64Array, RecordBatch, TimestampMicrosecondArray};
use glucopipe_sdk::batch::{Texts, typed};
use glucopipe_sdk::driver::{DeviceInfo, SetAside};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};

use super::{Journal, MeterKey};
use crate::problem::{Code, Problem};

/// A read, as it is kept.
#[derive(Clone, Debug)]
pub struct Session {
    /// Id of the driver: the family in a reading's identity.
    pub family: String,
    /// `contour/0.1.0`.
    pub driver: String,
    /// The meter, with its serial in the form that identifies it.
    pub device: DeviceInfo,
    /// Microseconds UTC of the read.
    pub read_at_us: i64,
    /// Meter clock minus this computer's, seconds.
    pub clock_offset_s: Option<i64>,
    /// `hid`, `scsi`, `serial`, `virtual`, `replay`.
    pub transport: String,
    /// Everything the meter holds was asked for, not only what is new.
    pub whole: bool,
    /// Everything that was asked for was read and verified.
    pub complete: bool,
    /// Why it is not complete.
    pub reasons: Vec<String>,
    /// Records the meter said it holds.
    pub expected: Option<u64>,
    /// SHA-256 of the transcript, where there is one.
    pub transcript: Option<String>,
    /// Who asked for it, where a pipeline did.
    pub source: Option<SourceKey>,
}

/// A source of a pipeline file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceKey {
    /// The file.
    pub pipeline: String,
    /// Name of the source.
    pub source: String,
    /// Its selector, empty for the one attached meter.
    pub device: String,
}

/// What became of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The session it is kept as.
    pub session: i64,
    /// The meter.
    pub meter: MeterKey,
    /// Readings that no earlier session has.
    pub new: u64,
    /// Readings that say something else than under the same key before, seen for the first time.
    pub conflicts: u64,
}

impl Journal {
    /// Commits a read: on return it is durable, whole.
    ///
    /// # Errors
    /// When it cannot be written; nothing of it is kept then.
    pub fn record(
        &mut self,
        session: &Session,
        readings: &RecordBatch,
        set_aside: &[SetAside],
    ) -> Result<Recorded, Problem> {
        let columns = Columns::of(readings).map_err(|error| {
            Problem::error(Code::INTERNAL, "a read cannot be journalled").cause(error.message)
        })?;
        self.write(|transaction| record(transaction, session, &columns, set_aside))
    }
}

fn record(
    transaction: &Transaction<'_>,
    session: &Session,
    columns: &Columns<'_>,
    set_aside: &[SetAside],
) -> rusqlite::Result<Recorded> {
    let meter = meter_key(transaction, &session.family, &session.device.serial)?;
    let number = insert_session(transaction, meter, session, columns.len())?;
    if let Some(source) = &session.source {
        transaction.execute(
            "INSERT INTO sources VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            params![source.pipeline, source.source, source.device, meter],
        )?;
    }
    let mut recorded = Recorded {
        session: number,
        meter,
        new: 0,
        conflicts: 0,
    };
    let mut writer = Writer::new(transaction)?;
    for row in 0..columns.len() {
        let reading = columns.reading(row);
        match writer.seen(&reading, number)? {
            None => {
                writer.insert(&reading, number, row)?;
                recorded.new += 1;
            }
            Some(known) if known.agrees(&reading) => {}
            Some(known) => {
                recorded.conflicts += u64::from(writer.conflict(known.key, &reading, number)?);
            }
        }
    }
    for one in set_aside {
        let position = i64::try_from(one.position).unwrap_or(i64::MAX);
        transaction.execute(
            "INSERT INTO set_aside VALUES (?1, ?2, ?2, ?3, ?4, ?5) \
             ON CONFLICT DO UPDATE SET last_session = excluded.last_session",
            params![meter, number, position, one.reason, one.raw],
        )?;
    }
    let new = "UPDATE sessions SET new = ? WHERE session = ?";
    let count = i64::try_from(recorded.new).unwrap_or(i64::MAX);
    transaction.execute(new, (count, number))?;
    Ok(recorded)
}

/// The key of a meter, new if it was never seen.
pub(super) fn meter_key(
    connection: &Connection,
    family: &str,
    serial: &str,
) -> rusqlite::Result<MeterKey> {
    let known = "SELECT meter FROM meters WHERE driver = ? AND serial = ?";
    let known = connection
        .query_row(known, (family, serial), |row| row.get(0))
        .optional()?;
    if let Some(meter) = known {
        return Ok(meter);
    }
    let new = "INSERT INTO meters (driver, serial) VALUES (?, ?)";
    connection.execute(new, (family, serial))?;
    Ok(connection.last_insert_rowid())
}

fn insert_session(
    transaction: &Transaction<'_>,
    meter: MeterKey,
    session: &Session,
    records: usize,
) -> rusqlite::Result<i64> {
    let json = |value: serde_json::Result<String>| value.unwrap_or_default();
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    transaction.execute(
        "INSERT INTO sessions (meter, read_at, driver, transport, device, clock_offset_s, whole, \
         complete, reasons, expected, records, new, transcript) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?)",
        params![
            meter,
            session.read_at_us,
            session.driver,
            session.transport,
            json(serde_json::to_string(&session.device)),
            session.clock_offset_s,
            session.whole,
            session.complete,
            json(serde_json::to_string(&session.reasons)),
            session.expected.map(number),
            number(records as u64),
            session.transcript,
        ],
    )?;
    Ok(transaction.last_insert_rowid())
}

/// The columns of a read that the driver filled, and the ids.
struct Columns<'a> {
    reading_id: Texts,
    local_time: &'a TimestampMicrosecondArray,
    kind: Texts,
    value: &'a Float64Array,
    unit: Texts,
    range: Texts,
    range_limit: &'a Float64Array,
    meal: Texts,
    reference: Texts,
    notes: Texts,
    markers: Texts,
    raw_value: Texts,
    raw_unit: Texts,
    record_key: Texts,
    raw: &'a BinaryArray,
}

impl<'a> Columns<'a> {
    fn of(batch: &'a RecordBatch) -> Result<Self, glucopipe_sdk::Error> {
        let texts = |name: &str| Texts::of(batch, name);
        Ok(Self {
            reading_id: texts("reading_id")?,
            local_time: typed(batch, "local_time")?,
            kind: texts("kind")?,
            value: typed(batch, "value")?,
            unit: texts("unit")?,
            range: texts("range")?,
            range_limit: typed(batch, "range_limit")?,
            meal: texts("meal")?,
            reference: texts("reference")?,
            notes: texts("notes")?,
            markers: texts("markers")?,
            raw_value: texts("raw_value")?,
            raw_unit: texts("raw_unit")?,
            record_key: texts("record_key")?,
            raw: typed(batch, "raw")?,
        })
    }

    fn len(&self) -> usize {
        self.value.len()
    }

    fn reading(&self, row: usize) -> Reading<'_> {
        Reading {
            reading_id: self.reading_id.get(row).unwrap_or_default(),
            local_time: self.local_time.value(row),
            kind: self.kind.get(row).unwrap_or_default(),
            value: self.value.value(row),
            unit: self.unit.get(row).unwrap_or_default(),
            range: self.range.get(row).unwrap_or_default(),
            range_limit: self
                .range_limit
                .is_valid(row)
                .then(|| self.range_limit.value(row)),
            meal: self.meal.get(row),
            reference: self.reference.get(row),
            notes: self.notes.get(row),
            markers: self.markers.get(row),
            raw_value: self.raw_value.get(row).unwrap_or_default(),
            raw_unit: self.raw_unit.get(row).unwrap_or_default(),
            record_key: self.record_key.get(row).unwrap_or_default(),
            raw: self.raw.is_valid(row).then(|| self.raw.value(row)),
        }
    }
}

/// One reading of a read.
struct Reading<'a> {
    reading_id: &'a str,
    local_time: i64,
    kind: &'a str,
    value: f64,
    unit: &'a str,
    range: &'a str,
    range_limit: Option<f64>,
    meal: Option<&'a str>,
    reference: Option<&'a str>,
    notes: Option<&'a str>,
    markers: Option<&'a str>,
    raw_value: &'a str,
    raw_unit: &'a str,
    record_key: &'a str,
    raw: Option<&'a [u8]>,
}

/// What the journal has under a key: the part that the meter itself said. The frame is not of it, because it
/// may hold the position; nor is what a later driver may word in another way.
struct Known {
    key: i64,
    local_time: i64,
    kind: String,
    value: f64,
    unit: String,
    range: String,
    markers: Option<String>,
    raw_value: String,
    raw_unit: String,
}

impl Known {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            key: row.get(0)?,
            local_time: row.get(1)?,
            kind: row.get(2)?,
            value: row.get(3)?,
            unit: row.get(4)?,
            range: row.get(5)?,
            markers: row.get(6)?,
            raw_value: row.get(7)?,
            raw_unit: row.get(8)?,
        })
    }

    #[allow(clippy::float_cmp)] // the same bytes decode to the same number
    fn agrees(&self, reading: &Reading<'_>) -> bool {
        self.local_time == reading.local_time
            && self.kind == reading.kind
            && self.value == reading.value
            && self.unit == reading.unit
            && self.range == reading.range
            && self.markers.as_deref() == reading.markers
            && self.raw_value == reading.raw_value
            && self.raw_unit == reading.raw_unit
    }
}

/// The statements that run once for a reading.
struct Writer<'t> {
    seen: rusqlite::CachedStatement<'t>,
    insert: rusqlite::CachedStatement<'t>,
    conflict: rusqlite::CachedStatement<'t>,
}

impl<'t> Writer<'t> {
    fn new(transaction: &'t Transaction<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            seen: transaction.prepare_cached(
                "UPDATE readings SET last_session = ? WHERE reading_id = ? RETURNING reading, \
                 local_time, kind, value, unit, range, markers, raw_value, raw_unit",
            )?,
            insert: transaction.prepare_cached(
                "INSERT INTO readings (reading_id, session, position, last_session, local_time, kind, \
                 value, unit, range, range_limit, meal, reference, notes, markers, raw_value, raw_unit, \
                 record_key, raw) \
                 VALUES (?1, ?2, ?3, ?2, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)",
            )?,
            conflict: transaction.prepare_cached(
                "INSERT INTO conflicts SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15 \
                 WHERE NOT EXISTS (SELECT 1 FROM conflicts WHERE reading = ?1 AND local_time = ?3 \
                 AND kind = ?4 AND value = ?5 AND unit = ?6 AND range = ?7 AND markers IS ?12 \
                 AND raw_value = ?13 AND raw_unit = ?14)",
            )?,
        })
    }

    /// Notes that a reading was seen again; `None` when it is new.
    fn seen(&mut self, reading: &Reading<'_>, session: i64) -> rusqlite::Result<Option<Known>> {
        self.seen
            .query_row((session, reading.reading_id), Known::from_row)
            .optional()
    }

    fn insert(&mut self, reading: &Reading<'_>, session: i64, row: usize) -> rusqlite::Result<()> {
        let position = i64::try_from(row + 1).unwrap_or(i64::MAX);
        self.insert.execute(params![
            reading.reading_id,
            session,
            position,
            reading.local_time,
            reading.kind,
            reading.value,
            reading.unit,
            reading.range,
            reading.range_limit,
            reading.meal,
            reading.reference,
            reading.notes,
            reading.markers,
            reading.raw_value,
            reading.raw_unit,
            reading.record_key,
            reading.raw,
        ])?;
        Ok(())
    }

    /// Keeps what contradicts a reading; true when it is the first time.
    fn conflict(
        &mut self,
        key: i64,
        reading: &Reading<'_>,
        session: i64,
    ) -> rusqlite::Result<bool> {
        let kept = self.conflict.execute(params![
            key,
            session,
            reading.local_time,
            reading.kind,
            reading.value,
            reading.unit,
            reading.range,
            reading.range_limit,
            reading.meal,
            reading.reference,
            reading.notes,
            reading.markers,
            reading.raw_value,
            reading.raw_unit,
            reading.raw,
        ])?;
        Ok(kept > 0)
    }
}
