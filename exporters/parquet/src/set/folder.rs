//! What is in a data set: its files, and how it is partitioned.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use glucopipe_sdk::{Error, Result};

use crate::layout::ENDING;
use crate::partition::{Key, Partition};

/// A file of a data set, as every reader finds it: by its ending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DataFile {
    pub(super) partition: Partition,
    pub(super) name: OsString,
}

impl DataFile {
    /// Where it is.
    pub(super) fn path(&self, root: &Path) -> PathBuf {
        self.partition.folder(root).join(&self.name)
    }
}

/// The files of a data set, in the order of their names; none when there is no folder.
///
/// # Errors
/// When a folder cannot be read.
pub(super) fn files(root: &Path) -> Result<Vec<DataFile>> {
    let mut found = Vec::new();
    match walk(root, &Partition::default(), &mut found) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::file(
            format!("cannot read `{}`", root.display()),
            &error,
        )),
        _ => Ok(found),
    }
}

fn walk(root: &Path, partition: &Partition, found: &mut Vec<DataFile>) -> io::Result<()> {
    let mut entries: Vec<_> = fs::read_dir(partition.folder(root))?.collect::<io::Result<_>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name();
        // Behind a link, as readers look.
        let folder = fs::metadata(entry.path()).is_ok_and(|about| about.is_dir());
        match name.to_str() {
            Some(text) if folder && text.contains('=') => {
                let mut below = partition.clone();
                below.0.push(text.to_owned());
                walk(root, &below, found)?;
            }
            _ if !folder && is_data(&name) => found.push(DataFile {
                partition: partition.clone(),
                name,
            }),
            _ => {}
        }
    }
    Ok(())
}

/// Whether readers take a file of this name for data.
pub(super) fn is_data(name: &std::ffi::OsStr) -> bool {
    let ending = Path::new(name).extension();
    ending.is_some_and(|ending| ending == ENDING) && !name.as_encoded_bytes().starts_with(b".")
}

/// What the files are partitioned by, which must be the same for all, or no reader understands the folder;
/// `None` when there are none.
///
/// # Errors
/// When it differs, or is nothing that this program partitions by.
pub(super) fn keys(root: &Path, files: &[DataFile]) -> Result<Option<Vec<Key>>> {
    let mut all = None;
    for file in files {
        let keys = file.partition.keys().map_err(|name| {
            let key = name.split('=').next().unwrap_or_default();
            let message = format!(
                "`{}` is partitioned by `{key}`, and readings have no such key",
                root.display()
            );
            Error::config("path", message)
        })?;
        let first = all.get_or_insert_with(|| keys.clone());
        if *first != keys {
            let message = format!(
                "some files in `{}` are {}, others are {}: readers cannot tell what is what",
                root.display(),
                partitioned(first),
                partitioned(&keys)
            );
            return Err(Error::config("path", message));
        }
    }
    Ok(all)
}

/// Refuses to add to a data set that is partitioned by something else.
///
/// # Errors
/// Says by what, and as [`keys`].
pub(super) fn expect_keys(root: &Path, files: &[DataFile], wanted: &[Key]) -> Result<()> {
    match keys(root, files)? {
        Some(keys) if keys != wanted => {
            let message = format!(
                "`{}` is {}, expected {}; a data set keeps its partitions, so choose another folder",
                root.display(),
                partitioned(&keys),
                partitioned(wanted)
            );
            Err(Error::config("partition_by", message))
        }
        _ => Ok(()),
    }
}

fn partitioned(keys: &[Key]) -> String {
    match keys {
        [] => "not partitioned".to_owned(),
        keys => format!("partitioned by {}", Key::list(keys)),
    }
}
