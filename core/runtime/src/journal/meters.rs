//! The meters that a journal knows, for people.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Journal, MeterKey};
use crate::problem::Problem;

/// A meter that was read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Meter {
    /// The driver that read it.
    pub driver: String,
    /// Its serial.
    pub serial: String,
    /// Its model, as it last said.
    pub model: String,
    /// Readings of it.
    pub readings: u64,
    /// When it was last read, microseconds UTC.
    #[serde(skip)]
    pub last_read_us: i64,
    /// Whether a source of the pipeline has read it.
    #[serde(skip)]
    pub here: bool,
    /// It in the journal.
    #[serde(skip)]
    pub meter: MeterKey,
}

/// So many of the newest readings of a session are shown to a driver: a person may have marked some with a
/// meal since, which makes them other records.
const NEWEST: u32 = 8;
/// Of so many sessions: the latest may have brought what is older, after one that was cut off.
const SESSIONS: u32 = 3;

impl Journal {
    /// By the serial of each meter of a driver: the bytes of its newest readings, hexadecimal.
    ///
    /// What the meter held below any of them is kept as well: a complete read brought them, or brought them
    /// again just as they are. A meter of which something was set aside since all of it was read last has none:
    /// what was set aside is to be looked at again.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn newest(&self, family: &str) -> Result<BTreeMap<String, Vec<String>>, Problem> {
        let sessions = "SELECT session FROM sessions WHERE meter = ?1 AND new > 0 AND session <= \
                        (SELECT max(session) FROM sessions WHERE meter = ?1 AND complete) \
                        ORDER BY session DESC LIMIT ?2";
        let newest = "SELECT lower(hex(raw)) FROM readings WHERE session = ?1 AND raw IS NOT NULL AND \
                       (EXISTS (SELECT 1 FROM sessions WHERE session = ?1 AND complete) OR \
                        (EXISTS (SELECT 1 FROM sessions WHERE session = last_session AND complete) AND \
                         NOT EXISTS (SELECT 1 FROM conflicts WHERE reading = readings.reading))) \
                      ORDER BY position DESC LIMIT ?2";
        self.read(|sqlite| {
            let mut meters = sqlite.prepare(
                "SELECT serial, meter FROM meters WHERE driver = ? AND NOT EXISTS \
                 (SELECT 1 FROM set_aside WHERE meter = meters.meter AND last_session >= \
                  (SELECT max(session) FROM sessions \
                   WHERE meter = meters.meter AND whole AND complete))",
            )?;
            let meters = meters.query_map([family], |row| Ok((row.get(0)?, row.get(1)?)))?;
            let (mut sessions, mut newest) = (sqlite.prepare(sessions)?, sqlite.prepare(newest)?);
            let mut known = BTreeMap::new();
            for meter in meters {
                let (serial, meter): (String, MeterKey) = meter?;
                let mut frames: Vec<String> = Vec::new();
                for session in sessions.query_map((meter, SESSIONS), |row| row.get(0))? {
                    let session: i64 = session?;
                    for frame in newest.query_map((session, NEWEST), |row| row.get(0))? {
                        frames.push(frame?);
                    }
                }
                if !frames.is_empty() {
                    known.insert(serial, frames);
                }
            }
            Ok(known)
        })
    }

    /// All meters by serial; `pipeline` is the file that [`Meter::here`] is about.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn meters(&self, pipeline: &str) -> Result<Vec<Meter>, Problem> {
        // With a bare column beside `max`, SQLite takes the row that has the maximum.
        let sql = "SELECT driver, serial, model, last, \
                   (SELECT count(*) FROM readings WHERE session IN \
                    (SELECT session FROM sessions WHERE meter = known.meter AND new > 0)), \
                   EXISTS (SELECT 1 FROM sources WHERE meter = known.meter AND pipeline = ?), meter \
                   FROM (SELECT meter, meters.driver, serial, model, max(read_at) AS last \
                    FROM meters JOIN sessions USING (meter) GROUP BY meter) AS known \
                   ORDER BY serial, driver";
        self.read(|sqlite| {
            let mut statement = sqlite.prepare(sql)?;
            let rows = statement.query_map([pipeline], |row| {
                Ok(Meter {
                    driver: row.get(0)?,
                    serial: row.get(1)?,
                    model: row.get::<_, Option<String>>(2)?.unwrap_or_default(),
                    last_read_us: row.get(3)?,
                    readings: u64::try_from(row.get::<_, i64>(4)?).unwrap_or(0),
                    here: row.get(5)?,
                    meter: row.get(6)?,
                })
            })?;
            rows.collect()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{home, read, session};

    /// Readings of a complete read, and of one before it; none of a read that may have left out older ones.
    #[test]
    fn the_newest_readings_are_those_below_which_nothing_is_missing() {
        let mut home = home();
        assert!(home.journal.newest("verio").unwrap().is_empty());
        let mut part = session("ABC123");
        part.complete = false;
        home.journal
            .record(&part, &read(&part, &[(5, 41)]), &[])
            .unwrap();
        assert!(home.journal.newest("verio").unwrap().is_empty());
        let whole = session("ABC123");
        let rows: Vec<(u64, u32)> = (1..=5).map(|number| (number, 41)).collect();
        home.journal
            .record(&whole, &read(&whole, &rows), &[])
            .unwrap();
        let known = home.journal.newest("verio").unwrap();
        assert_eq!(known["ABC123"].len(), 5);
        home.journal
            .record(&part, &read(&part, &[(7, 41), (9, 41)]), &[])
            .unwrap();
        assert_eq!(home.journal.newest("verio").unwrap(), known);
        // A complete read of other contents, as of a meter that was exchanged, says nothing of those before.
        home.journal
            .record(&whole, &read(&whole, &[(8, 41), (9, 42)]), &[])
            .unwrap();
        let mut known = home.journal.newest("verio").unwrap();
        known.get_mut("ABC123").unwrap().sort();
        let expected = [1, 2, 3, 4, 8].map(|counter| format!("42{counter:02x}"));
        assert_eq!(known["ABC123"], expected);
        assert!(home.journal.newest("contour").unwrap().is_empty());
    }

    #[test]
    fn meters_come_with_their_latest_word_and_all_their_readings() {
        let mut home = home();
        assert_eq!(home.journal.meters("/p.toml").unwrap(), []);
        let mut renamed = session("ABC123");
        let first = read(&renamed, &[(1, 93), (2, 250)]);
        home.journal.record(&renamed, &first, &[]).unwrap();
        renamed.read_at_us += 1;
        renamed.device.model = "Verio Flex".into();
        let second = read(&renamed, &[(2, 250), (3, 41)]);
        home.journal.record(&renamed, &second, &[]).unwrap();
        let mut elsewhere = session("AAA1");
        elsewhere.source = None;
        home.journal
            .record(&elsewhere, &read(&elsewhere, &[]), &[])
            .unwrap();

        let meters = home.journal.meters("/p.toml").unwrap();
        let shown = meters.iter().map(|one| {
            (
                one.serial.as_str(),
                one.model.as_str(),
                one.readings,
                one.last_read_us - elsewhere.read_at_us,
                one.here,
            )
        });
        let expected = [
            ("AAA1", "Verio", 0, 0, false),
            ("ABC123", "Verio Flex", 3, 1, true),
        ];
        assert_eq!(shown.collect::<Vec<_>>(), expected);
        assert!(
            home.journal
                .meters("/other.toml")
                .unwrap()
                .iter()
                .all(|one| !one.here)
        );
    }
}
