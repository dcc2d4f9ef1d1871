//! Reads the typed pipeline out of the merged layers and reports what does not fit.
//!
//! Reading never stops: what is wrong is reported once and replaced by the likeliest meaning, so
//! that later checks do not stumble over the same mistake.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::model::{
    Component, Isolate, Journal, Pipeline, Plugins, Runtime, SECTIONS, Sink, Source, Transform,
};
use super::origins::Origins;
use super::values::{Reader, Table};
use crate::problem::{Code, Problem};
use crate::suggest::{all_of, did_you_mean, nearest};

/// What was read, besides the problems.
pub(super) struct Read {
    pub(super) pipeline: Pipeline,
    /// Names whose table is misspelt or none: inputs may refer to them without a second message.
    pub(super) shadows: Vec<String>,
}

/// Reads everything.
pub(super) fn read(origins: &Origins, merged: &Value, problems: &mut Vec<Problem>) -> Read {
    let mut reader = Reader {
        origins,
        problems,
        shadows: Vec::new(),
    };
    reader.unknown_sections();
    let mut pipeline = Pipeline {
        name: stem(&origins.file),
        ..Pipeline::default()
    };
    for kind in Component::ALL {
        for (name, table) in reader.tables(merged, kind.section()) {
            reader.node(&mut pipeline, kind, &name, table);
        }
    }
    pipeline.persons = reader.persons(merged);
    if let Some(table) = reader.table(merged, "journal") {
        reader.only_keys(&["journal"], table, &["path"]);
        let path = reader.text(&["journal", "path"], table).map(PathBuf::from);
        pipeline.journal = Some(Journal { path });
    }
    if let Some(table) = reader.table(merged, "plugins") {
        reader.only_keys(&["plugins"], table, &["path", "isolate", "locked"]);
        let isolate = reader.word(&["plugins", "isolate"], table, &Isolate::WORDS);
        pipeline.plugins = Plugins {
            path: reader.folders(table),
            isolate: isolate.unwrap_or_default(),
            locked: reader.flag(&["plugins", "locked"], table),
        };
    }
    Read {
        pipeline,
        shadows: reader.shadows,
    }
}

fn stem(file: &str) -> String {
    let stem = Path::new(file)
        .file_stem()
        .map(|stem| stem.to_string_lossy().into_owned());
    stem.filter(|stem| !stem.is_empty() && stem != "-")
        .unwrap_or_else(|| "pipeline".to_owned())
}

/// The tables in which a common key is at home: ``[transforms.*] and [sinks.*]``.
pub(super) fn home_of(key: &str) -> Option<String> {
    let homes: Vec<_> = Component::ALL
        .into_iter()
        .filter(|kind| kind.common_keys().contains(&key))
        .map(|kind| format!("[{}.*]", kind.section()))
        .collect();
    (!homes.is_empty()).then(|| crate::suggest::join(homes, "and"))
}

impl Reader<'_> {
    /// Reports top-level keys that are none of ours.
    fn unknown_sections(&mut self) {
        let entries = self.origins.document.entries().iter();
        let mut found: Vec<String> = entries.map(|(name, _)| name.clone()).collect();
        found.extend(
            self.origins
                .overlays
                .iter()
                .filter_map(|o| o.path.first().cloned()),
        );
        found.retain(|name| !SECTIONS.contains(&name.as_str()));
        let mut seen = Vec::new();
        for name in found {
            if seen.contains(&name) {
                continue;
            }
            if let Some(node) = self.origins.document.find(&[&name]) {
                self.shadows
                    .extend(node.entries().iter().map(|(inner, _)| inner.clone()));
                self.shadows.push(name.clone());
            }
            let problem = Problem::error(
                Code::CONFIG_UNKNOWN_KEY,
                format!("unknown key `{name}` at the top level"),
            )
            .at(self.origins.place_key(&[&name]));
            let problem = match nearest(&name, SECTIONS) {
                Some(near) => problem.hint(did_you_mean(near)),
                None => match home_of(&name) {
                    Some(home) => problem.hint(format!("`{name}` belongs to {home}")),
                    None => problem.hint(format!("the top level has {}", all_of(SECTIONS))),
                },
            };
            self.problems.push(problem);
            seen.push(name);
        }
    }

    /// A top-level table.
    fn table<'v>(&mut self, merged: &'v Value, section: &str) -> Option<&'v Table> {
        match merged.get(section)? {
            Value::Object(table) => Some(table),
            value => {
                self.wrong(
                    &[section],
                    "a table",
                    value,
                    &format!("write `[{section}]`"),
                );
                self.shadows.push(section.to_owned());
                None
            }
        }
    }

    /// The tables below a top-level table, in file order.
    pub(super) fn tables(&mut self, merged: &Value, section: &str) -> Vec<(String, Table)> {
        let Some(all) = self.table(merged, section) else {
            return Vec::new();
        };
        let place = |name: &str| {
            self.origins
                .document
                .find(&[section, name])
                .map_or(usize::MAX, |node| node.key.start)
        };
        let mut names: Vec<&String> = all.keys().collect();
        names.sort_by_key(|name| (place(name), name.as_str()));
        let mut tables = Vec::new();
        for name in names {
            match &all[name] {
                Value::Object(table) => {
                    tables.push((name.clone(), self.in_order(table, section, name)));
                }
                value => {
                    let hint = format!("write `[{section}.{name}]` with its keys below");
                    self.wrong(&[section, name], "a table", value, &hint);
                    self.shadows.push(name.clone());
                }
            }
        }
        tables
    }

    /// The keys of a table in file order; `config` forgets it.
    fn in_order(&self, table: &Table, section: &str, name: &str) -> Table {
        let place = |key: &str| {
            let node = self.origins.document.find(&[section, name, key]);
            node.map_or(usize::MAX, |node| node.key.start)
        };
        let mut keys: Vec<&String> = table.keys().collect();
        keys.sort_by_key(|key| (place(key), key.as_str()));
        keys.into_iter()
            .map(|key| (key.clone(), table[key].clone()))
            .collect()
    }

    fn node(&mut self, pipeline: &mut Pipeline, kind: Component, name: &str, mut table: Table) {
        let path = [kind.section(), name];
        let required: &[&str] = match kind {
            Component::Driver => &[],
            Component::Transform | Component::Exporter => &[kind.plugin_key(), "inputs"],
        };
        let missing: Vec<&str> = required
            .iter()
            .copied()
            .filter(|key| !table.contains_key(*key))
            .collect();
        if !missing.is_empty() && self.origins.document.find(&path).is_none() {
            self.stray(kind, name, &missing);
            return;
        }
        self.check_name(kind, name);
        for key in missing {
            self.missing(kind, name, key, &mut table);
        }
        let at = |key: &'static str| [path[0], path[1], key];
        let name = name.to_owned();
        let runtime = self.word(&at("runtime"), &table, &Runtime::WORDS);
        match kind {
            Component::Driver => {
                let driver = self.text(&at("driver"), &table);
                let device = self.text(&at("device"), &table);
                let timeout_secs = self.timeout(&at("timeout_secs"), &table);
                let driver = driver.unwrap_or_else(|| "auto".to_owned());
                let options = own_keys(kind, table);
                pipeline.sources.push(Source {
                    name,
                    driver,
                    device,
                    timeout_secs,
                    runtime,
                    options,
                });
            }
            Component::Transform => {
                let kind_name = self.text(&at("type"), &table).unwrap_or_default();
                let inputs = self.inputs(&at("inputs"), &table);
                let options = own_keys(kind, table);
                pipeline.transforms.push(Transform {
                    name,
                    kind: kind_name,
                    inputs,
                    runtime,
                    options,
                });
            }
            Component::Exporter => {
                let exporter = self.text(&at("exporter"), &table).unwrap_or_default();
                let inputs = self.inputs(&at("inputs"), &table);
                let timeout_secs = self.timeout(&at("timeout_secs"), &table);
                let options = own_keys(kind, table);
                pipeline.sinks.push(Sink {
                    name,
                    exporter,
                    inputs,
                    timeout_secs,
                    runtime,
                    options,
                });
            }
        }
    }

    /// A node that only overrides speak of, and not enough to make one.
    fn stray(&mut self, kind: Component, name: &str, missing: &[&str]) {
        let section = self.origins.document.find(&[kind.section()]);
        let known: Vec<&str> = section
            .map(|node| {
                node.entries()
                    .iter()
                    .map(|(known, _)| known.as_str())
                    .collect()
            })
            .unwrap_or_default();
        let word = kind.node_word();
        let hint = match (nearest(name, known.iter().copied()), known.is_empty()) {
            (Some(near), _) => did_you_mean(near),
            (None, false) => format!("the file has {}", all_of(known)),
            (None, true) => format!("a new {word} needs {}", all_of(missing.iter().copied())),
        };
        self.problems.push(
            Problem::error(
                Code::CONFIG_OVERRIDE,
                format!("an override names the {word} `{name}`, which the file does not have"),
            )
            .at(self.origins.place(&[kind.section(), name]))
            .hint(hint),
        );
    }

    /// Reports a missing key, or the misspelt one that stands for it, and adopts that one's value.
    fn missing(&mut self, kind: Component, name: &str, key: &str, table: &mut Table) {
        let section = kind.section();
        let own = |found: &&str| !kind.common_keys().contains(found);
        // `type`, `driver`, `exporter`: the right idea in the wrong table.
        let cousin = Component::ALL.into_iter().map(Component::plugin_key);
        let cousin = cousin
            .filter(|_| key == kind.plugin_key())
            .find(|k| table.contains_key(*k));
        let near = nearest(key, table.keys().map(String::as_str).filter(own)).or(cousin);
        if let Some(near) = near.map(str::to_owned) {
            let problem = Problem::error(
                Code::CONFIG_UNKNOWN_KEY,
                format!("unknown key `{near}` in [{section}.{name}]"),
            )
            .at(self.origins.place_key(&[section, name, &near]))
            .hint(did_you_mean(key));
            self.problems.push(match home_of(&near) {
                Some(home) => problem.label(format!("belongs to {home}")),
                None => problem,
            });
            if let Some(value) = table.shift_remove(&near) {
                table.insert(key.to_owned(), value);
            }
            return;
        }
        let hint = match key {
            "inputs" => "say what feeds it: `inputs = [\"meter\"]`".to_owned(),
            "type" => "say which transform it is: `type = \"clock\"`".to_owned(),
            _ => "say what writes it: `exporter = \"csv\"`".to_owned(),
        };
        self.problems.push(
            Problem::error(
                Code::CONFIG_MISSING_KEY,
                format!("missing key `{key}` in [{section}.{name}]"),
            )
            .at(self.origins.place_key(&[section, name]))
            .hint(hint),
        );
    }

    fn check_name(&mut self, kind: Component, name: &str) {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
        if !name.is_empty() && name.chars().all(plain) && !name.contains("__") {
            return;
        }
        let lower = name.to_lowercase();
        let slug = lower
            .split(|c| !plain(c) || c == '_')
            .filter(|part| !part.is_empty());
        let slug = slug.collect::<Vec<_>>().join("_");
        let hint = match slug.is_empty() || !slug.chars().all(plain) {
            true => format!("choose a name such as `{}1`", kind.node_word()),
            false => format!("call it `{slug}`"),
        };
        self.problems.push(
            Problem::error(
                Code::CONFIG_NAME,
                format!("`{name}` cannot be the name of a {}", kind.node_word()),
            )
            .at(self.origins.place_key(&[kind.section(), name]))
            .cause("names have lower-case letters, digits, `-` and single `_`")
            .hint(hint),
        );
    }

    /// Reports the keys of a host-owned table that it does not have.
    pub(super) fn only_keys(&mut self, path: &[&str], table: &Table, known: &[&str]) {
        for key in table.keys().filter(|key| !known.contains(&key.as_str())) {
            let mut at = path.to_vec();
            at.push(key);
            let hint = match (nearest(key, known.iter().copied()), home_of(key)) {
                (Some(near), _) => did_you_mean(near),
                (None, Some(home)) => format!("`{key}` belongs to {home}"),
                (None, None) => {
                    format!("[{}] has {}", path.join("."), all_of(known.iter().copied()))
                }
            };
            self.problems.push(
                Problem::error(
                    Code::CONFIG_UNKNOWN_KEY,
                    format!("unknown key `{key}` in [{}]", path.join(".")),
                )
                .at(self.origins.place_key(&at))
                .hint(hint),
            );
        }
    }
}

fn own_keys(kind: Component, mut table: Table) -> Table {
    table.retain(|key, _| !kind.common_keys().contains(&key.as_str()));
    table
}
