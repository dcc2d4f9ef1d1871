//! The process of a child: started, watched, ended.
//!
//! Three socket pairs lead to it. Standard output of the child carries the library and then frames in both
//! directions; it moves them away before it loads anything. Standard input is the lifeline: a byte says that the operation is
//! cancelled, its end that the host is gone, and what a plugin writes to its standard output comes back
//! through it. Standard error is standard error.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::sync::mpsc::channel;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use glucopipe_sdk::{Error, Status};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use super::child::{DIED, SLOW, STUCK, Say, Stream};
use super::frame::{self, LENGTH};
use super::handed::hand_over;
use super::output::Output;
use super::{ALONE, SUBCOMMAND};
use crate::cancel::Cancel;

/// How long the host waits before it looks whether it should go on.
const SLICE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 50_000_000,
};

/// How long a child may take after a cancellation. A meter is left in order within 12 s.
const GRACE: Duration = Duration::from_secs(13);

/// How long it may say nothing in that time: who leaves a meter in order uses its link.
const SILENCE: Duration = Duration::from_secs(5);

/// How long the end of a process may take once it has closed its connection.
const ENDING: Duration = Duration::from_secs(1);

/// Variables that a child gets. Others may be secrets of another sink.
const VARIABLES: [&str; 20] = [
    "PATH",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "TZ",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "LC_MESSAGES",
    "HOME",
    "RUST_BACKTRACE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "http_proxy",
    "HTTP_PROXY",
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "no_proxy",
    "NO_PROXY",
];

/// The word a cancellation is told with.
const CANCELLED: [u8; 1] = [b'c'];

/// A process that is being watched.
pub(super) struct Process {
    child: std::process::Child,
    frames: UnixStream,
    lifeline: Arc<UnixStream>,
    stdout: Output,
    stderr: Output,
    /// What its operation is cancelled by.
    cancel: Option<Cancel>,
    /// When a call without an operation is given up.
    until: Option<Instant>,
    /// When the running call learnt of the cancellation.
    told: Option<Instant>,
    /// When it last said something, or was told.
    heard: Instant,
    say: Say,
    reaped: bool,
}

impl Process {
    /// Starts a child and hands it a library, which is open; `say` is given what it writes.
    ///
    /// # Errors
    /// When the system does not start it.
    pub(super) fn start(
        program: &Path,
        library: &File,
        cancel: Option<Cancel>,
        limit: Option<Duration>,
        say: Say,
    ) -> Result<Self, Error> {
        let failed = |error: std::io::Error| Error::file("its process cannot be started", &error);
        let pair = || {
            let (here, there) = UnixStream::pair().map_err(failed)?;
            here.set_nonblocking(true).map_err(failed)?;
            Ok::<_, Error>((here, OwnedFd::from(there)))
        };
        let (frames, their_frames) = pair()?;
        hand_over(&frames, library).map_err(failed)?;
        let (lifeline, their_lifeline) = pair()?;
        let (errors, their_errors) = pair()?;
        let child = cleaned(&mut Command::new(program))
            .arg(SUBCOMMAND)
            .stdin(their_lifeline)
            .stdout(their_frames)
            .stderr(their_errors)
            // Ctrl-C is for the host, which tells the child; and what it starts can be ended with it.
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        let lifeline = Arc::new(lifeline);
        if let Some(cancel) = &cancel {
            let lifeline: Weak<UnixStream> = Arc::downgrade(&lifeline);
            cancel.on_set(move |_| {
                if let Some(lifeline) = lifeline.upgrade() {
                    // A child that does not read it is ended.
                    let _ = (&*lifeline).write(&CANCELLED);
                }
            });
        }
        let now = Instant::now();
        Ok(Self {
            child,
            frames,
            stdout: Output::new(lifeline.clone()),
            stderr: Output::new(Arc::new(errors)),
            lifeline,
            cancel,
            until: limit.map(|limit| now + limit),
            told: None,
            heard: now,
            say,
            reaped: false,
        })
    }

    /// A new call begins: it has the whole grace again.
    pub(super) fn begin(&mut self) {
        self.told = None;
    }

    /// From now on it is given up after this.
    pub(super) fn limit(&mut self, limit: Duration) {
        self.until = Some(Instant::now() + limit);
    }

    /// Sends a frame.
    ///
    /// # Errors
    /// How the process ended.
    pub(super) fn send(&mut self, frame: &[u8]) -> Result<(), Error> {
        let mut left = frame;
        while !left.is_empty() {
            match (&self.frames).write(left) {
                Ok(count) => left = &left[count..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.wait(PollFlags::OUT)?,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Err(self.death()),
            }
        }
        // From here on it is its turn, however long the host took for an answer.
        self.heard = Instant::now();
        Ok(())
    }

    /// The next frame without its first length.
    ///
    /// # Errors
    /// How the process ended, or that it sends nonsense.
    pub(super) fn receive(&mut self) -> Result<Vec<u8>, Error> {
        let first = self.bytes(LENGTH)?;
        let first = first.try_into().map_err(|_| frame::broken())?;
        let frame = self.bytes(frame::length(first)?)?;
        self.heard = Instant::now();
        // One that never stops talking is never waited for.
        self.in_time()?;
        Ok(frame)
    }

    /// Exactly so many bytes; memory is taken as they come.
    fn bytes(&mut self, count: usize) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        while bytes.len() < count {
            let left = u64::try_from(count - bytes.len()).unwrap_or(u64::MAX);
            match (&self.frames).take(left).read_to_end(&mut bytes) {
                Ok(_) if bytes.len() < count => return Err(self.death()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.wait(PollFlags::IN)?,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return Err(self.death()),
            }
        }
        Ok(bytes)
    }

    /// Waits a while for the frames, and takes what is written past them.
    fn wait(&mut self, flags: PollFlags) -> Result<(), Error> {
        self.in_time()?;
        if !self.poll(flags, &SLICE) && self.has_ended() {
            // Nothing can come any more but what is here; another process may hold the other end.
            let nothing = Timespec {
                tv_sec: 0,
                tv_nsec: 0,
            };
            if !self.poll(flags, &nothing) {
                return Err(self.death());
            }
        }
        Ok(())
    }

    /// Whether the frames are ready.
    fn poll(&mut self, flags: PollFlags, time: &Timespec) -> bool {
        let mut all = vec![PollFd::new(&self.frames, flags)];
        let others = [self.stdout.stream(), self.stderr.stream()];
        let others = others.into_iter().flatten();
        all.extend(others.map(|stream| PollFd::new(stream, PollFlags::IN)));
        // Fails only when it is interrupted, and is called again.
        let _ = poll(&mut all, Some(time));
        let ready = !all[0].revents().is_empty();
        drop(all);
        self.drain();
        ready
    }

    /// Ends a child whose time is over.
    fn in_time(&mut self) -> Result<(), Error> {
        let now = Instant::now();
        let over = if self.until.is_some_and(|until| now >= until) {
            Some(SLOW)
        } else if self.cancel.as_ref().is_some_and(Cancel::is_set) {
            let told = *self.told.get_or_insert(now);
            let heard = self.heard.max(told);
            (now > told + GRACE || now > heard + SILENCE).then_some(STUCK)
        } else {
            None
        };
        match over {
            Some(why) => {
                self.end();
                Err(Error::new(Status::Internal, why))
            }
            None => Ok(()),
        }
    }

    fn drain(&mut self) {
        let Self {
            stdout,
            stderr,
            say,
            ..
        } = self;
        stdout.drain(&|line| say(Stream::Output, line));
        stderr.drain(&|line| say(Stream::Error, line));
    }

    /// Whether it has written to standard output: what it wrote before a frame is here before the frame.
    pub(super) fn has_printed(&mut self) -> bool {
        self.drain();
        self.stdout.used
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Whether it has ended. It is not reaped, so its number is nobody else's.
    fn has_ended(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        self.reaped || !matches!(waitid(WaitId::Pid(self.pid()), options), Ok(None))
    }

    /// Waits for its end.
    fn ends_within(&self, limit: Duration) -> bool {
        let (sender, ended) = channel();
        let pid = self.pid();
        let waiting = thread::Builder::new().spawn(move || {
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            // Not reaped here; whoever waited too long is not listened to.
            let _ = sender.send(waitid(WaitId::Pid(pid), options).is_ok());
        });
        waiting.is_ok() && ended.recv_timeout(limit).is_ok()
    }

    /// Ends it and whatever it has started, and reaps it.
    fn end(&mut self) -> Option<ExitStatus> {
        if !self.reaped {
            // Its whole group, which is there until it is reaped.
            let _ = kill_process_group(self.pid(), Signal::KILL);
            self.reaped = true;
        }
        self.child.wait().ok()
    }

    /// How it ended, once its connection is closed.
    fn death(&mut self) -> Error {
        let by_itself = self.ends_within(ENDING);
        let status = self.end().filter(|_| by_itself);
        self.drain();
        let mut how = status.map_or_else(
            || format!("{DIED}closed its connection to the host"),
            describe,
        );
        if let Some(line) = &self.stderr.no_memory {
            how = format!("{how}: {line}");
        }
        Error::new(Status::Internal, how)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Fails only when it is closed already.
        let _ = self.lifeline.shutdown(std::net::Shutdown::Write);
        self.end();
    }
}

fn describe(status: ExitStatus) -> String {
    match status.code() {
        Some(ALONE) => format!("{DIED}lost its connection to the host"),
        _ => format!("{DIED}{}", ended(status)),
    }
}

/// Takes all variables but those of a child from a command.
pub(crate) fn cleaned(command: &mut Command) -> &mut Command {
    let variables = VARIABLES.iter();
    let variables = variables.filter_map(|name| Some((*name, std::env::var_os(name)?)));
    command.env_clear().envs(variables)
}

/// How a process with a plugin ended, in words that follow its name.
pub(crate) fn ended(status: ExitStatus) -> String {
    let Some(signal) = status.signal().and_then(Signal::from_named_raw) else {
        return match (status.code(), status.signal()) {
            (Some(code), _) => format!("ended itself with exit code {code}"),
            (None, signal) => format!("was ended by signal {}", signal.unwrap_or(0)),
        };
    };
    let name = match signal {
        Signal::SEGV => "SIGSEGV, a segmentation fault",
        Signal::ABORT => "SIGABRT, an abort",
        Signal::BUS => "SIGBUS, a bus error",
        Signal::FPE => "SIGFPE, an arithmetic error",
        Signal::ILL => "SIGILL, an illegal instruction",
        Signal::TRAP => "SIGTRAP, a trap",
        Signal::KILL => "SIGKILL, maybe because the system has no memory",
        Signal::SYS => "SIGSYS: it tried what no plugin may do, such as starting a process",
        other => return format!("was ended by signal {}", other.as_raw()),
    };
    format!("was ended by {name}")
}
