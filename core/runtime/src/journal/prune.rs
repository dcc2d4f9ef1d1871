//! Deleting what nobody waits for any more.

use rusqlite::{Connection, params};
use serde::Serialize;

use super::Journal;
use super::ledger::count;
use crate::problem::Problem;

/// What a prune would delete, and what it leaves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Prunable {
    /// Readings that would go.
    pub readings: u64,
    /// Readings from before that time that would stay, by the reason, in words.
    pub kept: Vec<(String, u64)>,
}

/// Readings from before `?1`.
const OLD: &str = "FROM readings JOIN sessions USING (session) WHERE local_time < ?1";
/// That no sink has taken: none is to be given them, or all leave them out.
const NOBODYS: &str = "NOT EXISTS (SELECT 1 FROM ledger WHERE ledger.reading = readings.reading \
                       AND refused IS NULL)";
/// Of a meter that gave them in its latest read of everything: they would come back.
const THERE: &str = "last_session >= (SELECT max(session) FROM sessions AS latest \
                     WHERE latest.meter = sessions.meter AND latest.whole AND latest.complete)";
/// Of a meter of which no read ever came whole, so that nobody knows what it holds.
const UNKNOWN: &str = "NOT EXISTS (SELECT 1 FROM sessions AS latest \
                       WHERE latest.meter = sessions.meter AND latest.whole AND latest.complete)";
/// That a sink has not answered for, and is to be given.
const WAITING: &str = "EXISTS (SELECT 1 FROM feeds JOIN sinks USING (sink) \
                       WHERE feeds.meter = sessions.meter AND NOT EXISTS \
                       (SELECT 1 FROM ledger WHERE ledger.sink = feeds.sink \
                       AND ledger.reading = readings.reading) AND NOT EXISTS \
                       (SELECT 1 FROM left_out WHERE left_out.sink = feeds.sink \
                       AND left_out.reading = readings.reading))";
/// That a sink has refused for good, so that the journal alone has them.
const REFUSED: &str = "EXISTS (SELECT 1 FROM ledger WHERE ledger.reading = readings.reading \
                       AND refused IS NOT NULL)";
/// That a sink is written from at each run.
const SNAPSHOT: &str = "EXISTS (SELECT 1 FROM feeds JOIN sinks USING (sink) \
                        WHERE feeds.meter = sessions.meter AND wants = 'everything')";

/// Why a reading stays: each is counted under the first of these that holds.
const STAYS: [(&str, &str); 6] = [
    (WAITING, "a sink has not acknowledged them"),
    (SNAPSHOT, "a sink is written anew from them at each run"),
    (REFUSED, "a sink refused them"),
    (NOBODYS, "no sink has acknowledged them"),
    (UNKNOWN, "no complete read of their meter since"),
    (THERE, "the meter still holds them"),
];

impl Journal {
    /// What [`Journal::prune`] would delete; `before_us` is a local time in microseconds.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn prunable(&self, before_us: i64) -> Result<Prunable, Problem> {
        self.read(|sqlite| {
            let mut prunable = Prunable {
                readings: number(sqlite, &goes(), before_us)?,
                kept: Vec::new(),
            };
            let mut others = String::new();
            for (condition, reason) in STAYS {
                let readings = number(sqlite, &format!("{others}{condition}"), before_us)?;
                others.push_str(&format!("NOT {condition} AND "));
                if readings > 0 {
                    prunable.kept.push((reason.to_owned(), readings));
                }
            }
            Ok(prunable)
        })
    }

    /// Deletes readings from before a local time that every sink has taken, that no sink is written anew from,
    /// and that the meter no longer holds. What is deleted cannot be recovered from the file.
    ///
    /// # Errors
    /// When the journal cannot be written; nothing is deleted then.
    pub fn prune(&mut self, before_us: i64) -> Result<u64, Problem> {
        let deleted = self.write(|transaction| {
            let going = format!(
                "CREATE TEMP TABLE going AS SELECT reading {OLD} AND {}",
                goes()
            );
            transaction.execute(&going, params![before_us])?;
            for table in ["ledger", "left_out", "conflicts", "readings"] {
                let delete =
                    format!("DELETE FROM {table} WHERE reading IN (SELECT reading FROM going)");
                transaction.execute(&delete, [])?;
            }
            // A session without readings is still a fact; it brings nothing any more.
            transaction.execute(
                "UPDATE sessions SET new = 0 WHERE new > 0 AND NOT EXISTS \
                 (SELECT 1 FROM readings WHERE readings.session = sessions.session)",
                [],
            )?;
            let deleted = count(transaction, "SELECT count(*) FROM going", [])?;
            transaction.execute("DROP TABLE going", [])?;
            Ok(deleted)
        })?;
        if deleted > 0 {
            // Deleted rows stay in free pages, and in the log, until the file is written anew.
            let compact = "VACUUM; PRAGMA wal_checkpoint(TRUNCATE);";
            self.read(|sqlite| sqlite.execute_batch(compact))?;
        }
        Ok(deleted)
    }
}

fn goes() -> String {
    STAYS
        .map(|(condition, _)| format!("NOT {condition}"))
        .join(" AND ")
}

fn number(sqlite: &Connection, condition: &str, before_us: i64) -> rusqlite::Result<u64> {
    let sql = format!("SELECT count(*) {OLD} AND {condition}");
    count(sqlite, &sql, params![before_us])
}
