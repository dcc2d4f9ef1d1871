//! What was done to meters, and whether a meter may be cleared.

use chrono::{DateTime, NaiveDateTime, Utc};
use rusqlite::params;
use serde::{Deserialize, Serialize};

use super::{Journal, record};
use crate::problem::Problem;
use crate::run::identity::reading_id;

/// Something that was done to a meter.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(tag = "what", content = "detail", rename_all = "snake_case")]
pub enum Event {
    /// Its clock was set.
    ClockSet {
        /// What it showed before, where that is known.
        before: Option<NaiveDateTime>,
        /// What it showed afterwards.
        after: NaiveDateTime,
    },
    /// Its memory was cleared.
    Erased {
        /// Records it held.
        records: u64,
    },
}

/// An event as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// When.
    pub at: DateTime<Utc>,
    /// What.
    pub event: Event,
}

impl Journal {
    /// Notes what was done to a meter.
    ///
    /// # Errors
    /// When the journal cannot be written.
    pub fn note(
        &mut self,
        driver: &str,
        serial: &str,
        at: DateTime<Utc>,
        event: &Event,
    ) -> Result<(), Problem> {
        let event = serde_json::to_value(event).unwrap_or_default();
        self.write(|transaction| {
            let meter = record::meter_key(transaction, driver, serial)?;
            transaction.execute(
                "INSERT INTO events (done_at, meter, what, detail) VALUES (?, ?, ?, ?)",
                params![
                    at.timestamp_micros(),
                    meter,
                    event["what"].as_str(),
                    event["detail"].to_string()
                ],
            )?;
            Ok(())
        })
    }

    /// What was done to a meter, oldest first.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn events(&self, driver: &str, serial: &str) -> Result<Vec<Noted>, Problem> {
        let sql = "SELECT done_at, what, detail FROM events JOIN meters USING (meter) \
                   WHERE driver = ? AND serial = ? ORDER BY event";
        let rows = self.read(|sqlite| {
            let mut statement = sqlite.prepare(sql)?;
            let rows = statement.query_map((driver, serial), |row| {
                let detail: String = row.get(2)?;
                Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?, detail))
            })?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        })?;
        // What a later version notes is not known here, and is no reason to fail.
        let noted = rows.into_iter().filter_map(|(at, what, detail)| {
            let detail: serde_json::Value = serde_json::from_str(&detail).ok()?;
            let event = serde_json::json!({ "what": what, "detail": detail });
            Some(Noted {
                at: DateTime::from_timestamp_micros(at)?,
                event: serde_json::from_value(event).ok()?,
            })
        });
        Ok(noted.collect())
    }

    /// The record keys of a meter that the journal does not hold: a meter may be cleared only when none is
    /// missing.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn missing<'k>(
        &self,
        driver: &str,
        serial: &str,
        record_keys: impl IntoIterator<Item = &'k str>,
    ) -> Result<Vec<String>, Problem> {
        let sql = "SELECT 1 FROM readings WHERE reading_id = ?";
        self.read(|sqlite| {
            let mut statement = sqlite.prepare_cached(sql)?;
            let mut missing = Vec::new();
            for key in record_keys {
                let id = reading_id(driver, serial, key).hyphenated().to_string();
                if !statement.exists([id])? {
                    missing.push(key.to_owned());
                }
            }
            Ok(missing)
        })
    }
}
