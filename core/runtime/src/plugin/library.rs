//! Loading one library: open, check, bind, read its tables.
//!
//! Libraries are opened with RTLD_NOW, RTLD_LOCAL and RTLD_NODELETE and never closed.

use std::error::Error as _;
use std::ffi::{c_char, c_void};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use glucopipe_abi as abi;
use glucopipe_sdk::ffi::borrowed_text;
use object::read::{Object, ObjectSegment, ReadCache};

use super::ComponentKind;
use super::about::{About, well_formed_id};
use super::folder::open_trusted;
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
    /// Its file.
    pub path: PathBuf,
    /// Name it gives itself.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Minor version of the ABI it was built for.
    pub abi_minor: u32,
    /// Its extensions, when it is loaded here.
    extensions: Option<unsafe extern "C" fn(*const c_char) -> *const c_void>,
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
            library: self.library.path.clone(),
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

/// Checks that the file holds all that its headers promise: touching a mapped page behind the end of a
/// half-copied library kills the process.
fn check_whole(file: &std::fs::File) -> Result<(), String> {
    let len = file.metadata().map_err(|error| error.to_string())?.len();
    let cache = ReadCache::new(file);
    let parsed =
        object::File::parse(&cache).map_err(|error| format!("it is no library: {error}"))?;
    let whole = parsed.segments().all(|segment| {
        let (start, size) = segment.file_range();
        start.checked_add(size).is_some_and(|end| end <= len)
    });
    if whole {
        Ok(())
    } else {
        Err("it is cut off: its headers promise more than the file holds".into())
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
pub(crate) fn load(path: &Path) -> Result<Vec<Component>, Problem> {
    let plugin = plugin_table(path)?;
    read_plugin(path, &plugin).map_err(|(code, reason)| refused(path, code, reason))
}

/// Loads a library and reads the table of its entry.
///
/// # Errors
/// As for [`load`].
pub(crate) fn plugin_table(path: &Path) -> Result<abi::gp_plugin, Problem> {
    let file = open_checked(path)?;
    let entry = bind(path, file).map_err(|(code, reason)| refused(path, code, reason))?;
    // SAFETY: the entry has this signature by the ABI, and returns a static table.
    unsafe { abi::read_table(entry()) }
        .map_err(|error| refused(path, Code::PLUGIN_ABI, error.to_string()))
}

/// Reads the components of a library that a child of this program loads; nothing of it runs here.
///
/// # Errors
/// As for [`load`], and when the child ends over it.
pub(super) fn look_at(path: &Path, program: &Path) -> Result<Vec<Component>, Problem> {
    open_checked(path)?;
    let described = isolate::describe(program, path).map_err(|error| {
        let codes = [Code::PLUGIN_ABI, Code::PLUGIN_BROKEN];
        let code = codes
            .into_iter()
            .find(|code| i64::from(code.number()) == error.native);
        refused(path, code.unwrap_or(Code::PLUGIN_LOAD), error.message)
    })?;
    let broken = |reason: String| refused(path, Code::PLUGIN_BROKEN, reason);
    let library = Arc::new(Library {
        path: path.to_owned(),
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
                library: path.to_owned(),
                has: described.has.into_iter().collect(),
            }),
        })
    };
    described.components.into_iter().map(component).collect()
}

fn refused(path: &Path, code: Code, reason: String) -> Problem {
    Problem::error(code, format!("plugin `{}` is not loaded", path.display()))
        .at(Place::Named(path.display().to_string()))
        .cause(reason)
}

/// Opens a file that may be loaded.
fn open_checked(path: &Path) -> Result<std::fs::File, Problem> {
    let file = open_trusted(path)?;
    check_whole(&file).map_err(|reason| refused(path, Code::PLUGIN_LOAD, reason))?;
    Ok(file)
}

const MALFORMED_ID: &str = "its id is missing or has other characters than a-z 0-9 . - _";

/// Reads the components of a plugin table.
fn read_plugin(path: &Path, plugin: &abi::gp_plugin) -> Result<Vec<Component>, (Code, String)> {
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
        path: path.to_owned(),
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

/// Opens the library and finds the entry.
#[cfg(unix)]
fn bind(path: &Path, file: std::fs::File) -> Result<abi::gp_plugin_entry, (Code, String)> {
    use std::os::fd::AsRawFd;

    use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};

    // The bytes that were checked are the bytes that are loaded.
    let checked = if cfg!(target_os = "linux") {
        PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
    } else {
        path.to_owned()
    };
    // SAFETY: the file and its folders belong to the user or root; its initialisers run with the
    // user's rights, which is what a plugin is.
    let library = unsafe { Library::open(Some(&checked), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE) }
        .map_err(|error| (Code::PLUGIN_LOAD, chain(&error)))?;
    // SAFETY: the symbol has this type by the ABI.
    let entry = unsafe { library.get::<abi::gp_plugin_entry>(abi::GP_ENTRY_SYMBOL) }
        .map(|symbol| *symbol)
        .map_err(|error| (Code::PLUGIN_ABI, chain(&error)));
    // Never unloaded: threads and thread locals of the library may outlive any use of it.
    std::mem::forget(library);
    // Kept open, also without an entry: the linker knows the library by the number of its descriptor,
    // and would take the next library under the same number for this one.
    std::mem::forget(file);
    entry
}

/// `RTLD_NODELETE`, which libloading does not name.
#[cfg(all(unix, target_vendor = "apple"))]
const RTLD_NODELETE: i32 = 0x80;
#[cfg(all(unix, not(target_vendor = "apple")))]
const RTLD_NODELETE: i32 = 0x1000;

/// Opens the library and finds the entry.
#[cfg(windows)]
fn bind(path: &Path, _file: std::fs::File) -> Result<abi::gp_plugin_entry, (Code, String)> {
    use libloading::os::windows::Library;

    // SAFETY: its initialisers run with the user's rights, which is what a plugin is.
    let library = unsafe { Library::load_with_flags(path, 0) }
        .map_err(|error| (Code::PLUGIN_LOAD, chain(&error)))?;
    // SAFETY: the symbol has this type by the ABI.
    let entry = unsafe { library.get::<abi::gp_plugin_entry>(abi::GP_ENTRY_SYMBOL) }
        .map(|symbol| *symbol)
        .map_err(|error| (Code::PLUGIN_ABI, chain(&error)));
    std::mem::forget(library);
    entry
}

/// The reason libloading has, which is in the source of its error.
fn chain(error: &libloading::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_no_library_is_refused_with_the_linkers_reason() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("meter.so");
        std::fs::write(&path, "not a library").unwrap();
        let problem = load(&path).unwrap_err();
        assert_eq!(problem.code, Code::PLUGIN_LOAD);
        assert!(problem.title.contains("meter.so"));
        assert!(problem.causes[0].contains(':'), "{problem:?}");
    }
}
