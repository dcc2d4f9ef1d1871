//! Where a value came from: bytes of the file, an environment variable or a flag.

use std::ops::Range;
use std::sync::Arc;

use super::document::{Content, Document, Node};
use super::layers::Overlays;
use super::mask;
use super::persons;
use crate::problem::{Place, Problem};

/// Everything that is needed to point at a value.
pub(super) struct Origins {
    pub(super) file: String,
    /// The text with secrets hidden; the only text that places hold.
    shown: Arc<str>,
    pub(super) document: Document,
    pub(super) overlays: Overlays,
}

impl Origins {
    pub(super) fn new(file: String, text: &str, document: Document, overlays: Overlays) -> Self {
        let likely = mask::likely(text);
        let shown = mask::hide(&likely, &persons::hidden(&document, text));
        Self {
            file,
            shown: Arc::from(shown),
            document,
            overlays,
        }
    }

    /// The value at `path`, or the nearest table around it.
    pub(super) fn place(&self, path: &[&str]) -> Place {
        self.locate(path, |node| match node.content {
            // A table's bytes are its header or its braces; its name says more.
            Content::Table(_) => node.key.clone(),
            Content::List(_) | Content::Leaf(_) => node.span.clone(),
        })
    }

    /// The key at `path`, or the nearest table around it.
    pub(super) fn place_key(&self, path: &[&str]) -> Place {
        self.locate(path, |node| node.key.clone())
    }

    /// The file as a whole.
    pub(super) fn whole(&self) -> Place {
        Place::Named(self.file.clone())
    }

    /// Bytes of the file.
    pub(super) fn span(&self, span: Range<usize>) -> Place {
        Place::Text {
            file: self.file.clone(),
            text: Arc::clone(&self.shown),
            span,
        }
    }

    fn locate(&self, path: &[&str], of: impl Fn(&Node) -> Range<usize>) -> Place {
        if let Some(overlay) = self.overlays.origin(path) {
            return Place::Named(overlay.label.clone());
        }
        if let Some(node) = self.document.find(path) {
            return self.span(of(node));
        }
        if let Some(overlay) = self.overlays.below(path) {
            return Place::Named(overlay.label.clone());
        }
        let around = (1..path.len())
            .rev()
            .find_map(|len| self.document.find(&path[..len]));
        around.map_or_else(|| self.whole(), |node| self.span(node.key.clone()))
    }

    /// Hides the value at `path` in all places made from now on; says whether it is in the file.
    pub(super) fn hide(&mut self, path: &[&str]) -> bool {
        let Some(node) = self.document.find(path) else {
            return false;
        };
        self.shown = Arc::from(mask::hide(&self.shown, std::slice::from_ref(&node.span)));
        true
    }

    /// Hides in a problem made before what was hidden since.
    pub(super) fn refresh(&self, problem: &mut Problem) {
        if let Some(Place::Text { file, text, .. }) = &mut problem.place
            && *file == self.file
            && text.len() == self.shown.len()
        {
            *text = Arc::clone(&self.shown);
        }
    }
}
