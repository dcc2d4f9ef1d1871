//! A set of readings.

use std::collections::HashSet;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;

use crate::batch::Texts;
use crate::error::Result;

/// Readings by their ids: 16 bytes each where these are UUIDs, as the host makes them.
#[derive(Default)]
pub(super) struct Ids {
    uuids: HashSet<u128>,
    others: HashSet<Vec<u8>>,
}

impl Ids {
    /// Puts the readings of a batch in.
    ///
    /// # Errors
    /// When the batch has no ids.
    pub(super) fn insert(&mut self, rows: &RecordBatch) -> Result<()> {
        let ids = Texts::of(rows, "reading_id")?;
        for row in 0..rows.num_rows() {
            self.insert_id(ids.get(row).unwrap_or_default().as_bytes());
        }
        Ok(())
    }

    /// Puts a reading in.
    pub(super) fn insert_id(&mut self, id: &[u8]) {
        match uuid(id) {
            Some(id) => self.uuids.insert(id),
            None => self.others.insert(id.to_vec()),
        };
    }

    /// Whether a reading is in.
    pub(super) fn contains(&self, id: &[u8]) -> bool {
        match uuid(id) {
            Some(id) => self.uuids.contains(&id),
            None => self.others.contains(id),
        }
    }

    /// How many are in.
    pub(super) fn len(&self) -> usize {
        self.uuids.len() + self.others.len()
    }

    /// Takes a reading out; whether it was in.
    pub(super) fn remove(&mut self, id: &[u8]) -> bool {
        match uuid(id) {
            Some(id) => self.uuids.remove(&id),
            None => self.others.remove(id),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The rows of a batch that are in, each taken out.
    ///
    /// # Errors
    /// When the batch has no ids.
    pub(super) fn only(&mut self, rows: &RecordBatch) -> Result<RecordBatch> {
        let ids = Texts::of(rows, "reading_id")?;
        let chosen: BooleanArray = (0..rows.num_rows())
            .map(|row| Some(self.remove(ids.get(row).unwrap_or_default().as_bytes())))
            .collect();
        if chosen.false_count() == 0 {
            return Ok(rows.clone());
        }
        Ok(filter_record_batch(rows, &chosen)?)
    }
}

/// The number of a UUID as it is usually written.
fn uuid(text: &[u8]) -> Option<u128> {
    if text.len() != 36 {
        return None;
    }
    let mut number = 0;
    for (index, &byte) in text.iter().enumerate() {
        match (index, byte) {
            (8 | 13 | 18 | 23, b'-') => {}
            (8 | 13 | 18 | 23, _) => return None,
            (_, b'0'..=b'9') => number = number << 4 | u128::from(byte - b'0'),
            (_, b'a'..=b'f') => number = number << 4 | u128::from(byte - b'a' + 10),
            _ => return None,
        }
    }
    Some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Form, table, texts};

    #[test]
    fn ids_of_any_kind_are_in_once() {
        let a = "01234567-89ab-5cde-8fff-000000000001";
        let b = "01234567-89ab-5cde-8fff-000000000002";
        let rows = |ids: &[&str]| {
            let cells: Vec<_> = ids.iter().map(|&id| Some(id)).collect();
            table(ids.len(), Form::Plain, &[("reading_id", texts(&cells))])
        };
        let upper = "01234567-89AB-5CDE-8FFF-000000000001";
        let mut ids = Ids::default();
        ids.insert(&rows(&[a, "mine", "", upper])).unwrap();
        assert_eq!((ids.uuids.len(), ids.others.len()), (1, 3));
        assert!(ids.remove(b"") && !ids.remove(b""));
        let only = ids.only(&rows(&[a, b, "mine", "yours", a])).unwrap();
        let left = Texts::of(&only, "reading_id").unwrap();
        assert_eq!(
            (left.get(0), left.get(1), left.len()),
            (Some(a), Some("mine"), 2)
        );
        assert!(!ids.is_empty() && ids.remove(upper.as_bytes()) && ids.is_empty());
    }
}
