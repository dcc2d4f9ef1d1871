//! The child's side: a small host for one object of one library.
//!
//! The first call loads the library under the rights it comes with. What it does not need is given up before
//! any other thread is there, because each thread has rights of its own. All calls run in the main thread; a
//! second thread reads frames, a third one waits on the lifeline and ends the process with it.

mod borrowed;
#[cfg(target_os = "linux")]
#[cfg_attr(not(target_pointer_width = "64"), path = "calls_none.rs")]
mod calls;
#[cfg_attr(not(target_os = "linux"), path = "confine_none.rs")]
mod confine;
mod object;
mod wire;

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use glucopipe_abi as abi;
use glucopipe_sdk::{Error, Status};
use rustix::fs::{FileType, fstat};
use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::{Resource, Rlimit, setrlimit};
use rustix::stdio::{dup2_stdin, dup2_stdout};

use self::object::Object;
use self::wire::Wire;
use super::ALONE;
use super::frame::{self, LENGTH};
use super::handed;
use super::message::{Call, Order, Remark};
use super::rights::Rights;
use crate::cancel::{Cancel, Reason};

/// A call with its body.
type Ordered = (Call, Vec<u8>);

/// Lowest number of the descriptors that are moved away from where a plugin may write.
const MOVED: i32 = 10;

/// Address space that a child may take.
const MEMORY: u64 = 4 << 30;

/// Exit code of a program that was started with the word by hand.
const MISUSED: u8 = 2;

/// Serves until the host is gone.
pub(super) fn serve() -> ExitCode {
    let taken = take_over();
    let taken = taken.and_then(|(frames, lifeline)| {
        let library = handed::take(&frames, MOVED)?;
        Some((frames, lifeline, library))
    });
    let Some((mut frames, lifeline, library)) = taken else {
        let _ = writeln!(
            std::io::stderr(),
            "this command is for glucopipe itself, which loads plugins with it"
        );
        return ExitCode::from(MISUSED);
    };
    let cancel = Cancel::new();
    let (orders, calls) = channel();
    let Ok(out) = frames.try_clone() else {
        return ExitCode::FAILURE;
    };
    let wire = Arc::new(Wire::new(out));
    limit();
    let Ok((Order::Call(first), body)) = next_frame(&mut frames) else {
        leave();
    };
    if let Call::Load { library, rights } = &first {
        confine::before_loading(rights, library, &|what, why| {
            wire.say(Remark::Log {
                level: abi::GP_LOG_DEBUG,
                target: String::new(),
                text: format!("its process keeps more rights than it needs: {what}: {why}"),
            });
        });
    }
    if orders.send((first, body)).is_err() {
        leave();
    }
    let (reader, flag) = (wire.clone(), cancel.clone());
    let spawned = [
        thread::Builder::new().spawn(move || read_frames(frames, &reader, &orders)),
        thread::Builder::new().spawn(move || hold_on(lifeline, &flag)),
    ];
    if spawned.iter().any(Result::is_err) {
        return ExitCode::FAILURE;
    }
    Object::new(wire, cancel, calls, library).serve();
    ExitCode::SUCCESS
}

/// Gives up in this process, which serves nobody, what a child gives up before it loads a library.
pub(super) fn give_up(rights: &Rights, library: &Path, miss: &dyn Fn(&str, String)) {
    limit();
    confine::before_loading(rights, library, miss);
}

/// Gives up in this thread what a child gives up once its library is loaded.
pub(super) fn give_up_loading(rights: &Rights) {
    confine::after_loading(rights);
}

/// Moves what the host gave away from where a plugin may write: the frames and the lifeline.
fn take_over() -> Option<(UnixStream, UnixStream)> {
    let (stdin, stdout) = (std::io::stdin(), std::io::stdout());
    let socket = |fd: std::os::fd::BorrowedFd<'_>| {
        let status = fstat(fd).ok()?;
        let is_socket = FileType::from_raw_mode(status.st_mode) == FileType::Socket;
        is_socket.then(|| fcntl_dupfd_cloexec(fd, MOVED).ok())?
    };
    let (frames, lifeline) = (socket(stdout.as_fd())?, socket(stdin.as_fd())?);
    dup2_stdout(&lifeline).ok()?;
    dup2_stdin(File::open("/dev/null").ok()?).ok()?;
    Some((frames.into(), lifeline.into()))
}

/// Bounds what a plugin can take of the computer.
fn limit() {
    let none_above = |bytes| Rlimit {
        current: Some(bytes),
        maximum: Some(bytes),
    };
    // When memory runs out, it is this process that the system ends.
    #[cfg(target_os = "linux")]
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    // A limit that cannot be taken is a lower one that is there.
    let _ = setrlimit(Resource::As, none_above(MEMORY));
    // A dump of memory would be a file with readings in it.
    let _ = setrlimit(Resource::Core, none_above(0));
}

fn next_frame(frames: &mut UnixStream) -> Result<(Order, Vec<u8>), Error> {
    let gone = |_| Error::new(Status::Io, "the host is gone");
    let mut first = [0; LENGTH];
    frames.read_exact(&mut first).map_err(gone)?;
    let mut frame = vec![0; frame::length(first)?];
    frames.read_exact(&mut frame).map_err(gone)?;
    frame::unpack(frame)
}

/// Reads frames: calls for the main thread, answers for whoever asked.
fn read_frames(mut frames: UnixStream, wire: &Wire, calls: &Sender<Ordered>) {
    while let Ok((order, body)) = next_frame(&mut frames) {
        match order {
            Order::Call(call) => {
                if calls.send((call, body)).is_err() {
                    break;
                }
            }
            Order::Answer(number, answer) => wire.answered(number, answer, body),
        }
    }
    leave();
}

/// Waits on the lifeline: a byte cancels, the end ends.
fn hold_on(mut lifeline: UnixStream, cancel: &Cancel) {
    while let Ok(1) = lifeline.read(&mut [0]) {
        cancel.set(Reason::Interrupted);
    }
    leave();
}

/// Ends this process at once: nothing that a plugin has left to be done at the end is done.
fn leave() -> ! {
    // SAFETY: the function takes a number and does not return.
    unsafe { libc::_exit(ALONE) }
}

/// What the main thread is handed.
type Calls = Receiver<Ordered>;

/// Loads the library that was handed over for [`Object`].
fn load(path: &Path, library: File) -> Result<Vec<Arc<crate::plugin::Component>>, Error> {
    let vetted = crate::plugin::Vetted::handed(path, library);
    let loaded = crate::plugin::load(&vetted).map_err(|problem| Error {
        native: i64::from(problem.code.number()),
        ..Error::new(
            Status::Internal,
            problem.causes.first().cloned().unwrap_or(problem.title),
        )
    })?;
    Ok(loaded.into_iter().map(Arc::new).collect())
}
