//! Checks the keys that plugins own and fills in their secrets.

use std::fmt;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use super::model::Component;
use super::read::home_of;
use super::schema_check::{Misfit, Schema};
use super::secrets::{self, Refusal};
use super::shape::{Found, Shape, Unknown, walk};
use super::{Code, Loaded, Place, Problem, Secrets};
use crate::suggest::{all_of, nearest};

/// A node's own keys with the secrets filled in, for the plugin only.
pub struct Resolved(Value);

impl Resolved {
    /// The keys and values, secrets readable.
    pub fn expose(&self) -> &Value {
        &self.0
    }

    /// The same as JSON text.
    pub fn to_json(&self) -> SecretString {
        SecretString::from(self.0.to_string())
    }
}

impl fmt::Debug for Resolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resolved([REDACTED])")
    }
}

/// The node that is checked.
struct At<'a> {
    kind: Component,
    name: &'a str,
}

impl At<'_> {
    /// The path from the top of the file.
    fn path<'p>(&'p self, inner: &'p [String]) -> Vec<&'p str> {
        [self.kind.section(), self.name]
            .into_iter()
            .chain(inner.iter().map(String::as_str))
            .collect()
    }

    /// `[sinks.sheet]`.
    fn table(&self) -> String {
        format!("[{}.{}]", self.kind.section(), self.name)
    }

    /// `` `to` of [transforms.mmol] ``, or the table itself.
    fn value(&self, inner: &[String]) -> String {
        match dotted(inner) {
            key if key.is_empty() => self.table(),
            key => format!("`{key}` of {}", self.table()),
        }
    }
}

/// `a.b[0]`.
fn dotted(path: &[String]) -> String {
    let mut out = String::new();
    for part in path {
        if part.chars().all(|c| c.is_ascii_digit()) && !out.is_empty() {
            out.push_str(&format!("[{part}]"));
        } else {
            out.push_str(if out.is_empty() { "" } else { "." });
            out.push_str(part);
        }
    }
    out
}

impl Loaded {
    /// Checks the keys of a node that its plugin owns, against the plugin's JSON Schema, and finds
    /// its secrets. What is wrong is added to the problems; values from outside the file get their
    /// types. A second call for the same node does nothing.
    pub fn check_options(&mut self, kind: Component, name: &str, schema: &Value) {
        let key = (kind, name.to_owned());
        if self.is_broken() || self.checked.contains_key(&key) {
            return;
        }
        let at = At { kind, name };
        let Some((plugin, options)) = self.pipeline.node_mut(kind, name) else {
            return;
        };
        let (plugin, mut value) = (plugin.to_owned(), Value::Object(options.clone()));
        let Some(compiled) = self.compile(kind, &plugin, schema) else {
            return;
        };

        let mut found = Found::default();
        let overlays = &self.origins.overlays;
        let is_raw = |inner: &[String]| overlays.is_raw(&at.path(inner));
        walk(
            &mut value,
            &Shape::new(schema),
            &mut Vec::new(),
            &is_raw,
            &mut found,
        );
        let mut problems = Vec::new();
        let mut meant = Vec::new();
        for unknown in &found.unknown {
            let (problem, near) = self.unknown(&at, unknown, schema);
            problems.push(problem);
            meant.extend(near);
        }
        let mut secrets = Vec::new();
        for path in &found.secrets {
            self.follow(&at, path, &mut value, &mut secrets, &mut problems);
        }
        // The schema says text; whether the reference is right has been checked.
        let mut stand_in = value.clone();
        for path in &found.secrets {
            if let Some(secret) = find(&mut stand_in, path) {
                *secret = Value::from("secret");
            }
        }
        for misfit in compiled.misfits(&stand_in, schema) {
            let hidden = found
                .secrets
                .iter()
                .any(|path| misfit.path.starts_with(path));
            let unusable = find(&mut stand_in, &misfit.path).is_some_and(|value| value.is_null());
            let missing = misfit
                .missing
                .as_ref()
                .map(|key| [&misfit.path[..], std::slice::from_ref(key)].concat());
            let misspelt = missing.is_some_and(|path| meant.contains(&path));
            if !(hidden || unusable || misspelt) {
                problems.push(self.misfit(&at, misfit, schema));
            }
        }
        let clean = problems.is_empty();
        if let (Value::Object(table), Some((_, options))) =
            (value, self.pipeline.node_mut(kind, name))
        {
            *options = table;
        }
        self.problems.extend(problems);
        self.sort();
        self.checked.insert(key, clean.then_some(secrets));
    }

    /// A node's own keys with the secrets filled in. `None` unless [`Loaded::check_options`] found
    /// nothing wrong with them.
    pub fn resolve(&self, kind: Component, name: &str) -> Option<Resolved> {
        let secrets = self.checked.get(&(kind, name.to_owned()))?.as_ref()?;
        let mut value = Value::Object(self.pipeline.options(kind, name)?.clone());
        for (path, secret) in secrets {
            *find(&mut value, path)? = Value::from(secret.expose_secret());
        }
        Some(Resolved(value))
    }

    /// What of a node's own keys says where and how it delivers: all but secrets, and keys that do not
    /// change what arrives, which their schema marks with `"x-tuning": true`.
    pub fn identifying(&self, kind: Component, name: &str, schema: &Value) -> Map<String, Value> {
        let Some(options) = self.pipeline.options(kind, name) else {
            return Map::new();
        };
        let mut value = Value::Object(options.clone());
        let checked = self.checked.get(&(kind, name.to_owned()));
        for (path, _) in checked.into_iter().flatten().flatten() {
            if let Some(secret) = find(&mut value, path) {
                *secret = Value::Null;
            }
        }
        let shape = Shape::new(schema);
        let Value::Object(mut keys) = value else {
            return Map::new();
        };
        keys.retain(|key, value| {
            let tuning = shape.property(key).is_some_and(|inner| inner.is_tuning());
            !value.is_null() && !tuning
        });
        keys
    }

    /// Compiles a schema once; a broken one is the plugin's problem, reported once.
    fn compile(&mut self, kind: Component, plugin: &str, schema: &Value) -> Option<Arc<Schema>> {
        let text = format!("{} {plugin} {schema}", kind.plugin_word());
        if let Some(known) = self.schemas.get(&text) {
            return known.clone();
        }
        let compiled = match Schema::compile(schema) {
            Ok(compiled) => Some(Arc::new(compiled)),
            Err(cause) => {
                let word = kind.plugin_word();
                let title = format!("the {word} `{plugin}` publishes a broken schema of its keys");
                let problem = Problem::error(Code::PLUGIN_BROKEN, title)
                    .at(Place::Named(format!("{word} `{plugin}`")))
                    .cause(cause)
                    .hint(format!("update the {word}, or report this to its author"));
                self.report(problem);
                None
            }
        };
        self.schemas.insert(text, compiled.clone());
        compiled
    }

    /// The message for a key nobody reads, and the path that was meant.
    fn unknown(
        &self,
        at: &At<'_>,
        unknown: &Unknown,
        schema: &Value,
    ) -> (Problem, Option<Vec<String>>) {
        let (key, around) = match unknown.path.split_last() {
            Some((key, around)) => (key.as_str(), around),
            None => ("", &[][..]),
        };
        let top = around.is_empty();
        let table = match dotted(around) {
            inner if inner.is_empty() => at.table(),
            inner => format!("[{}.{}.{inner}]", at.kind.section(), at.name),
        };
        let common = if top { at.kind.common_keys() } else { &[] };
        let own = unknown
            .known
            .iter()
            .map(String::as_str)
            .filter(|own| !common.contains(own));
        let candidates: Vec<&str> = own.chain(common.iter().copied()).collect();
        let problem = Problem::error(
            Code::CONFIG_UNKNOWN_KEY,
            format!("unknown key `{key}` in {table}"),
        )
        .at(self.origins.place_key(&at.path(&unknown.path)));
        if let Some(home) = home_of(key).filter(|_| top) {
            return (problem.hint(format!("`{key}` belongs to {home}")), None);
        }
        if let Some(near) = nearest(key, candidates.iter().copied()) {
            let meant = [around, &[near.to_owned()]].concat();
            let shape = meant
                .iter()
                .try_fold(Shape::new(schema), |shape, part| shape.property(part));
            let hint = match shape.and_then(|shape| shape.about()) {
                Some(about) => format!("did you mean `{near}`? ({about})"),
                None => format!("did you mean `{near}`?"),
            };
            return (problem.hint(hint), Some(meant));
        }
        let hint = match candidates.is_empty() {
            false => format!("{table} has {}", all_of(candidates)),
            true => "delete it".to_owned(),
        };
        (problem.hint(hint), None)
    }

    fn misfit(&self, at: &At<'_>, misfit: Misfit, schema: &Value) -> Problem {
        let inner = at.path(&misfit.path);
        let (code, title, place) = match &misfit.missing {
            Some(_) => {
                let title = format!(
                    "{} in {}",
                    misfit.message,
                    match dotted(&misfit.path) {
                        key if key.is_empty() => at.table(),
                        key => format!("[{}.{}.{key}]", at.kind.section(), at.name),
                    }
                );
                (
                    Code::CONFIG_MISSING_KEY,
                    title,
                    self.origins.place_key(&inner),
                )
            }
            None => {
                let title = format!("{}: {}", at.value(&misfit.path), misfit.message);
                (Code::CONFIG_VALUE, title, self.origins.place(&inner))
            }
        };
        let hint = misfit.hint.unwrap_or_else(|| {
            let key = misfit.path.first().map_or("it", String::as_str);
            let shape = Shape::new(schema).property(key);
            match shape.and_then(|shape| shape.about()) {
                Some(about) => format!("change `{key}` ({about})"),
                None => format!("change `{key}`; `glucopipe plugins --json` describes it"),
            }
        });
        Problem::error(code, title).at(place).hint(hint)
    }

    /// Follows a reference to a secret; hides what turns out to be one written out.
    fn follow(
        &mut self,
        at: &At<'_>,
        path: &[String],
        value: &mut Value,
        secrets: &mut Secrets,
        problems: &mut Vec<Problem>,
    ) {
        let Some(reference) = find(value, path) else {
            return;
        };
        if reference.is_null() {
            return;
        }
        if let Value::Object(table) = reference {
            self.keep_override(at, path, table);
        }
        let key = path
            .iter()
            .rev()
            .find(|part| part.parse::<usize>().is_err());
        let key = key.map_or("secret", String::as_str);
        let refusal = match secrets::resolve(key, reference, &self.environment) {
            Ok(secret) => {
                secrets.push((path.to_vec(), secret));
                return;
            }
            Err(refusal) => refusal,
        };
        let Refusal {
            code,
            what,
            cause,
            hint,
            key: part,
            hide,
        } = *refusal;
        let is_unknown = part
            .as_ref()
            .is_some_and(|part| !secrets::WAYS.contains(&part.as_str()));
        let inner: Vec<String> = path.iter().cloned().chain(part).collect();
        if !reference.is_object() {
            self.hide(&at.path(path), problems);
            *reference = Value::Null;
        }
        for part in hide {
            let part: Vec<String> = path.iter().cloned().chain([part]).collect();
            self.hide(&at.path(&part), problems);
            if let Some(value) = find(value, &part) {
                *value = Value::Null;
            }
        }
        let mut problem = Problem::error(code, format!("{} {what}", at.value(path)))
            .at(match is_unknown {
                true => self.origins.place_key(&at.path(&inner)),
                false => self.origins.place(&at.path(&inner)),
            })
            .hint(hint);
        problem.causes.extend(cause);
        problems.push(problem);
    }

    /// An override of one kind of reference replaces another kind in the file.
    fn keep_override(&self, at: &At<'_>, path: &[String], table: &mut Map<String, Value>) {
        let overridden = |way: &str| {
            let inner: Vec<String> = path.iter().cloned().chain([way.to_owned()]).collect();
            self.origins.overlays.origin(&at.path(&inner)).is_some()
        };
        if table.len() > 1 && table.keys().filter(|way| overridden(way)).count() == 1 {
            table.retain(|way, _| overridden(way));
        }
    }

    /// Hides a value in every snippet, those of earlier problems too.
    fn hide(&mut self, path: &[&str], problems: &mut [Problem]) {
        if self.origins.hide(path) {
            for problem in self.problems.iter_mut().chain(problems) {
                self.origins.refresh(problem);
            }
        }
    }
}

fn find<'v>(value: &'v mut Value, path: &[String]) -> Option<&'v mut Value> {
    path.iter().try_fold(value, |value, part| match value {
        Value::Object(table) => table.get_mut(part),
        Value::Array(items) => items.get_mut(part.parse::<usize>().ok()?),
        _ => None,
    })
}
