//! `glucopipe run`.

use std::io::{ErrorKind, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use glucopipe_runtime::config::Loaded;
use glucopipe_runtime::device::Finder;
use glucopipe_runtime::journal::Journal;
use glucopipe_runtime::plugin::Registry;
use glucopipe_runtime::problem::{Code, Problem, Severity};
use glucopipe_runtime::run::engine;
use glucopipe_runtime::run::known::Keep;
use glucopipe_runtime::run::plan::{Plan, may_name_folders, plan};
use glucopipe_runtime::run::report::{Outcome, RunReport, SinkReport, SourceStatus};

use tempfile::NamedTempFile;

use super::place::{journal_path, pipeline_file, read};
use super::printed::{Printed, may_print};
use super::{Done, misused};
use crate::args::{Pipeline, Run};
use crate::context::Context;
use crate::exit::Exit;
use crate::output::{count, offset};

/// A pipeline that was read, with the plugins it may use.
pub(super) struct Opened {
    pub(super) loaded: Loaded,
    pub(super) registry: Registry,
}

/// Reads a pipeline file and finds its plugin folders.
pub(super) fn open(context: &Context, args: &Pipeline) -> Result<Opened, Problem> {
    let mut loaded = read(args)?;
    let mut plugins = loaded.pipeline.plugins.clone();
    if !plugins.path.is_empty()
        && let Err(problem) = may_name_folders(&args.pipeline)
    {
        let place = loaded.place_at(&["plugins", "path"]);
        loaded.report(problem.at(place));
        plugins.path.clear();
    }
    Ok(Opened {
        loaded,
        registry: context.registry_of(&plugins),
    })
}

/// Makes a plan, unless the configuration has problems.
pub(super) fn planned(context: &Context, opened: &mut Opened) -> Option<Plan> {
    let finder = context.finder(&opened.registry);
    let planned = plan(&mut opened.loaded, &opened.registry, &finder);
    planned.filter(|plan| may_print(plan, &mut opened.loaded))
}

/// Makes a plan; prints all problems of the configuration.
///
/// # Errors
/// The exit code when there is no plan.
pub(super) fn plan_or_report(context: &Context, opened: &mut Opened) -> Result<Plan, Exit> {
    let planned = planned(context, opened);
    for problem in opened.loaded.problems() {
        context.output.problem(problem);
    }
    planned.ok_or_else(|| match Exit::for_problems(opened.loaded.problems()) {
        Exit::Done => Exit::Config,
        exit => exit,
    })
}

/// Runs a pipeline.
pub(super) fn run(context: &Context, args: &Run) -> Done {
    let mut opened = open(context, &args.pipeline)?;
    let mut plan = match plan_or_report(context, &mut opened) {
        Ok(plan) => plan,
        Err(exit) => return Ok(exit),
    };
    if args.record.is_some() && plan.sources.len() > 1 {
        return Ok(misused(context, &too_many_sources(plan.sources.len())));
    }
    let target = ReportTarget::open(args.report.as_deref())?;
    let printed = match target.printed(&mut plan, args.dry_run) {
        Ok(printed) => printed,
        Err(problem) => return Ok(misused(context, &problem)),
    };
    let setup = match context.setup(args.record.as_deref(), args.dry_run) {
        Ok(setup) => setup,
        Err(problem) => return Ok(misused(context, &problem)),
    };
    let place = journal_path(&opened.loaded)?;
    let mut journal = if args.dry_run {
        Journal::preview(&place)?
    } else {
        Journal::open(&place)?
    };
    let finder = context.finder(&opened.registry);
    if let Some(limit) = args.wait
        && !wait_for_meters(context, &plan, &finder, limit)
    {
        let problem = Problem::error(Code::INTERRUPTED, "interrupted while waiting for a meter");
        return Err(problem.kept("nothing was read or written"));
    }
    let keep = Keep {
        journal: &mut journal,
        pipeline: pipeline_file(&args.pipeline.pipeline),
        transcript: args.record.clone(),
        replay: None,
        full: args.full,
    };
    let mut report = engine::run_kept(plan, &mut opened.loaded, &finder, &setup, keep);
    if let Some(printed) = printed {
        printed.print(context, &mut report);
    }
    Ok(finish(context, &report, target))
}

/// A recording that nobody could replay.
fn too_many_sources(sources: usize) -> Problem {
    let title = "`--record` is for a pipeline of one source";
    Problem::error(Code::TRANSCRIPT, title)
        .cause(format!(
            "a transcript holds one session, and this pipeline has {sources} sources"
        ))
        .kept("nothing was read or written")
        .hint("record one meter: `glucopipe dump --record FILE --device …`")
}

/// Tells how a run or a replay went.
pub(super) fn finish(context: &Context, report: &RunReport, target: ReportTarget<'_>) -> Exit {
    print_problems(context, report);
    summarise(context, report);
    let exit = exit_of(report);
    if let Err(problem) = target.write(context, report) {
        context.output.problem(&problem);
        return if exit == Exit::Done {
            Exit::Partial
        } else {
            exit
        };
    }
    exit
}

/// How often the system is asked for meters; it has no event that every platform knows.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// How often a meter that may not be opened is asked for again: a new node belongs to the system until its
/// rules have run.
const RULES_RUN: u32 = 3;

/// Waits until every source has a meter, or the time is over; what is missing then is the run's to report.
/// False when the user stopped it.
fn wait_for_meters(context: &Context, plan: &Plan, finder: &Finder<'_>, limit: Duration) -> bool {
    let until = Instant::now() + limit;
    let mut closed = 0;
    let mut missing = || {
        plan.sources.iter().any(|source| {
            let driver = source.driver.as_ref().map(|driver| driver.id.as_str());
            let chosen = finder.choose(driver, &source.selector);
            chosen.is_err_and(|problem| match problem.code {
                Code::DEVICE_ACCESS => {
                    closed += 1;
                    closed <= RULES_RUN
                }
                code => code == Code::NO_METER,
            })
        })
    };
    let mut told = false;
    while missing() {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        if !std::mem::replace(&mut told, true) {
            context.output.note("waiting for a meter to be attached");
        }
        if context.cancel.wait(left.min(ASK_AGAIN)) {
            return false;
        }
    }
    true
}

/// Prints what went wrong, once: a sink that only lacked a failed source is left to the summary, and an
/// interruption, or a journal that is not there, is one event however many nodes it met.
pub(super) fn print_problems(context: &Context, report: &RunReport) {
    let errors = report
        .errors()
        .filter(|problem| problem.severity == Severity::Error);
    let mut told: Vec<&Problem> = Vec::new();
    for problem in report.warnings.iter().chain(errors) {
        let repeated = told.iter().any(|one| {
            *one == problem || (problem.code == Code::INTERRUPTED && one.code == problem.code)
        });
        if !repeated {
            context.output.problem(problem);
            told.push(problem);
        }
    }
}

/// The exit code of a run. Why there is nothing new comes before what waited in the journal: a run without a
/// meter ends with 4, whether or not it had something left to deliver.
pub(super) fn exit_of(report: &RunReport) -> Exit {
    match report.outcome {
        Outcome::Done => Exit::Done,
        Outcome::Interrupted => Exit::Interrupted,
        Outcome::Partial if !report.only_sources_failed() => Exit::Partial,
        Outcome::Partial | Outcome::Failed => {
            report.failure().map_or(Exit::Partial, Exit::for_code)
        }
    }
}

/// Where the run report goes; begun before the run, so that a bad place is known before a meter is read.
pub(super) enum ReportTarget<'a> {
    Nowhere,
    Stdout,
    /// A temporary file beside the target, readable by its owner alone: the report may hold the bytes of
    /// records that were set aside.
    File(&'a Path, NamedTempFile),
}

impl<'a> ReportTarget<'a> {
    pub(super) fn open(path: Option<&'a Path>) -> Result<Self, Problem> {
        let Some(path) = path else {
            return Ok(Self::Nowhere);
        };
        if path.as_os_str() == "-" {
            return Ok(Self::Stdout);
        }
        let special = path.metadata().is_ok_and(|found| !found.is_file());
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        let made = if special {
            Err("it is there, and no file".to_owned())
        } else {
            let folder = folder.unwrap_or(Path::new("."));
            // The kind alone: the whole error names the temporary file.
            NamedTempFile::new_in(folder).map_err(|error| match error.kind() {
                ErrorKind::NotFound => "its folder is not there".to_owned(),
                kind => kind.to_string(),
            })
        };
        made.map(|file| Self::File(path, file))
            .map_err(|cause| report_problem(path, &cause).kept("nothing was read"))
    }

    /// The sink that prints, unless nothing is written.
    pub(super) fn printed(
        &self,
        plan: &mut Plan,
        dry_run: bool,
    ) -> Result<Option<Printed>, Problem> {
        if dry_run {
            return Ok(None);
        }
        Printed::take(plan, matches!(self, Self::Stdout).then_some("`--report -`"))
    }

    fn write(self, context: &Context, report: &RunReport) -> Result<(), Problem> {
        let document = serde_json::to_value(report).unwrap_or_default();
        match self {
            Self::Nowhere => Ok(()),
            Self::Stdout => {
                context.output.json(&document);
                Ok(())
            }
            Self::File(path, mut file) => {
                let written = file.write_all(format!("{document:#}\n").as_bytes());
                let placed = written.and_then(|()| file.persist(path).map_err(|error| error.error));
                placed.map(drop).map_err(|error| {
                    report_problem(path, &error.to_string()).kept("the run itself is finished")
                })
            }
        }
    }
}

fn report_problem(path: &Path, cause: &str) -> Problem {
    Problem::error(
        Code::SINK_WRITE,
        format!("cannot write the report `{}`", path.display()),
    )
    .cause(cause.to_owned())
}

/// One word for a node that gave nothing.
fn failed(problem: Option<&Problem>) -> String {
    let interrupted = problem.is_some_and(|problem| problem.code == Code::INTERRUPTED);
    if interrupted { "interrupted" } else { "failed" }.to_owned()
}

/// What a sink did with what it was offered.
fn brought(sink: &SinkReport) -> String {
    let mut text = count(sink.delivered, "reading");
    if !sink.targets.is_empty() {
        text.push_str(&format!(" to {}", sink.targets.join(", ")));
    }
    for (readings, what) in [
        (sink.already_there, "already there"),
        (sink.left_out, "without a place"),
        (sink.rejected, "refused"),
    ] {
        if readings > 0 {
            text.push_str(&format!(", {readings} {what}"));
        }
    }
    text
}

/// Says on standard error what happened, a line a node.
fn summarise(context: &Context, report: &RunReport) {
    let say = |line: String| context.output.note(&line);
    for source in &report.sources {
        let readings = match source.known {
            0 => count(source.read, "reading"),
            _ => count(source.read, "new reading"),
        };
        let what = match source.status {
            SourceStatus::Failed => failed(source.error.as_ref()),
            SourceStatus::Incomplete => {
                format!("{readings} from {}, incomplete", source.model)
            }
            SourceStatus::Complete => {
                format!("{readings} from {}", source.model)
            }
            SourceStatus::Replayed => {
                format!("{readings} from the journal")
            }
        };
        let read = matches!(
            source.status,
            SourceStatus::Complete | SourceStatus::Incomplete
        );
        let new = match source.new {
            new if !read || new == source.read => String::new(),
            0 => ", none new".to_owned(),
            new => format!(", {new} new"),
        };
        let known = match source.known {
            0 => String::new(),
            known => format!(", {known} known"),
        };
        let aside = match source.rejected {
            0 => String::new(),
            rejected => format!(", {} set aside", count(rejected, "record")),
        };
        let clock = source.clock_offset_s.map_or(String::new(), |seconds| {
            if seconds.abs() <= 60 {
                String::new()
            } else {
                format!(", clock {}", offset(seconds))
            }
        });
        say(format!("{}: {what}{new}{known}{aside}{clock}", source.name));
    }
    for sink in &report.sinks {
        let what = match (&sink.error, report.dry_run) {
            (Some(problem), _) if problem.severity == Severity::Error => {
                let came = sink.delivered + sink.already_there > 0;
                if came && problem.code == Code::SINK_PENDING {
                    brought(sink)
                } else {
                    failed(Some(problem))
                }
            }
            (Some(_), _) => "not served, because nothing was read for it".to_owned(),
            (_, true) => format!("would be offered {}", count(sink.offered, "reading")),
            _ if sink.offered == 0 && sink.targets.is_empty() => "nothing new".to_owned(),
            _ => brought(sink),
        };
        let waits = match sink.pending {
            0 => String::new(),
            pending => format!("; {} left for the next run", count(pending, "reading")),
        };
        say(format!("{}: {what}{waits}", sink.name));
        for line in &sink.would {
            say(format!("  {line}"));
        }
    }
}
