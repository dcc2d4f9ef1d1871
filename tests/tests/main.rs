//! Whole-program tests.

mod agreement;
mod arrows;
mod authors;
mod commands;
mod conformance;
mod contour_clock;
mod crashes;
mod devices;
mod docs;
mod exchanges;
mod expected;
mod faults;
mod frozen;
mod hostile;
mod incremental;
#[cfg(target_os = "linux")]
mod isolation;
mod journal;
mod lakes;
mod messages;
mod people;
mod replay;
mod schedule;
mod support;
mod table;
mod text_files;
mod transcript;
#[cfg(target_os = "linux")]
mod trust;
mod verio;
mod weather;
