//! A delivery and what it leaves: readings to deliver, and a look at the files of a folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, DictionaryArray, Int16Array, RecordBatch, TimestampMicrosecondArray};
use arrow::datatypes::{Int32Type, SchemaRef};
use chrono::{Duration, NaiveDate};
use glucopipe_sdk::exporter::CommitReport;
use glucopipe_sdk::reading::{
    Amount, CarbUnit, Concentration, Identity, Measurement, MgPerDl, MmolPerL, Ranged, Reading,
    Verbatim,
};
use glucopipe_sdk::stream::Batches;
use glucopipe_sdk::testing::{batch, feed};
use glucopipe_sdk::{Error, Status};
use serde_json::Value;

use super::bench::Bench;
use crate::cancel::{Cancel, Reason};
use crate::host::{OpenExporter, Operation};
use crate::plugin::Component;

/// Readings of every kind, in order; of all but the last it is known when they were.
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
    let start = NaiveDate::from_ymd_opt(2026, 5, 30).and_then(|day| day.and_hms_opt(22, 30, 0));
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
    resolved(&batch(&readings)?)
}

/// The readings as a `clock` transform gives them, two hours east of UTC; the last one is left as it was.
fn resolved(rows: &RecordBatch) -> Result<RecordBatch, Error> {
    const HOUR_US: i64 = 3_600_000_000;
    let local = rows.column_by_name("local_time");
    let local =
        local.and_then(|column| column.as_any().downcast_ref::<TimestampMicrosecondArray>());
    let local = local.ok_or_else(|| Error::new(Status::Internal, "there is no `local_time`"))?;
    let last = rows.num_rows().saturating_sub(1);
    let known = |row: usize| row < last;
    let times: TimestampMicrosecondArray = (0..rows.num_rows())
        .map(|row| known(row).then(|| local.value(row) - 2 * HOUR_US))
        .collect();
    let offsets: Int16Array = (0..rows.num_rows())
        .map(|row| known(row).then_some(120))
        .collect();
    let words: DictionaryArray<Int32Type> = (0..rows.num_rows())
        .map(|row| if known(row) { "zone" } else { "unresolved" })
        .collect();
    let (times, offsets, words): (ArrayRef, ArrayRef, ArrayRef) = (
        Arc::new(times.with_timezone("UTC")),
        Arc::new(offsets),
        Arc::new(words),
    );
    let schema = rows.schema();
    let columns = schema.fields().iter().zip(rows.columns());
    let columns = columns.map(|(field, column)| match field.name().as_str() {
        "time" => times.clone(),
        "utc_offset_min" => offsets.clone(),
        "time_quality" => words.clone(),
        _ => column.clone(),
    });
    Ok(RecordBatch::try_new(schema.clone(), columns.collect())?)
}

/// The readings as two batches with an empty one between.
pub(super) fn split(rows: &RecordBatch) -> Vec<Result<RecordBatch, Error>> {
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

/// Whether a report accounts for every reading.
pub(super) fn account(bench: &Bench<'_>, what: &str, report: &CommitReport, rows: usize) {
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

/// Everything below a folder that its owner would see: names that do not begin with a dot, and bytes.
pub(super) fn visible(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
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
pub(super) fn unchanged(bench: &Bench<'_>, before: &BTreeMap<PathBuf, Vec<u8>>, when: &str) {
    let home = bench.home();
    let after = visible(&home);
    for (path, bytes) in &after {
        let name = path.strip_prefix(&home).unwrap_or(path).display();
        match before.get(path) {
            None => bench.fault(format!("{when}, the file `{name}` is there")),
            Some(old) if old != bytes => {
                bench.fault(format!("{when}, the file `{name}` is another one"));
            }
            Some(_) => {}
        }
    }
    for path in before.keys().filter(|path| !after.contains_key(*path)) {
        let name = path.strip_prefix(&home).unwrap_or(path).display();
        bench.fault(format!("{when}, the file `{name}` is gone"));
    }
}

/// Batches of an operation that is cancelled once the first is out, as the host gives them.
pub(super) struct Cancelling {
    pub(super) batches: std::vec::IntoIter<Result<RecordBatch, Error>>,
    pub(super) given: u32,
    pub(super) flag: Cancel,
}

impl Batches for Cancelling {
    fn schema(&self) -> SchemaRef {
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
