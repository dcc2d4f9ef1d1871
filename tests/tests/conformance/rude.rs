//! A C plugin that is good but for one thing, and the test that finds it.

use std::path::PathBuf;

use glucopipe_tests::Workspace;

use super::{Check, LIMIT};
use crate::support::compile_c;

fn library(workspace: &Workspace, case: u32, more: &[&str]) -> PathBuf {
    let define = format!("-DCASE={case}");
    let arguments = [
        &[
            define.as_str(),
            "-fvisibility=hidden",
            "-pthread",
            "-Wno-unused",
        ][..],
        more,
    ]
    .concat();
    compile_c(workspace, "rude.c", "librude.so", &arguments)
}

/// Runs one test of one case, and expects it to fail with these words.
fn fails(case: u32, test: &str, words: &str) {
    fails_built(case, &[], LIMIT, test, words);
}

fn fails_built(case: u32, more: &[&str], limit: &str, test: &str, words: &str) {
    let workspace = Workspace::new();
    let library = library(&workspace, case, more);
    let check = Check::run(&workspace, &library, &["--test", test, "--timeout", limit]);
    let reasons = check.reasons(test, "exporter");
    assert!(
        reasons.starts_with("\"failed\""),
        "{case}: {:#}",
        check.document
    );
    assert!(
        reasons.contains(words),
        "{case}: expected `{words}` in {reasons}"
    );
    assert_eq!(check.finished.code, 8, "{case}");
}

/// A plugin in C that does nothing wrong fails nothing, and what it lacks is skipped.
#[test]
fn a_good_one_passes() {
    let workspace = Workspace::new();
    let library = library(&workspace, 0, &[]);
    let check = Check::run(&workspace, &library, &["--timeout", LIMIT]);
    assert_eq!(check.of("failed"), [""; 0], "{:#}", check.document);
    let skipped = [
        "exporter.wants rude",
        "exporter.check rude",
        "exporter.preview rude",
    ];
    assert_eq!(check.of("skipped"), skipped, "{:#}", check.document);
    assert_eq!(check.finished.code, 0);
}

#[test]
fn the_file_alone() {
    fails_built(
        13,
        &["-Wl,-z,execstack"],
        LIMIT,
        "file.stack",
        "executable stack",
    );
    fails_built(
        0,
        &["-Dgp_plugin_v1=gp_plugin_v9"],
        LIMIT,
        "file.entry",
        "does not export `gp_plugin_v1`",
    );
}

#[test]
fn scans() {
    fails(1, "scan.components", "for index 4294967295, past the end");
    fails(2, "scan.components", "another component for the same index");
    fails(3, "scan.components", "the id `rude` comes twice");
    fails(4, "scan.quiet", "left threads running");
    fails(5, "scan.load", "signal handler");
    fails(6, "scan.load", "wrote 6 bytes to standard output");
    fails(10, "scan.extensions", "nobody.has-this/1");
    fails(19, "scan.components", "semantic version");
}

/// A crash is told with what was done, and the other tests are run.
#[test]
fn crashes() {
    fails(
        7,
        "exporter.write",
        "while delivering readings, the process was ended by SIGSEGV, a segmentation fault",
    );
    fails(
        8,
        "exporter.write",
        "while delivering readings, the process ended itself with exit code 0",
    );
    fails(9, "exporter.write", "was ended by SIGABRT, an abort");
    fails_built(
        18,
        &[],
        "3s",
        "exporter.write",
        "did not come back within 3 s",
    );
    fails(23, "exporter.write", "was ended by SIGABRT, an abort");
    fails(
        22,
        "life.null",
        "while closing NULL, the process was ended by SIGSEGV",
    );
}

#[test]
fn what_is_left_behind() {
    fails(11, "life.leaks", "left a file open: /dev/null");
    fails(12, "life.leaks", "KiB more memory");
    fails(15, "exporter.abort", "the file `out` is there");
}

#[test]
fn configurations_and_errors() {
    fails(14, "keys.refused", "open took `null` for a configuration");
    fails(16, "keys.refused", "the error has no message");
    fails(20, "keys.refused", "did not set itself to NULL");
    fails(21, "exporter.failing", "took a stream that failed");
    fails(
        21,
        "exporter.cancel",
        "a write that was cancelled succeeded",
    );
}

/// What all of the process goes by is compared from before the first call.
#[test]
fn what_is_changed_for_everybody() {
    fails(24, "exporter.write", "it changed the working folder");
    fails(25, "exporter.write", "it changed the umask (00");
    fails(
        26,
        "exporter.write",
        "it installed or removed a signal handler",
    );
    fails(27, "exporter.write", "it changed which signals are blocked");
    fails(28, "exporter.write", "it changed the environment");
}

/// A test has the rights of a plugin, and no more.
#[test]
fn what_no_plugin_may_do() {
    fails(
        17,
        "exporter.write",
        "was ended by SIGSYS: it tried what no plugin may do, such as starting a process",
    );
    fails(29, "exporter.write", "cannot write elsewhere");
    // What these try to reach is not there, so they find nothing to do.
    for case in [30, 31] {
        let workspace = Workspace::new();
        let library = library(&workspace, case, &[]);
        let check = Check::run(&workspace, &library, &["--test", "exporter.write"]);
        assert_eq!(check.of("passed"), ["exporter.write rude"], "{case}");
    }
}
