//! What a pipeline file says, typed. Plugin-owned keys stay JSON in `options`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The tables of a pipeline file.
pub(super) const SECTIONS: [&str; 6] = [
    "sources",
    "transforms",
    "sinks",
    "persons",
    "journal",
    "plugins",
];

/// Seconds until a source or sink is given up, unless the file says otherwise.
pub const DEFAULT_TIMEOUT_SECS: u64 = 600;

/// A pipeline; best effort where problems were reported.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pipeline {
    /// The stem of the file's name.
    pub name: String,
    /// The sources, in file order.
    pub sources: Vec<Source>,
    /// The transforms, in file order.
    pub transforms: Vec<Transform>,
    /// The sinks, in file order.
    pub sinks: Vec<Sink>,
    /// The persons, in file order.
    pub persons: Vec<Person>,
    /// The journal, when the file has one.
    pub journal: Option<Journal>,
    /// Where plugins are looked for.
    pub plugins: Plugins,
}

/// A meter to read.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// The name of its table.
    pub name: String,
    /// The driver, `auto` for whichever knows the attached meter.
    pub driver: String,
    /// A device selector.
    pub device: Option<String>,
    /// Seconds until the read is given up.
    pub timeout_secs: u64,
    /// Where its plugin runs, when the file says so.
    pub runtime: Option<Runtime>,
    /// The driver's own keys.
    pub options: Map<String, Value>,
}

/// A step between sources and sinks.
#[derive(Clone, Debug, PartialEq)]
pub struct Transform {
    /// The name of its table.
    pub name: String,
    /// Which transform, key `type`; empty when missing, which was reported.
    pub kind: String,
    /// The nodes it is fed from, each once.
    pub inputs: Vec<String>,
    /// Where its plugin runs, when the file says so.
    pub runtime: Option<Runtime>,
    /// The transform's own keys.
    pub options: Map<String, Value>,
}

/// A place that readings are delivered to.
#[derive(Clone, Debug, PartialEq)]
pub struct Sink {
    /// The name of its table.
    pub name: String,
    /// The exporter; empty when missing, which was reported.
    pub exporter: String,
    /// The nodes it is fed from, each once.
    pub inputs: Vec<String>,
    /// Seconds until the delivery is given up.
    pub timeout_secs: u64,
    /// Where its plugin runs, when the file says so.
    pub runtime: Option<Runtime>,
    /// The exporter's own keys.
    pub options: Map<String, Value>,
}

/// A person and the meters that are theirs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The name of the table: a person's name or code, as the file has it.
    pub name: String,
    /// Serials of meters, as [`normalise_serial`](crate::device::normalise_serial) writes them; no other
    /// person has them.
    pub serials: Vec<String>,
}

/// The `[journal]` table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Journal {
    /// The file; `None` for the default place.
    pub path: Option<PathBuf>,
}

/// The `[plugins]` table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plugins {
    /// Extra folders, absolute.
    pub path: Vec<PathBuf>,
    /// Which plugins get a process of their own, unless their table says otherwise.
    pub isolate: Isolate,
    /// Whether plugins of others are loaded only when they are pinned.
    pub locked: bool,
}

/// Where a plugin runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Runtime {
    /// In this process.
    InProcess,
    /// In a process of its own.
    Process,
}

impl Runtime {
    pub(super) const WORDS: [(&str, Self); 2] =
        [("process", Self::Process), ("in-process", Self::InProcess)];
}

/// Which plugins get a process of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Isolate {
    /// Every one.
    All,
    /// Those that did not come with the program.
    #[default]
    ThirdParty,
    /// None.
    None,
}

impl Isolate {
    pub(super) const WORDS: [(&str, Self); 3] = [
        ("all", Self::All),
        ("third-party", Self::ThirdParty),
        ("none", Self::None),
    ];
}

/// The kinds of nodes that plugins stand behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
pub enum Component {
    /// Behind a source.
    Driver,
    /// Behind a transform.
    Transform,
    /// Behind a sink.
    Exporter,
}

impl Component {
    pub(super) const ALL: [Self; 3] = [Self::Driver, Self::Transform, Self::Exporter];

    /// The table of the file that holds such nodes.
    pub fn section(self) -> &'static str {
        match self {
            Self::Driver => "sources",
            Self::Transform => "transforms",
            Self::Exporter => "sinks",
        }
    }

    /// `driver`, `transform` or `exporter`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Driver => "driver",
            Self::Transform => "transform",
            Self::Exporter => "exporter",
        }
    }

    /// The keys that the host owns.
    pub(super) fn common_keys(self) -> &'static [&'static str] {
        match self {
            Self::Driver => &["driver", "device", "timeout_secs", "runtime"],
            Self::Transform => &["type", "inputs", "runtime"],
            Self::Exporter => &["exporter", "inputs", "timeout_secs", "runtime"],
        }
    }

    /// The key that names the plugin.
    pub(super) fn plugin_key(self) -> &'static str {
        match self {
            Self::Driver => "driver",
            Self::Transform => "type",
            Self::Exporter => "exporter",
        }
    }

    /// The word for the node: source, transform, sink.
    pub(super) fn node_word(self) -> &'static str {
        match self {
            Self::Driver => "source",
            Self::Transform => "transform",
            Self::Exporter => "sink",
        }
    }

    /// The word for the plugin: driver, transform, exporter.
    pub(super) fn plugin_word(self) -> &'static str {
        match self {
            Self::Driver => "driver",
            Self::Transform => "transform",
            Self::Exporter => "exporter",
        }
    }
}

impl Pipeline {
    /// The plugin's name and own keys of a node.
    pub(super) fn node_mut(
        &mut self,
        kind: Component,
        name: &str,
    ) -> Option<(&str, &mut Map<String, Value>)> {
        match kind {
            Component::Driver => {
                let node = self.sources.iter_mut().find(|node| node.name == name)?;
                Some((&node.driver, &mut node.options))
            }
            Component::Transform => {
                let node = self.transforms.iter_mut().find(|node| node.name == name)?;
                Some((&node.kind, &mut node.options))
            }
            Component::Exporter => {
                let node = self.sinks.iter_mut().find(|node| node.name == name)?;
                Some((&node.exporter, &mut node.options))
            }
        }
    }

    /// The own keys of a node.
    pub(super) fn options(&self, kind: Component, name: &str) -> Option<&Map<String, Value>> {
        match kind {
            Component::Driver => self
                .sources
                .iter()
                .find(|node| node.name == name)
                .map(|node| &node.options),
            Component::Transform => self
                .transforms
                .iter()
                .find(|node| node.name == name)
                .map(|node| &node.options),
            Component::Exporter => self
                .sinks
                .iter()
                .find(|node| node.name == name)
                .map(|node| &node.options),
        }
    }

    /// Names of all nodes of a kind, in file order.
    pub(super) fn names(&self, kind: Component) -> Vec<&str> {
        match kind {
            Component::Driver => self.sources.iter().map(|node| node.name.as_str()).collect(),
            Component::Transform => self
                .transforms
                .iter()
                .map(|node| node.name.as_str())
                .collect(),
            Component::Exporter => self.sinks.iter().map(|node| node.name.as_str()).collect(),
        }
    }
}
