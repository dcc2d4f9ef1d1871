//! Crimes against the process that a plugin runs in. Only a process of its own contains them.

use std::hint::black_box;
use std::process::Command;
use std::ptr;

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
}

/// 10 GB.
const HOARD: usize = 10 << 30;
/// What is leaked at once.
const LEAK: usize = 64 << 20;
/// Descriptors that may be open.
const DESCRIPTORS: std::ops::Range<i32> = 3..64;

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
