//! Runs the scenarios inside the virtual machine.
//!
//! `glucopipe-usb-lane --list` prints their names. `glucopipe-usb-lane FOLDER [WORD…]` runs those whose
//! names contain one of the words, or all, and writes a line of outcome, seconds and name for each
//! into `FOLDER/results`, as it ends; the words of those that failed are on standard error.

mod scenarios;

use std::any::Any;
use std::fs::File;
use std::io::Write;
use std::panic::catch_unwind;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let outcome = match arguments.next().as_deref() {
        Some("--list") => list(),
        Some(folder) => run(&PathBuf::from(folder), &arguments.collect::<Vec<_>>()),
        None => Err(std::io::Error::other("say where to write the results")),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "{error}");
            ExitCode::from(2)
        }
    }
}

fn list() -> std::io::Result<bool> {
    let mut stdout = std::io::stdout();
    for scenario in scenarios::all() {
        writeln!(stdout, "{}", scenario.name)?;
    }
    Ok(true)
}

fn run(folder: &std::path::Path, words: &[String]) -> std::io::Result<bool> {
    let mut results = File::create(folder.join("results"))?;
    let mut good = true;
    for scenario in scenarios::all() {
        let wanted = words.is_empty() || words.iter().any(|word| scenario.name.contains(word));
        if !wanted {
            continue;
        }
        let start = Instant::now();
        let outcome = catch_unwind(scenario.run);
        let seconds = start.elapsed().as_secs_f32();
        let word = if outcome.is_ok() { "ok" } else { "FAILED" };
        writeln!(results, "{word}\t{seconds:.1}\t{}", scenario.name)?;
        if let Err(payload) = outcome {
            good = false;
            let words = reason(payload.as_ref());
            writeln!(std::io::stderr(), "--- {}\n{words}\n", scenario.name)?;
        }
    }
    Ok(good)
}

fn reason(payload: &(dyn Any + Send)) -> &str {
    match (
        payload.downcast_ref::<String>(),
        payload.downcast_ref::<&str>(),
    ) {
        (Some(text), _) => text,
        (None, Some(text)) => text,
        (None, None) => "no reason",
    }
}
