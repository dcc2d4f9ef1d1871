//! The header compiles in every C and C++ it promises, without a warning.

#![allow(clippy::unwrap_used, clippy::print_stdout)] // helpers of tests are tests

mod support;

use std::path::Path;

use support::Compiler;

const C_STANDARDS: &[&str] = &["c89", "c99", "c11", "c17"];
const CPP_STANDARDS: &[&str] = &["c++98", "c++11", "c++17", "c++20"];

/// Uses the header twice, and every table through `GP_HAS`, which is a macro and so checked only here.
const SOURCE: &str = r#"
#include "glucopipe.h"
#include "glucopipe.h"
int all_present(const gp_host* host, const gp_op* op, const gp_transport* transport, const gp_time* clock,
                const gp_driver* driver, const gp_exporter* exporter, const gp_transform* transform,
                const gp_scrub* scrub, const gp_component* component, const gp_plugin* plugin);
int all_present(const gp_host* host, const gp_op* op, const gp_transport* transport, const gp_time* clock,
                const gp_driver* driver, const gp_exporter* exporter, const gp_transform* transform,
                const gp_scrub* scrub, const gp_component* component, const gp_plugin* plugin) {
  return GP_HAS(host, log) && GP_HAS(op, cancelled) && GP_HAS(transport, scsi) &&
         GP_HAS(clock, utc_us) && GP_HAS(driver, erase) && GP_HAS(exporter, commit) &&
         GP_HAS(transform, apply) && GP_HAS(scrub, scrub) && GP_HAS(component, table) && GP_HAS(plugin, get_extension) &&
         GP_OFFSET_UNKNOWN < 0;
}
const gp_plugin* GP_CALL gp_plugin_v1(void) { return 0; }
"#;

/// Compiles the header with a compiler in each standard; returns how many it knows.
fn compile(compiler: &Compiler, standards: &[&str], extra: &[&str], folder: &Path) -> usize {
    let extension = if standards == C_STANDARDS { "c" } else { "cpp" };
    let empty = folder.join(format!("empty.{extension}"));
    let source = folder.join(format!("uses.{extension}"));
    std::fs::write(&empty, "int empty;\n").unwrap();
    std::fs::write(&source, SOURCE).unwrap();
    let mut compiled = 0;
    for standard in standards {
        let standard = format!("-std={standard}");
        let known = compiler.run(&[&standard, "-fsyntax-only"], &empty);
        if !known.status.success() {
            println!("skipped: `{}` has no {standard}", compiler.name());
            continue;
        }
        let mut arguments = vec![
            standard.as_str(),
            "-fsyntax-only",
            "-Wall",
            "-Wextra",
            "-Wpedantic",
            "-Werror",
        ];
        arguments.extend_from_slice(extra);
        compiler.build(&arguments, &source);
        compiled += 1;
    }
    compiled
}

#[test]
fn compiles_as_c_without_warnings_or_padding() {
    let folder = tempfile::tempdir().unwrap();
    for compiler in Compiler::c() {
        let extra = ["-Wpadded", "-Wstrict-prototypes"];
        let compiled = compile(&compiler, C_STANDARDS, &extra, folder.path());
        assert!(compiled > 0, "`{}` knows no standard", compiler.name());
    }
}

#[test]
fn compiles_as_cpp_without_warnings() {
    let folder = tempfile::tempdir().unwrap();
    let compilers = Compiler::cpp();
    if compilers.is_empty() {
        println!("skipped: no C++ compiler here; install one or name it in CXX");
    }
    for compiler in compilers {
        compile(&compiler, CPP_STANDARDS, &[], folder.path());
    }
}
