//! `erase`: only the meter that was meant, only what the journal holds, only when that is known.

use glucopipe_runtime::journal::{Event, Journal};
use glucopipe_tests::Workspace;

use super::json;

/// The serial of the meter below.
const SERIAL: &str = "ZBCDF3G6";

fn erase(workspace: &Workspace, device: &str, more: &[&str]) -> glucopipe_tests::Finished {
    let mut arguments = vec!["erase", "--device", device, "--serial", SERIAL];
    arguments.extend(more);
    workspace.run(&arguments)
}

#[test]
fn a_meter_is_erased_once_the_journal_holds_its_records() {
    let workspace = Workspace::new();
    let device = "virtual:verio-flex?records=12&audit=audit";
    let finished = erase(&workspace, device, &["--yes", "--json"]);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    let erased = json(&finished);
    assert_eq!(
        (&erased["erased"], &erased["left"]),
        (&12.into(), &0.into())
    );
    let audit = workspace.read("audit");
    assert_eq!(audit.as_deref(), Some("erased\nunplugged\n"));
    // What the meter lost is in the journal, which says what became of the meter.
    let journal = Journal::open(&workspace.path().join("state/glucopipe/journal.db")).unwrap();
    assert_eq!(journal.stats().unwrap().readings, 12);
    let events = journal.events("verio", SERIAL).unwrap();
    let [noted] = events.as_slice() else {
        panic!("{events:?}");
    };
    assert_eq!(noted.event, Event::Erased { records: 12 });
}

/// The records go where the pipeline here has its own, and the user is told where that is.
#[test]
fn the_records_are_kept_in_the_journal_of_the_pipeline() {
    let workspace = Workspace::new();
    let device = "virtual:verio-flex?records=12";
    workspace.write(
        "pipeline.toml",
        &format!(
            "[sources.meter]\ndevice = \"{device}\"\n[sinks.sheet]\nexporter = \"csv\"\n\
             inputs = [\"meter\"]\npath = \"sheet.csv\"\n[journal]\npath = \"kept/here.db\"\n"
        ),
    );
    let erased = erase(&workspace, device, &["--yes"]);
    assert_eq!(erased.code, 0, "{}", erased.stderr);
    assert!(erased.stderr.contains("kept/here.db"), "{}", erased.stderr);
    assert!(!workspace.path().join("state").exists());
    let set = workspace.run(&["clock", "set", "--yes", "--json", "--device", device]);
    assert_eq!(set.code, 0, "{}", set.stderr);
    assert_eq!(json(&set)["journal"], "kept/here.db");
    assert!(!workspace.path().join("state").exists());
    let replayed = workspace.run(&["replay"]);
    assert_eq!(replayed.code, 0, "{}", replayed.stderr);
    assert_eq!(workspace.read("sheet.csv").unwrap().lines().count(), 13);
    // A pipeline that cannot be read does not say which journal is meant.
    workspace.write("pipeline.toml", "[sources.meter\n");
    let refused = erase(&workspace, device, &["--yes"]);
    assert_eq!(refused.code, 3, "{}", refused.stderr);
    assert!(refused.stderr.contains("nothing was changed in the meter"));
}

#[test]
fn no_other_meter_is_erased() {
    let workspace = Workspace::new();
    let device = "virtual:verio-flex?records=12&serial=OTHER1";
    let finished = erase(&workspace, device, &["--yes"]);
    assert_eq!(finished.code, 7);
    assert!(finished.stderr.contains("GP0209"), "{}", finished.stderr);
    assert!(finished.stderr.contains("nothing was changed in the meter"));
}

#[test]
fn a_meter_is_erased_only_when_confirmed() {
    let workspace = Workspace::new();
    let device = "virtual:verio-flex?records=12&audit=audit";
    let arguments = ["erase", "--device", device, "--serial", SERIAL];
    for (answer, code) in [("yes\n", 130), ("", 2)] {
        let finished = workspace.run_answering(&arguments, answer);
        assert_eq!(finished.code, code, "{}", finished.stderr);
        assert!(finished.stderr.contains("nothing was changed in the meter"));
        // It was not even asked who it is.
        assert_eq!(workspace.read("audit"), None);
    }
    let finished = workspace.run_answering(&arguments, "erase\n");
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    assert!(finished.stdout.contains("erased 12 records"));
}

/// A record that could not be read, or a journal that cannot be written, keeps the meter as it is.
#[test]
fn what_is_not_kept_is_not_erased() {
    let workspace = Workspace::new();
    let unread = "virtual:verio-flex?records=30&fault=crc-forever:20";
    let finished = erase(&workspace, unread, &["--yes"]);
    assert_eq!(finished.code, 7, "{}", finished.stderr);
    assert!(finished.stderr.contains("nothing was changed in the meter"));

    workspace.write("nothing.db", "this is no journal");
    let whole = "virtual:verio-flex?records=12&audit=audit";
    let finished = erase(&workspace, whole, &["--yes", "--journal", "nothing.db"]);
    assert_ne!(finished.code, 0);
    assert!(finished.stderr.contains("GP07"), "{}", finished.stderr);
    // There is no file here that could have a [journal].
    assert!(
        finished.stderr.contains("`--journal`"),
        "{}",
        finished.stderr
    );
    assert!(
        !finished.stderr.contains("[journal]"),
        "{}",
        finished.stderr
    );
    assert_eq!(workspace.read("audit"), None);
    assert_eq!(
        workspace.read("nothing.db").as_deref(),
        Some("this is no journal")
    );
}

/// A memory that is full holds as many records behind a test as before it.
#[test]
fn a_test_that_takes_the_place_of_another_is_not_erased_unread() {
    let mut refused = 0;
    for request in (1..80).step_by(3) {
        let workspace = Workspace::new();
        let device = format!("virtual:verio-flex?records=12&audit=audit&fault=replace:{request}");
        let finished = erase(&workspace, &device, &["--yes"]);
        let erased = workspace
            .read("audit")
            .is_some_and(|audit| audit.contains("erased"));
        assert_eq!(finished.code == 0, erased, "{request}: {}", finished.stderr);
        if !erased {
            refused += 1;
            let said = "nothing was changed in the meter";
            assert!(
                finished.stderr.contains(said),
                "{request}: {}",
                finished.stderr
            );
            continue;
        }
        let journal = Journal::open(&workspace.path().join("state/glucopipe/journal.db")).unwrap();
        assert_eq!(journal.stats().unwrap().readings, 12, "{request}");
    }
    assert!(refused > 3, "{refused}");
}

/// No erase command is known for Contour meters, and none is guessed.
#[test]
fn a_contour_is_never_erased() {
    let workspace = Workspace::new();
    let device = "virtual:contour-next-usb?records=12&audit=audit";
    let serial = json(&workspace.run(&["info", "--json", "--device", device]));
    let serial = serial["serial"].as_str().unwrap();
    let finished = workspace.run(&["erase", "--device", device, "--serial", serial, "--yes"]);
    assert_eq!(finished.code, 7);
    assert!(finished.stderr.contains("GP0208"), "{}", finished.stderr);
    assert!(!workspace.read("audit").unwrap().contains("violation"));
}
