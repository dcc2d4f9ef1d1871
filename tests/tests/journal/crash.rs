//! Ends at any point, and several at once: at the end every sink has every reading once.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Home, METER, numbers, sink};
use crate::table::csv;

/// The delivery is done and nobody could note it: the destination knows the readings again.
#[test]
fn a_crash_after_the_commit_doubles_nothing() {
    let home = Home::new();
    home.mood("dies");
    // In the process of the program, so that all of it dies.
    let run = ["run", "--set", "plugins.isolate=none"];
    assert_eq!(home.start(&run).wait_out(), None);
    assert_eq!(home.box_ids().len(), 20);
    home.mood("");
    let report = home.report(0, &["run"]);
    assert_eq!(
        report["sources"][0]["new"], 0,
        "the read was journalled before"
    );
    assert_eq!(numbers(sink(&report, "box")), [20, 0, 20, 0, 0]);
    assert_eq!(home.box_ids(), home.sheet_ids());
    home.verifies();
}

/// The same when only the process of the exporter crashes.
#[test]
fn a_child_that_crashes_after_the_commit_doubles_nothing() {
    let home = Home::new();
    home.mood("dies");
    let report = home.report(1, &["run"]);
    assert_eq!(sink(&report, "box")["error"]["code"], "GP0405");
    assert_eq!(home.box_ids().len(), 20);
    home.mood("");
    let report = home.report(0, &["run"]);
    assert_eq!(numbers(sink(&report, "box")), [20, 0, 20, 0, 0]);
    assert_eq!(home.box_ids(), home.sheet_ids());
    home.verifies();
}

/// Killed after every so many milliseconds; the meter changes between the runs.
#[test]
fn runs_killed_at_any_point_lose_and_double_nothing() {
    let home = Home::new();
    let seeds = [1, 2, 3];
    for seed in seeds {
        home.pipeline(&format!("{METER}&seed={seed}"), "");
        for step in 0..8 {
            let running = home.start(&["run"]);
            #[expect(
                clippy::disallowed_methods,
                reason = "any point will do, so none has an event"
            )]
            std::thread::sleep(Duration::from_millis(15 * step));
            running.kill();
        }
        // The journal and the files are whole whenever they are looked at.
        home.verifies();
        if home.workspace.read("sheet.csv").is_some() {
            home.sheet_ids();
        }
        home.box_ids();
    }
    for seed in seeds {
        home.pipeline(&format!("{METER}&seed={seed}"), "");
        assert_eq!(home.run(&["run"]).code, 0);
    }
    let all: BTreeSet<String> = seeds
        .iter()
        .flat_map(|seed| {
            let device = format!("{METER}&seed={seed}");
            let dump = home.run(&["dump", "--device", &device]).stdout;
            let ids = csv(&dump);
            let ids = ids.texts("reading_id").into_iter().map(str::to_owned);
            ids.collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(home.sheet_ids(), all);
    assert_eq!(home.box_ids(), all);
    home.verifies();
}

/// Two runs on one journal take turns; both end well, and nothing is delivered twice.
#[test]
fn two_runs_at_once_take_turns() {
    let home = Home::new();
    home.pipeline(&format!("{METER}&pace_ms=1"), "");
    for _ in 0..3 {
        let runs: Vec<_> = (0..3)
            .map(|_| home.start(&["run", "--report", "-"]))
            .collect();
        for run in runs {
            let finished = run.finish();
            assert_eq!(finished.code, 0, "{}", finished.stderr);
        }
    }
    assert_eq!(
        home.offered(),
        ["20"],
        "one of them delivered, the others had nothing to"
    );
    assert_eq!(home.box_ids(), home.sheet_ids());
    home.verifies();
}

/// A run that has to wait says so, and goes on when the other has finished.
#[test]
fn a_run_that_waits_says_so() {
    let home = Home::new();
    let meeting = glucopipe_tests::Meeting::new(home.workspace.path(), "meeting");
    let slow = format!(
        "[sinks.slow]\nexporter = \"hostile\"\nmode = \"deaf-close\"\ninputs = [\"meter\"]\n\
         path = \"slow.txt\"\n{}",
        meeting.keys()
    );
    home.pipeline(METER, &slow);
    let first = home.start(&["run"]);
    meeting.wait();
    home.workspace.write(
        "quick.toml",
        &home
            .workspace
            .read("pipeline.toml")
            .expect("a pipeline")
            .replace(&slow, ""),
    );
    let mut second = home.start(&["run", "quick.toml"]);
    second.wait_for("waiting until another glucopipe has delivered");
    meeting.let_go();
    assert_eq!(first.finish().code, 0);
    assert_eq!(second.finish().code, 0);
    assert_eq!(home.offered(), ["20"]);
}

/// A folder that cannot be written stops its sink alone; what it has not got waits.
#[test]
fn a_folder_that_cannot_be_written_loses_nothing() {
    let home = Home::new();
    home.workspace.write("folder", "in the way");
    let set = ["run", "--set", "sinks.sheet.path=folder/sheet.csv"];
    let report = home.report(1, &set);
    assert_eq!(numbers(sink(&report, "sheet")), [20, 0, 0, 0, 20]);
    std::fs::remove_file(home.workspace.path().join("folder")).expect("a file");
    let nobody = "sources.meter.device=virtual:contour-next-usb?records=20&fault=mute";
    let report = home.report(7, &[&set[..], &["--set", nobody]].concat());
    assert_eq!(numbers(sink(&report, "sheet")), [20, 20, 0, 0, 0]);
    assert_eq!(
        home.workspace
            .read("folder/sheet.csv")
            .map(|text| text.lines().count()),
        Some(21)
    );
}
