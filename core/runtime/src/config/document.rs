//! The text of a pipeline file as a tree in file order, every part with its bytes.
//!
//! The `config` crate forgets positions, so this tree is what messages point with; it is also the
//! lowest layer. What cannot be represented becomes a [`Fault`] and a `null` leaf, which later steps
//! skip in silence.

use std::ops::Range;

use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::syntax;
use crate::problem::Code;

/// Tables and lists inside each other; far above need, far below the stack.
const MAX_DEPTH: usize = 64;

/// A key's or list item's value with its position.
#[derive(Debug)]
pub(super) struct Node {
    /// The key as written; the value itself for an item of a list.
    pub(super) key: Range<usize>,
    /// The value.
    pub(super) span: Range<usize>,
    pub(super) content: Content,
}

#[derive(Debug)]
pub(super) enum Content {
    /// In file order.
    Table(Vec<(String, Node)>),
    List(Vec<Node>),
    /// Text, number, truth value; `null` where a fault was reported.
    Leaf(Value),
}

/// Something wrong with the text itself.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) code: Code,
    pub(super) message: String,
    pub(super) hint: String,
    pub(super) span: Range<usize>,
}

/// A parsed file.
#[derive(Debug)]
pub(super) struct Document {
    root: Node,
    /// Where the text stops being reliable: the section of the first syntax error.
    pub(super) reliable: Option<usize>,
}

impl Document {
    /// Parses as much as it can.
    pub(super) fn parse(text: &str) -> (Self, Vec<Fault>) {
        let (table, errors) = DeTable::parse_recoverable(text);
        let mut faults = syntax::faults(text, &errors);
        let reliable = faults
            .first()
            .map(|fault| syntax::section_start(text, fault.span.start));
        let entries = convert_table(table.into_inner(), 0, &mut faults);
        let root = Node {
            key: 0..0,
            span: 0..0,
            content: Content::Table(entries),
        };
        (Self { root, reliable }, faults)
    }

    /// The entries of the top level.
    pub(super) fn entries(&self) -> &[(String, Node)] {
        self.root.entries()
    }

    /// The node at a path; list items by their index.
    pub(super) fn find(&self, path: &[&str]) -> Option<&Node> {
        path.iter()
            .try_fold(&self.root, |node, key| node.child(key))
    }
}

impl Node {
    /// The entries of a table; none for anything else.
    pub(super) fn entries(&self) -> &[(String, Self)] {
        match &self.content {
            Content::Table(entries) => entries,
            Content::List(_) | Content::Leaf(_) => &[],
        }
    }

    fn child(&self, key: &str) -> Option<&Self> {
        match &self.content {
            Content::Table(entries) => entries
                .iter()
                .find(|(name, _)| name == key)
                .map(|(_, node)| node),
            Content::List(items) => items.get(key.parse::<usize>().ok()?),
            Content::Leaf(_) => None,
        }
    }

    /// This part as a JSON value.
    pub(super) fn value(&self) -> Value {
        match &self.content {
            Content::Table(entries) => Value::Object(
                entries
                    .iter()
                    .map(|(key, node)| (key.clone(), node.value()))
                    .collect(),
            ),
            Content::List(items) => Value::Array(items.iter().map(Self::value).collect()),
            Content::Leaf(value) => value.clone(),
        }
    }
}

/// Reads one TOML value, as it may stand right of a `=`.
pub(super) fn parse_value(text: &str) -> Option<Value> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    let (document, faults) = Document::parse(&format!("v = {text}\n"));
    match document.entries() {
        [(key, node)] if key == "v" && faults.is_empty() => Some(node.value()),
        _ => None,
    }
}

fn convert_table(table: DeTable<'_>, depth: usize, faults: &mut Vec<Fault>) -> Vec<(String, Node)> {
    let mut entries: Vec<_> = table
        .into_iter()
        .map(|(key, value)| {
            let span = key.span();
            (
                key.into_inner().into_owned(),
                convert(value, Some(span), depth, faults),
            )
        })
        .collect();
    entries.sort_by_key(|(_, node)| node.key.start);
    entries
}

fn convert(
    value: Spanned<DeValue<'_>>,
    key: Option<Range<usize>>,
    depth: usize,
    faults: &mut Vec<Fault>,
) -> Node {
    let span = value.span();
    let key = key.unwrap_or_else(|| span.clone());
    let mut refuse = |message: &str, hint: &str| {
        faults.push(Fault {
            code: Code::CONFIG_VALUE,
            message: message.to_owned(),
            hint: hint.to_owned(),
            span: span.clone(),
        });
        Value::Null
    };
    let content = match value.into_inner() {
        DeValue::Table(_) | DeValue::Array(_) if depth >= MAX_DEPTH => Content::Leaf(refuse(
            "tables and lists are nested too deeply",
            "no setting needs more than a few levels",
        )),
        DeValue::Table(table) => Content::Table(convert_table(table, depth + 1, faults)),
        DeValue::Array(items) => Content::List(
            items
                .into_iter()
                .map(|item| convert(item, None, depth + 1, faults))
                .collect(),
        ),
        DeValue::String(text) => Content::Leaf(Value::String(text.into_owned())),
        DeValue::Boolean(truth) => Content::Leaf(Value::Bool(truth)),
        DeValue::Datetime(moment) => Content::Leaf(Value::String(moment.to_string())),
        DeValue::Integer(number) => Content::Leaf(
            i64::from_str_radix(number.as_str(), number.radix())
                .map(Value::from)
                .unwrap_or_else(|_| {
                    refuse(
                        "the number is too large",
                        "whole numbers go from -9223372036854775808 to 9223372036854775807",
                    )
                }),
        ),
        DeValue::Float(number) => Content::Leaf(
            number
                .as_str()
                .parse::<f64>()
                .ok()
                .and_then(serde_json::Number::from_f64)
                .map(Value::Number)
                .unwrap_or_else(|| {
                    refuse("not a number that can be used", "write a finite number")
                }),
        ),
    };
    Node { key, span, content }
}
