//! The rows of a batch: the cells of its columns, one after the other.

use arrow::array::{
    Array, Float64Array, Int16Array, Int64Array, RecordBatch, TimestampMicrosecondArray,
};
use arrow::buffer::{NullBuffer, ScalarBuffer};

use super::cells::{BLOCK, Render, TextCells, append_block};
use super::moment::{Moments, TimeForm};
use super::number::{Numbers, append_integer};
use crate::batch::{Texts, typed};
use crate::error::{Error, Result, Status};
use crate::schema::{Column, Kind};

/// How a format writes the cells of one column, with all that is around them.
pub trait CellForm {
    /// How it writes text.
    type Text: Render;

    /// The texts of a batch.
    fn text(&self, texts: &Texts) -> Self::Text;

    /// How times are written, and what is before and after each; an instant is in UTC.
    fn time(&self, instant: bool) -> (TimeForm, String, String);

    /// What is before a number.
    fn before(&self) -> &[u8];

    /// What is after a number: the byte that the format's [`Numbers`] have too.
    fn after(&self) -> u8;

    /// The whole cell of a null.
    fn null(&self) -> &[u8];

    /// Whether there is a text for what is no number or has no end; otherwise it is a null.
    fn has_infinity(&self) -> bool;
}

/// The rows of a batch, ready to be written.
pub struct Rows<T> {
    parts: Vec<Part<T>>,
}

enum Part<T> {
    /// The same in all rows, and how long it is; with room behind it.
    Same(Vec<u8>, usize),
    Cells(Box<Cells<T>>),
}

impl<T: Render> Rows<T> {
    /// The rows of a batch in these columns. Columns that are the same in all its rows are written once.
    ///
    /// # Errors
    /// When the batch lacks a column or has it in another type, or it holds bytes.
    pub fn of<'a, F: CellForm<Text = T>>(
        batch: &RecordBatch,
        columns: impl Iterator<Item = (&'a Column, F)>,
        numbers: &mut Numbers,
    ) -> Result<Self> {
        let mut parts: Vec<Part<T>> = Vec::new();
        for (column, form) in columns {
            let mut cells = Cells::of(batch, column, &form)?;
            if batch.num_rows() < 2 || !cells.is_same() {
                parts.push(Part::Cells(Box::new(cells)));
                continue;
            }
            if !matches!(parts.last(), Some(Part::Same(..))) {
                parts.push(Part::Same(Vec::new(), 0));
            }
            if let Some(Part::Same(text, length)) = parts.last_mut() {
                text.truncate(*length);
                cells.append(0, numbers, text);
                *length = text.len();
                text.extend([0; BLOCK]);
            }
        }
        Ok(Self { parts })
    }

    /// Appends all cells of a row.
    #[inline]
    pub fn append(&mut self, row: usize, numbers: &mut Numbers, out: &mut Vec<u8>) {
        for part in &mut self.parts {
            match part {
                Part::Same(text, length) => append_block(text, *length, out),
                Part::Cells(cells) => cells.append(row, numbers, out),
            }
        }
    }
}

/// One column of a batch, ready to be written.
struct Cells<T> {
    content: Content<T>,
    nulls: Option<NullBuffer>,
    before: Vec<u8>,
    after: u8,
    null: Vec<u8>,
    has_infinity: bool,
}

enum Content<T> {
    Texts(TextCells<T>),
    Moments(Moments),
    Numbers(ScalarBuffer<f64>),
    Small(ScalarBuffer<i16>),
    Integers(ScalarBuffer<i64>),
}

impl<T: Render> Cells<T> {
    fn of<F: CellForm<Text = T>>(batch: &RecordBatch, column: &Column, form: &F) -> Result<Self> {
        let name = column.name;
        let (content, nulls) = match column.kind {
            Kind::Words | Kind::Text => {
                let texts = Texts::of(batch, name)?;
                let render = form.text(&texts);
                (Content::Texts(TextCells::new(texts, render)), None)
            }
            Kind::Instant | Kind::Civil => {
                let array: &TimestampMicrosecondArray = typed(batch, name)?;
                let (how, before, after) = form.time(column.kind == Kind::Instant);
                let moments = Moments::new(array.values().clone(), how, before, after);
                (Content::Moments(moments), array.nulls())
            }
            Kind::Number => {
                let array: &Float64Array = typed(batch, name)?;
                (Content::Numbers(array.values().clone()), array.nulls())
            }
            Kind::Small => {
                let array: &Int16Array = typed(batch, name)?;
                (Content::Small(array.values().clone()), array.nulls())
            }
            Kind::Integer => {
                let array: &Int64Array = typed(batch, name)?;
                (Content::Integers(array.values().clone()), array.nulls())
            }
            Kind::Bytes => {
                let message =
                    format!("the column `{name}` holds bytes, which have no form as text");
                return Err(Error::new(Status::Internal, message));
            }
        };
        Ok(Self {
            content,
            nulls: nulls.filter(|nulls| nulls.null_count() > 0).cloned(),
            before: form.before().to_vec(),
            after: form.after(),
            null: form.null().to_vec(),
            has_infinity: form.has_infinity(),
        })
    }

    /// Whether all rows have the same cell.
    fn is_same(&self) -> bool {
        if let Some(nulls) = &self.nulls {
            return nulls.null_count() == nulls.len();
        }
        match &self.content {
            Content::Texts(texts) => texts.is_same(),
            Content::Moments(moments) => moments.is_same(),
            Content::Numbers(values) => all_same(values.iter().map(|value| value.to_bits())),
            Content::Small(values) => all_same(values.iter()),
            Content::Integers(values) => all_same(values.iter()),
        }
    }

    #[inline]
    fn append(&mut self, row: usize, numbers: &mut Numbers, out: &mut Vec<u8>) {
        if self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            return out.extend_from_slice(&self.null);
        }
        match &mut self.content {
            Content::Texts(texts) => texts.append(row, out),
            Content::Moments(moments) => moments.append(row, out),
            Content::Numbers(values) if self.has_infinity || values[row].is_finite() => {
                out.extend_from_slice(&self.before);
                numbers.append(values[row], out);
            }
            Content::Numbers(_) => out.extend_from_slice(&self.null),
            Content::Small(values) => {
                let value = values[row].into();
                self.append_integer(value, out);
            }
            Content::Integers(values) => {
                let value = values[row];
                self.append_integer(value, out);
            }
        }
    }

    fn append_integer(&self, value: i64, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.before);
        append_integer(value, out);
        out.push(self.after);
    }
}

/// Whether all items are equal.
pub(super) fn all_same<V: PartialEq>(mut items: impl Iterator<Item = V>) -> bool {
    let first = items.next();
    items.all(|item| Some(&item) == first.as_ref())
}
