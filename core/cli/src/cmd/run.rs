//! `glucopipe run`.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use glucopipe_runtime::config::{LoadRequest, Loaded, load, read_text};
use glucopipe_runtime::plugin::Registry;
use glucopipe_runtime::problem::{Code, Place, Problem, Severity};
use glucopipe_runtime::run::engine;
use glucopipe_runtime::run::plan::{Plan, may_name_folders, plan};
use glucopipe_runtime::run::report::{Outcome, RunReport, SourceStatus};

use super::Done;
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
    let text = read_text(&args.pipeline).map_err(|problem| *problem)?;
    let mut loaded = load(LoadRequest {
        file: args.pipeline.display().to_string(),
        text,
        overrides: args.set.clone(),
        environment: std::env::vars_os().collect(),
    });
    let mut folders = loaded.pipeline.plugins.path.clone();
    if !folders.is_empty()
        && let Err(problem) = may_name_folders(&args.pipeline)
    {
        let place = loaded.place_at(&["plugins", "path"]);
        loaded.report(problem.at(place));
        folders.clear();
    }
    Ok(Opened {
        loaded,
        registry: context.registry(&folders),
    })
}

/// Makes a plan; prints all problems of the configuration.
///
/// # Errors
/// The exit code when there is no plan.
pub(super) fn plan_or_report(context: &Context, opened: &mut Opened) -> Result<Plan, Exit> {
    let finder = context.finder(&opened.registry);
    let planned = plan(&mut opened.loaded, &opened.registry, &finder);
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
    let plan = match plan_or_report(context, &mut opened) {
        Ok(plan) => plan,
        Err(exit) => return Ok(exit),
    };
    let setup = context.setup(args.record.as_deref(), args.dry_run)?;
    let finder = context.finder(&opened.registry);
    let report = engine::run(plan, &mut opened.loaded, &finder, &setup);
    print_problems(context, &report);
    summarise(context, &report);
    if let Some(path) = &args.report {
        write_report(context, path, &report)?;
    }
    Ok(exit_of(&report))
}

/// Prints what went wrong, once: a sink that only lacked a failed source is left to the summary, and an
/// interruption is one event however many nodes it met.
pub(super) fn print_problems(context: &Context, report: &RunReport) {
    let errors = report
        .errors()
        .filter(|problem| problem.severity == Severity::Error);
    let mut interrupted = false;
    for problem in report.warnings.iter().chain(errors) {
        let repeated =
            problem.code == Code::INTERRUPTED && std::mem::replace(&mut interrupted, true);
        if !repeated {
            context.output.problem(problem);
        }
    }
}

/// The exit code of a run.
pub(super) fn exit_of(report: &RunReport) -> Exit {
    match report.outcome {
        Outcome::Done => Exit::Done,
        Outcome::Partial => Exit::Partial,
        Outcome::Interrupted => Exit::Interrupted,
        Outcome::Failed => report.failure().map_or(Exit::Partial, Exit::for_code),
    }
}

fn write_report(context: &Context, path: &Path, report: &RunReport) -> Result<(), Problem> {
    let failed = |cause: String| {
        Problem::error(
            Code::SINK_WRITE,
            format!("cannot write the report `{}`", path.display()),
        )
        .at(Place::Named(path.display().to_string()))
        .cause(cause)
        .kept("the run itself is finished")
    };
    let document = serde_json::to_value(report).map_err(|error| failed(error.to_string()))?;
    if path.as_os_str() == "-" {
        context.output.json(&document);
        return Ok(());
    }
    // The report may hold the bytes of records that were set aside.
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path);
    file.and_then(|mut file| file.write_all(format!("{document:#}\n").as_bytes()))
        .map_err(|error| failed(error.to_string()))
}

/// One word for a node that gave nothing.
fn failed(problem: Option<&Problem>) -> String {
    let interrupted = problem.is_some_and(|problem| problem.code == Code::INTERRUPTED);
    if interrupted { "interrupted" } else { "failed" }.to_owned()
}

/// Says on standard error what happened, a line a node.
fn summarise(context: &Context, report: &RunReport) {
    let say = |line: String| context.output.note(&line);
    for source in &report.sources {
        let what = match source.status {
            SourceStatus::Failed => failed(source.error.as_ref()),
            SourceStatus::Incomplete => {
                format!(
                    "{} from {}, incomplete",
                    count(source.read, "reading"),
                    source.model
                )
            }
            SourceStatus::Complete => {
                format!("{} from {}", count(source.read, "reading"), source.model)
            }
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
        say(format!("{}: {what}{aside}{clock}", source.name));
    }
    for sink in &report.sinks {
        let what = match (&sink.error, report.dry_run) {
            (Some(problem), _) if problem.severity == Severity::Error => failed(Some(problem)),
            (Some(_), _) => "not served, because nothing was read for it".to_owned(),
            (_, true) => format!("would be offered {}", count(sink.offered, "reading")),
            _ => {
                let there = match sink.already_there {
                    0 => String::new(),
                    there => format!(", {there} already there"),
                };
                let to = match sink.targets.join(", ") {
                    targets if targets.is_empty() => String::new(),
                    targets => format!(" to {targets}"),
                };
                format!("{}{to}{there}", count(sink.delivered, "reading"))
            }
        };
        say(format!("{}: {what}", sink.name));
    }
}
