//! Folders that others hold by themselves and not by their name: who works in one, or has it mounted elsewhere,
//! would keep the one that is taken away when it is swapped, and see an empty folder for ever.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// What this program can know of: where it works, and what is mounted where it looks.
#[derive(Debug, Default)]
pub(super) struct Held {
    working: Option<PathBuf>,
    mounts: Vec<Mount>,
}

/// A line of `mountinfo`.
#[derive(Debug)]
struct Mount {
    /// The numbers of the file system.
    disk: String,
    /// The folder of that file system that is shown.
    shown: PathBuf,
    /// Where it is shown.
    at: PathBuf,
}

impl Held {
    /// As it is now.
    pub(super) fn now() -> Self {
        let mounts = std::fs::read("/proc/self/mountinfo").unwrap_or_default();
        let working = std::env::current_dir().and_then(|folder| folder.canonicalize());
        Self::of(working.ok(), &mounts)
    }

    pub(super) fn of(working: Option<PathBuf>, mounts: &[u8]) -> Self {
        let lines = mounts.split(|&byte| byte == b'\n');
        Self {
            working,
            mounts: lines.filter_map(Mount::parse).collect(),
        }
    }

    /// Whether somebody holds this folder, which has no links and dots in its path.
    pub(super) fn has(&self, folder: &Path) -> bool {
        let working = self.working.as_ref();
        working.is_some_and(|working| working.starts_with(folder)) || self.is_mounted(folder)
    }

    fn is_mounted(&self, folder: &Path) -> bool {
        // The last of the longest is the one that is seen.
        let around = self.mounts.iter().filter(|one| folder.starts_with(&one.at));
        let Some(on) = around.max_by_key(|one| one.at.components().count()) else {
            return false;
        };
        let below = folder.strip_prefix(&on.at).unwrap_or(folder);
        let shown = on.shown.join(below);
        let same = |one: &Mount| one.at == folder || one.disk == on.disk && one.shown == shown;
        self.mounts.iter().any(same)
    }
}

impl Mount {
    fn parse(line: &[u8]) -> Option<Self> {
        let mut words = line.split(|&byte| byte == b' ').skip(2);
        let disk = String::from_utf8_lossy(words.next()?).into_owned();
        let shown = path(words.next()?);
        let at = path(words.next()?);
        Some(Self { disk, shown, at })
    }
}

/// A path with blanks and line breaks as octal numbers: `\040`.
fn path(text: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, after)) = rest.split_first() {
        let number = after.get(..3).filter(|_| first == b'\\');
        let number = number.and_then(|digits| std::str::from_utf8(digits).ok());
        match number.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(3..).unwrap_or_default();
            }
            None => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    #[cfg(unix)]
    let text: OsString = std::os::unix::ffi::OsStringExt::from_vec(bytes);
    #[cfg(not(unix))]
    let text = OsString::from(String::from_utf8_lossy(&bytes).into_owned());
    text.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &[u8] = b"22 1 8:1 / / rw - ext4 /dev/sda1 rw
30 22 8:2 /home /home rw - ext4 /dev/sda2 rw
31 22 8:2 /home/a/out/my\\040lake /srv/lake rw - ext4 /dev/sda2 rw
32 22 8:2 /home/a/whole /srv/whole rw - ext4 /dev/sda2 rw
33 22 8:3 / /home/a/disk rw - ext4 /dev/sda3 rw
34 22 0:5 /home/b/lake /srv/other rw - tmpfs tmpfs rw
odd
";

    #[test]
    fn a_folder_is_held_by_who_works_in_it_or_has_it_mounted() {
        let held = Held::of(Some("/home/a/out/lake/year=2024".into()), MOUNTS);
        for (folder, expected) in [
            ("/home/a/out/lake/year=2024", true),
            ("/home/a/out/lake", true),
            ("/home/a/out/lake/year=2023", false),
            ("/home/a/out/lake2", false),
            // By another mount, by itself, and as it is seen there.
            ("/home/a/out/my lake", true),
            ("/srv/lake", true),
            ("/home/a/disk", true),
            // Only what is mounted itself: what is below is found by its name.
            ("/home/a/whole/lake", false),
            ("/srv/whole/lake", false),
            // The same path on another file system.
            ("/home/b/lake", false),
        ] {
            assert_eq!(held.has(Path::new(folder)), expected, "{folder}");
        }
        assert!(!Held::default().has(Path::new("/home")));
    }
}
