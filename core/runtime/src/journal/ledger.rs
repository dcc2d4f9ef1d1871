//! Who has received what.

use std::collections::{BTreeSet, HashMap};

use glucopipe_sdk::exporter::Wants;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use uuid::Uuid;

use super::{Journal, MeterKey};
use crate::problem::Problem;
use crate::run::way::Way;

/// A destination, as the journal knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// SHA-256 of the exporter and what says where it delivers.
    pub identity: String,
    /// The exporter.
    pub exporter: String,
    /// What it is to be given.
    pub wants: Wants,
    /// By which way, as [`Way::text`] has it; `None` where nobody asks.
    pub way: Option<String>,
    /// The pipeline file it is used in.
    pub pipeline: String,
    /// Name of the sink there.
    pub name: String,
}

/// Readings that a sink has not answered for.
#[derive(Clone, Debug, Default)]
pub struct Pending {
    /// Their keys by their ids.
    pub readings: HashMap<Uuid, i64>,
    /// The sessions they came with.
    pub sessions: BTreeSet<i64>,
}

/// What a sink answered for one reading.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The reading, by its key.
    pub reading: i64,
    /// Why, when it was refused for good.
    pub refused: Option<String>,
}

/// A sink in the journal.
pub type SinkKey = i64;

/// Marks the sessions of which a sink has answered for every reading that is not left out.
const SETTLE: &str = "INSERT INTO settled SELECT ?1, session FROM sessions \
     WHERE new > 0 AND meter IN (SELECT meter FROM feeds WHERE sink = ?1) \
     AND NOT EXISTS (SELECT 1 FROM settled WHERE sink = ?1 AND settled.session = sessions.session) \
     AND NOT EXISTS (SELECT 1 FROM readings WHERE readings.session = sessions.session \
     AND NOT EXISTS (SELECT 1 FROM ledger WHERE sink = ?1 AND ledger.reading = readings.reading) \
     AND NOT EXISTS (SELECT 1 FROM left_out WHERE sink = ?1 AND left_out.reading = readings.reading))";
/// The readings of a meter.
const OF_METER: &str = "SELECT reading FROM readings WHERE session IN \
     (SELECT session FROM sessions WHERE meter = ?2)";

impl Journal {
    /// The key of a destination, new if it was never served; notes where it was last used, whose readings it
    /// is to be given, and by which way.
    ///
    /// By another way than before, what was left out is no longer; and a destination that wants revisions has
    /// answered for none of the readings, as they are now.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn sink(
        &mut self,
        destination: &Destination,
        meters: &[MeterKey],
    ) -> Result<SinkKey, Problem> {
        let wants = match destination.wants {
            Wants::Everything => "everything",
            Wants::New => "new",
            Wants::Revised => "revised",
        };
        if let Some(sink) = self.read(|sqlite| known(sqlite, destination, wants, meters))? {
            return Ok(sink);
        }
        self.write(|transaction| {
            let sink = transaction.query_row(
                "INSERT INTO sinks (identity, exporter, wants, pipeline, name) VALUES (?, ?, ?, ?, ?) \
                 ON CONFLICT (identity) DO UPDATE SET wants = excluded.wants, \
                 pipeline = excluded.pipeline, name = excluded.name RETURNING sink",
                params![
                    destination.identity,
                    destination.exporter,
                    wants,
                    destination.pipeline,
                    destination.name
                ],
                |row| row.get(0),
            )?;
            for &meter in meters {
                feed(transaction, destination, sink, meter)?;
            }
            Ok(sink)
        })
    }

    /// The readings of these meters that a sink has not answered for; all of them when `again` is set.
    /// `since` is the earliest local time, in microseconds.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn pending(
        &self,
        sink: SinkKey,
        meters: &[MeterKey],
        again: bool,
        since: Option<i64>,
    ) -> Result<Pending, Problem> {
        let sql = "SELECT reading_id, reading, session FROM readings WHERE session IN \
                   (SELECT session FROM sessions WHERE meter = ?1 AND new > 0 AND (?3 OR NOT EXISTS \
                   (SELECT 1 FROM settled WHERE sink = ?4 AND settled.session = sessions.session))) \
                   AND coalesce(local_time >= ?2, 1) AND (?3 OR NOT EXISTS (SELECT 1 FROM ledger \
                   WHERE sink = ?4 AND ledger.reading = readings.reading)) \
                   AND (?3 OR NOT EXISTS (SELECT 1 FROM left_out \
                   WHERE sink = ?4 AND left_out.reading = readings.reading))";
        self.read(|sqlite| {
            let mut pending = Pending::default();
            let mut statement = sqlite.prepare_cached(sql)?;
            for meter in meters {
                let mut rows = statement.query(params![meter, since, again, sink])?;
                while let Some(row) = rows.next()? {
                    if let Ok(id) = Uuid::try_parse(row.get_ref(0)?.as_str()?) {
                        pending.readings.insert(id, row.get(1)?);
                    }
                    pending.sessions.insert(row.get(2)?);
                }
            }
            Ok(pending)
        })
    }

    /// Forgets a sink, with all that it has answered.
    ///
    /// # Errors
    /// When the journal cannot be written; nothing is forgotten then.
    pub fn forget(&mut self, sink: SinkKey) -> Result<(), Problem> {
        self.write(|transaction| {
            for table in ["ledger", "left_out", "settled", "feeds", "sinks"] {
                transaction.execute(&format!("DELETE FROM {table} WHERE sink = ?"), [sink])?;
            }
            Ok(())
        })
    }

    /// Notes readings that the way to a sink leaves out.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn leave_out(&mut self, sink: SinkKey, readings: &[i64]) -> Result<(), Problem> {
        if readings.is_empty() {
            return Ok(());
        }
        self.write(|transaction| {
            let mut statement = transaction.prepare_cached(
                "INSERT INTO left_out SELECT ?1, ?2 WHERE NOT EXISTS \
                 (SELECT 1 FROM ledger WHERE sink = ?1 AND reading = ?2) ON CONFLICT DO NOTHING",
            )?;
            for reading in readings {
                statement.execute((sink, reading))?;
            }
            transaction.execute(SETTLE, [sink])?;
            Ok(())
        })
    }

    /// Notes what a sink answered, in one transaction. Returns those that were refused and had not been.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn acknowledge(
        &mut self,
        sink: SinkKey,
        told_at_us: i64,
        answers: &[Answer],
    ) -> Result<Vec<i64>, Problem> {
        if answers.is_empty() {
            return Ok(Vec::new());
        }
        self.write(|transaction| {
            let mut refused = Vec::new();
            let mut statement = transaction.prepare_cached(
                "INSERT INTO ledger VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET \
                 told_at = excluded.told_at, refused = excluded.refused \
                 WHERE ledger.refused IS NOT excluded.refused",
            )?;
            for answer in answers {
                let row = params![sink, answer.reading, told_at_us, answer.refused];
                if statement.execute(row)? > 0 && answer.refused.is_some() {
                    refused.push(answer.reading);
                }
            }
            transaction.execute(SETTLE, [sink])?;
            Ok(refused)
        })
    }
}

/// Notes by which way a meter's readings come to a sink.
fn feed(
    transaction: &Transaction<'_>,
    destination: &Destination,
    sink: SinkKey,
    meter: MeterKey,
) -> rusqlite::Result<()> {
    let before = "SELECT way FROM feeds WHERE meter = ? AND sink = ?";
    let before: Option<Option<String>> = transaction
        .query_row(before, (meter, sink), |row| row.get(0))
        .optional()?;
    let way = &destination.way;
    if let Some(before) = before
        && before != *way
    {
        let drop = |sql: &str| transaction.execute(sql, (sink, meter));
        let same = |before: &String| way.as_ref().is_some_and(|way| Way::same_ids(before, way));
        if destination.wants == Wants::Revised && before.as_ref().is_some_and(same) {
            drop(&format!(
                "DELETE FROM ledger WHERE sink = ?1 AND reading IN ({OF_METER})"
            ))?;
            drop(
                "DELETE FROM settled WHERE sink = ?1 AND session IN \
                 (SELECT session FROM sessions WHERE meter = ?2)",
            )?;
        }
        drop(&format!(
            "DELETE FROM settled WHERE sink = ?1 AND session IN (SELECT session FROM readings \
             JOIN left_out USING (reading) WHERE left_out.sink = ?1 AND reading IN ({OF_METER}))"
        ))?;
        drop(&format!(
            "DELETE FROM left_out WHERE sink = ?1 AND reading IN ({OF_METER})"
        ))?;
    }
    let feed = "INSERT INTO feeds (meter, sink, way) VALUES (?, ?, ?) \
                ON CONFLICT DO UPDATE SET way = excluded.way";
    transaction.execute(feed, (meter, sink, way))?;
    Ok(())
}

/// The key of a destination of which nothing is to be noted: most runs then write nothing here.
fn known(
    sqlite: &Connection,
    destination: &Destination,
    wants: &str,
    meters: &[MeterKey],
) -> rusqlite::Result<Option<SinkKey>> {
    let sink = sqlite
        .query_row(
            "SELECT sink FROM sinks WHERE identity = ? AND wants = ? AND pipeline = ? AND name = ?",
            (
                &destination.identity,
                wants,
                &destination.pipeline,
                &destination.name,
            ),
            |row| row.get(0),
        )
        .optional()?;
    let Some(sink) = sink else { return Ok(None) };
    let feed = "SELECT 1 FROM feeds WHERE meter = ? AND sink = ? AND way IS ?";
    let mut feed = sqlite.prepare_cached(feed)?;
    for meter in meters {
        if !feed.exists((meter, sink, &destination.way))? {
            return Ok(None);
        }
    }
    Ok(Some(sink))
}

/// A number of rows.
pub(super) fn count(
    connection: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
) -> rusqlite::Result<u64> {
    let counted = connection.query_row(sql, parameters, |row| row.get::<_, i64>(0));
    Ok(u64::try_from(counted.optional()?.unwrap_or(0)).unwrap_or(0))
}
