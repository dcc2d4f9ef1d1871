//! `glucopipe replay`, and runs that write nothing.

use super::{Home, METER, numbers, sink};
use crate::support::tree;

/// A new sink gets the whole history, without the meter.
#[test]
fn a_new_sink_gets_the_whole_history() {
    let home = Home::new();
    assert_eq!(home.run(&["run"]).code, 0);
    home.pipeline(&format!("{METER}&seed=7"), "");
    assert_eq!(home.run(&["run"]).code, 0);
    let new = "[sinks.late]\nexporter = \"mailbox\"\ninputs = [\"local\"]\npath = \"late.txt\"\n\
               [sinks.lake]\nexporter = \"parquet\"\ninputs = [\"local\"]\npath = \"lake.parquet\"\n";
    home.pipeline(&format!("{METER}&fault=mute"), new);
    let report = home.report(0, &["replay"]);
    assert_eq!(report["outcome"], "done");
    assert_eq!(
        (
            &report["sources"][0]["status"],
            &report["sources"][0]["read"]
        ),
        (&"replayed".into(), &40.into())
    );
    assert_eq!(numbers(sink(&report, "late")), [40, 40, 0, 0, 0]);
    assert_eq!(numbers(sink(&report, "lake")), [40, 40, 0, 0, 0]);
    assert_eq!(numbers(sink(&report, "box")), [0, 0, 0, 0, 0]);
    let (lake, _) = crate::table::read_parquet(&home.workspace.path().join("lake.parquet"));
    assert_eq!(lake.rows.len(), 40);
    let said = home.run(&["replay"]).stderr;
    assert!(
        said.contains("meter: 40 readings from the journal"),
        "{said}"
    );
    assert!(said.contains("late: nothing new"), "{said}");
}

/// `--sink` chooses, `--all` offers again, `--since` cuts what is offered, but never a snapshot.
#[test]
fn replay_can_be_told_what_to_deliver() {
    let home = Home::new();
    assert_eq!(home.run(&["run"]).code, 0);
    let report = home.report(0, &["replay", "--sink", "box", "--all"]);
    assert_eq!(report["sinks"].as_array().map(Vec::len), Some(1));
    assert_eq!(numbers(sink(&report, "box")), [20, 0, 20, 0, 0]);
    let sheet = home.workspace.read("sheet.csv").expect("a sheet");
    let column = |line: &str, name: &str| {
        let head = sheet.lines().next().expect("a header");
        let at = head.split(',').position(|one| one == name);
        let cell = line.split(',').nth(at.expect("a column"));
        cell.expect("a cell").to_owned()
    };
    let middle = &column(sheet.lines().nth(11).expect("a line"), "local_time");
    let before = home.workspace.read("sheet.csv");
    let report = home.report(0, &["replay", "--all", "--since", middle]);
    assert_eq!(numbers(sink(&report, "box")), [10, 0, 10, 0, 0]);
    assert_eq!(numbers(sink(&report, "sheet"))[0], 20);
    assert_eq!(home.workspace.read("sheet.csv"), before);
    for (arguments, words) in [
        (["replay", "--sink", "shelf"], "there are: sheet, box"),
        (["replay", "--since", "yesterday"], "as in `2026-01-01`"),
    ] {
        let finished = home.run(&arguments);
        assert_eq!(finished.code, 2, "{}", finished.stderr);
        assert!(finished.stderr.contains(words), "{}", finished.stderr);
    }
}

/// Nothing known is an error with advice, and touches nothing.
#[test]
fn nothing_to_replay_is_an_error() {
    let home = Home::new();
    home.workspace.write("sheet.csv", "from before\n");
    let finished = home.run(&["replay"]);
    assert_eq!(finished.code, 6, "{}", finished.stderr);
    assert!(
        finished.stderr.contains("error[GP0707]"),
        "{}",
        finished.stderr
    );
    assert_eq!(
        home.workspace.read("sheet.csv").as_deref(),
        Some("from before\n")
    );
}

/// The readings of one pipeline's meter are not another's, unless it names the meter.
#[test]
fn another_pipeline_gets_only_the_meters_it_names() {
    let home = Home::new();
    assert_eq!(home.run(&["run"]).code, 0);
    let text = home.workspace.read("pipeline.toml").expect("a pipeline");
    let other = |device: &str| {
        text.replace(METER, device)
            .replace("sheet.csv", "other.csv")
    };
    home.workspace.write("other.toml", &other("serial:1234567"));
    assert_eq!(home.run(&["replay", "other.toml"]).code, 6);
    home.workspace.write(
        "other.toml",
        &text.replace(&format!("device = \"{METER}\"\n"), ""),
    );
    assert_eq!(
        home.run(&["replay", "other.toml"]).code,
        6,
        "a virtual meter is nobody's"
    );
    home.workspace.write("other.toml", &other(METER));
    assert_eq!(
        home.run(&["replay", "other.toml", "--sink", "sheet"]).code,
        0
    );
    let serial = home.sheet().texts("device_serial")[0].to_owned();
    home.workspace
        .write("other.toml", &other(&format!("serial:{serial}")));
    let report = home.report(0, &["replay", "other.toml", "--sink", "sheet"]);
    assert_eq!(numbers(sink(&report, "sheet"))[0], 20);
}

/// A dry run says what would happen, and changes no byte, of the journal neither.
#[test]
fn a_dry_run_changes_nothing() {
    let home = Home::new();
    let before = tree(home.workspace.path());
    let report = home.report(0, &["run", "--dry-run"]);
    assert_eq!(numbers(sink(&report, "box")), [20, 0, 0, 0, 0]);
    assert_eq!(tree(home.workspace.path()), before);
    home.mood("leaves 5");
    assert_eq!(home.run(&["run"]).code, 1);
    let before = tree(home.workspace.path());
    for command in ["run", "replay"] {
        let report = home.report(0, &[command, "--dry-run"]);
        assert_eq!(numbers(sink(&report, "box")), [5, 0, 0, 0, 0], "{command}");
        assert_eq!(numbers(sink(&report, "sheet"))[0], 20, "{command}");
        assert_eq!(tree(home.workspace.path()), before, "{command}");
    }
    home.pipeline(&format!("{METER}&seed=7"), "");
    let before = tree(home.workspace.path());
    let report = home.report(0, &["run", "--dry-run"]);
    assert_eq!(report["sources"][0]["new"], 20);
    assert_eq!(numbers(sink(&report, "box")), [25, 0, 0, 0, 0]);
    assert_eq!(numbers(sink(&report, "sheet"))[0], 40);
    assert_eq!(tree(home.workspace.path()), before);
}

/// A transcript that is played back is kept with its hash, and gives the readings of its meter.
#[test]
fn a_transcript_is_kept_with_its_hash() {
    let home = Home::new();
    assert_eq!(home.run(&["run", "--record", "session"]).code, 0);
    home.pipeline("replay:session", "");
    let report = home.report(0, &["run"]);
    assert_eq!(
        (&report["sources"][0]["read"], &report["sources"][0]["new"]),
        (&20.into(), &0.into())
    );
    let exported = home.run(&["journal", "export"]).stdout;
    let hashes: Vec<String> = exported
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"))
        .filter(|row| row["table"] == "sessions")
        .map(|row| format!("{} {}", row["transport"], row["transcript"]))
        .collect();
    let [first, second] = hashes.as_slice() else {
        panic!("{hashes:?}");
    };
    let hash = |line: &str| line.split_once(' ').map(|(_, hash)| hash.to_owned());
    assert!(
        first.starts_with("\"virtual\"") && second.starts_with("\"replay\""),
        "{hashes:?}"
    );
    assert_eq!(hash(first), hash(second));
    assert_eq!(hash(first).map(|hash| hash.len()), Some(66));
    assert_eq!(home.sheet_ids().len(), 20);
}
