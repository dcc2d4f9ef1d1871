//! What a child gives up on Linux, as far as the kernel can: privileges, files, the network, and, with
//! the filter in `calls`, starting processes and reaching into others.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, Ruleset, RulesetAttr, RulesetCreatedAttr,
    RulesetStatus, Scope, make_bitflags, path_beneath_rules,
};

use super::calls;
use crate::isolate::rights::Rights;

/// Rules are written for this Landlock; an older kernel takes what it knows.
const LANDLOCK: ABI = ABI::V6;

/// Where libraries and what they read lie.
const SYSTEM: [&str; 7] = [
    "/usr",
    "/lib",
    "/lib32",
    "/lib64",
    "/etc",
    "/nix/store",
    "/run/systemd/resolve",
];

/// What an exporter may do in its folders: all that files and folders need, and nothing else. A link would lead the
/// next one to write there elsewhere, and so would a pipe.
const WRITABLE: BitFlags<AccessFs> = make_bitflags!(AccessFs::{
    ReadFile | ReadDir | WriteFile | Truncate | MakeReg | MakeDir | RemoveFile | RemoveDir | Refer
});

/// Devices that are no devices.
const HARMLESS: [&str; 4] = ["/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"];

/// Folders of libraries that the user adds for the linker.
const LIBRARY_PATH: &str = "LD_LIBRARY_PATH";

/// Certificates of issuers that the user adds, a file and folders.
const ISSUERS: [&str; 2] = ["SSL_CERT_FILE", "SSL_CERT_DIR"];

/// Gives up what neither loading nor the plugin needs; threads that are started later have no more. What cannot
/// be given up is told to `miss`, with the reason.
pub(super) fn before_loading(rights: &Rights, library: &Path, miss: &dyn Fn(&str, String)) {
    if let Err(error) = rustix::thread::set_no_new_privs(true) {
        miss("privileges", error.to_string());
    }
    let mut readable: Vec<PathBuf> = SYSTEM.iter().map(PathBuf::from).collect();
    readable.extend(library.parent().map(Path::to_owned));
    let issuers = if rights.network { &ISSUERS[..] } else { &[] };
    for name in [&[LIBRARY_PATH][..], issuers].concat() {
        let added = std::env::var_os(name).unwrap_or_default();
        readable.extend(std::env::split_paths(&added).filter(|path| path.is_absolute()));
    }
    match restrict(&readable, rights) {
        Ok(RulesetStatus::NotEnforced) => miss("files", "the kernel has no Landlock".to_owned()),
        Ok(_) => {}
        Err(error) => miss("files", error.to_string()),
    }
    if let Err(error) = calls::filter(rights) {
        miss("system calls", error.to_string());
    }
}

/// Gives up what loading needed, in this thread: whoever may reach no server needs no file of the system either.
pub(super) fn after_loading(rights: &Rights) {
    if !rights.network {
        // What could not be given up was told before.
        let _ = restrict(&[], rights);
    }
}

fn restrict(
    readable: &[PathBuf],
    rights: &Rights,
) -> Result<RulesetStatus, landlock::RulesetError> {
    let (read, all) = (AccessFs::from_read(LANDLOCK), AccessFs::from_all(LANDLOCK));
    let devices: BitFlags<AccessFs> = AccessFs::ReadFile | AccessFs::WriteFile;
    let mut rules = Ruleset::default().handle_access(all)?;
    if !rights.network {
        rules = rules.handle_access(AccessNet::from_all(LANDLOCK))?;
    }
    let rules = rules.scope(Scope::from_all(LANDLOCK))?.create()?;
    let rules = rules
        .add_rules(path_beneath_rules(readable, read))?
        .add_rules(path_beneath_rules(HARMLESS, devices))?
        .add_rules(path_beneath_rules(&rights.readable, read))?
        .add_rules(path_beneath_rules(&rights.folders, WRITABLE))?;
    Ok(rules.restrict_self()?.ruleset)
}
