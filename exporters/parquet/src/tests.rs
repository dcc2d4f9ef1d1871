//! The exporter behind its table.

use glucopipe_sdk::testing::{Form, TestHost, config_table};
use glucopipe_sdk::{Status, serde_json};

use super::*;
use crate::fixtures::{batch, batch_of, rows};

#[test]
fn a_path_is_enough_and_opening_writes_nothing() {
    let home = tempfile::tempdir().unwrap();
    for name in ["out", "out.parquet"] {
        let config = serde_json::json!({ "path": home.path().join(name) });
        TestHost::new().open_exporter::<Parquet>(&config).unwrap();
    }
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
}

#[test]
fn a_file_wants_everything_and_a_data_set_what_is_new() {
    let host = TestHost::new();
    for (path, wanted) in [("out/all.parquet", Wants::Everything), ("out", Wants::New)] {
        let config = serde_json::json!({ "path": path });
        assert_eq!(host.exporter_wants::<Parquet>(&config).unwrap(), wanted);
    }
    let config = serde_json::json!({ "path": "all.parquet", "partition_by": ["year"] });
    let error = host.exporter_wants::<Parquet>(&config).unwrap_err();
    assert_eq!(error.key.as_deref(), Some("partition_by"));
}

#[test]
fn a_check_says_what_a_run_would_fail_with_and_writes_nothing() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("file"), "").unwrap();
    std::fs::create_dir_all(home.path().join("set/year=2024")).unwrap();
    std::fs::write(home.path().join("set/year=2024/a.parquet"), "").unwrap();
    let check = |path: &str| {
        let config = serde_json::json!({ "path": home.path().join(path) });
        TestHost::new().check_exporter::<Parquet>(&config)
    };
    for path in ["out/readings", "out/all.parquet"] {
        assert_eq!(check(path).unwrap(), [""; 0]);
    }
    assert!(!home.path().join("out").exists());
    for (path, message) in [
        ("file", "is a file, expected a folder"),
        ("file/readings", "cannot write in folder"),
        ("set", "is partitioned by `year`, expected not partitioned"),
    ] {
        let error = check(path).unwrap_err();
        assert!(error.message.contains(message), "{error}");
    }
}

#[test]
fn the_page_of_sinks_has_the_keys() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/sinks.md");
    let table = config_table::<Config>();
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.contains(&table), "docs/sinks.md lacks this:\n{table}");
}

#[test]
fn delivers_through_its_table() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("readings.parquet");
    let host = TestHost::new();
    let config = serde_json::json!({ "path": path });
    let mut sink = host.open_exporter::<Parquet>(&config).unwrap();
    for _ in 0..2 {
        sink.write(&[batch(2, Form::Words, &[])]).unwrap();
    }
    let report = sink.commit().unwrap();
    assert_eq!(report.delivered, 4);
    assert_eq!(report.bytes, std::fs::metadata(&path).unwrap().len());
    assert_eq!(host.progress().last().unwrap().done, 4);
}

#[test]
fn a_preview_says_what_a_run_would_do_and_does_nothing() {
    let home = tempfile::tempdir().unwrap();
    let host = TestHost::new();
    let old = batch_of(&rows("A", None, 0..4));
    let more = batch_of(&rows("A", None, 2..40));
    for (name, target, lines) in [
        (
            "set",
            "set",
            vec!["would make 2 files in [HOME]/set: 36 readings"],
        ),
        (
            "all.parquet",
            "all.parquet",
            vec!["would replace [HOME]/all.parquet: 38 readings"],
        ),
    ] {
        let mut config = serde_json::json!({ "path": home.path().join(name) });
        if name == "set" {
            config["partition_by"] = serde_json::json!(["year", "month"]);
        }
        let first = host.preview_export::<Parquet>(&config, std::slice::from_ref(&old));
        assert_eq!(first.unwrap().unwrap().report.delivered, 4);
        assert!(!home.path().join(name).exists());
        let mut sink = host.open_exporter::<Parquet>(&config).unwrap();
        sink.write(std::slice::from_ref(&old)).unwrap();
        sink.commit().unwrap();
        let preview = host.preview_export::<Parquet>(&config, std::slice::from_ref(&more));
        let preview = preview.unwrap().unwrap();
        let report = preview.report;
        assert_eq!(report.delivered + report.already_there, 38);
        let target = home.path().join(target).display().to_string();
        assert_eq!(report.targets, [target]);
        let home = home.path().display().to_string();
        let said: Vec<_> = preview
            .lines
            .iter()
            .map(|line| line.replace(&home, "[HOME]"))
            .collect();
        assert_eq!(said, lines);
    }
}

#[test]
fn a_cancelled_write_or_commit_leaves_nothing() {
    for (name, questions) in [("readings.parquet", 3), ("readings", 5)] {
        let home = tempfile::tempdir().unwrap();
        let config = serde_json::json!({ "path": home.path().join(name) });
        for asked in 0..questions {
            let host = TestHost::new();
            host.cancel_after(asked);
            let mut sink = host.open_exporter::<Parquet>(&config).unwrap();
            let written = sink.write(&[batch_of(&rows("A", None, 0..2))]);
            assert_eq!(written.is_ok(), asked == questions - 1, "{name} {asked}");
            let outcome = written.and_then(|()| sink.commit());
            assert_eq!(outcome.unwrap_err().status, Status::Cancelled);
            drop(sink);
            assert_eq!(
                std::fs::read_dir(home.path()).unwrap().count(),
                0,
                "{name} {asked}"
            );
        }
    }
}
