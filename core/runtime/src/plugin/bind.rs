//! Binding a library: what is open is handed to the linker, and its entry found.
//!
//! Libraries are opened with RTLD_NOW, RTLD_LOCAL and RTLD_NODELETE and never closed.

use std::error::Error as _;

use glucopipe_abi as abi;

use super::vetted::Vetted;
use crate::problem::Code;

/// Opens the library and finds the entry.
#[cfg(unix)]
pub(super) fn bind(vetted: &Vetted) -> Result<abi::gp_plugin_entry, (Code, String)> {
    use std::os::fd::AsRawFd;
    use std::path::PathBuf;

    use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};

    // The bytes that were checked are the bytes that are loaded.
    let checked = if cfg!(target_os = "linux") {
        PathBuf::from(format!("/proc/self/fd/{}", vetted.file().as_raw_fd()))
    } else if vetted.is_at_its_path() {
        vetted.path.clone()
    } else {
        return Err((Code::PLUGIN_UNSAFE, "it was replaced meanwhile".to_owned()));
    };
    // The linker knows no other name of it, and people know this one.
    let (opened, path) = (checked.display().to_string(), vetted.path.display());
    let named = |error: &libloading::Error| chain(error).replace(&opened, &path.to_string());
    // SAFETY: the file and its folders belong to the user or root; its initialisers run with the
    // user's rights, which is what a plugin is.
    let library = unsafe { Library::open(Some(&checked), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE) }
        .map_err(|error| (Code::PLUGIN_LOAD, named(&error)))?;
    // SAFETY: the symbol has this type by the ABI.
    let entry = unsafe { library.get::<abi::gp_plugin_entry>(abi::GP_ENTRY_SYMBOL) }
        .map(|symbol| *symbol)
        .map_err(|error| (Code::PLUGIN_ABI, named(&error)));
    // Never unloaded: threads and thread locals of the library may outlive any use of it.
    std::mem::forget(library);
    // Kept open, also without an entry: the linker knows the library by the number of its descriptor,
    // and would take the next library under the same number for this one.
    std::mem::forget(vetted.file().clone());
    entry
}

/// `RTLD_NODELETE`, which libloading does not name.
#[cfg(all(unix, target_vendor = "apple"))]
const RTLD_NODELETE: i32 = 0x80;
#[cfg(all(unix, not(target_vendor = "apple")))]
const RTLD_NODELETE: i32 = 0x1000;

/// Opens the library and finds the entry.
#[cfg(windows)]
pub(super) fn bind(vetted: &Vetted) -> Result<abi::gp_plugin_entry, (Code, String)> {
    use libloading::os::windows::Library;

    // SAFETY: its initialisers run with the user's rights, which is what a plugin is.
    let library = unsafe { Library::load_with_flags(&vetted.path, 0) }
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
