//! Whole-program tests.

mod agreement;
mod arrows;
mod commands;
mod devices;
mod docs;
mod expected;
mod faults;
mod hostile;
mod messages;
mod replay;
mod support;
mod table;
mod verio;
