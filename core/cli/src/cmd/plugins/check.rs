//! `glucopipe plugins check`.

use std::process::Command;

use glucopipe_runtime::conformance::{Check, Checked, Outcome, Request, Way, run_apart};
use glucopipe_runtime::device::Selector;
use glucopipe_runtime::plugin::must_be_file;
use glucopipe_runtime::problem::{Code, Problem};
use glucopipe_runtime::render::escape;
use serde_json::{Value, json};

use super::{Done, absolute};
use crate::args::{CheckOne, CheckPlugin};
use crate::context::Context;
use crate::exit::Exit;
use crate::output::count;

/// Checks a library, test by test.
pub(super) fn check(context: &Context, args: &CheckPlugin, as_json: bool) -> Done {
    let library = match absolute(&args.file) {
        Ok(library) => library,
        Err(problem) => {
            context.output.problem(&problem);
            return Ok(Exit::Usage);
        }
    };
    must_be_file(&library)?;
    let given = keys(args.config.as_deref()).and_then(|keys| Ok((keys, device(args)?)));
    let (config, device) = match given {
        Ok(given) => given,
        Err(problem) => {
            context.output.problem(&problem);
            return Ok(Exit::Usage);
        }
    };
    let way = if args.in_process {
        Way::InProcess
    } else {
        let program = std::env::current_exe().map_err(|error| not_run(&error))?;
        Way::Children(Box::new(move |request| {
            let mut command = Command::new(&program);
            command.args(["plugins", "check-one"]).arg(request);
            command
        }))
    };
    let check = Check {
        library,
        config,
        device,
        seed: args.seed,
        only: args.test.clone(),
        limit: args.timeout,
        clock: context.clock.clone(),
        cancel: context.cancel.clone(),
        way,
    };
    let mut told = |checked: &Checked| {
        if !as_json {
            tell(context, checked);
        }
    };
    let all = check.run(&mut told).map_err(|error| not_run(&error))?;
    if context.cancel.is_set() {
        return Ok(Exit::Interrupted);
    }
    if all.is_empty() {
        let problem = Problem::error(Code::CONFIG_VALUE, "no test has a name that begins so");
        context.output.problem(&problem);
        return Ok(Exit::Usage);
    }
    Ok(end(context, args, &all, as_json))
}

/// Runs one test of a check, in a child process of it.
pub(super) fn check_one(context: &Context, args: &CheckOne) -> Exit {
    let text = std::fs::read(&args.request);
    let request = text
        .ok()
        .and_then(|text| serde_json::from_slice::<Request>(&text).ok());
    let Some(request) = request else {
        return Exit::Usage;
    };
    match run_apart(&request) {
        Ok(_) => Exit::Done,
        Err(error) => {
            context
                .output
                .note(&format!("the test cannot be run: {error}"));
            Exit::Bug
        }
    }
}

fn not_run(error: &std::io::Error) -> Problem {
    Problem::error(Code::PLUGIN_LOAD, "the check cannot be run").cause(error.to_string())
}

/// The keys that were given: a JSON object, or TOML, or a file of either.
fn keys(text: Option<&str>) -> Result<Option<Value>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let text = &match text.strip_prefix('@') {
        Some(file) => std::fs::read_to_string(file).map_err(|error| {
            let title = format!("cannot read the keys in `{file}`");
            Problem::error(Code::CONFIG_FILE, title).cause(error.to_string())
        })?,
        None => text.to_owned(),
    };
    // The text may hold a secret, so the parsers' own words, which quote it, are not shown.
    let refused = |what: &str| {
        Problem::error(Code::CONFIG_VALUE, "`--config` is not understood")
            .cause(what.to_owned())
            .hint("as in `--config '{\"path\": \"out.csv\"}'` or `--config 'path = \"out.csv\"'`")
    };
    let keys = if text.trim_start().starts_with('{') {
        serde_json::from_str(text).map_err(|_| refused("it is not JSON"))?
    } else {
        toml::from_str::<Value>(text)
            .map_err(|_| refused("it is neither a JSON object nor TOML"))?
    };
    Ok(Some(keys))
}

/// The meter that was given, by a selector that is the same in every folder.
fn device(args: &CheckPlugin) -> Result<Option<String>, Problem> {
    let Some(text) = &args.device else {
        return Ok(None);
    };
    match Selector::parse(text)? {
        Selector::Virtual(_) => Ok(Some(text.clone())),
        Selector::Replay(file) => {
            let file = file.canonicalize().map_err(|error| {
                let title = format!("cannot replay `{}`", file.display());
                Problem::error(Code::TRANSCRIPT, title).cause(error.to_string())
            })?;
            Ok(Some(format!("replay:{}", file.display())))
        }
        _ => {
            let title = format!("`{text}` is not checked with");
            Err(Problem::error(Code::DEVICE_SELECTOR, title)
                .cause("the check lets links fail and cancels reads, which is no good for a real meter")
                .hint("name a `virtual:MODEL`, or a `replay:FILE` that `--record` wrote"))
        }
    }
}

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "pass",
        Outcome::Warned => "warn",
        Outcome::Skipped => "skip",
        Outcome::Failed => "FAIL",
    }
}

/// `driver contour`, or nothing for the library.
fn subject(checked: &Checked) -> String {
    let named = checked.component.as_ref();
    named.map_or_else(String::new, |named| format!("{} {}", named.kind, named.id))
}

/// One line for a test, and one for each thing to know of it.
fn tell(context: &Context, checked: &Checked) {
    const NAME_WIDTH: usize = 22;
    let (outcome, verdict) = (checked.verdict.outcome, &checked.verdict);
    let mut text = format!(
        "{}  {:NAME_WIDTH$}{}",
        word(outcome),
        checked.test,
        subject(checked)
    );
    let sign = match outcome {
        Outcome::Failed | Outcome::Warned => "!",
        Outcome::Passed | Outcome::Skipped => "-",
    };
    let mut text = {
        text.truncate(text.trim_end().len());
        text + "\n"
    };
    for (sign, line) in verdict
        .reasons
        .iter()
        .map(|line| (sign, line))
        .chain(verdict.notes.iter().map(|line| ("-", line)))
    {
        text.push_str(&format!("      {sign} {}\n", escape(line)));
    }
    context.output.data(&text);
}

/// The sum of it.
fn end(context: &Context, args: &CheckPlugin, all: &[Checked], as_json: bool) -> Exit {
    let number = |outcome| {
        let of = all
            .iter()
            .filter(|checked| checked.verdict.outcome == outcome);
        of.count() as u64
    };
    let (passed, warned, skipped, failed) = (
        number(Outcome::Passed),
        number(Outcome::Warned),
        number(Outcome::Skipped),
        number(Outcome::Failed),
    );
    if as_json {
        let tests: Vec<Value> = all
            .iter()
            .map(|checked| {
                json!({
                    "test": checked.test,
                    "component": checked.component,
                    "outcome": checked.verdict.outcome,
                    "reasons": checked.verdict.reasons,
                    "notes": checked.verdict.notes,
                })
            })
            .collect();
        context.output.json(&json!({
            "file": args.file.display().to_string(),
            "seed": args.seed,
            "passed": passed,
            "warned": warned,
            "skipped": skipped,
            "failed": failed,
            "tests": tests,
        }));
    } else {
        let seed = args.seed;
        let tests = count(all.len() as u64, "test");
        context.output.data(&format!(
            "{tests}: {passed} passed, {warned} warned, {skipped} skipped, {failed} failed (seed {seed})\n"
        ));
    }
    if failed > 0 || (args.strict && warned > 0) {
        Exit::Plugin
    } else {
        Exit::Done
    }
}
