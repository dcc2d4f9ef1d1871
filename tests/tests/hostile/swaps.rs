//! Libraries that are replaced between the check and the load: what was checked is what is loaded.

use std::fs;
use std::path::Path;

use glucopipe_runtime::config::{Component as Kind, Isolate, Runtime};
use glucopipe_runtime::isolate::Isolation;
use glucopipe_runtime::plugin::{Manifest, Pin, Pins, Registry, Trust};
use glucopipe_runtime::run::report::Outcome;
use glucopipe_tests::build;

use super::bench::Bench;
use super::libraries::compile;

/// The exporter that is checked.
const NAMED: &str = "libglucopipe_exporter_newer.so";
/// A library whose initialiser ends its process: that it was loaded cannot be missed.
const HARMFUL: (&str, u32) = ("constructor.c", 2);

/// How a library is replaced.
type Swap = fn(&Path, &Path);

/// Another file gets its name.
fn renamed(new: &Path, old: &Path) {
    fs::rename(new, old).expect("a new file under the old name");
}

/// Its bytes become others.
fn overwritten(new: &Path, old: &Path) {
    fs::copy(new, old).expect("new bytes in the old file");
}

/// A bench with the exporter, and the library that is to take its place.
fn bench() -> (Bench, std::path::PathBuf, std::path::PathBuf) {
    let bench = Bench::new();
    let library = compile(&bench, "newer.c", NAMED, 0);
    let (source, case) = HARMFUL;
    let harmful = compile(&bench, source, "libharmful.so", case);
    let aside = bench.workspace.path().join("harmful");
    fs::rename(harmful, &aside).expect("moved");
    (bench, library, aside)
}

/// The plugins of a bench in children.
fn apart(bench: &Bench) -> Registry {
    bench.registry().isolated(Isolation {
        policy: Isolate::All,
        program: build().program(),
    })
}

/// The plugins of a bench in children, of which only the exporter's bytes and the others there are pinned.
fn pinned(bench: &Bench) -> Registry {
    let registry = apart(bench);
    let mut pins = Pins::open(&bench.workspace.path().join("trust.toml")).expect("no pins");
    for name in [
        NAMED,
        "libglucopipe_exporter_csv.so",
        "libglucopipe_test_hostile.so",
    ] {
        let path = bench.workspace.plugins().join(name);
        let found = registry.look_at(&path, true).expect("a library");
        let library = &found[0].library;
        pins.pin(Pin {
            id: library.name.clone(),
            version: library.version.clone(),
            file: name.to_owned(),
            sha256: library.vetted.sha256.clone().expect("its sha256"),
            components: Vec::new(),
        });
    }
    registry.trusting(Trust::of(Ok(pins), true))
}

fn pipeline(bench: &Bench) -> String {
    let sink = "[sinks.count]\nexporter = \"newer\"\ninputs = [\"meter\"]\n";
    [bench.source("meter", "good", ""), sink.to_owned()].concat()
}

fn delivers(bench: &Bench, registry: &Registry, happens: impl FnOnce()) {
    let ran = bench.try_run_after(&pipeline(bench), registry, happens);
    let ran = ran.unwrap_or_else(|problems| panic!("{problems:?}"));
    assert_eq!(ran.report.outcome, Outcome::Done, "{}", ran.text);
    assert_eq!(ran.report.sinks[0].delivered, 3, "{}", ran.text);
}

#[test]
fn a_child_is_handed_what_was_checked() {
    let (bench, library, harmful) = bench();
    delivers(&bench, &apart(&bench), || renamed(&harmful, &library));
    // Who comes later meets the new one.
    let problems = bench.try_run_after(&pipeline(&bench), &apart(&bench), || {});
    let problems = problems.expect_err("refused");
    assert!(
        problems[0].causes[0].contains("ended itself"),
        "{problems:?}"
    );
}

#[test]
fn what_was_compared_is_no_file_that_anybody_can_change() {
    for swap in [renamed as Swap, overwritten] {
        let (bench, library, harmful) = bench();
        delivers(&bench, &pinned(&bench), || swap(&harmful, &library));
    }
    let (bench, library, harmful) = bench();
    let registry = apart(&bench);
    let found = registry.look_at(&library, false).expect("a library");
    let found = &found[0].library;
    let sha256 = found.vetted.sha256.clone().expect("its sha256");
    let facts = (found.name.as_str(), found.version.as_str(), found.abi_minor);
    let manifest = Manifest::new(facts, sha256, Vec::new());
    manifest.write(&library).expect("a manifest");
    delivers(&bench, &registry, || overwritten(&harmful, &library));
}

/// In this process, which would be ended.
#[test]
fn what_was_looked_at_in_a_child_is_loaded_here() {
    let (bench, library, harmful) = bench();
    let registry = apart(&bench);
    let found = registry.find(Kind::Exporter, "newer").expect("an exporter");
    renamed(&harmful, &library);
    let here = registry
        .moved(found, Some(Runtime::InProcess))
        .expect("the same");
    assert_eq!(here.library.version, "9.9.9");
}
