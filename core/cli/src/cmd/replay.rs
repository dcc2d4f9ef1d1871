//! `glucopipe replay`.

use chrono::{NaiveDate, NaiveDateTime};
use glucopipe_runtime::journal::Journal;
use glucopipe_runtime::problem::{Code, Problem};
use glucopipe_runtime::run::engine;
use glucopipe_runtime::run::known::{Keep, Replay};
use glucopipe_runtime::run::plan::Plan;

use super::place::{journal_path, pipeline_file};
use super::run::{ReportTarget, finish, open, plan_or_report};
use super::{Done, misused};
use crate::args;
use crate::context::Context;

/// Delivers what the journal has; reads no meter.
pub(super) fn replay(context: &Context, args: &args::Replay) -> Done {
    let since = match args.since.as_deref().map(since) {
        None => None,
        Some(Ok(since)) => Some(since),
        Some(Err(problem)) => return Ok(misused(context, &problem)),
    };
    let mut opened = open(context, &args.pipeline)?;
    let mut plan = match plan_or_report(context, &mut opened) {
        Ok(plan) => plan,
        Err(exit) => return Ok(exit),
    };
    if let Err(problem) = choose(&mut plan, &args.sink) {
        return Ok(misused(context, &problem));
    }
    let target = ReportTarget::open(args.report.as_deref())?;
    let printed = match target.printed(&mut plan, args.dry_run) {
        Ok(printed) => printed,
        Err(problem) => return Ok(misused(context, &problem)),
    };
    let setup = context.setup(None, args.dry_run)?;
    let place = journal_path(&opened.loaded)?;
    let mut journal = if args.dry_run {
        Journal::preview(&place)?
    } else {
        Journal::open(&place)?
    };
    let keep = Keep {
        journal: &mut journal,
        pipeline: pipeline_file(&args.pipeline.pipeline),
        transcript: None,
        replay: Some(Replay {
            again: args.all,
            since,
        }),
        full: false,
    };
    let finder = context.finder(&opened.registry);
    let mut report = engine::run_kept(plan, &mut opened.loaded, &finder, &setup, keep);
    if let Some(printed) = printed {
        printed.print(context, &mut report);
    }
    Ok(finish(context, &report, target))
}

/// Leaves the named sinks, or all when none is named.
fn choose(plan: &mut Plan, names: &[String]) -> Result<(), Problem> {
    let known: Vec<String> = plan.sinks.iter().map(|sink| sink.name.clone()).collect();
    if let Some(unknown) = names.iter().find(|name| !known.contains(name)) {
        let title = format!("`--sink {unknown}` names no sink of the pipeline");
        let problem = Problem::error(Code::CONFIG_NAME, title);
        return Err(problem.hint(format!("there are: {}", known.join(", "))));
    }
    if !names.is_empty() {
        plan.sinks.retain(|sink| names.contains(&sink.name));
    }
    Ok(())
}

/// A local date or time, in microseconds.
fn since(text: &str) -> Result<i64, Problem> {
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok();
    let formats = ["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S"];
    let time = date.and_then(|date| date.and_hms_opt(0, 0, 0)).or_else(|| {
        let mut formats = formats.iter();
        formats.find_map(|format| NaiveDateTime::parse_from_str(text, format).ok())
    });
    time.map(|time| time.and_utc().timestamp_micros())
        .ok_or_else(|| {
            let title = format!("`--since {text}` is no local date or time");
            Problem::error(Code::DATA_FILTER, title)
                .hint("as in `2026-01-01` or `2026-01-01T06:00:00`")
        })
}
