//! By which way readings come to a sink: all that decides which ones it is given, and as what.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::plan::{PlannedSink, PlannedTransform, Step};
use crate::config::{Component as Kind, Loaded};
use crate::transform::builtins;

/// The way to a sink.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Way {
    /// SHA-256 of the transforms and of what they go by, without secrets.
    pub digest: String,
    /// Whether readings come by it under other ids.
    pub renames: bool,
    /// Whether what it leaves out is left out until there is another way.
    pub lasting: bool,
}

impl Way {
    /// As the journal knows it.
    pub fn text(&self) -> String {
        let prefix = if self.renames { RENAMED } else { "" };
        format!("{prefix}{}", self.digest)
    }

    /// Whether a reading has the same id by both of two ways.
    pub fn same_ids(one: &str, other: &str) -> bool {
        !one.starts_with(RENAMED) && !other.starts_with(RENAMED)
    }
}

/// What a way begins with that gives readings other ids.
const RENAMED: &str = "renamed:";

/// Finds the way to each sink; `transforms` are in order, each after its inputs.
pub(super) fn find(loaded: &Loaded, transforms: &[PlannedTransform], sinks: &mut [PlannedSink]) {
    let mut ways: BTreeMap<&str, Way> = BTreeMap::new();
    for transform in transforms {
        let above = join(&transform.inputs, &ways);
        let way = through(loaded, transform, above);
        ways.insert(&transform.name, way);
    }
    let own: Vec<Way> = sinks.iter().map(|sink| join(&sink.inputs, &ways)).collect();
    let identities: Vec<String> = sinks.iter().map(|sink| sink.identity.clone()).collect();
    for (sink, mine) in sinks.iter_mut().zip(&own) {
        let same = identities.iter().zip(&own);
        let same: Vec<&Way> = same
            .filter(|(identity, _)| **identity == sink.identity)
            .map(|(_, way)| way)
            .collect();
        sink.way = match same.as_slice() {
            [_] => mine.clone(),
            // What comes to a destination by two ways may be left out on one of them only.
            several => Way {
                digest: hash(&json!(
                    several.iter().map(|way| way.text()).collect::<Vec<_>>()
                )),
                renames: several.iter().any(|way| way.renames),
                lasting: false,
            },
        };
    }
}

/// What several inputs come by; a source has its name.
fn join(inputs: &[String], ways: &BTreeMap<&str, Way>) -> Way {
    let found: Vec<&Way> = inputs
        .iter()
        .filter_map(|name| ways.get(name.as_str()))
        .collect();
    let mut names: Vec<&str> = inputs
        .iter()
        .map(|name| {
            ways.get(name.as_str())
                .map_or(name.as_str(), |way| way.digest.as_str())
        })
        .collect();
    names.sort_unstable();
    Way {
        digest: hash(&json!(names)),
        renames: found.iter().any(|way| way.renames),
        lasting: found.iter().all(|way| way.lasting),
    }
}

fn through(loaded: &Loaded, transform: &PlannedTransform, above: Way) -> Way {
    let name = &transform.name;
    let keys = |schema: &Value| {
        let keys = loaded.identifying(Kind::Transform, name, schema);
        keys.into_iter().collect::<BTreeMap<String, Value>>()
    };
    let (own, renames, lasting) = match &transform.step {
        Step::Builtin(builtin) => {
            let schema = builtins().iter().find(|one| one.kind == transform.kind);
            let schema = schema.map_or(Value::Null, |one| (one.schema)());
            let persons = loaded.pipeline.persons.iter();
            let persons = persons.filter(|_| builtin.asks_persons());
            let persons: BTreeMap<_, _> = persons.map(|one| (&one.name, &one.serials)).collect();
            let own = json!([keys(&schema), persons]);
            (own, builtin.renames(), builtin.lasting())
        }
        Step::Plugin(component, _) => {
            let keys = keys(&component.about.config_schema);
            // What a plugin goes by besides its keys is its own affair.
            (json!([component.versioned(), keys]), false, false)
        }
    };
    Way {
        digest: hash(&json!([transform.kind, own, above.digest])),
        renames: renames || above.renames,
        lasting: lasting && above.lasting,
    }
}

/// SHA-256, hexadecimal.
fn hash(value: &Value) -> String {
    let digest = Sha256::digest(value.to_string());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
