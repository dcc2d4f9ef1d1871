//! Checks the graph that `inputs` describe: names, edges, circles, parts that lead nowhere.

use std::collections::{BTreeMap, BTreeSet};

use super::model::{Component, Pipeline};
use super::origins::Origins;
use crate::problem::{Code, Problem};
use crate::suggest::{any_of, did_you_mean, nearest};

/// A transform or sink with its inputs.
struct Fed<'a> {
    kind: Component,
    name: &'a str,
    inputs: &'a [String],
}

/// Reports what is wrong with the graph; `shadows` are names whose table could not be read.
pub(super) fn check(
    origins: &Origins,
    pipeline: &mut Pipeline,
    shadows: &[String],
    problems: &mut Vec<Problem>,
) {
    let before = problems.len();
    // With a misspelt table, what seems missing or unused may well be there.
    if shadows.is_empty() {
        empty(origins, pipeline, problems);
    }
    duplicate_names(origins, pipeline, problems);
    unknown_inputs(origins, pipeline, shadows, problems);
    cycles(origins, pipeline, problems);
    let is_whole = fed(pipeline).iter().all(|node| !node.inputs.is_empty());
    if problems.len() == before && shadows.is_empty() && is_whole {
        unused(origins, pipeline, problems);
    }
    repeated_inputs(origins, pipeline, problems);
}

/// Reports a pipeline that cannot do anything.
fn empty(origins: &Origins, pipeline: &Pipeline, problems: &mut Vec<Problem>) {
    let (what, hint) = match (pipeline.sources.is_empty(), pipeline.sinks.is_empty()) {
        (false, false) => return,
        (true, true) => (
            "the pipeline is empty",
            "start with these lines:\n[sources.meter]\n\n[sinks.sheet]\nexporter = \"csv\"\ninputs = [\"meter\"]\npath = \"readings.csv\"",
        ),
        (true, false) => (
            "the pipeline has no source",
            "add a table `[sources.meter]`",
        ),
        (false, true) => (
            "the pipeline has no sink",
            "add a table `[sinks.sheet]` with `exporter = \"csv\"`, `inputs` and `path`",
        ),
    };
    problems.push(
        Problem::error(Code::CONFIG_GRAPH, what)
            .at(origins.whole())
            .hint(hint),
    );
}

fn fed(pipeline: &Pipeline) -> Vec<Fed<'_>> {
    let transforms = pipeline.transforms.iter();
    let transforms = transforms.map(|t| Fed {
        kind: Component::Transform,
        name: &t.name,
        inputs: &t.inputs,
    });
    let sinks = pipeline.sinks.iter();
    let sinks = sinks.map(|s| Fed {
        kind: Component::Exporter,
        name: &s.name,
        inputs: &s.inputs,
    });
    transforms.chain(sinks).collect()
}

fn duplicate_names(origins: &Origins, pipeline: &Pipeline, problems: &mut Vec<Problem>) {
    let mut owners: BTreeMap<&str, Vec<Component>> = BTreeMap::new();
    for kind in Component::ALL {
        for name in pipeline.names(kind) {
            owners.entry(name).or_default().push(kind);
        }
    }
    for (name, mut kinds) in owners.into_iter().filter(|(_, kinds)| kinds.len() > 1) {
        kinds.sort_by_key(|kind| {
            origins
                .document
                .find(&[kind.section(), name])
                .map_or(usize::MAX, |node| node.key.start)
        });
        let first = kinds[0];
        for kind in &kinds[1..] {
            problems.push(
                Problem::error(
                    Code::CONFIG_NAME,
                    format!(
                        "the name `{name}` is used twice, by a {} and a {}",
                        first.node_word(),
                        kind.node_word()
                    ),
                )
                .at(origins.place_key(&[kind.section(), name]))
                .cause(format!(
                    "first used at {}",
                    origins.place_key(&[first.section(), name])
                ))
                .hint(format!(
                    "rename one of them, such as `{name}_{}`",
                    kind.node_word()
                )),
            );
        }
    }
}

fn unknown_inputs(
    origins: &Origins,
    pipeline: &Pipeline,
    shadows: &[String],
    problems: &mut Vec<Problem>,
) {
    let lost = |section: &str| shadows.iter().any(|name| name == section);
    if lost(Component::Driver.section()) || lost(Component::Transform.section()) {
        return;
    }
    let mut known = pipeline.names(Component::Driver);
    known.extend(pipeline.names(Component::Transform));
    let sinks = pipeline.names(Component::Exporter);
    for node in fed(pipeline) {
        let section = node.kind.section();
        for (index, input) in node.inputs.iter().enumerate() {
            let repeats = node.inputs[..index].contains(input);
            if repeats || known.contains(&input.as_str()) || shadows.contains(input) {
                continue;
            }
            let index = index.to_string();
            let place = origins.place(&[section, node.name, "inputs", &index]);
            let others = || known.iter().copied().filter(|name| *name != node.name);
            let problem = if sinks.contains(&input.as_str()) {
                let feeders = pipeline.sinks.iter().find(|sink| sink.name == *input);
                let feeders = feeders
                    .map(|sink| sink.inputs.as_slice())
                    .unwrap_or_default();
                let hint = match feeders
                    .iter()
                    .filter(|name| *name != input)
                    .collect::<Vec<_>>()[..]
                {
                    [] => "name a source or transform".to_owned(),
                    ref names => format!(
                        "name what feeds `{input}`: {}",
                        any_of(names.iter().map(|n| n.as_str()))
                    ),
                };
                let title = format!(
                    "the sink `{input}` cannot be an input of [{section}.{}]",
                    node.name
                );
                Problem::error(Code::CONFIG_UNKNOWN_INPUT, title).hint(hint)
            } else {
                let title = format!("unknown input `{input}` of [{section}.{}]", node.name);
                let hint = match (nearest(input, others()), others().next()) {
                    (Some(near), _) => did_you_mean(near),
                    (None, Some(_)) => format!("it can be {}", any_of(others())),
                    (None, None) => format!("add a table `[sources.{input}]`"),
                };
                Problem::error(Code::CONFIG_UNKNOWN_INPUT, title).hint(hint)
            };
            problems.push(problem.at(place));
        }
    }
}

/// Reports every circle once, from its first node in the file.
fn cycles(origins: &Origins, pipeline: &Pipeline, problems: &mut Vec<Problem>) {
    let mut left: BTreeMap<&str, &[String]> = pipeline
        .transforms
        .iter()
        .map(|node| (node.name.as_str(), node.inputs.as_slice()))
        .collect();
    // Whoever needs nobody that is left is in no circle; most pipelines end here.
    loop {
        let before = left.len();
        let free = |inputs: &[String]| {
            inputs
                .iter()
                .all(|input| !left.contains_key(input.as_str()))
        };
        let done: Vec<&str> = left
            .iter()
            .filter(|(_, inputs)| free(inputs))
            .map(|(name, _)| *name)
            .collect();
        for name in done {
            left.remove(name);
        }
        if left.len() == before {
            break;
        }
    }
    let names = pipeline.names(Component::Transform);
    let names = names.into_iter().filter(|name| left.contains_key(name));
    let inputs = |name: &str| left.get(name).copied().unwrap_or_default();
    let mut reported: BTreeSet<String> = BTreeSet::new();
    for start in names {
        if reported.contains(start) {
            continue;
        }
        let Some(circle) = shortest_circle(start, &inputs) else {
            continue;
        };
        reported.extend(circle.iter().cloned());
        // `inputs` point upstream; readings are shown flowing down.
        let flow: Vec<&str> = circle.iter().rev().map(String::as_str).collect();
        let cut = inputs(start)
            .iter()
            .position(|name| Some(name) == circle.get(1));
        let index = cut.unwrap_or_default().to_string();
        problems.push(
            Problem::error(
                Code::CONFIG_CYCLE,
                format!(
                    "transforms feed each other in a circle: {}",
                    flow.join(" → ")
                ),
            )
            .at(origins.place(&["transforms", start, "inputs", &index]))
            .hint("cut the circle at one place: let one of them read from a source"),
        );
    }
}

/// The shortest way from `start` upstream to itself, both ends included.
fn shortest_circle<'a>(start: &str, inputs: &impl Fn(&str) -> &'a [String]) -> Option<Vec<String>> {
    let mut from: BTreeMap<String, String> = BTreeMap::new();
    let mut queue = std::collections::VecDeque::from([start.to_owned()]);
    while let Some(at) = queue.pop_front() {
        for next in inputs(&at) {
            if next == start {
                let mut way = vec![start.to_owned()];
                let mut step = &at;
                while step != start {
                    way.push(step.clone());
                    step = from.get(step)?;
                }
                way.push(start.to_owned());
                way.reverse();
                return Some(way);
            }
            if !from.contains_key(next) {
                from.insert(next.clone(), at.clone());
                queue.push_back(next.clone());
            }
        }
    }
    None
}

/// Warns about the last node of every part that no sink is fed from.
fn unused(origins: &Origins, pipeline: &Pipeline, problems: &mut Vec<Problem>) {
    let used: BTreeSet<&str> = fed(pipeline)
        .iter()
        .flat_map(|node| node.inputs)
        .map(String::as_str)
        .collect();
    for kind in [Component::Driver, Component::Transform] {
        for name in pipeline
            .names(kind)
            .into_iter()
            .filter(|name| !used.contains(name))
        {
            problems.push(
                Problem::warning(
                    Code::CONFIG_SHAPE,
                    format!("the {} `{name}` feeds nothing", kind.node_word()),
                )
                .at(origins.place_key(&[kind.section(), name]))
                .hint(format!(
                    "add `{name}` to the `inputs` of a sink, or delete it"
                )),
            );
        }
    }
}

/// Warns about an input that is listed twice, and keeps it once.
fn repeated_inputs(origins: &Origins, pipeline: &mut Pipeline, problems: &mut Vec<Problem>) {
    for node in fed(pipeline) {
        let mut told: BTreeSet<&str> = BTreeSet::new();
        for (index, input) in node.inputs.iter().enumerate() {
            if node.inputs[..index].contains(input) && told.insert(input) {
                let index = index.to_string();
                let section = node.kind.section();
                problems.push(
                    Problem::warning(
                        Code::CONFIG_SHAPE,
                        format!(
                            "`{input}` is listed twice in the inputs of [{section}.{}]",
                            node.name
                        ),
                    )
                    .at(origins.place(&[section, node.name, "inputs", &index]))
                    .kept("its readings are delivered once")
                    .hint("delete one of the two"),
                );
            }
        }
    }
    let transforms = pipeline.transforms.iter_mut().map(|node| &mut node.inputs);
    for inputs in transforms.chain(pipeline.sinks.iter_mut().map(|node| &mut node.inputs)) {
        let mut seen = BTreeSet::new();
        inputs.retain(|input| seen.insert(input.clone()));
    }
}
