//! What several modules need.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use glucopipe_emulator::{ModelEntry, catalog};
use glucopipe_tests::{Finished, Workspace, build};

/// The virtual meters of the Contour family.
pub(crate) fn contour_models() -> impl Iterator<Item = &'static ModelEntry> {
    let all = catalog().iter();
    all.filter(|model| model.key.starts_with("contour-"))
}

/// What a run left, as text that is the same everywhere.
pub(crate) fn shown(workspace: &Workspace, finished: &Finished) -> String {
    let Finished {
        code,
        stdout,
        stderr,
    } = finished;
    let stdout = match stdout.as_str() {
        "" => String::new(),
        text => format!("{text}---\n"),
    };
    stable(workspace, &format!("{stdout}{stderr}exit code {code}\n"))
}

/// Replaces folders, versions, and lists of everything that is known, which grow.
pub(crate) fn stable(workspace: &Workspace, text: &str) -> String {
    let program = build().program();
    let target = program.parent().expect("a folder");
    let above = target.parent().expect("a folder");
    let version = env!("CARGO_PKG_VERSION");
    let text = workspace
        .filtered(text)
        .replace(&target.display().to_string(), "[TARGET]")
        .replace(&above.display().to_string(), "[ABOVE]")
        .replace(&format!("\"{version}\""), "\"[VERSION]\"")
        .replace(&format!("/{version}"), "/[VERSION]");
    let mut parts = text.split("(known: ");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |shown, part| match part.split_once(')') {
        Some((_, rest)) => format!("{shown}(known: …){rest}"),
        None => format!("{shown}(known: {part}"),
    })
}

/// Everything in a folder: names, and the bytes of files.
pub(crate) fn tree(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path
                .strip_prefix(folder)
                .expect("inside")
                .display()
                .to_string();
            if path.is_dir() {
                found.insert(format!("{name}/"), Vec::new());
                open.push(path);
            } else {
                found.insert(name, fs::read(&path).expect("a file"));
            }
        }
    }
    found
}
