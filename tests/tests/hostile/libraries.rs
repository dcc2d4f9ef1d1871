//! Libraries that should not be loaded, and one of the future that should.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use glucopipe_runtime::plugin::SearchPath;
use glucopipe_runtime::problem::{Code, Problem};
use glucopipe_runtime::run::report::Outcome;

use super::bench::{Bench, THREE, expect};
use crate::support::compile_c;

/// The name that makes the loader try this library first for the exporter `broken`.
const NAMED: &str = "libglucopipe_exporter_broken.so";

/// Compiles a file of `tests/c` to a library in the plugin folder.
pub(super) fn compile(bench: &Bench, source: &str, name: &str, case: u32) -> PathBuf {
    let case = format!("-DCASE={case}");
    // Each case leaves something out; what is bound late must be refused all the same.
    let arguments = [
        "-Wno-unused-function",
        "-Wno-unused-const-variable",
        "-Wl,-z,lazy",
        &case,
    ];
    compile_c(&bench.workspace, source, name, &arguments)
}

fn pipeline(bench: &Bench, exporter: &str) -> String {
    let sink = format!("[sinks.bad]\nexporter = \"{exporter}\"\ninputs = [\"meter\"]\n");
    [
        bench.source("meter", "good", ""),
        sink,
        bench.table("fine", "meter"),
    ]
    .concat()
}

/// The problems of a pipeline with the exporter `broken`, of which nothing was run.
fn refused(bench: &Bench) -> Vec<Problem> {
    let problems = bench
        .try_run(&pipeline(bench, "broken"))
        .expect_err("refused");
    assert_eq!(bench.workspace.read("fine.csv"), None);
    problems
}

/// A broken library is named with the reason, and harms no pipeline that does not use it.
fn broken(case: u32, code: Code, words: &str) {
    let bench = Bench::new();
    let library = compile(&bench, "broken.c", NAMED, case);
    let problems = refused(&bench);
    expect(problems.first(), code, words);
    if code != Code::CONFIG_UNKNOWN_PLUGIN {
        expect(problems.first(), code, &library.display().to_string());
    }
    let without = [
        bench.source("meter", "good", ""),
        bench.table("fine", "meter"),
    ];
    let ran = bench.run(&without.concat());
    assert_eq!(ran.report.outcome, Outcome::Done, "{}", ran.text);
    assert_eq!(bench.workspace.read("fine.csv").as_deref(), Some(THREE));
}

macro_rules! cases {
    ($($name:ident = $case:literal, $code:expr, $words:literal;)+) => {$(
        #[test]
        fn $name() {
            broken($case, $code, $words);
        }
    )+};
}

cases! {
    no_entry_symbol = 1, Code::PLUGIN_ABI, "gp_plugin_v1";
    entry_returns_null = 2, Code::PLUGIN_ABI, "`gp_plugin` is null";
    plugin_too_small = 3, Code::PLUGIN_ABI, "`gp_plugin.struct_size` is 8";
    host_too_old = 4, Code::PLUGIN_ABI, "needs a host with plugin ABI 1.99";
    required_slot_missing = 5, Code::PLUGIN_BROKEN, "lacks the required function `commit`";
    table_too_small = 6, Code::PLUGIN_BROKEN, "`gp_exporter.struct_size`";
    table_null = 7, Code::PLUGIN_BROKEN, "`gp_exporter` is null";
    components_endless = 8, Code::PLUGIN_BROKEN, "more than 256 components";
    id_malformed = 9, Code::PLUGIN_BROKEN, "its id is missing or has other characters";
    id_null = 10, Code::PLUGIN_BROKEN, "its id is missing or has other characters";
    about_not_json = 11, Code::PLUGIN_BROKEN, "is not what the ABI asks for";
    about_null = 12, Code::PLUGIN_BROKEN, "does not describe itself";
    about_not_utf8 = 13, Code::PLUGIN_BROKEN, "does not describe itself";
    symbol_missing = 15, Code::PLUGIN_LOAD, "nobody_has_this";
    name_null = 16, Code::PLUGIN_BROKEN, "it has no name";
    no_component_function = 17, Code::PLUGIN_BROKEN, "it has no component function";
    kind_unknown = 18, Code::CONFIG_UNKNOWN_PLUGIN, "unknown exporter `broken`";
    table_unaligned = 19, Code::PLUGIN_BROKEN, "`gp_exporter` is not aligned";
}

#[test]
fn a_plugin_of_a_later_minor_version_works() {
    let bench = Bench::new();
    compile(&bench, "newer.c", "libglucopipe_exporter_newer.so", 0);
    let ran = bench.run(&pipeline(&bench, "newer"));
    assert_eq!(ran.report.outcome, Outcome::Done, "{}", ran.text);
    assert_eq!(ran.report.sinks[0].delivered, 3);
}

/// The loader opens libraries by their descriptor, and the linker remembers names.
#[test]
fn two_libraries_in_turn_are_two_libraries() {
    let bench = Bench::new();
    compile(&bench, "newer.c", "libglucopipe_exporter_newer.so", 0);
    compile(&bench, "broken.c", "libglucopipe_exporter_broken.so", 0);
    let sinks: String = ["newer", "broken"]
        .map(|id| format!("[sinks.{id}]\nexporter = \"{id}\"\ninputs = [\"meter\"]\n"))
        .concat();
    let ran = bench.run(&[bench.source("meter", "good", ""), sinks].concat());
    assert_eq!(ran.report.sinks[0].delivered, 3, "{}", ran.text);
    expect(
        ran.report.sinks[1].error.as_ref(),
        Code::SINK_WRITE,
        "without a message",
    );
}

#[test]
fn a_broken_schema_of_keys_is_the_plugins_fault() {
    let bench = Bench::new();
    compile(&bench, "broken.c", NAMED, 14);
    expect(
        refused(&bench).first(),
        Code::PLUGIN_BROKEN,
        "publishes a broken schema",
    );
}

#[test]
fn a_file_that_is_no_library() {
    let bench = Bench::new();
    let path = bench.workspace.plugins().join(NAMED);
    fs::write(&path, "exit 0\n".repeat(1000)).expect("written");
    fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("permissions");
    expect(refused(&bench).first(), Code::PLUGIN_LOAD, "no library");
}

#[test]
fn a_library_that_everybody_can_write() {
    let bench = Bench::new();
    let library = compile(&bench, "broken.c", NAMED, 0);
    fs::set_permissions(&library, Permissions::from_mode(0o757)).expect("permissions");
    let problems = refused(&bench);
    expect(
        problems.first(),
        Code::PLUGIN_UNSAFE,
        "the file is writable by everybody",
    );
    expect(
        problems.first(),
        Code::PLUGIN_UNSAFE,
        "nothing of it was run",
    );
}

/// The refusal itself; what else lies in the folder is refused too.
fn unsafe_one(problems: &[Problem]) -> Option<&Problem> {
    problems
        .iter()
        .find(|problem| problem.code == Code::PLUGIN_UNSAFE)
}

#[test]
fn a_folder_that_everybody_can_write() {
    let bench = Bench::new();
    compile(&bench, "broken.c", NAMED, 0);
    let folder = bench.workspace.plugins();
    fs::set_permissions(&folder, Permissions::from_mode(0o777)).expect("permissions");
    let problems = refused(&bench);
    expect(
        unsafe_one(&problems),
        Code::PLUGIN_UNSAFE,
        "is writable by everybody",
    );
}

#[test]
fn a_sticky_folder_that_everybody_can_write() {
    let bench = Bench::new();
    compile(&bench, "broken.c", NAMED, 0);
    let folder = bench.workspace.plugins();
    // Nobody can replace the file, but anybody can add one beside it.
    fs::set_permissions(&folder, Permissions::from_mode(0o1777)).expect("permissions");
    let problems = refused(&bench);
    expect(
        unsafe_one(&problems),
        Code::PLUGIN_UNSAFE,
        "is writable by everybody",
    );
}

#[test]
fn a_link_to_a_library() {
    let bench = Bench::new();
    let library = compile(&bench, "broken.c", "libelsewhere.so", 0);
    let elsewhere = bench.workspace.path().join("elsewhere.so");
    fs::rename(&library, &elsewhere).expect("moved");
    symlink(&elsewhere, bench.workspace.plugins().join(NAMED)).expect("a link");
    expect(refused(&bench).first(), Code::PLUGIN_LOAD, "cannot open it");
}

#[test]
fn a_pipe_instead_of_a_library_does_not_hang_the_search() {
    let bench = Bench::new();
    let meeting = glucopipe_tests::Meeting::new(&bench.workspace.plugins(), "x");
    let pipe = bench.workspace.plugins().join("x.here");
    fs::rename(pipe, bench.workspace.plugins().join(NAMED)).expect("moved");
    expect(
        refused(&bench).first(),
        Code::PLUGIN_LOAD,
        "not a regular file",
    );
    drop(meeting);
}

#[test]
fn a_driver_that_is_refused_is_named_where_any_driver_would_do() {
    let bench = Bench::new();
    let library = compile(&bench, "broken.c", "libglucopipe_driver_meter.so", 1);
    let text = [
        "[sources.meter]\ndevice = \"virtual:verio-flex\"\n",
        &bench.table("fine", "meter"),
    ];
    let problems = bench.try_run(&text.concat()).expect_err("refused");
    let nobody = problems.first();
    expect(nobody, Code::NO_METER, "no driver knows");
    expect(
        nobody,
        Code::NO_METER,
        &format!("`{}` is not loaded: ", library.display()),
    );
}

#[test]
fn a_folder_by_a_relative_path() {
    let mut search = SearchPath::default();
    search.add(Path::new("plugins"), "--plugin-dir");
    assert!(search.folders.is_empty());
    expect(
        search.problems.first(),
        Code::PLUGIN_UNSAFE,
        "not an absolute path",
    );
}

#[test]
fn messages_are_whole() {
    for (name, case) in [("symbol-missing", 15), ("host-too-old", 4)] {
        let bench = Bench::new();
        compile(&bench, "broken.c", NAMED, case);
        let problems = refused(&bench);
        let text = glucopipe_runtime::render::render(&problems[0], false);
        let text = bench.workspace.filtered(&text);
        insta::assert_snapshot!(format!("library-{name}"), text);
    }
}
