//! Text files as a user meets them: what is refused before a meter is read, what a dry run says, what is added,
//! what is printed.

use glucopipe_tests::{Finished, Workspace};
use serde_json::Value;

use crate::support::shown;
use crate::table::csv;

/// A pipeline of one meter and a sink with these keys.
fn workspace(keys: &str) -> Workspace {
    let workspace = Workspace::new();
    workspace.write(
        "pipeline.toml",
        &format!(
            "[sources.meter]\ndevice = \"virtual:contour-next-usb?records=20&seed=3\"\n\n\
             [sinks.sheet]\nexporter = \"csv\"\ninputs = [\"meter\"]\n{keys}"
        ),
    );
    workspace
}

/// A run with so many records in the meter, other ones for another number.
fn run(workspace: &Workspace, records: u32, more: &[&str]) -> Finished {
    let device = format!("sources.meter.device=virtual:contour-next-usb?seed=3&records={records}");
    workspace.run(&[&["run", "--set", &device], more].concat())
}

/// Keys that do not go together are found before a meter is read, at their place in the file.
#[test]
fn keys_that_do_not_go_together_have_a_place() {
    for (name, keys) in [
        (
            "unknown-column",
            "path = \"a.csv\"\ncolumns = [\"value\", \"valeu\"]\n",
        ),
        (
            "mode-and-columns",
            "path = \"a.csv\"\nmode = \"merge\"\ncolumns = [\"value\"]\n",
        ),
        (
            "mode-and-profile",
            "path = \"a.csv\"\nmode = \"append\"\nprofile = \"iglu\"\n",
        ),
        ("key-and-profile", "path = \"a.csv\"\nunit = \"mg/dL\"\n"),
        (
            "factor",
            "path = \"a.csv\"\nprofile = \"iglu\"\nfactor = 18.02\n",
        ),
        ("mode-and-printing", "path = \"-\"\nmode = \"append\"\n"),
    ] {
        let workspace = workspace(keys);
        let finished = workspace.run(&["check", "--offline"]);
        insta::assert_snapshot!(format!("refused-{name}"), shown(&workspace, &finished));
        let finished = workspace.run(&["run"]);
        assert_eq!(finished.code, 3, "{}", finished.stderr);
        assert!(
            !finished.stderr.contains("readings from"),
            "{}",
            finished.stderr
        );
    }
}

/// A dry run says what would become of the file, and changes nothing.
#[test]
fn a_dry_run_says_what_would_be_written() {
    let workspace = workspace("path = \"out/sheet.csv\"\nmode = \"merge\"\n");
    let would = |finished: &Finished| -> Value {
        let report: Value = serde_json::from_str(&finished.stdout).expect("a report");
        report["sinks"][0]["would"].clone()
    };
    let dry = ["--dry-run", "--report", "-"];
    let finished = run(&workspace, 5, &dry);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    let text = would(&finished).to_string();
    assert!(
        text.contains("would make out/sheet.csv: 5 readings; "),
        "{text}"
    );
    assert!(!workspace.path().join("out").exists());

    assert_eq!(run(&workspace, 5, &[]).code, 0);
    let before = workspace.read("out/sheet.csv");
    let text = would(&run(&workspace, 8, &dry)).to_string();
    assert!(
        text.contains("would add to out/sheet.csv: 8 readings; "),
        "{text}"
    );
    assert_eq!(workspace.read("out/sheet.csv"), before);
}

/// What is new comes after what is there, each reading once, although the file lost a line meanwhile.
#[test]
fn append_adds_what_is_new() {
    let workspace = workspace("path = \"sheet.csv\"\nmode = \"append\"\n");
    assert_eq!(run(&workspace, 5, &[]).code, 0);
    let five = workspace.read("sheet.csv").expect("a file");
    assert_eq!(run(&workspace, 5, &[]).code, 0);
    assert_eq!(workspace.read("sheet.csv").as_ref(), Some(&five));
    assert_eq!(run(&workspace, 8, &[]).code, 0);
    let all = workspace.read("sheet.csv").expect("a file");
    assert!(all.starts_with(&five));
    assert_eq!(csv(&all).rows.len(), 5 + 8);
    // What the ledger forgot is in the file.
    let again = workspace.run(&["replay", "--all", "--report", "-"]);
    assert_eq!(again.code, 0, "{}", again.stderr);
    assert_eq!(workspace.read("sheet.csv").as_ref(), Some(&all));
}

/// A file that was opened and saved elsewhere is named, with its line, and stays.
#[test]
fn a_file_saved_by_a_spreadsheet_is_left_alone() {
    let workspace = workspace("path = \"sheet.csv\"\nmode = \"merge\"\n");
    assert_eq!(run(&workspace, 5, &[]).code, 0);
    let text = workspace.read("sheet.csv").expect("a file");
    let saved = text.replace('\n', "\r\n");
    workspace.write("sheet.csv", &saved);
    let finished = run(&workspace, 6, &[]);
    insta::assert_snapshot!("saved-elsewhere", shown(&workspace, &finished));
    assert_eq!(workspace.read("sheet.csv"), Some(saved));
}

/// `path = "-"` is standard output: data there, everything else on standard error.
#[test]
fn a_sink_can_print() {
    for (exporter, lines) in [("csv", 21), ("jsonl", 20)] {
        let workspace = workspace("path = \"-\"\n");
        let set = format!("sinks.sheet.exporter={exporter}");
        let run = |more: &[&str]| workspace.run(&[&["run", "--set", &set], more].concat());
        let finished = run(&[]);
        assert_eq!(finished.code, 0, "{}", finished.stderr);
        assert_eq!(finished.stdout.lines().count(), lines);
        assert!(finished.stdout.ends_with('\n'));
        assert!(
            finished
                .stderr
                .contains("sheet: 20 readings to standard output"),
            "{}",
            finished.stderr
        );
        assert_eq!(run(&["--report", "report.json"]).stdout, finished.stdout);
        let report = workspace.read("report.json").expect("a report");
        assert!(report.contains("\"standard output\""), "{report}");
        let replayed = workspace.run(&["replay", "--set", &set]);
        assert_eq!(replayed.stdout, finished.stdout, "{}", replayed.stderr);

        let dry = run(&["--dry-run"]);
        assert_eq!((dry.code, dry.stdout.as_str()), (0, ""));
        let both = run(&["--report", "-"]);
        assert_eq!((both.code, both.stdout.as_str()), (2, ""));
        if exporter == "csv" {
            insta::assert_snapshot!("printed-twice", shown(&workspace, &both));
        }
        assert!(!workspace.path().join("-").exists());
    }
}

/// What standard output does not take is not delivered, and the next run prints it; a reader who has seen enough is
/// no failure.
#[cfg(target_os = "linux")]
#[test]
fn what_cannot_be_printed_is_not_delivered() {
    let printing = |more: &str| {
        let workspace = workspace(&format!("path = \"-\"\n{more}"));
        let run = |out: std::process::Stdio| {
            let mut command = workspace.command(&["run", "--report", "report.json"]);
            let done = command.stdout(out).output().expect("it runs");
            let text = workspace.read("report.json").expect("a report");
            let report: Value = serde_json::from_str(&text).expect("JSON");
            let stderr = String::from_utf8_lossy(&done.stderr).into_owned();
            (done.status.code(), stderr, report)
        };
        let full = std::fs::File::options().write(true).open("/dev/full");
        let (code, stderr, report) = run(full.expect("a full disk").into());
        assert!(
            stderr.contains("error[GP0502]: cannot write to standard output"),
            "{stderr}"
        );
        assert_eq!(stderr.matches("cannot write").count(), 1, "{stderr}");
        assert!(stderr.contains("sheet: failed"), "{stderr}");
        let sheet = &report["sinks"][0];
        assert_eq!(sheet["error"]["code"], "GP0502");
        assert_eq!(
            (&sheet["delivered"], &sheet["targets"]),
            (&0.into(), &serde_json::json!([]))
        );

        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let (gone, stderr, _) = run(writer.into());
        assert_eq!(gone, Some(0), "{stderr}");
        let again = workspace.run(&["run"]);
        assert_eq!(
            (again.code, again.stdout.lines().count()),
            (0, 21),
            "{}",
            again.stderr
        );
        code
    };
    assert_eq!(printing(""), Some(6));
    let other =
        "[sinks.other]\nexporter = \"jsonl\"\ninputs = [\"meter\"]\npath = \"other.jsonl\"\n";
    assert_eq!(printing(other), Some(1));
}

/// A sink that gets what is new would lose what standard output does not take.
#[test]
fn what_is_new_alone_is_not_printed() {
    let workspace = workspace("path = \"-\"\n");
    workspace.install("test_hostile");
    let plugins = workspace.plugins().display().to_string();
    let set = "sinks.sheet.exporter=mailbox";
    for command in ["run", "check"] {
        let refused = workspace.run(&["--plugin-dir", &plugins, command, "--set", set]);
        assert_eq!(refused.code, 3, "{}", refused.stderr);
        assert!(
            refused.stderr.contains("[sinks.sheet] gets what is new"),
            "{}",
            refused.stderr
        );
    }
}

/// It is said also where something else went wrong before.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_named_beside_other_problems() {
    let workspace = workspace("path = \"-\"\nnonsense = 1\n");
    let full = std::fs::File::options().write(true).open("/dev/full");
    let mut command = workspace.command(&["check", "--offline"]);
    let done = command.stdout(full.expect("a full disk")).output();
    let done = done.expect("it runs");
    let stderr = String::from_utf8_lossy(&done.stderr);
    assert_eq!(done.status.code(), Some(3), "{stderr}");
    assert!(
        stderr.contains("cannot write to standard output"),
        "{stderr}"
    );
}
