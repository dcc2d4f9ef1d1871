//! Plugins that misbehave: the run survives, names them, serves everybody else, and harms no file.

mod bench;
mod drivers;
mod exporters;
mod libraries;
#[cfg(target_os = "linux")]
mod museum;
mod program;
#[cfg(target_os = "linux")]
mod swaps;
mod transforms;
