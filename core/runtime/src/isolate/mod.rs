//! Plugins in a process of their own.
//!
//! A child is this very program, started again with [`SUBCOMMAND`]. It loads one library, gives up the
//! rights that a plugin of its kind does not need, and serves one object of it. Nothing but frames goes
//! between the two, see `message`: the host calls, the plugin asks the host for what an operation lends.
//!
//! # Layout
//! - `frame` and `message` are the language, `batches` is Arrow IPC; `handed` is how a child gets its library.
//! - `child` is the host's side: a process under limits; `process` starts, watches and ends it;
//!   `lend` answers what the plugin asks for.
//! - `inside` is the child's side: a small host whose services are those of the real one.
//! - `rights` says what a plugin may do, by its kind and its configuration.

mod batches;
mod child;
mod frame;
#[cfg(unix)]
mod handed;
#[cfg(unix)]
mod inside;
mod lend;
mod message;
#[cfg(unix)]
mod output;
#[cfg_attr(not(unix), path = "no_process.rs")]
mod process;
mod rights;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub(crate) use child::{Apart, Child, Streamed, describe, has_died, was_committing, was_stuck};
pub(crate) use message::{Call, Described, Named};
pub(crate) use process::{cleaned, ended};
pub(crate) use rights::Rights;

use crate::config::Isolate;

/// The word that starts this program as a child.
pub const SUBCOMMAND: &str = "plugin-process";

/// Exit code of a child that has nobody to talk to.
#[cfg(unix)]
const ALONE: i32 = 107;

/// Which plugins get a process of their own, and how.
#[derive(Clone, Debug)]
pub struct Isolation {
    /// Which ones, unless their table says otherwise.
    pub policy: Isolate,
    /// This program.
    pub program: PathBuf,
}

impl Isolation {
    /// Children of the program that is running.
    pub fn of_this_program(policy: Isolate) -> Self {
        // The link leads to the running file even after an update has put another one in its place.
        let program = if cfg!(target_os = "linux") {
            Some(PathBuf::from("/proc/self/exe"))
        } else {
            std::env::current_exe().ok()
        };
        Self {
            policy,
            program: program.unwrap_or_default(),
        }
    }
}

/// Gives up in this process what a child gives up before it loads a library; what cannot be given up is told to
/// `miss`, with the reason. To be called before any other thread is there.
pub(crate) fn give_up(rights: &Rights, library: &Path, miss: &dyn Fn(&str, String)) {
    #[cfg(unix)]
    inside::give_up(rights, library, miss);
    #[cfg(not(unix))]
    let _ = (rights, library, miss);
}

/// Gives up in this thread what a child gives up once its library is loaded.
pub(crate) fn give_up_loading(rights: &Rights) {
    #[cfg(unix)]
    inside::give_up_loading(rights);
    #[cfg(not(unix))]
    let _ = rights;
}

/// The life of a child; to be called by a program that was started with [`SUBCOMMAND`], before anything
/// else.
pub fn serve() -> ExitCode {
    #[cfg(unix)]
    {
        inside::serve()
    }
    #[cfg(not(unix))]
    ExitCode::from(2)
}
