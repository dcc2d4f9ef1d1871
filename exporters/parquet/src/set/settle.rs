//! Folders that are swapped with folders of the data set, and what becomes of them.
//!
//! A note says beforehand what is merged into what. So whoever comes after a kill can tell a folder that was
//! to be swapped from one that was, and in that one the files that were merged from files that somebody else
//! put there at the last moment: those go back.
//!
//! A folder that was swapped stays for a while: who was listing it would otherwise miss what is taken away
//! meanwhile, without being told.

use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use glucopipe_sdk::serde::{Deserialize, Serialize};
use glucopipe_sdk::{Error, Op, Result, Status, serde_json};

use super::disk;
use super::staging::cannot_write;
use crate::partition::Partition;

/// Ending of notes.
const NOTE: &str = "json";

/// What is to happen to a folder of the data set.
#[derive(Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(crate = "glucopipe_sdk::serde")]
pub(super) struct Note {
    /// Which folder.
    pub(super) partition: Vec<String>,
    /// The files that are new in it.
    pub(super) merged: Vec<String>,
    /// The files that are not in it any more.
    pub(super) gone: Vec<String>,
}

impl Note {
    /// Writes it down, durably.
    pub(super) fn write(&self, file: &Path) -> io::Result<()> {
        let mut note = disk::create(file)?;
        let text = serde_json::to_vec(self)?;
        let mut rest = text.as_slice();
        while !rest.is_empty() {
            let written = disk::write(&mut note, rest)?;
            rest = rest.get(written..).unwrap_or_default();
        }
        disk::sync(&note)?;
        disk::sync_folder(file.parent().unwrap_or(Path::new("")))
    }
}

/// How long a folder stays after it was swapped: longer than it takes to list it.
const GRACE: Duration = Duration::from_secs(1);

/// A folder to swap with one of the data set.
pub(super) struct Swap {
    /// The folder.
    pub(super) folder: PathBuf,
    /// What is written down about it.
    pub(super) note: PathBuf,
}

impl Swap {
    /// The swap of this number.
    pub(super) fn new(staging: &Path, number: u32) -> Self {
        let named = |ending| staging.join(format!("{number}.{ending}"));
        Self {
            folder: named("swap"),
            note: named(NOTE),
        }
    }

    /// All that are in a folder.
    pub(super) fn all(staging: &Path) -> io::Result<Vec<Self>> {
        let entries = fs::read_dir(staging)?.collect::<io::Result<Vec<_>>>()?;
        let notes = entries.into_iter().map(|entry| entry.path());
        let notes = notes.filter(|path| path.extension().is_some_and(|ending| ending == NOTE));
        let swap = |note: PathBuf| Self {
            folder: note.with_extension("swap"),
            note,
        };
        Ok(notes.map(swap).collect())
    }

    /// Takes the folder away, whether it was swapped or not; without an operation to wait in, only when it was
    /// not.
    ///
    /// # Errors
    /// As the disk says, when the note does not say what is what, or when the run was cancelled meanwhile.
    pub(super) fn settle(&self, op: Option<&Op>, root: &Path) -> Result<()> {
        let said = self.said()?;
        let swapped = !said
            .merged
            .iter()
            .any(|name| self.folder.join(name).exists());
        if swapped && let Ok(about) = fs::symlink_metadata(&self.folder) {
            let Some(op) = op else {
                let message = "a folder that was swapped may still be read";
                return Err(Error::new(Status::Precondition, message));
            };
            disk::wait(op, GRACE.saturating_sub(age(&about)))?;
        }
        let failed = |error| cannot_write(&self.folder, &error);
        self.empty(&said, swapped, root).map_err(failed)
    }

    /// What the note says; nothing where there is no folder yet, which half a note is older than.
    fn said(&self) -> Result<Note> {
        let unreadable = |error: &io::Error| {
            let (folder, note) = (self.folder.display(), self.note.display());
            let what = format!(
                "nothing tells whether the files in `{folder}` are readings of the data set (look, and move it \
                 away with its note), because `{note}` cannot be read"
            );
            Error::file(what, error)
        };
        let text = fs::read(&self.note).map_err(|error| unreadable(&error))?;
        match serde_json::from_slice(&text) {
            Ok(said) => Ok(said),
            Err(error) => match fs::symlink_metadata(&self.folder) {
                Err(none) if none.kind() == io::ErrorKind::NotFound => Ok(Note::default()),
                _ => Err(unreadable(&error.into())),
            },
        }
    }

    fn empty(&self, said: &Note, swapped: bool, root: &Path) -> io::Result<()> {
        let live = Partition(said.partition.clone()).folder(root);
        match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
            Ok(entries) => {
                for entry in entries {
                    let name = entry?.file_name();
                    let (here, there) = (self.folder.join(&name), live.join(&name));
                    let merged = said.gone.iter().any(|gone| **gone == *name);
                    if swapped && !merged && live.is_dir() && is_newer(&here, &there)? {
                        disk::rename(&here, &there)?;
                    } else {
                        disk::remove_file(&here)?;
                    }
                }
                disk::remove_folder(&self.folder)?;
            }
        }
        disk::remove_file(&self.note)
    }
}

/// Whether a file was put there at the last moment, by somebody else: there is none of its name in the other
/// folder, or one that is older and not the same.
fn is_newer(here: &Path, there: &Path) -> io::Result<bool> {
    let about = fs::symlink_metadata(here)?;
    let other = match fs::symlink_metadata(there) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
        other => other?,
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        if (about.dev(), about.ino()) == (other.dev(), other.ino()) {
            return Ok(false);
        }
    }
    Ok(about.modified()? > other.modified()?)
}

/// How long ago a folder got the place that it has.
fn age(folder: &Metadata) -> Duration {
    #[cfg(unix)]
    let placed = {
        use std::os::unix::fs::MetadataExt;
        let seconds = u64::try_from(folder.ctime()).unwrap_or_default();
        let nanos = u64::try_from(folder.ctime_nsec()).unwrap_or_default();
        Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds) + Duration::from_nanos(nanos))
    };
    #[cfg(not(unix))]
    let placed = folder.modified().ok();
    let age = placed.and_then(|placed| placed.elapsed().ok());
    age.unwrap_or_default()
}
