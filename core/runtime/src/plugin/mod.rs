//! Plugins: where they are found, how they are loaded, which component has a name.

mod about;
mod folder;
mod library;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::Mutex;

pub(crate) use about::well_formed_id;
pub use about::{About, KnownDevice};
pub use folder::{EXTENSION, Folder, SearchPath};
pub use library::{Ability, Component, Library};
pub(crate) use library::{load, plugin_table};

pub use crate::config::Component as ComponentKind;
use crate::problem::{Code, Problem};
use crate::suggest::{did_you_mean, nearest};

/// The components of a library, or why it was refused.
pub type Loaded = Result<Vec<Arc<Component>>, Problem>;

/// All plugins that can be found, loaded when they are asked for.
///
/// The first library in the order of the folders that has a component wins. Inside a folder the library
/// named after it (`libglucopipe_driver_contour.so`) is tried first, so that a run loads just the
/// libraries it uses.
#[derive(Debug)]
pub struct Registry {
    search: SearchPath,
    loaded: Mutex<BTreeMap<PathBuf, Loaded>>,
}

impl Registry {
    /// A registry over these folders.
    pub fn new(search: SearchPath) -> Self {
        Self {
            search,
            loaded: Mutex::new(BTreeMap::new()),
        }
    }

    /// The folders, in search order.
    pub fn folders(&self) -> &[Folder] {
        &self.search.folders
    }

    /// Folders that were named but cannot be used.
    pub fn folder_problems(&self) -> &[Problem] {
        &self.search.problems
    }

    fn load(&self, path: &Path) -> Loaded {
        let mut loaded = self
            .loaded
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        loaded
            .entry(path.to_owned())
            .or_insert_with(|| {
                load(path).map(|components| components.into_iter().map(Arc::new).collect())
            })
            .clone()
    }

    /// Finds a component by kind and name.
    ///
    /// # Errors
    /// [`Code::CONFIG_UNKNOWN_PLUGIN`] with the folders searched and the libraries refused, or the
    /// refusal of the library named after it.
    pub fn find(&self, kind: ComponentKind, id: &str) -> Result<Arc<Component>, Problem> {
        let conventional = format!("{}_{}", kind.word(), id.replace(['-', '.'], "_"));
        let mut refused = Vec::new();
        let named = |path: &PathBuf| folder::conventional_name(path) == Some(&conventional);
        let in_order = self.search.folders.iter().flat_map(|folder| {
            let (first, others): (Vec<_>, Vec<_>) = folder.libraries().into_iter().partition(named);
            first.into_iter().chain(others)
        });
        for path in in_order {
            match self.load(&path) {
                Ok(components) => {
                    let mut components = components.into_iter();
                    if let Some(found) = components.find(|one| one.kind == kind && one.id == id) {
                        return Ok(found);
                    }
                }
                // The library meant for it is there and broken: another one must not stand in unseen.
                Err(problem) if named(&path) => return Err(problem),
                Err(problem) => refused.push(problem),
            }
        }
        let mut problem = Problem::error(
            Code::CONFIG_UNKNOWN_PLUGIN,
            format!("unknown {} `{id}`", kind.word()),
        );
        for folder in &self.search.folders {
            problem = problem.cause(format!("searched `{}`", folder.path.display()));
        }
        for refusal in refused {
            let reason = refusal.causes.first().map_or("", String::as_str);
            problem = problem.cause(format!("{}: {reason}", refusal.title));
        }
        let known = self.components(kind);
        let known: Vec<_> = known
            .iter()
            .map(|component| component.id.as_str())
            .collect();
        Err(match nearest(id, known.iter().copied()) {
            Some(name) => problem.hint(did_you_mean(name)),
            None if known.is_empty() => {
                problem.hint(format!("no {} was found at all", kind.word()))
            }
            None => problem.hint(format!("there are: {}", known.join(", "))),
        })
    }

    fn libraries(&self) -> impl Iterator<Item = PathBuf> {
        self.search.folders.iter().flat_map(Folder::libraries)
    }

    /// Every library with its components or the reason it was refused, in search order.
    pub fn load_all(&self) -> Vec<(PathBuf, Loaded)> {
        self.libraries()
            .map(|path| {
                let outcome = self.load(&path);
                (path, outcome)
            })
            .collect()
    }

    /// All components of a kind; the first with an id wins.
    pub fn components(&self, kind: ComponentKind) -> Vec<Arc<Component>> {
        let mut found: Vec<Arc<Component>> = Vec::new();
        for component in self
            .load_all()
            .into_iter()
            .filter_map(|(_, loaded)| loaded.ok())
            .flatten()
        {
            if component.kind == kind && found.iter().all(|other| other.id != component.id) {
                found.push(component);
            }
        }
        found
    }
}
