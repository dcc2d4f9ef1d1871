//! `glucopipe run`: what it writes, says and reports.

use std::os::unix::fs::PermissionsExt;

use glucopipe_tests::{Running, Workspace};

use super::{PIPELINE, json, names, with, workspace};
use crate::support::{shown, tree};
use crate::table::{csv, only_file, read_csv, read_parquet};

/// What a person sees of a run.
#[test]
fn a_run_says_what_it_did() {
    let workspace = workspace();
    insta::assert_snapshot!(shown(&workspace, &workspace.run(&["run"])));
}

/// `--dry-run` reads and transforms, says what it would do, and writes nothing.
#[test]
fn a_dry_run_writes_nothing() {
    let workspace = workspace();
    let before = tree(workspace.path());
    let finished = workspace.run(&["run", "--dry-run"]);
    insta::assert_snapshot!(shown(&workspace, &finished));
    assert_eq!(finished.code, 0);
    assert_eq!(tree(workspace.path()), before);
    let report = json(&workspace.run(&["run", "--dry-run", "--report", "-"]));
    assert_eq!(report["dry_run"], true);
    assert_eq!(report["sinks"][0]["offered"], 20);
    assert_eq!(report["sinks"][0]["delivered"], 0);
    assert_eq!(tree(workspace.path()), before);
}

/// The report is one JSON document with the promised fields.
#[test]
fn the_report_has_what_is_promised() {
    let workspace = workspace();
    let finished = workspace.run(&["run", "--report", "-"]);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    let report = json(&finished);
    for part in [
        "pipeline",
        "started",
        "outcome",
        "sources",
        "transforms",
        "sinks",
        "warnings",
    ] {
        assert!(names(&report).contains(&part), "{part}");
    }
    assert_eq!(report["outcome"], "done");
    let source = &report["sources"][0];
    for (key, value) in [
        ("read", 20),
        ("new", 20),
        ("rejected", 0),
        ("clock_offset_s", 0),
    ] {
        assert_eq!(source[key], value, "{key}");
    }
    for sink in report["sinks"].as_array().expect("a list") {
        for (key, value) in [
            ("offered", 20),
            ("delivered", 20),
            ("already_there", 0),
            ("rejected", 0),
        ] {
            assert_eq!(sink[key], value, "{key}");
        }
        assert!(sink["bytes"].as_u64().is_some_and(|bytes| bytes > 100));
        assert!(
            sink["seconds"]
                .as_f64()
                .is_some_and(|seconds| seconds > 0.0)
        );
        assert!(sink["error"].is_null() && names(sink).contains(&"error"));
    }
}

/// A report in a file is private, and replaces the one before.
#[test]
fn a_report_in_a_file_is_private() {
    let workspace = workspace();
    for _ in 0..2 {
        let finished = workspace.run(&["run", "--report", "report.json"]);
        assert_eq!((finished.code, finished.stdout.as_str()), (0, ""));
        let text = workspace.read("report.json").expect("a report");
        let report: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(report["outcome"], "done");
    }
    assert_eq!(mode(&workspace, "report.json"), 0o600);
}

fn mode(workspace: &Workspace, name: &str) -> u32 {
    let metadata = std::fs::metadata(workspace.path().join(name)).expect(name);
    metadata.permissions().mode() & 0o777
}

/// Standard output is for data: a run has none; `--quiet` says nothing at all when all went well.
#[test]
fn a_quiet_run_says_nothing() {
    let workspace = workspace();
    let finished = workspace.run(&["run", "--quiet"]);
    assert_eq!(
        (
            finished.code,
            finished.stdout.as_str(),
            finished.stderr.as_str()
        ),
        (0, "", "")
    );
    let loud = workspace.run(&["run", "-vv"]);
    assert_eq!((loud.code, loud.stdout.as_str()), (0, ""));
    assert!(loud.stderr.contains("trace: "), "{}", loud.stderr);
}

/// Readings are health data: files and folders that are made are their owner's alone.
#[test]
fn what_is_written_is_private() {
    let workspace = workspace();
    assert_eq!(workspace.run(&["run"]).code, 0);
    let part = only_file(&workspace.path().join("out/lake"));
    let part = part.strip_prefix(workspace.path()).expect("a file of ours");
    let part = part.to_str().expect("a name that is text");
    for file in ["out/sheet.csv", "out/readings.json", part] {
        assert_eq!(mode(&workspace, file), 0o600, "{file}");
    }
    for folder in ["out", "out/lake"] {
        assert_eq!(mode(&workspace, folder), 0o700, "{folder}");
    }
    let outputs: Vec<String> = tree(workspace.path())
        .into_keys()
        .filter(|name| name.starts_with("out"))
        .collect();
    let expected = [
        "out/",
        "out/lake/",
        part,
        "out/readings.json",
        "out/sheet.csv",
    ];
    assert_eq!(outputs, expected, "nothing else is left");
}

/// A second run gives the same bytes, at once and an hour later: a reading is what the first read of it made
/// of it.
#[test]
fn a_second_run_gives_the_same() {
    let workspace = workspace();
    assert_eq!(workspace.run(&["run"]).code, 0);
    let first = tree(&workspace.path().join("out"));
    for now in ["2026-11-01T12:00:00Z", "2026-11-01T13:00:00Z"] {
        let mut command = workspace.command(&["run"]);
        command.env("GLUCOPIPE_CLOCK", now);
        let finished = Running::start(&mut command).finish();
        assert_eq!(finished.code, 0, "{}", finished.stderr);
        let second = tree(&workspace.path().join("out"));
        assert!(second == first, "the run at {now} differs");
    }
}

/// The default pipeline of the repository runs as it is.
#[test]
fn the_default_pipeline_runs() {
    let workspace = with(include_str!("../../../pipeline.toml"));
    let finished = workspace.run(&["run"]);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    let sheet = read_csv(&workspace.path().join("out/readings.csv"));
    let (lake, _) = read_parquet(&workspace.path().join("out/readings"));
    assert_eq!((sheet.rows.len(), lake.rows.len()), (300, 300));
}

/// A clock that is off is said, measured, and corrected when that is asked for; `local_time` stays.
#[test]
fn a_wrong_clock_is_said_and_corrected() {
    let text = PIPELINE.replace("&zone=Europe/Athens", "&clock=2026-11-01T14:10:00");
    let run = |text: &str| {
        let workspace = with(text);
        let finished = workspace.run(&["run"]);
        assert_eq!(finished.code, 0, "{}", finished.stderr);
        assert!(
            finished.stderr.contains("warning[GP0601]"),
            "{}",
            finished.stderr
        );
        csv(&workspace.read("out/sheet.csv").expect("a sheet"))
    };
    let left = run(&text);
    let corrected = run(&text.replace("timezone =", "correct_drift = true\ntimezone ="));
    for row in 0..left.rows.len() {
        let time = |table: &crate::table::Table| match table.get(row, "time") {
            crate::table::Cell::Time(time) => *time,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            left.get(row, "local_time"),
            corrected.get(row, "local_time")
        );
        assert_eq!(
            left.get(row, "reading_id"),
            corrected.get(row, "reading_id")
        );
        assert_eq!((time(&left) - time(&corrected)).num_seconds(), 600);
    }
    let zone = corrected.texts("time_quality");
    assert!(
        zone.contains(&"zone+drift") && !zone.contains(&"zone"),
        "{zone:?}"
    );
}

/// A transcript holds one session: with a second source nothing is recorded, read or written.
#[test]
fn two_sources_are_not_recorded() {
    let second = "[sources.other]\ndevice = \"virtual:contour-next?records=3\"\n";
    let workspace = with(
        &PIPELINE
            .replace("[\"meter\"]", "[\"meter\", \"other\"]")
            .replace("[transforms", &format!("{second}\n[transforms")),
    );
    let before = tree(workspace.path());
    let finished = workspace.run(&["run", "--record", "session.txt"]);
    insta::assert_snapshot!(shown(&workspace, &finished));
    assert_eq!(finished.code, 2);
    assert_eq!(tree(workspace.path()), before);
}

/// Plugin folders of the command line come before those of the environment, and these before those of the
/// pipeline.
#[test]
fn plugin_folders_come_in_their_order() {
    let workspace = Workspace::new();
    let own = workspace.install("exporter_csv");
    let broken = workspace.path().join("broken");
    std::fs::create_dir(&broken).expect("a folder");
    std::fs::write(broken.join(own.file_name().expect("a name")), "no library").expect("a file");
    let good = workspace.plugins().display().to_string();
    let broken = broken.display().to_string();
    for (code, typed, exported, named) in [
        (0, Some(&good), Some(&broken), &broken),
        (8, Some(&broken), Some(&good), &good),
        (0, None, Some(&good), &broken),
        (8, None, Some(&broken), &good),
        (8, None, None, &broken),
    ] {
        let text = format!("{PIPELINE}\n[plugins]\npath = [\"{named}\"]\n");
        workspace.write("pipeline.toml", &text);
        let mut command = workspace.command(&["run"]);
        if let Some(folder) = typed {
            command.args(["--plugin-dir", folder]);
        }
        command.envs(exported.map(|folder| ("GLUCOPIPE_PLUGIN_PATH", folder)));
        let finished = Running::start(&mut command).finish();
        let given = (typed, exported, named);
        assert_eq!(finished.code, code, "{given:?}: {}", finished.stderr);
    }
}

/// `--wait` waits for a meter as long as it was told, says so, and ends as a run without one does; a
/// virtual meter is there at once.
#[test]
fn waits_for_a_meter_that_does_not_come() {
    let workspace = Workspace::new();
    let pipeline = "[sources.meter]\n[sinks.sheet]\nexporter = \"csv\"\ninputs = [\"meter\"]\npath = \"x.csv\"\n";
    workspace.write("pipeline.toml", pipeline);
    let finished = workspace.run(&["run", "--wait", "1s"]);
    assert_eq!(finished.code, 4, "{}", finished.stderr);
    assert!(
        finished.stderr.contains("waiting for a meter"),
        "{}",
        finished.stderr
    );
    let there = "sources.meter.device=virtual:contour-next-usb?records=1";
    let finished = workspace.run(&["run", "--wait", "10h", "--set", there]);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    assert!(!finished.stderr.contains("waiting"), "{}", finished.stderr);
}
