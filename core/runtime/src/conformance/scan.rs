//! Loading the library and asking for its components, as `glucopipe plugins` does.
//!
//! A library gets to see the host only inside an operation, so it cannot call the host in a scan.

use std::collections::HashSet;
use std::ffi::CStr;
use std::time::{Duration, Instant};

use glucopipe_abi as abi;
use glucopipe_sdk::ffi::borrowed_text;

use super::bench::Bench;
use super::traces::Traces;
use super::{Named, Stop, Tested, fail};
use crate::plugin::{load as load_library, plugin_table, well_formed_id};

/// Most components one library may list.
const MOST: u32 = 256;
/// What all of a scan may take.
const SCAN_LIMIT: Duration = Duration::from_millis(100);
/// How often a scan is measured; the shortest counts.
const SCANS: u32 = 5;

fn table(bench: &Bench<'_>) -> Result<abi::gp_plugin, Stop> {
    let table = bench
        .vetted()
        .and_then(plugin_table)
        .map_err(|problem| Stop::Fail(problem.causes.join("; ")))?;
    bench.is_loaded();
    Ok(table)
}

/// The host takes the library, and lists what is in it.
pub(super) fn load(bench: &mut Bench<'_>) -> Tested {
    let components = bench.vetted().and_then(load_library).map_err(|problem| {
        let text = [vec![problem.title], problem.causes].concat().join(": ");
        Stop::Fail(match problem.hint {
            Some(hint) => format!("{text} ({hint})"),
            None => text,
        })
    })?;
    let manifest = components
        .first()
        .and_then(|first| first.library.vetted.manifest.as_ref());
    if let Some(manifest) = manifest {
        let needs = manifest.needs();
        bench.note(format!("its manifest agrees, and asks for {needs}"));
    }
    for component in &components {
        bench.listed.push(Named {
            kind: component.kind.word().to_owned(),
            id: component.id.clone(),
        });
        let (library, kind) = (&component.library, component.kind.word());
        bench.note(format!(
            "{} {} for ABI 1.{}: {kind} `{}`",
            library.name, library.version, library.abi_minor, component.id
        ));
    }
    Ok(())
}

/// The pointers that the library gives for the indices from 0 up to the first null.
fn listed(plugin: &abi::gp_plugin) -> Result<Vec<*const abi::gp_component>, Stop> {
    let Some(component) = plugin.component else {
        return fail("it has no component function");
    };
    let mut pointers = Vec::new();
    for index in 0..MOST {
        // SAFETY: tagged [scan]; one call at a time.
        let pointer = unsafe { component(index) };
        if pointer.is_null() {
            return Ok(pointers);
        }
        pointers.push(pointer);
    }
    fail(format!("it lists more than {MOST} components"))
}

/// Components are the same at every scan, end with null, and have ids of their own.
pub(super) fn components(bench: &mut Bench<'_>) -> Tested {
    let plugin = table(bench)?;
    bench.step("asking for the components");
    let first = listed(&plugin)?;
    if listed(&plugin)? != first {
        bench.fault("it gives another component for the same index");
    }
    let end = u32::try_from(first.len()).unwrap_or(MOST);
    for index in [end, end + 1, MOST, u32::MAX - 1, u32::MAX] {
        let Some(component) = plugin.component else {
            break;
        };
        // SAFETY: tagged [scan]; one call at a time.
        if !unsafe { component(index) }.is_null() {
            bench.fault(format!(
                "it gives a component for index {index}, past the end"
            ));
        }
    }
    // SAFETY: static texts by the ABI.
    let version = unsafe { borrowed_text(plugin.version) }.unwrap_or_default();
    let digits = version.split(['-', '+']).next().unwrap_or_default();
    let numbers: Vec<&str> = digits.split('.').collect();
    if numbers.len() != 3 || numbers.iter().any(|number| number.parse::<u64>().is_err()) {
        bench.fault("its version is not a semantic version, as in 1.4.0");
    }
    let mut seen = HashSet::new();
    for (index, pointer) in first.into_iter().enumerate() {
        // SAFETY: a static table by the ABI.
        let raw = match unsafe { abi::read_table(pointer) } {
            Ok(raw) => raw,
            Err(error) => {
                bench.fault(format!("component {index}: {error}"));
                continue;
            }
        };
        // SAFETY: a static text by the ABI.
        let id = unsafe { borrowed_text(raw.id) }.unwrap_or_default();
        if !well_formed_id(&id) {
            bench.fault(format!(
                "component {index}: its id is missing or has other characters than a-z 0-9 . - _"
            ));
        } else if !seen.insert((raw.kind, id.clone())) {
            bench.fault(format!("component {index}: the id `{id}` comes twice"));
        }
        let reserved = match raw.kind {
            // SAFETY: by the ABI `table` is of the type that `kind` says.
            abi::GP_KIND_DRIVER => unsafe {
                reserved(raw.table.cast::<abi::gp_driver>(), |t| t.reserved)
            },
            // SAFETY: as above.
            abi::GP_KIND_EXPORTER => unsafe {
                reserved(raw.table.cast::<abi::gp_exporter>(), |t| t.reserved)
            },
            // SAFETY: as above.
            abi::GP_KIND_TRANSFORM => unsafe {
                reserved(raw.table.cast::<abi::gp_transform>(), |t| t.reserved)
            },
            other => {
                bench.note(format!(
                    "component {index} is of kind {other}, which no host of ABI 1.{} knows",
                    abi::GP_ABI_MINOR
                ));
                0
            }
        };
        if reserved != 0 {
            bench.fault(format!("`{id}`: `reserved` of its table is not 0"));
        }
    }
    if plugin.reserved != 0 {
        bench.fault("`reserved` of `gp_plugin` is not 0");
    }
    Ok(())
}

/// # Safety
/// As for [`abi::read_table`].
unsafe fn reserved<T: abi::Table>(table: *const T, field: fn(&T) -> u32) -> u32 {
    // SAFETY: by the caller's word.
    unsafe { abi::read_table(table) }.map_or(0, |table| field(&table))
}

/// An extension that nobody knows is null, and so is one with something behind a known id.
pub(super) fn extensions(bench: &mut Bench<'_>) -> Tested {
    let plugin = table(bench)?;
    let Some(get) = plugin.get_extension else {
        return super::skip("`get_extension` of its table is NULL");
    };
    let unknown: &[&CStr] = &[
        c"",
        c"/",
        c"nobody.has-this/1",
        c"glucopipe.transport/1x",
        c"glucopipe.time/10",
        c"glucopipe.scrub/1x",
        c"glucopipe",
        c"\xff\xfe",
    ];
    for id in unknown {
        bench.step(format!("asking for extension {id:?}"));
        // SAFETY: tagged [any]; the text is static.
        if !unsafe { get(id.as_ptr()) }.is_null() {
            bench.fault(format!("it gives an extension for the id {id:?}"));
        }
    }
    Ok(())
}

/// A scan leaves nothing in the process. What is written to standard output the parent sees.
pub(super) fn quiet(bench: &mut Bench<'_>) -> Tested {
    let before = Traces::take()?;
    let plugin = table(bench)?;
    bench.step("asking for the components");
    listed(&plugin)?;
    for trace in Traces::take()?.since(&before, Some(&bench.request.library)) {
        bench.fault(trace);
    }
    let left = std::fs::read_dir(bench.home()).map_or(0, Iterator::count);
    if left > 0 {
        bench.fault("it wrote files into the working folder");
    }
    Ok(())
}

/// A scan takes no time.
pub(super) fn fast(bench: &mut Bench<'_>) -> Tested {
    let plugin = table(bench)?;
    let mut shortest = Duration::MAX;
    for _ in 0..SCANS {
        let started = Instant::now();
        listed(&plugin)?;
        shortest = shortest.min(started.elapsed());
    }
    if shortest > SCAN_LIMIT {
        bench.fault(format!(
            "a scan takes {} ms, expected at most {}",
            shortest.as_millis(),
            SCAN_LIMIT.as_millis()
        ));
    }
    Ok(())
}
