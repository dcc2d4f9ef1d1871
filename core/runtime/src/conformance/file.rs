//! What the file alone says, before anything of it is loaded.

use std::collections::BTreeSet;

use glucopipe_abi::GP_ENTRY_SYMBOL;
use object::elf;
use object::read::elf::{ElfFile64, ProgramHeader};
use object::{Endianness, Object, ObjectSymbol};

use super::bench::Bench;
use super::{Stop, Tested, fail, skip};
use crate::plugin::foreign;

type Elf<'data> = ElfFile64<'data, Endianness>;

/// Libraries of the system whose symbols carry versions, or that need none.
const SYSTEM: &[&str] = &[
    "libc.so",
    "libm.so",
    "libpthread.so",
    "libdl.so",
    "librt.so",
    "libgcc_s.so",
    "ld-linux",
    "libutil.so",
];
/// Symbols of a library that its compiler puts there.
const COMPILERS: &[&str] = &["_init", "_fini", "_edata", "_end", "__bss_start"];

fn read(bench: &Bench<'_>) -> Result<Vec<u8>, Stop> {
    let file = &bench.request.library;
    std::fs::read(file).map_err(|error| Stop::Fail(format!("it cannot be read: {error}")))
}

fn broken(error: object::Error) -> Stop {
    Stop::Fail(format!("it is no library: {error}"))
}

/// The file as ELF for this machine; what is asked of that alone is skipped elsewhere.
fn elf(bytes: &[u8]) -> Result<Elf<'_>, Stop> {
    match object::FileKind::parse(bytes) {
        // The first test has said so.
        Ok(_) if object::File::parse(bytes).is_ok_and(|file| foreign(&file).is_some()) => {
            skip("it is for another machine")
        }
        Ok(object::FileKind::Elf64) => Elf::parse(bytes).map_err(broken),
        Ok(other) => skip(format!("only 64-bit ELF is looked at, this is {other:?}")),
        Err(_) => skip("it is no library"),
    }
}

/// It is for this machine; the entry is exported, and nothing else.
pub(super) fn entry(bench: &mut Bench<'_>) -> Tested {
    let bytes = read(bench)?;
    let file = object::File::parse(&*bytes).map_err(broken)?;
    if let Some(reason) = foreign(&file) {
        return fail(reason);
    }
    let mut exports: BTreeSet<String> = BTreeSet::new();
    for export in file.exports().map_err(broken)? {
        let export = export.map_err(broken)?;
        let name = export.name();
        let name = String::from_utf8_lossy(name.name().unwrap_or_default());
        // Mach-O puts a line in front of every name of C.
        let name = name
            .strip_prefix('_')
            .filter(|name| name.starts_with("gp_"))
            .unwrap_or(&name);
        exports.insert(name.to_owned());
    }
    let entry = GP_ENTRY_SYMBOL.to_string_lossy();
    if !exports.remove(&*entry) {
        bench.fault(format!("it does not export `{entry}`"));
    }
    exports.retain(|name| !COMPILERS.contains(&name.as_str()) && !name.starts_with("gp_plugin_v"));
    if !exports.is_empty() {
        let names: Vec<_> = exports.iter().take(5).map(String::as_str).collect();
        let more = exports.len() - names.len();
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        bench.warn(format!(
            "it exports besides: {}{more}; another library's symbol of that name would be taken instead: \
             build with -fvisibility=hidden",
            names.join(", ")
        ));
    }
    Ok(())
}

/// Every symbol that the library lacks is one that a library it names can give.
pub(super) fn undefined(bench: &mut Bench<'_>) -> Tested {
    let bytes = read(bench)?;
    let file = elf(&bytes)?;
    let others: Vec<String> = needed(&file)?
        .into_iter()
        .filter(|name| !SYSTEM.iter().any(|system| name.starts_with(system)))
        .collect();
    let versions = versions(&file, &bytes)?;
    let mut lacking = BTreeSet::new();
    for symbol in file.dynamic_symbols() {
        let name = symbol.name().map_err(broken)?;
        if !symbol.is_undefined() || symbol.is_weak() || name.is_empty() {
            continue;
        }
        let versioned = match &versions {
            Some(table) => {
                let index = table.version_index(file.endian(), symbol.index());
                table.version(index.index()).map_err(broken)?.is_some()
            }
            None => false,
        };
        if !versioned {
            lacking.insert(name.to_owned());
        }
    }
    if !others.is_empty() {
        bench.warn(format!(
            "it needs {}, which every user must have: link it statically",
            others.join(", ")
        ));
    } else if versions.is_some() {
        for name in lacking {
            bench.fault(format!(
                "`{name}` is defined nowhere: link with -Wl,-z,defs"
            ));
        }
    }
    Ok(())
}

fn versions<'data>(
    file: &Elf<'data>,
    bytes: &'data [u8],
) -> Result<Option<object::read::elf::VersionTable<'data, elf::FileHeader64<Endianness>>>, Stop> {
    file.elf_section_table()
        .versions(file.endian(), bytes)
        .map_err(broken)
}

fn needed(file: &Elf<'_>) -> Result<Vec<String>, Stop> {
    let table = file.elf_dynamic_table().map_err(broken)?;
    let mut names = Vec::new();
    for entry in table.iter() {
        if entry.tag == elf::DT_NEEDED {
            let name = table.string(entry).map_err(broken)?;
            names.push(String::from_utf8_lossy(name).into_owned());
        }
    }
    Ok(names)
}

/// How old a system the library runs on, and how it asks to be bound.
pub(super) fn needs(bench: &mut Bench<'_>) -> Tested {
    let bytes = read(bench)?;
    let file = elf(&bytes)?;
    let table = file.elf_section_table();
    let mut newest: Vec<(&str, Vec<u32>)> = Vec::new();
    if let Some((mut needs, section)) = table.gnu_verneed(file.endian(), &*bytes).map_err(broken)? {
        let strings = table
            .strings(file.endian(), &*bytes, section)
            .map_err(broken)?;
        while let Some((_, mut names)) = needs.next().map_err(broken)? {
            while let Some(name) = names.next().map_err(broken)? {
                let name = name.name(file.endian(), strings).map_err(broken)?;
                let Ok(name) = std::str::from_utf8(name) else {
                    continue;
                };
                let Some((family, numbers)) = name.split_once('_') else {
                    continue;
                };
                if !matches!(family, "GLIBC" | "GLIBCXX" | "CXXABI") {
                    continue;
                }
                let parsed: Vec<u32> = numbers.split('.').filter_map(|n| n.parse().ok()).collect();
                match newest.iter_mut().find(|known| known.0 == family) {
                    Some(known) => known.1 = known.1.clone().max(parsed),
                    None => newest.push((family, parsed)),
                }
            }
        }
    }
    for (family, numbers) in newest {
        let numbers: Vec<String> = numbers.iter().map(u32::to_string).collect();
        if !numbers.is_empty() {
            bench.note(format!("it needs {family} {} or newer", numbers.join(".")));
        }
    }
    let (mut flags, mut flags_1, mut texts) = (0, 0, false);
    for entry in file.elf_dynamic_table().map_err(broken)?.iter() {
        match entry.tag {
            elf::DT_FLAGS => flags |= entry.val,
            elf::DT_FLAGS_1 => flags_1 |= entry.val,
            elf::DT_TEXTREL => texts = true,
            _ => {}
        }
    }
    if texts || flags & elf::DF_TEXTREL.0 != 0 {
        bench.fault("it has text relocations: compile with -fPIC");
    }
    if flags_1 & elf::DF_1_NODELETE.0 == 0 {
        bench.note("hint: -Wl,-z,nodelete, because a library is never unloaded");
    }
    let bound = flags & elf::DF_BIND_NOW.0 != 0 || flags_1 & elf::DF_1_NOW.0 != 0;
    if !bound {
        bench.note(
            "hint: -Wl,-z,now, so that a missing symbol shows at loading wherever it is loaded",
        );
    }
    Ok(())
}

/// The stack is not executable.
pub(super) fn stack(bench: &mut Bench<'_>) -> Tested {
    let bytes = read(bench)?;
    let file = elf(&bytes)?;
    let endian = file.endian();
    let mut headers = file.elf_program_headers().iter();
    let stack = headers.find(|header| header.p_type(endian) == elf::PT_GNU_STACK);
    match stack {
        Some(header) if header.p_flags(endian).contains(elf::PF_X) => {
            fail("it asks for an executable stack: link with -Wl,-z,noexecstack")
        }
        Some(_) => Ok(()),
        None => {
            fail("it does not say that its stack is not executable: link with -Wl,-z,noexecstack")
        }
    }
}
