//! `glucopipe check`: step by step, and nothing is written.

use super::{PIPELINE, json, with, workspace};
use crate::support::{shown, tree};

/// A good pipeline passes every step; nothing is made, not even a folder.
#[test]
fn a_good_pipeline_passes_and_nothing_is_written() {
    let workspace = workspace();
    let before = tree(workspace.path());
    let finished = workspace.run(&["check"]);
    insta::assert_snapshot!(shown(&workspace, &finished));
    assert_eq!(finished.code, 0);
    assert_eq!(tree(workspace.path()), before);
}

/// What is there already stays byte for byte.
#[test]
fn files_of_an_earlier_run_are_left_alone() {
    let workspace = workspace();
    assert_eq!(workspace.run(&["run"]).code, 0);
    let before = tree(workspace.path());
    assert_eq!(workspace.run(&["check"]).code, 0);
    assert_eq!(tree(workspace.path()), before);
}

/// `--offline` stops before devices: it passes without the meter and with an unwritable target.
#[test]
fn offline_looks_at_no_device_and_no_target() {
    let text = PIPELINE
        .replace(
            "virtual:contour-next-usb?records=20&zone=Europe/Athens",
            "serial:nobody",
        )
        .replace("out/sheet.csv", "pipeline.toml/sheet.csv");
    let workspace = with(&text);
    let finished = workspace.run(&["check", "--offline", "--json"]);
    assert_eq!((finished.code, finished.stderr.as_str()), (0, ""));
    let phases = json(&finished);
    let phases = phases["phases"].as_array().expect("a list");
    let names: Vec<_> = phases.iter().map(|phase| phase["phase"].as_str()).collect();
    assert_eq!(names, [Some("syntax"), Some("keys"), Some("plugins")]);
    assert!(phases.iter().all(|phase| phase["ok"] == true));
}

/// Each step fails for its own reason, with the exit code a run would have.
#[test]
fn each_step_fails_for_its_own_reason() {
    let device = "virtual:contour-next-usb?records=20&zone=Europe/Athens";
    for (text, phase, code, exit) in [
        (
            PIPELINE.replace("[\"meter\"]", "[\"meter\""),
            "syntax",
            "GP0101",
            3,
        ),
        (PIPELINE.replace("path =", "pth ="), "keys", "GP0102", 3),
        (
            PIPELINE.replace("Europe/Athens\"\n\n[sinks", "UTC+2\"\n\n[sinks"),
            "keys",
            "GP0108",
            3,
        ),
        (
            PIPELINE.replace("\"csv\"", "\"cvs\""),
            "plugins",
            "GP0107",
            3,
        ),
        (
            PIPELINE.replace(device, "replay:nowhere"),
            "devices",
            "GP0207",
            7,
        ),
        (
            PIPELINE.replace("out/sheet.csv", "pipeline.toml/sheet.csv"),
            "targets",
            "GP0502",
            6,
        ),
    ] {
        let workspace = with(&text);
        let before = tree(workspace.path());
        let finished = workspace.run(&["check", "--json"]);
        assert_eq!(finished.code, exit, "{phase}: {}", finished.stdout);
        let document = json(&finished);
        let phases = document["phases"].as_array().expect("a list");
        let failed: Vec<_> = phases.iter().filter(|phase| phase["ok"] == false).collect();
        assert_eq!(failed.len(), 1, "{phase}: {document:#}");
        assert_eq!(failed[0]["phase"], phase);
        assert_eq!(failed[0]["problems"][0]["code"], code, "{document:#}");
        assert_eq!(tree(workspace.path()), before, "{phase}");
    }
}

/// The pipelines of the repository are good ones.
#[test]
fn the_pipelines_of_the_repository_pass() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = vec![root.join("pipeline.toml")];
    let examples = std::fs::read_dir(root.join("examples/pipelines"));
    files.extend(
        examples
            .into_iter()
            .flatten()
            .filter_map(|entry| Some(entry.ok()?.path())),
    );
    for file in files
        .iter()
        .filter(|file| file.extension().is_some_and(|end| end == "toml"))
    {
        let workspace = super::Workspace::new();
        let finished = workspace.run(&["check", "--offline", &file.display().to_string()]);
        assert_eq!(
            (finished.code, finished.stderr.as_str()),
            (0, ""),
            "{}",
            file.display()
        );
    }
}
