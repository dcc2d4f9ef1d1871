//! `glucopipe dump`: a pipeline of one meter and one file, made on the spot.

use std::fs::File;

use chrono::{NaiveDate, NaiveTime};
use glucopipe_runtime::config::{LoadRequest, load};
use glucopipe_runtime::problem::{Code, Place, Problem};
use glucopipe_runtime::run::engine;
use glucopipe_runtime::run::plan::plan;

use super::run::{exit_of, print_problems};
use super::{Done, misused};
use crate::args::{Dump, Format};
use crate::context::{Context, selector};
use crate::exit::Exit;

/// Prints the readings of one meter.
pub(super) fn dump(context: &Context, args: &Dump) -> Done {
    // Refused here, where the message can name the flag and not a file nobody wrote.
    if let Err(problem) = selector(&args.meter) {
        return Ok(misused(context, &problem));
    }
    for (flag, value) in [("--since", &args.since), ("--until", &args.until)] {
        if let Some(value) = value
            && !is_local(value)
        {
            let title = format!("`{flag} {value}` is no local date or time");
            let problem = Problem::error(Code::DATA_FILTER, title)
                .cause("a dump has no time zone, so only the meter's own time can be compared")
                .hint("as in `2026-01-01` or `2026-01-01T06:00:00`");
            return Ok(misused(context, &problem));
        }
    }
    let folder = tempfile::tempdir().map_err(|error| {
        Problem::error(Code::SINK_WRITE, "cannot make a temporary folder").cause(error.to_string())
    })?;
    let file = folder.path().join("readings");
    let mut loaded = load(LoadRequest {
        file: "the command line".to_owned(),
        text: pipeline(args, &file.to_string_lossy()),
        overrides: Vec::new(),
        environment: Vec::new(),
    });
    let registry = context.registry();
    let finder = context.finder(&registry);
    let planned = plan(&mut loaded, &registry, &finder);
    let Some(plan) = planned else {
        for problem in loaded.problems() {
            let mut problem = problem.clone();
            problem.place = None;
            context.output.problem(&problem);
        }
        return Ok(match Exit::for_problems(loaded.problems()) {
            Exit::Config | Exit::Done => Exit::Usage,
            exit => exit,
        });
    };
    let setup = match context.setup(args.meter.record.as_deref(), false) {
        Ok(setup) => setup,
        Err(problem) => return Ok(misused(context, &problem)),
    };
    let mut report = engine::run(plan, &mut loaded, &finder, &setup);
    // Nobody wrote the file that a place points into.
    report
        .problems_mut()
        .filter(|problem| matches!(problem.place, Some(Place::Text { .. })))
        .for_each(|problem| problem.place = None);
    print_problems(context, &report);
    if let Ok(mut readings) = File::open(&file) {
        context.output.copy(&mut readings)?;
    }
    Ok(match exit_of(&report) {
        Exit::Config => Exit::Usage,
        exit => exit,
    })
}

/// The pipeline as text. TOML's basic strings take what JSON writes.
fn pipeline(args: &Dump, path: &str) -> String {
    let quote = |text: &str| serde_json::Value::from(text).to_string();
    let mut text = String::from("[sources.meter]\n");
    let mut key = |name: &str, value: &Option<String>| {
        if let Some(value) = value {
            text.push_str(&format!("{name} = {}\n", quote(value)));
        }
    };
    key("driver", &args.meter.driver);
    key("device", &args.meter.device);
    let mut last = "meter";
    if args.since.is_some() || args.until.is_some() {
        text.push_str("[transforms.wanted]\ntype = \"filter\"\ninputs = [\"meter\"]\n");
        for (name, value) in [("since", &args.since), ("until", &args.until)] {
            if let Some(value) = value {
                text.push_str(&format!("{name} = {}\n", quote(value)));
            }
        }
        last = "wanted";
    }
    let own_profile = args.format == Format::Glucometerutils;
    if let Some(unit) = args.unit.as_ref().filter(|_| !own_profile) {
        text.push_str(&format!(
            "[transforms.unit]\ntype = \"units\"\ninputs = [\"{last}\"]\nto = {}\n",
            quote(unit)
        ));
        let decimals = u8::from(unit.eq_ignore_ascii_case("mmol/L"));
        text.push_str(&format!("decimals = {decimals}\n"));
        last = "unit";
    }
    let exporter = if args.format == Format::Jsonl {
        "jsonl"
    } else {
        "csv"
    };
    text.push_str(&format!(
        "[sinks.out]\nexporter = \"{exporter}\"\ninputs = [\"{last}\"]\npath = {}\n",
        quote(path)
    ));
    if own_profile {
        text.push_str("profile = \"glucometerutils\"\n");
        // That program converts by its own factor, which the profile knows.
        if let Some(unit) = &args.unit {
            text.push_str(&format!("unit = {}\n", quote(unit)));
        }
    }
    text
}

/// Whether a text is a date or a time without a zone.
fn is_local(text: &str) -> bool {
    let (date, time) = text.split_once(['T', ' ']).unwrap_or((text, "00:00"));
    let is_time = |form: &str| NaiveTime::parse_from_str(time, form).is_ok();
    let is_date = date.len() == 10 && NaiveDate::parse_from_str(date, "%Y-%m-%d").is_ok();
    is_date && ["%H:%M", "%H:%M:%S%.f"].iter().any(|form| is_time(form))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_times_that_there_are_pass() {
        for good in ["2026-01-01", "2026-01-01T06:00", "2026-01-01 06:00:00.5"] {
            assert!(is_local(good), "{good}");
        }
        for bad in [
            "2026-13-45",
            "2026-1-1",
            "2026-02-30T06:00",
            "2026-01-01T25:00",
            "now",
        ] {
            assert!(!is_local(bad), "{bad}");
        }
        assert!(!is_local("2026-01-01T06:00Z"));
    }
}
