//! `NAME.glucopipe.toml` beside a library: what it is, and what it may have.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use glucopipe_tests::{Finished, Workspace};

use super::{Stranger, set};
use crate::support::shown;

impl Stranger {
    fn manifest(&self) -> PathBuf {
        self.library.with_extension("glucopipe.toml")
    }

    /// Writes the manifest, and changes it.
    fn says(&self, old: &str, new: &str) {
        let needs = ["--needs", "network", "--needs", "files"];
        let written = self.plugins("manifest", &needs);
        assert_eq!(written.code, 0, "{}", written.stderr);
        let text = fs::read_to_string(self.manifest()).expect("a manifest");
        assert!(text.contains(old), "{text}");
        fs::write(self.manifest(), text.replace(old, new)).expect("written");
    }
}

#[test]
fn a_library_is_what_its_manifest_says_or_refused() {
    let stranger = Stranger::new();
    stranger.says("newer", "newer");
    let loaded = stranger.run(&["run"]);
    assert_eq!(loaded.code, 0, "{}", loaded.stderr);
    let mut text = String::new();
    for (old, new) in [
        ("id = \"newer\"", "id = \"other\""),
        ("9.9.9", "9.9.8"),
        ("abi = \"1.10\"", "abi = \"1.0\""),
        ("sha256 = \"", "sha256 = \"00"),
        ("network", "camera"),
        ("manifest = 1", "manifest = 2"),
    ] {
        stranger.says(old, new);
        let refused = stranger.run(&["run"]);
        assert_eq!(refused.code, 8, "{}", refused.stderr);
        text.push_str(&stranger.shown(&refused));
    }
    insta::assert_snapshot!(text);
    // What it may have is not known, so it is not written anew without saying that.
    let lost = stranger.plugins("manifest", &[]);
    assert_eq!(lost.code, 8);
    assert!(lost.stderr.contains("`--needs`"), "{}", lost.stderr);
    let said = ["--needs", "network", "--needs", "files"];
    assert_eq!(stranger.plugins("manifest", &said).code, 0);
    assert_eq!(stranger.run(&["run"]).code, 0);
    // Other pipelines run.
    assert_eq!(stranger.run(&["run", "own.toml"]).code, 0);
}

#[test]
fn a_library_that_was_built_anew_needs_its_manifest_anew() {
    let stranger = Stranger::new();
    let written = stranger.plugins("manifest", &["--needs", "network", "--needs", "network"]);
    assert_eq!((written.code, written.stdout.as_str()), (0, ""));
    let before = fs::read_to_string(stranger.manifest()).expect("a manifest");
    stranger.change();
    for refused in [
        stranger.run(&["run"]),
        stranger.plugins("trust", &["--yes"]),
        stranger.plugins("check", &["--test", "scan.load"]),
    ] {
        assert_eq!(refused.code, 8, "{}", refused.stderr);
        let said = [refused.stdout, refused.stderr].concat();
        assert!(
            said.contains("it is not what its manifest says: `sha256` is"),
            "{said}"
        );
    }
    // What it may have stays as it was said.
    stranger.plugins("manifest", &[]);
    let after = fs::read_to_string(stranger.manifest()).expect("a manifest");
    assert_ne!(before, after);
    assert!(after.ends_with("permissions = [\"network\"]\n"), "{after}");
    assert_eq!(stranger.run(&["run"]).code, 0);
    let checked = stranger.plugins("check", &["--test", "scan.load"]);
    let note = "its manifest agrees, and asks for network";
    assert!(checked.stdout.contains(note), "{}", checked.stdout);
    let nothing = stranger.plugins("manifest", &["--needs", "nothing"]);
    assert!(
        nothing.stderr.contains("may have nothing"),
        "{}",
        nothing.stderr
    );
}

#[test]
fn a_manifest_that_others_could_change_is_not_believed() {
    let stranger = Stranger::new();
    stranger.says("newer", "newer");
    set(&stranger.manifest(), 0o646);
    let refused = stranger.run(&["run"]);
    assert_eq!(refused.code, 8);
    insta::assert_snapshot!(stranger.shown(&refused));
    let elsewhere = stranger.workspace.path().join("elsewhere");
    fs::rename(stranger.manifest(), &elsewhere).expect("moved");
    set(&elsewhere, 0o644);
    symlink(&elsewhere, stranger.manifest()).expect("a link");
    let refused = stranger.run(&["run"]);
    assert_eq!(refused.code, 8, "{}", refused.stderr);
    assert!(
        refused.stderr.contains("cannot open it"),
        "{}",
        refused.stderr
    );
}

/// A workspace with plugins of ours as a stranger's, with a manifest each that asks for this.
fn asking(needs: &[&str], names: &[&str]) -> Workspace {
    let workspace = Workspace::new();
    for name in names {
        let library = workspace.install(name).display().to_string();
        let needs = needs.iter().flat_map(|need| ["--needs", need]);
        let arguments: Vec<&str> = ["plugins", "manifest", &library]
            .into_iter()
            .chain(needs)
            .collect();
        let written = workspace.run(&arguments);
        assert_eq!(written.code, 0, "{}", written.stderr);
    }
    workspace
}

fn run(workspace: &Workspace, sink: &str) -> Finished {
    let source = "[sources.meter]\ndevice = \"virtual:contour-next-usb?records=3\"\n";
    workspace.write(
        "pipeline.toml",
        &format!("{source}[sinks.out]\n{sink}inputs = [\"meter\"]\n"),
    );
    let plugins = workspace.plugins().display().to_string();
    workspace.run(&["run", "--plugin-dir", &plugins])
}

#[test]
fn files_are_for_those_who_ask_for_them() {
    let sink = "exporter = \"csv\"\npath = \"sheet.csv\"\n";
    let asked = asking(&["files"], &["exporter_csv"]);
    let finished = run(&asked, sink);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    let unasked = asking(&["network"], &["exporter_csv"]);
    let finished = run(&unasked, sink);
    assert_eq!(finished.code, 6);
    assert_eq!(unasked.read("sheet.csv"), None);
    insta::assert_snapshot!(shown(&unasked, &finished));
}

#[test]
fn the_network_is_for_those_who_ask_for_it() {
    let sink = "exporter = \"hostile\"\nmode = \"good\"\npath = \"out.csv\"\ncrime = \"phone\"\n";
    let asked = run(&asking(&["network"], &["test_hostile"]), sink);
    // Nobody is there, which one can only learn by asking.
    assert!(
        asked.stderr.contains("Connection refused"),
        "{}",
        asked.stderr
    );
    let unasked = run(&asking(&["files"], &["test_hostile"]), sink);
    assert!(
        unasked.stderr.contains("Operation not permitted"),
        "{}",
        unasked.stderr
    );
}

#[test]
fn devices_are_for_those_who_ask_for_them() {
    let asked = asking(&["devices"], &["driver_contour"]);
    let sink = "exporter = \"csv\"\npath = \"sheet.csv\"\n";
    assert_eq!(run(&asked, sink).code, 0);
    let unasked = asking(&["nothing"], &["driver_contour"]);
    let finished = run(&unasked, sink);
    assert_eq!(finished.code, 7);
    insta::assert_snapshot!(shown(&unasked, &finished));
}
