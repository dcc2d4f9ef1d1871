//! `glucopipe journal`.

use std::path::Path;
use std::time::Duration;

use glucopipe_runtime::journal::{Journal, Prunable, SinkStats, Stats, Turn, Upkept, damaged};
use glucopipe_runtime::problem::{Code, Problem};

use super::confirm::{About, confirm};
use super::place::journal_here;
use super::{Done, misused};
use crate::args::{self, JournalFile, JournalForget, JournalPrune, JournalStats};
use crate::context::Context;
use crate::exit::Exit;
use crate::output::count;

/// How long a prune waits for a run.
const TURN: Duration = Duration::from_secs(60);

/// Runs a command on the journal.
pub(super) fn journal(context: &Context, command: &args::Journal) -> Done {
    match command {
        args::Journal::Stats(args) => stats(context, args),
        args::Journal::Export(args) => export(context, args),
        args::Journal::Verify(args) => verify(context, args),
        args::Journal::Prune(args) => prune(context, args),
        args::Journal::Forget(args) => forget(context, args),
    }
}

/// The journal to look at, if there is one yet.
fn looked(context: &Context, file: &JournalFile) -> Result<Option<Journal>, Problem> {
    told(context, file, Journal::look)
}

/// The journal to change, if there is one yet.
fn opened(context: &Context, file: &JournalFile) -> Result<Option<Journal>, Problem> {
    told(context, file, Journal::open_existing)
}

/// What `open` finds; says when there is nothing.
fn told(
    context: &Context,
    file: &JournalFile,
    open: impl FnOnce(&Path) -> Result<Option<Journal>, Problem>,
) -> Result<Option<Journal>, Problem> {
    let path = journal_here(file.path.as_deref())?;
    let journal = open(&path)?;
    if journal.is_none() {
        let place = path.display();
        context.output.note(&format!(
            "there is no journal at {place} yet: nothing was read"
        ));
    }
    Ok(journal)
}

fn stats(context: &Context, args: &JournalStats) -> Done {
    let stats = match looked(context, &args.file)? {
        Some(journal) => journal.stats()?,
        None if args.json => Stats::default(),
        None => return Ok(Exit::Done),
    };
    if args.json {
        let document = serde_json::to_value(&stats).unwrap_or_default();
        context.output.json(&document);
        return Ok(Exit::Done);
    }
    let line = [
        count(stats.readings, "reading"),
        count(stats.meters, "meter"),
        count(stats.sessions, "session"),
        count(stats.conflicts, "conflict"),
        format!("{} set aside", count(stats.set_aside, "record")),
    ];
    context.output.data(&format!("{}\n", line.join(", ")));
    let rows: Vec<Vec<String>> = stats
        .sinks
        .iter()
        .map(|sink| {
            vec![
                sink.sink.to_string(),
                sink.name.clone(),
                sink.exporter.clone(),
                sink.acknowledged.to_string(),
                sink.refused.to_string(),
                sink.left_out.to_string(),
                sink.pending.to_string(),
                sink.pipeline.clone(),
            ]
        })
        .collect();
    if !rows.is_empty() {
        let head = [
            "NO",
            "SINK",
            "EXPORTER",
            "ACKNOWLEDGED",
            "REFUSED",
            "LEFT OUT",
            "NOT YET",
            "PIPELINE",
        ];
        context.output.table(&head, &rows);
    }
    Ok(Exit::Done)
}

fn export(context: &Context, args: &JournalFile) -> Done {
    if let Some(journal) = looked(context, args)? {
        journal.export(|line| context.output.data(&format!("{line}\n")))?;
    }
    Ok(Exit::Done)
}

fn verify(context: &Context, args: &JournalStats) -> Done {
    let found = match looked(context, &args.file)? {
        Some(journal) => journal.verify()?,
        None if args.json => Upkept::default(),
        None => return Ok(Exit::Done),
    };
    if args.json {
        context
            .output
            .json(&serde_json::to_value(&found).unwrap_or_default());
    } else if found.findings.is_empty() {
        let readings = count(found.readings, "reading");
        context.output.data(&format!("{readings}, all is well\n"));
    }
    if found.findings.is_empty() {
        return Ok(Exit::Done);
    }
    let path = journal_here(args.file.path.as_deref())?;
    Err(damaged(&path, found.findings))
}

fn prune(context: &Context, args: &JournalPrune) -> Done {
    let Some(mut journal) = opened(context, &args.file)? else {
        return Ok(Exit::Done);
    };
    let midnight = args.before.and_hms_opt(0, 0, 0).unwrap_or_default();
    let before = midnight.and_utc().timestamp_micros();
    // Asked without the turn: a run does not wait for somebody to answer.
    let Prunable { readings, kept } = journal.prunable(before)?;
    for (reason, number) in kept {
        let number = count(number, "reading");
        context.output.note(&format!("{number} kept: {reason}"));
    }
    if readings == 0 {
        context.output.note("nothing to delete");
        return Ok(Exit::Done);
    }
    let refused = |readings: u64| {
        let what = count(readings, "reading");
        let question = format!("Delete {what} from before {} for ever?", args.before);
        confirm(context, About::Journal, args.yes, &question, "delete")
    };
    if let Some(exit) = refused(readings) {
        return Ok(exit);
    }
    let _turn = turn(context, &journal)?;
    let more = journal.prunable(before)?.readings;
    if more > readings
        && let Some(exit) = refused(more)
    {
        return Ok(exit);
    }
    let deleted = count(journal.prune(before)?, "reading");
    context.output.note(&format!("{deleted} deleted"));
    Ok(Exit::Done)
}

fn forget(context: &Context, args: &JournalForget) -> Done {
    let Some(mut journal) = opened(context, &args.file)? else {
        return Ok(Exit::Done);
    };
    let sinks = journal.stats()?.sinks;
    let meant = |sink: &&SinkStats| sink.sink.to_string() == args.sink || sink.name == args.sink;
    let found: Vec<&SinkStats> = sinks.iter().filter(meant).collect();
    let [sink] = found.as_slice() else {
        let (title, hint) = if found.is_empty() {
            let title = format!("the journal has no sink `{}`", args.sink);
            (title, "`glucopipe journal stats` lists them".to_owned())
        } else {
            let title = format!("the journal has {} sinks `{}`", found.len(), args.sink);
            let numbers: Vec<String> = found.iter().map(|sink| sink.sink.to_string()).collect();
            let hint = format!("say which by its number: {}", numbers.join(", "));
            (
                title,
                format!("{hint}; `glucopipe journal stats` tells them apart"),
            )
        };
        let problem = Problem::error(Code::CONFIG_NAME, title);
        let problem = problem.kept("nothing was forgotten").hint(hint);
        return Ok(misused(context, &problem));
    };
    let question = format!(
        "Forget `{}` of {}, with what it has acknowledged ({}) and what waits for it ({})? A pipeline that still \
         has it offers it everything again.",
        sink.name, sink.pipeline, sink.acknowledged, sink.pending
    );
    if let Some(exit) = confirm(context, About::Journal, args.yes, &question, "yes") {
        return Ok(exit);
    }
    let _turn = turn(context, &journal)?;
    journal.forget(sink.sink)?;
    context
        .output
        .note(&format!("`{}` is forgotten", sink.name));
    Ok(Exit::Done)
}

/// Waits until nobody delivers.
fn turn(context: &Context, journal: &Journal) -> Result<Turn, Problem> {
    journal.turn(&context.cancel, TURN, || {
        let line = "waiting until another glucopipe has delivered";
        context.output.note(line);
    })
}
