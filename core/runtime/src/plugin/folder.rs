//! Where plugins are looked for, and which files may be loaded.
//!
//! A library runs with the user's rights as soon as it is opened, so a file or folder that somebody
//! else can write is refused before that.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

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
            add("/usr/local/lib/glucopipe/plugins".into(), "system", false);
            add("/usr/lib/glucopipe/plugins".into(), "system", false);
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

/// Opens a library file and checks that nobody else can change it or its folder.
///
/// # Errors
/// Names the file and the reason.
pub(super) fn open_trusted(path: &Path) -> Result<File, Problem> {
    let refused = |code, reason: String| {
        Problem::error(code, format!("plugin `{}` is not loaded", path.display()))
            .at(Place::Named(path.display().to_string()))
            .cause(reason)
    };
    if !path.is_absolute() {
        return Err(refused(
            Code::PLUGIN_UNSAFE,
            "the path is not absolute".into(),
        ));
    }
    let mut options = fs::OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt;
        // Opening a pipe would wait for its other end.
        let flags = OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        options.custom_flags(i32::try_from(flags.bits()).unwrap_or(0));
    }
    let file = options
        .open(path)
        .map_err(|error| refused(Code::PLUGIN_LOAD, format!("cannot open it: {error}")))?;
    let metadata = file
        .metadata()
        .map_err(|error| refused(Code::PLUGIN_LOAD, format!("cannot look at it: {error}")))?;
    if !metadata.is_file() {
        return Err(refused(
            Code::PLUGIN_LOAD,
            "it is not a regular file".into(),
        ));
    }
    #[cfg(unix)]
    unix::check_owner(path, &metadata).map_err(|(object, reason)| {
        refused(Code::PLUGIN_UNSAFE, reason)
            .kept("nothing of it was run")
            .hint(format!("chmod go-w {}", object.display()))
    })?;
    Ok(file)
}

#[cfg(unix)]
mod unix {
    use std::fs::Metadata;
    use std::os::unix::fs::MetadataExt;
    use std::path::{Path, PathBuf};

    const GROUP_WRITE: u32 = 0o020;
    const OTHER_WRITE: u32 = 0o002;
    const STICKY: u32 = 0o1000;

    /// Folders that are root's on every system, and those of which everything below is.
    const ROOTS: [&str; 6] = ["/", "/home", "/opt", "/tmp", "/var", "/var/home"];
    const ROOTS_WHOLE: [&str; 2] = ["/usr", "/nix/store"];

    /// Who runs this process.
    pub(super) struct Me {
        pub(super) uid: u32,
        pub(super) gid: u32,
        /// Owner that root's files seem to have in a user namespace that does not know root.
        pub(super) nobody: Option<u32>,
    }

    impl Me {
        fn current() -> Self {
            Self {
                uid: rustix::process::geteuid().as_raw(),
                gid: rustix::process::getegid().as_raw(),
                nobody: nobody(),
            }
        }

        /// Whose an object is. A sandboxed unit of a user runs in a namespace in which everybody else,
        /// root too, looks like nobody: only of the system's own folders it is clear who that is.
        pub(super) fn owner(&self, path: &Path, uid: u32) -> u32 {
            let is_roots = ROOTS.iter().any(|root| path == Path::new(root))
                || ROOTS_WHOLE.iter().any(|root| path.starts_with(root));
            if self.nobody == Some(uid) && is_roots {
                0
            } else {
                uid
            }
        }

        /// Why somebody else could change an object of this owner and mode.
        ///
        /// A group of one's own number is private by the convention of most Linux systems, where new
        /// files are group-writable by default; root's is not.
        pub(super) fn distrusts(&self, owner: u32, group: u32, mode: u32) -> Option<String> {
            let private_group = group == self.gid && self.gid == self.uid && self.uid != 0;
            if owner != 0 && owner != self.uid {
                Some(format!(
                    "belongs to uid {owner}, expected uid {} or root",
                    self.uid
                ))
            } else if mode & OTHER_WRITE != 0 {
                Some(format!(
                    "is writable by everybody (mode {:04o})",
                    mode & 0o7777
                ))
            } else if mode & GROUP_WRITE != 0 && !private_group {
                Some(format!(
                    "is writable by group {group} (mode {:04o})",
                    mode & 0o7777
                ))
            } else {
                None
            }
        }
    }

    /// Checks the file, its folder, and the folders above: whoever can rename a folder can swap what
    /// is in it, unless the sticky bit forbids that.
    pub(super) fn check_owner(path: &Path, metadata: &Metadata) -> Result<(), (PathBuf, String)> {
        let me = Me::current();
        let folder = path.parent().unwrap_or(path);
        let folder = std::fs::canonicalize(folder).map_err(|error| {
            (
                folder.to_owned(),
                format!("cannot resolve its folder: {error}"),
            )
        })?;
        let file = folder.join(path.file_name().unwrap_or_default());
        let owner = me.owner(&file, metadata.uid());
        if let Some(reason) = me.distrusts(owner, metadata.gid(), metadata.mode()) {
            return Err((path.to_owned(), format!("the file {reason}")));
        }
        for (depth, ancestor) in folder.ancestors().enumerate() {
            let looked = std::fs::metadata(ancestor)
                .map_err(|error| (ancestor.to_owned(), format!("cannot look at it: {error}")))?;
            let sticky = looked.mode() & STICKY != 0 && depth > 0;
            let mode = if sticky {
                looked.mode() & !0o022
            } else {
                looked.mode()
            };
            let owner = me.owner(ancestor, looked.uid());
            if let Some(reason) = me.distrusts(owner, looked.gid(), mode) {
                let reason = format!("its folder `{}` {reason}", ancestor.display());
                return Err((ancestor.to_owned(), reason));
            }
        }
        Ok(())
    }

    /// The owner of whoever is not known here, if root is not.
    fn nobody() -> Option<u32> {
        let known = std::fs::read_to_string("/proc/self/uid_map").ok()?;
        if knows_root(&known) {
            return None;
        }
        let nobody = std::fs::read_to_string("/proc/sys/kernel/overflowuid").ok()?;
        nobody.trim().parse().ok()
    }

    /// Whether a `uid_map` has a line for root: first id here, first id outside, how many.
    fn knows_root(map: &str) -> bool {
        let mut first = map
            .lines()
            .filter_map(|line| line.split_whitespace().next());
        first.any(|id| id == "0")
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn nobody_is_root_in_the_systems_own_folders_only() {
            assert!(knows_root("         0          0 4294967295\n"));
            assert!(knows_root("1000 1000 1\n0 100000 1\n"));
            assert!(!knows_root("      1000       1000          1\n"));
            let inside = Me {
                uid: 1000,
                gid: 1000,
                nobody: Some(65534),
            };
            let owner = |path| inside.owner(Path::new(path), 65534);
            for path in ["/", "/home", "/usr", "/usr/lib/glucopipe/plugins/meter.so"] {
                assert_eq!(owner(path), 0, "{path}");
            }
            for path in ["/home/ben", "/data", "/opt/meters", "/tmp/x", "/usrs"] {
                assert_eq!(owner(path), 65534, "{path}");
            }
            assert_eq!(inside.owner(Path::new("/usr"), 1001), 1001);
            let outside = Me {
                nobody: None,
                ..inside
            };
            assert_eq!(outside.owner(Path::new("/usr"), 65534), 65534);
        }

        #[test]
        fn trusts_own_and_root_owned_files_only() {
            let me = Me {
                uid: 1000,
                gid: 1000,
                nobody: None,
            };
            assert_eq!(me.distrusts(1000, 1000, 0o100_755), None);
            assert_eq!(me.distrusts(0, 0, 0o100_755), None);
            assert_eq!(me.distrusts(1000, 1000, 0o100_775), None, "a private group");
            assert!(
                me.distrusts(1000, 100, 0o100_775)
                    .unwrap()
                    .contains("by group 100")
            );
            assert!(
                me.distrusts(1000, 1000, 0o100_757)
                    .unwrap()
                    .contains("by everybody")
            );
            assert!(
                me.distrusts(1001, 1000, 0o100_755)
                    .unwrap()
                    .contains("uid 1001")
            );
            let root = Me {
                uid: 0,
                gid: 0,
                nobody: None,
            };
            assert!(
                root.distrusts(0, 0, 0o100_775).is_some(),
                "root's group is not private"
            );
        }
    }
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
            Some(Path::new("/home/x/.local/share")),
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
                "/home/x/.local/share/glucopipe/plugins",
                "/usr/bin",
                "/usr/lib/glucopipe/plugins",
                "/usr/local/lib/glucopipe/plugins",
            ]
        );
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

    #[cfg(unix)]
    #[test]
    fn a_library_others_can_write_is_refused_with_the_reason() {
        use std::os::unix::fs::PermissionsExt;
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("meter.so");
        fs::write(&path, "").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(open_trusted(&path).is_ok());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        let problem = open_trusted(&path).unwrap_err();
        assert_eq!(problem.code, Code::PLUGIN_UNSAFE);
        assert!(
            problem.causes[0].contains("writable by everybody"),
            "{problem:?}"
        );

        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        fs::set_permissions(home.path(), fs::Permissions::from_mode(0o777)).unwrap();
        let problem = open_trusted(&path).unwrap_err();
        assert!(problem.causes[0].contains("its folder"), "{problem:?}");
        let link = home.path().join("link.so");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert_eq!(open_trusted(&link).unwrap_err().code, Code::PLUGIN_LOAD);
    }
}
