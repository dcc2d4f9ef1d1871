//! What a plugin in a child may do: by its kind, and by what its configuration names.

use std::path::{Path, PathBuf};

use glucopipe_sdk::files::create_folder;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::message::Named;
use crate::config::Component as Kind;
use crate::plugin::{Permission, Vetted};

/// Rights of a child, besides computing and asking the host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Rights {
    /// It may open connections, and read the files of the system that this needs.
    pub(super) network: bool,
    /// It may read and write below these folders.
    pub(super) folders: Vec<PathBuf>,
    /// It may read these, which the host's own part of its process needs.
    pub(super) readable: Vec<PathBuf>,
}

/// Keys, and ends of keys, whose value is a path.
const PATH_KEY: &str = "path";
const PATH_ENDS: [&str; 4] = ["_path", "_file", "_folder", "_dir"];

impl Rights {
    /// Of a library that is only looked at.
    pub(crate) fn none() -> Self {
        Self::default()
    }

    /// With what the host's own part of the process needs: to read these, and to write below this folder.
    pub(crate) fn shared(mut self, readable: Vec<PathBuf>, folder: PathBuf) -> Self {
        self.readable.extend(readable);
        self.folders.push(folder);
        self
    }

    /// Of one component. A driver reaches its meter through the host, and a transform needs nothing but
    /// its readings. An exporter may reach servers, and the folders that hold what its paths name, unless the
    /// manifest of its library asks for less.
    pub(crate) fn of(named: &Named, library: &Vetted) -> Self {
        match named.kind {
            Kind::Driver | Kind::Transform => Self::none(),
            Kind::Exporter => {
                let mut folders = holders(named, library);
                // The folder above a missing one holds what is none of its business.
                folders.retain(|(_, folder)| folder.is_dir());
                Self {
                    network: library.permits(Permission::Network),
                    folders: folders.into_iter().map(|(_, folder)| folder).collect(),
                    ..Self::none()
                }
            }
        }
    }

    /// Of one component that will deliver. What the key `path` names may be in a new folder, which is made here:
    /// the child may write in it, and not where it would have to be made.
    pub(super) fn to_deliver(named: &Named, library: &Vetted) -> Self {
        for (key, folder) in holders(named, library) {
            if key == PATH_KEY {
                // The exporter tries again, and says why it fails.
                let _ = create_folder(&folder);
            }
        }
        Self::of(named, library)
    }
}

/// The folders that hold what the paths of an exporter name, there or not, with the keys.
fn holders<'a>(named: &'a Named, library: &Vetted) -> Vec<(&'a str, PathBuf)> {
    let mut folders = Vec::new();
    if named.kind == Kind::Exporter && library.permits(Permission::Files) {
        collect(&named.config, &mut folders);
    }
    folders
}

fn collect<'a>(config: &'a Value, folders: &mut Vec<(&'a str, PathBuf)>) {
    for (key, value) in config.as_object().into_iter().flatten() {
        let is_path = key == PATH_KEY || PATH_ENDS.iter().any(|end| key.ends_with(end));
        match value.as_str().filter(|_| is_path).map(Path::new) {
            Some(path) => {
                let whole = std::path::absolute(path).ok();
                let folder = whole.as_deref().and_then(Path::parent);
                folders.extend(folder.map(|folder| (key.as_str(), folder.to_owned())));
            }
            None => collect(value, folders),
        }
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::plugin::Manifest;

    /// A library with these permissions in its manifest, or without one.
    fn library(permissions: Option<&[Permission]>) -> Vetted {
        let path = std::env::current_exe().unwrap();
        let file = std::fs::File::open(&path).unwrap();
        let manifest =
            |all: &[Permission]| Manifest::new(("x", "1.0.0", 0), String::new(), all.to_vec());
        let mut library = Vetted::handed(&path, file);
        library.manifest = permissions.map(manifest);
        library
    }

    fn named(kind: Kind, config: Value) -> Named {
        Named {
            kind,
            id: "x".to_owned(),
            config,
        }
    }

    #[test]
    fn drivers_and_transforms_have_none() {
        for kind in [Kind::Driver, Kind::Transform] {
            let asked = named(kind, json!({ "path": "/etc/passwd" }));
            assert_eq!(Rights::of(&asked, &library(None)), Rights::none());
        }
    }

    #[test]
    fn exporters_have_the_folders_that_hold_what_they_name() {
        let home = tempfile::tempdir().unwrap();
        let there = home.path().join("out");
        std::fs::create_dir(&there).unwrap();
        let config = json!({
            "path": there.join("readings.csv"),
            "url": "/not/a/path",
            "mode": "path",
            "tls": { "ca_file": home.path().join("ca.pem") },
        });
        let asked = named(Kind::Exporter, config);
        let rights = Rights::of(&asked, &library(None));
        assert!(rights.network);
        assert_eq!(rights.folders, [there, home.path().to_owned()]);
        let less = Rights::of(&asked, &library(Some(&[Permission::Network])));
        assert!(less.network && less.folders.is_empty());
        let less = Rights::of(&asked, &library(Some(&[Permission::Files])));
        assert_eq!((less.network, less.folders), (false, rights.folders));
    }
    #[test]
    fn folders_above_missing_ones_are_of_nobody() {
        let home = tempfile::tempdir().unwrap();
        let (new, other) = (home.path().join("new/deep"), home.path().join("other"));
        let asked = named(
            Kind::Exporter,
            json!({ "path": new.join("readings.csv"), "ca_file": other.join("ca.pem") }),
        );
        assert!(Rights::of(&asked, &library(None)).folders.is_empty());
        let network = library(Some(&[Permission::Network]));
        assert!(Rights::to_deliver(&asked, &network).folders.is_empty());
        assert!(!new.exists(), "nothing is made for who may write nowhere");

        let rights = Rights::to_deliver(&asked, &library(None));
        assert_eq!(rights.folders, [new]);
        assert!(!other.exists());
        let in_the_way = home.path().join("file");
        std::fs::write(&in_the_way, "").unwrap();
        let asked = named(
            Kind::Exporter,
            json!({ "path": in_the_way.join("a/b.csv") }),
        );
        let rights = Rights::to_deliver(&asked, &library(None));
        assert!(rights.folders.is_empty());
    }
}
