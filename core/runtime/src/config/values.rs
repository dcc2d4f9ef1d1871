//! Reads single values of the host's own keys, whatever layer they come from.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::document::parse_value;
use super::model::DEFAULT_TIMEOUT_SECS;
use super::origins::Origins;
use super::shape::shown;
use crate::problem::{Code, Problem};
use crate::suggest::{did_you_mean, join, nearest};

pub(super) type Table = Map<String, Value>;

/// The word for the type of a value.
pub(super) fn type_word(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(true) => "`true`",
        Value::Bool(false) => "`false`",
        Value::Number(number) if number.is_f64() => "a fraction",
        Value::Number(_) => "a whole number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a table",
    }
}

/// Text from outside the file: quotes around the whole are TOML's.
pub(super) fn unquote(text: &str) -> String {
    match parse_value(text) {
        Some(Value::String(inner)) if text.trim_start().starts_with(['"', '\'']) => inner,
        _ => text.to_owned(),
    }
}

/// A list given as text: TOML, or parts between commas.
pub(super) fn split_list(text: &str) -> Value {
    match parse_value(text) {
        Some(list @ Value::Array(_)) => list,
        _ => {
            let parts = text.split(',').map(|part| unquote(part.trim()));
            parts
                .filter(|part| !part.is_empty())
                .map(Value::String)
                .collect()
        }
    }
}

/// Reads values and keeps what is wrong with them.
pub(super) struct Reader<'a> {
    pub(super) origins: &'a Origins,
    pub(super) problems: &'a mut Vec<Problem>,
    /// Names whose table is misspelt or none.
    pub(super) shadows: Vec<String>,
}

impl Reader<'_> {
    pub(super) fn wrong(&mut self, path: &[&str], expected: &str, value: &Value, hint: &str) {
        // A `null` was reported when the text was parsed.
        if value.is_null() {
            return;
        }
        let object = match path {
            [table @ .., key] if !table.is_empty() => format!("`{key}` of [{}]", table.join(".")),
            _ => format!("`{}`", path.join(".")),
        };
        self.problems.push(
            Problem::error(
                Code::CONFIG_VALUE,
                format!("{object}: expected {expected}, got {}", type_word(value)),
            )
            .at(self.origins.place(path))
            .hint(hint),
        );
    }

    /// The value of the last key of `path`, which `table` holds.
    pub(super) fn text(&mut self, path: &[&str], table: &Table) -> Option<String> {
        let key = path.last().copied().unwrap_or_default();
        match table.get(key)? {
            Value::String(text) if self.origins.overlays.is_raw(path) => Some(unquote(text)),
            Value::String(text) => Some(text.clone()),
            value => {
                let shown = match value {
                    Value::Bool(_) | Value::Number(_) => value.to_string(),
                    _ => "…".to_owned(),
                };
                self.wrong(
                    path,
                    "text",
                    value,
                    &format!("put it in quotes: `{key} = \"{shown}\"`"),
                );
                None
            }
        }
    }

    pub(super) fn timeout(&mut self, path: &[&str], table: &Table) -> u64 {
        const HINT: &str = "give seconds without a unit: `timeout_secs = 600`";
        let Some(value) = table.get("timeout_secs") else {
            return DEFAULT_TIMEOUT_SECS;
        };
        let parsed = match value {
            Value::String(text) if self.origins.overlays.is_raw(path) => parse_value(text),
            _ => None,
        };
        let value = parsed.as_ref().unwrap_or(value);
        match value.as_u64() {
            Some(seconds) if seconds > 0 => return seconds,
            None if value.as_i64().is_none() => {
                self.wrong(path, "a whole number of seconds", value, HINT);
            }
            _ => self.problems.push(
                Problem::error(
                    Code::CONFIG_VALUE,
                    format!(
                        "`timeout_secs` of [{}]: expected at least 1, got {value}",
                        path[..path.len() - 1].join(".")
                    ),
                )
                .at(self.origins.place(path))
                .hint(HINT),
            ),
        }
        DEFAULT_TIMEOUT_SECS
    }

    /// `true` or `false`; what is neither is taken for `true`, and reported.
    pub(super) fn flag(&mut self, path: &[&str], table: &Table) -> bool {
        let key = path.last().copied().unwrap_or_default();
        let Some(value) = table.get(key) else {
            return false;
        };
        let parsed = match value {
            Value::String(text) if self.origins.overlays.is_raw(path) => parse_value(text),
            _ => None,
        };
        let value = parsed.as_ref().unwrap_or(value);
        value.as_bool().unwrap_or_else(|| {
            let hint = format!("write `{key} = true` or `{key} = false`");
            self.wrong(path, "`true` or `false`", value, &hint);
            true
        })
    }

    /// One of some words.
    pub(super) fn word<T: Copy>(
        &mut self,
        path: &[&str],
        table: &Table,
        words: &[(&str, T)],
    ) -> Option<T> {
        let text = self.text(path, table)?;
        if let Some((_, meant)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*meant);
        }
        let known = || words.iter().map(|(word, _)| *word);
        let hint = nearest(&text, known()).map_or_else(
            || {
                let quoted = known().map(|word| format!("`\"{word}\"`")).collect();
                format!("it is one of {}", join(quoted, "or"))
            },
            did_you_mean,
        );
        let (key, tables) = path.split_last()?;
        let title = format!(
            "`{key}` of [{}] cannot be {}",
            tables.join("."),
            shown(&text.into())
        );
        self.problems.push(
            Problem::error(Code::CONFIG_VALUE, title)
                .at(self.origins.place(path))
                .hint(hint),
        );
        None
    }

    /// A list of texts; best effort where it is not one.
    pub(super) fn texts(&mut self, path: &[&str], table: &Table) -> Option<Vec<String>> {
        let key = path.last().copied().unwrap_or_default();
        let example = format!("write a list of texts: `{key} = [\"…\"]`");
        let value = match table.get(key)? {
            Value::String(text) if self.origins.overlays.is_raw(path) => split_list(text),
            value => value.clone(),
        };
        match value {
            Value::Array(items) => {
                let mut texts = Vec::new();
                for (index, item) in items.iter().enumerate() {
                    match item {
                        Value::String(text) => texts.push(text.clone()),
                        item => {
                            let index = index.to_string();
                            let at = [path, &[index.as_str()]].concat();
                            let object = format!(
                                "`{key}[{index}]` of [{}]",
                                path[..path.len() - 1].join(".")
                            );
                            if !item.is_null() {
                                self.problems.push(
                                    Problem::error(
                                        Code::CONFIG_VALUE,
                                        format!("{object}: expected text, got {}", type_word(item)),
                                    )
                                    .at(self.origins.place(&at))
                                    .hint(example.clone()),
                                );
                            }
                        }
                    }
                }
                Some(texts)
            }
            Value::String(text) => {
                let example = format!("put it in brackets: `{key} = [\"{text}\"]`");
                self.wrong(
                    path,
                    "a list of texts",
                    &Value::String(text.clone()),
                    &example,
                );
                Some(vec![text])
            }
            value => {
                self.wrong(path, "a list of texts", &value, &example);
                None
            }
        }
    }

    pub(super) fn inputs(&mut self, path: &[&str], table: &Table) -> Vec<String> {
        let Some(texts) = self.texts(path, table) else {
            return Vec::new();
        };
        let is_empty_list = table
            .get("inputs")
            .and_then(Value::as_array)
            .is_some_and(Vec::is_empty);
        if texts.is_empty() && (is_empty_list || self.origins.overlays.is_raw(path)) {
            self.problems.push(
                Problem::error(
                    Code::CONFIG_GRAPH,
                    format!("[{}] has no input", path[..path.len() - 1].join(".")),
                )
                .at(self.origins.place(path))
                .hint("say what feeds it: `inputs = [\"meter\"]`"),
            );
        }
        texts
    }

    pub(super) fn folders(&mut self, table: &Table) -> Vec<PathBuf> {
        let texts = self.texts(&["plugins", "path"], table).unwrap_or_default();
        let (good, bad): (Vec<_>, Vec<_>) = texts
            .into_iter()
            .enumerate()
            .partition(|(_, folder)| Path::new(folder).is_absolute());
        for (index, folder) in bad {
            let index = index.to_string();
            self.problems.push(
                Problem::error(
                    Code::CONFIG_VALUE,
                    format!("`path` of [plugins]: expected absolute folders, got `{folder}`"),
                )
                .at(self.origins.place(&["plugins", "path", &index]))
                .hint(
                    "write the whole path; libraries are never loaded from wherever a run starts",
                ),
            );
        }
        good.into_iter()
            .map(|(_, folder)| PathBuf::from(folder))
            .collect()
    }
}
