//! A task for the Task Scheduler of Windows.

use glucopipe_runtime::problem::Problem;

use super::job::Job;
use super::timing::When;
use super::xml::element;
use super::{Files, unwritable};

/// The day that times are counted from; every day is one of them.
const FIRST_DAY: &str = "2020-01-01";

/// A task in XML, without an encoding: a shell that redirects it may write UTF-16, and its mark says so.
pub(super) fn print(job: &Job) -> Result<Files, Problem> {
    let arguments: Vec<String> = job.arguments.iter().map(|part| argument(part)).collect();
    let parts = [&job.program, &job.folder]
        .into_iter()
        .chain(&job.arguments);
    for part in parts {
        // It replaces both, and has no way to write them otherwise.
        if part.matches('%').count() > 1 || part.contains("$(") {
            return Err(unwritable(
                part,
                "Task Scheduler takes a part of it for a variable",
            ));
        }
    }
    let triggers: String = match &job.when {
        When::Every(minutes) => trigger(job, "00:00:00", Some(*minutes)),
        When::At(times) => times
            .iter()
            .map(|time| trigger(job, &time.format("%H:%M:%S").to_string(), None))
            .collect(),
    };
    let description = element("Description", &format!("glucopipe: {}", job.pipeline));
    let exec = [
        element("Command", &job.program),
        element("Arguments", &arguments.join(" ")),
        element("WorkingDirectory", &job.folder),
    ];
    let text = format!(
        "<?xml version=\"1.0\"?>
<Task version=\"1.2\" xmlns=\"http://schemas.microsoft.com/windows/2004/02/mit/task\">
  <RegistrationInfo>
    {description}
  </RegistrationInfo>
  <Triggers>
{triggers}  </Triggers>
  <Principals>
    <Principal id=\"Author\">
      <LogonType>InteractiveToken</LogonType>
      <RunLevel>LeastPrivilege</RunLevel>
    </Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <StartWhenAvailable>true</StartWhenAvailable>
    <Enabled>true</Enabled>
  </Settings>
  <Actions Context=\"Author\">
    <Exec>
      {}
    </Exec>
  </Actions>
</Task>
",
        exec.join("\n      ")
    );
    let steps = vec![
        format!("save the output as {}.xml", job.name),
        format!("schtasks /Create /TN {0} /XML {0}.xml", job.name),
        "a last result of 0x4 means that no meter was attached".to_owned(),
    ];
    Ok(Files { text, steps })
}

fn trigger(job: &Job, time: &str, every: Option<u32>) -> String {
    let repetition = every.filter(|minutes| *minutes < 24 * 60).map(|minutes| {
        let interval = element("Interval", &format!("PT{minutes}M"));
        format!(
            "      <Repetition>{interval}<Duration>P1D</Duration>\
             <StopAtDurationEnd>false</StopAtDurationEnd></Repetition>\n"
        )
    });
    let start = element("StartBoundary", &format!("{FIRST_DAY}T{time}"));
    let delay = element("RandomDelay", &format!("PT{}S", job.when.spread_secs()));
    format!(
        "    <CalendarTrigger>\n{}      {start}\n      <Enabled>true</Enabled>\n      {delay}\n      \
         <ScheduleByDay><DaysInterval>1</DaysInterval></ScheduleByDay>\n    </CalendarTrigger>\n",
        repetition.unwrap_or_default()
    )
}

/// An argument as programs of Windows split their command line.
fn argument(text: &str) -> String {
    let plain = |c: char| !c.is_whitespace() && c != '"';
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    let mut out = String::from("\"");
    let mut slashes = 0;
    for c in text.chars() {
        // Backslashes count only before a quote, and there each needs another one.
        match c {
            '\\' => slashes += 1,
            '"' => {
                out.extend(std::iter::repeat_n('\\', slashes + 1));
                slashes = 0;
            }
            _ => slashes = 0,
        }
        out.push(c);
    }
    out.extend(std::iter::repeat_n('\\', slashes));
    out.push('"');
    out
}
