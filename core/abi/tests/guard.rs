//! The guard of what was released: nothing of it changes, and a change is seen.
//!
//! `compat/vMAJOR.MINOR` holds the header of each released minor, and `golden` what a compiler said of it then.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // helpers of tests are tests

#[path = "support/measure.rs"]
mod measure;
#[path = "support/parse.rs"]
mod parse;
mod support;

use std::path::{Path, PathBuf};

use glucopipe_abi::{GP_ABI_MAJOR, GP_ABI_MINOR, HEADER};
use measure::{difference, measured, portable, violations};

/// Minors that were released, oldest first.
const RELEASED: &[u32] = &[0];

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The header of a released minor.
fn frozen(minor: u32) -> String {
    let path = folder("compat").join(format!("v{GP_ABI_MAJOR}.{minor}/glucopipe.h"));
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A header as lines, without what differs from platform to platform.
fn lines(header: &str) -> String {
    portable(&measured(header), "errno ")
}

/// The newest of them, in which the tests below break one thing at a time.
fn newest() -> String {
    frozen(*RELEASED.last().unwrap())
}

#[test]
fn every_released_minor_has_its_folder_and_no_other() {
    let entries = std::fs::read_dir(folder("compat")).unwrap();
    let mut found: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    found.sort();
    let known: Vec<String> = RELEASED
        .iter()
        .map(|minor| format!("v{GP_ABI_MAJOR}.{minor}"))
        .collect();
    assert_eq!(
        found, known,
        "a folder of `compat` and RELEASED go together"
    );
    let newest = RELEASED.last().map(|minor| i64::from(*minor));
    assert!(newest <= Some(i64::from(GP_ABI_MINOR)));
}

#[test]
fn a_frozen_header_is_as_it_was_released() {
    if cfg!(not(all(target_pointer_width = "64", not(windows)))) {
        println!("skipped: the golden files are for LP64 platforms");
        return;
    }
    for minor in RELEASED {
        let golden = folder("golden").join(format!("v{GP_ABI_MAJOR}.{minor}-lp64.layout"));
        let now = lines(&frozen(*minor));
        // A golden file is written once, when its minor is released.
        if std::env::var_os("GLUCOPIPE_ABI_BLESS").is_some() && !golden.exists() {
            std::fs::write(&golden, &now).unwrap();
        }
        let diff = difference(&std::fs::read_to_string(&golden).unwrap_or_default(), &now);
        assert!(
            diff.is_empty(),
            "{} (-) and the frozen header (+) differ; a released minor is never changed:\n{diff}",
            golden.display()
        );
    }
}

#[test]
fn nothing_that_was_released_has_changed() {
    let now = lines(HEADER);
    for minor in RELEASED {
        let broken = violations(&lines(&frozen(*minor)), &now);
        assert!(
            broken.is_empty(),
            "the header breaks what ABI {GP_ABI_MAJOR}.{minor} promised:\n{broken:#?}\n\
             The ABI is append-only; see docs/adr/0001-c-abi-and-its-growth.md."
        );
    }
}

/// A change of the header: what it is, a text in it, and what stands there instead.
type Change = (&'static str, &'static str, &'static str);

/// A header with one change.
fn changed(header: &str, (what, from, to): Change) -> String {
    assert_eq!(
        header.matches(from).count(),
        1,
        "{what}: `{from}` does not stand there once"
    );
    header.replace(from, to)
}

/// Every one of these breaks plugins that are there.
const BREAKS: &[Change] = &[
    (
        "two slots of one type in another order",
        "  int64_t(GP_CALL* utc_us)(const gp_op*);\n  /* [any] Milliseconds that only grow, from an arbitrary start. */\n  uint64_t(GP_CALL* monotonic_ms)(const gp_op*);\n",
        "  uint64_t(GP_CALL* monotonic_ms)(const gp_op*);\n  int64_t(GP_CALL* utc_us)(const gp_op*);\n",
    ),
    (
        "two fields of one type in another order",
        "  uint32_t cdb_len;    /* 6, 10, 12 or 16 */\n  uint32_t data_len;   /* bytes of data */\n",
        "  uint32_t data_len;\n  uint32_t cdb_len;\n",
    ),
    (
        "a wider field",
        "  uint32_t min_host_minor;",
        "  uint64_t min_host_minor;",
    ),
    (
        "another sign",
        "  int32_t utc_offset_seconds;",
        "  uint32_t utc_offset_seconds;",
    ),
    (
        "a longer array",
        "  uint8_t sense[32];",
        "  uint8_t sense[64];",
    ),
    (
        "a slot less",
        "  int32_t(GP_CALL* cancelled)(const struct gp_op*);\n",
        "",
    ),
    (
        "a slot less at the end",
        "  void(GP_CALL* progress)(const struct gp_op*, uint64_t done, uint64_t total, const char* step);\n",
        "",
    ),
    (
        "a field in the middle of a table",
        "  const char* id; /* eg:",
        "  const char* alias;\n  const char* id; /* eg:",
    ),
    (
        "a field in front of a table",
        "typedef struct gp_transform {\n",
        "typedef struct gp_transform {\n  uint64_t magic;\n",
    ),
    (
        "another name, which is another meaning",
        "  void* host_data;    /* the host's own */\n  const char* name;",
        "  void* plugin_data;\n  const char* name;",
    ),
    (
        "a parameter more",
        "  void(GP_CALL* close)(gp_filter*);",
        "  void(GP_CALL* close)(gp_filter*, gp_error*);",
    ),
    (
        "a parameter of another type",
        "  const void*(GP_CALL* get_extension)(const char* id);",
        "  const void*(GP_CALL* get_extension)(uint32_t id);",
    ),
    (
        "parameters in another order",
        "gp_status(GP_CALL* erase)(gp_session*, const gp_op*, const char* expect_serial, gp_error*);",
        "gp_status(GP_CALL* erase)(gp_session*, const char* expect_serial, const gp_op*, gp_error*);",
    ),
    (
        "another result",
        "  int32_t(GP_CALL* cancelled)(const struct gp_op*);",
        "  uint64_t(GP_CALL* cancelled)(const struct gp_op*);",
    ),
    (
        "another value",
        "#define GP_E_CANCELLED 8 ",
        "#define GP_E_CANCELLED 12 ",
    ),
    ("a constant less", "#define GP_LOG_TRACE 5\n", ""),
    (
        "another entry symbol",
        "#define GP_ENTRY_SYMBOL \"gp_plugin_v1\"",
        "#define GP_ENTRY_SYMBOL \"gp_plugin_v2\"",
    ),
    (
        "another entry",
        "GP_EXPORT const gp_plugin* GP_CALL gp_plugin_v1(void);",
        "GP_EXPORT const gp_plugin* GP_CALL gp_plugin_v1(uint32_t minor);",
    ),
    (
        "another extension id",
        "\"glucopipe.transport/1\"",
        "\"glucopipe.transport/2\"",
    ),
    (
        "a field at the end of a frozen struct",
        "  int32_t utc_offset_seconds;  /* GP_OFFSET_UNKNOWN if the device has none */\n  uint32_t resolution_seconds; /* 1, or 60 for a clock that shows minutes; ignored by set_clock */\n",
        "  int32_t utc_offset_seconds;\n  uint32_t resolution_seconds;\n  int64_t drift;\n",
    ),
    (
        "a status of another size",
        "typedef int32_t gp_status; ",
        "typedef int64_t gp_status; ",
    ),
    (
        "a table that is passed on as another type",
        "typedef struct gp_link gp_link;",
        "typedef void gp_link;",
    ),
    (
        "another calling convention",
        "#define GP_CALL __cdecl",
        "#define GP_CALL __stdcall",
    ),
];

/// The end of a table, and a field behind it.
const APPENDED: Change = (
    "a slot at the end of a table",
    "  gp_status(GP_CALL* erase)(gp_session*, const gp_op*, const char* expect_serial, gp_error*);\n",
    "  gp_status(GP_CALL* erase)(gp_session*, const gp_op*, const char* expect_serial, gp_error*);\n\
     \x20 /* [serial] (since 1.1) Lets the meter show itself. */\n\
     \x20 gp_status(GP_CALL* blink)(gp_session*, const gp_op*, gp_error*);\n",
);

/// What a later minor may do, once it says that it is one.
const GROWTH: &[Change] = &[
    APPENDED,
    (
        "a new constant",
        "#define GP_E_LOST 11 ",
        "#define GP_E_FULL 12 /* (since 1.1) */\n#define GP_E_LOST 11 ",
    ),
    (
        "a new table",
        "/* ---- plugin side ",
        "#define GP_EXT_LIGHT \"glucopipe.light/1\"\n\
         typedef struct gp_light {\n  uint32_t struct_size;\n  uint32_t reserved;\n\
         \x20 void(GP_CALL* on)(const gp_op*);\n} gp_light;\n\n/* ---- plugin side ",
    ),
];

fn later(header: &str) -> String {
    let next = RELEASED.last().unwrap() + 1;
    let change = format!("#define GP_ABI_MINOR {next}u");
    let minor = format!("#define GP_ABI_MINOR {}u", next - 1);
    assert_eq!(header.matches(&minor).count(), 1);
    header.replace(&minor, &change)
}

#[test]
fn the_guard_sees_every_break() {
    let (header, released) = (newest(), lines(&newest()));
    for change in BREAKS {
        // A new minor excuses none of them.
        for header in [header.clone(), later(&header)] {
            let now = lines(&changed(&header, *change));
            let found = violations(&released, &now);
            assert!(
                found.iter().any(|one| one.starts_with("changed or gone")),
                "the guard took {}: {found:?}",
                change.0
            );
        }
    }
}

#[test]
fn the_guard_lets_a_later_minor_grow() {
    let (header, released) = (newest(), lines(&newest()));
    assert_eq!(violations(&released, &released), [""; 0]);
    assert_eq!(violations(&released, &lines(&later(&header))), [""; 0]);
    for change in GROWTH {
        let grown = changed(&header, *change);
        let early = violations(&released, &lines(&grown));
        assert!(
            early.len() == 1 && early[0].contains("without raising GP_ABI_MINOR"),
            "{}: {early:?}",
            change.0
        );
        let found = violations(&released, &lines(&later(&grown)));
        assert_eq!(found, [""; 0], "{}", change.0);
    }
}

/// Words may become better at any time.
#[test]
fn the_guard_reads_no_comments() {
    let comment = (
        "a comment",
        "/* ---- host side ---",
        "/* ---- what the host lends ---",
    );
    let now = changed(&newest(), comment);
    assert_eq!(violations(&lines(&newest()), &lines(&now)), [""; 0]);
}

/// A source that was written for a released minor still compiles.
#[test]
fn frozen_sources_compile_with_todays_header() {
    for minor in RELEASED {
        let folder = folder("compat").join(format!("v{GP_ABI_MAJOR}.{minor}"));
        let scratch = tempfile::tempdir().unwrap();
        // Beside its own header it would find that one.
        let source = scratch.path().join("plugin.c");
        std::fs::copy(folder.join("plugin.c"), &source).unwrap();
        for compiler in support::Compiler::c() {
            compiler.build(
                &["-std=c99", "-fsyntax-only", "-Wall", "-Wextra", "-Werror"],
                &source,
            );
        }
    }
}
