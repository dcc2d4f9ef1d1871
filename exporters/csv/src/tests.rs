//! The exporter through its table, and its page.

use std::fs;

use glucopipe_sdk::exporter::Wants;
use glucopipe_sdk::serde_json::{Value, json};
use glucopipe_sdk::testing::{Form, TestHost, config_table, table, texts};
use glucopipe_sdk::{Error, Result, Status};

use super::*;

fn refusal(config: &Value) -> Error {
    let host = TestHost::new();
    let error = host.exporter_wants::<Csv>(config).unwrap_err();
    // Whoever does not ask what it wants gets the same.
    assert_eq!(host.open_exporter::<Csv>(config).err(), Some(error.clone()));
    error
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
fn what_it_wants_follows_from_the_mode() {
    let host = TestHost::new();
    for (mode, wants) in [
        ("replace", Wants::Everything),
        ("append", Wants::New),
        ("merge", Wants::Revised),
    ] {
        let config = json!({ "path": "a.csv", "mode": mode, "profile": "excel" });
        assert_eq!(host.exporter_wants::<Csv>(&config).unwrap(), wants);
    }
}

#[test]
fn keys_that_do_not_go_together_are_refused_before_anything_is_read() {
    for (key, config) in [
        ("columns", json!({ "columns": ["valeu"] })),
        (
            "columns",
            json!({ "columns": ["value"], "profile": "iglu" }),
        ),
        ("columns", json!({ "columns": ["value"], "mode": "append" })),
        ("mode", json!({ "profile": "libreview", "mode": "merge" })),
        ("unit", json!({ "unit": "mg/dL" })),
        ("unit", json!({ "unit": "mg/dL", "profile": "iglu" })),
        (
            "factor",
            json!({ "factor": 18, "profile": "glucometerutils" }),
        ),
        ("factor", json!({ "factor": 18.02, "profile": "iglu" })),
        ("out_of_range", json!({ "out_of_range": "skip" })),
        (
            "out_of_range",
            json!({ "out_of_range": "infinity", "profile": "iglu" }),
        ),
        ("separator", json!({ "separator": ";" })),
        (
            "separator",
            json!({ "separator": ",", "decimal": "comma", "profile": "excel" }),
        ),
        ("decimal", json!({ "decimal": "comma" })),
        (
            "line_end",
            json!({ "line_end": "lf", "profile": "clarity" }),
        ),
        ("bom", json!({ "bom": true, "profile": "clarity" })),
        ("times", json!({ "times": "plain", "profile": "iglu" })),
        ("ketones", json!({ "ketones": true, "profile": "iglu" })),
        (
            "date_format",
            json!({ "date_format": "MM-DD-YYYY", "profile": "iglu" }),
        ),
        (
            "event_type",
            json!({ "event_type": "EGV", "profile": "libreview" }),
        ),
    ] {
        let mut all = json!({ "path": "a.csv" });
        for (key, value) in config.as_object().unwrap() {
            all[key] = value.clone();
        }
        let error = refusal(&all);
        assert_eq!(error.key.as_deref(), Some(key), "{error}");
        assert_eq!(error.status, Status::InvalidArgument);
    }
    // A path is looked at when it is opened.
    let error = TestHost::new().open_exporter::<Csv>(&json!({ "path": "out/" }));
    assert_eq!(error.err().unwrap().key.as_deref(), Some("path"));
}

#[test]
fn refusals_say_what_to_do() {
    let messages: Vec<String> = [
        json!({ "unit": "mg/dL" }),
        json!({ "unit": "mg/dL", "profile": "iglu" }),
        json!({ "columns": ["value"], "profile": "iglu" }),
        json!({ "columns": ["value", "reading_id"], "mode": "merge" }),
        json!({ "profile": "libreview", "mode": "merge" }),
        json!({ "out_of_range": "infinity", "profile": "iglu" }),
        json!({ "separator": ",", "decimal": "comma", "profile": "excel" }),
    ]
    .into_iter()
    .map(|mut config| {
        config["path"] = "a.csv".into();
        refusal(&config).message
    })
    .collect();
    assert_eq!(
        messages,
        [
            "`unit` goes with the profile `glucometerutils`, `libreview` or `clarity`, not with `canonical`; \
             a transform of type `units` converts readings before the sink",
            "`unit` goes with the profile `glucometerutils`, `libreview` or `clarity`, not with `iglu`, \
             which is always in mg/dL",
            "`columns` goes with the profile `canonical` or `excel`, not with `iglu`",
            "`mode = \"merge\"` needs the column `local_time`",
            "`mode = \"merge\"` needs rows that say which reading they are, which those of the profile \
             `libreview` do not; `replace` writes all that is known at each run",
            "the profile `iglu` has `na`, `limit` or `skip`, not `infinity`",
            "a comma cannot be in numbers and between them; \
             leave `separator` out for `;`, or choose a tab",
        ]
    );
}

#[test]
fn every_key_has_its_word_in_the_refusals() {
    let keys = glucopipe_sdk::schemars::schema_for!(Config).to_value();
    let all = keys["properties"].as_object().unwrap().keys();
    let everywhere = ["path", "mode", "profile", "excel_safe"];
    let source = include_str!("options.rs");
    for key in all.filter(|key| !everywhere.contains(&key.as_str())) {
        assert!(source.contains(&format!("\"{key}\",")), "{key}");
    }
}

#[test]
fn sensor_values_are_warned_of() {
    let home = tempfile::tempdir().unwrap();
    let mut config = json!({ "path": home.path().join("a.csv"), "profile": "clarity" });
    for (event, warned) in [("calibration", false), ("EGV", true)] {
        config["event_type"] = event.into();
        let host = TestHost::new();
        let remarks = host.check_exporter::<Csv>(&config).unwrap();
        assert_eq!(remarks.iter().any(|text| text.contains("sensor")), warned);
        drop(host.open_exporter::<Csv>(&config).unwrap());
        assert_eq!(host.log().iter().any(|line| line.level == 2), warned);
    }
}

#[test]
fn a_preview_says_what_would_be_written() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("a.csv");
    let config = json!({ "path": path, "profile": "iglu" });
    let kinds = texts(&[Some("control"), Some("glucose")]);
    let rows = table(2, Form::Words, &[("kind", kinds)]);
    let host = TestHost::new();
    let seen = host
        .preview_export::<Csv>(&config, &[rows])
        .unwrap()
        .unwrap();
    assert_eq!((seen.report.delivered, seen.report.left_out), (1, 1));
    let path = path.display();
    assert_eq!(
        seen.lines,
        [
            format!("would make {path}: 1 reading, 1 without a place in it; 36 bytes"),
            "profile `iglu`: glucose in mg/dL, factor 18.01559; \
             readings without a place in it: 1 (1 control)"
                .to_owned(),
        ]
    );
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
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
    assert!(line.text.ends_with("without a place in it: 1 (1 control)"));
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

/// The sink `mode` on a file with this text: what becomes of it, or why not.
fn added(mode: &str, profile: &str, before: &str, ids: &[&str]) -> Result<String> {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("readings.csv");
    fs::write(&path, before).unwrap();
    let config = json!({
        "path": path, "mode": mode, "profile": profile,
        "columns": ["reading_id", "local_time", "record_key", "notes"],
    });
    let host = TestHost::new();
    let mut sink = host.open_exporter::<Csv>(&config).unwrap();
    let cells: Vec<_> = ids.iter().map(|&id| Some(id)).collect();
    let columns = [("reading_id", texts(&cells)), ("record_key", texts(&cells))];
    let outcome = sink
        .write(&[table(ids.len(), Form::Words, &columns)])
        .and_then(|()| sink.commit());
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
    match outcome {
        Ok(report) => {
            assert_eq!(report.delivered + report.already_there, ids.len() as u64);
            Ok(text)
        }
        Err(error) => {
            assert_eq!(text, before);
            Err(error)
        }
    }
}

const HEAD: &str = "reading_id,local_time,record_key,notes\n";

#[test]
fn rows_of_the_file_stay_as_they_are() {
    let rows =
        "a,2024-03-01T07:15:00,a,\"old, \"\"kept\"\"\nhere\"\nz,2024-03-01T07:15:00,z,mine\n";
    let file = format!("{HEAD}{rows}");
    assert_eq!(
        added("merge", "canonical", &file, &["b", "z"]).unwrap(),
        format!(
            "{HEAD}a,2024-03-01T07:15:00,a,\"old, \"\"kept\"\"\nhere\"\n\
             b,2024-03-01T07:15:00,b,\nz,2024-03-01T07:15:00,z,\n"
        )
    );
    assert_eq!(
        added("append", "canonical", &file, &["b", "z"]).unwrap(),
        format!("{file}b,2024-03-01T07:15:00,b,\n")
    );
    let excel = format!("\u{feff}{file}")
        .replace('\n', "\r\n")
        .replace("\r\nhere", "\nhere");
    assert_eq!(
        added("append", "excel", &excel, &["z", "=1"]).unwrap(),
        format!("{excel}'=1,2024-03-01T07:15:00,'=1,\r\n")
    );
}

#[test]
fn a_file_that_another_program_saved_is_left_alone() {
    let row = "a,2024-03-01T07:15:00,a,\n";
    for (file, line, why) in [
        (
            format!("\u{feff}{HEAD}{row}"),
            1,
            "a byte order mark that another program put there",
        ),
        (
            HEAD.replace('\n', "\r\n") + row,
            1,
            "line ends of another program",
        ),
        (HEAD.replace("record_key,", ""), 1, "no column `record_key`"),
        (
            HEAD.replace("notes", "value"),
            1,
            "no column `notes`, and a column `value` that this sink has not",
        ),
        (
            HEAD.replace("record_key,notes", "notes,record_key"),
            1,
            "the columns of this sink in another order",
        ),
        (HEAD.trim_end().to_owned(), 1, "a header alone, cut off"),
        (
            "93 mg/dL at breakfast\n".to_owned(),
            1,
            "no header of this sink",
        ),
        (HEAD.replace(',', ";"), 1, "no header of this sink"),
        (
            format!("{HEAD}{row}{}", row.trim_end()),
            3,
            "its last line has no end",
        ),
        (
            format!("{HEAD}{row}a,2024-03-01T07:15:00,a,\"half\n"),
            3,
            "its last line has no end",
        ),
        (
            HEAD.to_owned() + &row.replace('\n', "\r\n"),
            2,
            "line ends of another program",
        ),
        (
            format!("{HEAD}\"a\",2024-03-01T07:15:00,a,\n"),
            2,
            "a cell in quotes that needs none: another program saved it",
        ),
        (
            format!("{HEAD}a,2024-03-01T07:15:00,a\n"),
            2,
            "a row with other cells than the header",
        ),
        (
            format!("{HEAD}a,2024-03-01T07:15:00,a,,\n"),
            2,
            "a row with other cells than the header",
        ),
        (
            format!("{HEAD}a,2024-03-01T07:15:00,a,x\"y\n"),
            2,
            "a quote in a cell without quotes",
        ),
        (
            format!("{HEAD}a,2024-03-01T07:15:00,a,\",\"y\n"),
            2,
            "a quote in a cell without quotes",
        ),
        (
            format!("{HEAD}a,01/03/2024 07:15,a,\n"),
            2,
            "a `local_time` that is not as this sink writes it",
        ),
    ] {
        for mode in ["append", "merge"] {
            let error = added(mode, "canonical", &file, &["b"]).unwrap_err();
            assert_eq!(error.status, Status::Precondition);
            let expected =
                format!(": line {line}: {why}; move it away, or use `mode = \"replace\"`");
            assert!(error.message.ends_with(&expected), "{error}\n{expected}");
            assert!(!error.message.contains("breakfast"));
        }
    }
    let error = added("merge", "excel", &format!("{HEAD}{row}"), &["b"]).unwrap_err();
    assert!(
        error.message.contains("the byte order mark is missing"),
        "{error}"
    );
}

#[test]
fn replace_does_not_mind_what_is_there() {
    let text = added("replace", "canonical", "anything", &["b"]).unwrap();
    assert_eq!(text, format!("{HEAD}b,2024-03-01T07:15:00,b,\n"));
}
