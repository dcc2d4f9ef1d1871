//! Editing batches: columns added, replaced, left out; rows repeated.

use std::sync::Arc;

use glucopipe_sdk::arrow::array::{
    Array, ArrayRef, DictionaryArray, Float64Array, Int32Array, RecordBatch, StringArray,
    UInt32Array,
};
use glucopipe_sdk::arrow::compute::take_record_batch;
use glucopipe_sdk::arrow::datatypes::{Field, Int32Type, Schema, SchemaRef};
use glucopipe_sdk::batch::Texts;

pub(crate) fn rows(batch: &RecordBatch) -> usize {
    batch.num_rows()
}

/// One value in the second row, another in all others.
pub(crate) fn second<T: Clone>(batch: &RecordBatch, there: T, elsewhere: T) -> Vec<T> {
    let pick = |row| {
        if row == 1 {
            there.clone()
        } else {
            elsewhere.clone()
        }
    };
    (0..rows(batch)).map(pick).collect()
}

/// The columns under a schema that fits them.
pub(crate) fn rebuilt(schema: SchemaRef, columns: Vec<ArrayRef>) -> RecordBatch {
    RecordBatch::try_new(schema, columns).unwrap_or_else(|error| panic!("not a misdeed: {error}"))
}

/// The batch with another column of a name; its field says what it is.
pub(crate) fn with(batch: &RecordBatch, name: &str, column: ArrayRef) -> RecordBatch {
    let mut columns = batch.columns().to_vec();
    let schema = batch.schema();
    let fields = schema.fields().iter().enumerate().map(|(index, field)| {
        if field.name() != name {
            return field.as_ref().clone();
        }
        columns[index] = column.clone();
        let nullable = field.is_nullable() || column.null_count() > 0;
        Field::new(name, column.data_type().clone(), nullable)
            .with_metadata(field.metadata().clone())
    });
    let fields: Vec<Field> = fields.collect();
    rebuilt(
        Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone())),
        columns,
    )
}

/// The batch without a column.
pub(crate) fn without(batch: &RecordBatch, name: &str) -> RecordBatch {
    let kept: Vec<usize> = (0..batch.num_columns())
        .filter(|&index| batch.schema().field(index).name() != name)
        .collect();
    batch
        .project(&kept)
        .unwrap_or_else(|error| panic!("not a misdeed: {error}"))
}

/// The batch with one more column of text.
pub(crate) fn added(batch: &RecordBatch, name: &str) -> RecordBatch {
    let mut fields: Vec<Field> = batch
        .schema()
        .fields()
        .iter()
        .map(|field| field.as_ref().clone())
        .collect();
    let column: ArrayRef = Arc::new(StringArray::from(vec!["x"; rows(batch)]));
    fields.push(Field::new(name, column.data_type().clone(), false));
    let schema = Schema::new_with_metadata(fields, batch.schema().metadata().clone());
    let mut columns = batch.columns().to_vec();
    columns.push(column);
    rebuilt(Arc::new(schema), columns)
}

/// The batch with another word in the second row.
pub(crate) fn with_word(batch: &RecordBatch, name: &str, word: &str) -> RecordBatch {
    let texts = Texts::of(batch, name).unwrap_or_else(|error| panic!("not a misdeed: {error}"));
    let words: StringArray = (0..texts.len())
        .map(|row| if row == 1 { Some(word) } else { texts.get(row) })
        .collect();
    with(batch, name, Arc::new(words))
}

/// The batch with another value in the second row.
pub(crate) fn with_value(batch: &RecordBatch, value: f64) -> RecordBatch {
    with(
        batch,
        "value",
        Arc::new(Float64Array::from(second(batch, value, 100.0))),
    )
}

/// The first row again and again.
pub(crate) fn repeated(batch: &RecordBatch, count: usize) -> RecordBatch {
    let rows = UInt32Array::from(vec![0; count]);
    take_record_batch(batch, &rows).unwrap_or_else(|error| panic!("not a misdeed: {error}"))
}

/// The batch with a dictionary whose first word is null, and used in the second row.
pub(crate) fn null_in_dictionary(batch: &RecordBatch, name: &str) -> RecordBatch {
    let words = Arc::new(StringArray::from(vec![None, Some("mg/dL")]));
    let keys = Int32Array::from(second(batch, 0, 1));
    with(
        batch,
        name,
        Arc::new(DictionaryArray::<Int32Type>::new(keys, words)),
    )
}

/// The batch with one long text that all rows share.
pub(crate) fn with_shared_text(batch: &RecordBatch, name: &str) -> RecordBatch {
    let text = Arc::new(StringArray::from(vec!["x".repeat(1 << 20)]));
    let keys = Int32Array::from(vec![0; rows(batch)]);
    with(
        batch,
        name,
        Arc::new(DictionaryArray::<Int32Type>::new(keys, text)),
    )
}
