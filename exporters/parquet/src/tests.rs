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

/// The preview, and the same run after it, which does what was said.
#[test]
fn a_preview_says_what_a_run_does_and_does_nothing() {
    let host = TestHost::new();
    let batches = [
        batch_of(&rows("0012", None, 0..4)),
        batch_of(&rows("0012", None, 2..40)),
        batch_of(&rows("0012", None, 39..41)),
    ];
    let expected = [
        [
            "would make 1 file in [HOME]/set: 4 readings; [N] bytes + would make [HOME]/readings.json",
            "would make 1 file in [HOME]/set: 36 readings; [N] bytes + would merge 2 small files into 1 in [HOME]/set",
            "would make 1 file in [HOME]/set: 1 reading; [N] bytes + would merge 2 small files into 1 in [HOME]/set",
        ],
        [
            // One of types.
            "would make 2 files in [HOME]/set: 4 readings; [N] bytes + would make [HOME]/readings.json",
            "would make 2 files in [HOME]/set: 36 readings; [N] bytes + would merge 2 small files into 1 in [HOME]/set",
            "would make 1 file in [HOME]/set: 1 reading; [N] bytes + would merge 2 small files into 1 in [HOME]/set",
        ],
        [
            "would make [HOME]/all.parquet: 4 readings; [N] bytes",
            "would replace [HOME]/all.parquet: 38 readings; [N] bytes",
            "would replace [HOME]/all.parquet: 2 readings; [N] bytes",
        ],
    ];
    for (at, expected) in expected.iter().enumerate() {
        let home = tempfile::tempdir().unwrap();
        let mut config = serde_json::json!({ "path": home.path().join("set"), "compact": true });
        match at {
            0 => {}
            1 => config["partition_by"] = serde_json::json!(["device_serial", "year", "month"]),
            _ => config = serde_json::json!({ "path": home.path().join("all.parquet") }),
        }
        for (batch, expected) in batches.iter().zip(expected) {
            let names = || {
                let entries = std::fs::read_dir(home.path()).unwrap();
                let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
                names.sort();
                names
            };
            let before = names();
            let seen = host.preview_export::<Parquet>(&config, std::slice::from_ref(batch));
            let seen = seen.unwrap().unwrap();
            assert_eq!(names(), before);
            let said = seen.lines.join(" + ");
            let said = said.replace(&home.path().display().to_string(), "[HOME]");
            let said = said.replace(&format!("; {} bytes", seen.report.bytes), "; [N] bytes");
            assert_eq!(&said, expected, "{at}");

            // Without merging, whose bytes are those of files that are not there yet.
            let mut plain = config.clone();
            plain["compact"] = false.into();
            let mut sink = host.open_exporter::<Parquet>(&plain).unwrap();
            sink.write(std::slice::from_ref(batch)).unwrap();
            assert_eq!(sink.commit().unwrap(), seen.report, "{at}");
            drop(sink);
            if at < 2 {
                let mut sink = host.open_exporter::<Parquet>(&config).unwrap();
                sink.commit().unwrap();
            }
        }
        if at < 2 {
            let seen = host.preview_export::<Parquet>(&config, std::slice::from_ref(&batches[0]));
            assert_eq!(seen.unwrap().unwrap().lines, [""; 0]);
        }
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
