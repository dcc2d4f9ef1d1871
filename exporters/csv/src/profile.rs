//! The layouts of a CSV file. A further profile is a variant of [`Profile`], a sibling of the modules here
//! and a line in [`Format::of`].

mod canonical;
mod clarity;
mod glucometerutils;
mod iglu;
mod libreview;
mod other;
mod text;

use glucopipe_sdk::Result;
use glucopipe_sdk::arrow::array::RecordBatch;
use glucopipe_sdk::schema::Column;
use glucopipe_sdk::text::{Layout, RowReader, columns};

use self::canonical::{Canonical, Dialect};
use self::clarity::Clarity;
use self::glucometerutils::Glucometerutils;
use self::iglu::Iglu;
use self::libreview::Libreview;
use crate::Config;
use crate::options::{Profile, check};

/// One layout: as [`Layout`], without its name.
trait Table: Send {
    fn begin(&mut self, first: Option<&RecordBatch>, out: &mut Vec<u8>) -> Result<()>;
    fn rows(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<u64>;
    fn remark(&self) -> Option<String>;
    fn reader(&self) -> Option<Box<dyn RowReader>> {
        None
    }
}

/// A layout with its options.
pub struct Format(Box<dyn Table>);

impl Format {
    /// The layout a configuration asks for; `now` in microseconds since 1970-01-01 UTC.
    ///
    /// # Errors
    /// When keys do not go together, or a column cannot be had.
    pub(crate) fn of(config: &Config, now: i64) -> Result<Self> {
        check(config)?;
        Ok(Self(match config.profile {
            Profile::Canonical | Profile::Excel => {
                Box::new(Canonical::new(columns_of(config)?, Dialect::of(config)))
            }
            Profile::Glucometerutils => Box::new(Glucometerutils::new(config)?),
            Profile::Iglu => Box::new(Iglu::new(config)?),
            Profile::Libreview => Box::new(Libreview::new(config, now)?),
            Profile::Clarity => Box::new(Clarity::new(config)?),
        }))
    }
}

/// The columns a configuration asks for.
///
/// # Errors
/// When one cannot be had, or the mode needs another; on the key `columns`.
pub(crate) fn columns_of(config: &Config) -> Result<Vec<&'static Column>> {
    columns(config.columns.as_deref(), config.mode)
}

impl Layout for Format {
    const NAME: &'static str = "CSV";

    fn begin(&mut self, first: Option<&RecordBatch>, out: &mut Vec<u8>) -> Result<()> {
        self.0.begin(first, out)
    }

    fn rows(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<u64> {
        self.0.rows(batch, out)
    }

    fn remark(&self) -> Option<String> {
        self.0.remark()
    }

    fn reader(&self) -> Option<Box<dyn RowReader>> {
        self.0.reader()
    }
}

#[cfg(test)]
mod tests;
