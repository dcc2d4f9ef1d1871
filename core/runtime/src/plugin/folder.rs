//! Where plugins are looked for.

use std::fs;
use std::path::{Path, PathBuf};

use crate::config::Component as ComponentKind;
use crate::problem::{Code, Place, Problem};

/// A folder to search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// Absolute path.
    pub path: PathBuf,
    /// Who asked for it: `--plugin-dir`, `GLUCOPIPE_PLUGIN_PATH`, `beside the program` …
    pub origin: &'static str,
    /// Only libraries with glucopipe's own prefix count here, because the folder holds others too.
    pub prefixed_only: bool,
}

/// File name extension of a shared library here.
pub const EXTENSION: &str = std::env::consts::DLL_EXTENSION;

/// Prefix of libraries by convention: `libglucopipe_driver_contour.so`.
const PREFIX: &str = "glucopipe_";

/// The system's folders. One called `plugins` is the installation's own where the program lies beside it, and the
/// others never are.
const SYSTEM: [&str; 4] = [
    "/usr/local/lib/glucopipe/plugins",
    "/usr/local/lib/glucopipe/third-party",
    "/usr/lib/glucopipe/plugins",
    "/usr/lib/glucopipe/third-party",
];

/// Collects the folders to search, in order; the first library with an id wins.
#[derive(Debug, Default)]
pub struct SearchPath {
    /// Folders in order.
    pub folders: Vec<Folder>,
    /// Folders that were named but cannot be used.
    pub problems: Vec<Problem>,
    /// The folders of the installation: beside the program, and its own for plugins. Who can put a file
    /// there can replace the program as well.
    own: Vec<PathBuf>,
}

impl SearchPath {
    /// Adds a folder somebody named; a relative one is refused, because it would depend on the
    /// working directory.
    pub fn add(&mut self, path: &Path, origin: &'static str) {
        if path.is_absolute() {
            self.folders.push(Folder {
                path: path.to_owned(),
                origin,
                prefixed_only: false,
            });
        } else {
            let title = format!("plugin folder `{}` is not an absolute path", path.display());
            self.problems.push(
                Problem::error(Code::PLUGIN_UNSAFE, title)
                    .at(Place::Named(origin.to_owned()))
                    .hint("write the whole path, from the root"),
            );
        }
    }

    /// The folder of a user, in that of their data.
    pub fn of_user(data_home: &Path) -> PathBuf {
        data_home.join("glucopipe/plugins")
    }

    /// Adds the folders that need no naming: the user's, the system's, and beside the program.
    pub fn add_standard(&mut self, data_home: Option<&Path>, program: Option<&Path>) {
        let mut add = |path: PathBuf, origin, prefixed_only| {
            if path.is_absolute() {
                self.folders.push(Folder {
                    path,
                    origin,
                    prefixed_only,
                });
            }
        };
        if let Some(data_home) = data_home {
            add(Self::of_user(data_home), "user", false);
        }
        if let Some(beside) = program.and_then(Path::parent) {
            add(beside.to_owned(), "beside the program", true);
            self.own.push(beside.to_owned());
            if let Some(prefix) = beside.parent() {
                let installed = prefix.join("lib/glucopipe/plugins");
                self.own.push(installed.clone());
                add(installed, "installed", false);
            }
        }
        if cfg!(unix) {
            for folder in SYSTEM {
                add(folder.into(), "system", false);
            }
        }
        let mut seen = std::collections::HashSet::new();
        self.folders
            .retain(|folder| seen.insert(folder.path.clone()));
    }

    /// Whether a library came with the program. The folder says it, whatever the library says of itself:
    /// the one it lies in, by its real name, however it was found.
    pub fn is_own(&self, library: &Path) -> bool {
        let real = |folder: &Path| fs::canonicalize(folder).ok();
        let folder = library.parent().and_then(real);
        folder.is_some() && self.own.iter().any(|own| real(own) == folder)
    }
}

impl Folder {
    /// Libraries in the folder, by name; a missing folder has none.
    pub fn libraries(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(&self.path) else {
            return Vec::new();
        };
        let mut libraries: Vec<PathBuf> = entries
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| {
                path.extension()
                    .is_some_and(|extension| extension == EXTENSION)
            })
            .filter(|path| !self.prefixed_only || conventional_name(path).is_some())
            .collect();
        libraries.sort();
        libraries
    }
}

/// `driver_contour` of `libglucopipe_driver_contour.so`.
pub(super) fn conventional_name(path: &Path) -> Option<&str> {
    let stem = path.file_stem()?.to_str()?;
    let stem = stem.strip_prefix("lib").unwrap_or(stem);
    let name = stem.strip_prefix(PREFIX)?;
    ["driver_", "exporter_", "transform_"]
        .iter()
        .any(|kind| name.starts_with(kind))
        .then_some(name)
}

/// Whether a library is named after a component.
pub(super) fn is_named_after(path: &Path, kind: ComponentKind, id: &str) -> bool {
    let name = format!("{}_{}", kind.word(), id.replace(['-', '.'], "_"));
    conventional_name(path) == Some(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_folders_are_refused() {
        let mut search = SearchPath::default();
        search.add(Path::new("plugins"), "--plugin-dir");
        assert!(search.folders.is_empty());
        assert_eq!(search.problems[0].code, Code::PLUGIN_UNSAFE);
    }

    #[test]
    fn standard_folders_come_once_and_in_order() {
        let mut search = SearchPath::default();
        search.add(Path::new("/opt/meters"), "--plugin-dir");
        search.add_standard(
            Some(Path::new("/people/x/.local/share")),
            Some(Path::new("/usr/bin/glucopipe")),
        );
        let paths: Vec<_> = search
            .folders
            .iter()
            .map(|folder| folder.path.to_str().unwrap())
            .collect();
        assert_eq!(
            paths,
            [
                "/opt/meters",
                "/people/x/.local/share/glucopipe/plugins",
                "/usr/bin",
                "/usr/lib/glucopipe/plugins",
                "/usr/local/lib/glucopipe/plugins",
                "/usr/local/lib/glucopipe/third-party",
                "/usr/lib/glucopipe/third-party",
            ]
        );
        // What others made for everybody on this computer is never taken for glucopipe's own.
        let own: Vec<_> = search.own.iter().filter_map(|own| own.to_str()).collect();
        assert_eq!(own, ["/usr/bin", "/usr/lib/glucopipe/plugins"]);
    }

    #[cfg(unix)]
    #[test]
    fn only_the_folders_of_the_installation_hold_its_own_libraries() {
        let home = tempfile::tempdir().unwrap();
        let folder = |name: &str| {
            let path = home.path().join(name);
            fs::create_dir_all(&path).unwrap();
            path
        };
        let (bin, installed) = (folder("bin"), folder("lib/glucopipe/plugins"));
        let (user, named) = (folder("share/glucopipe/plugins"), folder("named"));
        let other_name = home.path().join("link");
        std::os::unix::fs::symlink(&bin, &other_name).unwrap();
        let mut search = SearchPath::default();
        search.add(&named, "--plugin-dir");
        // Who names such a folder makes its libraries no others.
        search.add(&bin, "--plugin-dir");
        let share = home.path().join("share");
        search.add_standard(Some(&share), Some(&bin.join("glucopipe")));
        for (folder, own) in [
            (&bin, true),
            (&installed, true),
            (&other_name, true),
            (&user, false),
            (&named, false),
            (&bin.join("../named"), false),
            (&home.path().join("missing"), false),
        ] {
            let library = folder.join("libglucopipe_driver_contour.so");
            assert_eq!(search.is_own(&library), own, "{}", folder.display());
        }
    }

    #[test]
    fn conventional_names_are_recognised() {
        let name = |path| conventional_name(Path::new(path));
        assert_eq!(
            name("/x/libglucopipe_driver_contour.so"),
            Some("driver_contour")
        );
        assert_eq!(name("/x/glucopipe_exporter_csv.dll"), Some("exporter_csv"));
        assert_eq!(name("/x/libglucopipe_runtime.so"), None);
        assert_eq!(name("/x/libother.so"), None);
    }
}
