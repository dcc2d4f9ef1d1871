//! Nothing lost, nothing doubled: what the journal keeps, and what each sink gets of it.

mod crash;
mod delivery;
mod explain;
mod replay;
mod storm;
mod upkeep;

use std::collections::BTreeSet;
use std::process::Command;

use glucopipe_tests::{Finished, Running, Workspace};
use serde_json::Value;

use crate::table::{Table, csv};

/// The virtual meter of these tests.
const METER: &str = "virtual:contour-next-usb?records=20";

/// A source `meter`, a file that is written anew, and a destination that adds to what is there.
struct Home {
    workspace: Workspace,
}

impl Home {
    fn new() -> Self {
        let workspace = Workspace::new();
        workspace.install("test_hostile");
        let home = Self { workspace };
        home.pipeline(METER, "");
        home
    }

    /// Writes the pipeline: a meter, and more besides.
    fn pipeline(&self, device: &str, more: &str) {
        self.workspace.write(
            "pipeline.toml",
            &format!(
                "[sources.meter]\ndevice = \"{device}\"\n\
                 [transforms.local]\ntype = \"clock\"\ninputs = [\"meter\"]\n\
                 timezone = \"Europe/Athens\"\ncorrect_drift = true\n\
                 [sinks.sheet]\nexporter = \"csv\"\ninputs = [\"local\"]\npath = \"sheet.csv\"\n\
                 [sinks.box]\nexporter = \"mailbox\"\ninputs = [\"local\"]\npath = \"box.txt\"\n{more}"
            ),
        );
    }

    /// What goes wrong at the next commit of the box.
    fn mood(&self, mood: &str) {
        self.mood_of("box.mood", mood);
    }

    /// The same for a box elsewhere, if its folder is there.
    fn mood_of(&self, file: &str, mood: &str) {
        let path = self.workspace.path().join(file);
        if path.parent().is_some_and(std::path::Path::is_dir) {
            self.workspace.write(file, mood);
        }
    }

    fn start(&self, arguments: &[&str]) -> Running {
        self.start_at("2026-11-01T12:00:00Z", arguments)
    }

    fn start_at(&self, now: &str, arguments: &[&str]) -> Running {
        Running::start(&mut self.command_at(now, arguments))
    }

    fn command_at(&self, now: &str, arguments: &[&str]) -> Command {
        let plugins = self.workspace.plugins().display().to_string();
        let all = [&["--plugin-dir", &plugins], arguments].concat();
        let mut command = self.workspace.command(&all);
        command.env("GLUCOPIPE_CLOCK", now);
        command
    }

    fn run(&self, arguments: &[&str]) -> Finished {
        self.start(arguments).finish()
    }

    /// Runs with a report; checks the exit code.
    fn report(&self, code: i32, arguments: &[&str]) -> Value {
        let finished = self.run(&[arguments, &["--report", "-"]].concat());
        assert_eq!(finished.code, code, "{}", finished.stderr);
        serde_json::from_str(&finished.stdout).expect("a report")
    }

    fn sheet(&self) -> Table {
        csv(&self.workspace.read("sheet.csv").expect("a sheet"))
    }

    /// The ids in the box, each once.
    fn box_ids(&self) -> BTreeSet<String> {
        let text = self.workspace.read("box.txt").unwrap_or_default();
        let ids: BTreeSet<String> = text.lines().map(str::to_owned).collect();
        assert_eq!(ids.len(), text.lines().count(), "a reading is there twice");
        ids
    }

    /// What the box was offered, commit by commit.
    fn offered(&self) -> Vec<String> {
        let text = self.workspace.read("box.log").unwrap_or_default();
        text.lines().map(|line| line.trim().to_owned()).collect()
    }

    fn sheet_ids(&self) -> BTreeSet<String> {
        let sheet = self.sheet();
        let ids: BTreeSet<String> = sheet
            .texts("reading_id")
            .into_iter()
            .map(str::to_owned)
            .collect();
        assert_eq!(ids.len(), sheet.rows.len(), "a reading is there twice");
        ids
    }

    fn verifies(&self) {
        let verified = self.run(&["journal", "verify"]);
        assert_eq!(verified.code, 0, "{}", verified.stderr);
    }
}

/// A sink of a report.
fn sink<'r>(report: &'r Value, name: &str) -> &'r Value {
    let sinks = report["sinks"].as_array().expect("a list");
    let found = sinks.iter().find(|sink| sink["name"] == name);
    found.unwrap_or_else(|| panic!("no sink {name}: {report}"))
}

/// The numbers of a sink: offered, delivered, already there, rejected, pending.
fn numbers(sink: &Value) -> [u64; 5] {
    [
        "offered",
        "delivered",
        "already_there",
        "rejected",
        "pending",
    ]
    .map(|name| {
        sink[name]
            .as_u64()
            .unwrap_or_else(|| panic!("{name} of {sink}"))
    })
}
