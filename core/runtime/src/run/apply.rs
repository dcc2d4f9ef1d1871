//! Applying the transforms of a plan to one read.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::SchemaRef;
use glucopipe_sdk::batch::Texts;
use glucopipe_sdk::ffi::guard::guard;
use glucopipe_sdk::schema::{self, COLUMNS, Kind};
use glucopipe_sdk::stream::Batches;
use glucopipe_sdk::{Error, Status};
use serde_json::Value;

use super::blame;
use super::engine::Limits;
use super::intake::{check_rows, no_nulls};
use super::plan::{PlannedTransform, Step};
use super::report::TransformReport;
use super::watch::{Ended, watch};
use crate::cancel::{Cancel, Reason};
use crate::host::{OpenTransform, Operation, OperationSetup};
use crate::plugin::Component;
use crate::problem::{Code, Problem};
use crate::transform::{Outcome, ReadContext};

/// Columns that no plugin changes. Of what is built in only `pseudonymise` does, because they say whose the
/// readings are; it keeps the rows and their order, and names each reading's id from before.
const FROZEN: [&str; 7] = [
    "reading_id",
    "local_time",
    "markers",
    "raw_value",
    "raw_unit",
    "record_key",
    "raw",
];

/// Runs one transform over one read and adds to its report.
///
/// # Errors
/// As the transform says.
pub(super) fn apply(
    transform: &mut PlannedTransform,
    batch: RecordBatch,
    context: &ReadContext,
    operation: OperationSetup,
    limits: &Limits,
    report: &mut TransformReport,
) -> Result<Outcome, Problem> {
    report.taken += batch.num_rows() as u64;
    let outcome = match &mut transform.step {
        Step::Builtin(builtin) => builtin.apply(batch, context)?,
        Step::Plugin(component, config) => {
            let batch =
                apply_watched(component, config, batch, operation, limits, &transform.name)?;
            Outcome::of(batch)
        }
    };
    report.given += outcome.batch.num_rows() as u64;
    for note in &outcome.notes {
        if !report.notes.contains(note) {
            report.notes.push(note.clone());
        }
    }
    Ok(outcome)
}

fn plugin_failed(
    component: &Component,
    error: &Error,
    cancel: &Cancel,
    limits: &Limits,
    node: &str,
) -> Problem {
    let over = overdue(cancel, limits);
    match error.status {
        Status::Cancelled if cancel.reason() == Some(Reason::Interrupted) => {
            blame::interrupted(node)
        }
        Status::Cancelled if cancel.is_set() => {
            let title = format!("transform `{node}` took too long");
            over.into_iter()
                .fold(Problem::error(Code::DATA_INVALID, title), Problem::cause)
                .kept("nothing was delivered through it")
        }
        _ if blame::is_panic(error) => blame::broken(component, &error.message),
        Status::Internal => blame::broken_in_time(component, &error.message, over),
        _ => Problem::error(Code::DATA_INVALID, format!("transform `{node}` failed"))
            .cause(error.message.clone())
            .kept("nothing was delivered through it"),
    }
}

/// That a transform had taken all the time there is for one, which no key changes.
fn overdue(cancel: &Cancel, limits: &Limits) -> Option<String> {
    let over = cancel.reason() == Some(Reason::Deadline);
    over.then(|| {
        let limit = limits.transform.as_secs_f64();
        format!("it took longer than {limit} s, which is all that a transform has for a read")
    })
}

/// Applies a plugin in a thread of its own, so that one that does not stop can be abandoned.
fn apply_watched(
    component: &Arc<Component>,
    config: &Value,
    batch: RecordBatch,
    setup: OperationSetup,
    limits: &Limits,
    node: &str,
) -> Result<RecordBatch, Problem> {
    let cancel = setup.cancel.clone();
    let (worker, keys) = (component.clone(), config.clone());
    let work = move || guard(|| apply_plugin(&worker, &keys, batch, setup));
    let name = format!("transform {node}");
    match watch(&name, &cancel, limits.transform, limits.grace, work) {
        Ended::Returned(given) => {
            given.map_err(|error| plugin_failed(component, &error, &cancel, limits, node))
        }
        Ended::Abandoned => Err(blame::stuck(component, node, overdue(&cancel, limits))),
        Ended::NotStarted(cause) => Err(blame::not_started(node, cause)),
    }
}

/// Applies a plugin to one batch and checks what it gives.
///
/// # Errors
/// As the transform says, and [`Status::Internal`] for what no transform may do.
pub(crate) fn apply_plugin(
    component: &Arc<Component>,
    config: &Value,
    batch: RecordBatch,
    setup: OperationSetup,
) -> Result<RecordBatch, Error> {
    let operation = Arc::new(Operation::start(setup));
    let cancel = operation.cancel().clone();
    let mut filter = OpenTransform::open(component.clone(), operation, config)?;
    let rows = batch.num_rows();
    let once = Once {
        batch: Some(batch.clone()),
        cancel: cancel.clone(),
    };
    let (_, given) = filter.apply(Box::new(once), rows)?;
    // A transform may take the cancellation for the end of the readings.
    if cancel.is_set() {
        return Err(Error::cancelled());
    }
    let given: Result<Vec<RecordBatch>, Error> = given.iter().map(conform).collect();
    let given = concat_batches(&schema::readings(), &given?)?;
    check_frozen(&batch, &given)?;
    Ok(given)
}

/// One batch as a stream that ends early when cancelled.
struct Once {
    batch: Option<RecordBatch>,
    cancel: Cancel,
}

impl Batches for Once {
    fn schema(&self) -> SchemaRef {
        schema::readings()
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, Error> {
        if self.cancel.is_set() {
            return Err(Error::cancelled());
        }
        Ok(self.batch.take())
    }
}

/// Brings a plugin's batch into the exact schema; columns it added are left out.
fn conform(batch: &RecordBatch) -> Result<RecordBatch, Error> {
    let broken = |what: String| Error::new(Status::Internal, what);
    let columns = COLUMNS.iter().map(|column| {
        let array = batch
            .column_by_name(column.name)
            .ok_or_else(|| broken(format!("it lost the column `{}`", column.name)))?;
        if !column.kind.accepts(array.data_type()) {
            return Err(broken(format!(
                "it changed the type of column `{}`",
                column.name
            )));
        }
        no_nulls(array, column).map_err(broken)?;
        let texts = || Texts::from_array(array).ok_or_else(|| broken("not text".into()));
        Ok(match column.kind {
            Kind::Words => texts()?.into_words(),
            Kind::Text => texts()?.into_text(),
            _ => array.clone(),
        })
    });
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    let batch = RecordBatch::try_new(schema::readings(), columns)
        .map_err(|error| broken(error.to_string()))?;
    check_rows(&batch).map_err(broken)?;
    Ok(batch)
}

/// Checks that every reading that came out went in, once, with its raw columns unchanged.
fn check_frozen(before: &RecordBatch, after: &RecordBatch) -> Result<(), Error> {
    let broken = |what: String| Error::new(Status::Internal, what);
    let ids_before = Texts::of(before, "reading_id")?;
    let mut rows: HashMap<&str, usize> = (0..ids_before.len())
        .filter_map(|row| Some((ids_before.get(row)?, row)))
        .collect();
    let ids_after = Texts::of(after, "reading_id")?;
    let mut origins = Vec::with_capacity(ids_after.len());
    for row in 0..ids_after.len() {
        let origin = ids_after.get(row).and_then(|id| rows.remove(id));
        origins.push(origin.ok_or_else(|| broken("it invented or repeated a reading".into()))?);
    }
    for name in FROZEN {
        let (Some(old), Some(new)) = (before.column_by_name(name), after.column_by_name(name))
        else {
            return Err(broken(format!("it lost the column `{name}`")));
        };
        let texts = Texts::from_array(old).zip(Texts::from_array(new));
        let same = |(row, &origin): (usize, &usize)| match &texts {
            Some((old, new)) => old.get(origin) == new.get(row),
            None => old.slice(origin, 1).as_ref() == new.slice(row, 1).as_ref(),
        };
        if !origins.iter().enumerate().all(same) {
            return Err(broken(format!(
                "it changed the column `{name}`, which no transform may"
            )));
        }
    }
    Ok(())
}
