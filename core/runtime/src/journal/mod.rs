//! The journal: every reading that was ever read, as the meter sent it, and who has received it.
//!
//! One SQLite file for all pipelines of a user. A read is committed to it before any sink sees it
//! ([`Journal::record`]); what a sink answered for is in its ledger ([`Journal::acknowledge`]), and the rest
//! is offered again, with or without the meter. Readings are never changed: what comes later under the key
//! of a reading and says something else is kept beside it.
//!
//! # Layout
//! - `schema` and `v1.sql` are the tables; `place` finds and protects the file; `turn` is the lock of runs.
//! - `record` writes what a read brought; `load` gives it back as it came; `ledger` knows who has what.
//! - `meters` lists them; `events` notes what was done to them; `life` tells of one reading; `upkeep` counts,
//!   checks and exports; `prune` deletes.

// A problem is made once for a step at most, so its size does not matter.
#![allow(clippy::result_large_err)]

mod events;
mod ledger;
mod life;
mod load;
mod meters;
mod place;
mod prune;
mod record;
mod schema;
#[cfg(test)]
mod testing;
mod trouble;
mod turn;
mod upkeep;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::backup::Backup;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior};

pub use self::events::{Event, Noted};
pub use self::ledger::{Answer, Destination, Pending, SinkKey};
pub use self::life::{Delivery, Life, Read};
pub use self::load::Stored;
pub use self::meters::Meter;
pub use self::place::{default_path, private_file};
pub use self::prune::Prunable;
pub use self::record::{Recorded, Session, SourceKey};
use self::schema::Refusal;
pub use self::trouble::damaged;
pub use self::turn::Turn;
pub use self::upkeep::{SinkStats, Stats, Upkept};
use crate::problem::Problem;
use crate::render::quoted;

/// How long another process may hold the file for one step.
const PATIENCE: Duration = Duration::from_secs(30);

/// A meter in the journal.
pub type MeterKey = i64;

/// An open journal.
#[derive(Debug)]
pub struct Journal {
    connection: Connection,
    /// For messages.
    path: PathBuf,
    /// The file; `None` for one in memory.
    file: Option<PathBuf>,
}

impl Journal {
    /// Opens the journal, made where missing.
    ///
    /// # Errors
    /// When it cannot be opened or made, or is not ours.
    pub fn open(path: &Path) -> Result<Self, Problem> {
        let unreachable = |error: std::io::Error| trouble::unreachable(path, &error);
        let unopened = |refusal: Refusal| trouble::unopened(path, &refusal);
        if !place::is_there(path).map_err(unreachable)? {
            place::create(path, made).map_err(|error| match error {
                place::Uncreated::File(error) => unreachable(error),
                place::Uncreated::Contents(refusal) => unopened(refusal),
            })?;
        }
        let mut connection =
            Connection::open_with_flags(path, WRITING).map_err(|error| unopened(error.into()))?;
        connection
            .busy_timeout(PATIENCE)
            .map_err(|error| unopened(error.into()))?;
        // Nothing of a file that is not ours is changed, so this comes before anything that writes.
        whole(&connection).map_err(unopened)?;
        place::restrict(path, place::FILE_MODE).map_err(unreachable)?;
        configure(&mut connection).map_err(unopened)?;
        Ok(Self {
            connection,
            path: path.to_owned(),
            file: Some(path.to_owned()),
        })
    }

    /// Opens the journal to change it, if there is one.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub fn open_existing(path: &Path) -> Result<Option<Self>, Problem> {
        match place::is_there(path) {
            Ok(true) => Self::open(path).map(Some),
            Ok(false) => Ok(None),
            Err(error) => Err(trouble::unreachable(path, &error)),
        }
    }

    /// Opens the journal to look at it, if there is one: nothing is made or changed, and it may be on a medium
    /// that cannot be written. What an earlier version wrote is read from a copy in memory.
    ///
    /// # Errors
    /// When it cannot be read, or is not ours.
    pub fn look(path: &Path) -> Result<Option<Self>, Problem> {
        let unopened = |refusal: Refusal| trouble::unopened(path, &refusal);
        if !place::is_there(path).map_err(|error| trouble::unreachable(path, &error))? {
            return Ok(None);
        }
        // Its own words are better than those of SQLite.
        File::open(path).map_err(|error| trouble::unreachable(path, &error))?;
        let writing = || -> Result<(Connection, i32), Refusal> {
            let connection = Connection::open_with_flags(path, WRITING)?;
            connection.busy_timeout(PATIENCE)?;
            // What a run left beside the file when it was killed stays there.
            connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
            let version = whole(&connection)?;
            Ok((connection, version))
        };
        let reading = || -> Result<(Connection, i32), Refusal> {
            let connection = open_untouched(path)?;
            let version = whole(&connection)?;
            Ok((connection, version))
        };
        // Readers share memory with writers in a file; where there can be none, nobody writes.
        let (connection, version) = match writing() {
            Err(Refusal::Sql(error)) if trouble::is_unwritable(&error) => reading(),
            opened => opened,
        }
        .map_err(unopened)?;
        if version < schema::VERSION {
            return Self::preview(path).map(Some);
        }
        Ok(Some(Self {
            connection,
            path: path.to_owned(),
            file: Some(path.to_owned()),
        }))
    }

    /// The version that a journal has, and the one that this program writes.
    ///
    /// # Errors
    /// When it cannot be read, or is not ours.
    pub fn versions(path: &Path) -> Result<(i32, i32), Problem> {
        let found = open_untouched(path).map_err(Refusal::Sql);
        let found = found.and_then(|connection| whole(&connection));
        let found = found.map_err(|refusal| trouble::unopened(path, &refusal))?;
        Ok((found, schema::VERSION))
    }

    /// A copy in memory, for a run that must change nothing; an empty one when there is no journal.
    ///
    /// # Errors
    /// When there is a journal that cannot be read.
    pub fn preview(path: &Path) -> Result<Self, Problem> {
        let unopened = |refusal: Refusal| trouble::unopened(path, &refusal);
        let sql = |error: rusqlite::Error| unopened(error.into());
        let mut connection = Connection::open_in_memory().map_err(sql)?;
        let unreachable = |error: std::io::Error| trouble::unreachable(path, &error);
        if place::is_there(path).map_err(unreachable)? {
            // Its own words are better than those of SQLite.
            File::open(path).map_err(|error| trouble::unreachable(path, &error))?;
            let source = open_untouched(path).map_err(sql)?;
            whole(&source).map_err(unopened)?;
            let backup = Backup::new(&source, &mut connection).map_err(sql)?;
            backup
                .run_to_completion(PAGES, Duration::ZERO, None)
                .map_err(sql)?;
        }
        configure(&mut connection).map_err(unopened)?;
        Ok(Self {
            connection,
            path: path.to_owned(),
            file: None,
        })
    }

    /// The file, as it was named.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A command on this journal, as it is to be typed.
    pub fn command(&self, what: &str) -> String {
        let own = default_path(|name| std::env::var_os(name));
        if own.as_deref() == Some(self.path.as_path()) {
            return format!("glucopipe journal {what}");
        }
        let path = quoted(&self.path.display().to_string());
        format!("glucopipe journal {what} --path {path}")
    }

    /// A file beside it; `None` for a journal in memory.
    pub fn beside(&self, name: &str) -> Option<PathBuf> {
        self.file.as_ref().map(|file| file.with_file_name(name))
    }

    /// The meter of a driver with this serial, if it was ever read.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn meter(&self, driver: &str, serial: &str) -> Result<Option<MeterKey>, Problem> {
        let sql = "SELECT meter FROM meters WHERE driver = ? AND serial = ?";
        self.read(|sqlite| {
            sqlite
                .query_row(sql, (driver, serial), |row| row.get(0))
                .optional()
        })
    }

    /// All meters with this serial, of one driver or of any.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn meters_with_serial(
        &self,
        driver: Option<&str>,
        serial: &str,
    ) -> Result<Vec<MeterKey>, Problem> {
        let sql = "SELECT meter FROM meters WHERE serial = ?1 AND coalesce(driver = ?2, 1)";
        self.read(|sqlite| keys(sqlite, sql, (serial, driver)))
    }

    /// The meters that a source of a pipeline has read, whichever device it named at the time: what was
    /// read from an earlier one is as much to be delivered.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn meters_of(&self, pipeline: &str, source: &str) -> Result<Vec<MeterKey>, Problem> {
        let sql = "SELECT DISTINCT meter FROM sources WHERE pipeline = ? AND source = ?";
        self.read(|sqlite| keys(sqlite, sql, (pipeline, source)))
    }

    /// All meters that were read over a real link, of one driver or of any, with their models.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn real_meters(&self, driver: Option<&str>) -> Result<Vec<(MeterKey, String)>, Problem> {
        let sql = "SELECT meter, max(model) FROM sessions JOIN meters USING (meter) \
                   WHERE transport NOT IN ('virtual', 'replay') AND coalesce(meters.driver = ?, 1) \
                   GROUP BY meter ORDER BY meter";
        self.read(|sqlite| {
            let mut statement = sqlite.prepare(sql)?;
            let rows = statement.query_map([driver], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect()
        })
    }

    /// Reads, with the words for a failure.
    fn read<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Problem> {
        work(&self.connection).map_err(|error| trouble::stopped(&self.path, "read", &error))
    }

    /// Writes in one transaction: all of it is durable on return, or nothing of it is there.
    fn write<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, Problem> {
        let path = &self.path;
        // A write lock from the start: a reader that becomes a writer may be refused without waiting.
        let begun = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate);
        let written = begun.and_then(|transaction| {
            let result = work(&transaction)?;
            transaction.commit()?;
            Ok(result)
        });
        written.map_err(|error| trouble::stopped(path, "write", &error))
    }
}

/// Pages copied in one step.
const PAGES: std::ffi::c_int = 1024;

/// For a connection that may write.
const WRITING: OpenFlags = OpenFlags::SQLITE_OPEN_READ_WRITE.union(OpenFlags::SQLITE_OPEN_NO_MUTEX);

/// The version of a journal that is there. It was made whole, so an empty one has lost what was in it.
fn whole(connection: &Connection) -> Result<i32, Refusal> {
    match schema::version(connection)? {
        0 => Err(Refusal::Empty),
        version => Ok(version),
    }
}

/// Fills a new file.
fn made(path: &Path) -> Result<(), Refusal> {
    let mut connection = Connection::open_with_flags(path, WRITING)?;
    schema::migrate(&mut connection)?;
    connection.close().map_err(|(_, error)| error.into())
}

fn configure(connection: &mut Connection) -> Result<(), Refusal> {
    connection.busy_timeout(PATIENCE)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // Where the file system cannot share memory, SQLite keeps another mode that is as safe.
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    schema::migrate(connection)
}

/// Opens a file for reading without leaving files beside it.
fn open_untouched(path: &Path) -> rusqlite::Result<Connection> {
    let mut beside = path.as_os_str().to_owned();
    beside.push("-wal");
    let readonly = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = if Path::new(&beside).exists() {
        // Somebody is writing, so the files beside it are there already.
        Connection::open_with_flags(path, readonly)?
    } else {
        let uri = format!("file:{}?immutable=1", percent_encoded(path));
        Connection::open_with_flags(uri, readonly | OpenFlags::SQLITE_OPEN_URI)?
    };
    connection.busy_timeout(PATIENCE)?;
    Ok(connection)
}

/// A path as it stands in a URI.
fn percent_encoded(path: &Path) -> String {
    let mut text = String::new();
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => {
                text.push(char::from(*byte));
            }
            other => text.push_str(&format!("%{other:02X}")),
        }
    }
    text
}

fn keys(
    connection: &Connection,
    sql: &str,
    parameters: impl rusqlite::Params,
) -> rusqlite::Result<Vec<i64>> {
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map(parameters, |row| row.get(0))?;
    rows.collect()
}

#[cfg(test)]
mod tests;
