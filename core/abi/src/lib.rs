//! The glucopipe plugin ABI for Rust: a hand-written mirror of `include/glucopipe.h`.
//!
//! The header is the contract, and every rule, ownership sentence and thread tag stands there; this
//! crate only repeats its shapes, name by name. Tests compile the header and compare names, layout,
//! types and constants of both. Tables of the other side are read with [`read_table`], never through a
//! reference, because their true size is what `struct_size` says.

#![no_std]
#![allow(non_camel_case_types)]

mod arrow;
mod constants;
#[doc(hidden)]
pub mod layout;
mod structs;
mod table;

pub use arrow::{ArrowArray, ArrowArrayStream, ArrowSchema};
pub use constants::*;
pub use structs::*;
pub use table::{Table, TableError, read_table};

/// The header this crate mirrors, to be written out for authors in other languages.
pub const HEADER: &str = include_str!("../include/glucopipe.h");
