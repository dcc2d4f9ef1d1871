//! Where the journal is, and that nobody else can read it.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// The file, below the folder for state.
const NAME: &str = "glucopipe/journal.db";

/// `$XDG_STATE_HOME/glucopipe/journal.db`, else `~/.local/state/glucopipe/journal.db`.
pub fn default_path(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let folder = |name: &str| {
        let path = PathBuf::from(variable(name)?);
        path.is_absolute().then_some(path)
    };
    let state = folder("XDG_STATE_HOME")
        .or_else(|| Some(folder("HOME")?.join(".local/state")))
        .or_else(|| folder("LOCALAPPDATA"))?;
    Some(state.join(NAME))
}

/// Mode of a file that is its owner's alone.
pub(super) const FILE_MODE: u32 = 0o600;

/// Why there is no new file.
pub(super) enum Uncreated<E> {
    /// As the file system says.
    File(io::Error),
    /// It could not be filled.
    Contents(E),
}

/// Whether there is a file.
///
/// # Errors
/// When something else has its name: whoever opens a pipe waits for ever.
pub(super) fn is_there(path: &Path) -> io::Result<bool> {
    match fs::metadata(path) {
        Ok(found) if found.is_file() => Ok(true),
        Ok(_) => Err(io::Error::other("it is there, and no file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Makes a file with its folders where missing, for its owner alone whatever the umask says. It appears whole,
/// as `fill` makes it, unless another process was first.
pub(super) fn create<E>(
    path: &Path,
    fill: impl FnOnce(&Path) -> Result<(), E>,
) -> Result<(), Uncreated<E>> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    create_folders(folder).map_err(Uncreated::File)?;
    // For its owner alone from the beginning.
    let new = NamedTempFile::with_prefix_in(".glucopipe-", folder).map_err(Uncreated::File)?;
    fill(new.path()).map_err(Uncreated::Contents)?;
    new.as_file().sync_all().map_err(Uncreated::File)?;
    match new.persist_noclobber(path) {
        Ok(_) => {
            // A file whose name is lost in a power cut holds nothing. Not every file system can do it.
            let _ = glucopipe_sdk::files::sync_folder(folder);
            Ok(())
        }
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(Uncreated::File(error.error)),
    }
}

fn create_folders(folder: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = folder
        .ancestors()
        .take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists())
        .collect();
    for folder in missing.into_iter().rev() {
        match fs::create_dir(folder) {
            Ok(()) => restrict(folder, 0o700)?,
            // Another process was first.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Opens a file for appending, made where missing, for its owner alone.
///
/// # Errors
/// As the file system says.
pub fn private_file(path: &Path) -> io::Result<File> {
    is_there(path)?;
    let mut options = File::options();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, FILE_MODE);
    let file = options.open(path)?;
    restrict(path, FILE_MODE)?;
    Ok(file)
}

/// Sets the mode where it is another, as a umask or an earlier owner may have left it.
pub(super) fn restrict(path: &Path, mode: u32) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if fs::metadata(path)?.permissions().mode() & 0o777 != mode {
            fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
        }
    }
    let _ = (path, mode);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_folder_is_absolute_or_below_home() {
        let with = |pairs: &'static [(&str, &str)]| {
            default_path(move |name| {
                let found = pairs.iter().find(|(key, _)| *key == name);
                found.map(|(_, value)| value.into())
            })
        };
        assert_eq!(
            with(&[("XDG_STATE_HOME", "/s"), ("HOME", "/people/a")]),
            Some("/s/glucopipe/journal.db".into())
        );
        let below = Some("/people/a/.local/state/glucopipe/journal.db".into());
        assert_eq!(with(&[("HOME", "/people/a")]), below);
        assert_eq!(
            with(&[("XDG_STATE_HOME", "s"), ("HOME", "/people/a")]),
            below
        );
        assert_eq!(with(&[]), None);
    }
}
