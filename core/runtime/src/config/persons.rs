//! `[persons.NAME]`: who people are, and which meters are theirs.

use std::collections::HashMap;
use std::ops::Range;

use serde_json::Value;

use super::document::{Content, Document, Node};
use super::model::{Person, Pipeline};
use super::origins::Origins;
use super::values::Reader;
use crate::device::{normalise_serial, serial_end};
use crate::problem::{Code, Place, Problem};
use crate::suggest::nearest;

/// Longest name, in characters.
const NAME_LIMIT: usize = 64;
/// Longest name, in bytes: it may become that of a folder, and signs in it may be written as three letters.
const NAME_BYTES: usize = 200;
/// Types of transforms that know of people.
const ASSIGNS: &str = "person";
const HIDES: &str = "pseudonymise";

/// Who has claimed a serial first.
struct Claim {
    person: usize,
    place: Place,
}

impl Reader<'_> {
    /// All persons, in file order.
    pub(super) fn persons(&mut self, merged: &Value) -> Vec<Person> {
        let mut persons: Vec<Person> = Vec::new();
        let mut claims: HashMap<String, Claim> = HashMap::new();
        for (name, table) in self.tables(merged, "persons") {
            self.check_person_name(&name, &persons);
            self.only_keys(&["persons", &name], &table, &["serials"]);
            let person = persons.len();
            let mut serials = Vec::new();
            // A misspelt key has been reported, and is not missing as well.
            let value = table
                .iter()
                .find(|(key, _)| *key == "serials" || nearest(key, ["serials"]).is_some())
                .map(|(_, value)| value);
            for (place, serial) in self.serials(&name, value) {
                if self.claim(&mut claims, person, &name, &serial, place) {
                    serials.push(serial);
                }
            }
            persons.push(Person { name, serials });
        }
        persons
    }

    fn check_person_name(&mut self, name: &str, others: &[Person]) {
        let place = self.origins.place_key(&["persons", name]);
        let plain = !name.is_empty()
            && name.chars().count() <= NAME_LIMIT
            && name.len() <= NAME_BYTES
            && name.trim() == name
            && !name.chars().any(char::is_control);
        if !plain {
            let title = format!("`{name}` cannot be the name of a person");
            self.problems.push(
                Problem::error(Code::CONFIG_NAME, title)
                    .at(place)
                    .cause(format!("names have 1 to {NAME_LIMIT} characters in at most {NAME_BYTES} bytes, no line breaks, and no blank at either end"))
                    .hint("a name or a code, as in `[persons.anna]` or `[persons.\"P 017\"]`"),
            );
            return;
        }
        let lower = name.to_lowercase();
        if let Some(other) = others.iter().find(|one| one.name.to_lowercase() == lower) {
            let first = self.origins.place_key(&["persons", &other.name]);
            self.problems.push(
                Problem::error(
                    Code::CONFIG_PERSON,
                    "the names of two persons differ in capitals only",
                )
                .at(place)
                .cause(format!("the first is at {first}"))
                .hint("put the serials of one person under one name"),
            );
        }
    }

    /// The serials of a person, normalised, each with its place.
    fn serials(&mut self, name: &str, value: Option<&Value>) -> Vec<(Place, String)> {
        let path = ["persons", name, "serials"];
        let Some(value) = value else {
            self.problems.push(
                Problem::error(
                    Code::CONFIG_MISSING_KEY,
                    format!("missing key `serials` in [persons.{name}]"),
                )
                .at(self.origins.place_key(&path[..2]))
                .hint("list the meters that are theirs: `serials = [\"…\"]`"),
            );
            return Vec::new();
        };
        let is_raw = self.origins.overlays.is_raw(&path);
        if let (Value::String(serial), false) = (value, is_raw) {
            self.wrong(
                &path,
                "a list of texts",
                value,
                "put it in brackets: `serials = [\"…\"]`",
            );
            return vec![(self.origins.place(&path), normalise_serial(serial))];
        }
        let places: Vec<Place> = match value {
            Value::Array(items) => (0..items.len())
                .filter(|&index| items[index].is_string())
                .map(|index| {
                    self.origins
                        .place(&[&path[..], &[&index.to_string()]].concat())
                })
                .collect(),
            _ => Vec::new(),
        };
        let table = [("serials".to_owned(), value.clone())]
            .into_iter()
            .collect();
        let texts = self.texts(&path, &table).unwrap_or_default();
        let whole = self.origins.place(&path);
        let places = places.into_iter().chain(std::iter::repeat(whole));
        places
            .zip(texts.iter().map(|text| normalise_serial(text)))
            .collect()
    }

    /// Gives a meter to a person; false when it is there already, or is no serial.
    fn claim(
        &mut self,
        claims: &mut HashMap<String, Claim>,
        person: usize,
        name: &str,
        serial: &str,
        place: Place,
    ) -> bool {
        if serial.is_empty() {
            let title = format!("`serials` of [persons.{name}]: expected a serial, got empty text");
            self.problems.push(
                Problem::error(Code::CONFIG_VALUE, title)
                    .at(place)
                    .hint("`glucopipe devices` and `glucopipe info` show the serial of a meter"),
            );
            return false;
        }
        let Some(first) = claims.get(serial) else {
            claims.insert(serial.to_owned(), Claim { person, place });
            return true;
        };
        let which = match serial_end(serial) {
            end if end.is_empty() => "a serial".to_owned(),
            end => format!("the serial that ends in `{end}`"),
        };
        let cause = format!("it is at {} already", first.place);
        self.problems.push(if first.person == person {
            Problem::warning(
                Code::CONFIG_SHAPE,
                format!("{which} is listed twice for one person"),
            )
            .at(place)
            .cause(cause)
            .kept("it counts once; blanks and capitals are no difference")
            .hint("delete one of the two")
        } else {
            Problem::error(
                Code::CONFIG_PERSON,
                format!("{which} is claimed by two persons"),
            )
            .at(place)
            .cause(cause)
            .hint("delete it at one of the two places; blanks and capitals are no difference")
        });
        false
    }
}

/// Checks that persons and the transforms that know of them fit together.
pub(super) fn check(origins: &Origins, pipeline: &Pipeline, problems: &mut Vec<Problem>) {
    let of = |kind| {
        pipeline
            .transforms
            .iter()
            .filter(move |one| one.kind == kind)
    };
    if !pipeline.persons.is_empty() && of(ASSIGNS).next().is_none() {
        problems.push(
            Problem::warning(
                Code::CONFIG_SHAPE,
                "[persons] is not used: the column `person` stays empty",
            )
            .at(origins.place_key(&["persons"]))
            .hint("add a transform with `type = \"person\"`"),
        );
    }
    for transform in of(ASSIGNS) {
        if pipeline.persons.is_empty() {
            problems.push(
                Problem::warning(
                    Code::CONFIG_SHAPE,
                    format!("[transforms.{}] holds every reading back", transform.name),
                )
                .at(origins.place_key(&["transforms", &transform.name]))
                .cause("the file has no [persons]")
                .hint("say whose the meters are: `[persons.NAME]` with `serials = [\"…\"]`"),
            );
        }
        if let Some(hider) = above(pipeline, &transform.inputs, HIDES) {
            problems.push(
                Problem::error(
                    Code::CONFIG_PERSON,
                    format!(
                        "[transforms.{}] comes after `{hider}`, which replaces the serials",
                        transform.name
                    ),
                )
                .at(origins.place(&["transforms", &transform.name, "inputs"]))
                .hint(format!("feed `{hider}` from `{}` instead", transform.name)),
            );
        }
    }
}

/// A transform of this type that the nodes are fed from, however far above.
fn above<'p>(pipeline: &'p Pipeline, nodes: &'p [String], kind: &str) -> Option<&'p str> {
    let mut open: Vec<&str> = nodes.iter().map(String::as_str).collect();
    let mut seen: Vec<&str> = Vec::new();
    while let Some(name) = open.pop() {
        let found = pipeline.transforms.iter().find(|one| one.name == name);
        let Some(transform) = found.filter(|_| !seen.contains(&name)) else {
            continue;
        };
        if transform.kind == kind {
            return Some(name);
        }
        seen.push(name);
        open.extend(transform.inputs.iter().map(String::as_str));
    }
    None
}

/// The bytes of serials that no snippet shows: all but the last characters.
pub(super) fn hidden(document: &Document, text: &str) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    if let Some(persons) = document.find(&["persons"]) {
        hide_leaves(persons, text, &mut spans);
    }
    spans
}

fn hide_leaves(node: &Node, text: &str, spans: &mut Vec<Range<usize>>) {
    match &node.content {
        Content::Table(entries) => {
            for (_, inner) in entries {
                hide_leaves(inner, text, spans);
            }
        }
        Content::List(items) => {
            for item in items {
                hide_leaves(item, text, spans);
            }
        }
        Content::Leaf(_) => {
            let written = text.get(node.span.clone()).unwrap_or_default();
            let inner = written.trim_matches(['"', '\'']);
            let start = node.span.start + written.find(inner).unwrap_or(0);
            spans.push(start..start + inner.len() - serial_end(inner).len());
        }
    }
}
