//! `glucopipe schedule`: what makes a scheduler of the system run a pipeline. Data goes to standard output,
//! how to install it to standard error; nothing is installed.
//!
//! # Layout
//! - `job` finds out what is to be run, from the pipeline and from where we are.
//! - `timing` says when, in the words of every scheduler.
//! - `systemd`, `launchd`, `schtasks` and `cron` print: a [`Job`] in, text out.

mod cron;
mod job;
mod launchd;
mod schtasks;
mod systemd;
mod timing;
mod xml;

use glucopipe_runtime::problem::{Code, Problem};
use glucopipe_runtime::render::quoted;

use self::job::Job;
use self::timing::When;
use super::{Done, misused};
use crate::args::{Schedule, Scheduler};
use crate::context::Context;
use crate::exit::Exit;

/// Files for a scheduler.
struct Files {
    /// For standard output.
    text: String,
    /// How to install it, a line each.
    steps: Vec<String>,
}

/// Prints the files of a scheduler.
pub(super) fn schedule(context: &Context, args: &Schedule) -> Done {
    let systemd = args.scheduler == Scheduler::Systemd;
    if let Some(flag) = [("--system", args.system), ("--only", args.only.is_some())]
        .into_iter()
        .find_map(|(flag, given)| (given && !systemd).then_some(flag))
    {
        let problem = Problem::error(Code::SCHEDULE, format!("`{flag}` is for systemd alone"));
        return Ok(misused(context, &problem));
    }
    let when = match When::of(args) {
        Ok(when) => when,
        Err(problem) => return Ok(misused(context, &problem)),
    };
    let Some(job) = Job::find(context, args, when)? else {
        return Ok(Exit::Config);
    };
    let printed = match args.scheduler {
        Scheduler::Systemd => systemd::print(&job, args)?,
        Scheduler::Launchd => launchd::print(&job)?,
        Scheduler::Schtasks => schtasks::print(&job)?,
        Scheduler::Cron => cron::print(&job)?,
    };
    context.output.data(&printed.text);
    context.output.note("nothing is installed; to do it:");
    for step in &printed.steps {
        context.output.note(&format!("  {step}"));
    }
    Ok(Exit::Done)
}

/// A path or argument that a format has no way to write.
fn unwritable(what: &str, why: &str) -> Problem {
    Problem::error(Code::SCHEDULE, format!("`{what}` cannot be scheduled"))
        .cause(why.to_owned())
        .hint("rename it, or schedule a script that runs it")
}

#[cfg(test)]
mod tests;
