//! Meters that misbehave: everything is read, or what was read is delivered and the rest is named, or
//! nothing is touched. Never anything else, and the meter is always left in order.

use std::collections::BTreeSet;

use glucopipe_emulator::faults_of;
use glucopipe_tests::Workspace;
use serde_json::Value;

use crate::expected::{Row, assert_rows, rows};
use crate::support::contour_models;
use crate::table::{Table, csv};

/// What a fault may end in.
#[derive(Clone, Copy, Debug)]
enum Class {
    /// Everything was read; exit code 0.
    Recovered,
    /// Everything but so many records, which were set aside; exit code 0.
    SetAside(u64),
    /// So many readings, the rest is missing or in doubt; exit code 1.
    Incomplete(usize),
    /// Nothing usable, with this code; exit code 7.
    Nothing(&'static str),
}
use Class::{Incomplete, Nothing, Recovered, SetAside};

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
    ("pump", Recovered),
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

/// What the sink holds before the run.
const BEFORE: &str = "from before\n";

/// A read of a meter: its folder, exit code, report and messages.
struct Read {
    workspace: Workspace,
    code: i32,
    stderr: String,
    report: Value,
}

impl Read {
    fn of(device: &str) -> Self {
        let workspace = Workspace::new();
        let audit = workspace.path().join("audit");
        workspace.write("sheet.csv", BEFORE);
        workspace.write(
            "pipeline.toml",
            &format!(
                "[sources.meter]\ndriver = \"contour\"\n\
                 device = \"virtual:{device}&audit={}\"\n\
                 [sinks.sheet]\nexporter = \"csv\"\ninputs = [\"meter\"]\npath = \"sheet.csv\"\n",
                audit.display()
            ),
        );
        let finished = workspace.run(&["run", "--report", "report.json"]);
        let report = workspace.read("report.json").expect("a report");
        let report = serde_json::from_str(&report).expect("the report is JSON");
        Self {
            workspace,
            code: finished.code,
            stderr: finished.stderr,
            report,
        }
    }

    fn source(&self) -> &Value {
        &self.report["sources"][0]
    }

    fn sheet(&self) -> Table {
        csv(&self.workspace.read("sheet.csv").expect("a sheet"))
    }

    /// The meter noticed no broken rule and no session left open.
    fn audit_is_clean(&self, what: &str) {
        let audit = self.workspace.read("audit").expect("an audit");
        assert_eq!(audit, "unplugged\n", "{what}: {audit}\n{}", self.stderr);
    }
}

/// The rows that are in the table, of all that a correct reader reports.
fn present(all: &[Row], table: &Table) -> Vec<Row> {
    let keys: BTreeSet<&str> = table.texts("record_key").into_iter().collect();
    let key = |row: &Row| {
        row.iter()
            .any(|(name, cell)| *name == "record_key" && keys.contains(cell.str()))
    };
    all.iter().filter(|row| key(row)).cloned().collect()
}

fn check(model: &str, fault: &str, class: Class) {
    let device = format!("{model}?records={RECORDS}&fault={fault}");
    let scenario = glucopipe_emulator::parse(&device).expect("a scenario");
    let truth: Vec<Row> = rows(&scenario, None)
        .into_iter()
        .map(|(_, row)| row)
        .collect();
    let read = Read::of(&device);
    let what = format!("{device} ({class:?})\n{}", read.stderr);
    let (status, stderr, source) = (&read.source()["status"], &read.stderr, read.source());
    let reasons = source["reasons"].as_array().expect("a list");
    match class {
        Recovered | SetAside(_) => {
            assert_eq!(
                (read.code, status.as_str()),
                (0, Some("complete")),
                "{what}"
            );
            assert!(reasons.is_empty() && !stderr.contains("GP0302"), "{what}");
            assert_rows(&what, &read.sheet(), &truth);
        }
        Incomplete(count) => {
            assert_eq!(
                (read.code, status.as_str()),
                (1, Some("incomplete")),
                "{what}"
            );
            assert!(stderr.contains("warning[GP0302]"), "{what}");
            let sheet = read.sheet();
            assert_eq!(sheet.rows.len(), count, "{what}");
            assert_rows(&what, &sheet, &present(&truth, &sheet));
        }
        Nothing(code) => {
            assert_eq!((read.code, status.as_str()), (7, Some("failed")), "{what}");
            assert!(stderr.contains(&format!("error[{code}]")), "{what}");
            assert_eq!(source["error"]["code"], code, "{what}");
            assert_eq!(
                read.workspace.read("sheet.csv").as_deref(),
                Some(BEFORE),
                "{what}"
            );
        }
    }
    if matches!(class, Incomplete(_) | Nothing("GP0302")) {
        assert!(!reasons.is_empty(), "{what}");
        for reason in reasons {
            let reason = reason.as_str().expect("a text");
            assert!(stderr.contains(&format!("cause: {reason}")), "{what}");
        }
    }
    let set_aside = source["set_aside"].as_array().expect("a list");
    let expected = if let SetAside(count) = class {
        count
    } else {
        0
    };
    assert_eq!(set_aside.len() as u64, expected, "{what}");
    assert_eq!(source["rejected"], expected, "{what}");
    read.audit_is_clean(&what);
}

/// Every fault the emulator knows of these meters is in the table, so that a new one cannot be
/// forgotten.
#[test]
fn the_table_has_every_fault() {
    let tested: BTreeSet<&str> = EXPECTED.iter().map(|(fault, _)| *fault).collect();
    let missing: BTreeSet<&str> = contour_models()
        .flat_map(|model| faults_of(model.key))
        .map(|fault| fault.name)
        .filter(|name| !tested.contains(name))
        .collect();
    assert!(missing.is_empty(), "say what these end in: {missing:?}");
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
    let read = Read::of(&device);
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
            let read = Read::of(&device);
            assert_eq!(read.code, 0, "{device}\n{}", read.stderr);
            let truth = rows(&scenario, None);
            assert_rows(&device, &read.sheet(), truth.iter().map(|(_, row)| row));
            read.audit_is_clean(&device);
        }
    }
}

/// Headers that end exactly with a report are read like any other.
#[test]
fn headers_that_fill_reports_are_read() {
    for align in ["first", "second"] {
        let device = format!("contour-next-usb?records=15&align={align}");
        let read = Read::of(&device);
        assert_eq!(
            (read.code, read.sheet().rows.len()),
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
