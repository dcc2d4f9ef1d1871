//! The run report: what happened, for people and programs. It holds no readings but the bytes of
//! records that were set aside.

use std::collections::BTreeMap;

use glucopipe_sdk::driver::SetAside;
use serde::Serialize;
use serde_json::{Map, Value};

use super::answers::Handed;
use crate::problem::{Code, Problem, Severity};
use crate::render::render_json;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Everything was read and delivered.
    Done,
    /// Some source or sink failed or is incomplete; the rest was delivered.
    Partial,
    /// Nothing was delivered.
    Failed,
    /// Stopped by the user or the system; nothing was delivered by halves.
    Interrupted,
}

/// How a source ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceStatus {
    /// Everything the meter holds was read and verified.
    Complete,
    /// Something is missing; what was verified is delivered.
    Incomplete,
    /// Nothing usable was read.
    Failed,
    /// Nothing was to be read: the journal's readings were delivered.
    Replayed,
}

/// What became of a source.
#[derive(Clone, Debug, Serialize)]
pub struct SourceReport {
    /// Name in the pipeline.
    pub name: String,
    /// `contour/0.1.0`.
    pub driver: String,
    /// Model of the meter.
    pub model: String,
    /// Firmware of the meter.
    pub firmware: Option<String>,
    /// How it ended.
    pub status: SourceStatus,
    /// Why it is not complete.
    pub reasons: Vec<String>,
    /// Records the meter said it holds.
    pub expected: Option<u64>,
    /// Records left unread, because the journal has them.
    pub known: u64,
    /// Readings read.
    pub read: u64,
    /// Readings that no earlier run has seen.
    pub new: u64,
    /// Records set aside.
    pub rejected: u64,
    /// The records set aside, with reason and bytes.
    pub set_aside: Vec<SetAside>,
    /// Meter clock minus this computer's, seconds.
    pub clock_offset_s: Option<i64>,
    /// The driver's own numbers.
    pub counts: Map<String, Value>,
    /// Remarks of the driver.
    pub notes: Vec<String>,
    /// Annotations of readings, with how often each came.
    pub annotations: BTreeMap<String, u64>,
    /// How long it took.
    pub seconds: f64,
    /// Why it failed.
    #[serde(serialize_with = "problem")]
    pub error: Option<Problem>,
}

/// What a transform did.
#[derive(Clone, Debug, Default, Serialize)]
pub struct TransformReport {
    /// Name in the pipeline.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub kind: String,
    /// Readings in.
    pub taken: u64,
    /// Readings out.
    pub given: u64,
    /// Parameters used.
    pub notes: Vec<String>,
    /// Why it failed.
    #[serde(serialize_with = "problem")]
    pub error: Option<Problem>,
}

/// What became of a sink.
#[derive(Clone, Debug, Default, Serialize)]
pub struct SinkReport {
    /// Name in the pipeline.
    pub name: String,
    /// The exporter.
    pub exporter: String,
    /// Readings offered.
    pub offered: u64,
    /// Readings delivered.
    pub delivered: u64,
    /// Readings that were there before.
    pub already_there: u64,
    /// Readings the destination refused.
    pub rejected: u64,
    /// Readings without a place in the format, on purpose.
    pub left_out: u64,
    /// Readings left out because they came by two ways.
    pub doubled: u64,
    /// Readings that wait in the journal for the next run.
    pub pending: u64,
    /// Bytes written or sent.
    pub bytes: u64,
    /// Files written or servers reached.
    pub targets: Vec<String>,
    /// In a dry run: what would be written or sent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub would: Vec<String>,
    /// How long it took.
    pub seconds: f64,
    /// Why it failed.
    #[serde(serialize_with = "problem")]
    pub error: Option<Problem>,
    /// What the user should know although nothing failed, until it is among the warnings of the run.
    #[serde(skip)]
    pub warning: Option<Problem>,
    /// The configuration key at fault, until the error has its place.
    #[serde(skip)]
    pub key: Option<String>,
    /// What it was handed and said to it, until that is noted.
    #[serde(skip)]
    pub handed: Option<Handed>,
}

impl SinkReport {
    /// Whether something that it was to be given is not at the destination.
    pub fn has_failed(&self) -> bool {
        self.error
            .as_ref()
            .is_some_and(|problem| problem.severity == Severity::Error)
    }

    /// Whether something came to its destination, or nothing had to.
    pub fn is_served(&self) -> bool {
        self.error.is_none() || self.delivered + self.already_there > 0
    }
}

/// The whole report.
#[derive(Clone, Debug, Serialize)]
pub struct RunReport {
    /// Version of this program.
    pub glucopipe: &'static str,
    /// Name of the pipeline.
    pub pipeline: String,
    /// When the run began, RFC 3339.
    pub started: String,
    /// How long it took.
    pub seconds: f64,
    /// Nothing was written or sent, because that was asked for.
    pub dry_run: bool,
    /// How it ended.
    pub outcome: Outcome,
    /// The sources, in file order.
    pub sources: Vec<SourceReport>,
    /// The transforms, in file order.
    pub transforms: Vec<TransformReport>,
    /// The sinks, in file order.
    pub sinks: Vec<SinkReport>,
    /// What the user should know besides.
    #[serde(serialize_with = "problems")]
    pub warnings: Vec<Problem>,
}

impl RunReport {
    /// All errors, sources first.
    pub fn errors(&self) -> impl Iterator<Item = &Problem> {
        let sources = self
            .sources
            .iter()
            .filter_map(|source| source.error.as_ref());
        let transforms = self
            .transforms
            .iter()
            .filter_map(|transform| transform.error.as_ref());
        let sinks = self.sinks.iter().filter_map(|sink| sink.error.as_ref());
        sources.chain(transforms).chain(sinks)
    }

    /// Whether no source could be read, and nothing else failed: what waited in the journal may have been
    /// delivered all the same.
    pub fn only_sources_failed(&self) -> bool {
        let unread = |source: &SourceReport| source.status == SourceStatus::Failed;
        self.sources.iter().all(unread) && !self.sinks.iter().any(SinkReport::has_failed)
    }

    /// Says that what a sink seemed to deliver did not arrive.
    pub fn fail_sink(&mut self, name: &str, problem: Problem) {
        let Some(sink) = self.sinks.iter_mut().find(|sink| sink.name == name) else {
            return;
        };
        (sink.delivered, sink.already_there, sink.bytes) = (0, 0, 0);
        sink.targets.clear();
        sink.error = Some(problem);
        if self.outcome != Outcome::Interrupted {
            self.outcome = match self.sinks.iter().any(SinkReport::is_served) {
                true => Outcome::Partial,
                false => Outcome::Failed,
            };
        }
    }

    /// Every problem, to be put into other words.
    pub fn problems_mut(&mut self) -> impl Iterator<Item = &mut Problem> {
        let sources = self.sources.iter_mut().filter_map(|one| one.error.as_mut());
        let transforms = self
            .transforms
            .iter_mut()
            .filter_map(|one| one.error.as_mut());
        let sinks = self.sinks.iter_mut().filter_map(|one| one.error.as_mut());
        let warnings = self.warnings.iter_mut();
        sources.chain(transforms).chain(sinks).chain(warnings)
    }

    /// The code that explains best what failed: that of the first source when only sources failed, else
    /// of a transform, else of a sink.
    pub fn failure(&self) -> Option<Code> {
        let errors = |one: &&Problem| one.severity == Severity::Error;
        let sources = self
            .sources
            .iter()
            .filter_map(|source| source.error.as_ref());
        let transforms = self
            .transforms
            .iter()
            .filter_map(|transform| transform.error.as_ref());
        let sinks = self.sinks.iter().filter_map(|sink| sink.error.as_ref());
        let first = if self.only_sources_failed() {
            sources.chain(transforms).chain(sinks).find(errors)
        } else {
            transforms.chain(sinks).chain(sources).find(errors)
        };
        first.map(|problem| problem.code)
    }
}

fn problem<S: serde::Serializer>(
    problem: &Option<Problem>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    problem.as_ref().map(render_json).serialize(serializer)
}

fn problems<S: serde::Serializer>(problems: &[Problem], serializer: S) -> Result<S::Ok, S::Error> {
    problems
        .iter()
        .map(render_json)
        .collect::<Vec<_>>()
        .serialize(serializer)
}
