//! Exporters: all or nothing becomes visible, what is taken is answered for, and looking changes nothing.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::Arc;

use arrow::array::RecordBatch;
use chrono::{Duration, NaiveDate};
use glucopipe_abi as abi;
use glucopipe_sdk::exporter::CommitReport;
use glucopipe_sdk::reading::{
    Amount, CarbUnit, Concentration, Identity, Measurement, MgPerDl, MmolPerL, Ranged, Reading,
    Verbatim,
};
use glucopipe_sdk::stream::{Batches, export};
use glucopipe_sdk::testing::{batch, feed};
use glucopipe_sdk::{Error, Status};
use serde_json::Value;

use super::bench::Bench;
use super::raw::{Object, call};
use super::{Stop, Tested, fail, skip};
use crate::cancel::{Cancel, Reason};
use crate::host::{OpenExporter, Operation, check_exporter, exporter_wants, preview_export};
use crate::plugin::Component;

/// Readings of every kind, in order.
pub(super) fn readings() -> Result<RecordBatch, Error> {
    let mg = |value| MgPerDl::new(value).map(Concentration::MgPerDl);
    let mmol = |value| MmolPerL::new(value).map(Concentration::MmolPerL);
    let measured = [
        (
            mg(93.0).map(|value| Measurement::Glucose(Ranged::In(value))),
            "93",
            "mg/dL",
        ),
        (
            mmol(5.2).map(|value| Measurement::Glucose(Ranged::In(value))),
            "5.2",
            "mmol/L",
        ),
        (
            mg(600.0).map(|value| Measurement::Glucose(Ranged::Above(value))),
            "HI",
            "mg/dL",
        ),
        (
            mg(20.0).map(|value| Measurement::Glucose(Ranged::Below(value))),
            "LO",
            "mg/dL",
        ),
        (
            mg(110.0).map(|value| Measurement::Control(Ranged::In(value))),
            "110",
            "mg/dL",
        ),
        (
            MmolPerL::new(0.4).map(|value| Measurement::Ketone(Ranged::In(value))),
            "0.4",
            "mmol/L",
        ),
        (Amount::new(4.5).map(Measurement::Insulin), "45", "[iU]"),
        (
            Amount::new(30.0).map(|value| Measurement::Carbs(value, CarbUnit::Grams)),
            "30",
            "g",
        ),
    ];
    let start = NaiveDate::from_ymd_opt(2026, 12, 31).and_then(|day| day.and_hms_opt(22, 30, 0));
    let start = start.ok_or_else(|| Error::new(Status::Internal, "there is no such day"))?;
    let mut readings = Vec::new();
    for (number, (measurement, raw, unit)) in (1u32..).zip(measured) {
        let Some(measurement) = measurement else {
            continue;
        };
        let time = start + Duration::minutes(i64::from(number) * 30);
        let raw_time = time.format("%Y%m%d%H%M").to_string();
        let sent = Verbatim {
            time: &raw_time,
            value: raw,
            unit,
        };
        let mut reading = Reading::new(time, measurement, sent, Identity::Counter(number.into()));
        reading.raw = Some(vec![0, 0xff, b'"', b'\n']);
        readings.push(reading);
    }
    batch(&readings)
}

/// The readings as two batches with an empty one between.
fn split(rows: &RecordBatch) -> Vec<Result<RecordBatch, Error>> {
    let half = rows.num_rows() / 2;
    vec![
        Ok(rows.slice(0, half)),
        Ok(rows.slice(0, 0)),
        Ok(rows.slice(half, rows.num_rows() - half)),
    ]
}

/// A delivery from open to commit.
pub(super) fn deliver(
    component: &Arc<Component>,
    op: &Arc<Operation>,
    config: &Value,
    rows: RecordBatch,
) -> Result<CommitReport, Error> {
    let mut exporter = OpenExporter::open(component.clone(), op.clone(), config)?;
    exporter.write(feed(split(&rows)))?;
    exporter.commit()?.report
}

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

/// Whether a report accounts for every reading.
fn account(bench: &Bench<'_>, what: &str, report: &CommitReport, rows: usize) {
    let answered = report.delivered
        + report.already_there
        + report.rejected
        + report.left_out
        + report.pending.len() as u64;
    if answered != rows as u64 {
        bench.fault(format!(
            "{what}: the report accounts for {answered} of {rows} readings"
        ));
    }
    if report.rejected != report.refused.len() as u64 {
        bench.fault(format!("{what}: `rejected` is not the number of `refused`"));
    }
    if !report.pending.is_empty() && report.problem.is_none() {
        bench.fault(format!(
            "{what}: readings are pending, and the report does not say why"
        ));
    }
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

/// Everything below a folder that its owner would see: names that do not begin with a dot, and bytes.
fn visible(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(next).into_iter().flatten().flatten() {
            let path = entry.path();
            if entry.file_name().to_string_lossy().starts_with('.') {
                continue;
            }
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                open.push(path);
            } else {
                let bytes = std::fs::read(&path).unwrap_or_default();
                found.insert(path, bytes);
            }
        }
    }
    found
}

/// Reports files that came, went or changed.
fn unchanged(bench: &Bench<'_>, before: &BTreeMap<PathBuf, Vec<u8>>, when: &str) {
    let home = bench.home();
    let after = visible(&home);
    for (path, bytes) in &after {
        let name = path.strip_prefix(&home).unwrap_or(path).display();
        match before.get(path) {
            None => bench.fault(format!("{when}, the file `{name}` is there")),
            Some(old) if old != bytes => {
                bench.fault(format!("{when}, the file `{name}` is another one"))
            }
            Some(_) => {}
        }
    }
    for path in before.keys().filter(|path| !after.contains_key(*path)) {
        let name = path.strip_prefix(&home).unwrap_or(path).display();
        bench.fault(format!("{when}, the file `{name}` is gone"));
    }
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

/// Batches of an operation that is cancelled once the first is out, as the host gives them.
pub(super) struct Cancelling {
    pub(super) batches: std::vec::IntoIter<Result<RecordBatch, Error>>,
    pub(super) given: u32,
    pub(super) flag: Cancel,
}

impl Batches for Cancelling {
    fn schema(&self) -> arrow::datatypes::SchemaRef {
        glucopipe_sdk::schema::readings()
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, Error> {
        if self.given > 0 {
            self.flag.set(Reason::Interrupted);
        }
        if self.flag.is_set() {
            return Err(Error::cancelled());
        }
        self.given += 1;
        self.batches.next().transpose()
    }
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
    if snapshot == glucopipe_sdk::exporter::Wants::New && third.delivered > 0 {
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
    if !matches!(answers[0], abi::GP_WANTS_EVERYTHING | abi::GP_WANTS_NEW) {
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
    let op = bench.operation(None);
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
    for time in ["first", "second"] {
        let before = visible(&bench.home());
        bench.step(format!("previewing the {time} delivery"));
        let preview =
            preview_export(&component, &op, &config, feed(split(&rows))).map_err(failed)?;
        unchanged(bench, &before, "after a preview");
        match preview {
            Some(preview) => account(bench, "a preview", &preview.report, rows.num_rows()),
            None => bench.note("it cannot say what it would do"),
        }
        deliver(&component, &op, &config, rows.clone()).map_err(failed)?;
    }
    Ok(())
}
