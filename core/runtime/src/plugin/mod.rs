//! Plugins: where they are found, how they are loaded, which component has a name.

mod about;
mod bind;
mod folder;
mod library;
mod machine;
mod manifest;
mod ownership;
mod trust;
mod vetted;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::Mutex;

pub(crate) use about::well_formed_id;
pub use about::{About, KnownDevice};
pub use folder::{EXTENSION, Folder, SearchPath};
pub use library::{Ability, Component, Library};
pub(crate) use library::{load, plugin_table};
pub(crate) use machine::foreign;
pub use manifest::{Manifest, Permission};
pub use trust::{Pin, Pins, Trust};
pub(crate) use vetted::COPY;
pub use vetted::{Vetted, must_be_file};

pub use crate::config::Component as ComponentKind;
use crate::config::{Isolate, Runtime};
use crate::isolate::Isolation;
use crate::problem::{Code, Place, Problem};
use crate::suggest::{did_you_mean, nearest};

/// The components of a library, or why it was refused.
pub type Loaded = Result<Vec<Arc<Component>>, Problem>;

/// All plugins that can be found, loaded when they are asked for.
///
/// The library named after a component (`libglucopipe_driver_contour.so`) wins, and of several the first in the
/// order of the folders: a run loads just the libraries it uses, and none gives what its name does not say. Where
/// no library is named after it, the first one that has it wins.
#[derive(Debug)]
pub struct Registry {
    search: SearchPath,
    loaded: Mutex<BTreeMap<PathBuf, Loaded>>,
    isolation: Option<Isolation>,
    trust: Trust,
}

impl Registry {
    /// A registry over these folders, which loads every library here.
    pub fn new(search: SearchPath) -> Self {
        Self {
            search,
            loaded: Mutex::new(BTreeMap::new()),
            isolation: None,
            trust: Trust::default(),
        }
    }

    /// The same with libraries of others only as the user trusts them.
    #[must_use]
    pub fn trusting(self, trust: Trust) -> Self {
        Self { trust, ..self }
    }

    /// The same with plugins in processes of their own.
    #[must_use]
    pub fn isolated(self, isolation: Isolation) -> Self {
        Self {
            isolation: Some(isolation),
            ..self
        }
    }

    /// The program of the child that a library is loaded in.
    fn child_of(&self, path: &Path) -> Option<&Path> {
        let isolation = self.isolation.as_ref()?;
        let apart = match isolation.policy {
            Isolate::All => true,
            Isolate::ThirdParty => !self.is_own(path),
            Isolate::None => false,
        };
        apart.then_some(&isolation.program)
    }

    /// A component where a node wants to have it; without a wish it stays where it is.
    ///
    /// # Errors
    /// When the library cannot be loaded there.
    pub fn moved(
        &self,
        component: Arc<Component>,
        runtime: Option<Runtime>,
    ) -> Result<Arc<Component>, Problem> {
        match (runtime, component.apart()) {
            (None, _) | (Some(Runtime::Process), Some(_)) | (Some(Runtime::InProcess), None) => {
                Ok(component)
            }
            (Some(Runtime::Process), None) => match &self.isolation {
                Some(isolation) => Ok(Arc::new(component.moved_apart(&isolation.program))),
                None => Err(immovable(&component, "nothing here can start one")),
            },
            (Some(Runtime::InProcess), Some(_)) => {
                let mut all = load(&component.library.vetted)?.into_iter();
                let found = all.find(|one| one.kind == component.kind && one.id == component.id);
                found
                    .map(Arc::new)
                    .ok_or_else(|| immovable(&component, "the library has changed meanwhile"))
            }
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
                let own = self.is_own(path);
                let vetted = Vetted::open(path, !own && self.trust.asks())?;
                if !own {
                    self.trust.judge(&vetted)?;
                }
                let components = match self.child_of(path) {
                    Some(program) => library::look_at(vetted, program),
                    None => load(&vetted),
                };
                let components = components?;
                if !own {
                    self.trust.judge_components(&components)?;
                }
                Ok(components.into_iter().map(Arc::new).collect())
            })
            .clone()
    }

    /// Whether a library came with the program.
    pub fn is_own(&self, path: &Path) -> bool {
        self.search.is_own(path)
    }

    /// Whether the user has said yes to a library: `None` for one that came with the program and needs none.
    pub fn is_pinned(&self, library: &Library) -> Option<bool> {
        (!self.is_own(library.path())).then(|| self.trust.has(&library.vetted))
    }

    /// Looks at a library in a child, wherever it lies and whether or not anybody trusts it, and gives its
    /// SHA-256; `manifest` when it must be what its manifest says.
    ///
    /// # Errors
    /// Why it cannot be loaded.
    pub fn look_at(&self, path: &Path, manifest: bool) -> Loaded {
        let vetted = if manifest {
            Vetted::open(path, true)?
        } else {
            Vetted::without_manifest(path)?
        };
        let program = self.isolation.as_ref().map(|isolation| &isolation.program);
        let program = program.ok_or_else(|| {
            let reason = "nothing here can start a process for it".to_owned();
            library::refused(path, Code::PLUGIN_LOAD, reason)
        })?;
        let components = library::look_at(vetted, program)?;
        Ok(components.into_iter().map(Arc::new).collect())
    }

    /// Finds a component by kind and name.
    ///
    /// # Errors
    /// [`Code::CONFIG_UNKNOWN_PLUGIN`] with the folders searched and the libraries refused, or the
    /// refusal of the library named after it.
    pub fn find(&self, kind: ComponentKind, id: &str) -> Result<Arc<Component>, Problem> {
        let mut refused = Vec::new();
        let named = |path: &PathBuf| folder::is_named_after(path, kind, id);
        let (first, others): (Vec<_>, Vec<_>) = self.libraries().partition(named);
        for path in first.into_iter().chain(others) {
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
            problem = problem.cause(refusal.in_short());
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

    /// Why libraries that may hold such a component are not loaded.
    pub fn refused(&self, kind: ComponentKind) -> Vec<Problem> {
        let all = self.load_all().into_iter();
        let may_hold = |path: &Path| {
            folder::conventional_name(path).is_none_or(|name| name.starts_with(kind.word()))
        };
        all.filter(|(path, _)| may_hold(path))
            .filter_map(|(_, loaded)| loaded.err())
            .collect()
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

    /// All components of a kind, each as [`Registry::find`] finds it.
    pub fn components(&self, kind: ComponentKind) -> Vec<Arc<Component>> {
        let mut found: Vec<Arc<Component>> = Vec::new();
        let loaded = self.load_all().into_iter();
        let all = loaded.filter_map(|(_, loaded)| loaded.ok()).flatten();
        for component in all.filter(|component| component.kind == kind) {
            let named = |one: &Component| folder::is_named_after(one.library.path(), kind, &one.id);
            match found.iter_mut().find(|other| other.id == component.id) {
                None => found.push(component),
                Some(other) if named(&component) && !named(other) => *other = component,
                Some(_) => {}
            }
        }
        found
    }
}

fn immovable(component: &Component, why: &str) -> Problem {
    let title = format!(
        "{} plugin `{}` cannot be run where `runtime` says",
        component.kind.word(),
        component.id
    );
    Problem::error(Code::PLUGIN_LOAD, title)
        .at(Place::Named(component.library.path().display().to_string()))
        .cause(why)
}
