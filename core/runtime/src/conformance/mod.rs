//! The conformance suite behind `glucopipe plugins check`: does a library keep the contract of
//! `glucopipe.h`?
//!
//! # Layout
//! - `catalog` lists the tests; [`bench`] is what a test works with.
//! - `file` looks at the file alone; `scan` loads it and asks for its components.
//! - `keys`, `life`, `driver`, `faults`, `scrub`, `exporter` and `transform` hold the tests of a component.
//! - `link` goes between a driver and its meter, `delivery` has readings for exporters and looks at files, `raw`
//!   calls a table without the host's manners, `traces` sees what a plugin leaves in the process.
//! - `children` runs each test in a process of its own; [`run_apart`] is what happens in there.

mod bench;
mod catalog;
mod children;
mod delivery;
mod driver;
mod exporter;
mod faults;
mod file;
mod keys;
mod life;
mod link;
mod raw;
mod scan;
mod scrub;
mod traces;
mod transform;

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::children::{Check, Checked, Way};
use crate::plugin::ComponentKind;

/// One test of one component, or of the library: what a child process is asked to do.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Request {
    /// The library.
    pub library: PathBuf,
    /// Name of the test.
    pub test: String,
    /// The component, as `driver` and its id; none for the tests of the library.
    pub component: Option<Named>,
    /// Keys for it; made up from its schema when there are none.
    pub config: Option<Value>,
    /// `virtual:…` or `replay:…`; a virtual meter that the driver knows when there is none.
    pub device: Option<String>,
    /// What is random follows from this.
    pub seed: u64,
    /// When it is; the clock of a test stands still.
    pub now: DateTime<Utc>,
    /// A private folder: what is found is left in `notes` below it, and the test works in `home`.
    pub folder: PathBuf,
}

impl Request {
    /// A file of the notes.
    fn note(&self, name: &str) -> PathBuf {
        self.folder.join(NOTES).join(name)
    }
}

/// A component by kind and id.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Named {
    /// `driver`, `exporter` or `transform`.
    pub kind: String,
    /// The name in `pipeline.toml`.
    pub id: String,
}

impl Named {
    fn kind(&self) -> Option<ComponentKind> {
        let all = [
            ComponentKind::Driver,
            ComponentKind::Exporter,
            ComponentKind::Transform,
        ];
        all.into_iter().find(|kind| kind.word() == self.kind)
    }

    fn is(&self, kind: ComponentKind, id: &str) -> bool {
        self.kind == kind.word() && self.id == id
    }
}

/// How a test ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The contract is kept.
    Passed,
    /// The contract is kept, and something was found that its author should see.
    Warned,
    /// There was nothing to test, or nothing to test it with.
    Skipped,
    /// The contract is broken.
    Failed,
}

/// What a test found.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Verdict {
    /// How it ended.
    pub outcome: Outcome,
    /// What is wrong, what its author should see, or why it was skipped.
    pub reasons: Vec<String>,
    /// What is not wrong and good to know.
    pub notes: Vec<String>,
    /// The components of the library, from the test that loads it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<Named>,
}

impl Verdict {
    fn failed(reason: impl Into<String>) -> Self {
        Self {
            outcome: Outcome::Failed,
            reasons: vec![reason.into()],
            notes: Vec::new(),
            components: Vec::new(),
        }
    }

    /// Makes it a failure; what it said before is good to know then.
    fn fail(&mut self, reason: impl Into<String>) {
        if self.outcome != Outcome::Failed {
            self.outcome = Outcome::Failed;
            self.notes.splice(..0, std::mem::take(&mut self.reasons));
        }
        self.reasons.push(reason.into());
    }
}

/// Why a test stops before its end.
enum Stop {
    /// There is nothing to test, or nothing to test it with.
    Skip(String),
    /// What follows would make no sense any more.
    Fail(String),
}

/// How far a test came.
type Tested = Result<(), Stop>;

fn skip<T>(reason: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Skip(reason.into()))
}

fn fail<T>(reason: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Fail(reason.into()))
}

/// Name of the folder that a test writes down in what it finds and does; no plugin is told of it.
const NOTES: &str = "notes";
/// Name of the file there that has its verdict.
const VERDICT: &str = "verdict.json";
/// Name of the file there that says what a test is doing, for those that do not come back.
const STEP: &str = "step";
/// Name of the folder that a test works in.
const HOME: &str = "home";

/// Runs one test in this process, which is there for nothing else and has no other thread yet: it gives up what a
/// child gives up that runs the plugin in a pipeline.
///
/// # Errors
/// When the folder cannot be used; what the plugin does wrong is in the verdict.
pub fn run_apart(request: &Request) -> std::io::Result<Verdict> {
    run_one(request, |bench| bench.confine())
}

/// Runs one test in this process after a preparation, and leaves its verdict in the request's folder.
///
/// # Errors
/// When the folder cannot be used; what the plugin does wrong is in the verdict.
fn run_one(request: &Request, prepare: fn(&mut bench::Bench<'_>)) -> std::io::Result<Verdict> {
    let home = request.folder.join(HOME);
    for folder in [&home, &request.folder.join(NOTES)] {
        std::fs::create_dir_all(folder)?;
    }
    // What a plugin writes without being told where ends up here.
    std::env::set_current_dir(&home)?;
    let verdict = match catalog::find(&request.test) {
        Some(test) => {
            let mut bench = bench::Bench::new(request);
            prepare(&mut bench);
            bench.run(test.run)
        }
        None => Verdict::failed(format!("there is no test `{}`", request.test)),
    };
    write_whole(&request.note(VERDICT), &serde_json::to_vec(&verdict)?)?;
    Ok(verdict)
}

/// Writes a file that is there as a whole or not at all.
fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let half = path.with_extension("half");
    std::fs::write(&half, bytes)?;
    std::fs::rename(half, path)
}
