//! Readings as JSON Lines: record batches in, bytes out, nothing else.
//!
//! Facts: `docs/readings.md`; <https://jsonlines.org>, RFC 8259. Each member is written with its key and
//! the comma after it; the last comma becomes the end of the object.

mod read;
mod text;

use glucopipe_sdk::Result;
use glucopipe_sdk::arrow::array::RecordBatch;
use glucopipe_sdk::batch::Texts;
use glucopipe_sdk::schema::Column;
use glucopipe_sdk::text::{CellForm, Layout, Numbers, RowReader, Rows, TimeForm};

use self::read::Reader;
use self::text::{Member, escape};

/// Between the members of an object.
const SEPARATOR: u8 = b',';

/// Formats readings, one object a line.
pub struct Lines {
    members: Vec<(&'static Column, Key)>,
    numbers: Numbers,
}

/// A key of an object.
struct Key {
    /// With its colon.
    name: String,
    /// The member without a value.
    null: String,
}

impl Lines {
    /// A formatter of these columns, at least one.
    pub(crate) fn new(columns: &[&'static Column]) -> Self {
        let member = |column: &&'static Column| {
            let mut name = String::new();
            escape(column.name, &mut name);
            name.push(':');
            let null = format!("{name}null,");
            (*column, Key { name, null })
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
        let members = self.members.iter();
        let members = members.map(|(column, key)| (*column, Value { key }));
        let mut rows = Rows::of(batch, members, &mut self.numbers)?;
        for row in 0..batch.num_rows() {
            out.push(b'{');
            rows.append(row, &mut self.numbers, out);
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

/// The values of one key.
struct Value<'a> {
    /// The key with its colon, and its member with a null.
    key: &'a Key,
}

impl<'a> CellForm for Value<'a> {
    type Text = Member<'a>;

    fn text(&self, _: &Texts) -> Member<'a> {
        Member { key: self.key }
    }

    fn time(&self, instant: bool) -> (TimeForm, String, String) {
        let after = if instant { "Z\"," } else { "\"," };
        let before = format!("{}\"", self.key.name);
        (TimeForm::ISO, before, after.to_owned())
    }

    fn before(&self) -> &[u8] {
        self.key.name.as_bytes()
    }

    fn after(&self) -> u8 {
        SEPARATOR
    }

    fn null(&self) -> &[u8] {
        self.key.null.as_bytes()
    }

    /// JSON has no word for what is no number or has no end.
    fn has_infinity(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests;
