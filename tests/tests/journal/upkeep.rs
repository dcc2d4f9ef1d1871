//! `glucopipe journal`.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::Duration;

use glucopipe_runtime::cancel::Cancel;
use glucopipe_runtime::journal::Journal;
use glucopipe_tests::Running;
use serde_json::Value;

use super::{Home, METER};
use crate::support::shown;

/// What a person sees of a journal.
#[test]
fn stats_say_what_is_there() {
    let home = Home::new();
    let none = home.run(&["journal", "stats"]);
    assert_eq!(
        (none.code, none.stdout.as_str()),
        (0, ""),
        "{}",
        none.stderr
    );
    assert!(none.stderr.contains("nothing was read"), "{}", none.stderr);
    assert!(
        !home.workspace.path().join("state").exists(),
        "looking makes nothing"
    );
    home.mood("leaves 5");
    assert_eq!(home.run(&["run"]).code, 1);
    insta::assert_snapshot!(shown(&home.workspace, &home.run(&["journal", "stats"])));
    let stats: Value =
        serde_json::from_str(&home.run(&["journal", "stats", "--json"]).stdout).expect("JSON");
    assert_eq!(
        (&stats["readings"], &stats["sinks"][1]["pending"]),
        (&20.into(), &5.into())
    );
}

/// An export is JSON Lines of everything, private data included and secrets not, as there are none.
#[test]
fn an_export_has_every_row() {
    let home = Home::new();
    assert_eq!(home.run(&["run"]).code, 0);
    let exported = home.run(&["journal", "export"]);
    assert_eq!((exported.code, exported.stderr.as_str()), (0, ""));
    let mut tables: BTreeMap<String, u64> = BTreeMap::new();
    for line in exported.stdout.lines() {
        let row: Value = serde_json::from_str(line).expect("JSON");
        *tables
            .entry(row["table"].as_str().expect("a table").to_owned())
            .or_default() += 1;
        if row["table"] == "readings" {
            let raw = row["raw"].as_str().expect("a frame");
            assert!(
                raw.len() > 10 && raw.bytes().all(|byte| byte.is_ascii_hexdigit()),
                "{raw}"
            );
        }
    }
    let expected = [
        ("feeds", 2),
        ("ledger", 40),
        ("meters", 1),
        ("readings", 20),
        ("sessions", 1),
        ("sinks", 2),
        ("sources", 1),
    ];
    let expected = expected.map(|(table, rows)| (table.to_owned(), rows));
    assert_eq!(tables, BTreeMap::from(expected));
}

/// A damaged journal is found out.
#[test]
fn a_damaged_journal_is_found_out() {
    let home = Home::new();
    assert_eq!(home.run(&["run"]).code, 0);
    let path = home.workspace.path().join("state/glucopipe/journal.db");
    let mut bytes = std::fs::read(&path).expect("a journal");
    let well = home.run(&["journal", "verify"]);
    assert_eq!(
        (well.code, well.stdout.as_str()),
        (0, "20 readings, all is well\n")
    );
    let middle = bytes.len() / 2;
    bytes[middle..middle + 8192].fill(0xa5);
    std::fs::write(&path, bytes).expect("a journal");
    let damaged = home.run(&["journal", "verify"]);
    assert_eq!(damaged.code, 6, "{}", damaged.stderr);
    assert!(
        damaged.stderr.contains("error[GP0705]"),
        "{}",
        damaged.stderr
    );
    let itself = damaged.stderr.contains("glucopipe journal verify");
    assert!(!itself, "{}", damaged.stderr);
}

/// Only what every sink has acknowledged, no file is written from and no meter holds is deleted, and only
/// when somebody agreed.
#[test]
fn a_prune_deletes_what_nobody_needs() {
    let home = Home::new();
    let prune = |more: &[&str]| {
        let arguments = [&["journal", "prune", "--before", "2030-01-01"][..], more].concat();
        home.run(&arguments)
    };
    let count = || {
        let stats = home.run(&["journal", "stats", "--json"]).stdout;
        serde_json::from_str::<Value>(&stats).expect("JSON")["readings"].as_u64()
    };
    let pipeline = |device: &str| {
        home.workspace.write(
            "pipeline.toml",
            &format!(
                "[sources.meter]\ndevice = \"{device}\"\n\
                 [sinks.box]\nexporter = \"mailbox\"\ninputs = [\"meter\"]\npath = \"box.txt\"\n"
            ),
        );
    };
    pipeline(METER);
    home.mood("leaves 5");
    assert_eq!(home.run(&["run"]).code, 1);
    let kept = prune(&["--yes"]);
    for words in [
        "5 readings kept: a sink has not acknowledged them",
        "15 readings kept: the meter still holds them",
    ] {
        assert!(kept.stderr.contains(words), "{}", kept.stderr);
    }
    // The meter has overwritten all but what it was given since.
    home.mood("");
    pipeline(&format!("{METER}&seed=7"));
    assert_eq!(home.run(&["run"]).code, 0);
    // Whoever is asked keeps nobody from delivering, and waits for nobody.
    let path = home.workspace.path().join("state/glucopipe/journal.db");
    let other = Journal::open(&path).expect("a journal");
    let turn = other.turn(&Cancel::new(), Duration::ZERO, || {});
    let alone = prune(&[]);
    assert!(!alone.stderr.contains("waiting"), "{}", alone.stderr);
    drop((turn.expect("a turn"), other));
    assert_eq!(alone.code, 2, "{}", alone.stderr);
    assert!(
        alone.stderr.contains("Delete 20 readings"),
        "{}",
        alone.stderr
    );
    assert_eq!(count(), Some(40));
    let before = home.run(&["journal", "prune", "--before", "2020-01-01", "-y"]);
    assert!(
        before.stderr.contains("nothing to delete"),
        "{}",
        before.stderr
    );
    let pruned = prune(&["--yes"]);
    assert_eq!(pruned.code, 0, "{}", pruned.stderr);
    assert!(
        pruned.stderr.contains("20 readings deleted"),
        "{}",
        pruned.stderr
    );
    assert_eq!(count(), Some(20));
    home.verifies();
    // A file that is written from the journal needs all of it.
    home.pipeline(&format!("{METER}&seed=8"), "");
    assert_eq!(home.run(&["run"]).code, 0);
    home.pipeline(&format!("{METER}&seed=9"), "");
    assert_eq!(home.run(&["run"]).code, 0);
    let kept = prune(&["--yes"]);
    assert!(
        kept.stderr
            .contains("60 readings kept: a sink is written anew"),
        "{}",
        kept.stderr
    );
    assert_eq!(home.sheet_ids().len(), 60);
}

/// The journal of the pipeline here is meant where none is named, and another one is named as the command does it.
#[test]
fn the_journal_of_the_pipeline_here_is_meant() {
    let home = Home::new();
    home.pipeline(METER, "[journal]\npath = \"kept.db\"\n");
    assert_eq!(home.run(&["run"]).code, 0);
    let stats = home.run(&["journal", "stats"]);
    assert!(stats.stdout.starts_with("20 readings"), "{}", stats.stdout);
    assert!(!home.workspace.path().join("state").exists());
    let foreign = home.run(&["journal", "stats", "--path", "pipeline.toml"]);
    assert_eq!(foreign.code, 6, "{}", foreign.stderr);
    assert!(
        foreign.stderr.contains("name another file, with `--path`"),
        "{}",
        foreign.stderr
    );
    home.workspace.write("pipeline.toml", "[sources.meter\n");
    assert_eq!(home.run(&["journal", "stats"]).code, 3);
}

/// A question is seen by whoever wants no other words, and no, nothing and Ctrl-C are answers as they are to others.
#[test]
fn only_a_yes_changes_the_journal() {
    let home = Home::new();
    assert_eq!(home.run(&["run"]).code, 0);
    let asked = || {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        let mut command = home.command_at(
            "2026-11-01T12:00:00Z",
            &["--quiet", "journal", "forget", "box"],
        );
        let mut running = Running::start_with(&mut command, reader.into());
        running.wait_for("Type `yes` to go on");
        (running, writer)
    };
    let answered = |answer: &str| {
        let (running, mut writer) = asked();
        writer.write_all(answer.as_bytes()).expect("it reads");
        drop(writer);
        running.finish()
    };
    let (running, _writer) = asked();
    running.interrupt();
    let kept = "nothing was changed in the journal";
    for (finished, code) in [
        (running.finish(), 130),
        (answered("no\n"), 130),
        (answered(""), 2),
    ] {
        assert_eq!(finished.code, code, "{}", finished.stderr);
        assert!(finished.stderr.contains(kept), "{}", finished.stderr);
    }
    let sinks = || {
        home.run(&["journal", "stats"])
            .stdout
            .matches("mailbox")
            .count()
    };
    assert_eq!(sinks(), 1);
    let forgotten = answered("yes\n");
    assert_eq!(forgotten.code, 0, "{}", forgotten.stderr);
    assert_eq!(sinks(), 0);
}

/// What a sink refused is in the journal alone; what a meter holds that was never read to its end, nobody knows.
#[test]
fn a_prune_keeps_what_is_nowhere_else_and_says_why() {
    let home = Home::new();
    let pipeline = |device: &str| {
        home.workspace.write(
            "pipeline.toml",
            &format!(
                "[sources.meter]\ndevice = \"{device}\"\n\
                 [sinks.box]\nexporter = \"mailbox\"\ninputs = [\"meter\"]\npath = \"box.txt\"\n"
            ),
        );
    };
    let prune = || home.run(&["journal", "prune", "--before", "2030-01-01", "--yes"]);
    pipeline(&format!("{METER}&fault=cut:12"));
    assert_eq!(home.run(&["run"]).code, 1);
    let kept = prune();
    assert_eq!(kept.code, 0, "{}", kept.stderr);
    let reason = "12 readings kept: no complete read of their meter since";
    assert!(kept.stderr.contains(reason), "{}", kept.stderr);
    home.mood("refuses 2");
    pipeline(METER);
    assert_eq!(home.run(&["run"]).code, 1);
    home.mood("");
    pipeline(&format!("{METER}&seed=7"));
    assert_eq!(home.run(&["run"]).code, 0);
    let kept = prune();
    for words in [
        "2 readings kept: a sink refused them",
        "20 readings kept: the meter still holds them",
        "18 readings deleted",
    ] {
        assert!(kept.stderr.contains(words), "{}", kept.stderr);
    }
    home.verifies();
}

/// A destination that is not wanted any more keeps nothing from being pruned once it is forgotten.
#[test]
fn a_sink_that_was_renamed_can_be_forgotten() {
    let home = Home::new();
    let pipeline = |path: &str, device: &str| {
        home.workspace.write(
            "pipeline.toml",
            &format!(
                "[sources.meter]\ndevice = \"{device}\"\n\
                 [sinks.box]\nexporter = \"mailbox\"\ninputs = [\"meter\"]\npath = \"{path}\"\n"
            ),
        );
    };
    home.mood("fails");
    pipeline("box.txt", METER);
    assert_eq!(home.run(&["run"]).code, 6);
    pipeline("post.txt", METER);
    assert_eq!(home.run(&["run"]).code, 0);
    pipeline("post.txt", &format!("{METER}&seed=7"));
    assert_eq!(home.run(&["run"]).code, 0);
    let prune = || home.run(&["journal", "prune", "--before", "2030-01-01", "--yes"]);
    let blocked = "40 readings kept: a sink has not acknowledged them";
    assert!(prune().stderr.contains(blocked));
    for (arguments, code, words) in [
        (&["nobody"][..], 2, "has no sink `nobody`"),
        (&["box"], 2, "say which by its number: 1, 2"),
        (&["1"], 2, "nobody answered the question"),
        (&["1", "-y"], 0, "`box` is forgotten"),
    ] {
        let forgotten = home.run(&[&["journal", "forget"], arguments].concat());
        assert_eq!(forgotten.code, code, "{}", forgotten.stderr);
        assert!(forgotten.stderr.contains(words), "{}", forgotten.stderr);
    }
    let pruned = prune();
    assert!(
        pruned.stderr.contains("20 readings deleted"),
        "{}",
        pruned.stderr
    );
    home.verifies();
}
