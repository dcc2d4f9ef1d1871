//! Upload of 5,000 readings to the stand-in: requests and wall time, first, again, and for one reading.

#![allow(clippy::print_stdout)] // printing is its duty

use std::time::Instant;

use glucopipe_exporter_nightscout::Nightscout;
use glucopipe_sdk::testing::{Form, TestHost, moments, table, texts};
use glucopipe_tests_nightscout::{API_SECRET, Site, TOKEN};
use serde_json::{Value, json};

const READINGS: usize = 5000;
/// 2026-05-30 18:05 in Berlin.
const LAST_US: i64 = 1_780_157_100_000_000;
/// Six readings a day.
const STEP_US: i64 = 4 * 3600 * 1_000_000;

fn main() {
    let ids: Vec<String> = (0..READINGS).map(|n| format!("reading-{n}")).collect();
    let ids: Vec<Option<&str>> = ids.iter().map(|id| Some(id.as_str())).collect();
    let first = LAST_US - STEP_US * i64::try_from(READINGS).unwrap_or_default();
    let times: Vec<Option<i64>> = (0..READINGS)
        .map(|n| Some(first + STEP_US * i64::try_from(n).unwrap_or_default()))
        .collect();
    let all = table(
        READINGS,
        Form::Words,
        &[("reading_id", texts(&ids)), ("time", moments(&times))],
    );
    for (name, keys) in [
        ("API 1, API secret", json!({ "api_secret": API_SECRET })),
        (
            "API 1, both",
            json!({ "api_secret": API_SECRET, "mode": "both" }),
        ),
        ("API 3, token", json!({ "token": TOKEN, "api": 3 })),
    ] {
        let site = Site::start();
        let mut config: Value = keys;
        config["url"] = json!(site.url());
        // Everything; everything again; one reading, as a run of every day has it.
        for (run, readings) in [
            ("first", all.clone()),
            ("again", all.clone()),
            ("one", all.slice(READINGS - 1, 1)),
        ] {
            let before = site.requests().len();
            let started = Instant::now();
            let host = TestHost::new();
            let mut sink = host.open_exporter::<Nightscout>(&config).expect("a sink");
            sink.write(std::slice::from_ref(&readings))
                .expect("readings");
            let report = sink.commit().expect("an upload");
            assert_eq!(
                report.delivered + report.already_there,
                readings.num_rows() as u64
            );
            println!(
                "{name:20} {run:6} {:4} readings: {:5} requests, {:7.1} kB sent, {:6.0} ms",
                readings.num_rows(),
                site.requests().len() - before,
                f64::from(u32::try_from(report.bytes).unwrap_or(u32::MAX)) / 1000.0,
                started.elapsed().as_secs_f64() * 1000.0,
            );
        }
    }
}
