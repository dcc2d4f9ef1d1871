//! Readings for tests.

use std::sync::Arc;

use glucopipe_sdk::Result;
use glucopipe_sdk::arrow::array::{ArrayRef, RecordBatch};
use glucopipe_sdk::arrow::datatypes::{Schema, SchemaRef};
use glucopipe_sdk::schema::readings;
use glucopipe_sdk::stream::Batches;
use glucopipe_sdk::testing::{Form, MORNING, moments, table, texts};

/// A day, in microseconds.
pub(crate) const DAY: i64 = 86_400_000_000;

/// A batch of a stream that says more about itself than its schema.
pub(crate) fn batch(rows: usize, form: Form, columns: &[(&str, ArrayRef)]) -> RecordBatch {
    let batch = table(rows, form, columns);
    let mut metadata = batch.schema().metadata().clone();
    metadata.insert("glucopipe.pipeline", "home");
    metadata.insert("other", "stays behind");
    let schema = Schema::new_with_metadata(batch.schema().fields().clone(), metadata);
    batch.with_schema(Arc::new(schema)).unwrap()
}

/// A reading for tests: what the folders of a data set are made of, and what it is known by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Row {
    pub(crate) id: String,
    /// Days after 2024-03-01.
    pub(crate) day: i64,
    pub(crate) person: Option<String>,
    pub(crate) serial: String,
}

/// The readings of a meter on these days.
pub(crate) fn rows(
    serial: &str,
    person: Option<&str>,
    days: impl IntoIterator<Item = i64>,
) -> Vec<Row> {
    let row = |day| Row {
        id: format!("{serial}-{day}"),
        day,
        person: person.map(str::to_owned),
        serial: serial.to_owned(),
    };
    days.into_iter().map(row).collect()
}

/// The readings as the host hands them over: in order.
pub(crate) fn batch_of(rows: &[Row]) -> RecordBatch {
    let mut rows = rows.to_vec();
    rows.sort_by_key(|row| (row.day, row.id.clone()));
    let column = |cell: fn(&Row) -> Option<&str>| texts(&rows.iter().map(cell).collect::<Vec<_>>());
    let times: Vec<_> = rows
        .iter()
        .map(|row| Some(MORNING + row.day * DAY))
        .collect();
    let columns = [
        ("reading_id", column(|row| Some(&row.id))),
        ("record_key", column(|row| Some(&row.id))),
        ("local_time", moments(&times)),
        ("person", column(|row| row.person.as_deref())),
        ("device_serial", column(|row| Some(&row.serial))),
    ];
    batch(rows.len(), Form::Words, &columns)
}

/// A stream of prepared answers.
pub(crate) struct Script {
    schema: SchemaRef,
    answers: Vec<Result<RecordBatch>>,
}

impl Script {
    /// A stream with the schema of its first batch.
    pub(crate) fn new(answers: Vec<Result<RecordBatch>>) -> Self {
        let schema = match answers.first() {
            Some(Ok(batch)) => batch.schema(),
            _ => readings(),
        };
        Self { schema, answers }
    }
}

impl Batches for Script {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>> {
        if self.answers.is_empty() {
            return Ok(None);
        }
        self.answers.remove(0).map(Some)
    }
}
