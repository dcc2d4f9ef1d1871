//! The configuration: reads `pipeline.toml` with its overrides and finds everything wrong with it.
//!
//! [`load`] never fails; it gives a [`Loaded`] with a best-effort [`Pipeline`] and all problems.
//! Plugins own the keys that are not common: [`Loaded::check_options`] checks them once the plugin
//! and its schema are known. Nothing here reads the environment of the process; files are read only
//! by [`read_text`] and for secrets.

mod document;
mod graph_check;
mod layers;
mod mask;
mod model;
mod options;
mod origins;
mod persons;
mod read;
mod schema_check;
mod secrets;
mod shape;
mod syntax;
mod values;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use secrecy::SecretString;
use serde_json::Value;

pub use self::model::{
    Component, DEFAULT_TIMEOUT_SECS, Isolate, Journal, Person, Pipeline, Plugins, Runtime, Sink,
    Source, Transform,
};
pub use self::options::Resolved;

use self::document::Document;
use self::layers::Overlays;
use self::origins::Origins;
use self::schema_check::Schema;
use crate::problem::{Code, Place, Problem, Severity};

/// What [`load`] works on.
#[derive(Clone, Default)]
pub struct LoadRequest {
    /// The file's name as the user gave it.
    pub file: String,
    /// Its text.
    pub text: String,
    /// The arguments of `--set`, `path.to.key=value`, in order.
    pub overrides: Vec<String>,
    /// The environment, for `GLUCOPIPE__…` and for secrets.
    pub environment: Vec<(OsString, OsString)>,
}

/// What of `keys` does not fit a plugin's schema, one line for each place.
///
/// # Errors
/// What is wrong with the schema itself.
pub(crate) fn misfits(schema: &Value, keys: &Value) -> Result<Vec<String>, String> {
    let compiled = Schema::compile(schema)?;
    let misfits = compiled.misfits(keys, schema).into_iter();
    let line = |misfit: schema_check::Misfit| match misfit.missing {
        Some(key) => format!("the key `{key}` is missing"),
        None => format!("`{}`: {}", misfit.path.join("."), misfit.message),
    };
    Ok(misfits.map(line).collect())
}

/// Secrets of one node and the keys they stand at.
type Secrets = Vec<(Vec<String>, SecretString)>;

/// A loaded configuration with everything that is wrong with it.
pub struct Loaded {
    /// The pipeline; best effort while there are errors.
    pub pipeline: Pipeline,
    problems: Vec<Problem>,
    origins: Origins,
    environment: Vec<(OsString, OsString)>,
    /// Compiled schemas by plugin and text.
    schemas: BTreeMap<String, Option<Arc<Schema>>>,
    /// Nodes whose own keys were checked, with their secrets when nothing was wrong.
    checked: BTreeMap<(Component, String), Option<Secrets>>,
}

impl fmt::Debug for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Options may hold a secret that was written out.
        f.debug_struct("Loaded")
            .field("file", &self.origins.file)
            .field(
                "problems",
                &self
                    .problems
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>(),
            )
            .finish_non_exhaustive()
    }
}

/// Largest pipeline file that is read.
const FILE_LIMIT: u64 = 16 << 20;

fn read_bounded(path: &Path) -> std::io::Result<Vec<u8>> {
    let file = std::fs::File::open(path)?;
    let mut bytes = Vec::new();
    if std::io::Read::read_to_end(&mut std::io::Read::take(file, FILE_LIMIT + 1), &mut bytes)?
        as u64
        > FILE_LIMIT
    {
        let kind = std::io::ErrorKind::FileTooLarge;
        return Err(std::io::Error::new(kind, "it is larger than 16 MiB"));
    }
    Ok(bytes)
}

/// Reads the text of a pipeline file.
pub fn read_text(path: &Path) -> Result<String, Box<Problem>> {
    let shown = path.display();
    let failed = |cause: String, hint: String| {
        Problem::error(
            Code::CONFIG_FILE,
            format!("cannot read the pipeline file `{shown}`"),
        )
        .cause(cause)
        .hint(hint)
    };
    let bytes = read_bounded(path).map_err(|error| {
        failed(
            match error.kind() {
                std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
                std::io::ErrorKind::PermissionDenied => "you may not read it".to_owned(),
                std::io::ErrorKind::IsADirectory => "it is a folder".to_owned(),
                _ => error.to_string(),
            },
            "name the file, as in `glucopipe run path/to/pipeline.toml`".to_owned(),
        )
    })?;
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let head = String::from_utf8_lossy(&error.as_bytes()[..good]);
        let (line, column) = crate::problem::line_column(&head, good);
        let bom = error.as_bytes().starts_with(&[0xff, 0xfe])
            || error.as_bytes().starts_with(&[0xfe, 0xff]);
        let cause = if bom {
            "it is UTF-16 text, expected UTF-8"
        } else {
            "it is not UTF-8 text"
        };
        let problem = failed(cause.to_owned(), "save it as UTF-8".to_owned());
        Box::new(problem.at(Place::Named(format!("{shown}:{line}:{column}"))))
    })
}

/// Loads a pipeline: file, environment over it, `--set` over both.
pub fn load(request: LoadRequest) -> Loaded {
    let LoadRequest {
        file,
        text,
        overrides,
        environment,
    } = request;
    // Editors on Windows put a mark in front that is no part of the text.
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let (document, faults) = Document::parse(text);
    let mut problems = Vec::new();
    let overlays = Overlays::read(&environment, &overrides, &document, &mut problems);
    let origins = Origins::new(file, text, document, overlays);
    let mut found = Vec::new();
    let pipeline = match layers::merge(&origins.document, &origins.overlays) {
        Ok(merged) => {
            let mut read = read::read(&origins, &merged, &mut found);
            if origins.document.reliable.is_none() {
                graph_check::check(&origins, &mut read.pipeline, &read.shadows, &mut found);
                if read.shadows.is_empty() {
                    persons::check(&origins, &read.pipeline, &mut found);
                }
            }
            read.pipeline
        }
        Err(error) => {
            let title = "the layers of the configuration cannot be merged";
            found.push(Problem::error(Code::INTERNAL, title).cause(error.to_string()));
            Pipeline::default()
        }
    };
    if let Some(reliable) = origins.document.reliable {
        // Behind a syntax error nothing can be trusted, so nothing is said of it.
        found.retain(|problem| match &problem.place {
            Some(Place::Text { span, .. }) => span.start < reliable,
            _ => false,
        });
    }
    problems.extend(found);
    for fault in faults {
        let title = match fault.code {
            Code::CONFIG_SYNTAX => format!("not valid TOML: {}", fault.message),
            _ => fault.message,
        };
        let place = origins.span(fault.span);
        problems.push(Problem::error(fault.code, title).at(place).hint(fault.hint));
    }
    let mut loaded = Loaded {
        pipeline,
        problems,
        origins,
        environment,
        schemas: BTreeMap::new(),
        checked: BTreeMap::new(),
    };
    loaded.sort();
    loaded
}

impl Loaded {
    /// All problems found so far, in the order of the file.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Whether one of the problems is an error.
    pub fn has_errors(&self) -> bool {
        self.problems
            .iter()
            .any(|problem| problem.severity == Severity::Error)
    }

    /// Whether the text is broken TOML, so that no more can be said of it.
    pub fn is_broken(&self) -> bool {
        self.origins.document.reliable.is_some()
    }

    /// Adds a problem found elsewhere, in its place.
    pub fn report(&mut self, mut problem: Problem) {
        // The place may be older than the discovery of a secret in its text.
        self.origins.refresh(&mut problem);
        self.problems.push(problem);
        self.sort();
    }

    /// Where the value of a node's key is; an empty path means the node.
    pub fn place(&self, node: &str, key_path: &[&str]) -> Place {
        let sections = Component::ALL.map(Component::section);
        let here = |section: &&&str| {
            self.origins.document.find(&[section, node]).is_some()
                || self.origins.overlays.below(&[section, node]).is_some()
        };
        match sections.iter().find(here) {
            Some(section) => self.place_at(&[&[*section, node], key_path].concat()),
            None => self.origins.whole(),
        }
    }

    /// Where a value is, by its path from the top: `["journal", "path"]`.
    pub fn place_at(&self, path: &[&str]) -> Place {
        self.origins.place(path)
    }

    /// In the order of the text; what is not in the text follows.
    fn sort(&mut self) {
        self.problems.sort_by_key(|problem| match &problem.place {
            Some(Place::Text { span, .. }) => (0, span.start),
            Some(Place::Named(_)) => (1, 0),
            None => (2, 0),
        });
    }
}
