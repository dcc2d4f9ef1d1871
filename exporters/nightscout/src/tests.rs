//! The exporter through its table, and its page. What needs a site is in the whole-program tests.

use std::fs;

use glucopipe_sdk::Status;
use glucopipe_sdk::serde_json::{Value, json};
use glucopipe_sdk::testing::{Form, TestHost, config_table, table, texts};

use super::*;

/// A port where nobody listens.
const NOBODY: &str = "http://127.0.0.1:9";

fn config(changes: &Value) -> Value {
    let mut config = json!({
        "url": NOBODY,
        "token": "glucopipe-0123456789abcdef",
        "retries": 0,
    });
    for (key, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(config.as_object_mut().unwrap().remove(key)),
            value => config[key] = value.clone(),
        }
    }
    config
}

#[test]
fn the_page_of_sinks_has_the_keys() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/sinks.md");
    let table = config_table::<Config>();
    let page = fs::read_to_string(page).unwrap();
    assert!(page.contains(&table), "docs/sinks.md lacks this:\n{table}");
}

#[test]
fn keys_that_cannot_work_are_refused_before_anything_is_asked() {
    for (changes, key, word) in [
        (json!({ "url": "nowhere" }), "url", "expected the address"),
        (
            json!({ "url": "http://night.example.org" }),
            "url",
            "allow_insecure",
        ),
        (json!({ "token": null }), "token", "neither"),
        (json!({ "api_secret": "0123456789ab" }), "token", "both"),
        (
            json!({ "token": "hidden" }),
            "token",
            "16 hexadecimal digits",
        ),
        (
            json!({ "token": "../x-0123456789abcdef" }),
            "token",
            "16 hexadecimal digits",
        ),
        (
            json!({ "token": null, "api_secret": "hidden", "api": 3 }),
            "api_secret",
            "tokens",
        ),
    ] {
        let config = config(&changes);
        let host = TestHost::new();
        let open = host.open_exporter::<Nightscout>(&config).err();
        for error in [host.check_exporter::<Nightscout>(&config).err(), open] {
            let error = error.unwrap();
            assert_eq!(error.status, Status::InvalidArgument, "{error}");
            assert_eq!(error.key.as_deref(), Some(key), "{error}");
            assert!(error.message.contains(word), "{error}");
            assert!(!error.message.contains("hidden"), "{error}");
        }
    }
}

#[test]
fn the_api_is_a_word_or_a_number() {
    for (api, expected) in [
        (json!("auto"), Api::Auto),
        (json!(1), Api::V1),
        (json!(3), Api::V3),
    ] {
        assert_eq!(
            glucopipe_sdk::serde_json::from_value::<Api>(api).unwrap(),
            expected
        );
    }
    for bad in [json!(2), json!("v1"), json!(null), json!(1.5)] {
        assert!(glucopipe_sdk::serde_json::from_value::<Api>(bad).is_err());
    }
}

#[test]
fn opening_asks_nothing_and_no_readings_are_no_request() {
    let host = TestHost::new();
    let mut sink = host
        .open_exporter::<Nightscout>(&config(&json!({})))
        .unwrap();
    sink.write(&[]).unwrap();
    let report = sink.commit().unwrap();
    assert_eq!(report, glucopipe_sdk::exporter::CommitReport::default());
}

/// Refused before the site is asked for anything, in a dry run too.
#[test]
fn readings_of_several_persons_need_a_word() {
    let host = TestHost::new();
    let persons = texts(&[Some("anna"), Some("ben")]);
    let batch = table(2, Form::Words, &[("person", persons)]);
    let strict = config(&json!({}));
    let previewed = host.preview_export::<Nightscout>(&strict, std::slice::from_ref(&batch));
    let mut sink = host.open_exporter::<Nightscout>(&strict).unwrap();
    let written = sink.write(std::slice::from_ref(&batch));
    for error in [previewed.map(drop).unwrap_err(), written.unwrap_err()] {
        assert_eq!(error.status, Status::Precondition, "{error}");
        assert!(error.message.contains("`filter` transform"), "{error}");
    }
    let loose = config(&json!({ "allow_several_persons": true }));
    let mut sink = host.open_exporter::<Nightscout>(&loose).unwrap();
    sink.write(&[batch]).unwrap();
}

#[test]
fn nobody_there_is_said_so() {
    let host = TestHost::new();
    let error = host
        .check_exporter::<Nightscout>(&config(&json!({})))
        .unwrap_err();
    assert_eq!(error.message, "nothing listens at 127.0.0.1:9");
    assert!(error.retryable);
}
