//! A line of a crontab.

use glucopipe_runtime::problem::Problem;

use super::job::Job;
use super::{Files, quoted, unwritable};
use crate::exit::Exit;

/// Longest command that every cron takes.
const LINE: usize = 990;

/// A line for each time. Cron mails what a command prints: nothing when all went well or no meter was there,
/// and everything when something is wrong. A second run at the same time waits for the first at the journal.
pub(super) fn print(job: &Job) -> Result<Files, Problem> {
    let run: Vec<String> = [&job.program]
        .into_iter()
        .chain(&job.arguments)
        .map(|part| quoted(part))
        .collect();
    let (folder, run, no_meter) = (quoted(&job.folder), run.join(" "), Exit::NoMeter as u8);
    let command = format!(
        "out=$(cd {folder} && {run} --quiet 2>&1); code=$?; \
         [ $code -eq 0 ] || [ $code -eq {no_meter} ] || {{ echo \"$out\"; exit $code; }}"
    );
    // Cron ends a command at a bare percent sign.
    let command = command.replace('%', r"\%");
    if command.len() > LINE {
        return Err(unwritable(
            &job.pipeline,
            "its paths are too long for a line of a crontab",
        ));
    }
    let lines = job
        .when
        .crontab()
        .into_iter()
        .map(|when| format!("{when} {command}\n"));
    let text = format!(
        "# {}: a run prints nothing, and nothing is mailed, when all is well or no meter is attached.\n{}",
        job.name,
        lines.collect::<String>()
    );
    let mut steps: Vec<String> = job.making().into_iter().collect();
    steps.push("crontab -e, and add the lines".to_owned());
    Ok(Files { text, steps })
}
