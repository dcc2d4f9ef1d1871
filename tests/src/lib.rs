//! The harness of the whole-program tests.
//!
//! [`build`] makes the program and all plugins once per test process; a [`Workspace`] is a private
//! folder with plugins and files to run the program in; a [`Meeting`] is where a test waits for a
//! plugin that stands still. Nothing here sleeps, and nothing waits without a limit.

mod build;
mod crash;
mod meeting;
mod process;
mod weather;
mod workspace;

pub use build::{Built, build};
pub use crash::{Dice, End, Moment, has_temporary, kill_at};
pub use meeting::Meeting;
pub use process::{Finished, Running};
pub use weather::{ENDED, Weather};
pub use workspace::Workspace;

/// Longest time that a child or a plugin may take before the test fails.
pub const PATIENCE: std::time::Duration = std::time::Duration::from_secs(120);
