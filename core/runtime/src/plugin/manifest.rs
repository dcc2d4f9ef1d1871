//! The manifest of a library: `NAME.glucopipe.toml` beside `NAME.so`.
//!
//! Its author says in it what the library is, to the byte, and what it needs. It is no proof of who wrote
//! either: it tells a whole copy from a damaged one, and keeps a plugin to what it was made for.

use std::fmt;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::library::unloaded;
use super::ownership::open_unwritable;
use crate::problem::{Code, Place, Problem};

/// What stands in place of the extension of the library.
const EXTENSION: &str = "glucopipe.toml";
/// Its own version.
const VERSION: i64 = 1;
/// Most bytes it may have.
const LIMIT: u64 = 1 << 16;

/// What a plugin needs besides computing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Permission {
    /// A link to the device of its source.
    Devices,
    /// Connections to servers.
    Network,
    /// The files and folders that its configuration names.
    Files,
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Devices => "devices",
            Self::Network => "network",
            Self::Files => "files",
        })
    }
}

/// What a manifest says.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    manifest: i64,
    /// The name that the library gives itself.
    pub id: String,
    /// Its version.
    pub version: String,
    /// The plugin ABI it was built for, as in `1.0`.
    pub abi: String,
    /// SHA-256 of the library, hexadecimal.
    pub sha256: String,
    /// All that it needs.
    pub permissions: Vec<Permission>,
}

/// What helps against a manifest and a library that do not fit.
pub(super) fn anew(library: &Path) -> String {
    format!(
        "take library and manifest from one release; who built it writes the manifest anew: \
         `glucopipe plugins manifest {}`",
        library.display()
    )
}

/// `1.0`, of the minor version.
pub(super) fn abi_of(minor: u32) -> String {
    format!("{}.{minor}", glucopipe_abi::GP_ABI_MAJOR)
}

impl Manifest {
    /// Where the manifest of a library is.
    pub fn path_of(library: &Path) -> PathBuf {
        library.with_extension(EXTENSION)
    }

    /// A manifest of what a library says of itself.
    pub fn new(
        (id, version, abi_minor): (&str, &str, u32),
        sha256: String,
        permissions: Vec<Permission>,
    ) -> Self {
        Self {
            manifest: VERSION,
            id: id.to_owned(),
            version: version.to_owned(),
            abi: abi_of(abi_minor),
            sha256,
            permissions,
        }
    }

    /// All that it asks for, in words: `devices, network`, or `nothing`.
    pub fn needs(&self) -> String {
        let names: Vec<String> = self.permissions.iter().map(ToString::to_string).collect();
        match names.as_slice() {
            [] => "nothing".to_owned(),
            names => names.join(", "),
        }
    }

    /// The manifest beside a library, if there is one.
    ///
    /// # Errors
    /// When somebody else could change it, or it says nothing that can be understood.
    pub fn beside(library: &Path) -> Result<Option<Self>, Problem> {
        let path = Self::path_of(library);
        let shown = path.display().to_string();
        let unloaded = || unloaded(library, Code::PLUGIN_MANIFEST).at(Place::Named(shown.clone()));
        let problem = |reason: String| unloaded().cause(reason);
        let file = match open_unwritable(&path, "its manifest") {
            Ok(file) => file,
            Err(doubt) if doubt.is_absent() => return Ok(None),
            Err(doubt) => return Err(doubt.tell(unloaded())),
        };
        let mut text = String::new();
        match file.take(LIMIT + 1).read_to_string(&mut text) {
            Ok(_) if text.len() as u64 <= LIMIT => {}
            Ok(_) => return Err(problem("its manifest is too long".to_owned())),
            Err(error) => return Err(problem(format!("its manifest cannot be read: {error}"))),
        }
        let manifest = Self::parse(&text).map_err(|(reason, span)| {
            let problem = problem(format!("its manifest cannot be understood: {reason}"));
            let problem = problem.kept("nothing of it was run").hint(anew(library));
            let (file, text) = (shown.clone(), text.as_str().into());
            match span {
                Some(span) => problem.at(Place::Text { file, text, span }),
                None => problem,
            }
        })?;
        Ok(Some(manifest))
    }

    fn parse(text: &str) -> Result<Self, (String, Option<std::ops::Range<usize>>)> {
        let told = |error: toml::de::Error| (error.message().to_owned(), error.span());
        let table: toml::Table = toml::from_str(text).map_err(told)?;
        match table.get("manifest").and_then(toml::Value::as_integer) {
            None | Some(VERSION) => toml::from_str(text).map_err(told),
            Some(other) => {
                let reason =
                    format!("it is of version {other}, and this glucopipe knows {VERSION}");
                Err((reason, None))
            }
        }
    }

    /// What it says that the bytes of the library do not; `None` when they agree.
    pub(super) fn denies_bytes(&self, sha256: &str) -> Option<String> {
        let same = self.sha256.eq_ignore_ascii_case(sha256);
        (!same).then(|| format!("`sha256` is {}, got {sha256}", self.sha256))
    }

    /// What it says that the library, once it is loaded, does not; `None` when they agree.
    pub(super) fn denies(&self, id: &str, version: &str, abi_minor: u32) -> Option<String> {
        let abi = abi_of(abi_minor);
        let facts = [
            ("id", self.id.as_str(), id),
            ("version", &self.version, version),
            ("abi", &self.abi, &abi),
        ];
        let (key, said, is) = facts.into_iter().find(|(_, said, is)| said != is)?;
        Some(format!("`{key}` is `{said}`, got `{is}`"))
    }

    /// Writes it beside the library, for everybody to read, and gives the path.
    ///
    /// # Errors
    /// As the file system says.
    pub fn write(&self, library: &Path) -> io::Result<PathBuf> {
        let text = toml::to_string(self).map_err(io::Error::other)?;
        let path = Self::path_of(library);
        let folder = path.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::with_prefix_in(".glucopipe-", folder)?;
        file.write_all(text.as_bytes())?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::Permissions::from_mode(0o644);
            file.as_file().set_permissions(mode)?;
        }
        file.as_file().sync_all()?;
        file.persist(&path)?;
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let needs = vec![Permission::Devices, Permission::Files];
        Manifest::new(("two-meter", "0.1.0", 0), "ab".repeat(32), needs)
    }

    #[test]
    fn what_is_written_is_read() {
        let home = tempfile::tempdir().unwrap();
        let library = home.path().join("libmeter.so");
        assert_eq!(Manifest::beside(&library).unwrap(), None);
        let path = manifest().write(&library).unwrap();
        assert_eq!(path, home.path().join("libmeter.glucopipe.toml"));
        assert_eq!(Manifest::beside(&library).unwrap(), Some(manifest()));
        let text = std::fs::read_to_string(path).unwrap();
        assert!(
            text.starts_with("manifest = 1\nid = \"two-meter\"\n"),
            "{text}"
        );
        assert!(
            text.contains("permissions = [\"devices\", \"files\"]"),
            "{text}"
        );
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_manifest_or_refused(
            text in ".*",
            at in 0..200_usize,
            other in proptest::prelude::any::<char>(),
        ) {
            let _ = Manifest::parse(&text);
            // One letter of a good one is another.
            let whole = toml::to_string(&manifest()).unwrap();
            let changed = |(index, letter)| if index == at { other } else { letter };
            let _ = Manifest::parse(&whole.chars().enumerate().map(changed).collect::<String>());
        }
    }

    #[test]
    fn each_fact_counts() {
        let said = manifest();
        assert_eq!(said.denies("two-meter", "0.1.0", 0), None);
        for (id, version, abi, key) in [
            ("other", "0.1.0", 0, "`id` is `two-meter`, got `other`"),
            ("two-meter", "0.2.0", 0, "`version` is `0.1.0`, got `0.2.0`"),
            ("two-meter", "0.1.0", 3, "`abi` is `1.0`, got `1.3`"),
        ] {
            assert_eq!(said.denies(id, version, abi).as_deref(), Some(key));
        }
        assert_eq!(said.denies_bytes(&"AB".repeat(32)), None);
        assert!(said.denies_bytes(&"ac".repeat(32)).is_some());
    }

    #[test]
    fn what_is_no_manifest_is_refused_with_the_position() {
        let text = toml::to_string(&manifest()).unwrap();
        for (old, new, words) in [
            ("manifest = 1", "manifest = 2", "it is of version 2"),
            ("manifest = 1\n", "", "missing field `manifest`"),
            ("\"files\"", "\"camera\"", "unknown variant `camera`"),
            ("abi =", "aby =", "unknown field `aby`"),
            ("id =", "id", "key with no value"),
        ] {
            let (reason, _) = Manifest::parse(&text.replace(old, new)).unwrap_err();
            assert!(reason.contains(words), "{reason}");
        }
        let home = tempfile::tempdir().unwrap();
        let library = home.path().join("libmeter.so");
        let path = Manifest::path_of(&library);
        std::fs::write(&path, text.replace("\"files\"", "\"camera\"")).unwrap();
        let problem = Manifest::beside(&library).unwrap_err();
        assert_eq!(problem.code, Code::PLUGIN_MANIFEST);
        let place = problem.place.unwrap().to_string();
        assert!(place.ends_with("libmeter.glucopipe.toml:6:27"), "{place}");
        std::fs::write(&path, "#".repeat(70_000)).unwrap();
        let problem = Manifest::beside(&library).unwrap_err();
        assert_eq!(problem.causes, ["its manifest is too long"]);
    }
}
