//! What each transform makes of one reading.

use arrow::array::{Array, RecordBatch, TimestampMicrosecondArray};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use chrono::{DateTime, SecondsFormat};
use glucopipe_sdk::batch::Texts;
use glucopipe_sdk::schema::{COLUMNS, Column, Kind};
use serde::Serialize;
use uuid::Uuid;

use super::engine::RunSetup;
use super::flow::{Flow, Outputs, Say};
use super::known::Keep;
use super::plan::Plan;
use super::running::Limits;
use crate::journal::Life;
use crate::problem::Problem;
use crate::transform::ReadContext;

/// One transform on the way of a reading.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// The source that the reading came from.
    pub source: String,
    /// Name of the transform.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it did.
    pub effect: Effect,
}

/// What a transform did to a reading.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// It changed these columns.
    Changed(Vec<Change>),
    /// It left the reading out.
    LeftOut,
    /// It failed, with these words.
    Failed(String),
}

/// A column before and after a transform, as text; `None` for null.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Name of the column.
    pub column: &'static str,
    /// Before.
    pub before: Option<String>,
    /// After.
    pub after: Option<String>,
}

/// Sends the read that a reading is of through a pipeline, as a run would, and looks at the one reading.
/// Empty when no source of the pipeline stands for its meter, or there are no transforms.
///
/// # Errors
/// When the journal cannot be read.
pub fn trace(
    plan: Plan,
    setup: &RunSetup,
    keep: &Keep<'_>,
    life: &Life,
) -> Result<Vec<Step>, Problem> {
    let limits = Limits::default();
    let Ok(id) = Uuid::try_parse(&life.reading_id) else {
        return Ok(Vec::new());
    };
    let mut flow = Flow::new(setup, &limits, plan.transforms);
    let mut steps = Vec::new();
    for source in &plan.sources {
        if !keep.meters(source)?.contains(&life.meter) {
            continue;
        }
        let stored = keep.journal.load(life.session)?;
        let context = ReadContext {
            source: source.name.clone(),
            device: stored.origin.device,
            run_at_us: Some(setup.clock.now().timestamp_micros()),
        };
        let outputs = flow.send(&context, stored.readings, Say::Counts);
        for (transform, report) in flow.transforms.iter().zip(&flow.reports) {
            let Some(before) = find(outputs.of(&transform.inputs), &outputs, id) else {
                continue;
            };
            let own = std::slice::from_ref(&transform.name);
            let effect = match (&report.error, find(outputs.of(own), &outputs, id)) {
                (Some(problem), _) => Effect::Failed(problem.title.clone()),
                (None, None) => Effect::LeftOut,
                (None, Some(after)) => Effect::Changed(changes(&before, &after)),
            };
            steps.push(Step {
                source: source.name.clone(),
                name: transform.name.clone(),
                kind: transform.kind.clone(),
                effect,
            });
        }
    }
    Ok(steps)
}

/// The row of a reading, under whichever id it goes there.
fn find<'b>(
    batches: impl Iterator<Item = &'b RecordBatch>,
    outputs: &Outputs,
    id: Uuid,
) -> Option<RecordBatch> {
    for batch in batches {
        let ids = Texts::of(batch, "reading_id").ok()?;
        let is = |row: &usize| {
            let given = ids.get(*row).and_then(|text| Uuid::try_parse(text).ok());
            given.is_some_and(|given| {
                given == id
                    || outputs
                        .former_ids
                        .get(&given)
                        .is_some_and(|former| *former == id)
            })
        };
        if let Some(row) = (0..ids.len()).find(is) {
            return Some(batch.slice(row, 1));
        }
    }
    None
}

/// The columns in which two rows differ.
fn changes(before: &RecordBatch, after: &RecordBatch) -> Vec<Change> {
    COLUMNS
        .iter()
        .map(|column| Change {
            column: column.name,
            before: cell(before, column),
            after: cell(after, column),
        })
        .filter(|change| change.before != change.after)
        .collect()
}

/// The first cell of a column as text; `None` for null.
fn cell(row: &RecordBatch, column: &Column) -> Option<String> {
    let kind = column.kind;
    let column = row.column_by_name(column.name)?;
    if column.is_null(0) {
        return None;
    }
    if let Some(times) = column.as_any().downcast_ref::<TimestampMicrosecondArray>() {
        let time = DateTime::from_timestamp_micros(times.value(0))?;
        return Some(match kind {
            Kind::Instant => time.to_rfc3339_opts(SecondsFormat::AutoSi, true),
            _ => time.naive_utc().format("%Y-%m-%dT%H:%M:%S%.f").to_string(),
        });
    }
    let options = FormatOptions::default().with_display_error(true);
    let formatter = ArrayFormatter::try_new(column, &options).ok()?;
    Some(formatter.value(0).to_string())
}
