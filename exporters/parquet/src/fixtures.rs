//! Batches for tests.

use std::sync::Arc;

use glucopipe_sdk::Result;
use glucopipe_sdk::arrow::array::{
    Array, ArrayRef, BinaryArray, Float64Array, Int16Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use glucopipe_sdk::arrow::datatypes::{Field, Schema, SchemaRef};
use glucopipe_sdk::batch::Texts;
use glucopipe_sdk::schema::{COLUMNS, Kind, readings};
use glucopipe_sdk::stream::Batches;

/// 2024-03-01T07:15:00, in microseconds.
pub(crate) const MORNING: i64 = 1_709_277_300_000_000;

/// How text comes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Form {
    /// As `reading/1` has it: dictionaries for what repeats.
    Words,
    /// Never as a dictionary.
    Plain,
}

/// A text column.
pub(crate) fn texts(cells: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(cells.to_vec()))
}

/// A number column.
pub(crate) fn numbers(cells: &[Option<f64>]) -> ArrayRef {
    Arc::new(Float64Array::from(cells.to_vec()))
}

/// A time column, in microseconds.
pub(crate) fn moments(cells: &[Option<i64>]) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from(cells.to_vec()))
}

/// Readings with these columns; every other column is null, or the same in all rows.
pub(crate) fn batch(rows: usize, form: Form, columns: &[(&str, ArrayRef)]) -> RecordBatch {
    let mut fields = Vec::new();
    let mut arrays = Vec::new();
    for column in COLUMNS {
        let given = columns.iter().find(|(name, _)| *name == column.name);
        let array = match given {
            Some((_, array)) => array.clone(),
            None => filler(column.kind, column.nullable, column.words, rows),
        };
        let array: ArrayRef = match column.kind {
            Kind::Words if form == Form::Words => Texts::from_array(&array).unwrap().into_words(),
            Kind::Instant => {
                let moments = array.as_any().downcast_ref::<TimestampMicrosecondArray>();
                Arc::new(moments.unwrap().clone().with_timezone("UTC"))
            }
            _ => array,
        };
        fields.push(Field::new(
            column.name,
            array.data_type().clone(),
            column.nullable,
        ));
        arrays.push(array);
    }
    let mut metadata = readings().metadata().clone();
    metadata.insert("glucopipe.pipeline", "home");
    metadata.insert("other", "stays behind");
    let schema = Schema::new_with_metadata(fields, metadata);
    RecordBatch::try_new(Arc::new(schema), arrays).unwrap()
}

fn filler(kind: Kind, nullable: bool, words: &[&str], rows: usize) -> ArrayRef {
    let word = words.first().copied().unwrap_or("x");
    match kind {
        Kind::Words | Kind::Text => texts(&vec![(!nullable).then_some(word); rows]),
        Kind::Instant | Kind::Civil => moments(&vec![(!nullable).then_some(MORNING); rows]),
        Kind::Number => numbers(&vec![(!nullable).then_some(93.0); rows]),
        Kind::Small => Arc::new(Int16Array::from(vec![None; rows])),
        Kind::Integer => Arc::new(Int64Array::from(vec![None; rows])),
        Kind::Bytes => Arc::new(BinaryArray::from(vec![Some(&b"frame"[..]); rows])),
    }
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
