//! Runs pipelines inside the test process, as the program would.

use std::time::Duration;

use glucopipe_runtime::cancel::Cancel;
use glucopipe_runtime::clock::Clock;
use glucopipe_runtime::config::{self, LoadRequest};
use glucopipe_runtime::device::Finder;
use glucopipe_runtime::host::Logger;
use glucopipe_runtime::plugin::{Registry, SearchPath};
use glucopipe_runtime::problem::{Code, Problem};
use glucopipe_runtime::render::render;
use glucopipe_runtime::run::engine::{Limits, RunSetup, run_within};
use glucopipe_runtime::run::plan::plan;
use glucopipe_runtime::run::report::RunReport;
use glucopipe_tests::Workspace;

/// What every file that must survive holds before the run.
pub(crate) const BEFORE: &str = "from before\n";

/// What the sink `fine` writes of three good readings.
pub(crate) const THREE: &str = "\
record_key,value,unit
glucose|1|202605300001,100,mg/dL
glucose|2|202605300002,101,mg/dL
glucose|3|202605300003,102,mg/dL
";

/// A workspace with the hostile plugin and the CSV exporter, and limits that suit a test.
pub(crate) struct Bench {
    pub(crate) workspace: Workspace,
    pub(crate) cancel: Cancel,
    pub(crate) limits: Limits,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) report: RunReport,
    /// Errors and warnings as the user sees them.
    pub(crate) text: String,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let workspace = Workspace::new();
        workspace.install("test_hostile");
        workspace.install("exporter_csv");
        let limits = Limits {
            grace: Duration::from_millis(300),
            ..Limits::default()
        };
        Self {
            workspace,
            cancel: Cancel::new(),
            limits,
        }
    }

    /// A source `NAME` read by the hostile driver, with more of its keys.
    pub(crate) fn source(&self, name: &str, mode: &str, more: &str) -> String {
        format!(
            "[sources.{name}]\ndriver = \"hostile\"\ndevice = \"virtual:contour-next-usb\"\n\
             mode = \"{mode}\"\n{more}\n"
        )
    }

    /// A sink `NAME` that writes `NAME.csv`.
    pub(crate) fn table(&self, name: &str, input: &str) -> String {
        let folder = self.workspace.path().display();
        format!(
            "[sinks.{name}]\nexporter = \"csv\"\ninputs = [\"{input}\"]\n\
             path = \"{folder}/{name}.csv\"\ncolumns = [\"record_key\", \"value\", \"unit\"]\n"
        )
    }

    /// Runs a pipeline, or says why it cannot be run.
    pub(crate) fn try_run(&self, text: &str) -> Result<Ran, Vec<Problem>> {
        self.try_run_after(text, &self.registry(), || {})
    }

    /// The plugins of the workspace, loaded in this process.
    pub(crate) fn registry(&self) -> Registry {
        let mut search = SearchPath::default();
        search.add(&self.workspace.plugins(), "--plugin-dir");
        Registry::new(search)
    }

    /// Runs a pipeline with these plugins; they are found already when something else happens.
    pub(crate) fn try_run_after(
        &self,
        text: &str,
        registry: &Registry,
        happens: impl FnOnce(),
    ) -> Result<Ran, Vec<Problem>> {
        let now = "2026-11-01T12:00:00Z".parse().expect("a time");
        let clock = Clock::Fixed(now);
        let finder = Finder {
            registry,
            clock: &clock,
        };
        let mut loaded = config::load(LoadRequest {
            file: "p.toml".to_owned(),
            text: text.to_owned(),
            environment: vec![("HOSTILE_KEY".into(), "correct horse".into())],
            ..LoadRequest::default()
        });
        let Some(plan) = plan(&mut loaded, registry, &finder) else {
            return Err(loaded.problems().to_vec());
        };
        happens();
        let setup = RunSetup {
            cancel: self.cancel.clone(),
            clock: clock.clone(),
            logger: Logger::silent(),
            progress: None,
            recorder: None,
            dry_run: false,
        };
        let report = run_within(plan, &mut loaded, &finder, &setup, &self.limits);
        let rendered = report
            .errors()
            .chain(&report.warnings)
            .map(|one| render(one, false));
        let text = self
            .workspace
            .filtered(&rendered.collect::<Vec<_>>().join("\n"));
        Ok(Ran { report, text })
    }

    /// Runs a pipeline that can be run.
    pub(crate) fn run(&self, text: &str) -> Ran {
        self.try_run(text).unwrap_or_else(|problems| {
            let shown: Vec<_> = problems
                .iter()
                .map(|problem| render(problem, false))
                .collect();
            panic!("{text}\ncannot be run:\n{}", shown.join("\n"))
        })
    }
}

/// Checks that a problem has this code and says these words, and nothing of a crash of the host.
pub(crate) fn expect(problem: Option<&Problem>, code: Code, words: &str) {
    let problem = problem.unwrap_or_else(|| panic!("expected {code}, nothing went wrong"));
    let text = render(problem, false);
    assert_eq!(problem.code, code, "{text}");
    assert!(text.contains(words), "expected `{words}` in:\n{text}");
    assert!(!text.contains('\u{1b}'), "{text:?}");
}
