//! A plugin that misbehaves on demand, for the tests of the host.
//!
//! One driver, one exporter and one transform, all called `hostile`; the key `mode` of the
//! configuration says what goes wrong. Each is an ordinary component of the SDK whose function table
//! is copied and laced: the misdeeds that the SDK forbids happen in the functions put in between. A second
//! exporter, `mailbox`, is honest and has moods.

mod crime;
mod driver;
mod exporter;
mod laced;
mod mailbox;
mod transform;
mod waits;

use std::mem::size_of;
use std::sync::OnceLock;

use glucopipe_sdk::abi;
use glucopipe_sdk::export::Static;

/// Size of a table as the ABI writes it.
#[allow(clippy::cast_possible_truncation)] // some bytes
const PLUGIN_SIZE: u32 = size_of::<abi::gp_plugin>() as u32;

unsafe extern "C" fn component(index: u32) -> *const abi::gp_component {
    static COMPONENTS: OnceLock<[Static<abi::gp_component>; 4]> = OnceLock::new();
    let components = COMPONENTS.get_or_init(|| {
        [
            driver::component(),
            exporter::component(),
            mailbox::component(),
            transform::component(),
        ]
    });
    usize::try_from(index)
        .ok()
        .and_then(|index| components.get(index))
        .map_or(std::ptr::null(), |component| &raw const component.0)
}

static PLUGIN: Static<abi::gp_plugin> = Static(abi::gp_plugin {
    struct_size: PLUGIN_SIZE,
    abi_minor: abi::GP_ABI_MINOR,
    min_host_minor: 0,
    reserved: 0,
    name: c"hostile".as_ptr(),
    version: c"6.6.6".as_ptr(),
    component: Some(component),
    get_extension: None,
});

/// The entry of the plugin.
#[unsafe(no_mangle)]
pub extern "C" fn gp_plugin_v1() -> *const abi::gp_plugin {
    &raw const PLUGIN.0
}
