//! Contour meters that misbehave.

use std::collections::BTreeSet;

use glucopipe_tests::Workspace;

use super::Class::{self, Incomplete, Nothing, Recovered, SetAside};
use super::{BEFORE, Family, Read, assert_all};
use crate::expected::{Row, assert_rows, rows};
use crate::support::contour_models;
use crate::table::{Table, csv};

/// Results in the meter.
const RECORDS: usize = 20;

/// What each fault ends in, with its usual argument and with others.
const EXPECTED: &[(&str, Class)] = &[
    ("ack-lost", Recovered),
    ("ack-lost:1", Recovered),
    ("checksum", Recovered),
    ("checksum:0", Recovered),
    ("checksum:20", Recovered),
    ("checksum:1+checksum:2+checksum:3", Recovered),
    ("checksum-forever", Incomplete(2)),
    ("checksum-forever:0", Nothing("GP0302")),
    // What is amiss in command mode does not concern a read.
    ("clock-stuck", Recovered),
    ("command-late", Recovered),
    ("command-lost", Recovered),
    ("command-mute", Recovered),
    ("command-nak", Recovered),
    ("command-odd", Recovered),
    ("command-unplug", Recovered),
    ("nak-date", Recovered),
    ("nak-time", Recovered),
    ("no-command", Recovered),
    ("no-cr", Recovered),
    ("pump", Recovered),
    ("count", Incomplete(RECORDS)),
    ("count:-1", Incomplete(RECORDS)),
    ("cut", Incomplete(3)),
    ("cut:0", Nothing("GP0302")),
    ("cut:20", Incomplete(RECORDS)),
    ("dead", Incomplete(3)),
    ("dead:0", Nothing("GP0302")),
    ("dead:20", Incomplete(RECORDS)),
    ("duplicate", Recovered),
    ("empty-report", Recovered),
    ("gap", Incomplete(2)),
    ("gap:1", Nothing("GP0302")),
    ("garbage", Recovered),
    ("mute", Nothing("GP0304")),
    ("nak", Recovered),
    ("no-terminator", Incomplete(RECORDS)),
    ("odd", SetAside(1)),
    ("odd:3+odd:4+odd:5", SetAside(3)),
    ("prefix", Recovered),
    ("restart", Recovered),
    ("restart:19", Recovered),
    ("single-header", Recovered),
    ("slow", Recovered),
    ("slow:1500", Recovered),
    ("slow:20000", Nothing("GP0304")),
    ("stall", Recovered),
    ("stall:0", Recovered),
    ("terminator", Incomplete(RECORDS)),
    ("terminator:Q", Incomplete(RECORDS)),
    ("unplug", Incomplete(3)),
    ("unplug:20", Incomplete(RECORDS)),
    ("unplug:0", Nothing("GP0302")),
    ("checksum:2+stall:9+duplicate:5+nak", Recovered),
];

/// The rows that are in the table, of all that a correct reader reports.
fn present(all: &[Row], table: &Table) -> Vec<Row> {
    let keys: BTreeSet<&str> = table.texts("record_key").into_iter().collect();
    let key = |row: &Row| {
        row.iter()
            .any(|(name, cell)| *name == "record_key" && keys.contains(cell.str()))
    };
    all.iter().filter(|row| key(row)).cloned().collect()
}

/// The sheet holds what a correct reader reports, or a part of it; says how much.
fn compare(what: &str, uri: &str, sheet: &str, whole: bool) -> usize {
    let scenario = glucopipe_emulator::parse(uri).expect("a scenario");
    let rows = rows(&scenario, None).into_iter();
    let truth: Vec<Row> = rows.map(|(_, row)| row).collect();
    let sheet = csv(sheet);
    if whole {
        assert_rows(what, &sheet, &truth);
    } else {
        assert_rows(what, &sheet, &present(&truth, &sheet));
    }
    sheet.rows.len()
}

const CONTOUR: Family = Family {
    driver: "contour",
    compare,
};

fn check(model: &str, fault: &str, class: Class) {
    CONTOUR.check(&format!("{model}?records={RECORDS}&fault={fault}"), class);
}

#[test]
fn the_table_has_every_fault() {
    assert_all(contour_models(), EXPECTED);
}

/// Every fault on a meter with a minute clock that ends by EOT.
#[test]
fn every_fault_ends_as_expected_on_a_next_usb() {
    for (fault, class) in EXPECTED {
        check("contour-next-usb", fault, *class);
    }
}

/// Every fault on a meter that ends without EOT and has seconds.
#[test]
fn every_fault_ends_as_expected_on_a_next_one() {
    for (fault, class) in EXPECTED {
        check("contour-next-one", fault, *class);
    }
}

/// A record that cannot be decoded is in the report with its bytes and the reason; all others are read.
#[test]
fn odd_records_are_set_aside_with_reason_and_bytes() {
    let device = format!("contour-next-usb?records={RECORDS}&fault=odd:3+odd:4+odd:5");
    let read = Read::of("contour", &device);
    assert_eq!(read.code, 0, "{}", read.stderr);
    assert!(
        read.stderr.contains("warning[GP0303]: 3 records"),
        "{}",
        read.stderr
    );
    let scenario = glucopipe_emulator::parse(&device).expect("a scenario");
    let expected = scenario.set_aside();
    let got = read.source()["set_aside"].as_array().expect("a list");
    assert_eq!(got.len(), expected.len());
    for (got, expected) in got.iter().zip(expected) {
        assert_eq!(got["position"], expected.position, "{got}");
        let reason = got["reason"].as_str().expect("a reason");
        assert!(read.stderr.contains(reason), "{reason}");
        let text: String = expected
            .text
            .bytes()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let raw = got.to_string().to_lowercase();
        assert!(raw.contains(&text), "{text} in {got}");
    }
}

/// A meter that is found in the middle of something is brought to a download all the same.
#[test]
fn a_meter_found_in_the_middle_of_something_is_read() {
    for model in contour_models() {
        for state in ["frame", "command", "enq"] {
            let device = format!("{}?records=15&state={state}", model.key);
            let scenario = glucopipe_emulator::parse(&device).expect("a scenario");
            let read = Read::of("contour", &device);
            assert_eq!(read.code, 0, "{device}\n{}", read.stderr);
            let truth = rows(&scenario, None);
            assert_rows(
                &device,
                &csv(&read.sheet()),
                truth.iter().map(|(_, row)| row),
            );
            read.audit_is_clean(&device);
        }
    }
}

/// Headers that end exactly with a report are read like any other.
#[test]
fn headers_that_fill_reports_are_read() {
    for align in ["first", "second"] {
        let device = format!("contour-next-usb?records=15&align={align}");
        let read = Read::of("contour", &device);
        assert_eq!(
            (read.code, csv(&read.sheet()).rows.len()),
            (0, 15),
            "{}",
            read.stderr
        );
        read.audit_is_clean(&device);
    }
}

/// Presses Ctrl-C as soon as the log says something.
fn interrupted_at(said: &str) {
    let workspace = Workspace::new();
    workspace.write("sheet.csv", BEFORE);
    workspace.write(
        "pipeline.toml",
        &format!(
            "[sources.meter]\ndriver = \"contour\"\n\
             device = \"virtual:contour-next-usb?pace_ms=50&audit={}\"\n\
             [sinks.sheet]\nexporter = \"csv\"\ninputs = [\"meter\"]\npath = \"sheet.csv\"\n\
             [sinks.lake]\nexporter = \"parquet\"\ninputs = [\"meter\"]\npath = \"lake\"\n",
            workspace.path().join("audit").display()
        ),
    );
    let mut running = workspace.start(&["run", "-vv"]);
    running.wait_for(said);
    running.interrupt();
    let finished = running.finish();
    assert_eq!(finished.code, 130, "{}", finished.stderr);
    assert!(
        finished.stderr.contains("error[GP0902]"),
        "{}",
        finished.stderr
    );
    assert_eq!(workspace.read("sheet.csv").as_deref(), Some(BEFORE));
    assert!(!workspace.path().join("lake").exists());
    assert_eq!(workspace.read("audit").as_deref(), Some("unplugged\n"));
}

/// Ctrl-C while the meter is woken up.
#[test]
fn ctrl_c_before_the_header_leaves_the_meter_in_order() {
    interrupted_at("sent ");
}

/// Ctrl-C in the middle of the results.
#[test]
fn ctrl_c_during_the_download_leaves_the_meter_in_order() {
    interrupted_at("a valid header arrived");
}

/// Ctrl-C during a dump prints nothing and leaves the meter in order.
#[test]
fn ctrl_c_during_a_dump_prints_no_readings() {
    let workspace = Workspace::new();
    let device = "virtual:contour-next-one?pace_ms=50&audit=audit";
    let mut running = workspace.start(&["dump", "-vv", "--device", device]);
    running.wait_for("a valid header arrived");
    running.interrupt();
    let finished = running.finish();
    assert_eq!(
        (finished.code, finished.stdout.as_str()),
        (130, ""),
        "{}",
        finished.stderr
    );
    assert_eq!(workspace.read("audit").as_deref(), Some("unplugged\n"));
}
