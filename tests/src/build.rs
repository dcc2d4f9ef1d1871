//! Building the program and the plugins that the tests load.

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX, EXE_SUFFIX};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The folder with everything that was built: `target/debug`.
#[derive(Debug)]
pub struct Built {
    folder: PathBuf,
}

impl Built {
    /// The program.
    pub fn program(&self) -> PathBuf {
        self.folder.join(format!("glucopipe{EXE_SUFFIX}"))
    }

    /// A plugin library: `exporter_csv`, `test_hostile`.
    pub fn library(&self, name: &str) -> PathBuf {
        self.folder
            .join(format!("{DLL_PREFIX}glucopipe_{name}{DLL_SUFFIX}"))
    }
}

/// Set when everything was built beforehand, as a runner does that starts a process per test.
const PREBUILT: &str = "GLUCOPIPE_TESTS_PREBUILT";

/// Builds the default members and the hostile plugin as this test was built; once per process.
///
/// # Panics
/// When something does not compile.
pub fn build() -> &'static Built {
    // A failure is kept as well, so that not every test builds in vain.
    static BUILT: OnceLock<Result<Built, String>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        // `target/debug/deps/main-0123456789abcdef`
        let test = std::env::current_exe().expect("the test knows its own file");
        let folder = test
            .parent()
            .and_then(Path::parent)
            .expect("tests lie in `deps`");
        let built = Built {
            folder: folder.to_owned(),
        };
        if std::env::var_os(PREBUILT).is_some() {
            return Ok(built);
        }
        let target = folder.parent().expect("profiles lie in the target folder");
        let root = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .expect("the tests lie in the workspace");
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command
            .current_dir(root)
            .arg("build")
            .arg("--target-dir")
            .arg(target);
        // What cargo tells a test of its package; build scripts that look at it would run again each time.
        for (name, _) in std::env::vars_os() {
            let of_package = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_CRATE_"];
            if of_package
                .iter()
                .any(|start| name.to_string_lossy().starts_with(start))
            {
                command.env_remove(name);
            }
        }
        match folder.file_name().and_then(|name| name.to_str()) {
            Some("debug") | None => {}
            Some(profile) => drop(command.args(["--profile", profile])),
        }
        if root.join("Cargo.lock").exists() {
            command.args(["--offline", "--locked"]);
        }
        for member in default_members(root) {
            command.args(["-p", &member]);
        }
        let output = command
            .args(["-p", "glucopipe-test-hostile"])
            .output()
            .expect("cargo starts");
        if output.status.success() {
            Ok(built)
        } else {
            let text = String::from_utf8_lossy(&output.stderr);
            Err(format!("{command:?} failed:\n{text}"))
        }
    });
    built.as_ref().unwrap_or_else(|failure| panic!("{failure}"))
}

/// The packages that `cargo build` makes on its own.
fn default_members(root: &Path) -> Vec<String> {
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
    let metadata: serde_json::Value =
        serde_json::from_slice(&output.stdout).expect("cargo metadata gives JSON");
    let packages = metadata["packages"].as_array().cloned().unwrap_or_default();
    let members = metadata["workspace_default_members"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    packages
        .iter()
        .filter(|package| members.contains(&package["id"]))
        .filter_map(|package| Some(package["name"].as_str()?.to_owned()))
        .collect()
}
