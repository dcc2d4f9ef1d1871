//! The function table of a transform.

use std::ffi::c_char;
use std::marker::PhantomData;
use std::mem::size_of;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use glucopipe_abi as abi;

use super::guard::{Guarded, guard, guarded_drop};
use super::{answer, parse_config};
use crate::error::{Error, Result, Status};
use crate::export::size;
use crate::op::Op;
use crate::stream::{Batches, Import, export};
use crate::transform::{Filter, Transform};

pub(crate) struct Table<T>(PhantomData<T>);

impl<T: Transform> Table<T> {
    pub(crate) const TABLE: abi::gp_transform = abi::gp_transform {
        struct_size: size(size_of::<abi::gp_transform>()),
        reserved: 0,
        open: Some(open::<T>),
        close: Some(close::<T>),
        apply: Some(apply::<T>),
    };
}

unsafe extern "C" fn open<T: Transform>(
    op: *const abi::gp_op,
    config: *const c_char,
    out: *mut *mut abi::gp_filter,
    error: *mut abi::gp_error,
) -> abi::gp_status {
    // SAFETY: the host hands a live operation, a text, and zeroed out-parameters.
    unsafe {
        let outcome = guard(|| {
            let op = Op::from_raw(op)?;
            let filter = T::open(&op, parse_config(config)?)?;
            out.write(Box::into_raw(Box::new(Guarded::new(filter))).cast());
            Ok(())
        });
        answer(error, outcome)
    }
}

unsafe extern "C" fn close<T: Transform>(filter: *mut abi::gp_filter) {
    if !filter.is_null() {
        // SAFETY: came from `open` and is closed once.
        guarded_drop(unsafe { Box::from_raw(filter.cast::<Guarded<T::Filter>>()) });
    }
}

unsafe extern "C" fn apply<T: Transform>(
    filter: *mut abi::gp_filter,
    op: *const abi::gp_op,
    readings: *mut abi::ArrowArrayStream,
    out: *mut abi::ArrowArrayStream,
    error: *mut abi::gp_error,
) -> abi::gp_status {
    // SAFETY: as for `open`; the stream is ours from here on, and filter and operation outlive `out`.
    unsafe {
        let outcome = guard(|| Import::take(readings)).and_then(|readings| {
            let op = Op::from_raw(op)?;
            let filter = filter.cast::<Guarded<T::Filter>>();
            if filter.is_null() {
                return Err(Error::new(
                    Status::InvalidArgument,
                    "no transform was given",
                ));
            }
            (*filter).healthy()?;
            out.write(export(Box::new(Applied::<T> {
                readings,
                filter,
                op,
            })));
            Ok(())
        });
        answer(error, outcome)
    }
}

/// A stream with the transform applied.
struct Applied<T: Transform> {
    readings: Import,
    filter: *mut Guarded<T::Filter>,
    op: Op,
}

// SAFETY: filter and stream carry the tag [serial]: one thread at a time.
unsafe impl<T: Transform> Send for Applied<T> {}

impl<T: Transform> Batches for Applied<T> {
    fn schema(&self) -> SchemaRef {
        self.readings.schema()
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            self.op.check()?;
            let Some(batch) = self.readings.next_batch()? else {
                return Ok(None);
            };
            // SAFETY: the filter outlives its streams, and nobody else uses it meanwhile.
            let filter = unsafe { &mut *self.filter };
            if let Some(batch) = filter.run(|filter| filter.apply(&self.op, batch))? {
                return Ok(Some(batch));
            }
        }
    }
}
