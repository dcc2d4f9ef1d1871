//! Meters that misbehave: everything is read, or what was read is delivered and the rest is named, or
//! nothing is touched. Never anything else, and the meter is always left in order.

mod contour;
mod verio;

use std::collections::BTreeSet;

use glucopipe_emulator::{ModelEntry, faults_of};
use glucopipe_tests::Workspace;
use serde_json::Value;

/// What a fault may end in.
#[derive(Clone, Copy, Debug)]
enum Class {
    /// Everything was read; exit code 0.
    Recovered,
    /// Everything but so many records, which were set aside; exit code 0.
    SetAside(u64),
    /// So many readings, the rest is missing or in doubt; exit code 1.
    Incomplete(usize),
    /// Nothing usable, with this code; exit code 7.
    Nothing(&'static str),
}
use Class::{Incomplete, Nothing, Recovered, SetAside};

/// What the sink holds before the run.
const BEFORE: &str = "from before\n";

/// A read of a meter: its folder, exit code, report and messages.
struct Read {
    workspace: Workspace,
    code: i32,
    stderr: String,
    report: Value,
}

impl Read {
    fn of(driver: &str, device: &str) -> Self {
        let workspace = Workspace::new();
        let audit = workspace.path().join("audit");
        workspace.write("sheet.csv", BEFORE);
        workspace.write(
            "pipeline.toml",
            &format!(
                "[sources.meter]\ndriver = \"{driver}\"\n\
                 device = \"virtual:{device}&audit={}\"\n\
                 [sinks.sheet]\nexporter = \"csv\"\ninputs = [\"meter\"]\npath = \"sheet.csv\"\n",
                audit.display()
            ),
        );
        let finished = workspace.run(&["run", "--report", "report.json"]);
        let report = workspace.read("report.json").expect("a report");
        let report = serde_json::from_str(&report).expect("the report is JSON");
        Self {
            workspace,
            code: finished.code,
            stderr: finished.stderr,
            report,
        }
    }

    fn source(&self) -> &Value {
        &self.report["sources"][0]
    }

    fn sheet(&self) -> String {
        self.workspace.read("sheet.csv").expect("a sheet")
    }

    /// The meter noticed no broken rule and no session left open, however often it was opened.
    fn audit_is_clean(&self, what: &str) {
        let audit = self.workspace.read("audit").expect("an audit");
        let objects = audit.lines().any(|line| line != "unplugged");
        assert!(!objects, "{what}: {audit}\n{}", self.stderr);
    }
}

/// Meters whose readings are compared in the same way.
struct Family {
    driver: &'static str,
    /// Compares a sheet with the scenario of this selector: the whole of it, or a part; the number of rows.
    compare: fn(&str, &str, &str, bool) -> usize,
}

impl Family {
    /// A run with this virtual meter ends so.
    fn check(&self, device: &str, class: Class) {
        let read = Read::of(self.driver, device);
        let what = format!("{device} ({class:?})\n{}", read.stderr);
        let (stderr, source) = (&read.stderr, read.source());
        let ended = (read.code, source["status"].as_str().expect("a status"));
        let reasons = source["reasons"].as_array().expect("a list");
        let compared = |whole| (self.compare)(&what, device, &read.sheet(), whole);
        match class {
            Recovered | SetAside(_) => {
                assert_eq!(ended, (0, "complete"), "{what}");
                assert!(reasons.is_empty() && !stderr.contains("GP0302"), "{what}");
                compared(true);
            }
            Incomplete(count) => {
                assert_eq!(ended, (1, "incomplete"), "{what}");
                assert!(stderr.contains("warning[GP0302]"), "{what}");
                assert_eq!(compared(false), count, "{what}");
            }
            Nothing(code) => {
                assert_eq!(ended, (7, "failed"), "{what}");
                assert!(stderr.contains(&format!("error[{code}]")), "{what}");
                assert_eq!(source["error"]["code"], code, "{what}");
                assert_eq!(read.sheet(), BEFORE, "{what}");
            }
        }
        if matches!(class, Incomplete(_) | Nothing("GP0302")) {
            assert!(!reasons.is_empty(), "{what}");
            for reason in reasons {
                let reason = reason.as_str().expect("a text");
                assert!(stderr.contains(&format!("cause: {reason}")), "{what}");
            }
        }
        let set_aside = source["set_aside"].as_array().expect("a list");
        if let Recovered | SetAside(_) = class {
            let count = if let SetAside(count) = class {
                count
            } else {
                0
            };
            assert_eq!(set_aside.len() as u64, count, "{what}");
        }
        assert_eq!(source["rejected"], set_aside.len(), "{what}");
        read.audit_is_clean(&what);
    }
}

/// Every fault the emulator knows of these meters is in the table, so that a new one cannot be forgotten.
fn assert_all(models: impl Iterator<Item = &'static ModelEntry>, table: &[(&str, Class)]) {
    let name = |fault: &'_ str| {
        fault
            .split([':', '+'])
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    let tested: BTreeSet<String> = table.iter().map(|(fault, _)| name(fault)).collect();
    let missing: BTreeSet<&str> = models
        .flat_map(|model| faults_of(model.key))
        .map(|fault| fault.name)
        .filter(|name| !tested.contains(*name))
        .collect();
    assert!(missing.is_empty(), "say what these end in: {missing:?}");
}
