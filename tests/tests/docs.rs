//! Pages that are rendered from the program's own registries. `GLUCOPIPE_BLESS=1` writes them anew.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use glucopipe_runtime::codes;
use glucopipe_sdk::schema::{COLUMNS, Filler, Kind};

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
