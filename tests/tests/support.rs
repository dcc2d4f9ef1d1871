//! What several modules need.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

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

/// Compiles a file of `tests/c` to a library in the plugin folder of a workspace.
pub(crate) fn compile_c(
    workspace: &Workspace,
    source: &str,
    name: &str,
    arguments: &[&str],
) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let header = root.join("../core/abi/include");
    compile_with(
        workspace,
        &root.join("c").join(source),
        &header,
        name,
        arguments,
    )
}

/// As [`compile_c`], of any file and with the header of any folder.
pub(crate) fn compile_with(
    workspace: &Workspace,
    source: &Path,
    header: &Path,
    name: &str,
    arguments: &[&str],
) -> PathBuf {
    let library = workspace.plugins().join(name);
    let (arch, os) = (std::env::consts::ARCH, std::env::consts::OS);
    let target = match os {
        "macos" => format!("{arch}-apple-darwin"),
        _ => format!("{arch}-unknown-{os}-gnu"),
    };
    let mut build = cc::Build::new();
    build
        .target(&target)
        .host(&target)
        .opt_level(0)
        .cargo_metadata(false);
    let mut command = build.get_compiler().to_command();
    command
        .args([
            "-std=gnu99",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-shared",
            "-fPIC",
        ])
        .args(arguments)
        .arg("-I")
        .arg(header)
        .arg("-o")
        .args([&library, source]);
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}:\n{text}");
    // The umask must not decide the tests.
    fs::set_permissions(&library, Permissions::from_mode(0o755)).expect("permissions");
    library
}
