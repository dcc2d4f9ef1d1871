//! Giving readings back as they were taken in.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, Float64Builder, RecordBatch, StringBuilder, StringDictionaryBuilder,
    TimestampMicrosecondBuilder,
};
use arrow::datatypes::Int32Type;
use glucopipe_sdk::schema::{self, COLUMNS};
use rusqlite::Row;

use super::{Journal, MeterKey, trouble};
use crate::problem::Problem;
use crate::run::intake::{Origin, host_column};

/// A read as it is kept: the readings that were new in it, in the meter's order.
#[derive(Clone, Debug)]
pub struct Stored {
    /// What the host knew of the read.
    pub origin: Origin,
    /// The readings, in the schema of [`schema::readings`], as they were before any transform.
    pub readings: RecordBatch,
}

impl Journal {
    /// The sessions of these meters that brought something new, in their order.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn sessions(&self, meters: &[MeterKey]) -> Result<Vec<i64>, Problem> {
        let sql = "SELECT session FROM sessions WHERE meter = ? AND new > 0";
        let mut sessions = Vec::new();
        for meter in meters {
            sessions.extend(self.read(|sqlite| super::keys(sqlite, sql, [meter]))?);
        }
        sessions.sort_unstable();
        sessions.dedup();
        Ok(sessions)
    }

    /// The readings that were new in a session.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn load(&self, session: i64) -> Result<Stored, Problem> {
        let broken = |cause: String| trouble::damaged(&self.path, [cause]);
        let (origin, device) = self.read(|sqlite| {
            sqlite.query_row(
                "SELECT meters.driver, sessions.driver, read_at, clock_offset_s, device \
                 FROM sessions JOIN meters USING (meter) WHERE session = ?",
                [session],
                |row| {
                    let origin = Origin {
                        family: row.get(0)?,
                        driver: row.get(1)?,
                        read_at_us: row.get(2)?,
                        clock_offset_s: row.get(3)?,
                        device: Default::default(),
                    };
                    Ok((origin, row.get::<_, String>(4)?))
                },
            )
        })?;
        let device = serde_json::from_str(&device)
            .map_err(|_| broken("the description of a meter is no JSON".into()))?;
        let origin = Origin { device, ..origin };
        let mut builder = Builder::default();
        self.read(|sqlite| {
            let mut statement = sqlite.prepare_cached(
                "SELECT reading_id, local_time, kind, value, unit, range, range_limit, meal, reference, \
                 notes, markers, raw_value, raw_unit, record_key, raw \
                 FROM readings WHERE session = ? ORDER BY position",
            )?;
            let mut rows = statement.query([session])?;
            while let Some(row) = rows.next()? {
                builder.push(row)?;
            }
            Ok(())
        })?;
        let readings = builder
            .finish(&origin)
            .map_err(|error| broken(error.to_string()))?;
        Ok(Stored { origin, readings })
    }
}

type Words = StringDictionaryBuilder<Int32Type>;

/// Collects rows as columns.
#[derive(Default)]
struct Builder {
    reading_id: StringBuilder,
    local_time: TimestampMicrosecondBuilder,
    kind: Words,
    value: Float64Builder,
    unit: Words,
    range: Words,
    range_limit: Float64Builder,
    meal: Words,
    reference: Words,
    notes: Words,
    markers: Words,
    raw_value: StringBuilder,
    raw_unit: Words,
    record_key: StringBuilder,
    raw: BinaryBuilder,
}

impl Builder {
    fn push(&mut self, row: &Row<'_>) -> rusqlite::Result<()> {
        let text = |index: usize| -> rusqlite::Result<&str> { Ok(row.get_ref(index)?.as_str()?) };
        let maybe = |index: usize| -> rusqlite::Result<Option<&str>> {
            Ok(row.get_ref(index)?.as_str_or_null()?)
        };
        self.reading_id.append_value(text(0)?);
        self.local_time.append_value(row.get(1)?);
        self.kind.append_value(text(2)?);
        self.value.append_value(row.get(3)?);
        self.unit.append_value(text(4)?);
        self.range.append_value(text(5)?);
        self.range_limit.append_option(row.get(6)?);
        self.meal.append_option(maybe(7)?);
        self.reference.append_option(maybe(8)?);
        self.notes.append_option(maybe(9)?);
        self.markers.append_option(maybe(10)?);
        self.raw_value.append_value(text(11)?);
        self.raw_unit.append_value(text(12)?);
        self.record_key.append_value(text(13)?);
        self.raw.append_option(row.get_ref(14)?.as_blob_or_null()?);
        Ok(())
    }

    fn finish(mut self, origin: &Origin) -> Result<RecordBatch, arrow::error::ArrowError> {
        let ids: ArrayRef = Arc::new(self.reading_id.finish());
        let columns = COLUMNS
            .iter()
            .map(|column| -> ArrayRef {
                match column.name {
                    "local_time" => Arc::new(self.local_time.finish()),
                    "kind" => Arc::new(self.kind.finish()),
                    "value" => Arc::new(self.value.finish()),
                    "unit" => Arc::new(self.unit.finish()),
                    "range" => Arc::new(self.range.finish()),
                    "range_limit" => Arc::new(self.range_limit.finish()),
                    "meal" => Arc::new(self.meal.finish()),
                    "reference" => Arc::new(self.reference.finish()),
                    "notes" => Arc::new(self.notes.finish()),
                    "markers" => Arc::new(self.markers.finish()),
                    "raw_value" => Arc::new(self.raw_value.finish()),
                    "raw_unit" => Arc::new(self.raw_unit.finish()),
                    "record_key" => Arc::new(self.record_key.finish()),
                    "raw" => Arc::new(self.raw.finish()),
                    _ => host_column(column, origin, &ids),
                }
            })
            .collect();
        RecordBatch::try_new(schema::readings(), columns)
    }
}
