//! What each sink is given, run by run.

use serde_json::Value;

use super::{Home, METER, numbers, sink};
use crate::table::Cell;

/// A meter that is not there.
const NOBODY: &str = "sources.meter.device=virtual:contour-next-usb?records=20&fault=mute";

/// A snapshot gets everything at each run, another sink what it has not acknowledged.
#[test]
fn a_second_run_offers_nothing_that_was_acknowledged() {
    let home = Home::new();
    let first = home.report(0, &["run"]);
    assert_eq!(first["sources"][0]["new"], 20);
    assert_eq!(numbers(sink(&first, "box")), [20, 20, 0, 0, 0]);
    let sheet = home.workspace.read("sheet.csv");
    let second = home.report(0, &["run"]);
    assert_eq!(
        (&second["sources"][0]["read"], &second["sources"][0]["new"]),
        (&20.into(), &0.into())
    );
    assert_eq!(numbers(sink(&second, "box")), [0, 0, 0, 0, 0]);
    assert_eq!(numbers(sink(&second, "sheet")), [20, 20, 0, 0, 0]);
    assert_eq!(
        home.offered(),
        ["20"],
        "a sink that has everything is not opened"
    );
    assert_eq!(home.workspace.read("sheet.csv"), sheet);
    assert_eq!(home.box_ids(), home.sheet_ids());
    home.verifies();
}

/// A read that was cut off, or a meter that has overwritten its memory, makes no file smaller.
#[test]
fn a_file_never_shrinks() {
    let home = Home::new();
    home.pipeline(&format!("{METER}&fault=cut:12"), "");
    assert_eq!(home.run(&["run"]).code, 1);
    assert_eq!((home.sheet_ids().len(), home.box_ids().len()), (12, 12));
    home.pipeline(METER, "");
    assert_eq!(home.run(&["run"]).code, 0);
    assert_eq!((home.sheet_ids().len(), home.box_ids().len()), (20, 20));
    let whole = home.workspace.read("sheet.csv");
    home.pipeline(&format!("{METER}&fault=cut:3"), "");
    assert_eq!(home.run(&["run"]).code, 1);
    assert_eq!(
        home.workspace.read("sheet.csv"),
        whole,
        "a cut read changes nothing"
    );
    home.pipeline(&format!("{METER}&seed=7"), "");
    assert_eq!(home.run(&["run"]).code, 0);
    assert_eq!(
        home.sheet_ids().len(),
        40,
        "the old readings and the new ones"
    );
    assert_eq!(home.box_ids(), home.sheet_ids());
    assert_eq!(home.offered(), ["12", "8", "20"]);
    home.verifies();
}

/// A source that names another meter has still read the one before: no file gets smaller, and what waits of the
/// old one is sent.
#[test]
fn another_meter_in_a_source_drops_nothing_of_the_one_before() {
    let home = Home::new();
    home.pipeline(&format!("{METER}&serial=1000001"), "");
    home.mood("fails");
    assert_eq!(home.run(&["run"]).code, 1);
    home.pipeline(&format!("{METER}&serial=1000002"), "");
    assert_eq!(home.run(&["run"]).code, 1);
    home.mood("");
    assert_eq!(home.run(&["run"]).code, 0);
    assert_eq!((home.sheet_ids().len(), home.box_ids().len()), (40, 40));
    assert_eq!(home.box_ids(), home.sheet_ids());
    assert_eq!(stats(&home)["sinks"][1]["pending"], 0);
}

fn stats(home: &Home) -> Value {
    let stats = home.run(&["journal", "stats", "--json"]).stdout;
    serde_json::from_str(&stats).expect("JSON")
}

/// A destination that can put a reading in the place of what it has is given all again when the transforms above
/// it have changed, with the meter or without; one that only adds is not.
#[test]
fn another_zone_comes_to_whoever_can_take_it() {
    let home = Home::new();
    let merged = "[sinks.merged]\nexporter = \"csv\"\ninputs = [\"local\"]\npath = \"merged.csv\"\n\
                  mode = \"merge\"\n";
    home.pipeline(METER, merged);
    let berlin = ["--set", "transforms.local.timezone=Europe/Berlin"];
    let rows = || home.workspace.read("merged.csv").expect("a file");
    assert_eq!(home.run(&["run"]).code, 0);
    let athens = rows();
    let same = home.report(0, &["run"]);
    assert_eq!(numbers(sink(&same, "merged")), [0, 0, 0, 0, 0]);
    let dry = home.run(&[&["run", "--dry-run"], &berlin[..]].concat());
    assert!(
        dry.stderr.contains("merged: would be offered 20 readings"),
        "{}",
        dry.stderr
    );
    let away = home.report(7, &[&["run", "--set", NOBODY], &berlin[..]].concat());
    assert_eq!(numbers(sink(&away, "merged")), [20, 0, 20, 0, 0]);
    assert_eq!(numbers(sink(&away, "box")), [0, 0, 0, 0, 0]);
    assert_eq!(rows().lines().count(), 21);
    for (old, new) in athens.lines().zip(rows().lines()).skip(1) {
        assert!(old != new && old.split(',').next() == new.split(',').next());
    }
    let again = home.report(0, &[&["run"], &berlin[..]].concat());
    assert_eq!(numbers(sink(&again, "merged")), [0, 0, 0, 0, 0]);
    assert_eq!(home.run(&["run"]).code, 0);
    assert_eq!(rows(), athens, "and back");
    home.verifies();
}

/// What a transform of somebody else leaves out is asked for again at every run: nobody knows what it goes by.
/// So is what a span leaves out, which goes with the time.
#[test]
fn what_may_come_later_is_not_taken_for_left_out() {
    let home = Home::new();
    let span = "[transforms.old]\ntype = \"filter\"\ninputs = [\"local\"]\nuntil = \"245d\"\n\
                [sinks.late]\nexporter = \"mailbox\"\ninputs = [\"old\"]\npath = \"late.txt\"\n";
    home.pipeline(METER, span);
    let first = home.report(0, &["run"]);
    assert_eq!(stats(&home)["sinks"][2]["left_out"], 0);
    let later = home.start_at("2027-11-01T12:00:00Z", &["replay"]).finish();
    assert_eq!(later.code, 0, "{}", later.stderr);
    assert!(numbers(sink(&first, "late"))[0] < 20, "{first}");
    let late = home.workspace.read("late.txt").expect("a box");
    assert_eq!(late.lines().count(), 20);
}

/// What a sink could not take waits in the journal, and the next run sends it, the meter being there or not.
#[test]
fn a_failed_sink_keeps_its_backlog_and_stops_nobody() {
    for (meter, code) in [(true, 0), (false, 7)] {
        let home = Home::new();
        home.mood("fails");
        let failed = home.report(1, &["run"]);
        assert_eq!(numbers(sink(&failed, "box")), [20, 0, 0, 0, 20]);
        assert_eq!(sink(&failed, "box")["error"]["code"], "GP0502");
        assert_eq!(numbers(sink(&failed, "sheet")), [20, 20, 0, 0, 0]);
        let said = home.run(&["run"]).stderr;
        assert!(
            said.contains("box: failed; 20 readings left for the next run"),
            "{said}"
        );
        home.mood("");
        let arguments: &[&str] = if meter {
            &["run"]
        } else {
            &["run", "--set", NOBODY]
        };
        let sent = home.report(code, arguments);
        assert_eq!(numbers(sink(&sent, "box")), [20, 20, 0, 0, 0]);
        assert_eq!(home.box_ids(), home.sheet_ids());
        assert_eq!(home.offered(), ["fails 20", "fails 20", "20"]);
    }
}

/// Without a meter and without a backlog nothing is touched, and the exit code says why there is nothing.
#[test]
fn without_a_meter_what_is_there_stays() {
    let home = Home::new();
    assert_eq!(home.run(&["run"]).code, 0);
    home.workspace.write("sheet.csv", "edited by hand\n");
    let report = home.report(7, &["run", "--set", NOBODY]);
    assert_eq!(report["outcome"], "failed");
    assert_eq!(
        home.workspace.read("sheet.csv").as_deref(),
        Some("edited by hand\n")
    );
    assert_eq!(home.offered(), ["20"]);
}

/// When nothing can be read and nothing can be sent, what waits is the worse news.
#[test]
fn a_backlog_that_fails_again_without_a_meter_is_told_by_the_exit_code() {
    let home = Home::new();
    home.pipeline(METER, "");
    home.mood("fails");
    assert_eq!(home.run(&["run"]).code, 1);
    assert_eq!(home.run(&["run", "--set", NOBODY]).code, 6);
}

/// A sink that takes only a part has the part acknowledged, and the rest offered again.
#[test]
fn a_part_is_acknowledged_and_the_rest_offered_again() {
    let home = Home::new();
    home.mood("leaves 5");
    let report = home.report(1, &["run"]);
    let part = sink(&report, "box");
    assert_eq!(numbers(part), [20, 15, 0, 0, 5]);
    assert_eq!(part["error"]["code"], "GP0503");
    assert_eq!(report["outcome"], "partial");
    let said = home.run(&["run", "--dry-run"]).stderr;
    assert!(said.contains("box: would be offered 5 readings"), "{said}");
    home.mood("");
    assert_eq!(
        numbers(sink(&home.report(0, &["run"]), "box")),
        [5, 5, 0, 0, 0]
    );
    assert_eq!(home.box_ids(), home.sheet_ids());
}

/// The only sink taking a part is a part of the work done.
#[test]
fn a_part_is_more_than_nothing() {
    let home = Home::new();
    home.workspace.write(
        "pipeline.toml",
        &format!(
            "[sources.meter]\ndevice = \"{METER}\"\n\
             [sinks.box]\nexporter = \"mailbox\"\ninputs = [\"meter\"]\npath = \"box.txt\"\n"
        ),
    );
    home.mood("leaves 5");
    let finished = home.run(&["run"]);
    assert_eq!(finished.code, 1, "{}", finished.stderr);
    for words in [
        "delivered 15 of 20 readings, 5 wait",
        "the box is full",
        "box: 15 readings; 5 readings left for the next run",
    ] {
        assert!(
            finished.stderr.contains(words),
            "{words}: {}",
            finished.stderr
        );
    }
    home.mood("fails");
    assert_eq!(home.run(&["run"]).code, 6);
}

/// What a destination holds back waits, and is told; nothing has failed.
#[test]
fn what_is_held_back_is_a_warning() {
    let home = Home::new();
    for (mood, numbers_now) in [("holds 5", [20, 15, 0, 0, 5]), ("holds 5", [5, 0, 0, 0, 5])] {
        home.mood(mood);
        let report = home.report(0, &["run"]);
        let part = sink(&report, "box");
        assert_eq!(numbers(part), numbers_now);
        assert_eq!(
            (&part["error"], &report["outcome"]),
            (&Value::Null, &"done".into())
        );
        let warnings = report["warnings"].as_array().expect("a list");
        let is_it = |one: &&Value| one["code"] == "GP0503";
        let warning = warnings.iter().find(is_it).expect("a warning");
        assert_eq!(warning["severity"], "warning");
        assert_eq!(warning["causes"][0], "they are for tomorrow");
    }
    home.mood("");
    home.report(0, &["run"]);
    assert_eq!(home.box_ids(), home.sheet_ids());
}

/// A delivery that took too long says so, and what came of it until then.
#[test]
fn a_delivery_that_is_cut_off_says_by_what() {
    let home = Home::new();
    home.pipeline(METER, "timeout_secs = 1\n");
    home.mood("dawdles 5");
    let finished = home.run(&["run"]);
    assert_eq!(finished.code, 1, "{}", finished.stderr);
    for words in [
        "`box` delivered 15 of 20 readings, 5 wait",
        "it took longer than 1 s (`timeout_secs` of `box`)",
        "box: 15 readings; 5 readings left for the next run",
    ] {
        assert!(
            finished.stderr.contains(words),
            "{words}: {}",
            finished.stderr
        );
    }
}

/// What a destination refuses for good is told once, kept with its reason, and offered no more.
#[test]
fn refused_readings_are_kept_with_their_reason() {
    let home = Home::new();
    home.mood("refuses 2");
    let finished = home.run(&["run", "--report", "report.json"]);
    assert_eq!(finished.code, 1, "{}", finished.stderr);
    assert!(
        finished.stderr.contains("warning[GP0504]"),
        "{}",
        finished.stderr
    );
    assert!(
        finished.stderr.contains("it is too heavy"),
        "{}",
        finished.stderr
    );
    let report = home.workspace.read("report.json").expect("a report");
    let report: Value = serde_json::from_str(&report).expect("JSON");
    assert_eq!(numbers(sink(&report, "box")), [20, 18, 0, 2, 0]);
    let rejected = home
        .workspace
        .read("state/glucopipe/rejected.jsonl")
        .expect("a file");
    let rejected: Vec<Value> = rejected
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(rejected.len(), 2);
    let taken = home.box_ids();
    for one in &rejected {
        assert_eq!(
            (&one["sink"], &one["reason"]),
            (&"box".into(), &"it is too heavy".into())
        );
        assert!(!taken.contains(one["reading_id"].as_str().expect("an id")));
    }
    assert_eq!(home.run(&["run"]).code, 0, "it is told once");
    assert_eq!(home.offered().len(), 1);
    home.mood("");
    let again = home.report(0, &["replay", "--sink", "box", "--all"]);
    assert_eq!(numbers(sink(&again, "box")), [20, 2, 18, 0, 0]);
    assert_eq!(home.box_ids(), home.sheet_ids());
}

/// An exporter whose account does not add up is not believed: all of it is offered again.
#[test]
fn an_account_that_does_not_add_up_is_not_believed() {
    for (mood, words) in [
        ("hides", "names 0"),
        (
            "invents",
            "names a reading twice, or one that it was not given",
        ),
        (
            "repeats",
            "names a reading twice, or one that it was not given",
        ),
    ] {
        let home = Home::new();
        home.mood(mood);
        let finished = home.run(&["run"]);
        assert_eq!(finished.code, 1, "{mood}: {}", finished.stderr);
        assert!(
            finished.stderr.contains("error[GP0404]"),
            "{mood}: {}",
            finished.stderr
        );
        assert!(
            finished.stderr.contains(words),
            "{mood}: {}",
            finished.stderr
        );
        home.mood("");
        assert_eq!(
            numbers(sink(&home.report(0, &["run"]), "box")),
            [20, 0, 20, 0, 0]
        );
    }
}

/// A sink is its destination, not its name; a key that only tunes does not make it another one.
#[test]
fn a_sink_is_known_by_its_destination() {
    let home = Home::new();
    assert_eq!(home.run(&["run"]).code, 0);
    let renamed = home
        .workspace
        .read("pipeline.toml")
        .expect("a pipeline")
        .replace("sinks.box", "sinks.post");
    home.workspace.write("pipeline.toml", &renamed);
    let quick = ["run", "--set", "sinks.post.patience=3"];
    assert_eq!(
        numbers(sink(&home.report(0, &quick), "post")),
        [0, 0, 0, 0, 0]
    );
    let other = ["run", "--set", "sinks.post.label=other"];
    assert_eq!(
        numbers(sink(&home.report(0, &other), "post")),
        [20, 0, 20, 0, 0]
    );
    let elsewhere = ["run", "--set", "sinks.post.path=elsewhere.txt"];
    assert_eq!(
        numbers(sink(&home.report(0, &elsewhere), "post")),
        [20, 20, 0, 0, 0]
    );
}

/// A reading has the time that its first read gave it, however far the clock has drifted since.
#[test]
fn times_are_those_of_the_first_read() {
    let home = Home::new();
    let device = |more: &str| format!("{METER}{more}");
    home.pipeline(&device("&clock=2026-11-01T14:10:00"), "");
    assert_eq!(home.run(&["run"]).code, 0);
    let before = home.workspace.read("sheet.csv").expect("a sheet");
    let offset = |row: usize| match home.sheet().get(row, "clock_offset_s") {
        Cell::Integer(offset) => *offset,
        other => panic!("{other:?}"),
    };
    assert!((offset(0) - 600).abs() < 60, "{}", offset(0));
    // Another drift, and readings of another seed besides.
    home.pipeline(&device("&clock=2026-11-01T14:20:00"), "");
    assert_eq!(home.run(&["run"]).code, 0);
    assert_eq!(
        home.workspace.read("sheet.csv").as_deref(),
        Some(before.as_str())
    );
    home.pipeline(&device("&clock=2026-11-01T14:20:00&seed=7"), "");
    assert_eq!(home.run(&["run"]).code, 0);
    let after = home.workspace.read("sheet.csv").expect("a sheet");
    let kept: Vec<&str> = after
        .lines()
        .filter(|line| before.contains(*line))
        .collect();
    assert_eq!(
        kept.len(),
        before.lines().count(),
        "every line is there as it was"
    );
    let offsets: Vec<i64> = (0..40).map(offset).collect();
    let second = offsets.iter().filter(|offset| (**offset - 1200).abs() < 60);
    assert_eq!(second.count(), 20, "{offsets:?}");
    let replayed = home.report(0, &["replay"]);
    assert_eq!(numbers(sink(&replayed, "sheet")), [40, 40, 0, 0, 0]);
    assert_eq!(
        home.workspace.read("sheet.csv").as_deref(),
        Some(after.as_str())
    );
}

/// Readings that a filter keeps from a sink do not keep it busy, and come when the filter lets them.
#[test]
fn a_filter_keeps_readings_back_only_as_long_as_it_is_there() {
    let home = Home::new();
    let filtered = "[transforms.later]\ntype = \"filter\"\ninputs = [\"meter\"]\nsince = \"2026-03-01\"\n\
                    [sinks.high]\nexporter = \"mailbox\"\ninputs = [\"later\"]\npath = \"high.txt\"\n";
    home.pipeline(METER, filtered);
    let first = home.report(0, &["run"]);
    let passed = numbers(sink(&first, "high"))[0];
    assert!((1..20).contains(&passed), "{first}");
    let second = home.report(0, &["run"]);
    assert_eq!(numbers(sink(&second, "high")), [0, 0, 0, 0, 0]);
    let high = stats(&home)["sinks"][2].clone();
    assert_eq!(high["left_out"].as_u64(), Some(20 - passed));
    assert_eq!(high["pending"], 0);
    home.verifies();
    let open = ["run", "--set", "transforms.later.since=2020-01-01"];
    assert_eq!(
        numbers(sink(&home.report(0, &open), "high")),
        [20 - passed, 20 - passed, 0, 0, 0]
    );
}

/// A journal that cannot be used is told before a meter is touched.
#[test]
fn without_a_journal_nothing_is_read() {
    let home = Home::new();
    home.workspace.write("text", "no journal");
    home.pipeline(METER, "[journal]\npath = \"text/journal.db\"\n");
    let finished = home.run(&["run"]);
    assert_eq!(finished.code, 6, "{}", finished.stderr);
    assert!(
        finished.stderr.contains("error[GP0701]"),
        "{}",
        finished.stderr
    );
    assert!(home.workspace.read("sheet.csv").is_none());
    home.pipeline(METER, "[journal]\npath = \"kept/here.db\"\n");
    assert_eq!(home.run(&["run"]).code, 0);
    assert!(home.workspace.path().join("kept/here.db").exists());
    assert!(!home.workspace.path().join("state").exists());
}
