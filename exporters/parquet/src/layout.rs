//! Which files there are.

use std::path::{MAIN_SEPARATOR, PathBuf};

use glucopipe_sdk::{Error, Result};

/// Ending of a path that is a file, and of every file.
const ENDING: &str = "parquet";
/// The file of a folder.
const FILE: &str = "readings.parquet";

/// Where readings go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Into one file.
    File(PathBuf),
    /// Into the files of a folder.
    DataSet(PathBuf),
}

impl Layout {
    /// The layout a path asks for.
    ///
    /// # Errors
    /// When something else is there already.
    pub(crate) fn of(path: PathBuf) -> Result<Self> {
        let shown = path.to_string_lossy();
        if shown.is_empty() {
            let message = "got an empty path, expected a folder or a file";
            return Err(Error::config("path", message));
        }
        let folder = shown.ends_with(std::path::is_separator);
        let named_as_file = path
            .extension()
            .is_some_and(|ending| ending.eq_ignore_ascii_case(ENDING));
        if named_as_file && !folder {
            if path.is_dir() {
                let message = format!(
                    "`{shown}` is a folder, expected a file; for a data set in it end the path in `{MAIN_SEPARATOR}`"
                );
                return Err(Error::config("path", message));
            }
            return Ok(Self::File(path));
        }
        if path.exists() && !path.is_dir() {
            let message = format!(
                "`{shown}` is a file, expected a folder; the name of a single file ends in `.{ENDING}`"
            );
            return Err(Error::config("path", message));
        }
        Ok(Self::DataSet(path))
    }

    /// The file that readings go into.
    pub(crate) fn file(&self) -> PathBuf {
        match self {
            Self::File(file) => file.clone(),
            Self::DataSet(folder) => folder.join(FILE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_folder_unless_it_ends_in_parquet() {
        for (path, file) in [
            ("out/readings", "out/readings/readings.parquet"),
            ("out/readings.d", "out/readings.d/readings.parquet"),
            (".", "./readings.parquet"),
            ("..", "../readings.parquet"),
            ("all.parquet/", "all.parquet/readings.parquet"),
            ("all.parquet", "all.parquet"),
            ("out/ALL.PARQUET", "out/ALL.PARQUET"),
        ] {
            assert_eq!(Layout::of(path.into()).unwrap().file(), PathBuf::from(file));
        }
    }

    #[test]
    fn what_is_in_the_way_is_named() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("readings");
        let folder = home.path().join("readings.parquet");
        std::fs::write(&file, "").unwrap();
        std::fs::create_dir(&folder).unwrap();
        for (path, part) in [
            (file, "is a file"),
            (folder, "is a folder"),
            ("".into(), "empty"),
        ] {
            let error = Layout::of(path).unwrap_err();
            assert_eq!(error.key.as_deref(), Some("path"));
            assert!(error.message.contains(part), "{error}");
        }
    }
}
