//! `transcript scrub`: another serial, other dates, other values, and nothing else.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use chrono::{NaiveDateTime, TimeDelta};
use glucopipe_sdk::transcript::Event;
use glucopipe_tests::{Finished, Workspace};
use serde_json::Value;

use super::{meters, parsed, recorded, replayed};
use crate::support::{compile_with, shown};
use crate::table::{Cell, Table, csv};

/// Columns that stay as they are.
const KEPT: [&str; 10] = [
    "kind",
    "unit",
    "range",
    "range_limit",
    "meal",
    "reference",
    "notes",
    "markers",
    "raw_unit",
    "device_model",
];

fn scrub(workspace: &Workspace, file: &str, to: &str, seed: &str) {
    let arguments = ["transcript", "scrub", file, "-o", to, "--seed", seed];
    let finished = workspace.run(&arguments);
    assert_eq!(finished.code, 0, "{file}: {}", finished.stderr);
}

/// What stays of each reading, with its time moved by so much, and its number in the file. Of readings of one
/// minute the order follows from their values.
fn stays(table: &Table, shift: TimeDelta) -> Vec<(String, usize)> {
    let mut rows: Vec<(String, usize)> = (0..table.rows.len())
        .map(|row| {
            let kept = KEPT.map(|column| format!("{:?}", table.get(row, column)));
            (
                format!("{} {}", time(table, row) + shift, kept.join(" ")),
                row,
            )
        })
        .collect();
    rows.sort();
    rows
}

fn time(table: &Table, row: usize) -> NaiveDateTime {
    match table.get(row, "local_time") {
        Cell::Time(time) => *time,
        other => panic!("{other:?}"),
    }
}

/// Holds two dumps against each other.
fn compare(meter: &str, before: &Table, after: &Table) {
    let shift = time(after, 0) - time(before, 0);
    assert!(shift.num_days().abs() > 365, "{meter}");
    let (old, new) = (stays(before, shift), stays(after, TimeDelta::zero()));
    let texts = |rows: &[(String, usize)]| -> Vec<String> {
        rows.iter().map(|(text, _)| text.clone()).collect()
    };
    assert_eq!(texts(&old), texts(&new), "{meter}");
    let mut values = 0;
    for ((text, before_row), (_, after_row)) in old.iter().zip(&new) {
        for column in ["device_serial", "reading_id"] {
            let same = before.get(*before_row, column) == after.get(*after_row, column);
            assert!(!same, "{meter}: {column}");
        }
        // Which of two equal ones became which is not told.
        if old.iter().filter(|(other, _)| other == text).count() > 1 {
            continue;
        }
        // The very limits of what strips measure stay: that they are there may be what matters.
        let edges = ["20", "600", "1.1", "33.3"];
        let raw = before.get(*before_row, "raw_value").str();
        let in_range = before.get(*before_row, "range").str() == "in";
        let is_measured = in_range && !edges.contains(&raw);
        values += usize::from(is_measured);
        let same = before.get(*before_row, "value") == after.get(*after_row, "value");
        assert_eq!(same, !is_measured, "{meter}: {text}");
    }
    assert!(values > 0, "{meter} has measured nothing");
}

/// Whether bytes hold a text, of one or two bytes a letter, also over the borders of reports.
fn holds(workspace: &Workspace, file: &str, text: &str) -> bool {
    let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let transcript = parsed(workspace, file);
    let is_hid = transcript.link == "hid";
    let mut said = Vec::new();
    for (_, event) in transcript.events {
        if let Event::In(bytes) = event {
            // A report of these meters has a head of four bytes, the last of which counts.
            match is_hid {
                true => said.extend(bytes[4..4 + usize::from(bytes[3])].to_vec()),
                false => said.extend(bytes),
            }
        }
    }
    [text.as_bytes(), &wide]
        .into_iter()
        .any(|text| said.windows(text.len()).any(|found| found == text))
}

/// Every meter: what comes out is read as before, by the same driver, and is somebody else's.
#[test]
fn every_meter_becomes_somebody_elses() {
    for model in meters() {
        let workspace = Workspace::new();
        let meter = format!("{}?records=40&end=2026-05-30T18:05:00", model.key);
        let before = csv(&recorded(&workspace, &meter, "own"));
        scrub(&workspace, "own", "shared", "7");
        compare(model.key, &before, &csv(&replayed(&workspace, "shared")));
        // The digits that the emulator makes of a date or serial are in the one file and not in the other.
        let serial = before.get(0, "device_serial").str().to_owned();
        let bare = serial.get(5..).filter(|_| model.product_code != 0);
        for lost in [bare.unwrap_or(&serial), "20260530"] {
            assert!(!holds(&workspace, "shared", lost), "{}: {lost}", model.key);
        }
        assert!(holds(&workspace, "own", bare.unwrap_or(&serial)));
    }
}

/// A conversation that did not go well is worth sharing most of all.
#[test]
fn what_went_wrong_stays_wrong() {
    for (model, faults) in [
        (
            "contour-next-usb",
            "ack-lost checksum checksum-forever cut duplicate garbage gap odd restart unplug",
        ),
        (
            "verio-flex",
            "check crc crc-forever layout odd refuse residue stall status unplug:12",
        ),
    ] {
        for fault in faults.split(' ') {
            let workspace = Workspace::new();
            let meter = format!("{model}?records=12&fault={fault}");
            let before = csv(&recorded(&workspace, &meter, "own"));
            scrub(&workspace, "own", "shared", "7");
            let after = csv(&replayed(&workspace, "shared"));
            assert_eq!(before.rows.len(), after.rows.len(), "{meter}");
            for file in ["own", "shared"] {
                let device = format!("replay:{file}");
                let run = workspace.run(&["info", "--json", "--device", &device]);
                assert_eq!(run.code, 0, "{meter}: {}", run.stderr);
            }
        }
    }
}

/// Clocks are told outside of readings, too, and a link is opened more than once.
#[test]
fn a_clock_that_is_set_moves_along() {
    for model in ["contour-next-one", "verio-flex"] {
        let workspace = Workspace::new();
        let device = format!("virtual:{model}?records=4");
        let set = [
            "clock",
            "set",
            "2026-11-01T12:30",
            "--yes",
            "--device",
            &device,
            "--record",
            "own",
        ];
        let finished = workspace.run(&set);
        assert_eq!(finished.code, 0, "{}", finished.stderr);
        scrub(&workspace, "own", "shared", "7");
        let clock = |file: &str| {
            let device = format!("replay:{file}");
            let info = workspace.run(&["info", "--json", "--device", &device]);
            let info: Value = serde_json::from_str(&info.stdout).expect("JSON");
            info["clock"].as_str().expect("a time").to_owned()
        };
        let (before, after) = (clock("own"), clock("shared"));
        assert_eq!(before[10..], after[10..]);
        assert_ne!(before, after);
    }
}

/// The same seed gives the same file; without one nobody knows what was made up.
#[test]
fn a_seed_repeats_and_chance_does_not() {
    let workspace = Workspace::new();
    recorded(&workspace, "verio?records=5", "own");
    scrub(&workspace, "own", "one", "7");
    scrub(&workspace, "own", "again", "7");
    scrub(&workspace, "own", "other", "8");
    for to in ["chance", "chance2"] {
        let finished = workspace.run(&["transcript", "scrub", "own", "-o", to]);
        assert_eq!(finished.code, 0, "{}", finished.stderr);
    }
    let files = ["one", "other", "chance", "chance2"].map(|file| workspace.read(file));
    assert_eq!(files[0], workspace.read("again"));
    assert_eq!(BTreeSet::from(files).len(), 4);
    let mode = fs::metadata(workspace.path().join("one"))
        .expect("a file")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

/// A plugin of a stranger scrubs in a process of its own, and to the same bytes.
#[test]
fn a_driver_of_a_stranger_scrubs_apart() {
    let workspace = Workspace::new();
    let library = workspace.install("driver_verio");
    recorded(&workspace, "verio?records=5", "own");
    scrub(&workspace, "own", "here", "7");
    let plugins = workspace.plugins().display().to_string();
    let arguments = [
        "--plugin-dir",
        &plugins,
        "transcript",
        "scrub",
        "own",
        "-o",
        "apart",
        "--seed",
        "7",
    ];
    let finished = workspace.run(&arguments);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    assert_eq!(workspace.read("apart"), workspace.read("here"));
    assert!(library.exists());
}

#[test]
fn what_was_done_is_said() {
    let workspace = Workspace::new();
    recorded(&workspace, "contour-next?records=5", "own");
    let finished = workspace.run(&["transcript", "scrub", "own", "-o", "shared"]);
    insta::assert_snapshot!(shown(&workspace, &finished));
}

#[test]
fn what_could_not_be_compared_is_said() {
    let workspace = Workspace::new();
    let device = "virtual:contour-next-usb?records=5";
    let set = [
        "clock", "set", "--yes", "--record", "own", "--device", device,
    ];
    let finished = workspace.run(&set);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    let finished = workspace.run(&["transcript", "scrub", "own", "-o", "shared"]);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    let said = "`contour/0.1.0` reads none in it, so none was compared";
    assert!(finished.stderr.contains(said), "{}", finished.stderr);
}

#[test]
fn a_file_that_is_there_is_kept() {
    let workspace = Workspace::new();
    recorded(&workspace, "contour-next?records=5", "own");
    workspace.write("mine", "mine");
    let finished = workspace.run(&["transcript", "scrub", "own", "-o", "mine"]);
    assert_eq!(workspace.read("mine").as_deref(), Some("mine"));
    insta::assert_snapshot!(shown(&workspace, &finished));
}

#[test]
fn a_silent_meter_is_refused() {
    let workspace = Workspace::new();
    recorded(&workspace, "contour-next?fault=mute", "own");
    let finished = workspace.run(&["transcript", "scrub", "own", "-o", "shared"]);
    assert_eq!(workspace.read("shared"), None);
    insta::assert_snapshot!(shown(&workspace, &finished));
}

/// Begins a driver in C, changes its source, and lets it scrub its own conversation.
fn scrub_with(workspace: &Workspace, change: impl FnOnce(String) -> String) -> Finished {
    let begun = workspace.run(&["plugins", "new", "driver", "two-meter", "--lang", "c"]);
    assert_eq!(begun.code, 0, "{}", begun.stderr);
    let source = workspace.read("two-meter/two_meter.c").expect("a source");
    workspace.write("two-meter/two_meter.c", &change(source));
    let folder = workspace.path().join("two-meter");
    compile_with(
        workspace,
        &folder.join("two_meter.c"),
        &folder,
        "libglucopipe_driver_two_meter.so",
        &[],
    );
    let plugins = workspace.plugins().display().to_string();
    let file = "two-meter/session.transcript";
    let words = ["transcript", "scrub", file, "-o", "shared"];
    let chosen = ["--plugin-dir", &plugins, "--driver", "two-meter"];
    let finished = workspace.run(&[&words[..], &chosen].concat());
    assert_eq!(workspace.read("shared"), None);
    finished
}

/// The driver that `plugins new` begins does not scrub, and says so.
#[test]
fn a_driver_that_does_not_scrub_is_named() {
    let workspace = Workspace::new();
    let finished = scrub_with(&workspace, |source| source);
    insta::assert_snapshot!(shown(&workspace, &finished));
}

/// A scrubber in C that gives back what it was given.
const LAZY: &str = r"
static void GP_CALL drop_text(gp_string* text) {
  free((void*)text->data);
  text->release = NULL;
}
static gp_status GP_CALL lazy(const gp_op* op, const char* driver, const char* transcript, const char* disguise,
                              gp_string* out, gp_error* error) {
  char* copy = (char*)malloc(strlen(transcript) + 1);
  (void)op, (void)driver, (void)disguise, (void)error;
  out->data = strcpy(copy, transcript);
  out->len = strlen(copy);
  out->release = drop_text;
  return GP_OK;
}
static const gp_scrub scrubber = {sizeof scrubber, 0, lazy};
static const void* GP_CALL get_extension(const char* id) {
  return strcmp(id, GP_EXT_SCRUB) == 0 ? &scrubber : NULL;
}
";

/// Nobody's word is taken for it that a transcript is fit to share.
#[test]
fn a_driver_that_only_says_so_is_found_out() {
    let workspace = Workspace::new();
    let finished = scrub_with(&workspace, |source| {
        let plugin = "static const gp_plugin plugin";
        let changed = source
            .replace(plugin, &format!("{LAZY}{plugin}"))
            .replace("get_component, NULL};", "get_component, get_extension};");
        assert!(changed.contains("get_component, get_extension"));
        changed
    });
    insta::assert_snapshot!(shown(&workspace, &finished));
    let library = workspace.plugins().join("libglucopipe_driver_two_meter.so");
    let check = workspace.run(&[
        "plugins",
        "check",
        &library.display().to_string(),
        "--device",
        "replay:two-meter/session.transcript",
        "--test",
        "driver.scrub",
    ]);
    assert_eq!(check.code, 8, "{}", check.stderr);
    let told = format!("{}{}", check.stdout, check.stderr);
    assert!(told.contains("the serial is the same"), "{told}");
}
