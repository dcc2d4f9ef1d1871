//! A meter that gives its newest record first is read only as far as the journal does not know it, and never
//! less than that.

use glucopipe_tests::{Finished, Workspace};
use serde_json::Value;

const PIPELINE: &str = "\
[sources.meter]
driver = \"verio\"
device = \"virtual:verio-flex?records=50\"

[sinks.sheet]
exporter = \"csv\"
inputs = [\"meter\"]
path = \"sheet.csv\"
";
/// Questions to a Verio besides those for records.
const QUESTIONS: u64 = 7;

fn workspace() -> Workspace {
    let workspace = Workspace::new();
    workspace.write("pipeline.toml", PIPELINE);
    workspace
}

/// Runs the pipeline; how it ended, and what is told of the source.
fn run(workspace: &Workspace, more: &[&str]) -> (Finished, Value) {
    let finished = workspace.run(&[&["run", "--report", "report.json"], more].concat());
    let report = workspace.read("report.json").expect("a report");
    let report: Value = serde_json::from_str(&report).expect("JSON");
    (finished, report["sources"][0].clone())
}

fn numbers(source: &Value) -> [u64; 4] {
    ["read", "new", "known", "expected"].map(|name| source[name].as_u64().expect("a number"))
}

fn fault(fault: &str) -> String {
    format!("sources.meter.device=virtual:verio-flex?records=50&fault={fault}")
}

#[test]
fn what_the_journal_has_is_not_read_again() {
    let workspace = workspace();
    let (first, source) = run(&workspace, &[]);
    assert_eq!((first.code, numbers(&source)), (0, [50, 50, 0, 50]));
    let sheet = workspace.read("sheet.csv");
    let (second, source) = run(&workspace, &[]);
    assert_eq!(
        (second.code, numbers(&source)),
        (0, [0, 0, 50, 50]),
        "{}",
        second.stderr
    );
    assert_eq!(source["counts"]["exchanges"], QUESTIONS + 1);
    assert_eq!(source["status"], "complete");
    assert!(
        second
            .stderr
            .contains("meter: 0 new readings from Verio Flex, 50 known\n"),
        "{}",
        second.stderr
    );
    assert_eq!(workspace.read("sheet.csv"), sheet);
}

#[test]
fn full_reads_all_again() {
    let workspace = workspace();
    run(&workspace, &[]);
    let (finished, source) = run(&workspace, &["--full"]);
    assert_eq!((finished.code, numbers(&source)), (0, [50, 0, 0, 50]));
}

/// Tests that are taken while the meter is read move all records up.
#[test]
fn what_is_new_is_read() {
    let workspace = workspace();
    run(&workspace, &[]);
    let (finished, source) = run(&workspace, &["--set", &fault("count:3")]);
    assert_eq!(
        (finished.code, numbers(&source)),
        (0, [3, 3, 50, 53]),
        "{}",
        finished.stderr
    );
    let sheet = workspace.read("sheet.csv").expect("a sheet");
    assert_eq!(sheet.lines().count(), 1 + 53);
}

/// Of a read that was cut off nothing is known that was not read to the end since.
#[test]
fn a_read_that_was_cut_off_ends_no_later_one() {
    for cut in ["unplug:20", "crc-forever:30"] {
        let whole = workspace();
        run(&whole, &[]);
        let workspace = workspace();
        let (first, source) = run(&workspace, &["--set", &fault(cut)]);
        assert_eq!(
            (first.code, &source["status"]),
            (1, &"incomplete".into()),
            "{cut}"
        );
        let (second, source) = run(&workspace, &[]);
        assert_eq!((second.code, &source["known"]), (0, &0.into()), "{cut}");
        assert_eq!(
            workspace.read("sheet.csv"),
            whole.read("sheet.csv"),
            "{cut}"
        );
        let (third, source) = run(&workspace, &[]);
        assert_eq!((third.code, numbers(&source)), (0, [0, 0, 50, 50]), "{cut}");
    }
}

/// What was set aside is looked at again by each run, until it can be read.
#[test]
fn records_set_aside_are_read_again() {
    for odd in ["odd:1", "odd:3", "odd:50"] {
        let workspace = workspace();
        let (_, source) = run(&workspace, &["--set", &fault(odd)]);
        assert_eq!(numbers(&source), [49, 49, 0, 50], "{odd}");
        let (again, source) = run(&workspace, &["--set", &fault(odd)]);
        assert_eq!((again.code, numbers(&source)), (0, [49, 0, 0, 50]), "{odd}");
        let (healed, source) = run(&workspace, &[]);
        let told = (healed.code, numbers(&source));
        assert_eq!(told, (0, [50, 1, 0, 50]), "{odd}");
        let (last, source) = run(&workspace, &[]);
        assert_eq!((last.code, numbers(&source)), (0, [0, 0, 50, 50]), "{odd}");
        let sheet = workspace.read("sheet.csv").expect("a sheet");
        assert_eq!(sheet.lines().count(), 1 + 50, "{odd}");
    }
}

/// One new record that cannot be read is no reason to serve nobody.
#[test]
fn a_new_record_that_is_set_aside_fails_no_run() {
    let workspace = workspace();
    run(&workspace, &[]);
    let device = "sources.meter.device=virtual:verio-flex?records=50&fault=count:1+odd:1";
    let (finished, source) = run(&workspace, &["--set", device]);
    assert_eq!(
        (finished.code, numbers(&source), &source["rejected"]),
        (0, [0, 0, 50, 51], &1.into()),
        "{}",
        finished.stderr
    );
}

/// Another meter with the same serial, as after a repair, has other records.
#[test]
fn records_of_another_meter_under_the_same_serial_are_read() {
    let workspace = workspace();
    let meter =
        |seed| format!("sources.meter.device=virtual:verio-flex?records=50&serial=A1&seed={seed}");
    run(&workspace, &["--set", &meter(1)]);
    let (finished, source) = run(&workspace, &["--set", &meter(2)]);
    assert_eq!(
        (finished.code, &source["known"]),
        (0, &0.into()),
        "{}",
        finished.stderr
    );
    assert_eq!(source["read"], 50);
}

/// What is shown, recorded, or about to be destroyed is all that the meter holds.
#[test]
fn other_commands_read_all() {
    let workspace = workspace();
    run(&workspace, &[]);
    let dump = workspace.run(&["dump", "--device", "virtual:verio-flex?records=50"]);
    assert_eq!(
        (dump.code, dump.stdout.lines().count()),
        (0, 1 + 50),
        "{}",
        dump.stderr
    );
    let (recorded, source) = run(&workspace, &["--record", "transcript.jsonl"]);
    assert_eq!((recorded.code, numbers(&source)), (0, [50, 0, 0, 50]));
    let replayed = ["--set", "sources.meter.device=replay:transcript.jsonl"];
    let (replayed, source) = run(&workspace, &replayed);
    assert_eq!(
        (replayed.code, numbers(&source)),
        (0, [50, 0, 0, 50]),
        "{}",
        replayed.stderr
    );
}
