//! The canonical form of readings as CSV, and its spreadsheet dialect: record batches in, bytes out, nothing
//! else.
//!
//! Facts: `docs/readings.md`. Cells carry their separator, so that a cell is one copy.

mod read;

use std::io::Write as _;

use glucopipe_sdk::Result;
use glucopipe_sdk::arrow::array::RecordBatch;
use glucopipe_sdk::batch::Texts;
use glucopipe_sdk::schema::Column;
use glucopipe_sdk::text::{CellForm, Numbers, Precision, RowReader, Rows, TimeForm};

use self::read::Reader;
use super::Table;
use super::text::{CsvText, Quoting};
use crate::Config;
use crate::options::{Decimal, LineEnd, Profile, Separator, Times};

/// The byte order mark of UTF-8.
const BOM: &[u8] = "\u{feff}".as_bytes();

/// How the canonical form is spelt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dialect {
    quoting: Quoting,
    /// Before the decimals of a number.
    decimal: Decimal,
    line_end: LineEnd,
    bom: bool,
    times: Times,
}

impl Dialect {
    /// The dialect that a configuration of a profile with columns asks for.
    pub(super) fn of(config: &Config) -> Self {
        let excel = config.profile == Profile::Excel;
        let decimal = config.decimal.unwrap_or_default();
        let separator = match (config.separator, decimal) {
            (Some(Separator::Comma), _) | (None, Decimal::Point) => b',',
            (Some(Separator::Semicolon), _) | (None, Decimal::Comma) => b';',
            (Some(Separator::Tab), _) => b'\t',
        };
        let line_end = if excel { LineEnd::Crlf } else { LineEnd::Lf };
        Self {
            quoting: Quoting {
                separator,
                safe: config.excel_safe.unwrap_or(true),
            },
            decimal,
            line_end: config.line_end.unwrap_or(line_end),
            bom: config.bom.unwrap_or(excel),
            times: config.times.unwrap_or_default(),
        }
    }

    fn numbers(self) -> Numbers {
        let separator = self.quoting.separator;
        match self.decimal {
            Decimal::Point => Numbers::new(separator),
            Decimal::Comma => Numbers::written_by(separator, |number, out| {
                let start = out.len();
                // Writing to memory does not fail.
                let _ = write!(out, "{number}");
                for byte in out.iter_mut().skip(start).filter(|byte| **byte == b'.') {
                    *byte = b',';
                }
            }),
        }
    }

    fn time_form(self) -> TimeForm {
        match self.times {
            Times::Iso => TimeForm::ISO,
            Times::Plain => TimeForm {
                between: b' ',
                ..TimeForm::ISO
            },
        }
    }

    /// What is after a moment in UTC.
    fn zone(self) -> &'static str {
        match self.times {
            Times::Iso => "Z",
            Times::Plain => "",
        }
    }

    /// Turns the separator after the last cell into a line end.
    fn end_row(self, out: &mut Vec<u8>) {
        out.pop();
        out.extend_from_slice(self.line_end());
    }

    fn line_end(self) -> &'static [u8] {
        match self.line_end {
            LineEnd::Lf => b"\n",
            LineEnd::Crlf => b"\r\n",
        }
    }
}

/// Formats readings, all or some columns of them.
pub(super) struct Canonical {
    columns: Vec<&'static Column>,
    dialect: Dialect,
    numbers: Numbers,
    /// The cell of a null with its separator: empty, but for a file of one column, where readers skip empty
    /// lines.
    null: Vec<u8>,
}

impl Canonical {
    /// A formatter of these columns, at least one.
    pub(super) fn new(columns: Vec<&'static Column>, dialect: Dialect) -> Self {
        let quotes: &[u8] = if columns.len() == 1 { b"\"\"" } else { b"" };
        Self {
            null: [quotes, &[dialect.quoting.separator]].concat(),
            numbers: dialect.numbers(),
            columns,
            dialect,
        }
    }
}

impl Table for Canonical {
    fn begin(&mut self, _: Option<&RecordBatch>, out: &mut Vec<u8>) -> Result<()> {
        if self.dialect.bom {
            out.extend_from_slice(BOM);
        }
        for column in &self.columns {
            self.dialect.quoting.escape(column.name, out);
            out.push(self.dialect.quoting.separator);
        }
        self.dialect.end_row(out);
        Ok(())
    }

    fn rows(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<u64> {
        let columns = self.columns.iter().map(|&column| {
            let cell = Cell {
                dialect: self.dialect,
                null: &self.null,
            };
            (column, cell)
        });
        let mut rows = Rows::of(batch, columns, &mut self.numbers)?;
        for row in 0..batch.num_rows() {
            rows.append(row, &mut self.numbers, out);
            self.dialect.end_row(out);
        }
        Ok(batch.num_rows() as u64)
    }

    fn remark(&self) -> Option<String> {
        None
    }

    fn reader(&self) -> Option<Box<dyn RowReader>> {
        Some(Box::new(Reader::new(&self.columns, self.dialect)))
    }
}

/// The cells of one column.
struct Cell<'a> {
    dialect: Dialect,
    null: &'a [u8],
}

impl CellForm for Cell<'_> {
    type Text = CsvText;

    fn text(&self, texts: &Texts) -> CsvText {
        CsvText::new(texts, self.dialect.quoting, self.null)
    }

    fn time(&self, instant: bool) -> (TimeForm, String, String) {
        let zone = if instant { self.dialect.zone() } else { "" };
        let after = format!("{zone}{}", char::from(self.after()));
        let mut form = self.dialect.time_form();
        if instant && self.dialect.times == Times::Plain {
            // No spreadsheet takes a time with six decimals for one, and where numbers have a comma none with a
            // point at all. `local_time` keeps its place among others.
            form.precision = Precision::Seconds;
        }
        (form, String::new(), after)
    }

    fn before(&self) -> &[u8] {
        b""
    }

    fn after(&self) -> u8 {
        self.dialect.quoting.separator
    }

    fn null(&self) -> &[u8] {
        self.null
    }

    fn has_infinity(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests;
