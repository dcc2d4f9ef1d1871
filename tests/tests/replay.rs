//! Sessions written down and played back as devices.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use glucopipe_tests::{Finished, Workspace};
use serde_json::Value;

use crate::expected::{Row, assert_rows, rows};
use crate::support::{contour_models, shown};
use crate::table::csv;

const VECTORS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../shared/vectors/contour.json"
);

fn run_pipeline(workspace: &Workspace, device: &str) -> Finished {
    workspace.write(
        "pipeline.toml",
        &format!(
            "[sources.meter]\ndriver = \"auto\"\ndevice = \"{device}\"\n\
             [sinks.sheet]\nexporter = \"csv\"\ninputs = [\"meter\"]\npath = \"sheet.csv\"\n"
        ),
    );
    workspace.run(&["run", "--report", "-", "--quiet"])
}

#[expect(
    clippy::print_stdout,
    reason = "who runs the tests should know what was skipped"
)]
/// A captured session as a transcript; `None` when the vectors are not here.
fn captured(id: &str) -> Option<String> {
    let Ok(text) = fs::read_to_string(Path::new(VECTORS)) else {
        println!("skipped: there is no {VECTORS}");
        return None;
    };
    let document: Value = serde_json::from_str(&text).expect("vectors are JSON");
    let vectors = document["vectors"].as_array().expect("a list");
    let vector = vectors
        .iter()
        .find(|vector| vector["id"] == id)
        .expect("the session");
    let mut transcript = String::from("glucopipe-transcript 1\nlink hid\nusb 1a79:6002\n");
    for step in vector["steps"].as_array().expect("steps") {
        let hex = step["hex"].as_str().expect("bytes");
        // A payload is put into a report: three zero bytes, its length, itself, zeros.
        let report = match step["layer"].as_str() {
            Some("payload") => format!("000000{:02x}{hex}", hex.len() / 2),
            _ => hex.to_owned(),
        };
        let mark = if step["dir"] == "host->meter" {
            '>'
        } else {
            '<'
        };
        transcript.push_str(&format!("{mark} {report:0<128}\n"));
    }
    Some(transcript)
}

/// The captured session of a real, empty Contour USB.
#[test]
fn a_captured_session_is_read() {
    let Some(transcript) = captured("ct-017") else {
        return;
    };
    let workspace = Workspace::new();
    workspace.write("usb.transcript", &transcript);
    let device = "replay:usb.transcript";

    let info = workspace.run(&["info", "--json", "--device", device]);
    assert_eq!(info.code, 0, "{}", info.stderr);
    let info: Value = serde_json::from_str(&info.stdout).expect("JSON");
    assert_eq!(
        (&info["model"], &info["record_count"]),
        (&"Contour USB".into(), &0.into())
    );

    let dump = workspace.run(&["dump", "--device", device]);
    assert_eq!((dump.code, dump.stderr.as_str()), (0, ""));
    assert_eq!(dump.stdout.lines().count(), 1, "{}", dump.stdout);

    let run = run_pipeline(&workspace, device);
    let report: Value = serde_json::from_str(&run.stdout).expect("JSON");
    let source = &report["sources"][0];
    assert_eq!(
        (run.code, &source["status"]),
        (0, &"complete".into()),
        "{}",
        run.stderr
    );
    assert_eq!(
        (&source["read"], &source["expected"]),
        (&0.into(), &0.into())
    );
}

/// A session of every model, written down by `--record`, gives the same bytes when it is played back.
#[test]
fn every_recorded_session_replays_to_the_same_bytes() {
    for model in contour_models() {
        let workspace = Workspace::new();
        let device = format!("virtual:{}?records=40", model.key);
        let first = workspace.run(&["dump", "--device", &device, "--record", "session"]);
        assert_eq!((first.code, first.stderr.as_str()), (0, ""), "{device}");
        assert_eq!(first.stdout.lines().count(), 41, "{device}");
        let second = workspace.run(&["dump", "--device", "replay:session"]);
        assert_eq!((second.code, second.stderr.as_str()), (0, ""), "{device}");
        assert!(
            first.stdout == second.stdout,
            "{device}: the replay differs"
        );

        let info = workspace.run(&["info", "--json", "--device", &device]);
        let played = workspace.run(&["info", "--json", "--device", "replay:session"]);
        let without_device = |text: &str| {
            let mut info: Value = serde_json::from_str(text).expect("JSON");
            info["device"] = Value::Null;
            info
        };
        assert_eq!(played.code, 0, "{device}: {}", played.stderr);
        assert_eq!(without_device(&info.stdout), without_device(&played.stdout));
    }
}

/// A transcript holds readings: only its owner may read it, and nothing is overwritten.
#[test]
fn a_recording_is_private_and_never_overwrites() {
    let workspace = Workspace::new();
    workspace.write("there", "from before\n");
    let device = "virtual:contour-next-usb?records=3";
    for command in [["info", "--device", device], ["dump", "--device", device]] {
        let arguments = [&command[..], &["--record", "there"]].concat();
        let finished = workspace.run(&arguments);
        assert!(
            finished.stderr.contains("error[GP0207]"),
            "{}",
            finished.stderr
        );
        assert_eq!((finished.code, finished.stdout.as_str()), (2, ""));
        assert_eq!(workspace.read("there").as_deref(), Some("from before\n"));
    }
    let finished = workspace.run(&["info", "--device", device, "--record", "new"]);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    let mode = fs::metadata(workspace.path().join("new"))
        .expect("a file")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

/// A recording that ends early is an incomplete download: what is in it is delivered, and when that is
/// nothing, nothing is.
#[test]
fn a_truncated_recording_is_incomplete() {
    let device = "contour-next-usb?records=20";
    let scenario = glucopipe_emulator::parse(device).expect("a scenario");
    let workspace = Workspace::new();
    let virtual_device = format!("virtual:{device}");
    let arguments = ["info", "dump"].map(|command| {
        [command, "--device", &virtual_device, "--record", command].map(str::to_owned)
    });
    for arguments in &arguments {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        assert_eq!(workspace.run(&arguments).code, 0);
    }
    let whole = workspace.read("dump").expect("a transcript");
    let lines: Vec<&str> = whole.lines().collect();
    let truth: Vec<Row> = rows(&scenario, None)
        .into_iter()
        .map(|(_, row)| row)
        .collect();
    let mut codes = Vec::new();
    for kept in (3..lines.len()).step_by(5) {
        workspace.write("cut", &format!("{}\n", lines[..kept].join("\n")));
        let finished = workspace.run(&["dump", "--device", "replay:cut"]);
        let what = format!("{kept} of {} lines: {}", lines.len(), finished.stderr);
        match finished.code {
            1 => {
                assert!(finished.stderr.contains("warning[GP0302]"), "{what}");
                let table = csv(&finished.stdout);
                assert!(!table.rows.is_empty(), "{what}");
                // Results are in the order of time, so what came is the beginning.
                assert_rows(&what, &table, &truth[..table.rows.len()]);
            }
            7 => {
                assert_eq!(finished.stdout, "", "{what}");
                assert!(finished.stderr.contains("error[GP03"), "{what}");
            }
            // The closing EOT alone may be missing: everything was said before it.
            0 => assert_eq!(csv(&finished.stdout).rows.len(), 20, "{what}"),
            code => panic!("exit code {code}, {what}"),
        }
        codes.push(finished.code);
    }
    assert!(codes.contains(&7) && codes.contains(&1), "{codes:?}");
    assert!(codes.is_sorted_by_key(|code| match code {
        7 => 0,
        1 => 1,
        _ => 2,
    }));
}

/// A text that is no transcript is refused with its line.
#[test]
fn a_broken_transcript_is_refused_with_its_line() {
    let workspace = Workspace::new();
    for (text, place) in [
        ("", "broken:1"),
        ("nonsense\n", "broken:1"),
        ("glucopipe-transcript 1\nlink hid\n> 0g\n", "broken:3"),
        ("glucopipe-transcript 1\nlink hid\nusb 1a79\n", "broken:3"),
        ("glucopipe-transcript 1\n# fine\n\n? 00\n", "broken:4"),
    ] {
        workspace.write("broken", text);
        let device = "replay:broken";
        for finished in [
            workspace.run(&["info", "--device", device]),
            workspace.run(&["dump", "--device", device]),
            run_pipeline(&workspace, device),
        ] {
            let what = format!("{text:?}: {}", finished.stderr);
            assert_eq!(finished.code, 7, "{what}");
            assert!(finished.stderr.contains("error[GP0207]"), "{what}");
            assert!(finished.stderr.contains(place), "{what}");
        }
    }
    let missing = workspace.run(&["info", "--device", "replay:nowhere"]);
    assert!(missing.stderr.contains("error[GP0207]") && missing.stderr.contains("nowhere"));
}

/// A recorded read in which something else was said to the meter than its driver says: once, in a line.
fn off_the_record(device: &str, line: usize, said: &str, instead: &str) -> Workspace {
    let workspace = Workspace::new();
    let recorded = workspace.run(&["dump", "--device", device, "--record", "whole"]);
    assert_eq!(recorded.code, 0, "{}", recorded.stderr);
    let whole = workspace.read("whole").expect("a transcript");
    let mut lines: Vec<String> = whole.lines().map(str::to_owned).collect();
    assert!(lines[line - 1].starts_with(said), "{}", lines[line - 1]);
    lines[line - 1] = lines[line - 1].replacen(said, instead, 1);
    workspace.write("session", &format!("{}\n", lines.join("\n")));
    workspace
}

const OTHER: &str = "replay:session";

/// A driver that finds a silent meter because it says something else than was recorded is told what and where.
#[test]
fn a_driver_is_told_where_it_left_the_recording() {
    let device = "virtual:contour-next-usb?records=3";
    // The wake-up, which is tried in several ways.
    let workspace = off_the_record(device, 5, "> 0000000158", "> 0000000159");
    let info = workspace.run(&["info", "--device", OTHER]);
    insta::assert_snapshot!("off-the-record-info", shown(&workspace, &info));

    // The answer to a header, in the middle of the download.
    let workspace = off_the_record(device, 12, "> 0000000106", "> 0000000107");
    let dump = workspace.run(&["dump", "--device", OTHER]);
    insta::assert_snapshot!("off-the-record-dump", shown(&workspace, &dump));
    let text = format!(
        "[sources.meter]\ndriver = \"contour\"\ndevice = \"{OTHER}\"\n\
         [sinks.sheet]\nexporter = \"csv\"\ninputs = [\"meter\"]\npath = \"sheet.csv\"\n"
    );
    workspace.write("pipeline.toml", &text);
    let here = workspace.run(&["run"]);
    insta::assert_snapshot!("off-the-record-run", shown(&workspace, &here));
    let apart = ["run", "--set", "plugins.isolate=all"];
    assert_eq!(here.stderr, workspace.run(&apart).stderr);
}

/// Commands to a disk must be the recorded ones, and so must be their data.
#[test]
fn another_command_is_told() {
    let device = "virtual:verio-flex?records=3";
    for (line, said, instead) in [
        (7, "c 28", "c a8"),
        (17, "> 020a0003e602", "> 020a0003e603"),
    ] {
        let workspace = off_the_record(device, line, said, instead);
        let dump = workspace.run(&["dump", "--device", OTHER]);
        let name = format!("another-command-{line}");
        insta::assert_snapshot!(name, shown(&workspace, &dump));
    }
}

/// What was only tried on the way, as a wake-up that the recorded meter did not get, harms nothing.
#[test]
fn a_driver_that_comes_back_to_the_recording_is_told_nothing() {
    let device = "virtual:contour-next-usb?records=3";
    let workspace = off_the_record(device, 5, "> 0000000158", "> 0000000115");
    let dump = workspace.run(&["dump", "--device", OTHER]);
    assert_eq!((dump.code, dump.stderr.as_str()), (0, ""));
    assert_eq!(csv(&dump.stdout).rows.len(), 3);
}
