//! A meter sets the pace of a read, so nothing is asked that need not be: one exchange for each result of
//! a Contour, a request and its reply for each record of a Verio, and a few for the whole.

use glucopipe_tests::Workspace;
use serde_json::Value;

use crate::support::contour_models;
use crate::verio::models as verio_models;

/// Messages to a Contour besides one for each result: a wake-up, and ACK for ENQ, header, patient record
/// and terminator.
const CONTOUR_MORE: u64 = 5;
/// Questions to a Verio besides one for each record: model, serial, software, unit, clock, and the number
/// of records twice.
const VERIO_MORE: u64 = 7;
/// SCSI commands for a question: the request is written, its reply is read.
const COMMANDS: u64 = 2;
/// SCSI commands in front of them: INQUIRY and the boot sector.
const IDENTIFICATION: u64 = 2;

/// Reads a meter in one run; its numbers, what `-v` said of them, and how many readings are in the sheet.
fn read(driver: &str, device: &str) -> (Value, String, u64) {
    let workspace = Workspace::new();
    workspace.write(
        "pipeline.toml",
        &format!(
            "[sources.meter]\ndriver = \"{driver}\"\ndevice = \"virtual:{device}&audit=audit\"\n\
             [sinks.sheet]\nexporter = \"csv\"\ninputs = [\"meter\"]\npath = \"sheet.csv\"\n"
        ),
    );
    let finished = workspace.run(&["run", "-v", "--report", "report.json"]);
    assert_eq!(finished.code, 0, "{device}: {}", finished.stderr);
    let audit = workspace.read("audit").expect("an audit");
    assert_eq!(audit, "unplugged\n", "{device}");
    let report = workspace.read("report.json").expect("a report");
    let report: Value = serde_json::from_str(&report).expect("JSON");
    let mut lines = finished.stderr.lines();
    let line = lines.find(|line| line.contains(" exchanges for "));
    let sheet = workspace.read("sheet.csv").expect("a sheet");
    (
        report["sources"][0]["counts"].clone(),
        line.unwrap_or_default().to_owned(),
        sheet.lines().count() as u64 - 1,
    )
}

#[test]
fn contour_results_cost_one_exchange_each() {
    for model in contour_models() {
        for records in [0, 1, 2_000] {
            let device = format!("{}?records={records}", model.key);
            let (counts, line, rows) = read("contour", &device);
            let exchanges = records + CONTOUR_MORE;
            assert_eq!(counts["exchanges"], exchanges, "{device}: {counts}");
            let expected = format!("debug: meter: {exchanges} exchanges for {records} records");
            assert_eq!((line, rows), (expected, records), "{device}");
        }
    }
}

#[test]
fn verio_records_cost_a_request_and_a_reply_each() {
    for model in verio_models() {
        for records in [0, 1, 500] {
            let device = format!("{}?records={records}", model.key);
            let (counts, line, rows) = read("verio", &device);
            let exchanges = records + VERIO_MORE;
            assert_eq!(counts["exchanges"], exchanges, "{device}: {counts}");
            let commands = exchanges * COMMANDS + IDENTIFICATION;
            assert_eq!(counts["scsi_commands"], commands, "{device}: {counts}");
            let expected = format!("debug: meter: {exchanges} exchanges for {records} records");
            assert_eq!((line, rows), (expected, records), "{device}");
        }
    }
}

/// The line is for those who ask for it.
#[test]
fn exchanges_are_not_told_unasked() {
    let workspace = Workspace::new();
    let finished = workspace.run(&["dump", "--device", "virtual:verio-flex?records=3"]);
    assert_eq!((finished.code, finished.stderr.as_str()), (0, ""));
}

/// With `-vv` each call of a link is told by what it did and how much, whoever drives it, and no byte of it.
#[test]
fn calls_of_links_are_told_without_their_bytes() {
    for device in ["contour-next-usb?records=2", "verio-flex?records=2"] {
        let (name, _) = device.split_once('?').expect("a model");
        let workspace = Workspace::new();
        workspace.write(
            "pipeline.toml",
            &format!(
                "[sources.meter]\ndevice = \"virtual:{device}\"\n\
                 [sinks.sheet]\nexporter = \"csv\"\ninputs = [\"meter\"]\npath = \"sheet.csv\"\n"
            ),
        );
        let calls = |isolate: &str| {
            let isolate = format!("plugins.isolate={isolate}");
            let finished = workspace.run(&["run", "-vv", "--full", "--set", &isolate]);
            assert_eq!(finished.code, 0, "{device}: {}", finished.stderr);
            let lines = finished.stderr.lines();
            let told = lines.filter(|line| line.starts_with("trace: meter: "));
            told.map(|line| format!("{line}\n")).collect::<String>()
        };
        let told = calls("none");
        insta::assert_snapshot!(format!("calls-of-links-{name}"), told);
        assert_eq!(told, calls("all"), "{device}");
        let quieter = workspace.run(&["run", "-v", "--full"]);
        assert!(!quieter.stderr.contains("trace: "), "{}", quieter.stderr);
    }
}
