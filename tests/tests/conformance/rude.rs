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
    fails(5, "scan.quiet", "signal handler");
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
        "was ended by signal 11 (SIGSEGV) while delivering readings",
    );
    fails(
        8,
        "exporter.write",
        "ended with exit code 0 while delivering readings",
    );
    fails(9, "exporter.write", "was ended by signal 6 (SIGABRT)");
    fails_built(
        18,
        &[],
        "3s",
        "exporter.write",
        "did not come back within 3 s",
    );
    fails(23, "exporter.write", "was ended by signal 6 (SIGABRT)");
    fails(22, "life.null", "SIGSEGV) while closing NULL");
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

/// A child that a plugin forked off holds nobody up, and does not outlive the check.
#[test]
fn a_fork_holds_nobody_up() {
    let workspace = Workspace::new();
    let library = library(&workspace, 17, &[]);
    let check = Check::run(&workspace, &library, &["--test", "exporter.write"]);
    assert!(
        check
            .reasons("exporter.write", "exporter")
            .starts_with("\"passed\""),
        "{:#}",
        check.document
    );
}
