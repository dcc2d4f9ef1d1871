//! The system calls that a child gives up.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, apply_filter_all_threads,
};

use crate::isolate::rights::Rights;

/// System calls that end the child: a plugin that starts a process is not what it says it is.
const FATAL: [i64; 2] = [libc::SYS_execve, libc::SYS_execveat];

/// System calls of the same kind that only some machines have.
#[cfg(target_arch = "x86_64")]
const FATAL_HERE: [i64; 2] = [libc::SYS_fork, libc::SYS_vfork];
#[cfg(not(target_arch = "x86_64"))]
const FATAL_HERE: [i64; 0] = [];

/// System calls that are refused: other processes, the system itself, and ways around this filter.
const REFUSED: [i64; 47] = [
    libc::SYS_acct,
    libc::SYS_add_key,
    libc::SYS_bpf,
    libc::SYS_chroot,
    libc::SYS_clock_settime,
    libc::SYS_delete_module,
    libc::SYS_finit_module,
    libc::SYS_init_module,
    libc::SYS_io_uring_setup,
    libc::SYS_ioprio_set,
    libc::SYS_kcmp,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_memfd_create,
    libc::SYS_memfd_secret,
    libc::SYS_migrate_pages,
    libc::SYS_mount,
    libc::SYS_move_pages,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_perf_event_open,
    libc::SYS_personality,
    libc::SYS_pidfd_getfd,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_send_signal,
    libc::SYS_pivot_root,
    libc::SYS_process_madvise,
    libc::SYS_process_mrelease,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    libc::SYS_quotactl,
    libc::SYS_reboot,
    libc::SYS_request_key,
    libc::SYS_sched_setattr,
    libc::SYS_sched_setparam,
    libc::SYS_sched_setscheduler,
    libc::SYS_setns,
    libc::SYS_setpgid,
    libc::SYS_setpriority,
    libc::SYS_setsid,
    libc::SYS_shmget,
    libc::SYS_swapon,
    libc::SYS_tkill,
    libc::SYS_umount2,
    libc::SYS_unshare,
    libc::SYS_userfaultfd,
];

/// System calls that are refused unless their first argument names this process.
const OWN: [i64; 4] = [
    libc::SYS_kill,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_tgkill,
];

/// Families of addresses that servers have. Sockets of the file system lead to programs of this computer that
/// do what they are told.
const SERVERS: [i32; 3] = [libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];

/// A rule for calls whose first argument is none of these.
fn unless(first: &[u64]) -> Result<Vec<SeccompRule>, Box<dyn std::error::Error>> {
    let differs =
        |value: &u64| SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, *value);
    let conditions: Result<Vec<_>, _> = first.iter().map(differs).collect();
    Ok(vec![SeccompRule::new(conditions?)?])
}

/// Takes the filters; they hold for all threads, and for ever.
///
/// # Errors
/// When there is none for this machine, or the kernel takes none.
pub(super) fn filter(rights: &Rights) -> Result<(), Box<dyn std::error::Error>> {
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
    let servers = SERVERS.map(|family| u64::try_from(family).unwrap_or(0));
    let sockets = match rights.network {
        true => unless(&servers)?,
        false => Vec::new(),
    };
    refused.insert(libc::SYS_socket, sockets);
    let own = u64::from(std::process::id());
    for call in OWN {
        refused.insert(call, unless(&[own])?);
    }
    // Of another process than the calling one, which is 0.
    refused.insert(libc::SYS_prlimit64, unless(&[0])?);
    refused.insert(libc::SYS_sched_setaffinity, unless(&[0])?);
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
