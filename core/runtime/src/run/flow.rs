//! One read on its way through the transforms.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use arrow::array::{RecordBatch, StringArray};
use glucopipe_sdk::batch::Texts;
use uuid::Uuid;

use super::apply::apply;
use super::engine::RunSetup;
use super::plan::{PlannedTransform, Step};
use super::report::TransformReport;
use super::running::Limits;
use crate::problem::Problem;
use crate::transform::ReadContext;

/// What is said of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Say {
    /// All of it: it is this run's.
    All,
    /// Nothing that an earlier run has said: it is of an earlier one.
    Counts,
    /// All, and the readings go nowhere: they are known already.
    Remarks,
}

/// The transforms of a run, with what they report.
pub(super) struct Flow<'a> {
    pub(super) setup: &'a RunSetup,
    pub(super) limits: &'a Limits,
    pub(super) transforms: Vec<PlannedTransform>,
    pub(super) reports: Vec<TransformReport>,
    pub(super) warnings: Vec<Problem>,
}

/// What came out of each node.
pub(super) struct Outputs {
    nodes: HashMap<String, Vec<RecordBatch>>,
    /// Clock offset as the first `clock` transform measured it in its zone, which is better than this
    /// computer's.
    pub(super) clock_offset_s: Option<i64>,
    /// The ids that transforms gave, with those that the journal knows the readings by.
    pub(super) former_ids: HashMap<Uuid, Uuid>,
}

impl Outputs {
    fn know(&mut self, batch: &RecordBatch, former: &StringArray) {
        let Ok(given) = Texts::of(batch, "reading_id") else {
            return;
        };
        for (row, former) in former.iter().enumerate() {
            let id = |text: Option<&str>| Uuid::try_parse(text?).ok();
            if let (Some(given), Some(former)) = (id(given.get(row)), id(former)) {
                // What was replaced before is known by its first id.
                let first = self.former_ids.get(&former).copied();
                self.former_ids.insert(given, first.unwrap_or(former));
            }
        }
    }

    /// What a node with these inputs is fed.
    pub(super) fn of<'o>(&'o self, inputs: &'o [String]) -> impl Iterator<Item = &'o RecordBatch> {
        inputs
            .iter()
            .filter_map(|input| self.nodes.get(input))
            .flatten()
    }
}

impl<'a> Flow<'a> {
    /// Transforms that have done nothing yet.
    pub(super) fn new(
        setup: &'a RunSetup,
        limits: &'a Limits,
        transforms: Vec<PlannedTransform>,
    ) -> Self {
        let report = |one: &PlannedTransform| TransformReport {
            name: one.name.clone(),
            kind: one.kind.clone(),
            ..TransformReport::default()
        };
        Self {
            setup,
            limits,
            reports: transforms.iter().map(report).collect(),
            transforms,
            warnings: Vec::new(),
        }
    }

    /// Sends one read through all transforms.
    pub(super) fn send(&mut self, context: &ReadContext, batch: RecordBatch, say: Say) -> Outputs {
        let mut outputs = Outputs {
            nodes: HashMap::from([(context.source.clone(), vec![batch])]),
            clock_offset_s: None,
            former_ids: HashMap::new(),
        };
        for (transform, report) in self.transforms.iter_mut().zip(&mut self.reports) {
            let inputs: Vec<RecordBatch> = outputs.of(&transform.inputs).cloned().collect();
            let mut given = Vec::with_capacity(inputs.len());
            for batch in inputs {
                if say == Say::Remarks && matches!(transform.step, Step::Plugin(..)) {
                    // It has nothing to say, and may be slow.
                    given.push(batch);
                    continue;
                }
                let operation = self.setup.operation(&transform.name);
                let mut told = TransformReport::default();
                match apply(transform, batch, context, operation, self.limits, &mut told) {
                    Ok(outcome) => {
                        let measured = outcome.clock_offset_s;
                        outputs.clock_offset_s = outputs.clock_offset_s.or(measured);
                        if let Some(former) = &outcome.former_ids {
                            outputs.know(&outcome.batch, former);
                        }
                        given.push(outcome.batch);
                        for warning in outcome.warnings {
                            // What is wrong with the pipeline is wrong for every read.
                            let now = say != Say::Counts || warning.code.area() == 1;
                            if now && !self.warnings.contains(&warning) {
                                self.warnings.push(warning);
                            }
                        }
                    }
                    Err(problem) => report.error = Some(problem),
                }
                report.add(told, say);
            }
            if report.error.is_none() && !given.is_empty() {
                outputs.nodes.insert(transform.name.clone(), given);
            }
        }
        outputs
    }

    /// What the readings of these nodes have in common by the transforms that they came through.
    pub(super) fn says(&self, inputs: &[String]) -> BTreeMap<String, String> {
        let mut nodes: HashMap<&str, BTreeMap<String, String>> = HashMap::new();
        // Each transform stands behind those that it is fed from.
        for transform in &self.transforms {
            let own = match &transform.step {
                Step::Builtin(builtin) => builtin.says(),
                Step::Plugin(..) => None,
            };
            let says = own.unwrap_or_else(|| common(&transform.inputs, &nodes));
            nodes.insert(&transform.name, says);
        }
        common(inputs, &nodes)
    }

    /// Whether a node below these has failed.
    pub(super) fn failed(&self, upstream: &BTreeSet<&str>) -> bool {
        self.reports
            .iter()
            .any(|report| report.error.is_some() && upstream.contains(report.name.as_str()))
    }
}

/// What all of some nodes say; a source says nothing.
fn common(
    inputs: &[String],
    nodes: &HashMap<&str, BTreeMap<String, String>>,
) -> BTreeMap<String, String> {
    let mut each = inputs.iter().map(|input| nodes.get(input.as_str()));
    let mut all = each.next().flatten().cloned().unwrap_or_default();
    for other in each {
        all.retain(|key, value| other.is_some_and(|other| other.get(key) == Some(value)));
    }
    all
}

impl TransformReport {
    fn add(&mut self, told: Self, say: Say) {
        if say != Say::Remarks {
            self.taken += told.taken;
            self.given += told.given;
        }
        if say != Say::Counts {
            for note in told.notes {
                if !self.notes.contains(&note) {
                    self.notes.push(note);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::cancel::Cancel;
    use crate::clock::Clock;
    use crate::transform::builtins;

    fn transform(name: &str, kind: &str, options: &Value, inputs: &[&str]) -> PlannedTransform {
        let kind = builtins().iter().find(|one| one.kind == kind).unwrap();
        PlannedTransform {
            name: name.to_owned(),
            kind: kind.kind.to_owned(),
            inputs: inputs.iter().map(|&input| input.to_owned()).collect(),
            step: Step::Builtin((kind.open)(options, &[]).unwrap()),
        }
    }

    #[test]
    fn readings_say_what_all_their_units_have_in_common() {
        let rounded = json!({ "to": "mmol/L", "decimals": 1 });
        let transforms = vec![
            transform("rounded", "units", &rounded, &["meter"]),
            transform(
                "whole",
                "units",
                &json!({ "to": "mmol/L", "factor": 18 }),
                &["meter"],
            ),
            transform(
                "few",
                "filter",
                &json!({ "kinds": ["glucose"] }),
                &["rounded"],
            ),
            transform("mg", "units", &json!({ "to": "mg/dL" }), &["few"]),
        ];
        let setup = RunSetup {
            cancel: Cancel::new(),
            clock: Clock::System,
            logger: crate::host::Logger::silent(),
            progress: None,
            recorder: None,
            dry_run: false,
        };
        let limits = Limits::default();
        let flow = Flow::new(&setup, &limits, transforms);
        let says = |inputs: &[&str]| {
            let inputs: Vec<String> = inputs.iter().map(|&input| input.to_owned()).collect();
            let says = flow.says(&inputs).into_iter();
            says.map(|(key, value)| format!("{key}={value}"))
                .collect::<Vec<_>>()
                .join(" ")
        };
        let all = "glucopipe.decimals=1 glucopipe.factor=18.01559 glucopipe.units=mmol/L";
        assert_eq!(says(&["rounded"]), all);
        assert_eq!(says(&["few", "rounded"]), all);
        assert_eq!(says(&["few", "whole"]), "glucopipe.units=mmol/L");
        assert_eq!(
            says(&["mg"]),
            "glucopipe.factor=18.01559 glucopipe.units=mg/dL"
        );
        assert_eq!(says(&["meter"]), "");
        assert_eq!(says(&["rounded", "meter"]), "");
        assert_eq!(says(&["meter", "rounded"]), "");
    }
}
