//! Running the program: output taken, time limited, signals sent.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};

use crate::PATIENCE;

/// A child that runs.
#[derive(Debug)]
pub struct Running {
    child: Child,
    stdout: Pipe,
    stderr: Pipe,
    command: String,
}

/// What a child left.
#[derive(Debug)]
pub struct Finished {
    /// Exit code.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Running {
    /// Starts a command.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(command: &mut Command) -> Self {
        Self::start_with(command, Stdio::null())
    }

    /// Starts a command that reads this.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start_with(command: &mut Command, input: Stdio) -> Self {
        let mut child = command
            .stdin(input)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
        let stdout = drain(child.stdout.take());
        let stderr = drain(child.stderr.take());
        let command = format!("{command:?}");
        Self {
            child,
            stdout,
            stderr,
            command,
        }
    }

    /// Presses Ctrl-C.
    ///
    /// # Panics
    /// When the child is gone.
    pub fn interrupt(&self) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::INT).expect("the child is there");
    }

    /// Waits until standard error says this.
    ///
    /// # Panics
    /// When it ends without that, or takes too long.
    pub fn wait_for(&mut self, text: &str) {
        let until = Instant::now() + PATIENCE;
        while !self.stderr.text().contains(text) {
            if !self.stderr.more(until) {
                let rest = self.stderr.text();
                panic!("{} did not say `{text}`:\n{rest}", self.command);
            }
        }
    }

    /// Ends it at once, as a power cut would.
    ///
    /// # Panics
    /// When the system does not do it.
    pub fn kill(mut self) {
        self.child.kill().expect("the child can be killed");
        self.child.wait().expect("the child can be waited for");
    }

    /// Waits for a child that may end in any way; its exit code, or `None` when a signal ended it.
    ///
    /// # Panics
    /// When it takes too long.
    pub fn wait_out(mut self) -> Option<i32> {
        self.end().code()
    }

    /// Waits for the end.
    ///
    /// # Panics
    /// When it takes too long, or a signal ended it.
    pub fn finish(mut self) -> Finished {
        let status = self.end();
        let (stdout, stderr) = (self.stdout.text(), self.stderr.text());
        let command = &self.command;
        let code = status.code();
        let code = code.unwrap_or_else(|| panic!("{command} was ended by {status}:\n{stderr}"));
        Finished {
            code,
            stdout,
            stderr,
        }
    }

    /// How it ended of itself.
    fn end(&mut self) -> ExitStatus {
        let until = Instant::now() + PATIENCE;
        while self.stdout.more(until) {}
        while self.stderr.more(until) {}
        let in_time = self.stdout.ended && self.stderr.ended;
        if !in_time {
            // It may have ended meanwhile.
            let _ = self.child.kill();
        }
        let status = self.child.wait().expect("the child can be waited for");
        let (command, stdout, stderr) = (&self.command, self.stdout.text(), self.stderr.text());
        assert!(
            in_time,
            "{command} did not end within {PATIENCE:?}:\n{stdout}\n{stderr}"
        );
        status
    }
}

/// What came out of a pipe so far.
#[derive(Debug)]
struct Pipe {
    pieces: Receiver<Vec<u8>>,
    taken: Vec<u8>,
    ended: bool,
}

impl Pipe {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.taken).into_owned()
    }

    /// Takes the next piece; false at the end, or when there is none in time.
    fn more(&mut self, until: Instant) -> bool {
        let left = until.saturating_duration_since(Instant::now());
        match self.pieces.recv_timeout(left) {
            Ok(piece) => {
                self.taken.extend(piece);
                true
            }
            Err(error) => {
                self.ended = error == RecvTimeoutError::Disconnected;
                false
            }
        }
    }
}

/// Reads a pipe to its end in a thread of its own.
fn drain(pipe: Option<impl Read + Send + 'static>) -> Pipe {
    let (sender, pieces) = channel();
    thread::spawn(move || {
        let Some(mut pipe) = pipe else { return };
        let mut buffer = [0; 8192];
        // What came before an error is worth showing.
        while let Ok(len @ 1..) = pipe.read(&mut buffer) {
            if sender.send(buffer[..len].to_vec()).is_err() {
                return;
            }
        }
    });
    Pipe {
        pieces,
        taken: Vec::new(),
        ended: false,
    }
}
