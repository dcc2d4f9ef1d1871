//! Sinks that print: `path = "-"` is standard output. A plugin never writes there, so it gets a file that is
//! printed once it is whole.

use std::fs::File;
use std::io::ErrorKind;
use std::path::PathBuf;

use glucopipe_runtime::config::Loaded;
use glucopipe_runtime::problem::{Code, Problem};
use glucopipe_runtime::run::plan::{Plan, PlannedSink};
use glucopipe_runtime::run::report::RunReport;
use serde_json::Value;
use tempfile::TempDir;

use crate::context::Context;

/// Standard output in a pipeline.
const STDOUT: &str = "-";
/// The format of the key `path` of exporters that have one file to print.
const OUTPUT_FILE: &str = "output-file";

/// Whether a sink prints.
fn prints(sink: &PlannedSink) -> bool {
    let schema = &sink.component.about.config_schema;
    let format = schema.pointer("/properties/path/format");
    format.and_then(Value::as_str) == Some(OUTPUT_FILE)
        && sink.config.get("path").and_then(Value::as_str) == Some(STDOUT)
}

/// Whether every sink that prints is given all that is known, so that what was not printed is printed by the next
/// run; reports those that are not.
pub(super) fn may_print(plan: &Plan, loaded: &mut Loaded) -> bool {
    let mut may = true;
    for sink in &plan.sinks {
        if !prints(sink) || sink.is_snapshot() {
            continue;
        }
        let title = format!(
            "[sinks.{}] gets what is new, and cannot be printed",
            sink.name
        );
        let problem = Problem::error(Code::CONFIG_VALUE, title)
            .at(loaded.place(&sink.name, &["path"]))
            .cause("what standard output does not take would never come again")
            .hint("give it a file");
        loaded.report(problem);
        may = false;
    }
    may
}

/// The sink of a plan that prints; two would be one target.
pub(super) struct Printed {
    sink: String,
    file: PathBuf,
    _folder: TempDir,
}

impl Printed {
    /// Gives the sink that prints a file; `taken` says what else is printed.
    ///
    /// # Errors
    /// When something else is printed, or there is no place for the file.
    pub(super) fn take(plan: &mut Plan, taken: Option<&str>) -> Result<Option<Self>, Problem> {
        let Some(sink) = plan.sinks.iter_mut().find(|sink| prints(sink)) else {
            return Ok(None);
        };
        if let Some(taken) = taken {
            let title = format!("{taken} and [sinks.{}] cannot both be printed", sink.name);
            return Err(Problem::error(Code::CONFIG_VALUE, title)
                .kept("nothing was read or written")
                .hint("give one of them a file"));
        }
        let folder = tempfile::tempdir().map_err(|error| {
            let title = "cannot make a temporary folder";
            Problem::error(Code::SINK_WRITE, title).cause(error.to_string())
        })?;
        let file = folder.path().join("readings");
        if let Some(path) = sink.config.get_mut("path") {
            *path = Value::from(file.to_string_lossy());
        }
        Ok(Some(Self {
            sink: sink.name.clone(),
            file,
            _folder: folder,
        }))
    }

    /// Prints what the sink wrote, and says in the report whether that went well.
    pub(super) fn print(self, context: &Context, report: &mut RunReport) {
        let printed = match File::open(&self.file) {
            Ok(mut readings) => context.output.copy(&mut readings),
            // It failed, which the report says already.
            Err(error) if error.kind() == ErrorKind::NotFound => return,
            Err(error) => Err(Problem::error(
                Code::SINK_WRITE,
                "cannot read what was to be printed",
            )
            .cause(error.to_string())),
        };
        if let Err(problem) = printed {
            report.fail_sink(&self.sink, problem);
        } else if let Some(sink) = report.sinks.iter_mut().find(|sink| sink.name == self.sink)
            && !sink.targets.is_empty()
        {
            sink.targets = vec!["standard output".to_owned()];
        }
    }
}
