//! Merging readings into the rows of an earlier file: both in order, neither held in memory.
//!
//! A row of the file that is one of the readings is written anew, at the place that the reading has now; all others
//! stay as they are, byte by byte.
//! Equal places: first the readings, then what else the file has there.

use std::cmp::Ordering;

use arrow::array::{RecordBatch, TimestampMicrosecondArray};

use super::earlier::Earlier;
use super::ids::Ids;
use super::layout::Layout;
use super::out::Out;
use crate::batch::{Texts, typed};
use crate::error::{Error, Result, Status};

/// A merge under way.
pub(super) struct Merge {
    /// The file, at its first row that is not settled.
    earlier: Option<Earlier>,
    /// The place of the last reading.
    place: (i64, Vec<u8>),
    /// The readings that the file was not seen to have.
    offered: Ids,
    /// Those that it has, which are written anew.
    replaced: Ids,
}

impl Merge {
    /// A merge of these readings into this file, or into nothing.
    pub(super) fn new(earlier: Option<Earlier>, offered: Ids) -> Self {
        Self {
            earlier,
            place: (i64::MIN, Vec::new()),
            offered,
            replaced: Ids::default(),
        }
    }

    /// Appends readings, and the rows of the file that come before them; returns how many readings.
    ///
    /// # Errors
    /// When the file cannot be read, is not as the layout writes it, or readings come out of order; and as
    /// `tick` says.
    pub(super) fn rows<L: Layout>(
        &mut self,
        rows: &RecordBatch,
        layout: &mut L,
        out: &mut Out,
        tick: &dyn Fn() -> Result<()>,
    ) -> Result<u64> {
        let times: &TimestampMicrosecondArray = typed(rows, "local_time")?;
        let keys = Texts::of(rows, "record_key")?;
        let mut written = 0;
        // Readings are formatted in runs, as long as no row of the file comes between.
        let mut run = 0;
        for row in 0..rows.num_rows() {
            let place = (
                times.value(row),
                keys.get(row).unwrap_or_default().as_bytes(),
            );
            while self.comes_before(place) {
                if !self.is_offered() {
                    if run < row {
                        written += layout.rows(&rows.slice(run, row - run), &mut out.buffer)?;
                        run = row;
                    }
                    self.copy(out, tick)?;
                }
                self.advance()?;
            }
            self.go_to(place)?;
        }
        let rest = rows.slice(run, rows.num_rows() - run);
        Ok(written + layout.rows(&rest, &mut out.buffer)?)
    }

    /// Appends the rest of the file; returns how many of the readings it had.
    ///
    /// # Errors
    /// When the file cannot be read, or is not as the layout writes it; and as `tick` says.
    pub(super) fn finish(mut self, out: &mut Out, tick: &dyn Fn() -> Result<()>) -> Result<u64> {
        while self
            .earlier
            .as_ref()
            .is_some_and(|file| file.key().is_some())
        {
            if !self.is_offered() {
                self.copy(out, tick)?;
            }
            self.advance()?;
        }
        Ok(self.replaced.len() as u64)
    }

    /// Whether the file's row comes before that place.
    fn comes_before(&self, place: (i64, &[u8])) -> bool {
        let key = self.earlier.as_ref().and_then(Earlier::key);
        key.is_some_and(|key| key.order() < place)
    }

    /// Whether the file's row is one of the readings, wherever it stands: a transform may have moved it since.
    fn is_offered(&mut self) -> bool {
        let Some(key) = self.earlier.as_ref().and_then(Earlier::key) else {
            return false;
        };
        if self.offered.remove(&key.reading_id) {
            self.replaced.insert_id(&key.reading_id);
            return true;
        }
        self.replaced.contains(&key.reading_id)
    }

    fn copy(&self, out: &mut Out, tick: &dyn Fn() -> Result<()>) -> Result<()> {
        if let Some(file) = &self.earlier {
            out.buffer.extend_from_slice(file.row());
        }
        if out.is_full() {
            out.flush()?;
            tick()?;
        }
        Ok(())
    }

    fn advance(&mut self) -> Result<()> {
        self.earlier
            .as_mut()
            .map_or(Ok(()), Earlier::advance_in_order)
    }

    fn go_to(&mut self, place: (i64, &[u8])) -> Result<()> {
        match place.cmp(&(self.place.0, &self.place.1)) {
            Ordering::Less => {
                let message = "the readings came out of order";
                return Err(Error::new(Status::Internal, message));
            }
            Ordering::Equal => {}
            Ordering::Greater => {
                self.place.0 = place.0;
                self.place.1.clear();
                self.place.1.extend_from_slice(place.1);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
