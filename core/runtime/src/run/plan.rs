//! From a configuration to a plan: plugins found, their keys checked, built-in transforms opened.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use glucopipe_sdk::exporter::Wants;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::blame;
use super::way::{self, Way};
use crate::config::{Component as Kind, Loaded, Runtime};
use crate::device::{Finder, Selector};
use crate::host::exporter_wants;
use crate::plugin::{Component, Registry};
use crate::problem::{Code, Problem};
use crate::suggest::{did_you_mean, nearest};
use crate::transform::{Rejected, Transform, builtins};

/// Type of the transform that finds times in UTC.
const CLOCK: &str = "clock";

/// A source that can be read once its device is there.
pub struct PlannedSource {
    /// Name in the pipeline.
    pub name: String,
    /// The driver, unless the device decides.
    pub driver: Option<Arc<Component>>,
    /// Which device.
    pub selector: Selector,
    /// The selector as it was written; empty without one.
    pub asked: String,
    /// Seconds until it is given up.
    pub timeout_secs: u64,
    /// Where its driver runs, when the file says so.
    pub runtime: Option<Runtime>,
}

/// What stands behind a transform.
pub enum Step {
    /// Built in.
    Builtin(Box<dyn Transform>),
    /// A plugin, with its configuration.
    Plugin(Arc<Component>, Value),
}

/// A transform, ready to be applied.
pub struct PlannedTransform {
    /// Name in the pipeline.
    pub name: String,
    /// Its type.
    pub kind: String,
    /// Nodes it is fed from.
    pub inputs: Vec<String>,
    /// What it does.
    pub step: Step,
}

/// A sink, ready to be opened.
pub struct PlannedSink {
    /// Name in the pipeline.
    pub name: String,
    /// The exporter.
    pub component: Arc<Component>,
    /// Its configuration, with secrets.
    pub config: Value,
    /// What it is to be given.
    pub wants: Wants,
    /// The destination, whatever the sink is called: a hash of the exporter and of what says where and
    /// how it delivers.
    pub identity: String,
    /// By which way readings come to it.
    pub way: Way,
    /// Nodes it is fed from.
    pub inputs: Vec<String>,
    /// Seconds until it is given up.
    pub timeout_secs: u64,
}

impl PlannedSink {
    /// Whether it is given all that is known at each run.
    pub fn is_snapshot(&self) -> bool {
        self.wants == Wants::Everything
    }
}

/// A pipeline that can run.
pub struct Plan {
    /// Name of the pipeline.
    pub name: String,
    /// In file order.
    pub sources: Vec<PlannedSource>,
    /// Every transform after its inputs.
    pub transforms: Vec<PlannedTransform>,
    /// In file order.
    pub sinks: Vec<PlannedSink>,
}

/// Makes a plan; what is wrong is added to the problems of `loaded`.
///
/// Returns `None` when there is an error, whoever found it.
pub fn plan(loaded: &mut Loaded, registry: &Registry, finder: &Finder<'_>) -> Option<Plan> {
    if loaded.is_broken() {
        return None;
    }
    let pipeline = loaded.pipeline.clone();
    let sources = pipeline
        .sources
        .iter()
        .filter_map(|source| plan_source(loaded, registry, finder, source))
        .collect();
    let transforms = pipeline
        .transforms
        .iter()
        .filter(|transform| !transform.kind.is_empty())
        .filter_map(|transform| plan_transform(loaded, registry, transform))
        .collect();
    let mut sinks: Vec<PlannedSink> = pipeline
        .sinks
        .iter()
        .filter(|sink| !sink.exporter.is_empty())
        .filter_map(|sink| plan_sink(loaded, registry, sink))
        .collect();
    report_shared_targets(loaded, &sinks);
    if loaded.has_errors() {
        return None;
    }
    let transforms = in_order(transforms);
    report_missing_times(loaded, &sinks, &transforms);
    way::find(loaded, &transforms, &mut sinks);
    Some(Plan {
        name: pipeline.name,
        sources,
        transforms,
        sinks,
    })
}

fn plan_source(
    loaded: &mut Loaded,
    registry: &Registry,
    finder: &Finder<'_>,
    source: &crate::config::Source,
) -> Option<PlannedSource> {
    let name = &source.name;
    let at_device = |loaded: &mut Loaded, problem: Problem| {
        let place = loaded.place(name, &["device"]);
        loaded.report(problem.at(place));
    };
    let selector = match source.device.as_deref().map(Selector::parse) {
        None => Selector::Any,
        Some(Ok(selector)) => selector,
        Some(Err(problem)) => {
            at_device(loaded, problem);
            return None;
        }
    };
    let driver = match (source.driver.as_str(), &selector) {
        ("auto", Selector::Virtual(_)) => match finder.choose(None, &selector) {
            Ok((component, _)) => Some(component),
            Err(problem) => {
                at_device(loaded, problem);
                return None;
            }
        },
        ("auto", _) => None,
        (driver, _) => match registry.find(Kind::Driver, driver) {
            Ok(component) => Some(component),
            Err(problem) => {
                let place = loaded.place(name, &["driver"]);
                report_missing(loaded, problem, place);
                return None;
            }
        },
    };
    if let Some(driver) = &driver {
        loaded.check_options(Kind::Driver, name, &driver.about.config_schema);
    }
    Some(PlannedSource {
        name: name.clone(),
        driver,
        selector,
        asked: source.device.clone().unwrap_or_default(),
        timeout_secs: source.timeout_secs,
        runtime: source.runtime,
    })
}

/// A plugin that is not there is marked in the file; one that was refused names its own file.
fn report_missing(loaded: &mut Loaded, problem: Problem, place: crate::problem::Place) {
    let problem = if problem.place.is_none() {
        problem.at(place)
    } else {
        problem
    };
    loaded.report(problem);
}

fn plan_transform(
    loaded: &mut Loaded,
    registry: &Registry,
    transform: &crate::config::Transform,
) -> Option<PlannedTransform> {
    let name = &transform.name;
    let planned = |step| PlannedTransform {
        name: name.clone(),
        kind: transform.kind.clone(),
        inputs: transform.inputs.clone(),
        step,
    };
    if let Some(builtin) = builtins()
        .iter()
        .find(|builtin| builtin.kind == transform.kind)
    {
        loaded.check_options(Kind::Transform, name, &(builtin.schema)());
        if transform.runtime.is_some() {
            let title = format!("transform `{name}` has no `runtime`");
            let problem = Problem::error(Code::CONFIG_VALUE, title)
                .at(loaded.place(name, &["runtime"]))
                .cause(format!("`{}` is built in, no plugin", builtin.kind))
                .hint("leave `runtime` out");
            loaded.report(problem);
        }
        let config = loaded.resolve(Kind::Transform, name)?;
        return match (builtin.open)(config.expose(), &loaded.pipeline.persons) {
            Ok(opened) => Some(planned(Step::Builtin(opened))),
            Err(rejected) => {
                report_rejected(loaded, name, rejected);
                None
            }
        };
    }
    let found = registry.find(Kind::Transform, &transform.kind);
    match found.and_then(|component| registry.moved(component, transform.runtime)) {
        Ok(component) => {
            loaded.check_options(Kind::Transform, name, &component.about.config_schema);
            let config = loaded.resolve(Kind::Transform, name)?.expose().clone();
            Some(planned(Step::Plugin(component, config)))
        }
        Err(problem) => {
            let place = loaded.place(name, &["type"]);
            let plugins = registry.components(Kind::Transform);
            let plugins = plugins.iter().map(|plugin| plugin.id.as_str());
            let known = builtins().iter().map(|builtin| builtin.kind).chain(plugins);
            let known: Vec<&str> = known.collect();
            let problem = match nearest(&transform.kind, known.iter().copied()) {
                _ if problem.place.is_some() => problem,
                Some(near) => problem.hint(did_you_mean(near)),
                None => problem.hint(format!("there are: {}", known.join(", "))),
            };
            report_missing(loaded, problem, place);
            None
        }
    }
}

fn report_rejected(loaded: &mut Loaded, node: &str, rejected: Rejected) {
    let path: Vec<&str> = rejected
        .key
        .split('.')
        .filter(|part| !part.is_empty())
        .collect();
    let mut problem = Problem::error(rejected.code, rejected.message).at(loaded.place(node, &path));
    problem.hint = rejected.hint;
    loaded.report(problem);
}

fn plan_sink(
    loaded: &mut Loaded,
    registry: &Registry,
    sink: &crate::config::Sink,
) -> Option<PlannedSink> {
    let name = &sink.name;
    let found = registry.find(Kind::Exporter, &sink.exporter);
    match found.and_then(|component| registry.moved(component, sink.runtime)) {
        Ok(component) => {
            loaded.check_options(Kind::Exporter, name, &component.about.config_schema);
            let config = loaded.resolve(Kind::Exporter, name)?.expose().clone();
            let wants = match exporter_wants(&component, &config) {
                Ok(wants) => wants,
                Err(error) => {
                    let key: Vec<&str> = error.key.iter().flat_map(|key| key.split('.')).collect();
                    let place = loaded.place(name, &key);
                    loaded.report(blame::configuration_refused(&component, &error, name).at(place));
                    return None;
                }
            };
            Some(PlannedSink {
                name: name.clone(),
                identity: identity(loaded, name, &component),
                way: Way::default(),
                component,
                config,
                wants,
                inputs: sink.inputs.clone(),
                timeout_secs: sink.timeout_secs,
            })
        }
        Err(problem) => {
            let place = loaded.place(name, &["exporter"]);
            report_missing(loaded, problem, place);
            None
        }
    }
}

/// The identity of a sink: of its exporter and all its keys but secrets and those that its schema calls
/// tuning. When in doubt it is another one: readings are then offered again, and none is left out.
fn identity(loaded: &Loaded, name: &str, component: &Component) -> String {
    let schema = &component.about.config_schema;
    let mut keys = loaded.identifying(Kind::Exporter, name, schema);
    if let Some(path) = keys.get_mut("path")
        && let Some(real) = path.as_str().and_then(|text| real_path(Path::new(text)))
    {
        *path = Value::from(real.to_string_lossy());
    }
    let keys: BTreeMap<String, Value> = keys.into_iter().collect();
    let keys = serde_json::to_string(&keys).unwrap_or_default();
    let digest = Sha256::digest(format!("{}\n{keys}", component.id));
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Where a path leads, as far as it exists: links and `..` are followed.
fn real_path(path: &Path) -> Option<std::path::PathBuf> {
    let whole = std::path::absolute(path).ok()?;
    let mut rest = Vec::new();
    for ancestor in whole.ancestors() {
        if let Ok(real) = ancestor.canonicalize() {
            return Some(
                rest.into_iter()
                    .rev()
                    .fold(real, |path, name| path.join(name)),
            );
        }
        rest.push(ancestor.file_name()?.to_owned());
    }
    None
}

/// Two sinks that write the same file would lose what the first wrote.
fn report_shared_targets(loaded: &mut Loaded, sinks: &[PlannedSink]) {
    let path = |sink: &PlannedSink| {
        let text = sink.config.get("path")?.as_str()?;
        real_path(Path::new(text))
    };
    for (index, sink) in sinks.iter().enumerate() {
        let Some(target) = path(sink) else { continue };
        if let Some(first) = sinks[..index]
            .iter()
            .find(|one| path(one).as_ref() == Some(&target))
        {
            let title = format!(
                "`path` of [sinks.{}] is also that of [sinks.{}]",
                sink.name, first.name
            );
            let problem = Problem::error(Code::CONFIG_VALUE, title)
                .at(loaded.place(&sink.name, &["path"]))
                .cause("the second file would replace the first")
                .hint("give each sink a path of its own, or one sink both inputs");
            loaded.report(problem);
        }
    }
}

/// Warns of sinks that need times in UTC, as their schema says, and get readings that nobody has resolved: a meter
/// knows local time alone.
fn report_missing_times(
    loaded: &mut Loaded,
    sinks: &[PlannedSink],
    transforms: &[PlannedTransform],
) {
    let mut resolved: HashSet<&str> = HashSet::new();
    let all = |inputs: &[String], resolved: &HashSet<&str>| {
        inputs.iter().all(|input| resolved.contains(input.as_str()))
    };
    for transform in transforms {
        let may_resolve = transform.kind == CLOCK || matches!(transform.step, Step::Plugin(..));
        if may_resolve || all(&transform.inputs, &resolved) {
            resolved.insert(&transform.name);
        }
    }
    for sink in sinks {
        let needs = sink.component.about.config_schema.get("x-needs");
        let needs = needs.and_then(Value::as_array);
        let needs_time = needs.is_some_and(|names| names.iter().any(|name| name == "time"));
        if needs_time && !all(&sink.inputs, &resolved) {
            let title = format!("[sinks.{}] needs times in UTC", sink.name);
            let problem = Problem::warning(Code::CONFIG_GRAPH, title)
                .at(loaded.place(&sink.name, &["inputs"]))
                .cause(
                    "readings come to it without a `clock` transform, and wait until there is one",
                )
                .hint("put a transform of type `clock`, with `timezone`, before it");
            loaded.report(problem);
        }
    }
}

/// Puts every transform after its inputs; the configuration has no circles.
fn in_order(mut waiting: Vec<PlannedTransform>) -> Vec<PlannedTransform> {
    let mut ordered: Vec<PlannedTransform> = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let names: Vec<String> = waiting
            .iter()
            .map(|transform| transform.name.clone())
            .collect();
        let ready = |transform: &PlannedTransform| {
            transform.inputs.iter().all(|input| !names.contains(input))
        };
        let (now, later): (Vec<_>, Vec<_>) = waiting.into_iter().partition(ready);
        if now.is_empty() {
            ordered.extend(later);
            break;
        }
        ordered.extend(now);
        waiting = later;
    }
    ordered
}

/// Refuses a plugin folder that a file of somebody else names: configuration files get mailed around.
///
/// # Errors
/// [`Code::PLUGIN_UNSAFE`].
pub fn may_name_folders(file: &Path) -> Result<(), Problem> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let metadata = std::fs::metadata(file);
        let me = rustix::process::geteuid().as_raw();
        let trusted = metadata.is_ok_and(|metadata| {
            (metadata.uid() == me || metadata.uid() == 0) && metadata.mode() & 0o002 == 0
        });
        if !trusted {
            let title = format!("`{}` may not name plugin folders", file.display());
            return Err(Problem::error(Code::PLUGIN_UNSAFE, title)
                .cause("it belongs to somebody else, or everybody can write it")
                .hint("name the folder with `--plugin-dir`"));
        }
    }
    let _ = file;
    Ok(())
}
