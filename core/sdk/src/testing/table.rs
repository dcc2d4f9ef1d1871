//! Batches with chosen cells.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BinaryArray, Float64Array, Int16Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{Field, Schema};

use crate::batch::Texts;
use crate::schema::{COLUMNS, Column, Kind, readings};

/// 2024-03-01T07:15:00, in microseconds: what every time of [`table`] is unless given.
pub const MORNING: i64 = 1_709_277_300_000_000;

/// How text of a [`table`] comes; the host may hand over either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// As `reading/1` has it: dictionaries for what repeats.
    Words,
    /// Never as a dictionary.
    Plain,
}

/// A text column.
pub fn texts(cells: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(cells.to_vec()))
}

/// A number column.
pub fn numbers(cells: &[Option<f64>]) -> ArrayRef {
    Arc::new(Float64Array::from(cells.to_vec()))
}

/// A column of times, in microseconds.
pub fn moments(cells: &[Option<i64>]) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from(cells.to_vec()))
}

/// A batch of `reading/1` with these columns; every other column is null, or the same in all rows.
///
/// # Panics
/// When a column has another length, or a type that its name does not have.
pub fn table(rows: usize, form: Form, columns: &[(&str, ArrayRef)]) -> RecordBatch {
    let mut fields = Vec::new();
    let mut arrays = Vec::new();
    for column in COLUMNS {
        let given = columns.iter().find(|(name, _)| *name == column.name);
        let array = given.map_or_else(|| filler(column, rows), |(_, array)| array.clone());
        let array = shaped(column, form, array);
        fields.push(Field::new(
            column.name,
            array.data_type().clone(),
            column.nullable,
        ));
        arrays.push(array);
    }
    let schema = Schema::new_with_metadata(fields, readings().metadata().clone());
    RecordBatch::try_new(Arc::new(schema), arrays).expect("columns of one length")
}

fn shaped(column: &Column, form: Form, array: ArrayRef) -> ArrayRef {
    match column.kind {
        Kind::Words if form == Form::Words => {
            Texts::from_array(&array).map_or(array, Texts::into_words)
        }
        Kind::Instant => match array.as_any().downcast_ref::<TimestampMicrosecondArray>() {
            Some(moments) => Arc::new(moments.clone().with_timezone("UTC")),
            None => array,
        },
        _ => array,
    }
}

fn filler(column: &Column, rows: usize) -> ArrayRef {
    let given = !column.nullable;
    let word = column.words.first().copied().unwrap_or("x");
    match column.kind {
        Kind::Words | Kind::Text => texts(&vec![given.then_some(word); rows]),
        Kind::Instant | Kind::Civil => moments(&vec![given.then_some(MORNING); rows]),
        Kind::Number => numbers(&vec![given.then_some(93.0); rows]),
        Kind::Small => Arc::new(Int16Array::from(vec![None; rows])),
        Kind::Integer => Arc::new(Int64Array::from(vec![None; rows])),
        Kind::Bytes => Arc::new(BinaryArray::from(vec![Some(&b"frame"[..]); rows])),
    }
}
