//! The keys of a component as a Markdown table.

use schemars::{JsonSchema, schema_for};
use serde_json::Value;

/// The keys of a configuration as a Markdown table, for a page of the documentation and for a test that
/// the page has it.
///
/// ```
/// use glucopipe_sdk::{schemars::{self, JsonSchema}, testing::config_table};
///
/// #[derive(JsonSchema)]
/// struct Config {
///     /// The file to write.
///     path: String,
/// }
///
/// let lines = [
///     "| key | type | default | meaning |",
///     "|---|---|---|---|",
///     "| `path` | text | required | The file to write. |",
/// ];
/// assert_eq!(config_table::<Config>(), lines.join("\n") + "\n");
/// ```
pub fn config_table<C: JsonSchema>() -> String {
    let schema = schema_for!(C).to_value();
    let mut table = String::from("| key | type | default | meaning |\n|---|---|---|---|\n");
    let keys = schema.get("properties").and_then(Value::as_object);
    for (key, about) in keys.into_iter().flatten() {
        let required = schema
            .get("required")
            .and_then(Value::as_array)
            .is_some_and(|required| required.iter().any(|name| name == key));
        let default = match about.get("default") {
            _ if required => "required".to_owned(),
            None | Some(Value::Null) => "–".to_owned(),
            Some(default) => code(default),
        };
        let meaning = about
            .get("description")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let kind = kind(about, &schema);
        for cell in [format!("`{key}`"), kind, default, one_line(meaning)] {
            table.push_str("| ");
            table.push_str(&cell.replace('|', "\\|"));
            table.push(' ');
        }
        table.push_str("|\n");
    }
    table
}

/// The type of a value in words: `text`, `list of texts`, the choices.
fn kind(about: &Value, schema: &Value) -> String {
    if let Some(name) = about.get("$ref").and_then(Value::as_str) {
        let target = name.strip_prefix('#').and_then(|path| schema.pointer(path));
        return target.map_or_else(String::new, |target| kind(target, schema));
    }
    if let Some(choice) = about.get("const") {
        return code(choice);
    }
    for branches in ["enum", "anyOf", "oneOf"] {
        let Some(branches) = about.get(branches).and_then(Value::as_array) else {
            continue;
        };
        let kinds: Vec<String> = branches
            .iter()
            .filter(|branch| !branch.is_null() && branch.get("type") != Some(&"null".into()))
            .map(|branch| match branch {
                Value::Object(_) => kind(branch, schema),
                choice => code(choice),
            })
            .collect();
        return kinds.join(" or ");
    }
    let word = match about.get("type") {
        Some(Value::Array(words)) => words.iter().find(|word| *word != "null"),
        word => word,
    };
    match word.and_then(Value::as_str) {
        Some("string") if about.get("format") == Some(&"secret".into()) => "secret",
        Some("string") => "text",
        Some("boolean") => "`true` or `false`",
        Some("integer") => "whole number",
        Some("number") => "number",
        Some("object") => "table",
        Some("array") => {
            let item = about.get("items").map(|items| kind(items, schema));
            return match item.as_deref() {
                Some("text") => "list of texts".to_owned(),
                Some(item) => format!("list of {item}"),
                None => "list".to_owned(),
            };
        }
        _ => "any",
    }
    .to_owned()
}

/// A value as it is written in the file.
fn code(value: &Value) -> String {
    format!("`{value}`")
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::component::Secret;

    #[derive(Clone, Copy, Default, Deserialize, Serialize, JsonSchema)]
    #[serde(rename_all = "lowercase")]
    enum Size {
        #[default]
        Small,
        Large,
    }

    /// Keys of all kinds.
    #[derive(JsonSchema)]
    #[allow(dead_code)] // its schema is what counts
    struct Config {
        /// Two
        /// lines | and a bar.
        names: Option<Vec<String>>,
        #[serde(default)]
        size: Size,
        other: Option<Size>,
        token: Option<Secret>,
        count: u8,
        #[serde(default)]
        loud: bool,
    }

    #[test]
    fn every_kind_of_key_has_its_words() {
        let table = config_table::<Config>();
        let lines: Vec<_> = table.lines().skip(2).collect();
        assert_eq!(
            lines,
            [
                "| `names` | list of texts | – | Two lines \\| and a bar. |",
                "| `size` | `\"small\"` or `\"large\"` | `\"small\"` |  |",
                "| `other` | `\"small\"` or `\"large\"` | – |  |",
                "| `token` | secret | – |  |",
                "| `count` | whole number | required |  |",
                "| `loud` | `true` or `false` | `false` |  |",
            ]
        );
    }
}
