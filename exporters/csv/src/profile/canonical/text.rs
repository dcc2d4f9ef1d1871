//! Text cells: quoted where RFC 4180 asks for it, and harmless in a spreadsheet.

use glucopipe_sdk::arrow::array::StringArray;
use glucopipe_sdk::batch::Texts;
use glucopipe_sdk::text::Render;

use super::SEPARATOR;

const QUOTE: u8 = b'"';

/// Appends a text as a cell, without separator.
///
/// A text that a spreadsheet would run as a formula gets an apostrophe in front. An empty text is
/// quoted, because a cell with nothing in it is a null.
pub(super) fn escape(text: &str, out: &mut Vec<u8>) {
    let bytes = text.as_bytes();
    let quoted = bytes.is_empty() || needs_quotes(bytes);
    if quoted {
        out.push(QUOTE);
    }
    if is_formula(bytes) {
        out.push(b'\'');
    }
    if quoted {
        for part in bytes.split_inclusive(|&byte| byte == QUOTE) {
            out.extend_from_slice(part);
            if part.ends_with(&[QUOTE]) {
                out.push(QUOTE);
            }
        }
        out.push(QUOTE);
    } else {
        out.extend_from_slice(bytes);
    }
}

fn is_formula(text: &[u8]) -> bool {
    matches!(
        text.first(),
        Some(b'=' | b'+' | b'-' | b'@' | b'\t' | b'\r')
    )
}

/// Whether any byte asks for quotes; without early exit, for the compiler to make it wide.
fn needs_quotes(text: &[u8]) -> bool {
    text.iter().fold(false, |found, &byte| {
        found | (byte == SEPARATOR) | (byte == QUOTE) | (byte == b'\n') | (byte == b'\r')
    })
}

/// The text cells of one column.
pub(super) struct CsvText {
    /// Whether no text of the column needs quotes; known only where looking at all of it at once is
    /// less work.
    clean: bool,
    /// The cell of a null with its separator.
    null: &'static [u8],
}

impl CsvText {
    /// For a column; `null` is the cell of a null with its separator.
    pub(super) fn new(texts: &Texts, null: &'static [u8]) -> Self {
        let clean = match texts.parts() {
            (values, None) => !needs_quotes(all_bytes(values)),
            _ => false,
        };
        Self { clean, null }
    }
}

impl Render for CsvText {
    #[inline]
    fn render(&self, text: Option<&str>, out: &mut Vec<u8>) {
        let Some(text) = text else {
            out.extend_from_slice(self.null);
            return;
        };
        if self.clean && !text.is_empty() && !is_formula(text.as_bytes()) {
            out.extend_from_slice(text.as_bytes());
        } else {
            escape(text, out);
        }
        out.push(SEPARATOR);
    }
}

/// The bytes of all texts, one after the other.
fn all_bytes(values: &StringArray) -> &[u8] {
    let ends = values.value_offsets();
    let position = |end: Option<&i32>| end.and_then(|&end| usize::try_from(end).ok());
    position(ends.first())
        .zip(position(ends.last()))
        .and_then(|(first, last)| values.value_data().get(first..last))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_apostrophes_where_needed_only() {
        for (text, cell) in [
            ("", "\"\""),
            ("before", "before"),
            (" a b ", " a b "),
            ("µ–ß 血糖", "µ–ß 血糖"),
            ("a\0b", "a\0b"),
            ("a,b", "\"a,b\""),
            ("a;b", "a;b"),
            ("a\"b\"", "\"a\"\"b\"\"\""),
            ("\"", "\"\"\"\""),
            ("a\nb", "\"a\nb\""),
            ("a\rb", "\"a\rb\""),
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@A1", "'@A1"),
            ("\tx", "'\tx"),
            ("\rx", "\"'\rx\""),
            ("=A1,\"B\"", "\"'=A1,\"\"B\"\"\""),
            ("a=b", "a=b"),
            ("'x", "'x"),
        ] {
            let mut out = Vec::new();
            escape(text, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), cell, "{text:?}");
        }
    }
}
