//! The exporter through its table, and its page.

use std::fs;

use glucopipe_sdk::Status;
use glucopipe_sdk::arrow::array::RecordBatch;
use glucopipe_sdk::serde_json::json;
use glucopipe_sdk::testing::{Form, TestHost, config_table, table, texts};

use super::*;

#[test]
fn a_path_is_enough_and_opening_or_checking_writes_nothing() {
    let home = tempfile::tempdir().unwrap();
    let config = json!({ "path": home.path().join("out/readings.jsonl") });
    let host = TestHost::new();
    assert_eq!(host.check_exporter::<Jsonl>(&config).unwrap(), [""; 0]);
    drop(host.open_exporter::<Jsonl>(&config).unwrap());
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
}

#[test]
fn a_check_says_what_a_run_would_fail_with() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("file"), "").unwrap();
    let check = |path: &str, columns: &[&str]| {
        let config = json!({ "path": home.path().join(path), "columns": columns });
        TestHost::new()
            .check_exporter::<Jsonl>(&config)
            .unwrap_err()
    };
    let error = check("file/readings.jsonl", &["value"]);
    assert!(
        error.message.starts_with("cannot write in folder"),
        "{error}"
    );
    for (path, columns, key) in [
        ("", &["value"][..], "path"),
        ("a.jsonl", &["valeu"], "columns"),
        ("a.jsonl", &["raw"], "columns"),
        ("a.jsonl", &[], "columns"),
    ] {
        let error = check(path, columns);
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
    let path = home.path().join("readings.jsonl");
    let host = TestHost::new();
    let config = json!({ "path": path, "columns": ["value", "unit"] });
    let mut sink = host.open_exporter::<Jsonl>(&config).unwrap();
    for _ in 0..2 {
        sink.write(&[table(2, Form::Words, &[])]).unwrap();
    }
    let report = sink.commit().unwrap();
    assert_eq!(report.delivered, 4);
    assert_eq!(report.bytes, fs::metadata(&path).unwrap().len());
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text, "{\"value\":93,\"unit\":\"mg/dL\"}\n".repeat(4));
    assert_eq!(host.progress().last().unwrap().done, 4);
    assert!(host.log().is_empty());
}

#[test]
fn no_readings_are_an_empty_file() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("readings.jsonl");
    let host = TestHost::new();
    let mut sink = host
        .open_exporter::<Jsonl>(&json!({ "path": path }))
        .unwrap();
    assert_eq!(sink.commit().unwrap().delivered, 0);
    assert_eq!(fs::read(&path).unwrap(), b"");
}

#[test]
fn a_cancelled_write_or_commit_leaves_nothing() {
    let home = tempfile::tempdir().unwrap();
    let config = json!({ "path": home.path().join("readings.jsonl") });
    for questions in 0..3 {
        let host = TestHost::new();
        host.cancel_after(questions);
        let mut sink = host.open_exporter::<Jsonl>(&config).unwrap();
        let written = sink.write(&[table(2, Form::Words, &[])]);
        assert_eq!(written.is_ok(), questions == 2);
        let outcome = written.and_then(|()| sink.commit());
        assert_eq!(outcome.unwrap_err().status, Status::Cancelled);
        drop(sink);
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
    }
}

#[test]
fn what_it_wants_follows_from_the_mode_and_needs_the_columns() {
    let host = TestHost::new();
    for (mode, wants) in [
        ("replace", Wants::Everything),
        ("append", Wants::New),
        ("merge", Wants::Revised),
    ] {
        let config = json!({ "path": "a.jsonl", "mode": mode });
        assert_eq!(host.exporter_wants::<Jsonl>(&config).unwrap(), wants);
    }
    let config = json!({ "path": "a.jsonl", "mode": "append", "columns": ["value"] });
    let error = host.exporter_wants::<Jsonl>(&config).unwrap_err();
    assert_eq!(error.key.as_deref(), Some("columns"));
    assert_eq!(
        error.message,
        "`mode = \"append\"` needs the column `reading_id`"
    );
}

/// A batch with these ids, which are their keys too.
fn with_ids(ids: &[&str]) -> RecordBatch {
    let cells: Vec<_> = ids.iter().map(|&id| Some(id)).collect();
    let columns = [("reading_id", texts(&cells)), ("record_key", texts(&cells))];
    table(ids.len(), Form::Words, &columns)
}

#[test]
fn lines_come_to_what_is_there() {
    let line = |id: &str, value: &str| {
        format!(
            "{{\"reading_id\":\"{id}\",\"local_time\":\"2024-03-01T07:15:00\",\"record_key\":\"{id}\",\
             \"value\":{value}}}\n"
        )
    };
    let before = [line("a", "\"mine\""), line("c", "1")].concat();
    for (mode, expected) in [
        (
            "merge",
            [line("a", "\"mine\""), line("b", "93"), line("c", "93")],
        ),
        (
            "append",
            [line("a", "\"mine\""), line("c", "1"), line("b", "93")],
        ),
    ] {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("readings.jsonl");
        fs::write(&path, &before).unwrap();
        let columns = ["reading_id", "local_time", "record_key", "value"];
        let config = json!({ "path": path, "mode": mode, "columns": columns });
        let host = TestHost::new();
        let rows = [with_ids(&["b", "c"])];
        let seen = host
            .preview_export::<Jsonl>(&config, &rows)
            .unwrap()
            .unwrap();
        let mut sink = host.open_exporter::<Jsonl>(&config).unwrap();
        sink.write(&rows).unwrap();
        let report = sink.commit().unwrap();
        assert_eq!((report.delivered, report.already_there), (1, 1));
        assert_eq!(seen.report, report);
        assert_eq!(fs::read_to_string(&path).unwrap(), expected.concat());
    }
}

#[test]
fn a_file_that_is_not_ours_is_left_alone() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("readings.jsonl");
    for text in [
        "reading_id,value\n",
        "{\"reading_id\":\"a\"}\n",
        "{\"reading_id\":",
    ] {
        fs::write(&path, text).unwrap();
        let host = TestHost::new();
        let config = json!({ "path": path, "mode": "append" });
        let mut sink = host.open_exporter::<Jsonl>(&config).unwrap();
        let error = sink.write(&[with_ids(&["b"])]).unwrap_err();
        assert_eq!(error.status, Status::Precondition, "{error}");
        assert!(error.message.contains("JSON Lines file"), "{error}");
        drop(sink);
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
}
