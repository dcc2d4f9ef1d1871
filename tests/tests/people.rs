//! People: whose a reading is, and that nobody is given what is not theirs.

use std::collections::BTreeSet;

use glucopipe_tests::{Finished, Running, Workspace};
use serde_json::{Value, json};

use crate::support::{shown, tree};
use crate::table::{Table, csv};

/// Two meters; Anna's is known, the other is nobody's.
const PIPELINE: &str = r#"[sources.hers]
device = "virtual:contour-next-usb?records=20&serial=1000001"

[sources.other]
device = "virtual:contour-next-usb?records=7&serial=9000002"

[persons.Anna]
serials = ["7413-100 0001"]

[persons."P 017"]
serials = []

[transforms.who]
type = "person"
inputs = ["hers", "other"]

[sinks.sheet]
exporter = "csv"
inputs = ["who"]
path = "sheet.csv"

[sinks.log]
exporter = "csv"
inputs = ["who"]
path = "log.csv"
mode = "append"
"#;

/// Gives the other meter to somebody.
const ASSIGNED: [&str; 2] = ["--set", "persons.\"P 017\".serials=7413-9000002"];

fn with(pipeline: &str) -> Workspace {
    let workspace = Workspace::new();
    workspace.write("pipeline.toml", pipeline);
    workspace
}

fn sheet(workspace: &Workspace, name: &str) -> Table {
    csv(&workspace.read(name).unwrap_or_else(|| panic!("no {name}")))
}

/// How many readings of a sheet are whose, and of which meters.
fn owners(table: &Table) -> (usize, BTreeSet<(&str, &str)>) {
    let serials = table.texts("device_serial");
    let pairs = table.texts("person").into_iter().zip(serials);
    (table.rows.len(), pairs.collect())
}

/// What is nobody's is held back and said, without its serial; once it has a person, it is delivered, once,
/// without the meter.
#[test]
fn an_unknown_serial_is_held_back_until_it_has_a_person() {
    let workspace = with(PIPELINE);
    let finished = workspace.run(&["run", "--report", "report.json"]);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    insta::assert_snapshot!(shown(&workspace, &finished));
    let anna = (20, BTreeSet::from([("Anna", "7413-1000001")]));
    for name in ["sheet.csv", "log.csv"] {
        assert_eq!(owners(&sheet(&workspace, name)), anna, "{name}");
    }
    let report = workspace.read("report.json").expect("a report");
    for text in [&report, &finished.stderr] {
        assert!(
            !text.contains("9000002") && !text.contains("Anna"),
            "{text}"
        );
    }

    // The warning comes again, with the same number: a reading that is read twice is held back once.
    let again = workspace.run(&["run"]);
    assert!(
        again.stderr.contains("7 readings of a meter"),
        "{}",
        again.stderr
    );

    let finished = workspace.run(&[&["replay"], &ASSIGNED[..]].concat());
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    assert!(!finished.stderr.contains("GP0604"), "{}", finished.stderr);
    let both = BTreeSet::from([("Anna", "7413-1000001"), ("P 017", "7413-9000002")]);
    for name in ["sheet.csv", "log.csv"] {
        assert_eq!(
            owners(&sheet(&workspace, name)),
            (27, both.clone()),
            "{name}"
        );
    }
    let ids = sheet(&workspace, "log.csv");
    let ids: BTreeSet<&str> = ids.texts("reading_id").into_iter().collect();
    assert_eq!(ids.len(), 27);
}

/// A sink of one's own, fed from a filter; a name that nobody has is an error where it stands.
#[test]
fn each_person_has_a_sink() {
    let text = PIPELINE.replacen("inputs = [\"who\"]", "inputs = [\"anna\"]", 1)
        + "[transforms.anna]\ntype = \"filter\"\ninputs = [\"who\"]\npersons = [\"Anna\"]\n";
    let workspace = with(&text);
    let finished = workspace.run(&[&["run"], &ASSIGNED[..]].concat());
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    assert_eq!(owners(&sheet(&workspace, "sheet.csv")).0, 20);
    assert_eq!(owners(&sheet(&workspace, "log.csv")).0, 27);

    let workspace = with(&text.replace("persons = [\"Anna\"]", "persons = [\"Ann\"]"));
    let finished = workspace.run(&["check", "--offline"]);
    assert_eq!(finished.code, 3);
    insta::assert_snapshot!(shown(&workspace, &finished));
}

/// A file of one person becomes empty when all that is in it turns out to be somebody else's; one of whose meters
/// nothing is known stays.
#[test]
fn a_file_keeps_nothing_of_a_serial_that_was_moved() {
    let one = |person: &str, name: &str, keys: &str| {
        format!(
            "[transforms.{name}]\ntype = \"filter\"\ninputs = [\"who\"]\npersons = [\"{person}\"]\n\
             [sinks.{name}_file]\ninputs = [\"{name}\"]\n{keys}\n"
        )
    };
    let anna = "[sinks.csv]\nexporter = \"csv\"\ninputs = [\"anna\"]\npath = \"anna.csv\"\n\
                [sinks.jsonl]\nexporter = \"jsonl\"\ninputs = [\"anna\"]\npath = \"anna.jsonl\"\n";
    let text = "[sources.hers]\ndevice = \"virtual:contour-next-usb?records=20&serial=1000001\"\n\
                [persons.Anna]\nserials = [\"7413-1000001\"]\n[persons.Ben]\nserials = []\n\
                [transforms.who]\ntype = \"person\"\ninputs = [\"hers\"]\n"
        .to_owned()
        + &one(
            "Anna",
            "anna",
            "exporter = \"parquet\"\npath = \"anna.parquet\"",
        )
        + &one("Ben", "ben", "exporter = \"csv\"\npath = \"ben.csv\"")
        + anna;
    let workspace = with(&text);
    workspace.write("ben.csv", "an old file\n");
    assert_eq!(workspace.run(&["run"]).code, 0);
    assert_eq!(sheet(&workspace, "anna.csv").rows.len(), 20);
    let size = || {
        let file = workspace.path().join("anna.parquet");
        file.metadata().expect("a file").len()
    };
    let full = size();
    let moved = text
        .replace("serials = [\"7413-1000001\"]", "serials = []")
        .replace(
            "[persons.Ben]\nserials = []",
            "[persons.Ben]\nserials = [\"7413-1000001\"]",
        );
    workspace.write("pipeline.toml", &moved);
    let dry = workspace.run(&["run", "--dry-run"]);
    assert!(
        dry.stderr.contains("would replace anna.csv"),
        "{}",
        dry.stderr
    );
    let finished = workspace.run(&["run"]);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    assert!(
        finished.stderr.contains("csv: 0 readings to anna.csv"),
        "{}",
        finished.stderr
    );
    assert_eq!(sheet(&workspace, "anna.csv").rows.len(), 0);
    assert_eq!(workspace.read("anna.jsonl").as_deref(), Some(""));
    assert!(size() < full);
    assert_eq!(sheet(&workspace, "ben.csv").rows.len(), 20);
    // Of a meter that never gave anything there is nothing to leave out.
    let unread = moved.replace("records=20&serial=1000001", "records=0&serial=5");
    workspace.write("unread.toml", &unread);
    workspace.write("anna.csv", "by hand\n");
    assert_eq!(workspace.run(&["run", "unread.toml"]).code, 0);
    assert_eq!(workspace.read("anna.csv").as_deref(), Some("by hand\n"));
}

/// A meter of two people stops everything before a meter is read, and no message holds its serial.
#[test]
fn a_meter_of_two_people_is_refused() {
    let text = PIPELINE.replace(
        "serials = []",
        "serials = [\"74131000001\", \"7413-1000001\"]",
    );
    let workspace = with(&text);
    let before = tree(workspace.path());
    let finished = workspace.run(&["run"]);
    assert_eq!(finished.code, 3, "{}", finished.stderr);
    assert!(!finished.stderr.contains("1000001"), "{}", finished.stderr);
    assert_eq!(tree(workspace.path()), before, "something was written");
    insta::assert_snapshot!(shown(&workspace, &finished));
}

/// A key, which no file has.
const KEY: (&str, &str) = ("STUDY_KEY", "0123456789abcdef0123456789abcdef");

/// Pseudonyms for everybody, in a sheet and in a log that is added to.
fn cohort(keys: &str) -> String {
    PIPELINE
        .replace("inputs = [\"who\"]", "inputs = [\"study\"]")
        .replace("serials = []", "serials = [\"7413-9000002\"]")
        + "[sinks.lake]\nexporter = \"parquet\"\ninputs = [\"study\"]\npath = \"lake\"\n\
           [transforms.study]\ntype = \"pseudonymise\"\ninputs = [\"who\"]\nkey = { env = \"STUDY_KEY\" }\n"
        + keys
}

fn run(workspace: &Workspace, arguments: &[&str]) -> Finished {
    let mut command = workspace.command(&[&["run"], arguments].concat());
    Running::start(command.env(KEY.0, KEY.1)).finish()
}

/// No file of a cohort says who it is; a second run with other meters adds theirs alone, under the same names.
#[test]
fn a_cohort_has_every_reading_once_and_nobodys_name() {
    let plain = with(PIPELINE);
    assert_eq!(plain.run(&["run"]).code, 0);
    let known = sheet(&plain, "sheet.csv");

    let workspace = with(&cohort("shift_days = 364\n"));
    let first = run(&workspace, &["--report", "report.json"]);
    assert_eq!(first.code, 0, "{}", first.stderr);
    let log = workspace.read("log.csv").expect("a log");
    let mut names: Vec<&str> = vec!["Anna", "P 017", "1000001", "9000002", KEY.1];
    names.extend(known.texts("reading_id"));
    names.extend(known.texts("record_key"));
    let mut files = tree(workspace.path());
    files.retain(|name, _| !name.starts_with("state/") && !name.contains("pipeline.toml"));
    assert!(
        files.keys().any(|name| name.starts_with("lake/")),
        "{:?}",
        files.keys()
    );
    for (file, bytes) in &files {
        for name in &names {
            let found = bytes
                .windows(name.len())
                .any(|window| window == name.as_bytes());
            assert!(!found, "`{name}` is in {file}");
        }
    }

    let second = run(
        &workspace,
        &[
            "--set",
            "sources.hers.device=virtual:contour-next-usb?records=25&serial=1000001",
        ],
    );
    assert_eq!(second.code, 0, "{}", second.stderr);
    for name in ["sheet.csv", "log.csv"] {
        let table = sheet(&workspace, name);
        let ids: BTreeSet<&str> = table.texts("reading_id").into_iter().collect();
        let (rows, who) = owners(&table);
        assert_eq!(
            (rows, ids.len(), who.len()),
            (ids.len(), ids.len(), 2),
            "{name}"
        );
        assert!(rows >= 32, "{name}: {rows}");
        for line in log.lines() {
            let text = workspace.read(name).expect("a sheet");
            assert!(
                text.lines().any(|found| found == line),
                "{name} has lost a line"
            );
        }
    }
}

/// A key that can be guessed, and one that is not there, are errors where they stand.
#[test]
fn a_cohort_without_a_good_key_is_refused() {
    let workspace = with(&cohort(""));
    let missing = workspace.run(&["run"]);
    let mut command = workspace.command(&["run"]);
    let weak = Running::start(command.env(KEY.0, "hunter2")).finish();
    assert_eq!((missing.code, weak.code), (3, 3), "{}", weak.stderr);
    assert!(!weak.stderr.contains("hunter2"), "{}", weak.stderr);
    insta::assert_snapshot!([shown(&workspace, &missing), shown(&workspace, &weak)].concat());
}

/// Everybody with their meters, and the meters of this pipeline that are nobody's, with whole serials.
#[test]
fn persons_are_listed_with_their_meters() {
    let workspace = with(PIPELINE);
    let before = workspace.run(&["persons"]);
    assert_eq!(before.code, 0, "{}", before.stderr);
    assert!(
        !workspace.path().join("state").exists(),
        "a question made a journal"
    );
    assert_eq!(workspace.run(&["run"]).code, 0);
    let after = workspace.run(&["persons"]);
    let assigned = workspace.run(&[&["persons"], &ASSIGNED[..]].concat());
    let told = [before, after, assigned].map(|finished| shown(&workspace, &finished));
    insta::assert_snapshot!(told.join("====\n"));

    let document = workspace.run(&["persons", "--json"]);
    let document: Value = serde_json::from_str(&document.stdout).expect("one document");
    let known = |serial, readings| {
        json!({
            "driver": "contour", "serial": serial, "model": "Contour Next USB", "readings": readings,
            "last_read": "2026-11-01T12:00:00Z",
        })
    };
    let expected = json!({
        "persons": [
            { "name": "Anna", "serials": [{ "serial": "7413-1000001", "meters": [known("7413-1000001", 20)] }] },
            { "name": "P 017", "serials": [] },
        ],
        "unassigned": [known("7413-9000002", 7)],
    });
    assert_eq!(document, expected);

    // Another pipeline of the same user has not read that meter, and does not ask for it.
    workspace.write(
        "other.toml",
        &PIPELINE
            .replace("serials = []", "serials = [\"X-1\"]")
            .replace("serial=9000002", "serial=9000003"),
    );
    let other = workspace.run(&["persons", "other.toml"]);
    assert!(
        !other.stdout.contains("9000002") && other.stdout.contains("X-1"),
        "{}",
        other.stdout
    );
    // One that delivers from it by its serial does, read by it or not.
    let named = "[sources.other]\ndriver = \"contour\"\ndevice = \"serial:7413-9000002\"\n\
                 [transforms.who]\ntype = \"person\"\ninputs = [\"other\"]\n[persons.Anna]\nserials = []\n\
                 [sinks.sheet]\nexporter = \"csv\"\ninputs = [\"who\"]\npath = \"named.csv\"\n";
    workspace.write("named.toml", named);
    let replayed = workspace.run(&["replay", "named.toml"]);
    assert!(replayed.stderr.contains("GP0604"), "{}", replayed.stderr);
    let shown = workspace.run(&["persons", "named.toml"]);
    assert!(shown.stdout.contains("7413-9000002"), "{}", shown.stdout);
    assert_eq!(
        workspace
            .run(&["persons", "--set", "persons.Ann.serials=7413-1000001"])
            .code,
        3
    );
}
