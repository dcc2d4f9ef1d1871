//! `glucopipe`: reads blood glucose meters and delivers the readings where people need them.
//!
//! # Layout
//! - `args` is the command line, `cmd` holds one file per command.
//! - `context` sets up what commands share: clock, cancellation, log, plugin folders.
//! - `output` prints; `exit` owns the exit codes; `progress` draws bars; `signals` listens to Ctrl-C.

mod args;
mod cmd;
mod context;
mod exit;
mod output;
mod progress;
mod signals;

use std::panic::AssertUnwindSafe;
use std::process::ExitCode;

use clap::Parser;
use glucopipe_runtime::isolate::{SUBCOMMAND, serve};

fn main() -> ExitCode {
    if std::env::args_os()
        .nth(1)
        .is_some_and(|word| word == SUBCOMMAND)
    {
        // Whoever stops a run stops all processes of it; the run itself tells its plugins.
        signals::ignore();
        return serve();
    }
    let args = args::Args::parse();
    let context = context::Context::new(&args.global);
    // A test of a check gives up its rights, which is done thread by thread.
    if !args.command.is_one_test() {
        context.listen();
    }
    let ended =
        std::panic::catch_unwind(AssertUnwindSafe(|| cmd::dispatch(&context, args.command)));
    ended.unwrap_or(exit::Exit::Bug).into()
}
