//! CSV and Parquet agree with each other and with the emulator's scenario, value by value.

use std::collections::{BTreeMap, BTreeSet};

use glucopipe_emulator::Scenario;
use glucopipe_tests::Workspace;

use crate::expected::{Row, Zone, assert_rows, converted, rows};
use crate::support::contour_models;
use crate::table::{Cell, Table, read_csv, read_parquet};

/// Enough for every mark, kind, limit and change of clocks that the emulator knows.
const RECORDS: u32 = 150;

/// Marks that every model has.
const MARKS: &str = "A B C D I S X < > Z1 Z2 Z3 Z4 Z5 Z6 Z7 Z8 Z9 ZA ZB ZC";

fn pipeline(device: &str, zone: Zone) -> String {
    let zone = zone.name();
    format!(
        r#"
[sources.meter]
driver = "contour"
device = "virtual:{device}&zone={zone}"
[transforms.local]
type = "clock"
inputs = ["meter"]
timezone = "{zone}"
[transforms.mmol]
type = "units"
inputs = ["local"]
to = "mmol/L"
decimals = 1
[transforms.mg]
type = "units"
inputs = ["local"]
to = "mg/dL"
decimals = 0
[sinks.sheet]
exporter = "csv"
inputs = ["local"]
path = "sheet.csv"
[sinks.lake]
exporter = "parquet"
inputs = ["local"]
path = "lake"
[sinks.in_mmol]
exporter = "csv"
inputs = ["mmol"]
path = "mmol.csv"
[sinks.in_mg]
exporter = "parquet"
inputs = ["mg"]
path = "mg.parquet"
"#
    )
}

/// Ids by record key.
type Ids = BTreeMap<String, String>;

/// Runs the pipeline over a meter and checks all four files; gives the ids.
fn agrees(device: &str, zone: Zone) -> Ids {
    let scenario = glucopipe_emulator::parse(device).expect("a scenario");
    let expected = rows(&scenario, Some(zone));
    let workspace = Workspace::new();
    workspace.write("pipeline.toml", &pipeline(device, zone));
    let finished = workspace.run(&["run"]);
    assert_eq!(finished.code, 0, "{device}:\n{}", finished.stderr);
    assert!(!finished.stderr.contains("warning"), "{}", finished.stderr);

    let sheet = read_csv(&workspace.path().join("sheet.csv"));
    let (lake, metadata) = read_parquet(&workspace.path().join("lake"));
    for (key, value) in [
        ("glucopipe.schema", "reading/1"),
        ("glucopipe.pipeline", "pipeline"),
    ] {
        assert!(
            metadata.contains(&(key.into(), value.into())),
            "{metadata:?}"
        );
    }
    let (_, metadata) = read_parquet(&workspace.path().join("mg.parquet"));
    for (key, value) in [
        ("glucopipe.units", "mg/dL"),
        ("glucopipe.factor", "18.01559"),
        ("glucopipe.decimals", "0"),
    ] {
        assert!(
            metadata.contains(&(key.into(), value.into())),
            "{metadata:?}"
        );
    }
    same(device, &sheet, &lake);
    assert_rows(
        &format!("{device}: CSV"),
        &sheet,
        expected.iter().map(|(_, row)| row),
    );
    assert_rows(
        &format!("{device}: Parquet"),
        &lake,
        expected.iter().map(|(_, row)| row),
    );
    for (at, (truth, _)) in expected.iter().enumerate() {
        let Cell::Bytes(raw) = lake.get(at, "raw") else {
            panic!("{device}: no bytes in row {at}");
        };
        let raw = String::from_utf8_lossy(raw);
        // The driver may name several meters of one product code.
        let model = lake.get(at, "device_model").str();
        assert!(
            model.starts_with(scenario.model().name),
            "{device}: {model}"
        );
        let sent = format!("|{}||{}||{}", truth.raw_unit, truth.markers, truth.raw_time);
        assert!(raw.contains(&sent), "{device}: `{sent}` in {raw:?}");
    }

    let into = |to| -> Vec<Row> {
        let one = |(truth, row)| converted(truth, row, to);
        expected
            .iter()
            .map(|(truth, row)| one((truth, row)))
            .collect()
    };
    let mmol = read_csv(&workspace.path().join("mmol.csv"));
    assert_rows(&format!("{device}: CSV in mmol/L"), &mmol, &into("mmol/L"));
    let (mg, _) = read_parquet(&workspace.path().join("mg.parquet"));
    assert_rows(&format!("{device}: Parquet in mg/dL"), &mg, &into("mg/dL"));

    shows_everything(&scenario, &sheet);
    ids(&[&sheet, &lake, &mmol, &mg])
}

/// All columns but the bytes are in both files, with the same cells.
fn same(device: &str, sheet: &Table, lake: &Table) {
    let names: Vec<&str> = glucopipe_sdk::schema::COLUMNS
        .iter()
        .map(|column| column.name)
        .collect();
    assert_eq!(lake.columns, names);
    assert_eq!(sheet.columns, names[..names.len() - 1]);
    assert_eq!(sheet.rows.len(), lake.rows.len(), "{device}");
    for (at, row) in sheet.rows.iter().enumerate() {
        for (column, cell) in sheet.columns.iter().zip(row) {
            assert_eq!(cell, lake.get(at, column), "{device}: row {at}, `{column}`");
        }
        // A clock that shows minutes is taken in the middle of its minute.
        let offset = lake.get(at, "clock_offset_s");
        assert!(
            matches!(offset, Cell::Integer(0..=30)),
            "{device}: {offset:?}"
        );
    }
}

/// The file holds every mark, kind, limit, and both changes of clocks, so that nothing was compared
/// with nothing.
fn shows_everything(scenario: &Scenario, sheet: &Table) {
    let marks: BTreeSet<&str> = sheet
        .texts("markers")
        .into_iter()
        .flat_map(|text| text.split('/'))
        .collect();
    for mark in MARKS.split(' ') {
        assert!(
            marks.contains(mark),
            "{}: no `{mark}`",
            scenario.model().key
        );
    }
    let found = |column: &str| -> BTreeSet<&str> { sheet.texts(column).into_iter().collect() };
    assert_eq!(found("range"), ["above", "below", "in"].into());
    assert_eq!(
        found("time_quality"),
        ["ambiguous", "nonexistent", "zone"].into()
    );
    if scenario.model().key == "contour-next-usb" {
        assert_eq!(
            found("kind"),
            ["carbs", "control", "glucose", "insulin"].into()
        );
        for unit in ["g", "{points}", "{choices}", "{unknown}", "[iU]"] {
            assert!(found("unit").contains(unit), "no {unit}");
        }
    } else {
        assert_eq!(found("kind"), ["control", "glucose"].into());
    }
}

/// Ids are unique within a file and the same in all of them.
fn ids(tables: &[&Table]) -> Ids {
    let of = |table: &Table| -> Ids {
        let keys = table.texts("record_key").into_iter().map(str::to_owned);
        keys.zip(table.texts("reading_id").into_iter().map(str::to_owned))
            .collect()
    };
    let ids = of(tables[0]);
    assert_eq!(ids.len(), tables[0].rows.len(), "a record key came twice");
    let unique: BTreeSet<&String> = ids.values().collect();
    assert_eq!(unique.len(), ids.len(), "a reading id came twice");
    for table in tables {
        assert_eq!(of(table), ids);
    }
    ids
}

/// Every model in one unit; the ids are the same in a second run, in another zone.
fn every_model(unit: &str) {
    for model in contour_models() {
        let device = format!("{}?records={RECORDS}&unit={unit}", model.key);
        let athens = agrees(&device, Zone::Athens);
        if matches!(model.key, "contour-next-usb" | "contour-next-one") {
            assert_eq!(agrees(&device, Zone::Berlin), athens, "{device}");
            assert_eq!(agrees(&device, Zone::Athens), athens, "{device}");
        }
    }
}

/// Every Contour model with results in mg/dL.
#[test]
fn all_models_in_mg_per_dl() {
    every_model("mg/dL");
}

/// Every Contour model with results in mmol/L.
#[test]
fn all_models_in_mmol_per_l() {
    every_model("mmol/L");
}

/// Two meters of one model have no id in common, and other values give other ids.
#[test]
fn ids_belong_to_one_meter() {
    let ids =
        |device: &str| -> BTreeSet<String> { agrees(device, Zone::Athens).into_values().collect() };
    let one = ids("contour-next-usb?records=150&serial=1000001");
    let other = ids("contour-next-usb?records=150&serial=1000002");
    assert!(one.is_disjoint(&other));
}
