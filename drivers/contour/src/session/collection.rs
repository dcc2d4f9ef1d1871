//! The records of one transmission, in the meter's order, within bounds.

use crate::protocol::record::{ControlOrders, Order, Record};

/// Most records; meters hold about 2000.
pub(super) const RECORDS_MAX: usize = 100_000;
/// Most bytes of raw frames.
pub(super) const BYTES_MAX: usize = 64 * 1024 * 1024;

/// A record to hand out or to set aside.
#[derive(Debug)]
pub(crate) struct Kept {
    /// What was decoded.
    pub(crate) record: Record,
    /// The frame; the record alone where a frame does not hold exactly one record, because its
    /// neighbour may be a patient's.
    pub(crate) raw: Vec<u8>,
}

/// Collected records.
#[derive(Debug, Default)]
pub(crate) struct Collection {
    /// The records.
    pub(crate) kept: Vec<Kept>,
    /// Which results are control tests.
    pub(crate) orders: ControlOrders,
    bytes: usize,
}

impl Collection {
    /// Stores a record; false when it does not fit any more.
    pub(super) fn store(&mut self, record: Record, raw: Vec<u8>) -> bool {
        let bytes = self.bytes.saturating_add(raw.len());
        if self.kept.len() >= RECORDS_MAX || bytes > BYTES_MAX {
            return false;
        }
        self.bytes = bytes;
        self.kept.push(Kept { record, raw });
        true
    }

    /// Remembers an order.
    pub(super) fn order(&mut self, order: &Order) {
        self.orders.add(order);
    }
}
