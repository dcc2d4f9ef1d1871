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

/// Refused: other processes, and what of this one concerns them.
const PROCESSES: [i64; 20] = [
    libc::SYS_ioprio_set,
    libc::SYS_kcmp,
    libc::SYS_migrate_pages,
    libc::SYS_move_pages,
    libc::SYS_perf_event_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_send_signal,
    libc::SYS_process_madvise,
    libc::SYS_process_mrelease,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    libc::SYS_sched_setattr,
    libc::SYS_sched_setparam,
    libc::SYS_sched_setscheduler,
    libc::SYS_setpgid,
    libc::SYS_setpriority,
    libc::SYS_setsid,
    libc::SYS_tkill,
];

/// Refused: memory, queues and keys that any program of the user finds, of which Landlock knows nothing.
const SHARED: [i64; 16] = [
    libc::SYS_add_key,
    libc::SYS_keyctl,
    libc::SYS_mq_open,
    libc::SYS_mq_unlink,
    libc::SYS_msgctl,
    libc::SYS_msgget,
    libc::SYS_msgrcv,
    libc::SYS_msgsnd,
    libc::SYS_request_key,
    libc::SYS_semctl,
    libc::SYS_semget,
    libc::SYS_semop,
    libc::SYS_semtimedop,
    libc::SYS_shmat,
    libc::SYS_shmctl,
    libc::SYS_shmget,
];

/// Refused: whose a file is, who may use it, and what else is noted of it, by its name. Landlock looks at none of
/// these.
const NOTES: [i64; 10] = [
    FCHMODAT2,
    FILE_SETATTR,
    REMOVEXATTRAT,
    SETXATTRAT,
    libc::SYS_fchmodat,
    libc::SYS_fchownat,
    libc::SYS_lremovexattr,
    libc::SYS_lsetxattr,
    libc::SYS_removexattr,
    libc::SYS_setxattr,
];

/// Calls of the same kind that only some machines have.
#[cfg(target_arch = "x86_64")]
const NOTES_HERE: [i64; 6] = [
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_futimesat,
    libc::SYS_lchown,
    libc::SYS_utime,
    libc::SYS_utimes,
];
#[cfg(not(target_arch = "x86_64"))]
const NOTES_HERE: [i64; 0] = [];

/// What does the same to an open file: for who may write none.
const NOTES_OPEN: [i64; 5] = [
    libc::SYS_fchmod,
    libc::SYS_fchown,
    libc::SYS_fremovexattr,
    libc::SYS_fsetxattr,
    libc::SYS_utimensat,
];

/// Refused: the computer itself, its clock, name, disks, log and kernel, and watching what others do with files.
const SYSTEM: [i64; 37] = [
    KEXEC_FILE_LOAD,
    OPEN_TREE_ATTR,
    QUOTACTL_FD,
    libc::SYS_acct,
    libc::SYS_adjtimex,
    libc::SYS_chroot,
    libc::SYS_clock_adjtime,
    libc::SYS_clock_settime,
    libc::SYS_delete_module,
    libc::SYS_fanotify_init,
    libc::SYS_finit_module,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_fspick,
    libc::SYS_init_module,
    libc::SYS_inotify_init1,
    libc::SYS_kexec_load,
    libc::SYS_lookup_dcookie,
    libc::SYS_mount,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_personality,
    libc::SYS_pivot_root,
    libc::SYS_quotactl,
    libc::SYS_reboot,
    libc::SYS_setdomainname,
    libc::SYS_sethostname,
    libc::SYS_setns,
    libc::SYS_settimeofday,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_syslog,
    libc::SYS_umount2,
    libc::SYS_unshare,
    libc::SYS_vhangup,
];

/// Calls of the same kind that only some machines have.
#[cfg(target_arch = "x86_64")]
const SYSTEM_HERE: [i64; 3] = [libc::SYS_inotify_init, libc::SYS_ioperm, libc::SYS_iopl];
#[cfg(not(target_arch = "x86_64"))]
const SYSTEM_HERE: [i64; 0] = [];

/// Refused: ways around these filters, and what is mostly good for attacks on the kernel.
const AROUND: [i64; 7] = [
    libc::SYS_bpf,
    libc::SYS_io_uring_setup,
    libc::SYS_memfd_create,
    libc::SYS_memfd_secret,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_userfaultfd,
];

// Numbers that `libc` lacks for some machines, from `asm-generic/unistd.h` of Linux 6.17. Those above 423 are the
// same everywhere.
const QUOTACTL_FD: i64 = 443;
const FCHMODAT2: i64 = 452;
const SETXATTRAT: i64 = 463;
const REMOVEXATTRAT: i64 = 466;
const OPEN_TREE_ATTR: i64 = 467;
const FILE_SETATTR: i64 = 469;
const KEXEC_FILE_LOAD: i64 = match cfg!(target_arch = "x86_64") {
    true => 320,
    false => 294,
};

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

/// A rule for calls whose first argument, a number of 32 bits, is none of these.
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
    let mut refused = always(
        &[
            &PROCESSES[..],
            &SHARED,
            &NOTES,
            &NOTES_HERE,
            &SYSTEM,
            &SYSTEM_HERE,
            &AROUND,
        ]
        .concat(),
    );
    // Without a path it is about what is open.
    let by_name = SeccompCondition::new(1, SeccompCmpArgLen::Qword, SeccompCmpOp::Ne, 0)?;
    refused.insert(libc::SYS_utimensat, vec![SeccompRule::new(vec![by_name])?]);
    if rights.folders.is_empty() {
        refused.extend(always(&NOTES_OPEN));
    }
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
