//! Which readings a file has.

use std::collections::HashSet;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;

use crate::batch::Texts;
use crate::error::Result;

/// The readings that a file has: 16 bytes each where ids are UUIDs, as the host makes them.
#[derive(Default)]
pub(super) struct Known {
    uuids: HashSet<u128>,
    others: HashSet<Vec<u8>>,
}

impl Known {
    /// Whether it was new.
    pub(super) fn insert(&mut self, id: &[u8]) -> bool {
        match uuid(id) {
            Some(id) => self.uuids.insert(id),
            None => self.others.insert(id.to_vec()),
        }
    }

    /// The rows that are not there; from now on they are.
    ///
    /// # Errors
    /// When the batch has no ids.
    pub(super) fn without(&mut self, rows: &RecordBatch) -> Result<RecordBatch> {
        let ids = Texts::of(rows, "reading_id")?;
        let new: BooleanArray = (0..rows.num_rows())
            .map(|row| Some(self.insert(ids.get(row).unwrap_or_default().as_bytes())))
            .collect();
        if new.false_count() == 0 {
            return Ok(rows.clone());
        }
        Ok(filter_record_batch(rows, &new)?)
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
    fn ids_of_any_kind_are_known_once() {
        let a = "01234567-89ab-5cde-8fff-000000000001";
        let b = "01234567-89ab-5cde-8fff-000000000002";
        let mut known = Known::default();
        for id in [a, "mine", "", "01234567-89AB-5CDE-8FFF-000000000001"] {
            assert!(known.insert(id.as_bytes()), "{id}");
            assert!(!known.insert(id.as_bytes()), "{id}");
        }
        assert_eq!(known.uuids.len(), 1);
        let ids = texts(&[Some(a), Some(b), Some("mine"), Some("yours")]);
        let rows = table(4, Form::Plain, &[("reading_id", ids)]);
        let new = known.without(&rows).unwrap();
        let ids = Texts::of(&new, "reading_id").unwrap();
        assert_eq!(
            (ids.get(0), ids.get(1), ids.len()),
            (Some(b), Some("yours"), 2)
        );
        assert_eq!(known.without(&rows).unwrap().num_rows(), 0);
    }
}
