//! Whole-program tests.

mod agreement;
mod arrows;
mod commands;
mod crashes;
mod docs;
mod expected;
mod faults;
mod hostile;
mod journal;
mod messages;
mod people;
mod replay;
mod schedule;
mod support;
mod table;
mod text_files;
mod verio;
