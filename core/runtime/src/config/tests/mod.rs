//! What users see of a wrong configuration, message by message.

mod any_text;
mod persons;
mod plugin_keys;
mod secret_keys;
mod whole_file;

use std::ffi::OsString;

use serde_json::{Value, json};

use super::{Component, LoadRequest, Loaded, load};
use crate::render::render;

/// A pipeline without a mistake.
const GOOD: &str = r#"[sources.meter]

[transforms.mmol]
type = "units"
inputs = ["meter"]
to = "mmol/L"

[sinks.sheet]
exporter = "csv"
inputs = ["mmol"]
path = "out/readings.csv"
"#;

fn request(text: &str) -> LoadRequest {
    LoadRequest {
        file: "pipeline.toml".to_owned(),
        text: text.to_owned(),
        ..Default::default()
    }
}

fn environment(pairs: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    pairs
        .iter()
        .map(|(name, value)| (name.into(), value.into()))
        .collect()
}

fn load_with(text: &str, variables: &[(&str, &str)], overrides: &[&str]) -> Loaded {
    load(LoadRequest {
        overrides: overrides
            .iter()
            .map(|&argument| argument.to_owned())
            .collect(),
        environment: environment(variables),
        ..request(text)
    })
}

/// The schema of a made-up exporter with a bit of everything.
fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "path": { "type": "string", "description": "File to write. Folders are made." },
            "decimals": { "type": ["integer", "null"], "minimum": 0, "maximum": 6, "default": 1 },
            "header": { "type": "boolean" },
            "mode": { "enum": ["replace", "append"] },
            "partition_by": { "type": "array", "items": { "enum": ["year", "month"] } },
            "profile": { "oneOf": [
                { "const": "reading", "description": "All columns." },
                { "const": "glucometerutils" },
            ] },
            "limits": { "$ref": "#/$defs/limits" },
            "token": { "type": "string", "format": "secret", "minLength": 12 },
        },
        "required": ["path"],
        "$defs": { "limits": {
            "type": "object",
            "properties": { "retries": { "type": "integer", "description": "Number of tries.", "default": 3 } },
        } },
    })
}

/// Loads, checks the sink `sheet` against [`schema`].
fn checked(text: &str, variables: &[(&str, &str)], overrides: &[&str]) -> Loaded {
    let mut loaded = load_with(text, variables, overrides);
    loaded.check_options(Component::Exporter, "sheet", &schema());
    loaded
}

/// A pipeline whose sink has these keys of its own.
fn sheet(own: &str) -> String {
    format!("[sources.meter]\n\n[sinks.sheet]\nexporter = \"csv\"\ninputs = [\"meter\"]\n{own}")
}

/// All messages as they are printed, a line of dashes between.
fn shown(loaded: &Loaded) -> String {
    let messages: Vec<_> = loaded
        .problems()
        .iter()
        .map(|problem| render(problem, false))
        .collect();
    messages.join("----\n")
}
