//! Exporters: all or nothing becomes visible, what is taken is answered for, and looking changes nothing.

use std::ffi::CString;
use std::ptr;
use std::sync::Arc;

use arrow::array::RecordBatch;
use glucopipe_abi as abi;
use glucopipe_sdk::exporter::Wants;
use glucopipe_sdk::stream::export;
use glucopipe_sdk::testing::feed;
use glucopipe_sdk::{Error, Status};
use serde_json::Value;

use super::bench::Bench;
use super::delivery::{Cancelling, account, deliver, readings, split, unchanged, visible};
use super::raw::{Object, call};
use super::{Stop, Tested, fail, skip};
use crate::cancel::{Cancel, Reason};
use crate::host::{Lent, OpenExporter, check_exporter, exporter_wants, preview_export};
use crate::plugin::Component;

/// Calls every function of a sink with NULL as error, and closes nothing.
pub(super) fn call_silently(component: &Component, object: &Object) {
    let Some(table) = component.exporter() else {
        return;
    };
    let (sink, op) = (object.sink(), object.op());
    // SAFETY: sink and operation are alive, out-parameters zeroed; what is handed out is released once.
    unsafe {
        if let (Some(write), Ok(rows)) = (table.write, readings()) {
            let mut stream = export(feed(split(&rows)));
            write(sink, op, &raw mut stream, ptr::null_mut());
            if let Some(release) = stream.release {
                release(&raw mut stream);
            }
        }
        if let Some(commit) = table.commit {
            let mut report = abi::gp_string::EMPTY;
            commit(sink, op, &raw mut report, ptr::null_mut());
            if let Some(release) = report.release {
                release(&raw mut report);
            }
        }
    }
}

fn failed(error: Error) -> Stop {
    Stop::Fail(format!("it failed: {:?} ({})", error.status, error.message))
}

/// What a test of an exporter begins with.
struct Ready {
    component: Arc<Component>,
    config: Value,
    rows: RecordBatch,
}

fn ready(bench: &Bench<'_>) -> Result<Ready, Stop> {
    let component = bench.component()?;
    let config = bench.config(&component)?;
    let rows = readings().map_err(failed)?;
    Ok(Ready {
        component,
        config,
        rows,
    })
}

/// A delivery is whole, and its report accounts for every reading.
pub(super) fn write(bench: &mut Bench<'_>) -> Tested {
    let Ready {
        component,
        config,
        rows,
    } = ready(bench)?;
    let op = bench.operation(None);
    bench.step("delivering readings");
    let report = deliver(&component, &op, &config, rows.clone()).map_err(failed)?;
    account(bench, "a delivery", &report, rows.num_rows());
    let (delivered, left_out) = (report.delivered, report.left_out);
    bench.note(format!(
        "{delivered} delivered, {left_out} left out, {} bytes",
        report.bytes
    ));
    bench.step("delivering no readings");
    let report = deliver(&component, &op, &config, rows.slice(0, 0)).map_err(failed)?;
    account(bench, "a delivery of nothing", &report, 0);
    bench.step("delivering in two writes");
    let mut exporter = OpenExporter::open(component, op, &config).map_err(failed)?;
    for part in split(&rows) {
        exporter.write(feed([part])).map_err(failed)?;
    }
    let report = exporter
        .commit()
        .and_then(|done| done.report)
        .map_err(failed)?;
    account(
        bench,
        "a delivery in three writes",
        &report,
        rows.num_rows(),
    );
    Ok(())
}

/// A stream is released when `write` returns, whatever it returns.
pub(super) fn consumes(bench: &mut Bench<'_>) -> Tested {
    let Ready {
        component,
        config,
        rows,
    } = ready(bench)?;
    let Some(write) = component.exporter().and_then(|table| table.write) else {
        return skip("the table has no `write`");
    };
    let cases = [
        ("good", None),
        ("failing", Some(Status::Lost)),
        ("cancelled", Some(Status::Cancelled)),
    ];
    for (what, ends_with) in cases {
        bench.step(format!("writing a {what} stream"));
        let op = bench.operation(None);
        let text = CString::new(config.to_string()).unwrap_or_default();
        let (answer, object) = Object::open(&component, &op, Some(&text));
        let Some(object) = object else {
            return fail(format!("open failed: {}", answer.words()));
        };
        let mut items = split(&rows);
        items.extend(ends_with.map(|status| Err(Error::new(status, "the meter went away"))));
        let mut stream = export(feed(items));
        // SAFETY: sink and operation are alive; the exporter takes the stream over.
        let answer =
            call(|error| unsafe { write(object.sink(), object.op(), &raw mut stream, error) });
        for fault in &answer.faults {
            bench.fault(format!("writing a {what} stream: {fault}"));
        }
        if stream.release.is_some() {
            bench.fault(format!("it did not release a {what} stream"));
        }
        if ends_with.is_some() && answer.code == abi::GP_OK {
            bench.fault(format!("it took a {what} stream for a whole one"));
        }
    }
    Ok(())
}

/// Closed without a commit, nothing is visible, and what was there before is as it was.
pub(super) fn abort(bench: &mut Bench<'_>) -> Tested {
    let Ready {
        component,
        config,
        rows,
    } = ready(bench)?;
    let op = bench.operation(None);
    for time in [
        "at an empty destination",
        "where something was delivered before",
    ] {
        let before = visible(&bench.home());
        bench.step(format!("opening and closing {time}"));
        drop(OpenExporter::open(component.clone(), op.clone(), &config).map_err(failed)?);
        unchanged(bench, &before, &format!("after open and close {time}"));
        bench.step(format!("writing and closing {time}"));
        let mut exporter =
            OpenExporter::open(component.clone(), op.clone(), &config).map_err(failed)?;
        exporter.write(feed(split(&rows))).map_err(failed)?;
        unchanged(bench, &before, &format!("before the commit {time}"));
        drop(exporter);
        unchanged(bench, &before, &format!("without a commit {time}"));
        deliver(&component, &op, &config, rows.slice(0, 3)).map_err(failed)?;
    }
    Ok(())
}

/// A stream that fails is not delivered.
pub(super) fn failing(bench: &mut Bench<'_>) -> Tested {
    let Ready {
        component,
        config,
        rows,
    } = ready(bench)?;
    let op = bench.operation(None);
    let before = visible(&bench.home());
    let mut exporter = OpenExporter::open(component, op, &config).map_err(failed)?;
    let mut items = split(&rows);
    items.insert(1, Err(Error::new(Status::Lost, "the meter went away")));
    bench.step("writing a stream that fails in its middle");
    if exporter.write(feed(items)).is_ok() {
        bench.fault("it took a stream that failed for a whole one");
    }
    drop(exporter);
    unchanged(bench, &before, "after a stream that failed");
    Ok(())
}

/// Cancelled, an exporter stops, says so, and leaves nothing.
pub(super) fn cancel(bench: &mut Bench<'_>) -> Tested {
    let Ready {
        component,
        config,
        rows,
    } = ready(bench)?;
    let before = visible(&bench.home());
    for late in [false, true] {
        let cancel = Cancel::new();
        let op = bench.operation_until(None, &cancel);
        let mut exporter = OpenExporter::open(component.clone(), op, &config).map_err(failed)?;
        let flag = cancel.clone();
        if !late {
            cancel.set(Reason::Interrupted);
        }
        bench.step(if late {
            "cancelling in the middle of a write"
        } else {
            "cancelling before a write"
        });
        let source = Cancelling {
            batches: split(&rows).into_iter(),
            given: 0,
            flag,
        };
        match exporter.write(Box::new(source)) {
            Ok(()) => bench.fault("a write that was cancelled succeeded"),
            Err(error) if error.status == Status::Cancelled => {}
            Err(error) => bench.fault(format!(
                "a write that was cancelled gave {:?} ({}), expected Cancelled",
                error.status, error.message
            )),
        }
        drop(exporter);
        unchanged(bench, &before, "after a write that was cancelled");
    }
    Ok(())
}

/// What was delivered once can be delivered again, and each reading is accounted for again.
pub(super) fn again(bench: &mut Bench<'_>) -> Tested {
    let Ready {
        component,
        config,
        rows,
    } = ready(bench)?;
    let op = bench.operation(None);
    let first = deliver(&component, &op, &config, rows.slice(0, 4)).map_err(failed)?;
    account(bench, "the first delivery", &first, 4);
    bench.step("delivering what was delivered, and more");
    let second = deliver(&component, &op, &config, rows.clone()).map_err(failed)?;
    account(bench, "the second delivery", &second, rows.num_rows());
    bench.step("delivering all of it once more");
    let third = deliver(&component, &op, &config, rows.clone()).map_err(failed)?;
    account(bench, "the third delivery", &third, rows.num_rows());
    let snapshot = exporter_wants(&component, &config).map_err(failed)?;
    if snapshot == Wants::New && third.delivered > 0 {
        bench.fault(format!(
            "it asks for what is new, and delivered {} readings a second time",
            third.delivered
        ));
    }
    Ok(())
}

/// What an exporter wants does not change, and is one of the words.
pub(super) fn wants(bench: &mut Bench<'_>) -> Tested {
    let component = bench.component()?;
    let Some(wants) = component.exporter().and_then(|table| table.wants) else {
        return skip("the table has no `wants`");
    };
    let config = bench.config(&component)?;
    let text = CString::new(config.to_string()).unwrap_or_default();
    let mut answers = Vec::new();
    for _ in 0..2 {
        let mut wanted = 0;
        bench.step("asking what it wants");
        // SAFETY: the text is alive, the out-parameter ours.
        let answer = call(|error| unsafe { wants(text.as_ptr(), &raw mut wanted, error) });
        for fault in &answer.faults {
            bench.fault(format!("wants: {fault}"));
        }
        if answer.code != abi::GP_OK {
            return fail(format!("wants failed: {}", answer.words()));
        }
        answers.push(wanted);
    }
    if answers[0] != answers[1] {
        bench.fault("what it wants changed from one call to the next");
    }
    let known = [
        abi::GP_WANTS_EVERYTHING,
        abi::GP_WANTS_NEW,
        abi::GP_WANTS_REVISED,
    ];
    if !known.contains(&answers[0]) {
        bench.fault(format!(
            "it wants {}, which no host of this ABI knows",
            answers[0]
        ));
    }
    // SAFETY: a configuration may be missing, and an error need not be filled.
    if unsafe { wants(ptr::null(), &mut 0, ptr::null_mut()) } == abi::GP_OK {
        bench.fault("wants took NULL for a configuration");
    }
    Ok(())
}

/// Looking whether it could deliver changes nothing.
pub(super) fn check(bench: &mut Bench<'_>) -> Tested {
    let component = bench.component()?;
    if component
        .exporter()
        .is_none_or(|table| table.check.is_none())
    {
        return skip("the table has no `check`");
    }
    let config = bench.config(&component)?;
    let before = visible(&bench.home());
    bench.step("checking the destination");
    let op: Arc<dyn Lent> = bench.operation(None);
    match check_exporter(&component, &op, &config) {
        Ok(findings) => {
            for finding in findings.into_iter().flatten() {
                bench.note(format!("it says: {finding}"));
            }
        }
        Err(error) => return Err(failed(error)),
    }
    unchanged(bench, &before, "after a check");
    Ok(())
}

/// Saying what a delivery would do changes nothing, and accounts for every reading.
pub(super) fn preview(bench: &mut Bench<'_>) -> Tested {
    let Ready {
        component,
        config,
        rows,
    } = ready(bench)?;
    if component
        .exporter()
        .is_none_or(|table| table.preview.is_none())
    {
        return skip("the table has no `preview`");
    }
    let op = bench.operation(None);
    let lent: Arc<dyn Lent> = op.clone();
    for time in ["first", "second"] {
        let before = visible(&bench.home());
        bench.step(format!("previewing the {time} delivery"));
        let preview =
            preview_export(&component, &lent, &config, feed(split(&rows))).map_err(failed)?;
        unchanged(bench, &before, "after a preview");
        match preview {
            Some(preview) => account(bench, "a preview", &preview.report, rows.num_rows()),
            None => bench.note("it cannot say what it would do"),
        }
        deliver(&component, &op, &config, rows.clone()).map_err(failed)?;
    }
    Ok(())
}
