//! Transforms: no reading is invented, repeated or forged, and a stream that fails fails at its other end too.

use std::ffi::CString;
use std::ptr;
use std::sync::Arc;

use arrow::array::RecordBatch;
use glucopipe_abi as abi;
use glucopipe_sdk::stream::{Batches, Import, export};
use glucopipe_sdk::testing::feed;
use glucopipe_sdk::{Error, Status};
use serde_json::Value;

use super::bench::Bench;
use super::delivery::{Cancelling, readings};
use super::raw::{Object, call};
use super::{Stop, Tested, fail, skip};
use crate::cancel::Cancel;
use crate::host::{OpenTransform, Operation};
use crate::plugin::Component;
use crate::run::apply::apply_plugin;

fn failed(error: Error) -> Stop {
    Stop::Fail(format!("it failed: {:?} ({})", error.status, error.message))
}

/// An application from open to close.
pub(super) fn apply_all(
    component: &Arc<Component>,
    op: &Arc<Operation>,
    config: &Value,
) -> Result<Vec<RecordBatch>, Error> {
    let rows = readings()?;
    let limit = rows.num_rows();
    let mut transform = OpenTransform::open(component.clone(), op.clone(), config)?;
    Ok(transform.apply(feed([Ok(rows)]), limit)?.1)
}

/// Calls every function of a transform with NULL as error, and closes nothing.
pub(super) fn call_silently(component: &Component, object: &Object) {
    let Some(apply) = component.transform().and_then(|table| table.apply) else {
        return;
    };
    let Ok(rows) = readings() else { return };
    let mut input = export(feed([Ok(rows)]));
    let mut output = abi::ArrowArrayStream::EMPTY;
    // SAFETY: transform and operation are alive, out-parameters zeroed; each stream is released once.
    unsafe {
        apply(
            object.filter(),
            object.op(),
            &raw mut input,
            &raw mut output,
            ptr::null_mut(),
        );
        for stream in [&mut output, &mut input] {
            if let Some(release) = stream.release {
                release(stream);
            }
        }
    }
}

/// Rows keep what identifies them, and are those that were given, at most.
pub(super) fn apply(bench: &mut Bench<'_>) -> Tested {
    let component = bench.component()?;
    let config = bench.config(&component)?;
    let rows = readings().map_err(failed)?;
    let once = |rows: &RecordBatch| {
        let setup = bench.setup(None, &Cancel::new());
        apply_plugin(&component, &config, rows.clone(), setup).map_err(failed)
    };
    bench.step("applying it to readings");
    let given = once(&rows)?;
    bench.note(format!(
        "of {}, {} came out",
        rows.num_rows(),
        given.num_rows()
    ));
    bench.step("applying it to no readings");
    once(&rows.slice(0, 0))?;
    for row in 0..rows.num_rows() {
        bench.step(format!("applying it to reading {row} alone"));
        once(&rows.slice(row, 1))?;
    }
    bench.step("applying it again");
    if once(&rows)? != given {
        bench.fault("the same readings came out in another way the second time");
    }
    Ok(())
}

/// An open transform with its streams, called without the host's manners.
struct Applied {
    answer: super::raw::Answer,
    output: abi::ArrowArrayStream,
    input_released: bool,
    // Declared last: streams borrow it.
    _object: Object,
}

fn apply_raw(
    bench: &Bench<'_>,
    component: &Arc<Component>,
    input: Box<dyn Batches>,
    cancel: &Cancel,
) -> Result<Applied, Stop> {
    let Some(apply) = component.transform().and_then(|table| table.apply) else {
        return skip("the table has no `apply`");
    };
    let config = bench.config(component)?;
    let text = CString::new(config.to_string()).unwrap_or_default();
    let op = bench.operation_until(None, cancel);
    let (answer, object) = Object::open(component, &op, Some(&text));
    let Some(object) = object else {
        return fail(format!("open failed: {}", answer.words()));
    };
    let mut input = export(input);
    let mut output = abi::ArrowArrayStream::EMPTY;
    // SAFETY: transform and operation are alive; the transform takes the input over.
    let answer = call(|error| unsafe {
        apply(
            object.filter(),
            object.op(),
            &raw mut input,
            &raw mut output,
            error,
        )
    });
    for fault in &answer.faults {
        bench.fault(fault);
    }
    if answer.code == abi::GP_OK && output.release.is_none() {
        bench.fault("it succeeded and gave no stream");
    }
    Ok(Applied {
        answer,
        output,
        input_released: input.release.is_none(),
        _object: object,
    })
}

/// Everything of a stream, or how it fails.
fn drain(applied: Applied) -> Result<usize, Error> {
    let Applied {
        answer,
        output,
        _object,
        ..
    } = applied;
    if answer.code != abi::GP_OK {
        return Err(Error::new(
            answer.status(),
            answer.message.unwrap_or_default(),
        ));
    }
    // SAFETY: ours now, and the transform is alive until the end of this function.
    let mut stream = unsafe { Import::new(output) }?;
    let mut rows = 0;
    while let Some(batch) = stream.next_batch()? {
        rows += batch.num_rows();
    }
    drop(stream);
    Ok(rows)
}

/// A stream is taken over, whatever it holds.
pub(super) fn consumes(bench: &mut Bench<'_>) -> Tested {
    let component = bench.component()?;
    let rows = readings().map_err(failed)?;
    let lost = || Err(Error::new(Status::Lost, "the meter went away"));
    for (what, items) in [("good", vec![Ok(rows)]), ("failing", vec![lost()])] {
        bench.step(format!("applying it to a {what} stream"));
        let applied = apply_raw(bench, &component, feed(items), &Cancel::new())?;
        if !applied.input_released {
            bench.fault(format!("it did not take a {what} stream over"));
        }
        // How it fails is another test.
        let _ = drain(applied);
    }
    Ok(())
}

/// A stream that fails comes out as one that fails.
pub(super) fn failing(bench: &mut Bench<'_>) -> Tested {
    let component = bench.component()?;
    let rows = readings().map_err(failed)?;
    let items = vec![
        Ok(rows.slice(0, 2)),
        Err(Error::new(Status::Lost, "the meter went away")),
    ];
    bench.step("applying it to a stream that fails");
    match drain(apply_raw(bench, &component, feed(items), &Cancel::new())?) {
        Ok(_) => bench.fault("a stream that failed came out as a whole one"),
        Err(error) if error.status == Status::Internal => {
            bench.fault(format!(
                "a stream that failed came out as a bug: {}",
                error.message
            ));
        }
        Err(_) => {}
    }
    Ok(())
}

/// A stream that nobody reads to its end can be released.
pub(super) fn early(bench: &mut Bench<'_>) -> Tested {
    let component = bench.component()?;
    let rows = readings().map_err(failed)?;
    for batches in 0..2 {
        bench.step(format!("releasing its stream after {batches} batches"));
        let items = vec![Ok(rows.slice(0, 2)), Ok(rows.slice(2, 2))];
        let applied = apply_raw(bench, &component, feed(items), &Cancel::new())?;
        let Applied {
            answer,
            output,
            _object,
            ..
        } = applied;
        if answer.code != abi::GP_OK {
            return fail(format!("apply failed: {}", answer.words()));
        }
        // SAFETY: ours now, and the transform is alive until the end of this block.
        let mut stream = unsafe { Import::new(output) }.map_err(failed)?;
        for _ in 0..batches {
            stream.next_batch().map_err(failed)?;
        }
        drop(stream);
    }
    Ok(())
}

/// Cancelled, a transform stops and says so.
pub(super) fn cancel(bench: &mut Bench<'_>) -> Tested {
    let component = bench.component()?;
    let rows = readings().map_err(failed)?;
    let cancel = Cancel::new();
    let items = vec![
        Ok(rows.slice(0, 2)),
        Ok(rows.slice(2, 2)),
        Ok(rows.slice(4, 2)),
    ];
    let source = Cancelling {
        batches: items.into_iter(),
        given: 0,
        flag: cancel.clone(),
    };
    bench.step("cancelling in the middle of a stream");
    match drain(apply_raw(bench, &component, Box::new(source), &cancel)?) {
        Ok(rows) => bench.fault(format!(
            "cancelled, it gave {rows} readings as if they were all"
        )),
        Err(error) if error.status == Status::Cancelled => {}
        Err(error) => bench.fault(format!(
            "cancelled, it gave {:?} ({}), expected Cancelled",
            error.status, error.message
        )),
    }
    Ok(())
}
