//! What a JSON Schema says of one value, seen through `$ref`, `allOf`, `anyOf` and the like.
//!
//! The validator answers whether a value fits. This answers what it does not: which keys there are,
//! what they are for, which types are possible, which values are secrets.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::document::parse_value;
use super::values::{split_list, unquote};

/// Keywords whose schemas apply to the same value.
const IN_PLACE_LISTS: [&str; 3] = ["allOf", "anyOf", "oneOf"];
const IN_PLACE: [&str; 3] = ["if", "then", "else"];

/// All schemas that apply, or may apply, to one value.
pub(super) struct Shape<'s> {
    root: &'s Value,
    parts: Vec<&'s Map<String, Value>>,
}

impl<'s> Shape<'s> {
    /// The shape of the whole document.
    pub(super) fn new(root: &'s Value) -> Self {
        Self::of(root, [root])
    }

    fn of(root: &'s Value, schemas: impl IntoIterator<Item = &'s Value>) -> Self {
        let mut shape = Self {
            root,
            parts: Vec::new(),
        };
        for schema in schemas {
            shape.add(schema);
        }
        shape
    }

    fn add(&mut self, schema: &'s Value) {
        let Value::Object(schema) = schema else {
            return;
        };
        if self.parts.iter().any(|part| std::ptr::eq(*part, schema)) {
            return;
        }
        self.parts.push(schema);
        for next in in_place(self.root, schema) {
            self.add(next);
        }
    }

    /// The shape of a key's value; `None` for a key without a schema.
    pub(super) fn property(&self, key: &str) -> Option<Self> {
        let found: Vec<_> = self
            .parts
            .iter()
            .filter_map(|part| part.get("properties")?.as_object()?.get(key))
            .collect();
        (!found.is_empty()).then(|| Self::of(self.root, found))
    }

    /// The shape of keys without a schema of their own.
    fn rest(&self) -> Self {
        let found = self
            .parts
            .iter()
            .filter_map(|part| part.get("additionalProperties"));
        Self::of(self.root, found)
    }

    fn items(&self) -> Self {
        Self::of(
            self.root,
            self.parts.iter().filter_map(|part| part.get("items")),
        )
    }

    /// All keys with a schema.
    pub(super) fn keys(&self) -> Vec<&'s str> {
        let tables = self
            .parts
            .iter()
            .filter_map(|part| part.get("properties")?.as_object());
        let mut keys: Vec<&str> = Vec::new();
        for key in tables.flat_map(Map::keys) {
            if !keys.contains(&key.as_str()) {
                keys.push(key);
            }
        }
        keys
    }

    /// Whether keys without a schema are welcome.
    fn is_open(&self) -> bool {
        let says = |key: &'static str| self.parts.iter().filter_map(move |part| part.get(key));
        let welcome = |value: &Value| value.is_object() || *value == Value::Bool(true);
        says("additionalProperties").any(welcome)
            || says("unevaluatedProperties").any(welcome)
            || says("patternProperties").next().is_some()
            || (says("properties").next().is_none()
                && says("additionalProperties").next().is_none())
    }

    /// The possible types, as JSON Schema names them; empty when anything goes.
    pub(super) fn types(&self) -> Vec<&'s str> {
        let mut types: Vec<&'s str> = Vec::new();
        for &part in &self.parts {
            match part.get("type") {
                Some(Value::String(name)) => types.push(name.as_str()),
                Some(Value::Array(names)) => types.extend(names.iter().filter_map(Value::as_str)),
                _ => {}
            }
            let values = part
                .get("enum")
                .and_then(Value::as_array)
                .into_iter()
                .flatten();
            for value in values.chain(part.get("const")) {
                types.push(json_type(value));
            }
        }
        types.dedup();
        types
    }

    pub(super) fn is_secret(&self) -> bool {
        self.parts
            .iter()
            .any(|part| part.get("format").and_then(Value::as_str) == Some("secret"))
    }

    pub(super) fn is_tuning(&self) -> bool {
        self.parts
            .iter()
            .any(|part| part.get("x-tuning") == Some(&Value::Bool(true)))
    }

    /// `number of tries, default 3`: the description's first sentence and the default.
    pub(super) fn about(&self) -> Option<String> {
        let text = self
            .parts
            .iter()
            .find_map(|part| part.get("description")?.as_str());
        let sentence = text.and_then(first_sentence);
        let default = self.parts.iter().find_map(|part| part.get("default"));
        let default = default.filter(|value| !value.is_null() && !self.is_secret());
        let default = default.map(|value| format!("default {}", shown(value)));
        let parts: Vec<String> = sentence.into_iter().chain(default).collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

fn first_sentence(text: &str) -> Option<String> {
    let paragraph = text.trim().split("\n\n").next()?;
    let lines: Vec<&str> = paragraph.lines().map(str::trim).collect();
    let text = lines.join(" ");
    // A full stop inside a word, as in `readings.csv`, ends nothing.
    let text = text.split(". ").next()?.trim_end_matches('.');
    let mut chars = text.chars();
    let first = chars.next()?;
    // `IANA name` keeps its capitals, `Number of tries` does not.
    let acronym = chars
        .clone()
        .next()
        .is_some_and(|second| !second.is_lowercase());
    let first = if acronym {
        first.to_string()
    } else {
        first.to_lowercase().to_string()
    };
    Some(first + chars.as_str())
}

/// A value as a message shows it: text in backticks, the rest as JSON.
pub(super) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) if text.chars().count() > 60 => {
            format!("`{}…`", text.chars().take(60).collect::<String>())
        }
        Value::String(text) => format!("`{text}`"),
        Value::Array(_) | Value::Object(_) => super::values::type_word(value).to_owned(),
        other => format!("`{other}`"),
    }
}

fn json_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// The schemas that apply to the same value as `schema`.
fn in_place<'s>(root: &'s Value, schema: &'s Map<String, Value>) -> Vec<&'s Value> {
    let mut found: Vec<&Value> = Vec::new();
    for key in IN_PLACE_LISTS {
        found.extend(
            schema
                .get(key)
                .and_then(Value::as_array)
                .into_iter()
                .flatten(),
        );
    }
    found.extend(IN_PLACE.iter().filter_map(|key| schema.get(*key)));
    let dependent = schema.get("dependentSchemas").and_then(Value::as_object);
    found.extend(dependent.into_iter().flat_map(Map::values));
    let target = schema
        .get("$ref")
        .and_then(Value::as_str)
        .and_then(|r| r.strip_prefix('#'));
    found.extend(target.and_then(|pointer| root.pointer(pointer)));
    found
}

/// Refuses references that leave the document or run in a circle without taking a step.
pub(super) fn check_references(root: &Value) -> Result<(), String> {
    let mut todo = vec![root];
    let mut done = BTreeMap::new();
    while let Some(value) = todo.pop() {
        match value {
            Value::Array(items) => todo.extend(items),
            Value::Object(table) => {
                todo.extend(table.values());
                for key in ["$ref", "$dynamicRef", "$recursiveRef"] {
                    match table.get(key) {
                        Some(Value::String(target)) if !target.starts_with('#') => {
                            return Err(format!("`{key}` leaves the document: `{target}`"));
                        }
                        _ => {}
                    }
                }
                if runs_in_circle(root, table, &mut done, 0) {
                    return Err("`$ref` runs in a circle".to_owned());
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// Depth-first search; `done` holds `false` for what is on the way, `true` for what is finished.
fn runs_in_circle<'s>(
    root: &'s Value,
    at: &'s Map<String, Value>,
    done: &mut BTreeMap<*const Map<String, Value>, bool>,
    depth: usize,
) -> bool {
    // No honest schema refers on and on.
    const MAX_HOPS: usize = 128;
    match done.get(&std::ptr::from_ref(at)) {
        Some(finished) => return !finished,
        None if depth > MAX_HOPS => return true,
        None => done.insert(at, false),
    };
    let circle = in_place(root, at)
        .into_iter()
        .filter_map(Value::as_object)
        .any(|next| runs_in_circle(root, next, done, depth + 1));
    done.insert(at, true);
    circle
}

/// What a walk over a node's own keys found.
#[derive(Default)]
pub(super) struct Found {
    /// Keys nobody reads: where, and the nearest key with what it is for.
    pub(super) unknown: Vec<Unknown>,
    /// Where secrets stand.
    pub(super) secrets: Vec<Vec<String>>,
}

pub(super) struct Unknown {
    pub(super) path: Vec<String>,
    /// All keys of the table it is in.
    pub(super) known: Vec<String>,
}

/// Walks a value along its shape: gives text from outside the file its type, takes unknown keys
/// out, finds the secrets. `is_raw` knows text from outside by its path.
pub(super) fn walk(
    value: &mut Value,
    shape: &Shape<'_>,
    path: &mut Vec<String>,
    is_raw: &dyn Fn(&[String]) -> bool,
    found: &mut Found,
) {
    if let Value::String(text) = &*value
        && is_raw(path)
    {
        *value = typed(text, shape);
    }
    if shape.is_secret() {
        found.secrets.push(path.clone());
        return;
    }
    match value {
        Value::Object(table) => {
            let open = shape.is_open();
            for key in table.keys().cloned().collect::<Vec<_>>() {
                path.push(key.clone());
                let inner = shape.property(&key).or_else(|| open.then(|| shape.rest()));
                match (inner, table.get_mut(&key)) {
                    (Some(inner), Some(value)) => walk(value, &inner, path, is_raw, found),
                    _ => {
                        table.shift_remove(&key);
                        let known = shape.keys().into_iter().map(str::to_owned).collect();
                        found.unknown.push(Unknown {
                            path: path.clone(),
                            known,
                        });
                    }
                }
                path.pop();
            }
        }
        Value::Array(items) => {
            let inner = shape.items();
            for (index, item) in items.iter_mut().enumerate() {
                path.push(index.to_string());
                walk(item, &inner, path, is_raw, found);
                path.pop();
            }
        }
        _ => {}
    }
}

/// Text from outside the file as the type that is expected.
fn typed(text: &str, shape: &Shape<'_>) -> Value {
    let types = shape.types();
    let parsed = parse_value(text);
    if shape.is_secret() {
        return parsed
            .filter(Value::is_object)
            .unwrap_or_else(|| Value::from(text));
    }
    if types.is_empty() {
        return parsed.unwrap_or_else(|| Value::from(text));
    }
    let fits = |value: &Value| {
        let own = json_type(value);
        own != "string" && (types.contains(&own) || (own == "integer" && types.contains(&"number")))
    };
    match parsed.filter(fits) {
        Some(value) => value,
        None if types.contains(&"string") => Value::from(unquote(text)),
        None if types.contains(&"array") => {
            let mut list = split_list(text);
            let inner = shape.items();
            for item in list.as_array_mut().into_iter().flatten() {
                if let Value::String(part) = &*item {
                    *item = typed(part, &inner);
                }
            }
            list
        }
        None => Value::from(text),
    }
}
