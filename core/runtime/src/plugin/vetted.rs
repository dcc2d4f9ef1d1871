//! A library file that was checked, and stays open: what is loaded is what was checked, whatever its name
//! leads to by then.
//!
//! Where its bytes were compared with something, they are those of a copy in memory that nobody can change, on
//! Linux. There the descriptor is loaded, here or in a child that is handed it. Elsewhere the file is opened
//! again by its name, and must be the same one.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use data_encoding::HEXLOWER;
use object::read::elf::ElfFile64;
use object::read::{Object, ObjectSegment, ReadCache, ReadRef};
use object::{Endianness, elf};
use sha2::{Digest, Sha256};

use super::library::{refused, unloaded};
use super::machine::{HINT, foreign};
use super::manifest::{Manifest, Permission, anew};
use super::ownership::{Doubt, open_unwritable};
use crate::problem::{Code, Place, Problem};

/// Most bytes of a library that is compared with anything.
const LIMIT: u64 = 1 << 30;

/// A library that may be loaded.
#[derive(Clone, Debug)]
pub struct Vetted {
    /// Its file.
    pub path: PathBuf,
    /// What its author says of it.
    pub manifest: Option<Manifest>,
    /// SHA-256 of its bytes, where they were asked for.
    pub sha256: Option<String>,
    file: Arc<File>,
}

impl Vetted {
    /// Opens a library that nobody else can change, and that is what its manifest says, if it has one;
    /// `hashed` when its SHA-256 is needed.
    ///
    /// # Errors
    /// Names the file and the reason.
    pub(crate) fn open(path: &Path, hashed: bool) -> Result<Self, Problem> {
        let file = open(path)?;
        let manifest = Manifest::beside(path)?;
        let vetted = Self::of(path, file, hashed || manifest.is_some())?;
        let denied = manifest
            .as_ref()
            .and_then(|manifest| manifest.denies_bytes(vetted.sha256.as_deref()?));
        match denied {
            Some(reason) => Err(disagree(path, &reason)),
            None => Ok(Self { manifest, ..vetted }),
        }
    }

    /// The same whatever a manifest says, with its SHA-256.
    ///
    /// # Errors
    /// As for [`Vetted::open`].
    pub(super) fn without_manifest(path: &Path) -> Result<Self, Problem> {
        Self::of(path, open(path)?, true)
    }

    /// What was checked by another process, and is open.
    #[cfg(unix)]
    pub(crate) fn handed(path: &Path, file: File) -> Self {
        Self {
            path: path.to_owned(),
            manifest: None,
            sha256: None,
            file: Arc::new(file),
        }
    }

    fn of(path: &Path, file: File, hashed: bool) -> Result<Self, Problem> {
        let failed = |reason| refused(path, Code::PLUGIN_LOAD, reason);
        let (file, sha256) = if hashed {
            let (file, sha256) =
                sealed(file).map_err(|error| failed(format!("cannot read it: {error}")))?;
            (file, Some(sha256))
        } else {
            (file, None)
        };
        check_whole(&file).map_err(|Flaw { reason, hint }| Problem {
            hint: hint.map(str::to_owned),
            ..failed(reason)
        })?;
        Ok(Self {
            path: path.to_owned(),
            manifest: None,
            sha256,
            file: Arc::new(file),
        })
    }

    /// The file.
    pub(crate) fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// Whether it may have this. Without a manifest it may have all that a plugin of its kind may.
    pub(crate) fn permits(&self, permission: Permission) -> bool {
        let manifest = self.manifest.as_ref();
        manifest.is_none_or(|manifest| manifest.permissions.contains(&permission))
    }

    /// Compares what the library says of itself with its manifest.
    ///
    /// # Errors
    /// What they say otherwise.
    pub(super) fn agrees(&self, id: &str, version: &str, abi_minor: u32) -> Result<(), Problem> {
        let manifest = self.manifest.as_ref();
        match manifest.and_then(|manifest| manifest.denies(id, version, abi_minor)) {
            Some(reason) => Err(disagree(&self.path, &reason)),
            None => Ok(()),
        }
    }

    /// Whether its name still leads to it.
    #[cfg(unix)]
    pub(super) fn is_at_its_path(&self) -> bool {
        use std::os::unix::fs::MetadataExt;
        let number = |found: std::fs::Metadata| (found.dev(), found.ino());
        let there = std::fs::symlink_metadata(&self.path).map(number);
        let opened = self.file.metadata().map(number);
        matches!((there, opened), (Ok(there), Ok(opened)) if there == opened)
    }
}

fn open(path: &Path) -> Result<File, Problem> {
    if !path.is_absolute() {
        let reason = "the path is not absolute".to_owned();
        return Err(refused(path, Code::PLUGIN_UNSAFE, reason));
    }
    open_unwritable(path, "the file").map_err(|doubt| doubt.tell(unloaded(path, Code::PLUGIN_LOAD)))
}

/// Refuses what is no file: nobody should wait for a pipe, or read a device to its end.
///
/// # Errors
/// As for a library that is loaded.
pub fn must_be_file(path: &Path) -> Result<(), Problem> {
    let doubt = match std::fs::metadata(path) {
        Ok(found) if found.is_file() => return Ok(()),
        Ok(_) => Doubt::NoFile,
        Err(error) => Doubt::Unopened(error),
    };
    Err(doubt.tell(unloaded(path, Code::PLUGIN_LOAD)))
}

fn disagree(path: &Path, reason: &str) -> Problem {
    let manifest = Manifest::path_of(path);
    refused(
        path,
        Code::PLUGIN_MANIFEST,
        format!("it is not what its manifest says: {reason}"),
    )
    .at(Place::Named(manifest.display().to_string()))
    .kept("nothing of it was used")
    .hint(anew(path))
}

/// The bytes of a file where nobody can change them any more, and their SHA-256.
fn sealed(mut file: File) -> io::Result<(File, String)> {
    file.rewind()?;
    let mut copy = room();
    let (mut hash, mut piece) = (Sha256::new(), vec![0; 1 << 16]);
    let mut source = (&file).take(LIMIT + 1);
    let mut total = 0;
    loop {
        let count = match source.read(&mut piece) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        total += count as u64;
        hash.update(&piece[..count]);
        if let Some(copy) = &mut copy {
            copy.write_all(&piece[..count])?;
        }
    }
    if total > LIMIT {
        return Err(io::Error::other("it has more than 1 GiB"));
    }
    let sha256 = HEXLOWER.encode(&hash.finalize());
    Ok((copy.and_then(seal).unwrap_or(file), sha256))
}

/// Name of the memory that a sealed copy is in.
pub(crate) const COPY: &str = "glucopipe-plugin";

/// Memory for a copy; not every system has some that can be sealed.
fn room() -> Option<File> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{MemfdFlags, memfd_create};
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        memfd_create(COPY, flags).ok().map(File::from)
    }
    #[cfg(not(target_os = "linux"))]
    None
}

/// Forbids every change for ever.
fn seal(copy: File) -> Option<File> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{SealFlags, fcntl_add_seals};
        let all = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
        fcntl_add_seals(&copy, all).ok()?;
    }
    Some(copy)
}

/// Why no library can be loaded from a file, and what helps if something does.
struct Flaw {
    reason: String,
    hint: Option<&'static str>,
}

impl From<String> for Flaw {
    fn from(reason: String) -> Self {
        Self { reason, hint: None }
    }
}

/// Checks that the file is for this machine and holds all that its headers promise: touching a mapped page behind
/// the end of a half-copied library kills the process.
fn check_whole(file: &File) -> Result<(), Flaw> {
    let len = file.metadata().map_err(|error| error.to_string())?.len();
    let cache = ReadCache::new(file);
    let parsed =
        object::File::parse(&cache).map_err(|error| format!("it is no library: {error}"))?;
    let whole = parsed.segments().all(|segment| {
        let (start, size) = segment.file_range();
        start.checked_add(size).is_some_and(|end| end <= len)
    });
    if !whole {
        let reason = "it is cut off: its headers promise more than the file holds";
        return Err(reason.to_owned().into());
    }
    if let Some(reason) = foreign(&parsed) {
        let hint = Some(HINT);
        return Err(Flaw { reason, hint });
    }
    if let object::File::Elf64(parsed) = &parsed {
        check_alone(parsed)?;
    }
    Ok(())
}

/// Checks that it brings no other libraries but those of the system: nobody would check them.
fn check_alone<'d, R: ReadRef<'d>>(file: &ElfFile64<'d, Endianness, R>) -> Result<(), String> {
    let broken = |error: object::Error| format!("it is no library: {error}");
    let table = file.elf_dynamic_table().map_err(broken)?;
    for entry in table.iter() {
        let brings = match entry.tag {
            elf::DT_RPATH | elf::DT_RUNPATH => true,
            elf::DT_NEEDED => table.string(entry).map_err(broken)?.contains(&b'/'),
            elf::DT_AUDIT | elf::DT_DEPAUDIT | elf::DT_FILTER | elf::DT_AUXILIARY => true,
            _ => false,
        };
        if brings {
            let path = table.string(entry).map_err(broken)?;
            let path = String::from_utf8_lossy(path);
            return Err(format!(
                "it brings libraries from `{path}`, which nobody checks: link them statically"
            ));
        }
    }
    Ok(())
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_hashed_cannot_be_changed() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("meter.so");
        std::fs::write(&path, "as it was").unwrap();
        let (mut copy, sha256) = sealed(File::open(&path).unwrap()).unwrap();
        assert_eq!(sha256, HEXLOWER.encode(&Sha256::digest("as it was")));
        std::fs::write(&path, "as it is now").unwrap();
        if cfg!(target_os = "linux") {
            copy.rewind().unwrap();
            let text = io::read_to_string(&copy).unwrap();
            assert_eq!(text, "as it was");
            assert!(copy.write_all(b"x").is_err());
            assert!(copy.set_len(1).is_err());
        }
    }

    #[test]
    fn a_file_that_is_no_library_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("meter.so");
        std::fs::write(&path, "not a library").unwrap();
        let problem = Vetted::open(&path, false).unwrap_err();
        assert_eq!(problem.code, Code::PLUGIN_LOAD);
        assert!(problem.title.contains("meter.so"));
        assert!(
            problem.causes[0].starts_with("it is no library: "),
            "{problem:?}"
        );
    }

    #[test]
    fn a_name_that_leads_elsewhere_is_noticed() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("meter.so");
        std::fs::write(&path, "").unwrap();
        let vetted = Vetted::handed(&path, File::open(&path).unwrap());
        assert!(vetted.is_at_its_path());
        std::fs::rename(&path, home.path().join("old.so")).unwrap();
        std::fs::write(&path, "").unwrap();
        assert!(!vetted.is_at_its_path());
    }
}
