//! `glucopipe dump`: a pipeline of one meter and one file, made on the spot.

use std::fs::File;
use std::io;

use glucopipe_runtime::config::{LoadRequest, load};
use glucopipe_runtime::problem::{Code, Problem};
use glucopipe_runtime::run::engine;
use glucopipe_runtime::run::plan::plan;

use super::Done;
use super::run::{exit_of, print_problems};
use crate::args::{Dump, Format};
use crate::context::{Context, selector};
use crate::exit::Exit;

/// Prints the readings of one meter.
pub(super) fn dump(context: &Context, args: &Dump) -> Done {
    // Refused here, where the message can name the flag and not a file nobody wrote.
    selector(&args.meter)?;
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
    let registry = context.registry(&[]);
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
    let setup = context.setup(args.meter.record.as_deref(), false)?;
    let report = engine::run(plan, &mut loaded, &finder, &setup);
    print_problems(context, &report);
    if let Ok(mut readings) = File::open(&file) {
        // A reader that has seen enough closes the pipe; that is no failure.
        let _ = io::copy(&mut readings, &mut io::stdout().lock());
    }
    Ok(exit_of(&report))
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
        if args.format == Format::Csv {
            let decimals = if unit.eq_ignore_ascii_case("mmol/L") {
                1
            } else {
                0
            };
            text.push_str(&format!("decimals = {decimals}\n"));
        }
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
