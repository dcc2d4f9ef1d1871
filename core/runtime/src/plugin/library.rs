//! Loading one library that was checked: bind it and read its tables, here or in a child.

use std::ffi::{c_char, c_void};
use std::path::Path;
use std::sync::Arc;

use glucopipe_abi as abi;
use glucopipe_sdk::ffi::borrowed_text;

use super::ComponentKind;
use super::about::{About, well_formed_id};
use super::bind::bind;
use super::vetted::Vetted;
use crate::isolate::{self, Apart, Described};
use crate::problem::{Code, Place, Problem};

/// A component of a loaded library; its tables live as long as the process.
#[derive(Clone, Debug)]
pub struct Component {
    /// What kind it is.
    pub kind: ComponentKind,
    /// The name in `pipeline.toml`.
    pub id: String,
    /// What it says of itself.
    pub about: About,
    /// The library it came from.
    pub library: Arc<Library>,
    table: Table,
}

/// The function table of a component, read by its true size.
#[derive(Clone)]
enum Table {
    Driver(abi::gp_driver),
    Exporter(abi::gp_exporter),
    Transform(abi::gp_transform),
    /// In a child.
    Apart(Apart),
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Table")
    }
}

// SAFETY: tables hold function pointers that carry thread tags of their own.
unsafe impl Send for Table {}
// SAFETY: as above; a table is never written.
unsafe impl Sync for Table {}

/// A loaded library.
#[derive(Debug)]
pub struct Library {
    /// Its file, as it was checked.
    pub vetted: Vetted,
    /// Name it gives itself.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Minor version of the ABI it was built for.
    pub abi_minor: u32,
    /// Its extensions, when it is loaded here.
    extensions: Option<unsafe extern "C" fn(*const c_char) -> *const c_void>,
}

impl Library {
    /// Where its file is.
    pub fn path(&self) -> &Path {
        &self.vetted.path
    }
}

/// What not every driver can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ability {
    /// Ask a meter for its clock.
    ReadClock,
    /// Set a meter's clock.
    SetClock,
    /// Erase a meter's memory.
    Erase,
}

impl Ability {
    /// The word in listings: the command that needs it.
    pub fn word(self) -> &'static str {
        match self {
            Self::ReadClock => "clock",
            Self::SetClock => "clock set",
            Self::Erase => "erase",
        }
    }

    /// The member of the driver's table.
    fn member(self) -> &'static str {
        match self {
            Self::ReadClock => "get_clock",
            Self::SetClock => "set_clock",
            Self::Erase => "erase",
        }
    }
}

impl Component {
    /// `driver contour`.
    pub fn named(&self) -> String {
        format!("{} {}", self.kind.word(), self.id)
    }

    /// `contour/0.1.0`: what goes into the column `driver`.
    pub fn versioned(&self) -> String {
        format!("{}/{}", self.id, self.library.version)
    }

    /// What a driver can do with its meters besides reading them; nothing for other plugins.
    pub fn abilities(&self) -> Vec<Ability> {
        let has = self.optional_functions();
        let all = [Ability::ReadClock, Ability::SetClock, Ability::Erase];
        let known = |ability: &Ability| has.iter().any(|has| has == ability.member());
        all.into_iter().filter(known).collect()
    }

    /// The functions it has and need not have.
    pub(crate) fn optional_functions(&self) -> Vec<String> {
        let all: &[(&str, bool)] = match &self.table {
            Table::Driver(table) => &[
                ("get_clock", table.get_clock.is_some()),
                ("set_clock", table.set_clock.is_some()),
                ("erase", table.erase.is_some()),
            ],
            Table::Exporter(table) => &[
                ("check", table.check.is_some()),
                ("wants", table.wants.is_some()),
                ("preview", table.preview.is_some()),
            ],
            Table::Transform(_) => &[],
            Table::Apart(apart) => return apart.has.iter().cloned().collect(),
        };
        let has = all.iter().filter(|(_, there)| *there);
        has.map(|(name, _)| (*name).to_owned()).collect()
    }

    /// Where it is reached, when it is not loaded here.
    pub(crate) fn apart(&self) -> Option<&Apart> {
        match &self.table {
            Table::Apart(apart) => Some(apart),
            _ => None,
        }
    }

    /// The same component, called in a child.
    pub(super) fn moved_apart(&self, program: &Path) -> Self {
        let apart = Apart {
            program: program.to_owned(),
            library: self.library.vetted.clone(),
            has: self.optional_functions().into_iter().collect(),
        };
        Self {
            table: Table::Apart(apart),
            ..self.clone()
        }
    }

    /// Why a driver cannot do this, in its own words.
    pub fn lacks(&self, ability: Ability) -> Option<&str> {
        self.about.lacks.get(ability.member()).map(String::as_str)
    }

    /// The extension of its library that scrubs transcripts, when it is loaded here and has one.
    pub(crate) fn scrubber(&self) -> Option<abi::gp_scrub> {
        let extensions = self.library.extensions?;
        // SAFETY: tagged [any]; the id is static, and the table of this id is a static `gp_scrub` or null.
        unsafe {
            let table = extensions(abi::GP_EXT_SCRUB.as_ptr());
            abi::read_table(table.cast::<abi::gp_scrub>()).ok()
        }
    }

    pub(crate) fn driver(&self) -> Option<&abi::gp_driver> {
        match &self.table {
            Table::Driver(table) => Some(table),
            _ => None,
        }
    }

    pub(crate) fn exporter(&self) -> Option<&abi::gp_exporter> {
        match &self.table {
            Table::Exporter(table) => Some(table),
            _ => None,
        }
    }

    pub(crate) fn transform(&self) -> Option<&abi::gp_transform> {
        match &self.table {
            Table::Transform(table) => Some(table),
            _ => None,
        }
    }
}

/// The kind of a `GP_KIND_*` number; unknown ones are for newer hosts.
fn kind_of(number: u32) -> Option<ComponentKind> {
    match number {
        abi::GP_KIND_DRIVER => Some(ComponentKind::Driver),
        abi::GP_KIND_EXPORTER => Some(ComponentKind::Exporter),
        abi::GP_KIND_TRANSFORM => Some(ComponentKind::Transform),
        _ => None,
    }
}

/// Most components one library may have: an endless list must end.
const COMPONENT_LIMIT: u32 = 256;

/// Loads a library and reads its components.
///
/// # Errors
/// Every refusal names the file and the reason.
pub(crate) fn load(vetted: &Vetted) -> Result<Vec<Component>, Problem> {
    let plugin = plugin_table(vetted)?;
    let components = read_plugin(vetted, &plugin)
        .map_err(|(code, reason)| refused(&vetted.path, code, reason))?;
    agreed(components)
}

/// Loads a library and reads the table of its entry.
///
/// # Errors
/// As for [`load`].
pub(crate) fn plugin_table(vetted: &Vetted) -> Result<abi::gp_plugin, Problem> {
    let path = &vetted.path;
    let entry = bind(vetted).map_err(|(code, reason)| refused(path, code, reason))?;
    // SAFETY: the entry has this signature by the ABI, and returns a static table.
    unsafe { abi::read_table(entry()) }
        .map_err(|error| refused(path, Code::PLUGIN_ABI, error.to_string()))
}

/// Reads the components of a library that a child of this program loads; nothing of it runs here.
///
/// # Errors
/// As for [`load`], and when the child ends over it.
pub(super) fn look_at(vetted: Vetted, program: &Path) -> Result<Vec<Component>, Problem> {
    let path = vetted.path.clone();
    let described = isolate::describe(program, &vetted).map_err(|error| {
        let codes = [Code::PLUGIN_ABI, Code::PLUGIN_BROKEN];
        let code = codes
            .into_iter()
            .find(|code| i64::from(code.number()) == error.native);
        refused(&path, code.unwrap_or(Code::PLUGIN_LOAD), error.message)
    })?;
    let broken = |reason: String| refused(&path, Code::PLUGIN_BROKEN, reason);
    let library = Arc::new(Library {
        vetted: vetted.clone(),
        name: described.name,
        version: described.version,
        abi_minor: described.abi_minor,
        extensions: None,
    });
    let component = |described: Described| {
        if !well_formed_id(&described.id) {
            return Err(broken(MALFORMED_ID.to_owned()));
        }
        Ok(Component {
            kind: described.kind,
            id: described.id,
            about: described.about,
            library: library.clone(),
            table: Table::Apart(Apart {
                program: program.to_owned(),
                library: vetted.clone(),
                has: described.has.into_iter().collect(),
            }),
        })
    };
    let components: Result<_, _> = described.components.into_iter().map(component).collect();
    agreed(components?)
}

/// Compares what a library says of itself with its manifest.
fn agreed(components: Vec<Component>) -> Result<Vec<Component>, Problem> {
    if let Some(first) = components.first() {
        let Library {
            vetted,
            name,
            version,
            abi_minor,
            ..
        } = &*first.library;
        vetted.agrees(name, version, *abi_minor)?;
    }
    Ok(components)
}

/// A refusal of a library.
pub(super) fn refused(path: &Path, code: Code, reason: String) -> Problem {
    unloaded(path, code).cause(reason)
}

/// The same before its reason is known.
pub(super) fn unloaded(path: &Path, code: Code) -> Problem {
    Problem::error(code, format!("plugin `{}` is not loaded", path.display()))
        .at(Place::Named(path.display().to_string()))
}

const MALFORMED_ID: &str = "its id is missing or has other characters than a-z 0-9 . - _";

/// Reads the components of a plugin table.
fn read_plugin(vetted: &Vetted, plugin: &abi::gp_plugin) -> Result<Vec<Component>, (Code, String)> {
    if plugin.min_host_minor > abi::GP_ABI_MINOR {
        let (needs, has) = (plugin.min_host_minor, abi::GP_ABI_MINOR);
        return Err((
            Code::PLUGIN_ABI,
            format!("it needs a host with plugin ABI 1.{needs}, this one has 1.{has}"),
        ));
    }
    let broken = |what: &str| (Code::PLUGIN_BROKEN, what.to_owned());
    // SAFETY: static texts by the ABI.
    let (name, version) = unsafe { (borrowed_text(plugin.name), borrowed_text(plugin.version)) };
    let library = Arc::new(Library {
        vetted: vetted.clone(),
        name: name.ok_or_else(|| broken("it has no name"))?,
        version: version.ok_or_else(|| broken("it has no version"))?,
        abi_minor: plugin.abi_minor,
        extensions: plugin.get_extension,
    });
    let component = plugin
        .component
        .ok_or_else(|| broken("it has no component function"))?;
    let mut components = Vec::new();
    for index in 0..COMPONENT_LIMIT {
        // SAFETY: tagged [scan]; one call at a time.
        let pointer = unsafe { component(index) };
        if pointer.is_null() {
            return match index {
                0 => Err(broken("it has no components")),
                _ => Ok(components),
            };
        }
        let numbered = |reason| (Code::PLUGIN_BROKEN, format!("component {index}: {reason}"));
        // SAFETY: a static table by the ABI.
        let raw =
            unsafe { abi::read_table(pointer) }.map_err(|error| numbered(error.to_string()))?;
        let Some(kind) = kind_of(raw.kind) else {
            continue;
        };
        // SAFETY: as above.
        components.push(unsafe { read_component(&raw, kind, &library) }.map_err(numbered)?);
    }
    Err((
        Code::PLUGIN_BROKEN,
        format!("it lists more than {COMPONENT_LIMIT} components"),
    ))
}

/// # Safety
/// The component is one of a plugin, with static tables and texts.
unsafe fn read_component(
    raw: &abi::gp_component,
    kind: ComponentKind,
    library: &Arc<Library>,
) -> Result<Component, String> {
    // SAFETY: by the caller's word.
    let (id, about) = unsafe { (borrowed_text(raw.id), borrowed_text(raw.about)) };
    let id = id.filter(|id| well_formed_id(id));
    let id = id.ok_or(MALFORMED_ID)?;
    let about = about.ok_or_else(|| format!("`{id}` does not describe itself"))?;
    let about: About = serde_json::from_str(&about).map_err(|error| {
        format!("the description of `{id}` is not what the ABI asks for: {error}")
    })?;
    // SAFETY: by the caller's word, `table` is of the type that `kind` says.
    let table = unsafe {
        match kind {
            ComponentKind::Driver => abi::read_table(raw.table.cast()).map(Table::Driver),
            ComponentKind::Exporter => abi::read_table(raw.table.cast()).map(Table::Exporter),
            ComponentKind::Transform => abi::read_table(raw.table.cast()).map(Table::Transform),
        }
    };
    let table = table.map_err(|error| format!("`{id}`: {error}"))?;
    if let Some(slot) = missing_slot(&table) {
        return Err(format!("`{id}` lacks the required function `{slot}`"));
    }
    Ok(Component {
        kind,
        id,
        about,
        library: library.clone(),
        table,
    })
}

/// The first required function that is not there.
fn missing_slot(table: &Table) -> Option<&'static str> {
    let required: &[(&str, bool)] = match table {
        Table::Driver(table) => &[
            ("open", table.open.is_some()),
            ("close", table.close.is_some()),
            ("info", table.info.is_some()),
            ("read", table.read.is_some()),
            ("read_report", table.read_report.is_some()),
        ],
        Table::Exporter(table) => &[
            ("open", table.open.is_some()),
            ("close", table.close.is_some()),
            ("write", table.write.is_some()),
            ("commit", table.commit.is_some()),
        ],
        Table::Transform(table) => &[
            ("open", table.open.is_some()),
            ("close", table.close.is_some()),
            ("apply", table.apply.is_some()),
        ],
        // Looked at in the child.
        Table::Apart(_) => &[],
    };
    required
        .iter()
        .find(|(_, there)| !there)
        .map(|(name, _)| *name)
}
