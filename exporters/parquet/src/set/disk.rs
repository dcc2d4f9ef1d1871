//! All that changes a data set on the disk, step by step, so that a test can end after any of them as a kill
//! would, and look at the set between any two.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use glucopipe_sdk::{Op, Result};

/// How often one who waits looks whether the run was cancelled.
pub(super) const LOOK: Duration = Duration::from_millis(100);

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

/// Lets time pass, unless the run is cancelled.
pub(super) fn wait(op: &Op, time: Duration) -> Result<()> {
    #[cfg(test)]
    let time = steps::pass(time);
    let (_nobody, message) = channel::<()>();
    let until = Instant::now() + time;
    loop {
        op.check()?;
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        // Nobody sends.
        let _ = message.recv_timeout(left.min(LOOK));
    }
}

/// Before each change: nothing, but in tests.
fn step() -> io::Result<()> {
    #[cfg(test)]
    steps::change()?;
    Ok(())
}

/// Ends or watches the changes of this thread.
#[cfg(test)]
pub(super) mod steps {
    use std::cell::RefCell;
    use std::io;
    use std::time::Duration;

    /// What is about to happen.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(in crate::set) enum Step {
        /// A change of the disk.
        Change,
        /// Time passes.
        Wait,
    }

    /// Whether it may happen.
    type Hook = Box<dyn FnMut(Step) -> bool>;

    thread_local! {
        static HOOK: RefCell<Option<Hook>> = const { RefCell::new(None) };
    }

    /// Does work, asking the hook before each step. Once it has said no it is not asked again, and no change
    /// is made any more: the process is dead.
    pub(in crate::set) fn watched<T>(
        mut hook: impl FnMut(Step) -> bool + 'static,
        work: impl FnOnce() -> T,
    ) -> T {
        let mut alive = true;
        HOOK.set(Some(Box::new(move |step| {
            alive = alive && hook(step);
            alive
        })));
        let done = work();
        HOOK.take();
        done
    }

    pub(super) fn change() -> io::Result<()> {
        if ask(Step::Change) {
            Ok(())
        } else {
            Err(io::Error::other("the process is dead"))
        }
    }

    /// The time that is to be waited: in tests it has passed.
    pub(super) fn pass(_: Duration) -> Duration {
        ask(Step::Wait);
        Duration::ZERO
    }

    fn ask(step: Step) -> bool {
        // Taken out meanwhile, so that what the hook itself does is no step.
        let Some(mut hook) = HOOK.take() else {
            return true;
        };
        let alive = hook(step);
        HOOK.set(Some(hook));
        alive
    }
}
