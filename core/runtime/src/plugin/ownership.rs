//! Which files may be believed: those that nobody else can change.
//!
//! A library runs with the user's rights as soon as it is loaded, and what says which library that may be is
//! worth as much. So a file is opened once, and looked at where it is open; then the way to it is walked. On
//! systems other than Unix nothing is looked at.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::Path;

use crate::problem::{Code, Problem};

/// Why a file is not believed.
#[derive(Debug)]
pub(super) enum Doubt {
    /// It cannot be opened.
    Unopened(io::Error),
    /// It is no file.
    NoFile,
    /// Somebody else could change it: the reasons, and what helps if something does.
    #[cfg(unix)]
    Unsafe(Vec<String>, Option<String>),
}

impl Doubt {
    /// Whether there is no such file.
    pub(super) fn is_absent(&self) -> bool {
        matches!(self, Self::Unopened(error) if error.kind() == ErrorKind::NotFound)
    }

    /// Gives a problem the code and the reason.
    pub(super) fn tell(self, problem: Problem) -> Problem {
        let of = |code| Problem { code, ..problem };
        match self {
            Self::Unopened(error) => {
                of(Code::PLUGIN_LOAD).cause(format!("cannot open it: {error}"))
            }
            Self::NoFile => of(Code::PLUGIN_LOAD).cause("it is not a regular file"),
            #[cfg(unix)]
            Self::Unsafe(reasons, hint) => {
                let problem = Problem {
                    hint,
                    ..of(Code::PLUGIN_UNSAFE)
                };
                let problem = reasons.into_iter().fold(problem, Problem::cause);
                problem.kept("nothing of it was run")
            }
        }
    }
}

/// Opens a file by an absolute path and checks that nobody else can change it or the way to it; `what` it is
/// called when somebody can.
///
/// # Errors
/// Why it is not believed.
pub(super) fn open_unwritable(path: &Path, what: &str) -> Result<File, Doubt> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt;
        // Opening a pipe would wait for its other end.
        let flags = OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        options.custom_flags(i32::try_from(flags.bits()).unwrap_or(0));
    }
    let file = options.open(path).map_err(Doubt::Unopened)?;
    let metadata = file.metadata().map_err(Doubt::Unopened)?;
    if !metadata.is_file() {
        return Err(Doubt::NoFile);
    }
    #[cfg(unix)]
    unix::check(path, what, &metadata)?;
    let _ = what;
    Ok(file)
}

#[cfg(unix)]
mod unix {
    use std::ffi::OsString;
    use std::fs::Metadata;
    use std::os::unix::fs::MetadataExt;
    use std::path::{Component, Path, PathBuf};

    use super::Doubt;

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

        /// That somebody else could change an object, with the command that ends that.
        fn opening(
            &self,
            what: &str,
            path: &Path,
            owner: u32,
            group: u32,
            mode: u32,
        ) -> Option<Opening> {
            let reason = self.distrusts(owner, group, mode)?;
            let command = if owner != 0 && owner != self.uid {
                format!("sudo chown {}", self.uid)
            } else {
                "chmod go-w".to_owned()
            };
            Some(Opening {
                reason: format!("{what} {reason}"),
                command,
                path: path.display().to_string(),
            })
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

    /// A place at which somebody else could come in.
    #[derive(PartialEq, Eq)]
    struct Opening {
        reason: String,
        /// What closes it, before its path.
        command: String,
        path: String,
    }

    /// All places, with one line that closes them.
    fn refused(places: Vec<Opening>) -> Doubt {
        let mut commands: Vec<(String, String)> = Vec::new();
        let mut reasons = Vec::new();
        for Opening {
            reason,
            command,
            path,
        } in places
        {
            reasons.push(reason);
            match commands.iter_mut().find(|known| known.0 == command) {
                Some((_, line)) => *line = format!("{line} {path}"),
                None => commands.push((command.clone(), format!("{command} {path}"))),
            }
        }
        let lines: Vec<String> = commands.into_iter().map(|(_, line)| line).collect();
        Doubt::Unsafe(reasons, Some(lines.join(" && ")))
    }

    /// Most links on the way to a folder, as the system follows them.
    const LINKS: usize = 40;

    /// A doubt that nothing simple helps against.
    fn doubt(reason: String) -> Doubt {
        Doubt::Unsafe(vec![reason], None)
    }

    /// Checks a file that is open, and the way to it.
    pub(super) fn check(path: &Path, what: &str, opened: &Metadata) -> Result<(), Doubt> {
        let me = Me::current();
        let mut places = Vec::new();
        let followed = follow(&me, path.parent().unwrap_or(path), &mut places);
        let folder = match followed {
            Err(doubt) if places.is_empty() => return Err(doubt),
            Err(_) => return Err(refused(places)),
            Ok(folder) => folder,
        };
        let file = folder.join(path.file_name().unwrap_or_default());
        let owner = me.owner(&file, opened.uid());
        places.extend(me.opening(what, path, owner, opened.gid(), opened.mode()));
        if !places.is_empty() {
            return Err(refused(places));
        }
        let there = look(&file)?;
        if (there.dev(), there.ino()) != (opened.dev(), opened.ino()) {
            return Err(doubt(format!("{what} was replaced meanwhile")));
        }
        Ok(())
    }

    /// Goes to a folder as the system does, link by link, and looks at each folder on the way: whoever can
    /// write one can lead elsewhere, unless its sticky bit forbids to rename what is another's. Such folders are
    /// gathered, so that all of them can be told at once.
    fn follow(me: &Me, folder: &Path, places: &mut Vec<Opening>) -> Result<PathBuf, Doubt> {
        let mut pass = |at: &Path, on_the_way| {
            let place = opening(me, at, &look(at)?, on_the_way);
            places.extend(place.filter(|place| !places.contains(place)));
            Ok(())
        };
        let mut at = PathBuf::from("/");
        let mut ahead = steps(folder);
        let mut links = 0;
        while let Some(step) = ahead.pop() {
            if step == ".." {
                at.pop();
                continue;
            }
            pass(&at, true)?;
            let next = at.join(&step);
            let found = look(&next)?;
            if !found.is_symlink() {
                at = next;
                continue;
            }
            links += 1;
            let owner = me.owner(&next, found.uid());
            if links > LINKS {
                return Err(doubt("its folder is behind too many links".to_owned()));
            }
            if owner != 0 && owner != me.uid {
                let reason = format!("the link `{}` belongs to uid {owner}", next.display());
                return Err(doubt(reason));
            }
            let target = std::fs::read_link(&next).map_err(|error| unseen(&next, &error))?;
            if target.is_absolute() {
                at = PathBuf::from("/");
            }
            ahead.extend(steps(&target));
        }
        pass(&at, false)?;
        Ok(at)
    }

    /// The names on the way, the last one first.
    fn steps(path: &Path) -> Vec<OsString> {
        let steps = path.components().rev();
        let named = |step| matches!(step, Component::Normal(_) | Component::ParentDir);
        let steps = steps.filter(|step| named(*step));
        steps.map(|step| step.as_os_str().to_owned()).collect()
    }

    fn look(path: &Path) -> Result<Metadata, Doubt> {
        std::fs::symlink_metadata(path).map_err(|error| unseen(path, &error))
    }

    fn unseen(path: &Path, error: &std::io::Error) -> Doubt {
        doubt(format!("`{}` cannot be looked at: {error}", path.display()))
    }

    /// Looks at a folder; `on_the_way` to another one, its sticky bit counts.
    fn opening(me: &Me, path: &Path, found: &Metadata, on_the_way: bool) -> Option<Opening> {
        let sticky = on_the_way && found.mode() & STICKY != 0;
        let writable = if sticky { GROUP_WRITE | OTHER_WRITE } else { 0 };
        let owner = me.owner(path, found.uid());
        let what = format!("its folder `{}`", path.display());
        me.opening(&what, path, owner, found.gid(), found.mode() & !writable)
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

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::PathBuf;

    use super::*;

    fn set(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    /// A private folder with `a/b/meter.so` in it.
    fn library() -> (tempfile::TempDir, PathBuf) {
        let home = tempfile::tempdir().unwrap();
        fs::create_dir_all(home.path().join("a/b")).unwrap();
        let path = home.path().join("a/b/meter.so");
        fs::write(&path, "").unwrap();
        for path in [&path, &home.path().join("a"), &home.path().join("a/b")] {
            set(path, 0o755);
        }
        (home, path)
    }

    /// Why a file is refused; empty when it is not.
    fn doubt(path: &Path) -> String {
        match open_unwritable(path, "the file") {
            Ok(_) => String::new(),
            Err(Doubt::Unsafe(reasons, _)) => reasons.join("; "),
            Err(doubt) => format!("{doubt:?}"),
        }
    }

    #[test]
    fn a_file_that_others_can_write_is_refused() {
        let (_home, path) = library();
        assert_eq!(doubt(&path), "");
        set(&path, 0o666);
        assert_eq!(
            doubt(&path),
            "the file is writable by everybody (mode 0666)"
        );
    }

    /// With a umask of 002 the file and each folder of it are open; one message and one command are enough.
    #[test]
    fn all_places_are_told_at_once() {
        let (home, path) = library();
        let (above, folder) = (home.path().join("a"), home.path().join("a/b"));
        for path in [&above, &folder, &path] {
            set(path, 0o777);
        }
        let Err(Doubt::Unsafe(reasons, hint)) = open_unwritable(&path, "the file") else {
            panic!("it is believed");
        };
        let is = "is writable by everybody (mode 0777)";
        let expected = [
            format!("its folder `{}` {is}", above.display()),
            format!("its folder `{}` {is}", folder.display()),
            format!("the file {is}"),
        ];
        assert_eq!(reasons, expected);
        let all = [above, folder, path.clone()].map(|path| path.display().to_string());
        assert_eq!(hint, Some(format!("chmod go-w {}", all.join(" "))));
        for path in all {
            set(Path::new(&path), 0o755);
        }
        assert_eq!(doubt(&path), "");
    }

    #[test]
    fn every_folder_above_counts() {
        for folder in ["a/b", "a", ""] {
            let (home, path) = library();
            let folder = home.path().join(folder);
            set(&folder, 0o777);
            assert!(doubt(&path).ends_with("is writable by everybody (mode 0777)"));
            // Nobody can rename what is in it, but anybody can add to it.
            set(&folder, 0o1777);
            assert_eq!(doubt(&path).is_empty(), !folder.ends_with("b"));
            set(&folder, 0o755);
        }
    }

    #[test]
    fn links_on_the_way_are_followed_and_the_file_is_none() {
        let (home, path) = library();
        let at = |name: &str| home.path().join(name);
        fs::create_dir(at("open")).unwrap();
        symlink("../a", at("open/link")).unwrap();
        symlink(at("open/link"), at("way")).unwrap();
        assert_eq!(doubt(&at("way/b/../b/meter.so")), "");
        // The link itself lies where everybody can put another one.
        set(&at("open"), 0o777);
        let reason = doubt(&at("way/b/meter.so"));
        assert!(
            reason.contains("open` is writable by everybody"),
            "{reason}"
        );
        assert_eq!(doubt(&path), "");
        symlink("round", at("round")).unwrap();
        assert!(doubt(&at("round/meter.so")).starts_with("Unopened"));
        symlink(&path, at("link.so")).unwrap();
        assert!(doubt(&at("link.so")).starts_with("Unopened"));
    }
}
