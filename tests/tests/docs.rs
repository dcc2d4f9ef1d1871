//! Pages that are rendered from the program's own registries. `GLUCOPIPE_BLESS=1` writes them anew.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use glucopipe_emulator::catalog;
use glucopipe_runtime::codes;
use glucopipe_runtime::run::report::{Outcome, SourceStatus};
use glucopipe_sdk::schema::{COLUMNS, Filler, Kind};
use glucopipe_tests::Workspace;
use serde_json::Value;

const BEGIN: &str = "<!-- columns: begin; made by the test `docs`, do not edit -->";
const END: &str = "<!-- columns: end -->";

/// What stands in front of the codes.
const ERRORS: &str = "\
Every problem has a code. `glucopipe explain GP0202` prints the same pages, `glucopipe explain` lists
them. The first two digits say the area: 01 configuration, 02 device, 03 protocol, 04 plugin, 05 sink,
06 data, 07 the journal, 09 the program itself. A warning has a code too, and does not stop a run.

This page is made from the registry in `core/runtime/src/codes.rs`; do not edit it.
";

/// A new page on readings, until somebody writes more around the table.
const READINGS: &str = "\
# Readings

The columns of a reading, schema `reading/1`. They come in this order in Parquet, CSV and JSON Lines
alike; `raw` is in Parquet only. A CSV cell with nothing in it is a null. Rows are ordered by
`local_time`, then `record_key`.

A driver fills what the meter sent; glucopipe fills the rest. No transform changes `reading_id`,
`local_time`, `markers`, `raw_value`, `raw_unit`, `record_key` and `raw`.
";

fn page(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../docs")
        .join(name)
}

/// Compares a page with what it must be, or writes it.
fn holds(name: &str, expected: &str) {
    let path = page(name);
    if std::env::var_os("GLUCOPIPE_BLESS").is_some() {
        fs::write(&path, expected).expect("the page can be written");
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "docs/{name} is out of date; make it anew:\n  \
         GLUCOPIPE_BLESS=1 cargo test -p glucopipe-tests docs"
    );
}

/// `docs/errors.md` has every code with its page, in order.
#[test]
fn errors_are_those_of_the_registry() {
    let mut text = format!("# Problem codes\n\n{ERRORS}");
    for entry in codes::all() {
        write!(
            text,
            "\n## {}: {}\n\n{}\n",
            entry.code, entry.summary, entry.page
        )
        .expect("memory");
    }
    holds("errors.md", &text);
}

/// What stands in front of the meters.
const METERS: &str = "\
What the drivers of this version know. This page is made from their own words (`glucopipe plugins --json`);
do not edit it.

Every meter in the table is found by itself, described by `glucopipe info`, and read whole by `glucopipe run`
and `glucopipe dump`. The columns say what else can be done with it. A meter of the same maker that is not
in the table is tried with the rules of its family and marked untested.
";

/// What stands behind the meters.
const METERS_TESTED: &str = "
How a model was tested:

* **protocol facts** says where they come from. Captured bytes are bytes that a real meter of this
  model sent; they are decoded in the tests. Other programs are public ones that support the model.
* **emulator**: the whole program reads a virtual meter of this model in the tests, and its driver meets every
  fault of that meter there. With every fault of a family, the whole program reads two of its models.
* **real kernel**: that virtual meter is plugged into a Linux kernel as a USB device, and the program reads
  it through the real device nodes ([testing.md](testing.md)).

No model was tested with the meter itself in hand yet. A report with `--record` helps; a transcript holds
readings, and `glucopipe transcript scrub` makes it fit to share.
";

/// `docs/meters.md` has every model of every driver of this workspace.
#[test]
fn the_meters_are_those_of_the_drivers() {
    let listing = Workspace::new().run(&["plugins", "--json"]);
    let listing: Value = serde_json::from_str(&listing.stdout).expect("one JSON document");
    let mut text = format!(
        "# Meters\n\n{METERS}\n| model | USB | driver | link | clock shown | clock set | erased | protocol facts | emulator | real kernel |\n\
         |---|---|---|---|---|---|---|---|---|---|\n"
    );
    let plugins = listing["plugins"].as_array().expect("a list");
    for driver in plugins.iter().filter(|plugin| plugin["kind"] == "driver") {
        let word = |value: &Value| value.as_str().expect("a text").to_owned();
        let can = driver["can"].as_array().expect("a list");
        let able = |ability: &str| {
            let able = can.iter().any(|known| known == ability);
            if able { "yes" } else { "–" }
        };
        // The lane in a virtual machine plugs in every model of the catalogue.
        let emulated = |vendor: &str, product: &str| {
            let usb = format!("{vendor}:{product}");
            let emulated = catalog().iter().any(|entry| entry.usb.to_string() == usb);
            if emulated { "yes" } else { "–" }
        };
        for model in driver["models"].as_array().expect("a list") {
            let (vendor, product) = (word(&model["vendor"]), word(&model["product"]));
            let virtual_meter = emulated(&vendor, &product);
            writeln!(
                text,
                "| {} | `{vendor}:{product}` | `{}` | {} | {} | {} | {} | {} | {virtual_meter} | {virtual_meter} |",
                word(&model["model"]),
                word(&driver["id"]),
                word(&model["link"]),
                able("clock"),
                able("clock set"),
                able("erase"),
                word(&model["tested"]),
            )
            .expect("memory");
        }
    }
    text.push_str(METERS_TESTED);
    holds("meters.md", &text);
}

fn type_words(kind: Kind) -> &'static str {
    match kind {
        Kind::Words | Kind::Text => "string",
        Kind::Instant => "timestamp(us, UTC)",
        Kind::Civil => "timestamp(us), no zone",
        Kind::Number => "float64",
        Kind::Small => "int16",
        Kind::Integer => "int64",
        Kind::Bytes => "binary",
    }
}

fn table() -> String {
    let mut text = String::from(
        "| column | type | null | filled by | meaning | words |\n|---|---|---|---|---|---|\n",
    );
    for column in COLUMNS {
        let null = if column.nullable { "yes" } else { "no" };
        let filler = match column.filler {
            Filler::Driver => "driver",
            Filler::Host => "glucopipe",
        };
        let words: Vec<String> = column
            .words
            .iter()
            .map(|word| format!("`{word}`"))
            .collect();
        let (name, kind, meaning) = (column.name, type_words(column.kind), column.meaning);
        writeln!(
            text,
            "| `{name}` | {kind} | {null} | {filler} | {meaning} | {} |",
            words.join(", ")
        )
        .expect("memory");
    }
    text
}

/// `docs/readings.md` has the table of columns; what stands around it is written by hand.
#[test]
fn the_columns_are_those_of_the_schema() {
    let found = fs::read_to_string(page("readings.md")).unwrap_or_default();
    let around = found.split_once(BEGIN).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(END)?;
        Some((before.to_owned(), after.to_owned()))
    });
    let (before, after) = around.unwrap_or_else(|| (format!("{READINGS}\n"), "\n".to_owned()));
    holds(
        "readings.md",
        &format!("{before}{BEGIN}\n{}{END}{after}", table()),
    );
}

/// A run with everything that a report can tell: a record set aside, and problems with a place in the file
/// and without one.
const REPORTED: &str = r#"[sources.meter]
device = "virtual:contour-next-usb?records=20&fault=odd:7"
[sources.away]
device = "serial:NOBODYS"
[transforms.local]
type = "clock"
inputs = ["meter", "away", "typed"]
timezone = "Europe/Athens"
[sinks.sheet]
exporter = "csv"
inputs = ["local"]
path = "sheet.csv"
"#;

/// The names of all fields, but those that a driver chooses.
fn fields(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                found.insert(name.clone());
                if !["counts", "annotations"].contains(&name.as_str()) {
                    fields(value, found);
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| fields(item, found)),
        _ => {}
    }
}

/// The words in backticks of a text.
fn literals(text: &str) -> BTreeSet<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// `docs/report.md` names every key of a report and every word for an end; its tables have no other keys.
#[test]
fn the_keys_of_a_report_are_explained() {
    let workspace = Workspace::new();
    workspace.write("pipeline.toml", REPORTED);
    let typed = "sources.typed={ device = \"serial:NOBODYS\" }";
    let run = workspace.run(&["run", "--dry-run", "--report", "-", "--set", typed]);
    let report: Value = serde_json::from_str(&run.stdout).expect("one JSON document");
    let mut keys = BTreeSet::new();
    fields(&report, &mut keys);
    for key in ["raw", "would", "line", "title"] {
        assert!(keys.contains(key), "{report:#}");
    }
    let text = fs::read_to_string(page("report.md")).expect("the page");
    let explained = literals(&text);
    let outcomes = [
        Outcome::Done,
        Outcome::Partial,
        Outcome::Failed,
        Outcome::Interrupted,
    ];
    let statuses = [
        SourceStatus::Complete,
        SourceStatus::Incomplete,
        SourceStatus::Failed,
        SourceStatus::Replayed,
    ];
    let words = outcomes.iter().map(serde_json::to_value);
    let words = words.chain(statuses.iter().map(serde_json::to_value));
    let words = words.map(|word| word.expect("a word").as_str().expect("a text").to_owned());
    for name in keys.iter().cloned().chain(words) {
        assert!(
            explained.contains(name.as_str()),
            "`{name}` is not explained"
        );
    }
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `"));
    for row in rows {
        let first = format!("`{}", row.split(" |").next().unwrap_or_default());
        for name in literals(&first) {
            assert!(keys.contains(name), "there is no key `{name}`");
        }
    }
}

/// `docs/pipeline.md` has every exit code with its meaning, as the manual page has it.
#[test]
fn the_exit_codes_are_explained() {
    let manual = Workspace::new().run(&["man"]).stdout;
    let (_, section) = manual
        .split_once(".SH \"EXIT STATUS\"\n")
        .expect("a section");
    let (section, _) = section.split_once(".SH").expect("one behind it");
    let text = fs::read_to_string(page("pipeline.md")).expect("the page");
    let (_, table) = text.split_once("\n## Exit codes\n").expect("a section");
    let rows: Vec<&str> = table
        .lines()
        .filter(|line| line.starts_with("| "))
        .collect();
    let codes: Vec<&str> = section.split(".TP\n").skip(1).collect();
    assert_eq!(rows.len(), 1 + codes.len(), "a head, and a row for each");
    for (row, code) in rows.iter().skip(1).zip(codes) {
        let mut lines = code.lines();
        let bold = lines.next().expect("a code");
        let code = bold.trim_start_matches(r"\fB").trim_end_matches(r"\fR");
        let meaning = lines.next().expect("a meaning");
        let start = format!("| {code} | {meaning} |");
        assert!(row.starts_with(&start), "expected `{start}`, got `{row}`");
    }
}
