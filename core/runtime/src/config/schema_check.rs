//! The only file that knows the `jsonschema` crate: compiles a plugin's schema, turns what does not
//! fit into messages.

use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use jsonschema::{ValidationError, Validator};
use serde_json::Value;

use super::mask::is_secret_name;
use super::shape::{Shape, check_references, shown};
use super::values::type_word;
use crate::suggest::{did_you_mean, join, nearest};

/// A compiled schema.
pub(super) struct Schema(Validator);

/// One thing that does not fit.
#[derive(Debug)]
pub(super) struct Misfit {
    /// The value, or the table in which a key is missing.
    pub(super) path: Vec<String>,
    /// The missing key.
    pub(super) missing: Option<String>,
    /// `expected a whole number, got text`.
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

impl Schema {
    /// Compiles a schema; references never leave the document.
    pub(super) fn compile(schema: &Value) -> Result<Self, String> {
        if !schema.is_object() {
            return Err(format!("expected an object, got {}", type_word(schema)));
        }
        check_references(schema)?;
        let compiled = jsonschema::options().offline().build(schema);
        compiled
            .map(Self)
            .map_err(|error| match error.instance_path().as_str() {
                "" => error.to_string(),
                path => format!("{error} (at `{path}`)"),
            })
    }

    /// Everything in `value` that does not fit, one for each place.
    pub(super) fn misfits(&self, value: &Value, schema: &Value) -> Vec<Misfit> {
        let mut misfits: Vec<Misfit> = Vec::new();
        for error in self.0.iter_errors(value) {
            for misfit in explain(&error, schema) {
                let known =
                    |other: &Misfit| other.path == misfit.path && other.missing == misfit.missing;
                if !misfits.iter().any(known) {
                    misfits.push(misfit);
                }
            }
        }
        misfits
    }
}

fn segments(error: &ValidationError<'_>) -> Vec<String> {
    let pointer = error.instance_path().as_str();
    pointer
        .split('/')
        .skip(1)
        .map(|part| part.replace("~1", "/").replace("~0", "~"))
        .collect()
}

fn explain(error: &ValidationError<'_>, schema: &Value) -> Vec<Misfit> {
    let path = segments(error);
    let got = error.instance();
    let expected = |what: String| {
        let got = type_word(got);
        vec![Misfit {
            path: path.clone(),
            missing: None,
            message: format!("expected {what}, got {got}"),
            hint: None,
        }]
    };
    // Numbers and choices are no secrets, so the value helps; other text is never shown.
    let limit = |what: String, unit: &str| {
        let got = match &**got {
            Value::Number(number) => number.to_string(),
            Value::String(text) => text.chars().count().to_string(),
            Value::Array(items) => items.len().to_string(),
            Value::Object(table) => table.len().to_string(),
            other => type_word(other).to_owned(),
        };
        let message = format!("expected {what}{unit}, got {got}");
        vec![Misfit {
            path: path.clone(),
            missing: None,
            message,
            hint: None,
        }]
    };
    match error.kind() {
        Kind::Type { kind } => {
            let hint = type_hint(kind, got, path.last().map_or("", String::as_str));
            expected(type_names(kind))
                .into_iter()
                .map(|misfit| Misfit {
                    hint: hint.clone(),
                    ..misfit
                })
                .collect()
        }
        Kind::Enum { options } => {
            let values = options.as_array().cloned().unwrap_or_default();
            vec![choice(path, &values, got)]
        }
        Kind::Constant { expected_value } => vec![choice(path, &[(**expected_value).clone()], got)],
        Kind::Required { property } => {
            let key = property.as_str().unwrap_or_default().to_owned();
            let shape = path
                .iter()
                .try_fold(Shape::new(schema), |shape, part| shape.property(part));
            let about = shape.and_then(|shape| shape.property(&key)?.about());
            let hint = match about {
                Some(about) => format!("add `{key} = …` ({about})"),
                None => format!("add `{key} = …` to the table"),
            };
            let message = format!("missing key `{key}`");
            vec![Misfit {
                path,
                missing: Some(key),
                message,
                hint: Some(hint),
            }]
        }
        Kind::AnyOf { context } | Kind::OneOfNotValid { context } => {
            branches(path, got, context, schema)
        }
        Kind::Minimum { limit: low } => limit(format!("at least {low}"), ""),
        Kind::Maximum { limit: high } => limit(format!("at most {high}"), ""),
        Kind::ExclusiveMinimum { limit: low } => limit(format!("more than {low}"), ""),
        Kind::ExclusiveMaximum { limit: high } => limit(format!("less than {high}"), ""),
        Kind::MultipleOf { multiple_of } => limit(format!("a multiple of {multiple_of}"), ""),
        Kind::MinLength { limit: low } => limit(format!("at least {low}"), " characters"),
        Kind::MaxLength { limit: high } => limit(format!("at most {high}"), " characters"),
        Kind::MinItems { limit: low } => limit(format!("at least {low}"), " items"),
        Kind::MaxItems { limit: high } => limit(format!("at most {high}"), " items"),
        Kind::MinProperties { limit: low } => limit(format!("at least {low}"), " keys"),
        Kind::MaxProperties { limit: high } => limit(format!("at most {high}"), " keys"),
        Kind::UniqueItems => other(path, "expected every item once, got one twice"),
        Kind::Pattern { pattern } => {
            other(path, &format!("expected text that matches `{pattern}`"))
        }
        Kind::Format { format } => other(path, &format!("expected text of the form `{format}`")),
        // Unknown keys were taken out and reported before.
        Kind::AdditionalProperties { .. } | Kind::UnevaluatedProperties { .. } => Vec::new(),
        Kind::OneOfMultipleValid { .. } => {
            other(path, "fits several forms of which one is expected")
        }
        Kind::FalseSchema => other(path, "must not be set"),
        _ => other(path, "does not fit the plugin's schema"),
    }
}

fn other(path: Vec<String>, message: &str) -> Vec<Misfit> {
    vec![Misfit {
        path,
        missing: None,
        message: message.to_owned(),
        hint: None,
    }]
}

/// What is said of a value that fits no branch of an `anyOf` or `oneOf`.
fn branches(
    path: Vec<String>,
    got: &Value,
    context: &[Vec<ValidationError<'static>>],
    schema: &Value,
) -> Vec<Misfit> {
    let is_null_branch = |errors: &&Vec<ValidationError<'static>>| {
        errors.iter().any(|error| {
            matches!(
                error.kind(),
                Kind::Type {
                    kind: TypeKind::Single(jsonschema::JsonType::Null)
                }
            )
        })
    };
    let live: Vec<_> = context
        .iter()
        .filter(|errors| !is_null_branch(errors))
        .collect();
    // A branch that only complains about parts of the value is the one that was meant.
    let own = |error: &ValidationError<'_>| segments(error) == path;
    let mistyped = |error: &ValidationError<'_>| {
        matches!(
            error.kind(),
            Kind::Type { .. } | Kind::Enum { .. } | Kind::Constant { .. }
        )
    };
    let mut meant = live
        .iter()
        .filter(|errors| !errors.iter().any(|e| own(e) && mistyped(e)));
    if let (Some(errors), None) = (meant.next(), meant.next()) {
        return errors
            .iter()
            .flat_map(|error| explain(error, schema))
            .collect();
    }
    let mut values = Vec::new();
    let mut kinds = Vec::new();
    for error in live
        .iter()
        .flat_map(|errors| errors.iter())
        .filter(|error| own(error))
    {
        match error.kind() {
            Kind::Enum { options } => {
                values.extend(options.as_array().cloned().unwrap_or_default());
            }
            Kind::Constant { expected_value } => values.push((**expected_value).clone()),
            Kind::Type { kind } => kinds.push(type_names(kind)),
            _ => {}
        }
    }
    kinds.dedup();
    // Where text is right in kind but not one of the choices, the kinds are noise.
    if !values.is_empty() && (kinds.is_empty() || values.iter().any(|value| same_kind(value, got)))
    {
        return vec![choice(path, &values, got)];
    }
    kinds.extend(values.iter().map(shown));
    if kinds.is_empty() {
        return other(path, "fits none of the allowed forms");
    }
    let message = format!("expected {}, got {}", join(kinds, "or"), type_word(got));
    other(path, &message)
}

fn same_kind(a: &Value, b: &Value) -> bool {
    std::mem::discriminant(a) == std::mem::discriminant(b)
}

/// A value that is none of the choices.
fn choice(path: Vec<String>, values: &[Value], got: &Value) -> Misfit {
    let live: Vec<&Value> = values.iter().filter(|value| !value.is_null()).collect();
    let expected = join(live.iter().map(|value| shown(value)).collect(), "or");
    let private = path.last().is_some_and(|key| is_secret_name(key));
    let given = match got {
        Value::Array(_) | Value::Object(_) => type_word(got).to_owned(),
        _ if private => type_word(got).to_owned(),
        value => shown(value),
    };
    let hint = got
        .as_str()
        .and_then(|text| nearest(text, live.iter().filter_map(|value| value.as_str())))
        .map(did_you_mean);
    Misfit {
        path,
        missing: None,
        message: format!("expected {expected}, got {given}"),
        hint,
    }
}

/// What to write instead, where one look at the value tells.
fn type_hint(kind: &TypeKind, got: &Value, key: &str) -> Option<String> {
    let TypeKind::Single(kind) = kind else {
        return None;
    };
    match (kind.as_str(), got) {
        ("string", Value::Number(_) | Value::Bool(_)) if !key.is_empty() => {
            Some(format!("put it in quotes: `{key} = \"{got}\"`"))
        }
        ("boolean", _) => Some(format!(
            "write `{key} = true` or `{key} = false`, without quotes"
        )),
        ("array", _) => Some(format!("put it in brackets: `{key} = [ … ]`")),
        ("object", _) => Some(format!("write a table: `{key} = {{ … }}`")),
        _ => None,
    }
}

fn type_names(kind: &TypeKind) -> String {
    match kind {
        TypeKind::Single(one) => type_name(one.as_str()).to_owned(),
        TypeKind::Multiple(set) => {
            let names = set
                .iter()
                .filter(|kind| *kind != jsonschema::JsonType::Null);
            join(
                names
                    .map(|kind| type_name(kind.as_str()).to_owned())
                    .collect(),
                "or",
            )
        }
    }
}

fn type_name(json: &str) -> &'static str {
    match json {
        "integer" => "a whole number",
        "number" => "a number",
        "string" => "text",
        "boolean" => "`true` or `false`",
        "array" => "a list",
        "object" => "a table",
        _ => "nothing",
    }
}
