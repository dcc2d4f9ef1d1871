//! `glucopipe compact`.

use super::{PIPELINE, with};
use crate::support::{shown, tree};
use glucopipe_tests::Workspace;

/// A data set of three runs becomes one file with the same readings, and then there is nothing left to do.
#[test]
fn merges_small_files() {
    let workspace = with(PIPELINE);
    for serial in ["A1", "A2", "A3"] {
        let device =
            format!("virtual:contour-next-usb?records=20&zone=Europe/Athens&serial={serial}");
        let set = format!("sources.meter.device={device}");
        assert_eq!(workspace.run(&["run", "--set", &set]).code, 0);
    }
    let files = || tree(&workspace.path().join("out/lake")).len();
    assert_eq!(files(), 3);
    let merged = shown(&workspace, &workspace.run(&["compact", "out/lake"]));
    insta::assert_snapshot!("compact-merges", without_sizes(&merged));
    assert_eq!(files(), 1);
    let before = tree(&workspace.path().join("out"));
    let again = shown(&workspace, &workspace.run(&["compact", "out/lake/"]));
    insta::assert_snapshot!("compact-has-nothing-to-do", again);
    assert!(tree(&workspace.path().join("out")) == before);
    let quiet = workspace.run(&["compact", "--quiet", "out/lake"]);
    assert_eq!((quiet.code, quiet.stderr.as_str()), (0, ""));
}

/// What is no data set is named, and nothing is made.
#[test]
fn needs_a_data_set() {
    let workspace = with(PIPELINE);
    workspace.write("file", "");
    for (name, path) in [("missing", "out/lake"), ("file", "file")] {
        let refused = shown(&workspace, &workspace.run(&["compact", path]));
        insta::assert_snapshot!(format!("compact-{name}"), refused);
    }
    assert!(!workspace.path().join("out").exists());
}

/// An exporter that only has keys of these names is not asked.
#[test]
fn needs_an_exporter_that_says_so() {
    let workspace = with(PIPELINE);
    workspace.install("test_hostile");
    let plugins = workspace.plugins().display().to_string();
    let alone = workspace.run(&["compact", "lake"]);
    let beside = workspace.run(&["--plugin-dir", &plugins, "compact", "lake"]);
    assert_eq!((beside.code, beside.stderr), (alone.code, alone.stderr));
}

/// Without a plugin that can do it that is said.
#[test]
fn needs_an_exporter() {
    let workspace = Workspace::new();
    let alone = workspace.path().join("glucopipe");
    std::fs::copy(glucopipe_tests::build().program(), &alone).expect("a copy");
    let refused = std::process::Command::new(&alone)
        .args(["compact", "lake"])
        .env_clear()
        .env("HOME", workspace.path())
        .current_dir(workspace.path())
        .output()
        .expect("the program starts");
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(
        said.contains("no exporter can merge the files of a data set"),
        "{said}"
    );
    assert_eq!(refused.status.code(), Some(3));
}

/// How large a file is depends on the version of the program.
fn without_sizes(text: &str) -> String {
    let is_size = |word: &&str| word.parse::<u64>().is_ok_and(|number| number > 100);
    let words = text
        .split(' ')
        .map(|word| if is_size(&word) { "[SIZE]" } else { word });
    words.collect::<Vec<_>>().join(" ")
}
