//! Every command as a user or a script meets it: output, exit code, and what is left behind.

mod check;
mod clock;
mod compact;
mod dump;
mod erase;
mod help;
mod listing;
mod run;
mod sinks;

use glucopipe_tests::{Finished, Workspace};
use serde_json::Value;

/// A pipeline of one virtual meter, a clock, a CSV file and a Parquet data set.
const PIPELINE: &str = r#"[sources.meter]
driver = "auto"
device = "virtual:contour-next-usb?records=20&zone=Europe/Athens"

[transforms.local]
type = "clock"
inputs = ["meter"]
timezone = "Europe/Athens"

[sinks.sheet]
exporter = "csv"
inputs = ["local"]
path = "out/sheet.csv"

[sinks.lake]
exporter = "parquet"
inputs = ["local"]
path = "out/lake"
"#;

/// A workspace with the pipeline.
fn workspace() -> Workspace {
    with(PIPELINE)
}

/// A workspace with another pipeline.
fn with(pipeline: &str) -> Workspace {
    let workspace = Workspace::new();
    workspace.write("pipeline.toml", pipeline);
    workspace
}

/// The one JSON document on standard output.
fn json(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}\n{}", finished.stdout, finished.stderr))
}

/// The names of an object's fields.
fn names(object: &Value) -> Vec<&str> {
    let object = object.as_object().expect("an object");
    object.keys().map(String::as_str).collect()
}
