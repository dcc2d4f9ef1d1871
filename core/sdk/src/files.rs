//! Files that appear whole or not at all.
//!
//! A run that is killed leaves its temporary file behind. Whoever makes one holds its lock, which dies with
//! the process, so that the next run in the folder can tell a leftover from a file in the making.

use std::fs::{File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::{Error, Result};

/// How names of temporary files begin and end.
const TEMPORARY: (&str, &str) = (".glucopipe-", ".tmp");
/// How often a temporary file is made anew when a sweep of another process took it away at once.
const ATTEMPTS: u32 = 8;

/// A file in the making: a temporary file in the target folder, readable by its owner alone, that
/// takes its name only at [`WholeFile::commit`] and vanishes when dropped before.
pub struct WholeFile {
    file: NamedTempFile,
    target: PathBuf,
    bytes: u64,
}

impl WholeFile {
    /// Begins a file; makes its folder where missing, and takes away what killed runs left there.
    ///
    /// # Errors
    /// When the folder cannot be made or written; the message names it.
    pub fn create(target: &Path) -> Result<Self> {
        let target = real_target(target)?;
        let folder = match target.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        create_folder(folder)?;
        sweep(folder);
        let file = temporary(folder).map_err(|error| {
            Error::file(
                format!("cannot write in folder `{}`", folder.display()),
                &error,
            )
        })?;
        Ok(Self {
            file,
            target,
            bytes: 0,
        })
    }

    /// Gives the file its name, durably: file, then name, then folder.
    ///
    /// # Errors
    /// When that fails; a file of that name from before is intact then.
    pub fn commit(self) -> Result<()> {
        let Self {
            mut file, target, ..
        } = self;
        let failed = |error: &io::Error| {
            Error::file(format!("cannot write file `{}`", target.display()), error)
        };
        file.as_file_mut().flush().map_err(|error| failed(&error))?;
        file.as_file().sync_all().map_err(|error| failed(&error))?;
        file.persist(&target)
            .map_err(|error| failed(&error.error))?;
        // The file is there now, so a failure here must not be reported as one that wrote nothing.
        let _ = sync_folder(target.parent().unwrap_or(Path::new("")));
        Ok(())
    }

    /// What was written so far, to be read from its beginning.
    ///
    /// # Errors
    /// When it cannot be opened again.
    pub fn reopen(&self) -> io::Result<File> {
        self.file.reopen()
    }

    /// Bytes written so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The name the file will have.
    pub fn target(&self) -> &Path {
        &self.target
    }
}

impl Write for WholeFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Not by the temporary file, whose errors name it, which says nothing to a user, and hide their number.
        let written = self.file.as_file_mut().write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_file_mut().flush()
    }
}

/// A new file for its owner alone.
fn create_private(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// A new temporary file, locked.
fn temporary(folder: &Path) -> io::Result<NamedTempFile> {
    let (prefix, suffix) = TEMPORARY;
    for _ in 0..ATTEMPTS {
        let file = tempfile::Builder::new()
            .prefix(prefix)
            .suffix(suffix)
            .make_in(folder, create_private)?;
        let locked = file.as_file().try_lock();
        // Another process may have seen it before it was locked, and taken it for a leftover.
        if !matches!(locked, Err(TryLockError::WouldBlock)) && file.path().exists() {
            return Ok(file);
        }
    }
    Err(io::ErrorKind::ResourceBusy.into())
}

/// Takes away the temporary files of processes that are gone. What cannot be looked at stays: it does no
/// harm.
fn sweep(folder: &Path) {
    let (prefix, suffix) = TEMPORARY;
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let ours = name
            .to_str()
            .is_some_and(|name| name.starts_with(prefix) && name.ends_with(suffix));
        if ours && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            // Locked only by who makes it; the lock is held until the name is gone.
            let left = File::options().read(true).write(true).open(entry.path());
            if let Ok(left) = left
                && left.try_lock().is_ok()
            {
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }
}

/// The file that is meant: behind a link the file it leads to, so that the link stays; a folder, a device
/// or a pipe is refused, because a rename would put a file in its place.
fn real_target(target: &Path) -> Result<PathBuf> {
    let refused = |what: &str| {
        let shown = target.display();
        Err(Error::config(
            "path",
            format!("`{shown}` is {what}, expected a file"),
        ))
    };
    if target.file_name().is_none() {
        return refused("no file name");
    }
    let link = std::fs::symlink_metadata(target).is_ok_and(|found| found.is_symlink());
    let real = if link {
        match std::fs::canonicalize(target) {
            Ok(real) => real,
            Err(_) => return refused("a link that leads nowhere"),
        }
    } else {
        target.to_owned()
    };
    match std::fs::metadata(&real) {
        Ok(found) if found.is_dir() => refused("a folder"),
        Ok(found) if !found.is_file() => refused("a device or a pipe"),
        _ => Ok(real),
    }
}

/// Whether a file of this name could be written, without writing anything: the name is free or a
/// file, and the nearest folder that exists is writable.
///
/// # Errors
/// Names the folder and the reason.
pub fn check_target(target: &Path) -> Result<()> {
    let target = real_target(target)?;
    let mut folder = target.parent().unwrap_or(Path::new(""));
    while !folder.as_os_str().is_empty() && !folder.exists() {
        folder = folder.parent().unwrap_or(Path::new(""));
    }
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    let failed = |error: &io::Error| {
        Error::file(
            format!("cannot write in folder `{}`", folder.display()),
            error,
        )
    };
    let metadata = std::fs::metadata(folder).map_err(|error| failed(&error))?;
    if !metadata.is_dir() {
        return Err(failed(&io::Error::from(io::ErrorKind::NotADirectory)));
    }
    #[cfg(unix)]
    rustix::fs::access(
        folder,
        rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK,
    )
    .map_err(|error| failed(&error.into()))?;
    Ok(())
}

/// Makes a folder with its parents; new ones are for their owner alone.
///
/// # Errors
/// When that fails; the message names the folder.
pub fn create_folder(folder: &Path) -> Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(folder)
        .map_err(|error| Error::file(format!("cannot make folder `{}`", folder.display()), &error))
}

/// Makes new names in a folder durable.
///
/// # Errors
/// When that fails; the message names the folder.
pub fn sync_folder(folder: &Path) -> Result<()> {
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    if cfg!(not(unix)) {
        return Ok(());
    }
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|error| Error::file(format!("cannot sync folder `{}`", folder.display()), &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn appears_whole_or_not_at_all() {
        let home = tempfile::tempdir().unwrap();
        let target = home.path().join("new/folder/readings.csv");
        let mut file = WholeFile::create(&target).unwrap();
        file.write_all(b"half").unwrap();
        assert!(!target.exists());
        drop(file);
        let folder = target.parent().unwrap();
        assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0);

        let mut file = WholeFile::create(&target).unwrap();
        file.write_all(b"whole").unwrap();
        assert_eq!(file.bytes(), 5);
        file.commit().unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"whole");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!((mode(&target), mode(folder)), (0o600, 0o700));
        }
    }

    #[test]
    fn takes_away_what_killed_runs_left_and_nothing_else() {
        let home = tempfile::tempdir().unwrap();
        let target = home.path().join("readings.csv");
        let first = WholeFile::create(&target).unwrap();
        for left in [
            ".glucopipe-killed.tmp",
            ".glucopipe-other",
            "mine.tmp",
            ".glucopipe-.tmp.csv",
        ] {
            std::fs::write(home.path().join(left), "half").unwrap();
        }
        std::fs::create_dir(home.path().join(".glucopipe-folder.tmp")).unwrap();
        let second = WholeFile::create(&target).unwrap();
        let there = |name: &str| home.path().join(name).exists();
        assert!(!there(".glucopipe-killed.tmp"));
        for kept in [
            ".glucopipe-other",
            "mine.tmp",
            ".glucopipe-.tmp.csv",
            ".glucopipe-folder.tmp",
        ] {
            assert!(there(kept), "{kept}");
        }
        // Both are in the making.
        assert!(first.file.path().exists() && second.file.path().exists());
        first.commit().unwrap();
        second.commit().unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_leftover_that_is_a_link_is_not_followed() {
        let home = tempfile::tempdir().unwrap();
        let mine = home.path().join("mine");
        std::fs::write(&mine, "kept").unwrap();
        let link = home.path().join(".glucopipe-link.tmp");
        std::os::unix::fs::symlink(&mine, &link).unwrap();
        drop(WholeFile::create(&home.path().join("readings.csv")).unwrap());
        assert!(link.is_symlink() && mine.exists());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_and_what_is_no_file_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let (file, link) = (home.path().join("file"), home.path().join("link"));
        std::fs::write(&file, "before").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let mut whole = WholeFile::create(&link).unwrap();
        whole.write_all(b"after").unwrap();
        whole.commit().unwrap();
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(std::fs::read(&file).unwrap(), b"after");

        let dangling = home.path().join("dangling");
        std::os::unix::fs::symlink(home.path().join("nothing"), &dangling).unwrap();
        for refused in [dangling.as_path(), Path::new("/dev/null")] {
            assert!(WholeFile::create(refused).is_err(), "{}", refused.display());
            assert!(check_target(refused).is_err(), "{}", refused.display());
        }
    }

    /// A file that cannot be written to, in the place of the temporary one: its errors name neither it nor a folder.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_told_without_the_temporary_file() {
        let full = || File::options().write(true).open("/dev/full");
        let home = tempfile::tempdir().unwrap();
        let Ok(file) = tempfile::Builder::new().make_in(home.path(), |path| {
            std::os::unix::fs::symlink("/dev/full", path).and_then(|()| full())
        }) else {
            return;
        };
        let mut whole = WholeFile {
            file,
            target: home.path().join("readings.csv"),
            bytes: 0,
        };
        let error = whole.write_all(b"full").unwrap_err();
        assert_eq!(error.raw_os_error(), Some(28), "{error}");
        assert!(!error.to_string().contains("tmp"), "{error}");
    }

    #[test]
    fn a_folder_in_the_way_is_named() {
        let home = tempfile::tempdir().unwrap();
        let error = WholeFile::create(home.path()).err().unwrap();
        assert!(error.message.contains("is a folder"), "{error}");
        std::fs::write(home.path().join("file"), "").unwrap();
        let error = WholeFile::create(&home.path().join("file/readings.csv"))
            .err()
            .unwrap();
        assert!(error.message.contains("cannot make folder"), "{error}");
    }
}
