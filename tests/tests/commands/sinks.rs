//! Several sources and sinks: who is served when something fails, and each reading once.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{json, with};
use crate::support::shown;
use crate::table::csv;

/// What a file holds before the run.
const BEFORE: &str = "from before\n";

fn source(name: &str, query: &str) -> String {
    format!("[sources.{name}]\ndevice = \"virtual:contour-next-usb?records=20&{query}\"\n")
}

fn sink(name: &str, inputs: &str, path: &str) -> String {
    format!("[sinks.{name}]\nexporter = \"csv\"\ninputs = [{inputs}]\npath = \"{path}\"\n")
}

/// A sink that cannot write fails alone: the other is served, and the exit code is 1.
#[test]
fn one_sink_fails_and_the_other_is_served() {
    let good = sink("good", "\"meter\"", "good.csv");
    for (name, path) in [("folder", "taken"), ("file", "file/sheet.csv")] {
        let bad = sink("bad", "\"meter\"", path);
        let workspace = with(&[source("meter", ""), bad, good.clone()].concat());
        std::fs::create_dir(workspace.path().join("taken")).expect("a folder");
        workspace.write("file", BEFORE);
        let finished = workspace.run(&["run", "--report", "-"]);
        assert_eq!(finished.code, 1, "{}", finished.stderr);
        let report = json(&finished);
        assert_eq!(report["outcome"], "partial");
        let codes: Vec<&Value> = [0, 1]
            .map(|at| &report["sinks"][at]["error"]["code"])
            .into_iter()
            .collect();
        assert!(
            codes[0]
                .as_str()
                .is_some_and(|code| code.starts_with("GP05")),
            "{path}: {codes:?}"
        );
        assert!(codes[1].is_null());
        let sheet = workspace.read("good.csv").expect("a sheet");
        assert_eq!(csv(&sheet).rows.len(), 20);
        assert_eq!(workspace.read("file").as_deref(), Some(BEFORE));
        let said = shown(&workspace, &workspace.run(&["run"]));
        insta::assert_snapshot!(format!("one-sink-fails-{name}"), said);
    }
}

/// When no sink can deliver the exit code is 6.
#[test]
fn all_sinks_fail() {
    let sinks = [
        sink("one", "\"meter\"", "pipeline.toml/one.csv"),
        sink("two", "\"meter\"", "pipeline.toml/two.csv"),
    ];
    let workspace = with(&[source("meter", ""), sinks.concat()].concat());
    let finished = workspace.run(&["run"]);
    assert_eq!(finished.code, 6, "{}", finished.stderr);
    assert_eq!(
        finished.stderr.matches("error[GP0502]").count(),
        2,
        "{}",
        finished.stderr
    );
}

/// Two meters into one file: all readings of both.
#[test]
fn two_sources_feed_one_sink() {
    let text = [
        source("hers", "serial=1000001"),
        source("his", "serial=1000002"),
        sink("sheet", "\"hers\", \"his\"", "sheet.csv"),
    ];
    let workspace = with(&text.concat());
    let finished = workspace.run(&["run"]);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    let table = csv(&workspace.read("sheet.csv").expect("a sheet"));
    let unique = |column| {
        table
            .texts(column)
            .into_iter()
            .collect::<BTreeSet<_>>()
            .len()
    };
    assert_eq!(
        (
            table.rows.len(),
            unique("reading_id"),
            unique("device_serial")
        ),
        (40, 40, 2)
    );
    let order: Vec<_> = (0..40)
        .map(|row| {
            (
                format!("{:?}", table.get(row, "local_time")),
                table.get(row, "record_key").str(),
            )
        })
        .collect();
    assert!(order.is_sorted());
}

/// The same reading on two ways into one sink is delivered once.
#[test]
fn a_reading_that_comes_twice_is_delivered_once() {
    let filter = |name: &str, kinds: &str| {
        format!("[transforms.{name}]\ntype = \"filter\"\ninputs = [\"meter\"]\nkinds = [{kinds}]\n")
    };
    let text = [
        source("meter", ""),
        filter("all", "\"glucose\", \"control\", \"insulin\", \"carbs\""),
        filter("glucose", "\"glucose\""),
        sink("sheet", "\"all\", \"glucose\", \"meter\"", "sheet.csv"),
    ];
    let workspace = with(&text.concat());
    let finished = workspace.run(&["run", "--report", "-"]);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    let table = csv(&workspace.read("sheet.csv").expect("a sheet"));
    let ids: BTreeSet<&str> = table.texts("reading_id").into_iter().collect();
    assert_eq!((table.rows.len(), ids.len()), (20, 20));
    let report = json(&finished);
    assert_eq!(report["sinks"][0]["offered"], 20);
    assert!(
        report["sinks"][0]["doubled"]
            .as_u64()
            .is_some_and(|doubled| doubled > 20)
    );
}

/// A source that fails takes nothing from the others: they are delivered, exit code 1; a sink that
/// only it feeds keeps what it has.
#[test]
fn one_source_fails_and_the_other_is_delivered() {
    let text = [
        source("dumb", "fault=mute"),
        source("fine", "serial=1000002"),
        sink("both", "\"dumb\", \"fine\"", "both.csv"),
        sink("alone", "\"dumb\"", "alone.csv"),
    ];
    let workspace = with(&text.concat());
    workspace.write("alone.csv", BEFORE);
    let finished = workspace.run(&["run", "--report", "-"]);
    assert_eq!(finished.code, 1, "{}", finished.stderr);
    let table = csv(&workspace.read("both.csv").expect("a sheet"));
    assert_eq!(table.rows.len(), 20);
    assert_eq!(workspace.read("alone.csv").as_deref(), Some(BEFORE));
    let report = json(&finished);
    let status = |at: usize| &report["sources"][at]["status"];
    assert_eq!(
        (status(0), status(1)),
        (&"failed".into(), &"complete".into())
    );
}

/// All sources fail: the exit code is that of the first, and every file stays.
#[test]
fn all_sources_fail() {
    let text = [
        source("dumb", "fault=mute"),
        source("gone", "fault=unplug:0"),
        sink("sheet", "\"dumb\", \"gone\"", "sheet.csv"),
    ];
    let workspace = with(&text.concat());
    workspace.write("sheet.csv", BEFORE);
    let finished = workspace.run(&["run"]);
    assert_eq!(finished.code, 7, "{}", finished.stderr);
    assert_eq!(workspace.read("sheet.csv").as_deref(), Some(BEFORE));
}

/// An empty meter is no failure: the file has its header line.
#[test]
fn an_empty_meter_is_complete() {
    let text = source("meter", "").replace("records=20", "records=0");
    let workspace = with(&[text, sink("sheet", "\"meter\"", "sheet.csv")].concat());
    let finished = workspace.run(&["run"]);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    assert_eq!(
        csv(&workspace.read("sheet.csv").expect("a sheet"))
            .rows
            .len(),
        0
    );
}
