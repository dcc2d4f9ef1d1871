//! Where readings go: one file, or a data set.

use std::path::{MAIN_SEPARATOR, Path, PathBuf};

use glucopipe_sdk::{Error, Result};

use crate::Config;
use crate::partition::Key;

/// Ending of a path that is a file, and of every file.
pub(crate) const ENDING: &str = "parquet";

/// Where readings go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Into one file, which is replaced.
    File(PathBuf),
    /// Into a data set, which grows.
    DataSet(DataSet),
}

/// A data set as it is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DataSet {
    /// Its folder.
    pub(crate) root: PathBuf,
    /// What it is partitioned by, from the outside in.
    pub(crate) keys: Vec<Key>,
    /// Whether small files are merged.
    pub(crate) compact: bool,
}

impl Layout {
    /// The layout a configuration asks for; looks at nothing on the disk.
    ///
    /// # Errors
    /// When keys do not go together.
    pub(crate) fn of(config: &Config) -> Result<Self> {
        let path = config.path.clone();
        let shown = path.to_string_lossy();
        if shown.is_empty() {
            let message = "got an empty path, expected a folder or a file";
            return Err(Error::config("path", message));
        }
        for (index, key) in config.partition_by.iter().enumerate() {
            if config.partition_by[..index].contains(key) {
                let message = format!("`{}` is there twice", key.name());
                return Err(Error::config("partition_by", message));
            }
        }
        let folder = shown.ends_with(std::path::is_separator);
        let ending = path.extension();
        if folder || !ending.is_some_and(|ending| ending.eq_ignore_ascii_case(ENDING)) {
            return Ok(Self::DataSet(DataSet {
                keys: config.partition_by.clone(),
                compact: config.compact,
                root: path,
            }));
        }
        for (key, given) in [
            ("partition_by", !config.partition_by.is_empty()),
            ("compact", config.compact),
        ] {
            if given {
                let message = format!(
                    "`{shown}` is a single file, and `{key}` is for a folder of files; for a folder end `path` in `{MAIN_SEPARATOR}`"
                );
                return Err(Error::config(key, message));
            }
        }
        Ok(Self::File(path))
    }

    /// Looks whether something else is there already.
    ///
    /// # Errors
    /// Names it.
    pub(crate) fn look(&self) -> Result<()> {
        match self {
            Self::File(file) if file.is_dir() => {
                let message = format!(
                    "`{}` is a folder, expected a file; for a data set in it end the path in `{MAIN_SEPARATOR}`",
                    file.display()
                );
                Err(Error::config("path", message))
            }
            Self::DataSet(set) => set.look(),
            Self::File(_) => Ok(()),
        }
    }
}

impl DataSet {
    /// As [`Layout::look`].
    pub(crate) fn look(&self) -> Result<()> {
        let root: &Path = &self.root;
        if root.exists() && !root.is_dir() {
            let message = format!(
                "`{}` is a file, expected a folder; the name of a single file ends in `.{ENDING}`",
                root.display()
            );
            return Err(Error::config("path", message));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(path: impl Into<PathBuf>, partition_by: &[Key], compact: bool) -> Result<Layout> {
        Layout::of(&Config {
            path: path.into(),
            partition_by: partition_by.to_vec(),
            compact,
        })
    }

    #[test]
    fn a_path_is_a_folder_unless_it_ends_in_parquet() {
        for (path, file) in [
            ("out/readings", false),
            ("out/readings.d", false),
            (".", false),
            ("..", false),
            ("all.parquet/", false),
            ("all.parquet", true),
            ("out/ALL.PARQUET", true),
        ] {
            let found = layout(path, &[], false).unwrap();
            assert_eq!(matches!(found, Layout::File(_)), file, "{path}");
        }
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        for (path, keys, compact, key, part) in [
            ("", &[][..], false, "path", "empty"),
            (
                "a.parquet",
                &[Key::Year],
                false,
                "partition_by",
                "single file",
            ),
            ("a.parquet", &[], true, "compact", "single file"),
            (
                "a",
                &[Key::Year, Key::Kind, Key::Year],
                false,
                "partition_by",
                "`year` is there twice",
            ),
        ] {
            let error = layout(path, keys, compact).unwrap_err();
            assert_eq!(error.key.as_deref(), Some(key));
            assert!(error.message.contains(part), "{error}");
        }
    }

    #[test]
    fn what_is_in_the_way_is_named() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("readings");
        let folder = home.path().join("readings.parquet");
        std::fs::write(&file, "").unwrap();
        std::fs::create_dir(&folder).unwrap();
        for (path, part) in [(file, "is a file"), (folder, "is a folder")] {
            let error = layout(path, &[], false).unwrap().look().unwrap_err();
            assert_eq!(error.key.as_deref(), Some("path"));
            assert!(error.message.contains(part), "{error}");
        }
        layout(home.path(), &[], false).unwrap().look().unwrap();
    }
}
