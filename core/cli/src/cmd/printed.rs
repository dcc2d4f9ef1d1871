//! Sinks that print: `path = "-"` is standard output. A plugin never writes there, so it gets a file that is
//! printed once it is whole.

use std::fs::File;
use std::path::PathBuf;

use glucopipe_runtime::problem::{Code, Problem};
use glucopipe_runtime::run::plan::Plan;
use glucopipe_runtime::run::report::RunReport;
use serde_json::Value;
use tempfile::TempDir;

use crate::context::Context;

/// Standard output in a pipeline.
const STDOUT: &str = "-";
/// The format of the key `path` of exporters that have one file to print.
const OUTPUT_FILE: &str = "output-file";

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
        let prints = plan.sinks.iter_mut().find(|sink| {
            let format = sink
                .component
                .about
                .config_schema
                .pointer("/properties/path/format");
            format.and_then(Value::as_str) == Some(OUTPUT_FILE)
                && sink.config.get("path").and_then(Value::as_str) == Some(STDOUT)
        });
        let Some(sink) = prints else {
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

    /// Prints what the sink wrote, and says so in the report.
    pub(super) fn print(self, context: &Context, report: &mut RunReport) {
        let sink = report.sinks.iter_mut().find(|sink| sink.name == self.sink);
        if let Some(sink) = sink
            && !sink.targets.is_empty()
        {
            sink.targets = vec!["standard output".to_owned()];
        }
        if let Ok(mut readings) = File::open(&self.file) {
            context.output.copy(&mut readings);
        }
    }
}
