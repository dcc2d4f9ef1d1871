//! Crimes against the process that a plugin runs in. Only a process of its own contains them.

use std::ffi::CStr;
use std::hint::black_box;
use std::io::{Error, ErrorKind};
use std::process::Command;
use std::ptr;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

use glucopipe_sdk::schemars::JsonSchema;
use glucopipe_sdk::serde::Deserialize;

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(crate = "glucopipe_sdk::serde", rename_all = "kebab-case")]
#[schemars(crate = "glucopipe_sdk::schemars")]
pub(crate) enum Crime {
    /// Writes where no memory is.
    Segfault,
    /// Aborts.
    Abort,
    /// Exits as if all were well.
    Exit,
    /// Never returns, and says so before.
    Spin,
    /// Goes on twice.
    Fork,
    /// Starts a program.
    Start,
    /// Takes 10 GB at once.
    Hoard,
    /// Takes memory and never gives it back.
    Leak,
    /// Writes to standard output.
    Print,
    /// Writes to standard error.
    Complain,
    /// Changes what signals do.
    Signals,
    /// Writes into every open descriptor.
    Garble,
    /// Closes every open descriptor.
    Close,
    /// Reads a file of the user.
    Pry,
    /// Opens a connection.
    Phone,
    /// Asks a program of this computer.
    Knock,
    /// Takes the host's memory for files away.
    Cap,
    /// Makes a file from another thread than its own.
    Sneak,
    /// Makes a file in the working folder.
    Stray,
    /// Makes a link, a pipe or a device in the working folder.
    Lure,
    /// Changes who may use a file of the user, whose it is, or what else is noted of it.
    Expose,
    /// Reaches memory and messages of other programs.
    Share,
    /// Changes or watches the computer itself.
    Meddle,
}

/// 10 GB.
const HOARD: usize = 10 << 30;
/// What is leaked at once.
const LEAK: usize = 64 << 20;
/// Descriptors that may be open.
const DESCRIPTORS: std::ops::Range<i32> = 3..64;

/// What became of [`Crime::Sneak`]: nothing yet, or the answer of the system.
static SNEAKED: AtomicI32 = AtomicI32::new(i32::MIN);
/// Threads of this process that are tried.
const THREADS: std::ops::Range<i32> = 1..6;
/// How long one of them may take.
const SNEAKING: Duration = Duration::from_secs(2);

/// A file of the user in the working folder.
const PRECIOUS: &CStr = c"p.toml";
/// What [`Crime::Lure`] makes.
const LURES: [libc::mode_t; 4] = [libc::S_IFLNK, libc::S_IFIFO, libc::S_IFSOCK, libc::S_IFCHR];
/// Something new in the working folder.
const NEW: &CStr = c"new.here";
/// What is noted of a file.
const NOTE: &CStr = c"user.note";

/// Calls of [`Crime::Share`], which find nothing when they are let through.
const SHARED: [libc::c_long; 13] = [
    libc::SYS_mq_open,
    libc::SYS_mq_unlink,
    libc::SYS_msgctl,
    libc::SYS_msgget,
    libc::SYS_msgrcv,
    libc::SYS_msgsnd,
    libc::SYS_semctl,
    libc::SYS_semget,
    libc::SYS_semop,
    libc::SYS_semtimedop,
    libc::SYS_shmat,
    libc::SYS_shmctl,
    libc::SYS_shmget,
];

/// Calls of [`Crime::Meddle`], which take none of what they are given when they are let through.
const SYSTEM: [libc::c_long; 16] = [
    libc::SYS_adjtimex,
    libc::SYS_clock_adjtime,
    libc::SYS_fanotify_init,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_fspick,
    libc::SYS_inotify_init1,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_setdomainname,
    libc::SYS_sethostname,
    libc::SYS_settimeofday,
    libc::SYS_swapoff,
    libc::SYS_syslog,
];

/// A handler that makes a file.
extern "C" fn sneak(_signal: i32) {
    let mut path = *b"/tmp/.glucopipe-sneaked-0000000000\0";
    let digits = path.iter_mut().rev().skip(1).take(10);
    // SAFETY: the function asks for a number.
    let mut number = unsafe { libc::getpid() }.unsigned_abs();
    for digit in digits {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
    }
    // SAFETY: the path ends in NUL, and what was opened is closed.
    let opened = unsafe { libc::open(path.as_ptr().cast(), libc::O_CREAT | libc::O_WRONLY, 0o600) };
    if opened >= 0 {
        // SAFETY: as above.
        unsafe {
            libc::unlink(path.as_ptr().cast());
            libc::close(opened);
        }
    }
    SNEAKED.store(opened, Ordering::SeqCst);
}

/// A handler that hides a signal.
extern "C" fn hide(_signal: i32) {}

impl Crime {
    /// Does it.
    ///
    /// # Errors
    /// Why the system did not let it happen.
    pub(crate) fn commit(self) -> Result<(), String> {
        match self {
            // SAFETY: none; this is the crime.
            Self::Segfault => unsafe { black_box(ptr::dangling_mut::<u64>()).write_volatile(1) },
            Self::Abort => std::process::abort(),
            #[allow(clippy::exit)] // this is the crime
            Self::Exit => std::process::exit(0),
            Self::Spin => {
                write(2, b"spinning\n");
                loop {
                    std::hint::spin_loop();
                }
            }
            // SAFETY: none; this is the crime.
            Self::Fork => unsafe {
                libc::fork();
            },
            Self::Start => {
                let started = Command::new("true")
                    .spawn()
                    .and_then(|mut child| child.wait());
                started.map_err(|error| error.to_string())?;
            }
            Self::Hoard => drop(black_box(vec![1_u8; HOARD])),
            Self::Leak => loop {
                black_box(Vec::<u8>::with_capacity(LEAK).leak());
            },
            Self::Print => write(1, b"1234567;5.5 mmol/L\n"),
            Self::Complain => write(2, b"cannot open /dev/meter\n"),
            Self::Signals => {
                let handler = hide as extern "C" fn(i32) as libc::sighandler_t;
                for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGPIPE, libc::SIGSEGV] {
                    // SAFETY: the handler does nothing.
                    unsafe { libc::signal(signal, handler) };
                }
            }
            Self::Garble => DESCRIPTORS.for_each(|descriptor| write(descriptor, &[0xff; 64])),
            // SAFETY: none; this is the crime.
            Self::Close => DESCRIPTORS.for_each(|descriptor| unsafe {
                libc::close(descriptor);
            }),
            Self::Pry => drop(std::fs::read("/etc/passwd").map_err(|error| error.to_string())?),
            Self::Knock => {
                let socket = std::os::unix::net::UnixDatagram::unbound();
                drop(socket.map_err(|error| error.to_string())?);
            }
            Self::Cap => {
                let none = libc::rlimit {
                    rlim_cur: 0,
                    rlim_max: 0,
                };
                // SAFETY: the limit is there, and nothing is asked for.
                let done = unsafe {
                    libc::prlimit(
                        libc::getppid(),
                        libc::RLIMIT_FSIZE,
                        &raw const none,
                        ptr::null_mut(),
                    )
                };
                if done != 0 {
                    return Err(Error::last_os_error().to_string());
                }
            }
            Self::Sneak => {
                let handler = sneak as extern "C" fn(i32) as libc::sighandler_t;
                // SAFETY: the handler calls what handlers may call.
                let own = unsafe {
                    libc::signal(libc::SIGUSR1, handler);
                    libc::getpid()
                };
                for thread in THREADS {
                    // SAFETY: the signal has a handler.
                    unsafe { libc::syscall(libc::SYS_tgkill, own, own + thread, libc::SIGUSR1) };
                }
                let until = Instant::now() + SNEAKING;
                while SNEAKED.load(Ordering::SeqCst) == i32::MIN && Instant::now() < until {
                    std::thread::yield_now();
                }
                if SNEAKED.load(Ordering::SeqCst) < 0 {
                    return Err("no file was made".to_owned());
                }
            }
            Self::Stray => {
                let made = std::fs::write("new.here", "");
                made.map_err(|error| error.to_string())?;
            }
            Self::Lure => one_of(LURES, lure)?,
            Self::Expose => one_of(0..8, expose)?,
            Self::Share => one_of(SHARED, |call| number(call, 0))?,
            Self::Meddle => one_of(SYSTEM, |call| number(call, -1))?,
            Self::Phone => drop(
                std::net::TcpStream::connect("127.0.0.1:9").map_err(|error| error.to_string())?,
            ),
        }
        Ok(())
    }
}

/// Makes calls until one is not forbidden, whatever else comes of it.
fn one_of<T>(
    calls: impl IntoIterator<Item = T>,
    call: impl Fn(T) -> libc::c_long,
) -> Result<(), String> {
    let mut why = String::new();
    for each in calls {
        if call(each) >= 0 {
            return Ok(());
        }
        let error = Error::last_os_error();
        if error.kind() != ErrorKind::PermissionDenied {
            return Ok(());
        }
        why = error.to_string();
    }
    Err(why)
}

/// Makes what is no file.
fn lure(kind: libc::mode_t) -> libc::c_long {
    // SAFETY: the texts end in NUL.
    let done = unsafe {
        match kind {
            libc::S_IFLNK => libc::symlink(c"/".as_ptr(), NEW.as_ptr()),
            _ => libc::mknod(NEW.as_ptr(), kind | 0o600, 0),
        }
    };
    done.into()
}

/// A call of the system with numbers and addresses that nothing has, and these after the first.
fn number(call: libc::c_long, others: libc::c_long) -> libc::c_long {
    // SAFETY: there is no address -1, and nothing is done to 0.
    unsafe { libc::syscall(call, -1_i64, others, others, others, others) }
}

/// One way of many.
fn expose(way: u8) -> libc::c_long {
    let (path, here) = (PRECIOUS.as_ptr(), libc::AT_FDCWD);
    let (note, empty) = (NOTE.as_ptr(), ptr::null());
    // SAFETY: the texts end in NUL, and there are as many bytes as are said.
    unsafe {
        let done = match way {
            0 => libc::chmod(path, 0o666),
            1 => libc::fchmodat(here, path, 0o666, 0),
            2 => libc::chown(path, libc::getuid(), libc::getgid()),
            3 => libc::lchown(path, libc::getuid(), libc::getgid()),
            4 => libc::utimes(path, ptr::null()),
            5 => libc::utimensat(here, path, ptr::null(), 0),
            6 => libc::setxattr(path, note, empty, 0, 0),
            _ => libc::removexattr(path, note),
        };
        done.into()
    }
}

fn write(descriptor: i32, bytes: &[u8]) {
    // SAFETY: the bytes are there; the descriptor is not ours, which is the crime.
    unsafe { libc::write(descriptor, bytes.as_ptr().cast(), bytes.len()) };
}
