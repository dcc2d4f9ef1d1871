//! Every profile as it is written, to the byte: all kinds of readings, in both units.

use std::sync::Arc;

use glucopipe_sdk::arrow::array::{ArrayRef, Int16Array};
use glucopipe_sdk::serde_json::{self, Value, json};
use glucopipe_sdk::testing::{Form, MORNING, moments, numbers, table, texts};

use super::*;

const MINUTE: i64 = 60_000_000;
/// 2024-03-05T18:30:00 UTC.
const NOW: i64 = 1_709_663_400_000_000;

/// A reading of the golden files; the rest of its columns is the same for all.
struct Row {
    kind: &'static str,
    value: f64,
    unit: &'static str,
    range: &'static str,
    meal: Option<&'static str>,
    notes: Option<&'static str>,
    person: Option<&'static str>,
    resolved: bool,
}

impl Row {
    fn new(kind: &'static str, value: f64, unit: &'static str) -> Self {
        Self {
            kind,
            value,
            unit,
            range: "in",
            meal: None,
            notes: None,
            person: None,
            resolved: true,
        }
    }

    fn range(self, range: &'static str) -> Self {
        Self { range, ..self }
    }

    fn meal(self, meal: &'static str) -> Self {
        let meal = Some(meal);
        Self { meal, ..self }
    }

    fn notes(self, notes: &'static str) -> Self {
        let notes = Some(notes);
        Self { notes, ..self }
    }

    fn person(self, person: &'static str) -> Self {
        let person = Some(person);
        Self { person, ..self }
    }

    fn unresolved(self) -> Self {
        Self {
            resolved: false,
            ..self
        }
    }
}

/// One reading of each sort, glucose in one unit but for one reading in the other.
fn readings(mmol: bool) -> Vec<Row> {
    let glucose = |mg: f64, mmol_per_l: f64| {
        if mmol {
            Row::new("glucose", mmol_per_l, "mmol/L")
        } else {
            Row::new("glucose", mg, "mg/dL")
        }
    };
    let other = if mmol {
        Row::new("glucose", 118.0, "mg/dL")
    } else {
        Row::new("glucose", 6.5, "mmol/L")
    };
    vec![
        Row::new("control", 112.0, "mg/dL"),
        glucose(93.0, 5.2).meal("before").person("Zoë"),
        glucose(600.0, 33.3).range("above").notes("sick"),
        glucose(20.0, 1.1).range("below").meal("after"),
        glucose(100.0, 5.0)
            .meal("fasting")
            .notes("=1+1; said \"ok\",\nthen left"),
        glucose(181.0, 10.05).notes("").unresolved(),
        Row::new("ketone", 0.6, "mmol/L").person("@home"),
        Row::new("ketone", 8.0, "mmol/L").range("above"),
        Row::new("insulin", 5.5, "[iU]").notes("fast-acting insulin"),
        Row::new("insulin", 12.0, "[iU]").notes("long-acting insulin; activity"),
        Row::new("insulin", 3.0, "[iU]").notes("mixed insulin"),
        Row::new("carbs", 45.0, "g").meal("before"),
        Row::new("carbs", 2.0, "{choices}"),
        Row::new("carbs", 1.5, "{unknown}"),
        other.person("Zoë"),
        Row::new("glucose", 7.0, "{unknown}"),
    ]
}

fn batch(rows: &[Row], form: Form) -> RecordBatch {
    let column = |cell: &dyn Fn(&Row) -> Option<&'static str>| -> ArrayRef {
        texts(&rows.iter().map(cell).collect::<Vec<_>>())
    };
    let times = |offset: i64, resolved: bool| -> ArrayRef {
        let at = |row: usize| MORNING + i64::try_from(row).unwrap() * MINUTE - offset;
        let times = rows.iter().enumerate();
        moments(
            &times
                .map(|(at_row, row)| (resolved || row.resolved).then(|| at(at_row)))
                .collect::<Vec<_>>(),
        )
    };
    let ids: Vec<String> = (0..rows.len()).map(|row| format!("id-{row}")).collect();
    let ids: Vec<_> = ids.iter().map(|id| Some(id.as_str())).collect();
    let limits: Vec<_> = rows
        .iter()
        .map(|row| (row.range != "in").then_some(row.value))
        .collect();
    let offsets: Vec<_> = rows.iter().map(|row| row.resolved.then_some(120)).collect();
    let values: Vec<_> = rows.iter().map(|row| Some(row.value)).collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("reading_id", texts(&ids)),
        ("time", times(120 * MINUTE, false)),
        ("local_time", times(0, true)),
        ("utc_offset_min", Arc::new(Int16Array::from(offsets))),
        ("kind", column(&|row| Some(row.kind))),
        ("value", numbers(&values)),
        ("unit", column(&|row| Some(row.unit))),
        ("range", column(&|row| Some(row.range))),
        ("range_limit", numbers(&limits)),
        ("meal", column(&|row| row.meal)),
        ("notes", column(&|row| row.notes)),
        ("person", column(&|row| row.person)),
        ("device_model", column(&|_| Some("Contour Next, USB"))),
        ("device_serial", column(&|_| Some("-1234567"))),
    ];
    table(rows.len(), form, &columns)
}

/// The file, and what the log says of it.
fn written(options: &Value, rows: &[Row], form: Form) -> (String, Option<String>) {
    let mut config = json!({ "path": "readings.csv" });
    for (key, value) in options.as_object().unwrap() {
        config[key] = value.clone();
    }
    let config: Config = serde_json::from_value(config).unwrap();
    let mut format = Format::of(&config, NOW).unwrap();
    let batch = batch(rows, form);
    let mut out = Vec::new();
    format.begin(Some(&batch), &mut out).unwrap();
    // In two parts, as a long file is written.
    let half = rows.len() / 2;
    format.rows(&batch.slice(0, half), &mut out).unwrap();
    let rest = batch.slice(half, rows.len() - half);
    format.rows(&rest, &mut out).unwrap();
    (String::from_utf8(out).unwrap(), format.remark())
}

fn golden(name: &str, options: &Value) {
    for mmol in [false, true] {
        let rows = readings(mmol);
        let (text, remark) = written(options, &rows, Form::Words);
        assert_eq!(written(options, &rows, Form::Plain).0, text);
        let unit = if mmol { "mmol" } else { "mg" };
        let shown = format!("{text}---\n{}\n", remark.unwrap_or_default());
        insta::assert_snapshot!(format!("{name}-{unit}"), shown);
    }
}

#[test]
fn canonical() {
    golden("canonical", &json!({}));
}

#[test]
fn glucometerutils() {
    golden("glucometerutils", &json!({ "profile": "glucometerutils" }));
    golden(
        "glucometerutils-options",
        &json!({
            "profile": "glucometerutils",
            "unit": "mmol/L",
            "ketones": true,
            "out_of_range": "skip",
            "excel_safe": true,
        }),
    );
}

#[test]
fn iglu() {
    golden("iglu", &json!({ "profile": "iglu" }));
    golden(
        "iglu-options",
        &json!({ "profile": "iglu", "factor": 18, "out_of_range": "limit", "excel_safe": true }),
    );
}

#[test]
fn libreview() {
    golden("libreview", &json!({ "profile": "libreview" }));
    golden(
        "libreview-options",
        &json!({
            "profile": "libreview",
            "unit": "mmol/L",
            "factor": 18,
            "date_format": "MM-DD-YYYY",
            "out_of_range": "limit",
            "excel_safe": true,
        }),
    );
}

#[test]
fn clarity() {
    golden("clarity", &json!({ "profile": "clarity" }));
    golden(
        "clarity-options",
        &json!({
            "profile": "clarity",
            "unit": "mmol/L",
            "event_type": "EGV",
            "out_of_range": "skip",
        }),
    );
}

/// The first lines of a file, each with its end.
fn lines(options: &Value, count: usize) -> Vec<String> {
    let (text, _) = written(options, &readings(true), Form::Words);
    text.split_inclusive('\n')
        .take(count)
        .map(str::to_owned)
        .collect()
}

#[test]
fn excel_in_every_dialect() {
    let columns = json!([
        "local_time",
        "time",
        "value",
        "unit",
        "notes",
        "device_serial"
    ]);
    let head = "local_time,time,value,unit,notes,device_serial";
    let options = |more: Value| {
        let mut options = json!({ "profile": "excel", "columns": columns });
        for (key, value) in more.as_object().unwrap() {
            options[key] = value.clone();
        }
        options
    };
    assert_eq!(
        lines(&options(json!({})), 3),
        [
            &format!("\u{feff}{head}\r\n"),
            "2024-03-01T07:15:00,2024-03-01T05:15:00Z,112,mg/dL,,'-1234567\r\n",
            "2024-03-01T07:16:00,2024-03-01T05:16:00Z,5.2,mmol/L,,'-1234567\r\n",
        ]
    );
    assert_eq!(
        lines(&options(json!({ "decimal": "comma" })), 3),
        [
            &format!("\u{feff}{}\r\n", head.replace(',', ";")),
            "2024-03-01T07:15:00;2024-03-01T05:15:00Z;112;mg/dL;;'-1234567\r\n",
            "2024-03-01T07:16:00;2024-03-01T05:16:00Z;5,2;mmol/L;;'-1234567\r\n",
        ]
    );
    let plain = json!({
        "separator": "\t", "decimal": "comma", "bom": false, "line_end": "lf", "times": "plain",
        "excel_safe": false,
    });
    let found = lines(&options(plain), 7);
    assert_eq!(found[0], format!("{}\n", head.replace(',', "\t")));
    assert_eq!(
        found[2],
        "2024-03-01 07:16:00\t2024-03-01 05:16:00\t5,2\tmmol/L\t\t-1234567\n"
    );
    assert_eq!(
        found[5..].concat(),
        "2024-03-01 07:19:00\t2024-03-01 05:19:00\t5\tmmol/L\t\"=1+1; said \"\"ok\"\",\nthen left\"\t-1234567\n"
    );
    // A comma in numbers needs no quotes where cells are apart by something else, and texts do.
    let semicolon = json!({ "decimal": "comma", "columns": ["notes", "value"] });
    let found = lines(&options(semicolon), 7);
    assert_eq!(
        found[5..].concat(),
        "\"'=1+1; said \"\"ok\"\",\nthen left\";5\r\n"
    );
}

#[test]
fn canonical_with_a_mark_and_long_line_ends() {
    let options =
        json!({ "bom": true, "line_end": "crlf", "columns": ["value"], "times": "plain" });
    assert_eq!(lines(&options, 2), ["\u{feff}value\r\n", "112\r\n"]);
}

#[test]
fn without_readings_there_is_a_head() {
    for (options, lines) in [
        (json!({ "profile": "iglu" }), 1),
        (json!({ "profile": "libreview" }), 2),
        (json!({ "profile": "clarity", "unit": "mmol/L" }), 11),
        (json!({ "profile": "glucometerutils" }), 0),
    ] {
        let mut config = json!({ "path": "readings.csv" });
        config["profile"] = options["profile"].clone();
        config["unit"] = options["unit"].clone();
        let config: Config = serde_json::from_value(config).unwrap();
        let mut out = Vec::new();
        Format::of(&config, NOW)
            .unwrap()
            .begin(None, &mut out)
            .unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.lines().count(), lines);
        if let Some(last) = text.lines().last() {
            let commas = |line: &str| line.matches(',').count();
            let head = text
                .lines()
                .find(|line| line.contains("Device") || line.starts_with("id"));
            if lines != 1 {
                assert_eq!(commas(last), commas(head.unwrap()));
            }
            let unit = options["unit"].as_str().unwrap_or("mg/dL");
            assert!(lines == 1 || text.contains(unit));
        }
    }
}

#[test]
fn every_row_has_the_cells_of_the_head() {
    for (profile, cells) in [("libreview", 19), ("clarity", 14), ("iglu", 3)] {
        let (text, _) = written(
            &json!({ "profile": profile }),
            &readings(false),
            Form::Words,
        );
        // Quoted cells of these readings hold commas and a line break.
        let mut quoted = false;
        let bare: String = text
            .chars()
            .filter(|&letter| {
                quoted ^= letter == '"';
                !quoted
            })
            .collect();
        let rows = bare
            .lines()
            .filter(|line| !line.starts_with("Glucose Data"));
        for row in rows {
            assert_eq!(row.matches(',').count() + 1, cells, "{profile}: {row}");
        }
    }
}

#[test]
fn conversion_rounds_once_and_half_away_from_zero() {
    let mg = |value| Row::new("glucose", value, "mg/dL");
    let mmol = |value| Row::new("glucose", value, "mmol/L");
    let last_cells = |options: Value, rows: Vec<Row>| {
        let (text, _) = written(&options, &rows, Form::Words);
        let lines = text.lines().skip(1);
        let cell = |line: &str| line.rsplit(',').next().unwrap().to_owned();
        lines.map(cell).collect::<Vec<_>>()
    };
    // 6.5 × 18.01559 = 117.10, × 18 = 117; 6.55 × 18.01559 = 118.002; 118.4 was measured so.
    let rows = || vec![mg(118.4), mmol(6.5), mmol(6.55), mmol(33.3)];
    let iglu = json!({ "profile": "iglu" });
    assert_eq!(last_cells(iglu, rows()), ["118.4", "117", "118", "600"]);
    let iglu = json!({ "profile": "iglu", "factor": 18 });
    assert_eq!(last_cells(iglu, rows()), ["118.4", "117", "118", "599"]);
    let strip = |factor: f64| {
        let options = json!({ "profile": "libreview", "unit": "mmol/L", "factor": factor });
        let rows = vec![
            mg(118.0),
            mg(181.0),
            mg(100.0),
            mg(180.0),
            mmol(10.05),
            mmol(5.0),
        ];
        let (text, _) = written(&options, &rows, Form::Words);
        let lines = text.lines().skip(2);
        let cell = |line: &str| line.split(',').nth(15).unwrap().to_owned();
        lines.map(cell).collect::<Vec<_>>()
    };
    // The model has a comma, so strip glucose is one cell further.
    assert_eq!(
        strip(18.01559),
        ["6.5", "10.0", "5.6", "10.0", "10.1", "5.0"]
    );
    assert_eq!(strip(18.0), ["6.6", "10.1", "5.6", "10.0", "10.1", "5.0"]);
}

#[test]
fn a_file_has_the_unit_of_the_first_reading_in_sight() {
    let options = json!({ "profile": "clarity" });
    let control_first = readings(true);
    let (text, remark) = written(&options, &control_first, Form::Words);
    assert!(text.contains("Glucose Value (mmol/L)"), "{text}");
    assert!(
        remark
            .unwrap()
            .contains("glucose in mmol/L, factor 18.01559")
    );
    let no_glucose = vec![Row::new("insulin", 5.0, "[iU]").notes("fast-acting insulin")];
    let (text, _) = written(&options, &no_glucose, Form::Words);
    assert!(text.contains("Glucose Value (mg/dL)"), "{text}");
}
