//! Reading rows back, to add to them: strictly as this exporter writes them, so that a file that another
//! program saved is known.

use glucopipe_sdk::schema::Column;
use glucopipe_sdk::text::{Found, RowKey, RowReader, parse_time};
use memchr::{memchr, memchr_iter, memchr2};

use super::{BOM, Dialect};
use crate::options::LineEnd;
use crate::profile::text::QUOTE;

const QUOTED: &str = "a cell in quotes that needs none: another program saved it";
const BARE: &str = "a quote in a cell without quotes";
const TOO_MANY: &str = "a row with other cells than the header";
const LINE_ENDS: &str = "line ends of another program";
const TIME: &str = "a `local_time` that is not as this sink writes it";

/// Reads rows of a dialect.
pub(super) struct Reader {
    dialect: Dialect,
    names: Vec<&'static str>,
    reading_id: Option<usize>,
    local_time: Option<usize>,
    record_key: Option<usize>,
    /// The inside of a quoted cell.
    unquoted: Vec<u8>,
}

impl Reader {
    pub(super) fn new(columns: &[&'static Column], dialect: Dialect) -> Self {
        let at = |name| columns.iter().position(|column| column.name == name);
        Self {
            dialect,
            names: columns.iter().map(|column| column.name).collect(),
            reading_id: at("reading_id"),
            local_time: at("local_time"),
            record_key: at("record_key"),
            unquoted: Vec::new(),
        }
    }

    /// Takes what a cell says of the key of its row.
    fn take(&self, column: usize, cell: &[u8], key: &mut RowKey) -> Result<(), &'static str> {
        let column = Some(column);
        if column == self.reading_id || column == self.record_key {
            let text = self.dialect.quoting.without_apostrophe(cell);
            let field = if column == self.reading_id {
                &mut key.reading_id
            } else {
                &mut key.record_key
            };
            field.clear();
            field.extend_from_slice(text);
        } else if column == self.local_time {
            let between = self.dialect.time_form().between;
            key.local_time = parse_time(cell, between).ok_or(TIME)?;
        }
        Ok(())
    }

    /// Length of a row without quotes, which nearly all are: three passes of the processor's widest
    /// instructions. `None` for any other, and for what is odd.
    fn plain_row(&self, text: &[u8], key: &mut RowKey) -> Option<usize> {
        let end = memchr(b'\n', text)?;
        let line = match self.dialect.line_end {
            LineEnd::Lf => text.get(..end)?,
            LineEnd::Crlf => text.get(..end)?.strip_suffix(b"\r")?,
        };
        if memchr2(QUOTE, b'\r', line).is_some() {
            return None;
        }
        let (mut at, mut column) = (0, 0);
        let ends = memchr_iter(self.dialect.quoting.separator, line).chain([line.len()]);
        for end in ends {
            self.take(column, line.get(at..end)?, key).ok()?;
            at = end + 1;
            column += 1;
        }
        (column == self.names.len()).then_some(end + 1)
    }

    /// Length of the row, or `None` when it goes on after `text`.
    fn row(&mut self, text: &[u8], key: &mut RowKey) -> Result<Option<usize>, &'static str> {
        let mut at = 0;
        let mut column = 0;
        loop {
            let end = if text.get(at) == Some(&QUOTE) {
                let Some(end) = self.quoted(text, at)? else {
                    return Ok(None);
                };
                let unquoted = std::mem::take(&mut self.unquoted);
                let taken = self.take(column, &unquoted, key);
                self.unquoted = unquoted;
                taken?;
                end
            } else {
                let rest = text.get(at..).unwrap_or_default();
                let Some(length) = rest.iter().position(|&byte| self.ends_cell(byte)) else {
                    return Ok(None);
                };
                self.take(column, &rest[..length], key)?;
                at + length
            };
            column += 1;
            match text.get(end) {
                None => return Ok(None),
                Some(&byte) if byte == self.dialect.quoting.separator => at = end + 1,
                Some(&QUOTE) => return Err(BARE),
                Some(_) => return self.line_end(text, end, column),
            }
            if column == self.names.len() {
                return Err(TOO_MANY);
            }
        }
    }

    fn ends_cell(&self, byte: u8) -> bool {
        byte == self.dialect.quoting.separator || matches!(byte, b'\n' | b'\r' | QUOTE)
    }

    /// The position after a quoted cell, whose inside goes to `unquoted`.
    fn quoted(&mut self, text: &[u8], start: usize) -> Result<Option<usize>, &'static str> {
        self.unquoted.clear();
        let mut at = start + 1;
        loop {
            let rest = text.get(at..).unwrap_or_default();
            let Some(length) = rest.iter().position(|&byte| byte == QUOTE) else {
                return Ok(None);
            };
            self.unquoted.extend_from_slice(&rest[..length]);
            at += length + 1;
            match text.get(at) {
                None => return Ok(None),
                Some(&QUOTE) => {
                    self.unquoted.push(QUOTE);
                    at += 1;
                }
                Some(_) => break,
            }
        }
        let inside = &self.unquoted;
        if !inside.is_empty() && !self.dialect.quoting.needs_quotes(inside) {
            return Err(QUOTED);
        }
        let ends = text
            .get(at)
            .is_some_and(|&byte| byte != QUOTE && self.ends_cell(byte));
        ends.then_some(Some(at)).ok_or(BARE)
    }

    /// The end of a row whose last cell ends at `end`.
    fn line_end(
        &self,
        text: &[u8],
        end: usize,
        cells: usize,
    ) -> Result<Option<usize>, &'static str> {
        let expected = self.dialect.line_end();
        let found = text.get(end..).unwrap_or_default();
        if !found.starts_with(expected) {
            let cut = expected.starts_with(found);
            return if cut { Ok(None) } else { Err(LINE_ENDS) };
        }
        if cells != self.names.len() {
            return Err(TOO_MANY);
        }
        Ok(Some(end + expected.len()))
    }
}

impl RowReader for Reader {
    fn read(&mut self, text: &[u8], key: &mut RowKey) -> Found {
        if let Some(length) = self.plain_row(text, key) {
            return Found::Row(length);
        }
        match self.row(text, key) {
            Ok(Some(length)) => Found::Row(length),
            Ok(None) => Found::Part,
            Err(why) => Found::Odd(why),
        }
    }

    fn explain(&self, beginning: &[u8]) -> String {
        let without_bom = beginning.strip_prefix(BOM);
        match (without_bom.is_some(), self.dialect.bom) {
            (true, false) => return "a byte order mark that another program put there".to_owned(),
            (false, true) => return "the byte order mark is missing".to_owned(),
            _ => {}
        }
        let text = without_bom.unwrap_or(beginning);
        let line = text.split(|&byte| byte == b'\n').next().unwrap_or_default();
        let (line, end) = match line.strip_suffix(b"\r") {
            Some(line) => (line, LineEnd::Crlf),
            None => (line, LineEnd::Lf),
        };
        let header = String::from_utf8_lossy(line);
        let found: Vec<&str> = header
            .split(char::from(self.dialect.quoting.separator))
            .collect();
        if found == self.names {
            return if end == self.dialect.line_end {
                "a header alone, cut off".to_owned()
            } else {
                LINE_ENDS.to_owned()
            };
        }
        let of = |names: &[&str], others: &[&str]| {
            let names = names.iter().filter(|name| !others.contains(name));
            names.map(|name| format!("`{name}`")).collect::<Vec<_>>()
        };
        let (extra, missing) = (of(&found, &self.names), of(&self.names, &found));
        // Anything else may be a reading, and is not shown.
        let known = |name: &&str| glucopipe_sdk::schema::column_named(name).is_some();
        if !found.iter().all(known) {
            return "no header of this sink".to_owned();
        }
        let mut parts = Vec::new();
        if !missing.is_empty() {
            parts.push(format!("no column {}", missing.join(", ")));
        }
        if !extra.is_empty() {
            parts.push(format!(
                "a column {} that this sink has not",
                extra.join(", ")
            ));
        }
        if parts.is_empty() {
            parts.push("the columns of this sink in another order".to_owned());
        }
        parts.join(", and ")
    }
}

#[cfg(test)]
mod tests;
