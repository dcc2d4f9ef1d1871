//! Merging readings into the rows of an earlier file: both in order, neither held in memory.
//!
//! A row of the file that is one of the readings is written anew; all others stay as they are, byte by byte.
//! Equal places: first the readings, then what else the file has there.

use std::cmp::Ordering;

use arrow::array::{RecordBatch, TimestampMicrosecondArray};

use super::earlier::Earlier;
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
    /// The readings of that place, and whether the file has them.
    here: Vec<(Vec<u8>, bool)>,
    replaced: u64,
}

impl Merge {
    /// A merge into this file, or into nothing.
    pub(super) fn new(earlier: Option<Earlier>) -> Self {
        Self {
            earlier,
            place: (i64::MIN, Vec::new()),
            here: Vec::new(),
            replaced: 0,
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
        let ids = Texts::of(rows, "reading_id")?;
        let mut written = 0;
        // Readings are formatted in runs, as long as no row of the file comes between.
        let mut run = 0;
        for row in 0..rows.num_rows() {
            let place = (
                times.value(row),
                keys.get(row).unwrap_or_default().as_bytes(),
            );
            while self.comes_before(place) {
                if !self.is_here() {
                    if run < row {
                        written += layout.rows(&rows.slice(run, row - run), &mut out.buffer)?;
                        run = row;
                    }
                    self.copy(out, tick)?;
                }
                self.advance()?;
            }
            self.go_to(place)?;
            self.here
                .push((ids.get(row).unwrap_or_default().into(), false));
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
            if !self.is_here() {
                self.copy(out, tick)?;
            }
            self.advance()?;
        }
        Ok(self.replaced)
    }

    /// Whether the file's row comes before that place.
    fn comes_before(&self, place: (i64, &[u8])) -> bool {
        let key = self.earlier.as_ref().and_then(Earlier::key);
        key.is_some_and(|key| key.order() < place)
    }

    /// Whether the file's row is one of the last readings, which replace it.
    fn is_here(&mut self) -> bool {
        let Some(key) = self.earlier.as_ref().and_then(Earlier::key) else {
            return false;
        };
        if key.order() != (self.place.0, &self.place.1) {
            return false;
        }
        let found = self.here.iter_mut().find(|(id, _)| *id == key.reading_id);
        let Some((_, seen)) = found else {
            return false;
        };
        self.replaced += u64::from(!std::mem::replace(seen, true));
        true
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
                self.here.clear();
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
