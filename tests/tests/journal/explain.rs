//! `glucopipe explain READING_ID`.

use serde_json::Value;

use super::{Home, METER};
use crate::support::shown;

/// From the frame to every sink, step by step.
#[test]
fn a_reading_is_explained_from_its_frame_to_every_sink() {
    let home = Home::new();
    let more = "[transforms.mmol]\ntype = \"units\"\ninputs = [\"local\"]\nto = \"mmol/L\"\ndecimals = 1\n\
                [transforms.carbs]\ntype = \"filter\"\ninputs = [\"mmol\"]\nkinds = [\"carbs\"]\n\
                [sinks.plate]\nexporter = \"mailbox\"\ninputs = [\"carbs\"]\npath = \"plate.txt\"\n";
    home.pipeline(METER, more);
    home.mood("refuses 1");
    assert_eq!(home.run(&["run"]).code, 1);
    let sheet = home.workspace.read("sheet.csv").expect("a sheet");
    let first = sheet.lines().nth(1).and_then(|line| line.split(',').next());
    let id = first.expect("an id");
    insta::assert_snapshot!(shown(&home.workspace, &home.run(&["explain", id])));

    let told = home.run(&["explain", &id.to_uppercase(), "--json"]);
    let life: Value = serde_json::from_str(&told.stdout).expect("JSON");
    assert_eq!(life["reading_id"], id);
    assert_eq!(life["transforms"].as_array().map(Vec::len), Some(3));
    assert_eq!(life["sinks"].as_array().map(Vec::len), Some(3));
    // Without a pipeline there is nothing to follow it through.
    std::fs::remove_file(home.workspace.path().join("pipeline.toml")).expect("a pipeline");
    let alone = home.run(&["explain", id]);
    assert_eq!(alone.code, 0, "{}", alone.stderr);
    assert!(!alone.stdout.contains("transforms"), "{}", alone.stdout);
}

/// Names and texts of others do not steer the terminal.
#[cfg(unix)]
#[test]
fn an_explanation_is_escaped() {
    let home = Home::new();
    let text = home.workspace.read("pipeline.toml").expect("a pipeline");
    home.workspace.write("odd\u{1b}[2J.toml", &text);
    assert_eq!(home.run(&["run", "odd\u{1b}[2J.toml"]).code, 0);
    let id = home.sheet_ids().into_iter().next().expect("an id");
    let told = home.run(&["explain", &id]);
    assert!(
        told.stdout.contains("odd\\u{1b}[2J.toml"),
        "{}",
        told.stdout
    );
    assert!(!told.stdout.contains('\u{1b}'), "{}", told.stdout);
}

/// What is none, and what is not there, is said.
#[test]
fn what_cannot_be_explained_is_said() {
    let home = Home::new();
    let nobody = "00000000-0000-5000-8000-000000000000";
    for (what, code) in [("nonsense", 2), ("0000-00", 2), (nobody, 6)] {
        let finished = home.run(&["--quiet", "explain", what]);
        assert_eq!(
            (finished.code, finished.stdout.as_str()),
            (code, ""),
            "{}",
            finished.stderr
        );
        assert!(finished.stderr.contains(what), "{}", finished.stderr);
    }
    assert!(
        !home.workspace.path().join("state").exists(),
        "asking makes nothing"
    );
    assert_eq!(home.run(&["run"]).code, 0);
    let pseudonym = home.run(&["explain", "b365d194-ff5a-8019-b8bf-ce5bb06185b8"]);
    let said = pseudonym.stderr;
    assert!(
        said.contains("GP0707") && said.contains("it is a pseudonym"),
        "{said}"
    );
    assert!(!said.contains("--path"), "{said}");
}
