//! All that changes a data set on the disk, step by step, so that a test can end after any of them as a kill
//! would, and look at the set between any two.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// Makes a folder for its owner alone; its parent is there.
pub(super) fn make_folder(folder: &Path) -> io::Result<()> {
    step()?;
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Makes a folder and its parents, where they are missing.
pub(super) fn make_folders(folder: &Path) -> io::Result<()> {
    match make_folder(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make_folders(folder.parent().ok_or(error)?)?;
            make_folder(folder)
        }
        Err(_) if folder.is_dir() => Ok(()),
        done => done,
    }
}

/// Makes an empty file for its owner alone.
pub(super) fn create(file: &Path) -> io::Result<File> {
    step()?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file)
}

/// Opens a lock file, making it where it is missing.
pub(super) fn open_lock(file: &Path) -> io::Result<File> {
    step()?;
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file)
}

/// Opens a file to add to it.
pub(super) fn append(file: &Path) -> io::Result<File> {
    step()?;
    OpenOptions::new().append(true).open(file)
}

/// Writes to a file.
pub(super) fn write(file: &mut File, bytes: &[u8]) -> io::Result<usize> {
    step()?;
    file.write(bytes)
}

/// Gives a file another name, in place of whatever had it.
pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    step()?;
    fs::rename(from, to)
}

/// Gives a file one more name.
pub(super) fn link(file: &Path, name: &Path) -> io::Result<()> {
    step()?;
    fs::hard_link(file, name)
}

/// Swaps two folders at once: whoever looks sees the one or the other.
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
pub(super) fn exchange(one: &Path, other: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    step()?;
    Ok(renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)?)
}

/// There is no way to do this here.
#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
pub(super) fn exchange(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Takes a file away.
pub(super) fn remove_file(file: &Path) -> io::Result<()> {
    step()?;
    fs::remove_file(file)
}

/// Takes an empty folder away.
pub(super) fn remove_folder(folder: &Path) -> io::Result<()> {
    step()?;
    fs::remove_dir(folder)
}

/// Puts what was written onto the disk.
pub(super) fn sync(file: &File) -> io::Result<()> {
    step()?;
    file.sync_all()
}

/// Puts the names of a folder onto the disk.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    step()?;
    if cfg!(unix) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// Before each change: nothing, but in tests.
fn step() -> io::Result<()> {
    #[cfg(test)]
    steps::take()?;
    Ok(())
}

/// Ends or watches the changes of this thread.
#[cfg(test)]
pub(super) mod steps {
    use std::cell::RefCell;
    use std::io;

    /// Whether the next change may be made.
    type Hook = Box<dyn FnMut() -> bool>;

    thread_local! {
        static HOOK: RefCell<Option<Hook>> = const { RefCell::new(None) };
    }

    /// Does work, asking the hook before each change. Once it has said no it is not asked again, and no change
    /// is made any more: the process is dead.
    pub(in crate::set) fn watched<T>(
        mut hook: impl FnMut() -> bool + 'static,
        work: impl FnOnce() -> T,
    ) -> T {
        let mut alive = true;
        HOOK.set(Some(Box::new(move || {
            alive = alive && hook();
            alive
        })));
        let done = work();
        HOOK.take();
        done
    }

    pub(super) fn take() -> io::Result<()> {
        // Taken out meanwhile, so that what the hook itself does is no step.
        let Some(mut hook) = HOOK.take() else {
            return Ok(());
        };
        let alive = hook();
        HOOK.set(Some(hook));
        if alive {
            Ok(())
        } else {
            Err(io::Error::other("the process is dead"))
        }
    }
}
