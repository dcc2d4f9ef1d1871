//! The canonical form of readings as CSV: record batches in, bytes out, nothing else.
//!
//! Facts: `docs/readings.md`. Cells carry their separator, so that a cell is one copy.

mod text;

use glucopipe_sdk::Result;
use glucopipe_sdk::arrow::array::{
    Array, Float64Array, Int16Array, Int64Array, RecordBatch, TimestampMicrosecondArray,
};
use glucopipe_sdk::arrow::buffer::{NullBuffer, ScalarBuffer};
use glucopipe_sdk::batch::{Texts, typed};
use glucopipe_sdk::schema::{Column, Kind};
use glucopipe_sdk::text::{Moments, Numbers, TextCells, append_integer};
use glucopipe_sdk::{Error, Status};

use text::{CsvText, escape};

/// Between the cells of a row.
const SEPARATOR: u8 = b',';
/// After each row.
const LINE_END: u8 = b'\n';

/// Formats readings, all or some columns of them.
pub(crate) struct Canonical {
    columns: Vec<&'static Column>,
    numbers: Numbers,
}

impl Canonical {
    /// A formatter of these columns, at least one.
    pub(crate) fn new(columns: Vec<&'static Column>) -> Self {
        Self {
            columns,
            numbers: Numbers::new(SEPARATOR),
        }
    }

    /// Appends the header line.
    pub(crate) fn header(&self, out: &mut Vec<u8>) {
        for column in &self.columns {
            escape(column.name, out);
            out.push(SEPARATOR);
        }
        end_row(out);
    }

    /// Appends one line per reading.
    ///
    /// # Errors
    /// When the batch lacks a column or has it in another type.
    pub(crate) fn rows(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<()> {
        let null = self.null();
        let cells: Result<Vec<Cells>> = self
            .columns
            .iter()
            .map(|column| Cells::of(batch, column, null))
            .collect();
        let mut cells = cells?;
        for row in 0..batch.num_rows() {
            for column in &mut cells {
                column.append(row, &mut self.numbers, out);
            }
            end_row(out);
        }
        Ok(())
    }

    /// The cell of a null: empty, but for a file of one column, where readers skip empty lines.
    fn null(&self) -> &'static [u8] {
        if self.columns.len() == 1 {
            b"\"\","
        } else {
            b","
        }
    }
}

/// Turns the separator after the last cell into a line end.
fn end_row(out: &mut [u8]) {
    if let Some(last) = out.last_mut() {
        *last = LINE_END;
    }
}

fn integer(integer: i64, out: &mut Vec<u8>) {
    append_integer(integer, out);
    out.push(SEPARATOR);
}

/// One column of a batch, ready to be written.
struct Cells {
    content: Content,
    nulls: Option<NullBuffer>,
    null: &'static [u8],
}

enum Content {
    Texts(TextCells<CsvText>),
    Moments(Moments),
    Numbers(ScalarBuffer<f64>),
    Small(ScalarBuffer<i16>),
    Integers(ScalarBuffer<i64>),
}

impl Cells {
    fn of(batch: &RecordBatch, column: &Column, null: &'static [u8]) -> Result<Self> {
        let name = column.name;
        let (content, nulls) = match column.kind {
            Kind::Words | Kind::Text => {
                let texts = Texts::of(batch, name)?;
                let how = CsvText::new(&texts, null);
                (Content::Texts(TextCells::new(texts, how)), None)
            }
            Kind::Instant | Kind::Civil => {
                let array: &TimestampMicrosecondArray = typed(batch, name)?;
                let after = match column.kind {
                    Kind::Instant => "Z,",
                    _ => ",",
                };
                let moments = Moments::new(array.values().clone(), "", after);
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
                let message = format!("the column `{name}` has no form in CSV");
                return Err(Error::new(Status::Internal, message));
            }
        };
        let nulls = nulls.filter(|nulls| nulls.null_count() > 0).cloned();
        Ok(Self {
            content,
            nulls,
            null,
        })
    }

    fn append(&mut self, row: usize, numbers: &mut Numbers, out: &mut Vec<u8>) {
        if self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            out.extend_from_slice(self.null);
            return;
        }
        match &mut self.content {
            Content::Texts(texts) => texts.append(row, out),
            Content::Moments(moments) => moments.append(row, out),
            Content::Numbers(values) => numbers.append(values[row], out),
            Content::Small(values) => integer(values[row].into(), out),
            Content::Integers(values) => integer(values[row], out),
        }
    }
}

#[cfg(test)]
mod tests;
