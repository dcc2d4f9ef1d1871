//! What exporters of text share: the choice of columns, times and numbers as text, and the file.
//!
//! Text is made by appending to a byte vector. What comes before and after each cell of a column is
//! part of what [`TextCells`], [`Moments`] and [`Numbers`] keep ready, so that a cell is one copy. A format
//! is a [`Layout`]; [`TextFile`] is its sink.

mod cells;
mod columns;
mod file;
mod moment;
mod number;

pub use cells::{Render, TextCells};
pub use columns::columns;
pub use file::{Layout, TextFile};
pub use moment::Moments;
pub use number::{Numbers, append_integer};
