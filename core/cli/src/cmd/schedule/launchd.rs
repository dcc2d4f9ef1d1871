//! A launch agent of macOS.

use glucopipe_runtime::problem::Problem;

use super::job::Job;
use super::xml::element;
use super::{Files, quoted};

/// The mode that new files do not get: everything for others.
const UMASK: u32 = 0o077;

/// A property list. Nothing starts a run again because of its exit code; times missed in sleep are made up
/// for on waking, once.
pub(super) fn print(job: &Job) -> Result<Files, Problem> {
    let label = format!("io.github.glucopipe.{}", job.name);
    let arguments = [&job.program].into_iter().chain(&job.arguments);
    let arguments: String = arguments
        .map(|part| format!("    {}\n", element("string", part)))
        .collect();
    let moments: String = job.when.moments().into_iter().map(moment).collect();
    let log = job.home.as_ref().map(|home| {
        let log = format!("{home}/Library/Logs/{}.log", job.name);
        entry("StandardErrorPath", &element("string", &log))
    });
    let text = [
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \
         \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n<plist version=\"1.0\">\n<dict>\n"
            .to_owned(),
        entry("Label", &element("string", &label)),
        entry(
            "ProgramArguments",
            &format!("<array>\n{arguments}  </array>"),
        ),
        entry("WorkingDirectory", &element("string", &job.folder)),
        entry(
            "StartCalendarInterval",
            &format!("<array>\n{moments}  </array>"),
        ),
        entry("ProcessType", &element("string", "Background")),
        entry("Umask", &element("integer", &UMASK.to_string())),
        log.unwrap_or_default(),
        "</dict>\n</plist>\n".to_owned(),
    ];
    let file = format!("Library/LaunchAgents/{label}.plist");
    let file = match &job.home {
        Some(home) => quoted(&format!("{home}/{file}")),
        None => format!("~/{file}"),
    };
    let mut steps: Vec<String> = job.making().into_iter().collect();
    steps.push(format!("save the output as {file}"));
    steps.push(format!("launchctl bootstrap gui/$(id -u) {file}"));
    Ok(Files {
        text: text.concat(),
        steps,
    })
}

fn entry(key: &str, value: &str) -> String {
    format!("  {}\n  {value}\n", element("key", key))
}

fn moment((hour, minute): (Option<u32>, u32)) -> String {
    let number = |key, number: u32| element("key", key) + &element("integer", &number.to_string());
    let hour = hour.map(|hour| number("Hour", hour)).unwrap_or_default();
    format!("    <dict>{hour}{}</dict>\n", number("Minute", minute))
}
