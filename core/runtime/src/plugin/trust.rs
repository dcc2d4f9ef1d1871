//! Which libraries of others the user has said yes to.
//!
//! A pin is the SHA-256 of a library, wherever it lies. What has the file name of a pinned library, or offers a
//! component of it, and has other bytes is refused; whether what was never pinned is refused too is for the user to say.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use glucopipe_sdk::files::WholeFile;
use serde::{Deserialize, Serialize};

use super::library::{Component, refused};
use super::ownership::open_unwritable;
use super::vetted::Vetted;
use crate::problem::{Code, Place, Problem};

/// The list, below the folder for data.
const NAME: &str = "glucopipe/trust.toml";
/// What stands at its top.
const HEAD: &str = "# The plugins that `glucopipe plugins trust` has pinned.\n";
/// Most bytes it may have.
const LIMIT: u64 = 1 << 20;

/// A library that the user has said yes to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// The name it gives itself.
    pub id: String,
    /// Its version.
    pub version: String,
    /// The name of its file, in whichever folder.
    pub file: String,
    /// SHA-256 of its bytes, hexadecimal.
    pub sha256: String,
    /// Its components: `driver contour`.
    #[serde(default)]
    pub components: Vec<String>,
}

#[derive(Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct List {
    #[serde(default)]
    plugin: Vec<Pin>,
}

/// The list of pins.
#[derive(Clone, Debug, Default)]
pub struct Pins {
    path: PathBuf,
    pins: Vec<Pin>,
}

impl Pins {
    /// Where the list is, below the folder for data.
    pub fn path_in(data_home: &Path) -> PathBuf {
        data_home.join(NAME)
    }

    fn none(path: PathBuf) -> Self {
        Self {
            path,
            pins: Vec::new(),
        }
    }

    /// Reads the list; there may be none yet.
    ///
    /// # Errors
    /// When somebody else could change it, or it is no list.
    pub fn open(path: &Path) -> Result<Self, Problem> {
        let mut list = Self::none(path.to_owned());
        let title = format!(
            "the list of pinned plugins `{}` is not used",
            path.display()
        );
        let problem =
            Problem::error(Code::PLUGIN_PIN, title).at(Place::Named(path.display().to_string()));
        let file = match open_unwritable(path, "the list") {
            Ok(file) => file,
            Err(doubt) if doubt.is_absent() => return Ok(list),
            Err(doubt) => return Err(doubt.tell(problem)),
        };
        let mut text = String::new();
        let read = file.take(LIMIT).read_to_string(&mut text);
        let read = read.map_err(|error| error.to_string());
        let found = read.and_then(|_| {
            toml::from_str(&text).map_err(|error: toml::de::Error| error.message().to_owned())
        });
        let found: List = found.map_err(|reason| {
            let hint = "`glucopipe plugins trust` writes it; move it away to begin a new one";
            problem.cause(reason).hint(hint)
        })?;
        list.pins = found.plugin;
        Ok(list)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The pins, in the order they were made.
    pub fn all(&self) -> &[Pin] {
        &self.pins
    }

    /// Whether these bytes are pinned.
    pub fn has(&self, sha256: &str) -> bool {
        self.pins.iter().any(|pin| pin.sha256 == sha256)
    }

    /// Adds a pin, in place of that of another library with this file name.
    pub fn pin(&mut self, pin: Pin) {
        self.pins
            .retain(|old| old.file != pin.file && old.sha256 != pin.sha256);
        self.pins.push(pin);
    }

    /// Takes the pins away whose id, file name or SHA-256 this is, and gives them.
    pub fn remove(&mut self, name: &str) -> Vec<Pin> {
        let meant = |pin: &mut Pin| {
            [&pin.id, &pin.file, &pin.sha256]
                .iter()
                .any(|is| *is == name)
        };
        self.pins.extract_if(.., meant).collect()
    }

    /// Writes the list, for its owner alone.
    ///
    /// # Errors
    /// When it cannot be written; the one from before is there then.
    pub fn write(&self) -> Result<(), Problem> {
        let list = List {
            plugin: self.pins.clone(),
        };
        let failed = |reason: String| {
            let shown = self.path.display();
            let title = format!("cannot write the list of pinned plugins `{shown}`");
            Problem::error(Code::PLUGIN_PIN, title)
                .cause(reason)
                .kept("nothing was changed")
        };
        let text = toml::to_string(&list).map_err(|error| failed(error.to_string()))?;
        let mut file = WholeFile::create(&self.path).map_err(|error| failed(error.message))?;
        let written = file.write_all(format!("{HEAD}{text}").as_bytes());
        written.map_err(|error| failed(error.to_string()))?;
        file.commit().map_err(|error| failed(error.message))
    }

    /// The pin of the library that had this file name before.
    fn before(&self, path: &Path) -> Option<&Pin> {
        let name = path.file_name()?.to_string_lossy();
        self.pins.iter().find(|pin| pin.file == name)
    }
}

/// Which libraries of others are loaded.
#[derive(Clone, Debug)]
pub struct Trust {
    locked: bool,
    pins: Result<Pins, Box<Problem>>,
}

impl Default for Trust {
    /// Nothing is pinned, and everything is loaded.
    fn default() -> Self {
        Self::of(Ok(Pins::default()), false)
    }
}

impl Trust {
    /// Of a list, or of none for its reason; `locked` when only what is pinned is loaded.
    pub fn of(pins: Result<Pins, Problem>, locked: bool) -> Self {
        Self {
            locked,
            pins: pins.map_err(Box::new),
        }
    }

    /// Whether it goes by the bytes of libraries at all.
    pub(super) fn asks(&self) -> bool {
        self.locked
            || self
                .pins
                .as_ref()
                .map_or(true, |pins| !pins.all().is_empty())
    }

    /// Whether a library is one that the user has said yes to.
    pub fn has(&self, vetted: &Vetted) -> bool {
        let (Ok(pins), Some(sha256)) = (&self.pins, &vetted.sha256) else {
            return false;
        };
        pins.has(sha256)
    }

    /// Refuses what offers a component of a pinned library without being it.
    ///
    /// # Errors
    /// Which component, and what is pinned.
    pub(super) fn judge_components(&self, components: &[Component]) -> Result<(), Problem> {
        let Ok(pins) = &self.pins else { return Ok(()) };
        for component in components {
            let vetted = &component.library.vetted;
            let named = component.named();
            let pinned = |pin: &&Pin| pin.components.contains(&named);
            let Some(pin) = pins.all().iter().find(pinned).filter(|_| !self.has(vetted)) else {
                continue;
            };
            let reason = format!(
                "{named} is pinned as it is in `{}`, and this is another",
                pin.file
            );
            let (path, id) = (&vetted.path, &pin.id);
            return Err(refused(path, Code::PLUGIN_PIN, reason)
                .kept("nothing was done with it")
                .hint(format!(
                    "if it is to take the place of the other: `glucopipe plugins trust --remove {id}`, then \
                     `glucopipe plugins trust {}`",
                    path.display()
                )));
        }
        Ok(())
    }

    /// Refuses what was changed since it was pinned, and what never was if only such is loaded.
    ///
    /// # Errors
    /// What was pinned and what is there; or why nobody knows.
    pub(super) fn judge(&self, vetted: &Vetted) -> Result<(), Problem> {
        let pins = match &self.pins {
            Ok(pins) => pins,
            Err(problem) => return Err((**problem).clone()),
        };
        if !self.asks() || self.has(vetted) {
            return Ok(());
        }
        let sha256 = vetted.sha256.as_deref().unwrap_or_default();
        let command = format!("`glucopipe plugins trust {}`", vetted.path.display());
        let (reasons, hint) = match pins.before(&vetted.path) {
            Some(pin) => (
                [
                    format!(
                        "it was changed since `{}` {} was pinned",
                        pin.id, pin.version
                    ),
                    format!("pinned is the sha256 {}, got {sha256}", pin.sha256),
                ],
                format!(
                    "if you have updated it, pin it again: {command}; else put the old one back"
                ),
            ),
            None if self.locked => (
                [
                    "only pinned plugins are loaded, and this one is not".to_owned(),
                    format!("its sha256 is {sha256}"),
                ],
                format!("if you know where it comes from, pin it: {command}"),
            ),
            None => return Ok(()),
        };
        let [first, second] = reasons;
        Err(refused(&vetted.path, Code::PLUGIN_PIN, first)
            .cause(second)
            .kept("nothing of it was run")
            .hint(hint))
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn pin(id: &str, file: &str, sha256: &str) -> Pin {
        Pin {
            id: id.to_owned(),
            version: "0.1.0".to_owned(),
            file: file.to_owned(),
            sha256: sha256.to_owned(),
            components: Vec::new(),
        }
    }

    #[test]
    fn pins_are_kept_for_their_owner_alone() {
        let home = tempfile::tempdir().unwrap();
        let path = Pins::path_in(&home.path().join("data"));
        let mut pins = Pins::open(&path).unwrap();
        pins.pin(pin("a", "a.so", "1"));
        pins.pin(pin("b", "b.so", "2"));
        pins.write().unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        let mut pins = Pins::open(&path).unwrap();
        // The new bytes of a file take the place of the old ones, and a new name that of the old one.
        pins.pin(pin("a", "a.so", "3"));
        pins.pin(pin("b", "c.so", "2"));
        let expected = [pin("a", "a.so", "3"), pin("b", "c.so", "2")];
        assert_eq!(pins.all(), expected);
        for name in ["a", "a.so", "3"] {
            assert_eq!(pins.clone().remove(name), expected[..1], "{name}");
        }
        assert_eq!(pins.remove("other"), []);
    }

    #[test]
    fn a_list_that_others_can_write_or_nobody_can_read_is_not_used() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("trust.toml");
        std::fs::write(&path, "").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o622)).unwrap();
        let problem = Pins::open(&path).unwrap_err();
        assert_eq!(problem.code, Code::PLUGIN_UNSAFE);
        assert!(
            problem.causes[0].starts_with("the list is writable"),
            "{problem:?}"
        );
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        for text in [
            "[[plugin]]\nid = 3",
            "[[plugin]]\nid = \"a\"",
            "else = 1",
            "[",
        ] {
            std::fs::write(&path, text).unwrap();
            let problem = Pins::open(&path).unwrap_err();
            assert_eq!(problem.code, Code::PLUGIN_PIN, "{text}");
            assert!(Trust::of(Err(problem), false).asks());
        }
    }

    #[test]
    fn what_is_loaded_depends_on_the_pin_and_the_lock() {
        let home = tempfile::tempdir().unwrap();
        let vetted = |name: &str, sha256: &str| {
            let path = home.path().join(name);
            std::fs::write(&path, "").unwrap();
            let mut vetted = Vetted::handed(&path, std::fs::File::open(&path).unwrap());
            vetted.sha256 = Some(sha256.to_owned());
            vetted
        };
        let mut pins = Pins::none(home.path().join("trust.toml"));
        pins.pin(pin("a", "a.so", "1"));
        for (name, sha256, open, locked) in [
            ("a.so", "1", "", ""),
            ("renamed.so", "1", "", ""),
            ("a.so", "2", "it was changed", "it was changed"),
            ("b.so", "2", "", "only pinned plugins are loaded"),
        ] {
            for (lock, words) in [(false, open), (true, locked)] {
                let judged = Trust::of(Ok(pins.clone()), lock).judge(&vetted(name, sha256));
                let reason =
                    judged.map_or_else(|problem| problem.causes[0].clone(), |()| String::new());
                assert_eq!(
                    reason.is_empty(),
                    words.is_empty(),
                    "{name} {lock}: {reason}"
                );
                assert!(reason.starts_with(words), "{reason}");
            }
        }
        assert!(!Trust::default().asks());
    }
}
