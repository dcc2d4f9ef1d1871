//! The function table of an exporter.

use std::ffi::c_char;
use std::marker::PhantomData;
use std::mem::size_of;

use glucopipe_abi as abi;

use super::guard::{Guarded, guard, guarded_drop};
use super::{answer, give_text, parse_config};
use crate::error::{Error, Result, Status};
use crate::export::size;
use crate::exporter::{Exporter, Sink, Wants};
use crate::op::Op;
use crate::stream::Import;

pub(crate) struct Table<E>(PhantomData<E>);

impl<E: Exporter> Table<E> {
    pub(crate) const TABLE: abi::gp_exporter = abi::gp_exporter {
        struct_size: size(size_of::<abi::gp_exporter>()),
        reserved: 0,
        open: Some(open::<E>),
        close: Some(close::<E>),
        write: Some(write::<E>),
        commit: Some(commit::<E>),
        check: Some(check::<E>),
        wants: Some(wants::<E>),
        preview: Some(preview::<E>),
    };
}

/// # Safety
/// `sink` is null or came from `open` of the same exporter.
unsafe fn opened<'a, E: Exporter>(sink: *mut abi::gp_sink) -> Result<&'a mut Guarded<E::Sink>> {
    // SAFETY: by the caller's word; calls on one sink do not overlap.
    unsafe { sink.cast::<Guarded<E::Sink>>().as_mut() }
        .ok_or_else(|| Error::new(Status::InvalidArgument, "no sink was given"))
}

unsafe extern "C" fn open<E: Exporter>(
    op: *const abi::gp_op,
    config: *const c_char,
    out: *mut *mut abi::gp_sink,
    error: *mut abi::gp_error,
) -> abi::gp_status {
    // SAFETY: the host hands a live operation, a text, and zeroed out-parameters.
    unsafe {
        let outcome = guard(|| {
            let op = Op::from_raw(op)?;
            let sink = E::open(&op, parse_config(config)?)?;
            out.write(Box::into_raw(Box::new(Guarded::new(sink))).cast());
            Ok(())
        });
        answer(error, outcome)
    }
}

unsafe extern "C" fn close<E: Exporter>(sink: *mut abi::gp_sink) {
    if !sink.is_null() {
        // SAFETY: came from `open` and is closed once.
        guarded_drop(unsafe { Box::from_raw(sink.cast::<Guarded<E::Sink>>()) });
    }
}

unsafe extern "C" fn write<E: Exporter>(
    sink: *mut abi::gp_sink,
    op: *const abi::gp_op,
    readings: *mut abi::ArrowArrayStream,
    error: *mut abi::gp_error,
) -> abi::gp_status {
    // SAFETY: as for `open`; the stream is ours from here on, on failure too.
    unsafe {
        let outcome = guard(|| Import::take(readings)).and_then(|mut readings| {
            let op = Op::from_raw(op)?;
            opened::<E>(sink)?.run(|sink| sink.write(&op, &mut readings))
        });
        answer(error, outcome)
    }
}

unsafe extern "C" fn commit<E: Exporter>(
    sink: *mut abi::gp_sink,
    op: *const abi::gp_op,
    report: *mut abi::gp_string,
    error: *mut abi::gp_error,
) -> abi::gp_status {
    // SAFETY: as for `open`.
    unsafe {
        let outcome = opened::<E>(sink).and_then(|sink| {
            let op = Op::from_raw(op)?;
            let done = sink.run(|sink| sink.commit(&op))?;
            let done = serde_json::to_string(&done)
                .map_err(|error| Error::new(Status::Internal, error.to_string()))?;
            give_text(report, &done);
            Ok(())
        });
        answer(error, outcome)
    }
}

unsafe extern "C" fn check<E: Exporter>(
    op: *const abi::gp_op,
    config: *const c_char,
    findings: *mut abi::gp_string,
    error: *mut abi::gp_error,
) -> abi::gp_status {
    // SAFETY: as for `open`.
    unsafe {
        let outcome = guard(|| {
            let op = Op::from_raw(op)?;
            let found = E::check(&op, &parse_config(config)?)?;
            let found = serde_json::to_string(&found)
                .map_err(|error| Error::new(Status::Internal, error.to_string()))?;
            give_text(findings, &found);
            Ok(())
        });
        answer(error, outcome)
    }
}

unsafe extern "C" fn wants<E: Exporter>(
    config: *const c_char,
    wants: *mut u32,
    error: *mut abi::gp_error,
) -> abi::gp_status {
    // SAFETY: as for `open`, but for the operation.
    unsafe {
        let outcome = guard(|| {
            let wanted = E::wants(&parse_config(config)?)?;
            wants.write(match wanted {
                Wants::Everything => abi::GP_WANTS_EVERYTHING,
                Wants::New => abi::GP_WANTS_NEW,
                Wants::Revised => abi::GP_WANTS_REVISED,
            });
            Ok(())
        });
        answer(error, outcome)
    }
}

unsafe extern "C" fn preview<E: Exporter>(
    op: *const abi::gp_op,
    config: *const c_char,
    readings: *mut abi::ArrowArrayStream,
    report: *mut abi::gp_string,
    error: *mut abi::gp_error,
) -> abi::gp_status {
    // SAFETY: as for `write`.
    unsafe {
        let outcome = guard(|| Import::take(readings)).and_then(|mut readings| {
            guard(|| {
                let op = Op::from_raw(op)?;
                let seen = E::preview(&op, parse_config(config)?, &mut readings)?;
                let seen = serde_json::to_string(&seen)
                    .map_err(|error| Error::new(Status::Internal, error.to_string()))?;
                give_text(report, &seen);
                Ok(())
            })
        });
        answer(error, outcome)
    }
}
