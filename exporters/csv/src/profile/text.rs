//! Text cells: quoted where RFC 4180 asks for it, and harmless in a spreadsheet where that is wanted.

use glucopipe_sdk::arrow::array::StringArray;
use glucopipe_sdk::batch::Texts;
use glucopipe_sdk::text::Render;

pub(super) const QUOTE: u8 = b'"';
const APOSTROPHE: u8 = b'\'';

/// How texts are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Quoting {
    /// Between cells.
    pub(super) separator: u8,
    /// Whether a text that a spreadsheet would run as a formula gets an apostrophe in front.
    pub(super) safe: bool,
}

impl Quoting {
    /// Appends a text as a cell, without separator.
    ///
    /// An empty text is quoted, because a cell with nothing in it is a null.
    pub(super) fn escape(self, text: &str, out: &mut Vec<u8>) {
        let bytes = text.as_bytes();
        let quoted = bytes.is_empty() || self.needs_quotes(bytes);
        if quoted {
            out.push(QUOTE);
        }
        self.append_apostrophe(bytes, out);
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

    /// Appends the apostrophe that a text needs in front, if any.
    pub(super) fn append_apostrophe(self, text: &[u8], out: &mut Vec<u8>) {
        if self.safe && is_formula(text) {
            out.push(APOSTROPHE);
        }
    }

    /// Whether any byte asks for quotes; without early exit, for the compiler to make it wide.
    pub(super) fn needs_quotes(self, text: &[u8]) -> bool {
        text.iter().fold(false, |found, &byte| {
            found | (byte == self.separator) | (byte == QUOTE) | (byte == b'\n') | (byte == b'\r')
        })
    }

    /// The text that was escaped to the inside of a cell, quotes undone.
    pub(super) fn without_apostrophe(self, text: &[u8]) -> &[u8] {
        match text {
            [APOSTROPHE, rest @ ..] if self.safe && is_formula(rest) => rest,
            _ => text,
        }
    }
}

fn is_formula(text: &[u8]) -> bool {
    matches!(
        text.first(),
        Some(b'=' | b'+' | b'-' | b'@' | b'\t' | b'\r')
    )
}

/// The text cells of one column, each with its separator.
pub(super) struct CsvText {
    quoting: Quoting,
    /// Whether no text of the column needs quotes; known only where looking at all of it at once is
    /// less work.
    clean: bool,
    /// The cell of a null with its separator.
    null: Box<[u8]>,
}

impl CsvText {
    /// For a column; `null` is the cell of a null with its separator.
    pub(super) fn new(texts: &Texts, quoting: Quoting, null: &[u8]) -> Self {
        let clean = match texts.parts() {
            (values, None) => !quoting.needs_quotes(all_bytes(values)),
            _ => false,
        };
        Self {
            quoting,
            clean,
            null: null.into(),
        }
    }
}

impl Render for CsvText {
    #[inline]
    fn render(&self, text: Option<&str>, out: &mut Vec<u8>) {
        let Some(text) = text else {
            out.extend_from_slice(&self.null);
            return;
        };
        let harmless = !self.quoting.safe || !is_formula(text.as_bytes());
        if self.clean && !text.is_empty() && harmless {
            out.extend_from_slice(text.as_bytes());
        } else {
            self.quoting.escape(text, out);
        }
        out.push(self.quoting.separator);
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

    const CELLS: [(&str, &str); 20] = [
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
    ];

    fn escaped(quoting: Quoting, text: &str) -> String {
        let mut out = Vec::new();
        quoting.escape(text, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn quotes_and_apostrophes_where_needed_only() {
        let quoting = Quoting {
            separator: b',',
            safe: true,
        };
        for (text, cell) in CELLS {
            assert_eq!(escaped(quoting, text), cell, "{text:?}");
        }
        let semicolon = Quoting {
            separator: b';',
            safe: false,
        };
        assert_eq!(escaped(semicolon, "a;b"), "\"a;b\"");
        assert_eq!(escaped(semicolon, "=a,b"), "=a,b");
    }

    #[test]
    fn the_apostrophe_comes_off_again() {
        let quoting = |safe| Quoting {
            separator: b',',
            safe,
        };
        for (inside, text) in [("'=1", "=1"), ("'x", "'x"), ("=1", "=1"), ("'", "'")] {
            let off = quoting(true).without_apostrophe(inside.as_bytes());
            assert_eq!(off, text.as_bytes());
            let kept = quoting(false).without_apostrophe(inside.as_bytes());
            assert_eq!(kept, inside.as_bytes());
        }
    }
}
