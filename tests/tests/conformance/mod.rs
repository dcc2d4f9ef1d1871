//! `glucopipe plugins check`: our own plugins pass it, and every mistake fails the test that is meant for it.

mod hostile;
mod ours;
mod rude;
mod usage;
mod warnings;

use std::path::Path;

use glucopipe_tests::{Finished, Workspace};
use serde_json::Value;

/// For tests that are not about the limit in time: however busy the computer is, another limit comes first.
const LIMIT: &str = "10m";

/// The check of a library, as its JSON document.
struct Check {
    finished: Finished,
    document: Value,
}

impl Check {
    fn run(workspace: &Workspace, library: &Path, more: &[&str]) -> Self {
        let library = library.display().to_string();
        let arguments = [&["plugins", "check", "--json", &library][..], more].concat();
        let finished = workspace.run(&arguments);
        let document = serde_json::from_str(&finished.stdout)
            .unwrap_or_else(|error| panic!("{error}: {finished:?}"));
        Self { finished, document }
    }

    fn tests(&self) -> &[Value] {
        self.document["tests"].as_array().expect("a list")
    }

    /// Names of the tests with this outcome, each with its component.
    fn of(&self, outcome: &str) -> Vec<String> {
        let tests = self
            .tests()
            .iter()
            .filter(|test| test["outcome"] == outcome);
        let name = |test: &Value| {
            let id = test["component"]["id"].as_str();
            let name = test["test"].as_str().expect("a name");
            id.map_or_else(|| name.to_owned(), |id| format!("{name} {id}"))
        };
        tests.map(name).collect()
    }

    /// What a test of a component found wrong.
    fn reasons(&self, test: &str, kind: &str) -> String {
        let mut tests = self.tests().iter();
        let found = tests.find(|one| {
            let component = one["component"]["kind"].as_str();
            one["test"] == test && component.is_none_or(|own| own == kind)
        });
        let found = found.unwrap_or_else(|| panic!("{test} was not run: {:#}", self.document));
        format!("{} {}", found["outcome"], found["reasons"])
    }
}
