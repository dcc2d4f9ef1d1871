//! Text cells: each distinct text of a dictionary is rendered once.

use arrow::array::{Array, StringArray};

use super::row::all_same;
use crate::batch::Texts;

/// How a format writes one text.
pub trait Render {
    /// Appends the cell of a text, or of a null, with all that is around it.
    fn render(&self, text: Option<&str>, out: &mut Vec<u8>);
}

/// A text column of a batch, ready to be written.
pub struct TextCells<R> {
    texts: Texts,
    render: R,
    prepared: Option<Prepared>,
}

/// The cells of a dictionary, the last one for nulls, and where each begins and ends.
struct Prepared {
    /// With room behind the last one, so that short cells are copied as one block.
    cells: Vec<u8>,
    ends: Vec<usize>,
}

/// Bytes that are copied at once, whatever is needed of them: a fixed number is a few instructions, any
/// other a call.
pub(super) const BLOCK: usize = 32;

/// Appends the first `length` bytes of a text that has [`BLOCK`] bytes more, of whatever kind.
#[inline]
pub(super) fn append_block(text: &[u8], length: usize, out: &mut Vec<u8>) {
    match text.first_chunk::<BLOCK>() {
        Some(block) if length <= BLOCK => {
            let end = out.len() + length;
            out.extend_from_slice(block);
            out.truncate(end);
        }
        _ => out.extend_from_slice(text.get(..length).unwrap_or_default()),
    }
}

impl<R: Render> TextCells<R> {
    /// Prepares a column, where that saves work.
    pub fn new(texts: Texts, render: R) -> Self {
        let prepared = match texts.parts() {
            (words, Some(keys)) if words.len() <= keys.len() => Some(Prepared::new(words, &render)),
            _ => None,
        };
        Self {
            texts,
            render,
            prepared,
        }
    }

    /// Whether all rows have the same cell; not every column that has is found out.
    pub(super) fn is_same(&self) -> bool {
        self.texts
            .parts()
            .1
            .is_some_and(|keys| match keys.null_count() {
                0 => all_same(keys.values().iter()),
                nulls => nulls == keys.len(),
            })
    }

    /// Appends the cell of a row.
    #[inline]
    pub fn append(&self, row: usize, out: &mut Vec<u8>) {
        match &self.prepared {
            Some(prepared) => prepared.append(&self.texts, row, out),
            None => self.render.render(self.texts.get(row), out),
        }
    }
}

impl Prepared {
    fn new(words: &StringArray, render: &impl Render) -> Self {
        let mut cells = Vec::new();
        let mut ends = Vec::with_capacity(words.len() + 2);
        ends.push(0);
        for text in words.iter().chain([None]) {
            render.render(text, &mut cells);
            ends.push(cells.len());
        }
        cells.extend([0; BLOCK]);
        Self { cells, ends }
    }

    #[inline]
    fn append(&self, texts: &Texts, row: usize, out: &mut Vec<u8>) {
        let null = self.ends.len().saturating_sub(2);
        let index = texts
            .parts()
            .1
            .filter(|keys| keys.is_valid(row))
            .and_then(|keys| usize::try_from(keys.value(row)).ok())
            .map_or(null, |index| index.min(null));
        let (start, end) = (self.ends[index], self.ends[index + 1]);
        append_block(&self.cells[start..], end - start, out);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::Arc;

    use arrow::array::{ArrayRef, DictionaryArray, Int32Array};

    use super::*;

    /// Brackets, and counts.
    struct Brackets<'a>(&'a Cell<usize>);

    impl Render for Brackets<'_> {
        fn render(&self, text: Option<&str>, out: &mut Vec<u8>) {
            self.0.set(self.0.get() + 1);
            out.extend_from_slice(format!("[{}]", text.unwrap_or("-")).as_bytes());
        }
    }

    fn written(array: &ArrayRef, rows: usize) -> (String, usize) {
        let count = Cell::new(0);
        let cells = TextCells::new(Texts::from_array(array).unwrap(), Brackets(&count));
        let mut out = Vec::new();
        for row in 0..rows {
            cells.append(row, &mut out);
        }
        (String::from_utf8(out).unwrap(), count.get())
    }

    #[test]
    fn words_are_rendered_once_and_all_forms_read_the_same() {
        let words = Arc::new(StringArray::from(vec![Some("a"), None, Some("")]));
        let keys = Int32Array::from(vec![Some(0), Some(1), None, Some(0), Some(2)]);
        let words: ArrayRef = Arc::new(DictionaryArray::new(keys, words));
        let plain: ArrayRef = Arc::new(StringArray::from(vec![
            Some("a"),
            None,
            None,
            Some("a"),
            Some(""),
        ]));
        let text = "[a][-][-][a][]".to_owned();
        assert_eq!(written(&words, 5), (text.clone(), 4));
        assert_eq!(written(&plain, 5), (text, 5));
        let few = words.slice(1, 2);
        assert_eq!(written(&few, 2), ("[-][-]".to_owned(), 2));
    }
}
