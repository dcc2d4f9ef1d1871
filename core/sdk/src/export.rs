//! `export_plugin!`: from trait implementations to the one symbol of a plugin.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_char, c_void};
use std::mem::size_of;
use std::sync::OnceLock;

use glucopipe_abi as abi;

use crate::component::About;
use crate::driver::Driver;
use crate::exporter::Exporter;
use crate::ffi;
use crate::ffi::guard::guard;
pub use crate::ffi::scrub::Scrubber;
use crate::transform::Transform;

/// Size of a table as the ABI writes it.
pub(crate) const fn size(bytes: usize) -> u32 {
    assert!(bytes <= 4096);
    #[allow(clippy::cast_possible_truncation)] // asserted above
    {
        bytes as u32
    }
}

/// A static table of the ABI: pointers in it live as long as the process and are never written.
#[repr(transparent)]
pub struct Static<T>(pub T);

// SAFETY: the tables are constant, and their pointers lead to constants.
unsafe impl<T> Sync for Static<T> {}
// SAFETY: as above.
unsafe impl<T> Send for Static<T> {}

/// Makes one component; leaks what must live as long as the process.
pub type MakeComponent = fn() -> Static<abi::gp_component>;

fn component(kind: u32, about: About<'_>, table: *const c_void) -> Static<abi::gp_component> {
    let id = CString::new(about.name).unwrap_or_default();
    let about = serde_json::to_string(&about).unwrap_or_default();
    Static(abi::gp_component {
        struct_size: size(size_of::<abi::gp_component>()),
        kind,
        id: id.into_raw(),
        about: CString::new(about).unwrap_or_default().into_raw(),
        table,
    })
}

fn config_schema<C: schemars::JsonSchema>() -> schemars::Schema {
    let settings = schemars::generate::SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    settings.into_generator().into_root_schema_for::<C>()
}

/// The component of a driver.
pub fn driver<D: Driver>() -> Static<abi::gp_component> {
    let about = About {
        name: D::ID,
        summary: D::SUMMARY,
        config_schema: config_schema::<D::Config>(),
        devices: D::DEVICES,
        lacks: D::LACKS.iter().copied().collect(),
    };
    let table: &'static abi::gp_driver = &ffi::driver::Table::<D>::TABLE;
    component(abi::GP_KIND_DRIVER, about, (&raw const *table).cast())
}

/// The component of an exporter.
pub fn exporter<E: Exporter>() -> Static<abi::gp_component> {
    let about = About {
        name: E::ID,
        summary: E::SUMMARY,
        config_schema: config_schema::<E::Config>(),
        devices: &[],
        lacks: BTreeMap::new(),
    };
    let table: &'static abi::gp_exporter = &ffi::exporter::Table::<E>::TABLE;
    component(abi::GP_KIND_EXPORTER, about, (&raw const *table).cast())
}

/// The component of a transform.
pub fn transform<T: Transform>() -> Static<abi::gp_component> {
    let about = About {
        name: T::ID,
        summary: T::SUMMARY,
        config_schema: config_schema::<T::Config>(),
        devices: &[],
        lacks: BTreeMap::new(),
    };
    let table: &'static abi::gp_transform = &ffi::transform::Table::<T>::TABLE;
    component(abi::GP_KIND_TRANSFORM, about, (&raw const *table).cast())
}

/// How a driver scrubs transcripts, if it does.
pub const fn scrubber<D: Driver>() -> Scrubber {
    Scrubber {
        driver: D::ID,
        scrub: if D::SCRUBS { Some(D::scrub) } else { None },
    }
}

/// The table of an extension of a plugin; null for an id that nobody here knows.
///
/// # Safety
/// `id` is null or NUL-terminated.
pub unsafe fn extension(
    id: *const c_char,
    scrubbers: &[Scrubber],
    table: &'static Static<abi::gp_scrub>,
) -> *const c_void {
    let scrubs = scrubbers.iter().any(|one| one.scrub.is_some());
    // SAFETY: not null, and NUL-terminated by the caller's word.
    if scrubs && !id.is_null() && unsafe { CStr::from_ptr(id) } == abi::GP_EXT_SCRUB {
        (&raw const table.0).cast()
    } else {
        std::ptr::null()
    }
}

/// The components of a plugin, made at the first question.
pub struct Components {
    makers: &'static [MakeComponent],
    made: OnceLock<Vec<Static<abi::gp_component>>>,
}

impl Components {
    /// The components these functions make.
    pub const fn new(makers: &'static [MakeComponent]) -> Self {
        Self {
            makers,
            made: OnceLock::new(),
        }
    }

    /// The component of an index, or null past the last.
    pub fn get(&self, index: u32) -> *const abi::gp_component {
        let made = guard(|| {
            Ok(self
                .made
                .get_or_init(|| self.makers.iter().map(|make| make()).collect()))
        });
        made.ok()
            .and_then(|made| made.get(usize::try_from(index).ok()?))
            .map_or(std::ptr::null(), |component| &raw const component.0)
    }
}

/// Exports a plugin: the one symbol `gp_plugin_v1` with all its components.
///
/// ```standalone_crate
/// use glucopipe_sdk::arrow::array::RecordBatch;
/// use glucopipe_sdk::component::NoConfig;
/// use glucopipe_sdk::transform::{Filter, Transform};
/// use glucopipe_sdk::{Op, Result};
///
/// struct Same;
///
/// impl Transform for Same {
///     const ID: &'static str = "same";
///     const SUMMARY: &'static str = "Leaves readings as they are";
///     type Config = NoConfig;
///     type Filter = Self;
///     fn open(_: &Op, _: NoConfig) -> Result<Self> {
///         Ok(Self)
///     }
/// }
///
/// impl Filter for Same {
///     fn apply(&mut self, _: &Op, batch: RecordBatch) -> Result<Option<RecordBatch>> {
///         Ok(Some(batch))
///     }
/// }
///
/// glucopipe_sdk::export_plugin! {
///     name: "same",
///     drivers: [],
///     exporters: [],
///     transforms: [Same],
/// }
/// # assert!(!gp_plugin_v1().is_null());
/// ```
///
/// Use it once, at the root of a `cdylib` crate; the version is that of the crate. `name` is for listings;
/// configurations name components by their `ID`.
///
/// Panics in any function become errors; the crate must unwind (`panic = "unwind"`, the default).
#[macro_export]
macro_rules! export_plugin {
    (
        name: $name:literal,
        drivers: [$($driver:ty),* $(,)?],
        exporters: [$($exporter:ty),* $(,)?],
        transforms: [$($transform:ty),* $(,)?] $(,)?
    ) => {
        #[cfg(not(panic = "unwind"))]
        compile_error!("a plugin must be built with panic = \"unwind\"");

        /// The entry of the plugin.
        #[unsafe(no_mangle)]
        pub extern "C" fn gp_plugin_v1() -> *const $crate::abi::gp_plugin {
            use $crate::export::{Components, MakeComponent, Scrubber, Static};
            use $crate::abi;
            use ::core::ffi::{c_char, c_void};

            static MAKERS: &[MakeComponent] = &[
                $($crate::export::driver::<$driver>,)*
                $($crate::export::exporter::<$exporter>,)*
                $($crate::export::transform::<$transform>,)*
            ];
            static COMPONENTS: Components = Components::new(MAKERS);
            unsafe extern "C" fn component(index: u32) -> *const abi::gp_component {
                COMPONENTS.get(index)
            }
            static SCRUBBERS: &[Scrubber] = &[$($crate::export::scrubber::<$driver>(),)*];
            unsafe extern "C" fn scrub(
                _op: *const abi::gp_op,
                driver: *const c_char,
                transcript: *const c_char,
                disguise: *const c_char,
                out: *mut abi::gp_string,
                error: *mut abi::gp_error,
            ) -> abi::gp_status {
                // SAFETY: the host hands texts and zeroed out-parameters.
                unsafe {
                    $crate::ffi::scrub::scrub(SCRUBBERS, driver, transcript, disguise, out, error)
                }
            }
            static SCRUB: Static<abi::gp_scrub> = Static(abi::gp_scrub {
                struct_size: ::core::mem::size_of::<abi::gp_scrub>() as u32,
                reserved: 0,
                scrub: Some(scrub),
            });
            unsafe extern "C" fn get_extension(id: *const c_char) -> *const c_void {
                // SAFETY: the host hands a text.
                unsafe { $crate::export::extension(id, SCRUBBERS, &SCRUB) }
            }
            static PLUGIN: Static<abi::gp_plugin> = Static(abi::gp_plugin {
                struct_size: ::core::mem::size_of::<abi::gp_plugin>() as u32,
                abi_minor: abi::GP_ABI_MINOR,
                min_host_minor: 0,
                reserved: 0,
                name: concat!($name, "\0").as_ptr().cast(),
                version: concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast(),
                component: Some(component),
                get_extension: Some(get_extension),
            });
            &raw const PLUGIN.0
        }
    };
}
