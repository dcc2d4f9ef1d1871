//! What a child gives up on Linux, as far as the kernel can: privileges, the file system, the network,
//! starting processes, and reaching into others.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use glucopipe_abi as abi;
use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, Ruleset, RulesetAttr, RulesetCreatedAttr,
    RulesetStatus, Scope, path_beneath_rules,
};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, apply_filter_all_threads,
};

use super::wire::Wire;
use crate::isolate::message::Remark;
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

/// Devices that are no devices.
const HARMLESS: [&str; 4] = ["/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"];

/// Folders of libraries that the user adds for the linker.
const LIBRARY_PATH: &str = "LD_LIBRARY_PATH";

/// Gives up what neither loading nor the plugin needs.
pub(super) fn before_loading(rights: &Rights, library: &Path, wire: &Wire) {
    let miss = |what: &str, why: String| {
        wire.say(Remark::Log {
            level: abi::GP_LOG_DEBUG,
            target: String::new(),
            text: format!("its process keeps more rights than it needs: {what}: {why}"),
        });
    };
    if let Err(error) = rustix::thread::set_no_new_privs(true) {
        miss("privileges", error.to_string());
    }
    let mut readable: Vec<PathBuf> = SYSTEM.iter().map(PathBuf::from).collect();
    readable.extend(library.parent().map(Path::to_owned));
    let added = std::env::var_os(LIBRARY_PATH).unwrap_or_default();
    readable.extend(std::env::split_paths(&added).filter(|path| path.is_absolute()));
    match restrict(&readable, rights) {
        Ok(RulesetStatus::NotEnforced) => miss("files", "the kernel has no Landlock".to_owned()),
        Ok(_) => {}
        Err(error) => miss("files", error.to_string()),
    }
    if let Err(error) = filter(rights) {
        miss("system calls", error.to_string());
    }
}

/// Gives up what loading needed: whoever may reach no server needs no file of the system either.
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
        .add_rules(path_beneath_rules(
            &rights.folders,
            all & !AccessFs::Execute,
        ))?;
    Ok(rules.restrict_self()?.ruleset)
}

/// System calls that end the child: a plugin that starts a process is not what it says it is.
const FATAL: [i64; 2] = [libc::SYS_execve, libc::SYS_execveat];

/// System calls of the same kind that only some machines have.
#[cfg(target_arch = "x86_64")]
const FATAL_HERE: [i64; 2] = [libc::SYS_fork, libc::SYS_vfork];
#[cfg(not(target_arch = "x86_64"))]
const FATAL_HERE: [i64; 0] = [];

/// System calls that are refused: other processes, the system itself, and ways around this filter.
const REFUSED: [i64; 31] = [
    libc::SYS_acct,
    libc::SYS_add_key,
    libc::SYS_bpf,
    libc::SYS_chroot,
    libc::SYS_clock_settime,
    libc::SYS_delete_module,
    libc::SYS_finit_module,
    libc::SYS_init_module,
    libc::SYS_io_uring_setup,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_mount,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_perf_event_open,
    libc::SYS_personality,
    libc::SYS_pidfd_getfd,
    libc::SYS_pivot_root,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    libc::SYS_quotactl,
    libc::SYS_reboot,
    libc::SYS_request_key,
    libc::SYS_setns,
    libc::SYS_setpgid,
    libc::SYS_setsid,
    libc::SYS_swapon,
    libc::SYS_umount2,
    libc::SYS_unshare,
    libc::SYS_userfaultfd,
];

fn filter(rights: &Rights) -> Result<(), Box<dyn std::error::Error>> {
    let always = |calls: &[i64]| -> BTreeMap<i64, Vec<SeccompRule>> {
        calls.iter().map(|call| (*call, Vec::new())).collect()
    };
    let mut fatal = always(&[&FATAL[..], &FATAL_HERE[..]].concat());
    // A new thread shares all with this process; everything else is a new process.
    let thread = u64::try_from(libc::CLONE_THREAD)?;
    let no_thread = SeccompCondition::new(
        0,
        SeccompCmpArgLen::Qword,
        SeccompCmpOp::MaskedEq(thread),
        0,
    )?;
    fatal.insert(libc::SYS_clone, vec![SeccompRule::new(vec![no_thread])?]);
    let mut refused = always(&REFUSED);
    if !rights.network {
        refused.insert(libc::SYS_socket, Vec::new());
    }
    // Its flags are out of sight of a filter; the C library then takes `clone`.
    let unknown = always(&[libc::SYS_clone3]);
    let number = |errno: i32| u32::try_from(errno).unwrap_or(1);
    for (rules, action) in [
        (unknown, SeccompAction::Errno(number(libc::ENOSYS))),
        (refused, SeccompAction::Errno(number(libc::EPERM))),
        (fatal, SeccompAction::KillProcess),
    ] {
        let machine = std::env::consts::ARCH.try_into()?;
        let filter = SeccompFilter::new(rules, SeccompAction::Allow, action, machine)?;
        let program: BpfProgram = filter.try_into()?;
        apply_filter_all_threads(&program)?;
    }
    Ok(())
}
