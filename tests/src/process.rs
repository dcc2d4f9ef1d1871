//! Running the program: output taken, time limited, signals sent.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};

use crate::PATIENCE;

/// A child that runs.
#[derive(Debug)]
pub struct Running {
    child: Child,
    stdout: Receiver<Vec<u8>>,
    stderr: Receiver<Vec<u8>>,
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
        let mut child = command
            .stdin(Stdio::null())
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

    /// Waits for the end.
    ///
    /// # Panics
    /// When it takes too long, or a signal ended it.
    pub fn finish(mut self) -> Finished {
        let until = Instant::now() + PATIENCE;
        let take = |pipe: &Receiver<Vec<u8>>| {
            let left = until.saturating_duration_since(Instant::now());
            pipe.recv_timeout(left).ok()
        };
        let (stdout, stderr) = (take(&self.stdout), take(&self.stderr));
        let in_time = stdout.is_some() && stderr.is_some();
        if !in_time {
            // It may have ended meanwhile.
            let _ = self.child.kill();
        }
        let status = self.child.wait().expect("the child can be waited for");
        let rest = |taken: Option<Vec<u8>>, pipe: &Receiver<Vec<u8>>| {
            let bytes = taken.or_else(|| pipe.recv_timeout(PATIENCE).ok());
            String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned()
        };
        let stdout = rest(stdout, &self.stdout);
        let stderr = rest(stderr, &self.stderr);
        let command = &self.command;
        assert!(
            in_time,
            "{command} did not end within {PATIENCE:?}:\n{stdout}\n{stderr}"
        );
        let code = code(status);
        let code = code.unwrap_or_else(|| panic!("{command} was ended by {status}:\n{stderr}"));
        Finished {
            code,
            stdout,
            stderr,
        }
    }
}

fn code(status: ExitStatus) -> Option<i32> {
    status.code()
}

/// Reads a pipe to its end in a thread of its own.
fn drain(pipe: Option<impl Read + Send + 'static>) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            // What came before an error is worth showing.
            let _ = pipe.read_to_end(&mut bytes);
        }
        let _ = sender.send(bytes);
    });
    receiver
}
