//! The virtual OneTouch Verio family through the real program: the dump equals the scenario, and no disk
//! is written to before it has proved to be a meter.

use glucopipe_emulator::{LinkKind, ModelEntry, catalog, parse};
use glucopipe_tests::Workspace;

use crate::table::{Cell, csv};

/// The meters of the family, without the innocent stick.
pub(crate) fn models() -> impl Iterator<Item = &'static ModelEntry> {
    let disks = catalog()
        .iter()
        .filter(|model| model.link == LinkKind::Scsi);
    disks.filter(|model| model.key != "usb-stick")
}

/// What of a reading is compared.
pub(crate) type Row = (String, String, String, String, String);

/// What a correct reader reports of a scenario.
pub(crate) fn truth(uri: &str) -> Vec<Row> {
    let scenario = parse(uri).expect("a scenario");
    let mut rows: Vec<Row> = scenario
        .truth()
        .into_iter()
        .map(|one| {
            let meal = one.meal.map_or("", |meal| meal.word());
            (
                one.local_time.to_string(),
                one.kind.word().to_owned(),
                one.value.to_string(),
                one.range.word().to_owned(),
                meal.to_owned(),
            )
        })
        .collect();
    rows.sort();
    rows
}

/// The same of a dump.
pub(crate) fn dumped(text: &str) -> Vec<Row> {
    let table = csv(text);
    let cell = |row: usize, column: &str| match table.get(row, column) {
        Cell::Time(time) => time.format("%Y-%m-%dT%H:%M:%S").to_string(),
        Cell::Number(number) => number.to_string(),
        other => other.str().to_owned(),
    };
    let mut rows: Vec<Row> = (0..table.rows.len())
        .map(|row| {
            (
                cell(row, "local_time"),
                cell(row, "kind"),
                cell(row, "value"),
                cell(row, "range"),
                cell(row, "meal"),
            )
        })
        .collect();
    rows.sort();
    rows
}

/// Every model is read completely, and the meter saw nothing it should not have seen.
#[test]
fn the_dump_equals_the_scenario() {
    let workspace = Workspace::new();
    for model in models() {
        let uri = format!("{}?records=500", model.key);
        let device = format!("virtual:{uri}&audit={}", model.key);
        let finished = workspace.run(&["dump", "--device", &device]);
        assert_eq!(finished.code, 0, "{uri}: {}", finished.stderr);
        let (read, expected) = (dumped(&finished.stdout), truth(&uri));
        assert!(expected.len() > 480, "{uri}");
        assert_eq!(read, expected, "{uri}");
        let audit = workspace.read(model.key).expect("an audit");
        assert_eq!(audit, "unplugged\n", "{uri}");
    }
}

/// An ordinary memory stick, even one that a driver is forced onto, is never written to.
#[test]
fn an_innocent_stick_stays_untouched() {
    let workspace = Workspace::new();
    for looks in ["stick", "inquiry", "boot", "ids", "ids-inquiry"] {
        let device = format!("virtual:usb-stick?looks={looks}&audit={looks}");
        for command in ["info", "dump"] {
            let finished = workspace.run(&[command, "--driver", "verio", "--device", &device]);
            assert_eq!(finished.code, 7, "{looks}: {}", finished.stderr);
            assert!(
                finished.stderr.contains("not a LifeScan meter"),
                "{}",
                finished.stderr
            );
            assert!(
                finished.stderr.contains("is no meter of driver `verio`"),
                "{}",
                finished.stderr
            );
            assert!(finished.stderr.contains("nothing was written"));
            assert!(!finished.stderr.contains("still in the meter"));
            assert_eq!(finished.stdout, "", "{looks}");
        }
        let audit = workspace.read(looks).expect("an audit");
        assert!(!audit.contains("violation"), "{looks}: {audit}");
    }
}
