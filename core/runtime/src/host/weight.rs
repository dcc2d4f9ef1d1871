//! How many bytes a plugin may give, which are held in memory until all are there.

use arrow::array::{Array, RecordBatch};
use glucopipe_sdk::batch::Texts;

/// Most bytes of a read, and of what a transform makes of it: far beyond any meter.
const LIMIT: usize = 1 << 30;

/// Counts the bytes of batches. Rows may share a text in a dictionary and get their own later, so that a text
/// counts with each row that has it.
#[derive(Debug, Default)]
pub(crate) struct Weight(usize);

impl Weight {
    /// Counts one batch more.
    ///
    /// # Errors
    /// When all together have too many.
    pub(crate) fn add(&mut self, batch: &RecordBatch) -> Result<(), &'static str> {
        for column in batch.columns() {
            let held = column.to_data().get_slice_memory_size();
            let held = held.unwrap_or_else(|_| column.get_array_memory_size());
            let texts = Texts::from_array(column).map_or(0, |texts| texts.bytes());
            self.0 = self.0.saturating_add(held).saturating_add(texts);
        }
        if self.0 > LIMIT {
            return Err("it gives more bytes than any meter has");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, DictionaryArray, Int32Array, StringArray};
    use arrow::datatypes::Int32Type;

    use super::*;

    /// One text that many rows share.
    fn shared(len: usize, rows: usize) -> RecordBatch {
        let values = Arc::new(StringArray::from(vec!["x".repeat(len)]));
        let keys = Int32Array::from(vec![0; rows]);
        let column: ArrayRef = Arc::new(DictionaryArray::<Int32Type>::new(keys, values));
        RecordBatch::try_from_iter([("record_key", column)]).unwrap()
    }

    #[test]
    fn a_text_that_rows_share_counts_with_each() {
        assert!(Weight::default().add(&shared(1 << 10, 1 << 10)).is_ok());
        assert!(Weight::default().add(&shared(1 << 20, 1 << 10)).is_err());
    }

    #[test]
    fn batches_count_together_and_slices_with_their_rows() {
        let batch = shared(1 << 10, 1 << 10);
        let mut weight = Weight::default();
        for row in 0..batch.num_rows() {
            weight.add(&batch.slice(row, 1)).unwrap();
        }
        let before = weight.0;
        weight.add(&batch).unwrap();
        assert!(weight.0 > before + (1 << 20), "{before} {weight:?}");
        let fails = (0..1 << 10).any(|_| weight.add(&batch).is_err());
        assert!(fails, "{weight:?}");
    }
}
