//! The one folder that is swapped with a folder of the data set, and what becomes of it.
//!
//! A note says beforehand what is merged into what. So whoever comes after a kill can tell a folder that was
//! to be swapped from one that was, and in that one the files that were merged from files that somebody else
//! put there at the last moment: those go back.

use std::fs;
use std::io;
use std::path::Path;

use glucopipe_sdk::serde::{Deserialize, Serialize};
use glucopipe_sdk::serde_json;

use super::disk;
use crate::partition::Partition;

/// What is to happen to a folder of the data set.
#[derive(Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(crate = "glucopipe_sdk::serde", default)]
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

/// Takes the folder `left` away, whether it was swapped or not.
pub(super) fn settle(left: &Path, note: &Path, root: &Path) -> io::Result<()> {
    let said = fs::read(note).unwrap_or_default();
    // Half a note is older than the folder.
    let said: Note = serde_json::from_slice(&said).unwrap_or_default();
    let live = Partition(said.partition.clone()).folder(root);
    match fs::read_dir(left) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
        Ok(entries) => {
            let prepared = said.merged.iter().any(|name| left.join(name).exists());
            for entry in entries {
                let name = entry?.file_name();
                let (here, there) = (left.join(&name), live.join(&name));
                let merged = said.gone.iter().any(|gone| **gone == *name);
                if prepared || merged || there.exists() || !live.is_dir() {
                    disk::remove_file(&here)?;
                } else {
                    disk::rename(&here, &there)?;
                }
            }
            disk::remove_folder(left)?;
        }
    }
    match disk::remove_file(note) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
