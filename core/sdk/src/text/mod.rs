//! What exporters of text share: the choice of columns, times and numbers as text, and the file.
//!
//! Text is made by appending to a byte vector. What comes before and after each cell of a column is
//! part of what [`TextCells`], [`Moments`] and [`Numbers`] keep ready, so that a cell is one copy; [`Rows`]
//! puts the columns of a batch together. A format is a [`Layout`]; [`TextFile`] is its sink, which replaces
//! the file that is there, adds to it or merges with it.

mod cells;
mod columns;
mod earlier;
mod file;
mod ids;
mod layout;
mod merge;
mod moment;
mod number;
mod out;
mod row;

pub use cells::{Render, TextCells};
pub use columns::columns;
pub use file::{Mode, STANDARD_OUTPUT, TextFile};
pub use layout::{Found, Layout, RowKey, RowReader};
pub use moment::{DateOrder, Moments, Precision, TimeForm, parse_time};
pub use number::Numbers;
pub use row::{CellForm, Rows};
