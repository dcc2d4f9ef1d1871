//! `plugins trust`, and what is loaded then.

use std::fs;
use std::os::unix::fs::MetadataExt;

use glucopipe_tests::build;
use serde_json::Value;

use super::{NAMED, Stranger, set};
use crate::support::compile_c;

#[test]
fn with_a_lock_only_what_is_pinned_is_loaded() {
    let stranger = Stranger::new();
    assert_eq!(stranger.run(&["run"]).code, 0);
    let refused = stranger.run(&["run", "--locked"]);
    assert_eq!(refused.code, 8);
    insta::assert_snapshot!(stranger.shown(&refused));
    // The same by the pipeline, by the command line, and for a look alone.
    for arguments in [
        &["run", "--set", "plugins.locked=true"][..],
        &["check", "--offline", "--locked"],
        &["plugins", "--locked"],
    ] {
        let refused = stranger.run(arguments);
        assert_eq!(refused.code, 8, "{}", refused.stderr);
        assert!(
            refused.stderr.contains("error[GP0409]"),
            "{}",
            refused.stderr
        );
    }
    let text = stranger
        .workspace
        .read("pipeline.toml")
        .expect("a pipeline");
    stranger
        .workspace
        .write("locked.toml", &format!("{text}[plugins]\nlocked = true\n"));
    assert_eq!(stranger.run(&["run", "locked.toml"]).code, 8);
    // What came with the program needs no pin.
    assert_eq!(stranger.run(&["run", "--locked", "own.toml"]).code, 0);
    stranger.pin();
    for arguments in [&["run", "--locked"][..], &["run", "locked.toml"]] {
        let loaded = stranger.run(arguments);
        assert_eq!(loaded.code, 0, "{}", loaded.stderr);
    }
}

#[test]
fn a_pinned_library_that_was_changed_is_refused_until_it_is_pinned_again() {
    let stranger = Stranger::new();
    stranger.pin();
    stranger.change();
    let refused = stranger.run(&["run"]);
    assert_eq!(refused.code, 8);
    insta::assert_snapshot!(stranger.shown(&refused));
    let locked = stranger.run(&["run", "--locked"]);
    assert_eq!(stranger.shown(&locked), stranger.shown(&refused));
    stranger.pin();
    assert_eq!(stranger.run(&["run", "--locked"]).code, 0);
    // Without its pin it is any plugin again.
    let removed = stranger
        .workspace
        .run(&["plugins", "trust", "--remove", "newer"]);
    assert_eq!(
        (removed.code, removed.stderr.as_str()),
        (0, "1 pin of `newer` taken back\n")
    );
    assert_eq!(stranger.run(&["run"]).code, 0);
    assert_eq!(stranger.run(&["run", "--locked"]).code, 8);
}

#[test]
fn a_pin_is_of_bytes_wherever_they_lie() {
    let stranger = Stranger::new();
    stranger.pin();
    let users = stranger.workspace.path().join("data/glucopipe/plugins");
    fs::create_dir(&users).expect("a folder");
    fs::copy(&stranger.library, users.join("renamed.so")).expect("a copy");
    set(&users.join("renamed.so"), 0o755);
    fs::remove_file(&stranger.library).expect("removed");
    let loaded = stranger.workspace.run(&["run", "--locked"]);
    assert_eq!(loaded.code, 0, "{}", loaded.stderr);
}

/// Neither a name that is looked for first nor one that nothing is known of puts another in its place.
#[test]
fn a_component_is_pinned_whatever_the_file_is_called() {
    let stranger = Stranger::new();
    stranger.pin();
    stranger.change();
    fs::rename(
        &stranger.library,
        stranger.library.with_file_name("other.so"),
    )
    .expect("renamed");
    let refused = stranger.run(&["run"]);
    assert_ne!(refused.code, 0, "{}", refused.stderr);
    let said = "exporter newer is pinned as it is in";
    assert!(refused.stderr.contains(said), "{}", refused.stderr);
}

/// What a library brings along was not checked.
#[test]
fn a_library_that_brings_others_is_refused() {
    let stranger = Stranger::new();
    let brings = ["-DCASE=0", "-Wl,-rpath,$ORIGIN"];
    compile_c(&stranger.workspace, "newer.c", NAMED, &brings);
    let refused = stranger.run(&["run"]);
    assert_eq!(refused.code, 8, "{}", refused.stderr);
    let said = "it brings libraries from `$ORIGIN`";
    assert!(refused.stderr.contains(said), "{}", refused.stderr);
}

#[test]
fn what_is_pinned_is_shown_and_asked_for() {
    let stranger = Stranger::new();
    let library = stranger.library.display().to_string();
    let answered = |answer| {
        let arguments = ["plugins", "trust", &library];
        stranger.workspace.run_answering(&arguments, answer)
    };
    let mut text = String::new();
    for (answer, code) in [("", 2), ("yes\n", 130), ("trust\n", 0)] {
        assert!(!stranger.list().exists());
        let finished = answered(answer);
        assert_eq!(finished.code, code, "{}", finished.stderr);
        text.push_str(&stranger.shown(&finished));
    }
    let found = stranger.list().metadata().expect("the list");
    assert_eq!(
        (
            found.mode() & 0o777,
            stranger
                .list()
                .parent()
                .expect("a folder")
                .metadata()
                .expect("it")
                .mode()
                & 0o777
        ),
        (0o600, 0o700)
    );
    // Once is enough.
    let again = answered("");
    assert_eq!(again.code, 0, "{}", again.stderr);
    stranger.change();
    text.push_str(&stranger.shown(&answered("trust\n")));
    text.push_str(&stranger.shown(&stranger.workspace.run(&["plugins", "trust"])));
    insta::assert_snapshot!(text);
}

#[test]
fn pins_are_listed_for_machines_too() {
    let stranger = Stranger::new();
    let json = |arguments: &[&str]| -> Value {
        let finished = stranger.run(arguments);
        serde_json::from_str(&finished.stdout)
            .unwrap_or_else(|error| panic!("{error}: {finished:?}"))
    };
    let pinned = |document: &Value, id: &str| {
        let plugins = document["plugins"].as_array().expect("a list");
        let found = plugins
            .iter()
            .find(|one| one["id"] == id)
            .expect("a plugin");
        found["pinned"].clone()
    };
    assert_eq!(
        json(&["plugins", "trust", "--json"])["pins"],
        Value::Array(Vec::new())
    );
    assert_eq!(pinned(&json(&["plugins", "--json"]), "newer"), false);
    stranger.pin();
    let list = json(&["plugins", "trust", "--json"]);
    assert_eq!(
        (&list["pins"][0]["id"], &list["pins"][0]["file"]),
        (&"newer".into(), &NAMED.into())
    );
    assert_eq!(list["file"], stranger.list().display().to_string());
    let listing = json(&["plugins", "--json"]);
    assert_eq!(pinned(&listing, "newer"), true);
    assert_eq!(pinned(&listing, "csv"), Value::Null);
    assert_eq!(pinned(&listing, "units"), Value::Null);
}

#[test]
fn what_cannot_be_pinned_is_said() {
    let stranger = Stranger::new();
    let own = build().library("exporter_csv").display().to_string();
    let mut text = String::new();
    for (arguments, code) in [
        (&["trust", &own][..], 0),
        (&["trust", "nothing.so"], 2),
        (&["trust", "--remove", "nothing"], 2),
        (&["trust"], 0),
    ] {
        let finished = stranger.workspace.run(&[&["plugins"], arguments].concat());
        assert_eq!(finished.code, code, "{}", finished.stderr);
        text.push_str(&stranger.shown(&finished));
    }
    set(&stranger.library, 0o757);
    let finished = stranger.plugins("trust", &["--yes"]);
    assert_eq!(finished.code, 8);
    text.push_str(&stranger.shown(&finished));
    assert!(!stranger.list().exists());
    insta::assert_snapshot!(text);
}

/// Whoever can write the list could say yes in the user's place.
#[test]
fn a_list_that_others_can_write_is_not_believed() {
    let stranger = Stranger::new();
    stranger.pin();
    set(&stranger.list(), 0o666);
    let refused = stranger.run(&["run"]);
    assert_eq!(refused.code, 8);
    insta::assert_snapshot!(stranger.shown(&refused));
    assert_eq!(stranger.run(&["run", "own.toml"]).code, 0);
    set(&stranger.list(), 0o600);
    fs::write(stranger.list(), "[[plugin]]\nid = \"newer\"\n").expect("written");
    let refused = stranger.run(&["run", "--locked"]);
    assert_eq!(refused.code, 8);
    assert!(
        refused.stderr.contains("missing field `version`"),
        "{}",
        refused.stderr
    );
}

/// A scheduled run is as locked as the command that printed it.
#[test]
fn a_schedule_keeps_the_lock() {
    let stranger = Stranger::new();
    stranger.pin();
    for scheduler in ["systemd", "cron", "launchd"] {
        let open = stranger.run(&["schedule", scheduler]);
        let locked = stranger.run(&["schedule", scheduler, "--locked"]);
        assert_eq!((open.code, locked.code), (0, 0), "{}", locked.stderr);
        assert!(!open.stdout.contains("--locked"));
        assert!(locked.stdout.contains("--locked"), "{}", locked.stdout);
    }
}
