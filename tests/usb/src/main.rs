//! Runs the scenarios inside the virtual machine.
//!
//! `glucopipe-usb-lane --list [WORD…]` prints the names that contain one of the words, or all.
//! `glucopipe-usb-lane FOLDER` runs those that `FOLDER/scenarios` names, and writes a line of outcome,
//! seconds and name for each into `FOLDER/results`, as it ends; why one failed is on standard error.

mod scenarios;

use std::fs::{File, read_to_string};
use std::io::{Error, Result, Write, stderr, stdout};
use std::panic::{catch_unwind, set_hook};
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let outcome = match arguments.next().as_deref() {
        Some("--list") => list(&arguments.collect::<Vec<_>>()),
        Some(folder) => run(Path::new(folder)),
        None => Err(Error::other("say where the scenarios are named")),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(stderr(), "{error}");
            ExitCode::from(2)
        }
    }
}

fn list(words: &[String]) -> Result<bool> {
    for scenario in scenarios::all() {
        if words.is_empty() || words.iter().any(|word| scenario.name.contains(word)) {
            writeln!(stdout(), "{}", scenario.name)?;
        }
    }
    Ok(true)
}

/// Where and why the scenario failed.
static REASON: Mutex<String> = Mutex::new(String::new());

fn run(folder: &Path) -> Result<bool> {
    let named = read_to_string(folder.join("scenarios"))?;
    let mut results = File::create(folder.join("results"))?;
    set_hook(Box::new(|panic| {
        *REASON.lock().unwrap_or_else(PoisonError::into_inner) = panic.to_string();
    }));
    let mut good = true;
    for scenario in scenarios::all() {
        if !named.lines().any(|name| name == scenario.name) {
            continue;
        }
        let start = Instant::now();
        let outcome = catch_unwind(scenario.run);
        let seconds = start.elapsed().as_secs_f32();
        let word = if outcome.is_ok() { "ok" } else { "FAILED" };
        writeln!(results, "{word}\t{seconds:.1}\t{}", scenario.name)?;
        if outcome.is_err() {
            good = false;
            let reason = REASON.lock().unwrap_or_else(PoisonError::into_inner);
            writeln!(stderr(), "--- {}\n{reason}\n", scenario.name)?;
        }
    }
    Ok(good)
}
