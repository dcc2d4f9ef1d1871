//! The exporter through its table, and its page.

use std::fs;

use glucopipe_sdk::serde_json::{self, Value, json};
use glucopipe_sdk::testing::{Form, TestHost, config_table, table, texts};
use glucopipe_sdk::{Error, Status};

use super::*;

fn refusal(config: Value) -> Error {
    let config: Config = serde_json::from_value(config).unwrap();
    sink(config).err().unwrap()
}

#[test]
fn a_path_is_enough_and_opening_or_checking_writes_nothing() {
    let home = tempfile::tempdir().unwrap();
    let config = json!({ "path": home.path().join("out/readings.csv") });
    let host = TestHost::new();
    assert_eq!(host.check_exporter::<Csv>(&config).unwrap(), [""; 0]);
    drop(host.open_exporter::<Csv>(&config).unwrap());
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
}

#[test]
fn a_check_says_what_a_run_would_fail_with() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("file"), "").unwrap();
    let check = |path: &str, columns: &[&str]| {
        let config = json!({ "path": home.path().join(path), "columns": columns });
        TestHost::new().check_exporter::<Csv>(&config).unwrap_err()
    };
    let error = check("file/readings.csv", &["value"]);
    assert!(
        error.message.starts_with("cannot write in folder"),
        "{error}"
    );
    assert_eq!(check("", &["value"]).key.as_deref(), Some("path"));
    let error = check("readings.csv", &["valeu"]);
    assert_eq!(error.key.as_deref(), Some("columns"));
}

#[test]
fn keys_that_do_not_go_with_the_profile_are_refused_by_key() {
    for (key, config) in [
        ("path", json!({ "path": "out/" })),
        ("columns", json!({ "path": "a.csv", "columns": ["valeu"] })),
        (
            "columns",
            json!({ "path": "a.csv", "columns": ["value"], "profile": "glucometerutils" }),
        ),
        ("unit", json!({ "path": "a.csv", "unit": "mg/dL" })),
        (
            "out_of_range",
            json!({ "path": "a.csv", "profile": "canonical", "out_of_range": "skip" }),
        ),
    ] {
        let error = refusal(config);
        assert_eq!(error.key.as_deref(), Some(key), "{error}");
        assert_eq!(error.status, Status::InvalidArgument);
    }
}

#[test]
fn the_page_of_sinks_has_the_keys() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/sinks.md");
    let table = config_table::<Config>();
    let page = fs::read_to_string(page).unwrap();
    assert!(page.contains(&table), "docs/sinks.md lacks this:\n{table}");
}

#[test]
fn delivers_through_its_table() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("readings.csv");
    let host = TestHost::new();
    let mut sink = host.open_exporter::<Csv>(&json!({ "path": path })).unwrap();
    for _ in 0..2 {
        sink.write(&[table(2, Form::Words, &[])]).unwrap();
    }
    let report = sink.commit().unwrap();
    assert_eq!(report.delivered, 4);
    assert_eq!(report.bytes, fs::metadata(&path).unwrap().len());
    assert_eq!(host.progress().last().unwrap().done, 4);
    assert!(host.log().is_empty());
}

#[test]
fn a_profile_delivers_what_it_has_a_place_for_and_logs_the_rest() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("readings.csv");
    let host = TestHost::new();
    let config = json!({ "path": path, "profile": "glucometerutils", "unit": "mmol/L" });
    let mut sink = host.open_exporter::<Csv>(&config).unwrap();
    let kinds = texts(&[Some("control"), Some("glucose")]);
    sink.write(&[table(2, Form::Words, &[("kind", kinds)])])
        .unwrap();
    assert_eq!(sink.commit().unwrap().delivered, 1);
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        "\"2024-03-01 07:15:00\",\"5.17\",\"\",\"blood sample\",\"\"\n"
    );
    let [line] = &host.log()[..] else {
        panic!("expected one line of log");
    };
    assert_eq!(line.level, 3);
    assert!(line.text.ends_with("`glucometerutils`: 1 (1 control)"));
}

#[test]
fn a_cancelled_write_or_commit_leaves_nothing() {
    let home = tempfile::tempdir().unwrap();
    let config = json!({ "path": home.path().join("readings.csv") });
    for questions in 0..3 {
        let host = TestHost::new();
        host.cancel_after(questions);
        let mut sink = host.open_exporter::<Csv>(&config).unwrap();
        let written = sink.write(&[table(2, Form::Words, &[])]);
        assert_eq!(written.is_ok(), questions == 2);
        let outcome = written.and_then(|()| sink.commit());
        assert_eq!(outcome.unwrap_err().status, Status::Cancelled);
        drop(sink);
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
    }
}
