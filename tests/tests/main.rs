//! Whole-program tests.

mod agreement;
mod expected;
mod hostile;
mod table;
