//! Crimes against the process that a plugin runs in. Only a process of its own contains them.

use std::hint::black_box;
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
                    return Err(std::io::Error::last_os_error().to_string());
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
            Self::Phone => drop(
                std::net::TcpStream::connect("127.0.0.1:9").map_err(|error| error.to_string())?,
            ),
        }
        Ok(())
    }
}

fn write(descriptor: i32, bytes: &[u8]) {
    // SAFETY: the bytes are there; the descriptor is not ours, which is the crime.
    unsafe { libc::write(descriptor, bytes.as_ptr().cast(), bytes.len()) };
}
