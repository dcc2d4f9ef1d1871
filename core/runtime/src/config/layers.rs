//! The layers of a configuration: the file, the environment over it, `--set` over both.
//!
//! The `config` crate merges them. It keeps no positions and no variable names, so the overlays are
//! kept beside it to say where a value came from. An overlay's value stays text until the step
//! that knows which type is expected.

use std::ffi::OsString;

use config::{Config, ConfigError, Map, Source, ValueKind};
use serde_json::Value;

use super::document::{Document, parse_value};
use super::model::SECTIONS;
use super::values::type_word;
use crate::problem::{Code, Place, Problem};

/// What every overriding environment variable begins with.
pub(super) const ENV_PREFIX: &str = "GLUCOPIPE__";

/// One value from outside the file.
#[derive(Clone, Debug)]
pub(super) struct Overlay {
    /// ``environment variable `X` `` or `` `--set a.b` ``; never the value.
    pub(super) label: String,
    pub(super) path: Vec<String>,
    value: Value,
    /// Whether the value is still the text that was given.
    raw: bool,
}

impl Overlay {
    fn new(label: String, path: Vec<String>, text: &str) -> Result<Self, Box<Problem>> {
        let is_table = path.len() == 1 || (path.len() == 2 && has_names(&path[0]));
        if !is_table || !is_section(&path[0]) {
            return Ok(Self {
                label,
                path,
                value: Value::from(text),
                raw: true,
            });
        }
        match parse_value(text) {
            Some(value @ Value::Object(_)) => Ok(Self {
                label,
                path,
                value,
                raw: false,
            }),
            other => {
                let got = other.as_ref().map_or("text", type_word);
                let title = format!("`{}`: expected a table, got {got}", path.join("."));
                let hint = "name a key of the table, as in `--set sinks.sheet.path=out.csv`";
                Err(Box::new(
                    Problem::error(Code::CONFIG_OVERRIDE, title)
                        .at(Place::Named(label))
                        .hint(hint),
                ))
            }
        }
    }

    /// Whether the value at `path` comes from here.
    fn gives(&self, path: &[&str]) -> bool {
        let Some((head, rest)) = path.split_at_checked(self.path.len()) else {
            return false;
        };
        let same = head.iter().zip(&self.path).all(|(a, b)| a == b);
        same && (self.raw
            || rest
                .iter()
                .try_fold(&self.value, |value, key| value.get(*key))
                .is_some())
    }

    /// Whether this sets something below `path`.
    fn is_below(&self, path: &[&str]) -> bool {
        self.path.len() >= path.len() && path.iter().zip(&self.path).all(|(a, b)| a == b)
    }
}

/// The overlays in the order they are applied.
#[derive(Clone, Debug, Default)]
pub(super) struct Overlays(Vec<Overlay>);

impl Overlays {
    /// Reads the environment and the `--set` arguments; what cannot be understood is a problem.
    pub(super) fn read(
        environment: &[(OsString, OsString)],
        overrides: &[String],
        document: &Document,
        problems: &mut Vec<Problem>,
    ) -> Self {
        let mut all = Vec::new();
        let mut variables: Vec<_> = environment
            .iter()
            .filter(|(name, _)| name.as_encoded_bytes().starts_with(ENV_PREFIX.as_bytes()))
            .collect();
        // The order of an environment is accidental.
        variables.sort();
        variables.dedup_by(|next, kept| next.0 == kept.0);
        let found = variables
            .into_iter()
            .map(|(name, value)| from_variable(name, value, document));
        for overlay in found.chain(overrides.iter().map(|argument| from_argument(argument))) {
            match overlay {
                Ok(overlay) => all.push(overlay),
                Err(problem) => problems.push(*problem),
            }
        }
        Self(all)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Overlay> {
        self.0.iter()
    }

    /// The overlay that the value at `path` comes from.
    pub(super) fn origin(&self, path: &[&str]) -> Option<&Overlay> {
        self.0.iter().rev().find(|overlay| overlay.gives(path))
    }

    /// The first overlay that sets something at or below `path`.
    pub(super) fn below(&self, path: &[&str]) -> Option<&Overlay> {
        self.0.iter().find(|overlay| overlay.is_below(path))
    }

    /// Whether the value at `path` is text of which the type is not known yet.
    pub(super) fn is_raw(&self, path: &[&str]) -> bool {
        self.origin(path)
            .is_some_and(|overlay| overlay.raw && overlay.path.len() == path.len())
    }
}

fn from_variable(
    name: &OsString,
    value: &OsString,
    document: &Document,
) -> Result<Overlay, Box<Problem>> {
    let shown = name.to_string_lossy();
    let label = format!("environment variable `{shown}`");
    let refuse = |reason: &str| {
        Problem::error(
            Code::CONFIG_OVERRIDE,
            format!("an override cannot be applied: {reason}"),
        )
        .at(Place::Named(label.clone()))
        .hint("the form is `GLUCOPIPE__SINKS__SHEET__PATH=out.csv`; unset it if it is not meant")
    };
    let (Some(name), Some(value)) = (name.to_str(), value.to_str()) else {
        return Err(Box::new(refuse("it is not UTF-8")));
    };
    let key = name
        .strip_prefix(ENV_PREFIX)
        .unwrap_or_default()
        .to_ascii_lowercase();
    let mut path: Vec<String> = key.split("__").map(str::to_owned).collect();
    if !path.iter().all(|part| is_part(part)) {
        return Err(Box::new(refuse("it names no key")));
    }
    adopt_name(&mut path, document);
    Overlay::new(label.clone(), path, value)
}

/// Lets a variable, whose name has no capitals, blanks and hyphens left, mean the one name of the file that
/// reads like it.
fn adopt_name(path: &mut [String], document: &Document) {
    let [section, name, ..] = path else { return };
    let section = document.find(&[section]).filter(|_| has_names(section));
    let Some(section) = section else { return };
    let names = section.entries().iter().map(|(known, _)| known);
    let mut fits = names.filter(|known| folded(known) == folded(name));
    if let (Some(known), None) = (fits.next(), fits.next()) {
        name.clone_from(known);
    }
}

/// A name as a variable can hold it.
fn folded(name: &str) -> String {
    let words = name.split(|c: char| !c.is_alphanumeric());
    let words: Vec<String> = words
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    words.join("_")
}

fn from_argument(argument: &str) -> Result<Overlay, Box<Problem>> {
    let parsed = argument
        .match_indices('=')
        .find_map(|(at, _)| Some((at, key_path(&argument[..at])?)));
    let end = parsed.as_ref().map(|(at, _)| *at).or(argument.find('='));
    let key = argument[..end.unwrap_or(argument.len())].trim();
    let label = format!("`--set {key}`");
    let refuse = |reason: &str| {
        Problem::error(
            Code::CONFIG_OVERRIDE,
            format!("an override cannot be applied: {reason}"),
        )
        .at(Place::Named(label.clone()))
        .hint("the form is `--set sinks.sheet.path=out.csv`")
    };
    match (parsed, end) {
        (Some((at, path)), _) => Overlay::new(label.clone(), path, &argument[at + 1..]),
        (None, Some(_)) => Err(Box::new(refuse("it names no key"))),
        (None, None) => Err(Box::new(refuse("expected `path.to.key=value`"))),
    }
}

/// The parts of a key with dots between; a part in quotes, as in TOML, may hold anything.
fn key_path(key: &str) -> Option<Vec<String>> {
    if !key.contains(['"', '\'']) {
        let path: Vec<String> = key.split('.').map(|part| part.trim().to_owned()).collect();
        return path.iter().all(|part| is_part(part)).then_some(path);
    }
    let (document, faults) = Document::parse(&format!("{key} = 0\n"));
    let mut path = Vec::new();
    let mut entries = document.entries();
    while let [(part, node)] = entries {
        path.push(part.clone());
        entries = node.entries();
    }
    let whole = faults.is_empty() && path.iter().all(|part| !part.is_empty());
    (whole && !path.is_empty()).then_some(path)
}

fn is_part(part: &str) -> bool {
    !part.is_empty()
        && part
            .chars()
            .all(|c| c.is_alphanumeric() || c == '_' || c == '-')
}

/// Merges the layers, sections that exist only.
pub(super) fn merge(document: &Document, overlays: &Overlays) -> Result<Value, ConfigError> {
    let mut file = Map::new();
    for (name, node) in document
        .entries()
        .iter()
        .filter(|(name, _)| is_section(name))
    {
        file.insert(name.clone(), to_config(&node.value()));
    }
    let mut builder = Config::builder().add_source(Layer(file));
    for overlay in overlays
        .iter()
        .filter(|overlay| is_section(&overlay.path[0]))
    {
        let (first, rest) = overlay.path.split_at(1);
        let value = rest
            .iter()
            .rev()
            .fold(to_config(&overlay.value), |value, key| {
                config::Value::new(None, Map::from_iter([(key.clone(), value)]))
            });
        builder = builder.add_source(Layer(Map::from_iter([(first[0].clone(), value)])));
    }
    Ok(to_json(builder.build()?.cache))
}

fn is_section(name: &str) -> bool {
    SECTIONS.contains(&name)
}

/// Whether what is in a section has names of the user's.
fn has_names(section: &str) -> bool {
    !matches!(section, "journal" | "plugins")
}

/// A layer as the `config` crate wants it.
#[derive(Clone, Debug)]
struct Layer(Map<String, config::Value>);

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, config::Value>, ConfigError> {
        Ok(self.0.clone())
    }
}

fn to_config(value: &Value) -> config::Value {
    let kind = match value {
        Value::Null => ValueKind::Nil,
        Value::Bool(truth) => ValueKind::Boolean(*truth),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => ValueKind::I64(whole),
            None => number.as_f64().map_or(ValueKind::Nil, ValueKind::Float),
        },
        Value::String(text) => ValueKind::String(text.clone()),
        Value::Array(items) => ValueKind::Array(items.iter().map(to_config).collect()),
        Value::Object(table) => ValueKind::Table(
            table
                .iter()
                .map(|(key, v)| (key.clone(), to_config(v)))
                .collect(),
        ),
    };
    config::Value::new(None, kind)
}

fn to_json(value: config::Value) -> Value {
    match value.kind {
        ValueKind::Nil => Value::Null,
        ValueKind::Boolean(truth) => Value::Bool(truth),
        ValueKind::I64(number) => Value::from(number),
        ValueKind::U64(number) => Value::from(number),
        ValueKind::I128(number) => i64::try_from(number).map_or(Value::Null, Value::from),
        ValueKind::U128(number) => u64::try_from(number).map_or(Value::Null, Value::from),
        ValueKind::Float(number) => Value::from(number),
        ValueKind::String(text) => Value::String(text),
        ValueKind::Array(items) => Value::Array(items.into_iter().map(to_json).collect()),
        ValueKind::Table(table) => Value::Object(
            table
                .into_iter()
                .map(|(key, value)| (key, to_json(value)))
                .collect(),
        ),
    }
}
