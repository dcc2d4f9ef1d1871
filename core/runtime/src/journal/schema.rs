//! The tables, and how a file of an earlier version becomes one of this version.

use rusqlite::{Connection, TransactionBehavior};

/// `gluc`: marks the file as a journal of this program.
pub(super) const APPLICATION: i32 = 0x676c_7563;

/// The steps from nothing to this version, in order. A step that was released is never changed.
const STEPS: &[&str] = &[include_str!("v1.sql"), include_str!("v2.sql")];

/// The version this program writes.
pub(super) const VERSION: i32 = {
    #[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)] // a handful
    {
        STEPS.len() as i32
    }
};

/// Why a file is not used.
#[derive(Debug)]
pub(super) enum Refusal {
    /// It belongs to another program.
    Foreign,
    /// There is nothing in it.
    Empty,
    /// A later version of this program wrote it.
    Newer(i32),
    /// SQLite says no.
    Sql(rusqlite::Error),
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

/// Brings a file to this version, whole or not at all.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), Refusal> {
    if version(connection)? == VERSION {
        return Ok(());
    }
    let step = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // Another process may have been first.
    let from = usize::try_from(version(&step)?).unwrap_or(0);
    for sql in STEPS.iter().skip(from) {
        step.execute_batch(sql)?;
    }
    step.pragma_update(None, "application_id", APPLICATION)?;
    step.pragma_update(None, "user_version", VERSION)?;
    Ok(step.commit()?)
}

/// The version of a file: 0 for an empty one.
pub(super) fn version(connection: &Connection) -> Result<i32, Refusal> {
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let (application, version) = (number("application_id")?, number("user_version")?);
    let tables = "SELECT count(*) FROM sqlite_schema";
    let empty = connection.query_row(tables, [], |row| row.get::<_, i64>(0))? == 0;
    match (application, version) {
        (0, 0) if empty => Ok(0),
        (APPLICATION, version @ 1..=VERSION) => Ok(version),
        (APPLICATION, version) if version > VERSION => Err(Refusal::Newer(version)),
        _ => Err(Refusal::Foreign),
    }
}
