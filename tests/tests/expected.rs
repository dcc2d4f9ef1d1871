//! What the files must hold, worked out from the emulator's scenario with nothing of the program.

use std::collections::HashMap;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime};
use glucopipe_emulator::{InsulinType, Kind, Range, Scenario, Truth};

use crate::table::{Cell, Table};

/// Hours east of UTC in winter; both zones change their clocks as the European Union says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Zone {
    Athens = 2,
    Berlin = 1,
}

impl Zone {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Athens => "Europe/Athens",
            Self::Berlin => "Europe/Berlin",
        }
    }

    /// UTC, minutes east of it, and how sure that is.
    fn resolve(self, local: NaiveDateTime) -> (NaiveDateTime, i64, &'static str) {
        // Clocks change at 01:00 UTC of the last Sundays of March and October.
        let change = |month: u32| {
            let last = NaiveDate::from_ymd_opt(local.year(), month, 31).expect("a day");
            let since_sunday = last.weekday().num_days_from_sunday();
            let sunday = last.with_day(31 - since_sunday).expect("a day");
            sunday.and_hms_opt(1, 0, 0).expect("a time")
        };
        let hours = chrono::TimeDelta::hours;
        let winter = local - hours(self as i64);
        // By the clock of winter, both the gap and the overlap begin at the change.
        let within = |change: NaiveDateTime| winter >= change && winter < change + hours(1);
        let (east, quality) = if within(change(3)) {
            (self as i64, "nonexistent")
        } else if within(change(10)) {
            (self as i64 + 1, "ambiguous")
        } else if winter >= change(3) && winter < change(10) {
            (self as i64 + 1, "zone")
        } else {
            (self as i64, "zone")
        };
        (local - hours(east), east * 60, quality)
    }
}

/// A decimal number as it was written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Exact {
    digits: i128,
    scale: u32,
}

impl Exact {
    pub(crate) fn parse(text: &str) -> Self {
        let (whole, places) = text.split_once('.').unwrap_or((text, ""));
        Self {
            digits: format!("{whole}{places}").parse().expect("digits"),
            scale: u32::try_from(places.len()).expect("few digits"),
        }
    }

    /// Times `times / by`, rounded half away from zero to some places.
    pub(crate) fn scaled(self, times: i128, by: i128, places: u32) -> f64 {
        let ten = |power| 10_i128.pow(power);
        let (above, below) = (self.digits * times * ten(places), by * ten(self.scale));
        let rounded = (2 * above + below) / (2 * below);
        let text = format!("{rounded}e-{places}");
        text.parse().expect("a number")
    }
}

/// One expected reading: cells by column, but for those that the scenario does not know.
pub(crate) type Row = Vec<(&'static str, Cell)>;

/// The rows a sink must hold, in their order, with what was sent for each.
pub(crate) fn rows(scenario: &Scenario, zone: Option<Zone>) -> Vec<(Truth, Row)> {
    let truths = scenario.truth();
    let mut seen: HashMap<String, u32> = HashMap::new();
    let mut rows: Vec<(Truth, Row)> = truths
        .into_iter()
        .map(|truth| {
            let base = key_base(&truth);
            let times = seen.entry(base.clone()).or_default();
            *times += 1;
            let row = row(scenario, &truth, zone, format!("{base}|{times}"));
            (truth, row)
        })
        .collect();
    rows.sort_by_key(|(truth, row)| {
        let key = row.iter().find(|(name, _)| *name == "record_key");
        let key = key.map(|(_, cell)| cell.str().to_owned());
        (truth.local_time, key)
    });
    rows
}

fn key_base(truth: &Truth) -> String {
    let group = match truth.kind {
        // A test with control solution differs from one of blood by its mark alone.
        Kind::Control => Kind::Glucose.word(),
        kind => kind.word(),
    };
    let control = if truth.kind == Kind::Control {
        "control"
    } else {
        ""
    };
    let (time, value, unit) = (&truth.raw_time, &truth.raw_value, unit(truth));
    format!("{group}|{time}|{value}|{unit}|{control}")
}

fn unit(truth: &Truth) -> &'static str {
    match truth.unit {
        "points" => "{points}",
        "choices" => "{choices}",
        "" => "{unknown}",
        unit => unit,
    }
}

fn notes(truth: &Truth) -> Option<String> {
    let mut notes = Vec::new();
    match truth.insulin_type {
        Some(InsulinType::Fast) => notes.push("fast-acting insulin".to_owned()),
        Some(InsulinType::Long) => notes.push("long-acting insulin".to_owned()),
        Some(InsulinType::Mixed) => notes.push("mixed insulin".to_owned()),
        Some(InsulinType::Unknown) => notes.push("insulin of unknown type".to_owned()),
        None => {}
    }
    let minutes = truth.minutes_after_meal;
    notes.extend(minutes.map(|minutes| format!("{minutes} min after meal")));
    for token in truth.markers.split('/') {
        let word = match token {
            "D" => "not well (uncertain)",
            "I" => "sick",
            "S" => "stress",
            "X" => "activity",
            _ => continue,
        };
        notes.push(word.to_owned());
    }
    (!notes.is_empty()).then(|| notes.join("; "))
}

fn row(scenario: &Scenario, truth: &Truth, zone: Option<Zone>, key: String) -> Row {
    let local = DateTime::from_timestamp(truth.local_time.to_seconds(), 0).expect("a time");
    let local = local.naive_utc();
    let resolved = zone.map(|zone| zone.resolve(local));
    let read_at = "2026-11-01T12:00:00".parse().expect("a time");
    let version = env!("CARGO_PKG_VERSION");
    let time = resolved.map_or(Cell::Null, |(utc, ..)| Cell::Time(utc));
    let offset = resolved.map_or(Cell::Null, |(_, east, _)| Cell::Integer(east));
    let quality = resolved.map_or("unresolved", |(.., quality)| quality);
    let limit = truth.range_limit.map_or(Cell::Null, Cell::Number);
    let markers = Some(truth.markers.as_str()).filter(|text| !text.is_empty());
    vec![
        ("time", time),
        ("local_time", Cell::Time(local)),
        ("utc_offset_min", offset),
        ("time_quality", Cell::text(quality)),
        ("kind", Cell::text(truth.kind.word())),
        ("value", Cell::Number(truth.value)),
        ("unit", Cell::text(unit(truth))),
        ("range", Cell::text(truth.range.word())),
        ("range_limit", limit),
        ("meal", Cell::maybe(truth.meal.map(|meal| meal.word()))),
        ("reference", Cell::maybe(truth.reference)),
        ("notes", Cell::maybe(notes(truth).as_deref())),
        ("markers", Cell::maybe(markers)),
        ("raw_value", Cell::text(&truth.raw_value)),
        ("raw_unit", Cell::text(unit(truth))),
        ("record_key", Cell::Text(key)),
        ("device_serial", Cell::text(scenario.serial())),
        ("driver", Cell::text(format!("contour/{version}"))),
        ("person", Cell::Null),
        ("read_at", Cell::Time(read_at)),
    ]
}

/// The row with glucose in another unit, rounded as a sheet for people is.
pub(crate) fn converted(truth: &Truth, row: &Row, to: &'static str) -> Row {
    if !matches!(truth.kind, Kind::Glucose | Kind::Control) {
        return row.clone();
    }
    let shown = match truth.range {
        Range::In => truth.raw_value.clone(),
        _ => truth.value.to_string(),
    };
    let value = match (truth.unit, to) {
        ("mg/dL", "mmol/L") => Exact::parse(&shown).scaled(100_000, 1_801_559, 1),
        ("mmol/L", "mg/dL") => Exact::parse(&shown).scaled(1_801_559, 100_000, 0),
        (_, "mmol/L") => Exact::parse(&shown).scaled(1, 1, 1),
        _ => Exact::parse(&shown).scaled(1, 1, 0),
    };
    let change = |(name, cell): &(&'static str, Cell)| match *name {
        "value" => (*name, Cell::Number(value)),
        "range_limit" if *cell != Cell::Null => (*name, Cell::Number(value)),
        "unit" => (*name, Cell::text(to)),
        _ => (*name, cell.clone()),
    };
    row.iter().map(change).collect()
}

/// Compares a file with what it must hold, cell by cell.
pub(crate) fn assert_rows<'a>(what: &str, table: &Table, rows: impl IntoIterator<Item = &'a Row>) {
    let rows: Vec<&Row> = rows.into_iter().collect();
    let mut wrong = Vec::new();
    for (at, row) in rows.iter().enumerate().take(table.rows.len()) {
        for (column, cell) in *row {
            let got = table.get(at, column);
            if got != cell {
                let key = table.get(at, "record_key").str();
                wrong.push(format!(
                    "row {at} ({key}) `{column}`: got {got:?}, expected {cell:?}"
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{what}: {} cells differ:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(10)].join("\n")
    );
    assert_eq!(table.rows.len(), rows.len(), "{what}");
}

/// Rounding of the expectation itself, with numbers worked out by hand.
#[test]
fn exact_numbers_round_half_up() {
    let mmol = |text| Exact::parse(text).scaled(100_000, 1_801_559, 1);
    let shown: Vec<f64> = ["600", "20", "10", "118", "93", "0"]
        .into_iter()
        .map(mmol)
        .collect();
    assert_eq!(shown, [33.3, 1.1, 0.6, 6.5, 5.2, 0.0]);
    assert_eq!(Exact::parse("6.25").scaled(1, 1, 1), 6.3);
    assert_eq!(Exact::parse("33.3").scaled(1_801_559, 100_000, 0), 600.0);
}

/// The zones of the expectation, at moments looked up in a table of time changes.
#[test]
fn zones_resolve_as_the_law_says() {
    let resolve = |zone: Zone, text: &str| {
        let (utc, east, quality) = zone.resolve(text.parse().expect("a time"));
        (utc.to_string(), east, quality)
    };
    let (athens, berlin) = (Zone::Athens, Zone::Berlin);
    for (zone, local, utc, east, quality) in [
        (
            athens,
            "2026-03-29T02:30:00",
            "2026-03-29 00:30:00",
            120,
            "zone",
        ),
        (
            athens,
            "2026-03-29T03:30:00",
            "2026-03-29 01:30:00",
            120,
            "nonexistent",
        ),
        (
            athens,
            "2026-03-29T04:00:00",
            "2026-03-29 01:00:00",
            180,
            "zone",
        ),
        (
            athens,
            "2025-10-26T03:30:00",
            "2025-10-26 00:30:00",
            180,
            "ambiguous",
        ),
        (
            athens,
            "2025-10-26T04:00:00",
            "2025-10-26 02:00:00",
            120,
            "zone",
        ),
        (
            berlin,
            "2026-03-29T02:30:00",
            "2026-03-29 01:30:00",
            60,
            "nonexistent",
        ),
        (
            berlin,
            "2025-10-26T02:30:00",
            "2025-10-26 00:30:00",
            120,
            "ambiguous",
        ),
        (
            berlin,
            "2025-10-26T03:30:00",
            "2025-10-26 02:30:00",
            60,
            "zone",
        ),
    ] {
        let expected = (utc.to_owned(), east, quality);
        assert_eq!(resolve(zone, local), expected, "{zone:?} {local}");
    }
}
