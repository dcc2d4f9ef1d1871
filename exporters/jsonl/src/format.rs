//! Readings as JSON Lines: record batches in, bytes out, nothing else.
//!
//! Facts: `docs/readings.md`; <https://jsonlines.org>, RFC 8259. Each member is written with its key and
//! the comma after it; the last comma becomes the end of the object.

mod read;
mod text;

use glucopipe_sdk::arrow::array::{
    Array, Float64Array, Int16Array, Int64Array, RecordBatch, TimestampMicrosecondArray,
};
use glucopipe_sdk::arrow::buffer::{NullBuffer, ScalarBuffer};
use glucopipe_sdk::batch::{Texts, typed};
use glucopipe_sdk::schema::{Column, Kind};
use glucopipe_sdk::text::{
    Layout, Moments, Numbers, RowReader, TextCells, TimeForm, append_integer,
};
use glucopipe_sdk::{Error, Result, Status};

use self::read::Reader;
use self::text::{Member, escape};

/// Between the members of an object.
const SEPARATOR: u8 = b',';

/// Formats readings, one object a line.
pub struct Lines {
    members: Vec<(&'static Column, String)>,
    numbers: Numbers,
}

impl Lines {
    /// A formatter of these columns, at least one.
    pub(crate) fn new(columns: &[&'static Column]) -> Self {
        let member = |column: &&'static Column| {
            let mut key = String::new();
            escape(column.name, &mut key);
            key.push(':');
            (*column, key)
        };
        Self {
            members: columns.iter().map(member).collect(),
            numbers: Numbers::new(SEPARATOR),
        }
    }
}

impl Layout for Lines {
    const NAME: &'static str = "JSON Lines";

    fn begin(&mut self, _: Option<&RecordBatch>, _: &mut Vec<u8>) -> Result<()> {
        Ok(())
    }

    fn rows(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<u64> {
        let members: Result<Vec<Values>> = self
            .members
            .iter()
            .map(|(column, key)| Values::of(batch, column, key))
            .collect();
        let mut members = members?;
        for row in 0..batch.num_rows() {
            out.push(b'{');
            for member in &mut members {
                member.append(row, &mut self.numbers, out);
            }
            if out.last() == Some(&SEPARATOR) {
                out.pop();
            }
            out.extend_from_slice(b"}\n");
        }
        Ok(batch.num_rows() as u64)
    }

    fn reader(&self) -> Option<Box<dyn RowReader>> {
        let names = self.members.iter().map(|(column, _)| column.name);
        Some(Box::new(Reader::new(names.collect())))
    }
}

/// One column of a batch, ready to be written.
struct Values<'a> {
    content: Content<'a>,
    nulls: Option<NullBuffer>,
    /// The key with its colon.
    key: &'a str,
}

enum Content<'a> {
    Texts(TextCells<Member<'a>>),
    Moments(Moments),
    Numbers(ScalarBuffer<f64>),
    Small(ScalarBuffer<i16>),
    Integers(ScalarBuffer<i64>),
}

impl<'a> Values<'a> {
    fn of(batch: &RecordBatch, column: &Column, key: &'a str) -> Result<Self> {
        let name = column.name;
        let (content, nulls) = match column.kind {
            Kind::Words | Kind::Text => {
                let texts = TextCells::new(Texts::of(batch, name)?, Member { key });
                (Content::Texts(texts), None)
            }
            Kind::Instant | Kind::Civil => {
                let array: &TimestampMicrosecondArray = typed(batch, name)?;
                let after = match column.kind {
                    Kind::Instant => "Z\",",
                    _ => "\",",
                };
                let micros = array.values().clone();
                let moments = Moments::new(micros, TimeForm::ISO, format!("{key}\""), after);
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
                let message = format!("the column `{name}` has no form in JSON");
                return Err(Error::new(Status::Internal, message));
            }
        };
        let nulls = nulls.filter(|nulls| nulls.null_count() > 0).cloned();
        Ok(Self {
            content,
            nulls,
            key,
        })
    }

    fn append(&mut self, row: usize, numbers: &mut Numbers, out: &mut Vec<u8>) {
        if self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            return self.append_null(out);
        }
        match &mut self.content {
            Content::Texts(texts) => texts.append(row, out),
            Content::Moments(moments) => moments.append(row, out),
            // JSON has no word for what is no number or has no end.
            Content::Numbers(values) if !values[row].is_finite() => self.append_null(out),
            Content::Numbers(values) => {
                out.extend_from_slice(self.key.as_bytes());
                numbers.append(values[row], out);
            }
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
        out.extend_from_slice(self.key.as_bytes());
        append_integer(value, out);
        out.push(SEPARATOR);
    }

    fn append_null(&self, out: &mut Vec<u8>) {
        text::append_null(self.key, out);
    }
}

#[cfg(test)]
mod tests;
