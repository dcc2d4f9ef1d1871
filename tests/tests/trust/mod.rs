//! Whom plugins are believed: manifests beside them, and pins of those who use them.

mod manifests;
mod pins;

use std::path::{Path, PathBuf};

use glucopipe_tests::{Finished, Workspace};

use crate::support::{compile_c, shown};

/// A library of a stranger: an exporter that counts.
const NAMED: &str = "libglucopipe_exporter_newer.so";

/// A workspace with a stranger's exporter, a pipeline that uses it, and one that does not.
struct Stranger {
    workspace: Workspace,
    library: PathBuf,
}

impl Stranger {
    fn new() -> Self {
        let workspace = Workspace::new();
        let library = compile_c(&workspace, "newer.c", NAMED, &["-DCASE=0"]);
        let source = "[sources.meter]\ndevice = \"virtual:contour-next-usb?records=3\"\n";
        let sink = |exporter, more| {
            format!("{source}[sinks.out]\nexporter = \"{exporter}\"\ninputs = [\"meter\"]\n{more}")
        };
        workspace.write("pipeline.toml", &sink("newer", ""));
        workspace.write("own.toml", &sink("csv", "path = \"own.csv\"\n"));
        Self { workspace, library }
    }

    /// Another library of the same name, which would work as well.
    fn change(&self) {
        let changed = ["-DCASE=0", "-DCHANGED", "-Wl,--build-id=0x1234"];
        compile_c(&self.workspace, "newer.c", NAMED, &changed);
    }

    fn run(&self, arguments: &[&str]) -> Finished {
        let plugins = self.workspace.plugins().display().to_string();
        self.workspace
            .run(&[arguments, &["--plugin-dir", &plugins]].concat())
    }

    /// A command about the library.
    fn plugins(&self, verb: &str, more: &[&str]) -> Finished {
        let library = self.library.display().to_string();
        self.workspace
            .run(&[&["plugins", verb, &library], more].concat())
    }

    /// Pins the library as it is.
    fn pin(&self) {
        let pinned = self.plugins("trust", &["--yes"]);
        assert_eq!(pinned.code, 0, "{}", pinned.stderr);
    }

    /// What was said, with hashes that depend on the compiler replaced.
    fn shown(&self, finished: &Finished) -> String {
        let text = shown(&self.workspace, finished);
        let is_hash =
            |word: &str| word.len() >= 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
        let mut whole = String::new();
        for piece in text.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
            let word = piece.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
            if is_hash(word) {
                whole.push_str("[SHA256]");
                whole.push_str(&piece[word.len()..]);
            } else {
                whole.push_str(piece);
            }
        }
        whole
    }

    /// Where the list of pins is.
    fn list(&self) -> PathBuf {
        self.workspace.path().join("data/glucopipe/trust.toml")
    }
}

fn set(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::Permissions::from_mode(mode);
    std::fs::set_permissions(path, mode).expect("permissions");
}
