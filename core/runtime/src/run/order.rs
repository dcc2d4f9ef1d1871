//! What a sink receives: each reading once, ordered by `local_time`, then `record_key`.

use std::collections::HashSet;

use arrow::array::{RecordBatch, TimestampMicrosecondArray, UInt32Array};
use arrow::compute::{concat_batches, take_record_batch};
use glucopipe_sdk::batch::{Texts, typed};
use glucopipe_sdk::{Error, schema};

/// Readings for a sink, in order.
#[derive(Debug)]
pub struct Ordered {
    /// The readings.
    pub readings: RecordBatch,
    /// Rows left out because the reading came by another way as well.
    pub doubled: u64,
}

/// Puts batches together, drops repeated readings and sorts.
///
/// # Errors
/// Only when a batch is not of `reading/1`.
pub fn order(batches: &[RecordBatch]) -> Result<Ordered, Error> {
    let all = match batches {
        [one] => one.clone(),
        _ => concat_batches(&schema::readings(), batches)?,
    };
    let ids = Texts::of(&all, "reading_id")?;
    let keys = Texts::of(&all, "record_key")?;
    let times: &TimestampMicrosecondArray = typed(&all, "local_time")?;
    let mut seen = HashSet::with_capacity(all.num_rows());
    let rows = u32::try_from(all.num_rows()).unwrap_or(u32::MAX);
    let mut order: Vec<u32> = (0..rows)
        .filter(|&row| seen.insert(ids.get(row as usize)))
        .collect();
    let doubled = u64::from(rows) - order.len() as u64;
    let key = |row: &u32| (times.value(*row as usize), keys.get(*row as usize));
    if order.is_sorted_by_key(key) && doubled == 0 {
        return Ok(Ordered {
            readings: all,
            doubled,
        });
    }
    order.sort_by(|a, b| {
        key(a)
            .cmp(&key(b))
            .then(ids.get(*a as usize).cmp(&ids.get(*b as usize)))
    });
    let readings = take_record_batch(&all, &UInt32Array::from(order))?;
    debug_assert_eq!(ids.len(), all.num_rows());
    Ok(Ordered { readings, doubled })
}
