//! Which package may depend on which of ours: the arrows of the architecture, and no others.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// The part a package plays, by its folder.
fn part(folder: &str) -> &str {
    let mut words = folder.split('/');
    match (words.next(), words.next()) {
        (Some("core"), Some(name)) => name,
        (Some("drivers" | "exporters" | "examples"), _) => "plugin",
        // The plugin that misbehaves is a plugin like any other.
        (Some("tests"), Some("plugins")) => "plugin",
        (Some("tests"), _) => "tests",
        _ => "unknown",
    }
}

/// What each part may depend on; `*` is everything.
fn allowed(part: &str) -> &'static [&'static str] {
    match part {
        "abi" | "emulator" => &[],
        "sdk" => &["abi"],
        "plugin" => &["sdk"],
        "runtime" => &["abi", "sdk", "emulator"],
        "cli" => &["runtime"],
        "tests" => &["*"],
        other => panic!("say what a package in `{other}` may depend on"),
    }
}

fn metadata() -> Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .current_dir(root)
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .output()
        .expect("cargo starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// Dependencies of every kind are looked at: those of tests and build scripts too.
#[test]
fn packages_depend_only_on_what_they_may() {
    let metadata = metadata();
    let root = metadata["workspace_root"].as_str().expect("a folder");
    let packages = metadata["packages"].as_array().expect("a list");
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let parts: BTreeMap<String, String> = packages
        .iter()
        .map(|package| {
            let manifest = text(&package["manifest_path"]);
            let folder = manifest
                .strip_prefix(root)
                .expect("inside")
                .trim_start_matches('/');
            (text(&package["name"]), part(folder).to_owned())
        })
        .collect();
    let mut wrong = BTreeSet::new();
    for package in packages {
        let name = text(&package["name"]);
        let may = allowed(&parts[&name]);
        for dependency in package["dependencies"].as_array().expect("a list") {
            let on = text(&dependency["name"]);
            let Some(on_part) = parts.get(&on) else {
                continue;
            };
            if !may.contains(&"*") && !may.contains(&on_part.as_str()) {
                wrong.insert(format!(
                    "{name} ({}) depends on {on} ({on_part})",
                    parts[&name]
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let seen: BTreeSet<&str> = parts.values().map(String::as_str).collect();
    let all = [
        "abi", "cli", "emulator", "plugin", "runtime", "sdk", "tests",
    ];
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), all);
}

/// No source of the core names a plugin: they are found as a stranger's are.
#[test]
fn the_core_names_no_plugin_package() {
    let core = Path::new(env!("CARGO_MANIFEST_DIR")).join("../core");
    let mut open = vec![core];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                open.push(path);
            } else if path
                .extension()
                .is_some_and(|end| end == "rs" || end == "toml")
            {
                let text = std::fs::read_to_string(&path).expect("a text");
                for name in [
                    "use glucopipe_driver_",
                    "use glucopipe_exporter_",
                    "glucopipe-driver-",
                    "glucopipe-exporter-",
                ] {
                    assert!(!text.contains(name), "{} names `{name}…`", path.display());
                }
            }
        }
    }
}
