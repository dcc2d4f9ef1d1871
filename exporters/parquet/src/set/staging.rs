//! The folder in which everything is made before it is shown: hidden, and beside the data set.
//!
//! Not inside: some readers of a folder take every file in it, whatever its name. Who holds the lock in it may
//! change the data set; what an earlier holder left there is taken away.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;

use glucopipe_sdk::{Error, Op, Result, Status};

use super::disk;
use super::settle::Swap;

/// Whose lock is the right to change the data set.
const LOCK: &str = "lock";
/// Ending of files in the making.
const TEMPORARY: &str = "tmp";

/// The right to change a data set, and the place to prepare it.
pub(super) struct Staging {
    root: PathBuf,
    folder: PathBuf,
    files: u32,
    _lock: File,
}

impl Staging {
    /// Waits until nobody else changes the data set, and puts in order what they left.
    ///
    /// # Errors
    /// When there is no place beside the data set, or the run was cancelled.
    pub(super) fn open(op: &Op, root: &Path) -> Result<Self> {
        let root = real(root)?;
        let (parent, folder) = beside(&root)?;
        let failed = |error: io::Error| cannot_write(parent, &error);
        disk::make_folders(parent).map_err(failed)?;
        expect_one_disk(&root, parent)?;
        let lock = loop {
            match disk::make_folder(&folder) {
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    return Err(failed(error));
                }
                _ => expect_ours(&folder)?,
            }
            // Who closes takes lock and folder away, and then this is not the one that others see.
            let Some(lock) = lock(op, &folder.join(LOCK))? else {
                continue;
            };
            break lock;
        };
        let staging = Self {
            root,
            folder,
            files: 0,
            _lock: lock,
        };
        staging.sweep(Some(op))?;
        Ok(staging)
    }

    /// The data set, without links and dots.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// A name for a new file.
    pub(super) fn file(&mut self) -> PathBuf {
        self.files += 1;
        self.folder.join(format!("{}.{TEMPORARY}", self.files))
    }

    /// A new folder to swap with one of the data set.
    pub(super) fn swap(&mut self) -> Swap {
        self.files += 1;
        Swap::new(&self.folder, self.files)
    }

    /// Takes away the folders that were swapped, once nobody can be reading them any more, and those that were
    /// not; without an operation only those.
    ///
    /// # Errors
    /// As for [`Swap::settle`].
    pub(super) fn settle(&self, op: Option<&Op>) -> Result<()> {
        let swaps = Swap::all(&self.folder).map_err(|error| cannot_write(&self.folder, &error))?;
        swaps
            .iter()
            .try_for_each(|swap| swap.settle(op, &self.root))
    }

    /// Takes away all that is in the making.
    fn sweep(&self, op: Option<&Op>) -> Result<()> {
        let swept = fs::read_dir(&self.folder).and_then(|entries| {
            for entry in entries {
                let path = entry?.path();
                if path.extension().is_some_and(|ending| ending == TEMPORARY) {
                    disk::remove_file(&path)?;
                }
            }
            Ok(())
        });
        swept.map_err(|error| cannot_write(&self.folder, &error))?;
        self.settle(op)
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // What cannot be taken away now is taken away by the next run.
        if self.sweep(None).is_ok() && cfg!(unix) {
            let _ = disk::remove_file(&self.folder.join(LOCK));
            let _ = disk::remove_folder(&self.folder);
        }
    }
}

/// A path without links and dots, as far as it exists.
pub(super) fn real(path: &Path) -> Result<PathBuf> {
    let failed = |error| Error::file(format!("cannot find `{}`", path.display()), &error);
    let whole = std::path::absolute(path).map_err(failed)?;
    let mut missing = Vec::new();
    for ancestor in whole.ancestors() {
        if let Ok(found) = ancestor.canonicalize() {
            return Ok(missing
                .iter()
                .rev()
                .fold(found, |path, name| path.join(name)));
        }
        let Some(name) = ancestor.file_name() else {
            break;
        };
        missing.push(name);
    }
    Err(failed(io::ErrorKind::NotFound.into()))
}

/// The folder that a data set is in, and its staging folder there.
pub(super) fn beside(root: &Path) -> Result<(&Path, PathBuf)> {
    let Some((parent, name)) = root.parent().zip(root.file_name()) else {
        let message = format!(
            "`{}` cannot be a data set: there is no folder above it",
            root.display()
        );
        return Err(Error::config("path", message));
    };
    let mut hidden = OsString::from(".");
    hidden.push(name);
    hidden.push(".glucopipe");
    Ok((parent, parent.join(hidden)))
}

/// Refuses a data set that is a disk of its own: nothing beside it can be moved into it.
pub(super) fn expect_one_disk(root: &Path, parent: &Path) -> Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let disk = |path| fs::metadata(path).map(|about| about.dev());
        if let (Ok(one), Ok(other)) = (disk(root), disk(parent))
            && one != other
        {
            let message = format!(
                "`{}` is a disk of its own; files are made beside a data set and moved into it, so choose a folder on that disk",
                root.display()
            );
            return Err(Error::config("path", message));
        }
    }
    let _ = (root, parent);
    Ok(())
}

/// Refuses a staging folder that somebody else prepared.
fn expect_ours(folder: &Path) -> Result<()> {
    let about = fs::symlink_metadata(folder);
    let ours = about.is_ok_and(|about| {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            about.is_dir() && about.uid() == rustix::process::geteuid().as_raw()
        }
        #[cfg(not(unix))]
        about.is_dir()
    });
    // Gone meanwhile is fine: then there is no lock in it either.
    if ours || !folder.exists() {
        return Ok(());
    }
    let message = format!("`{}` belongs to somebody else", folder.display());
    Err(Error::new(Status::Access, message))
}

/// The lock, once nobody else has it; `None` when it was taken away meanwhile.
fn lock(op: &Op, path: &Path) -> Result<Option<File>> {
    let failed = |error: io::Error| cannot_write(path, &error);
    let file = match disk::open_lock(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(failed)?,
    };
    let file = wait(op, file)?.map_err(failed)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let id = |about: fs::Metadata| (about.dev(), about.ino());
        let there = fs::symlink_metadata(path).map(id);
        if there.ok() != file.metadata().map(id).ok() {
            return Ok(None);
        }
    }
    Ok(Some(file))
}

/// Waits for the lock in a thread of its own, so that the run can be cancelled meanwhile.
fn wait(op: &Op, file: File) -> Result<io::Result<File>> {
    if file.try_lock().is_ok() {
        return Ok(Ok(file));
    }
    let (sender, locked) = channel();
    thread::spawn(move || {
        // Nobody listens any more after a cancellation, and the file closes.
        let _ = sender.send(file.lock().map(|()| file));
    });
    loop {
        op.progress(0, 0, "waiting for another run");
        op.check()?;
        match locked.recv_timeout(disk::LOOK) {
            Ok(locked) => return Ok(locked),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return Ok(Err(io::Error::other("the thread that waits is gone")));
            }
        }
    }
}

pub(super) fn cannot_write(folder: &Path, error: &io::Error) -> Error {
    Error::file(
        format!("cannot write in folder `{}`", folder.display()),
        error,
    )
}
