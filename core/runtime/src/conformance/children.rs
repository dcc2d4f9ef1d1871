//! Runs the tests, each in a process of its own: whatever a plugin does, it does to nobody else.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::catalog::{LOAD, Subject, TESTS, Test, WORK, work_of};
use super::{HOME, Named, Outcome, Request, STEP, VERDICT, Verdict, run_one, write_whole};
use crate::cancel::Cancel;
use crate::clock::Clock;
use crate::isolate::{cleaned, ended};

/// Name of the file that a child gets its request in.
const REQUEST: &str = "request.json";
/// How often a child is looked after while it says nothing.
const LOOK: Duration = Duration::from_millis(10);
/// How long a pipe is listened to after its process has ended: somebody else may hold its other end.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// Most bytes of output that are kept.
const OUTPUT_LIMIT: usize = 1 << 16;
/// Most lines of standard error that are told.
const LINES: usize = 4;

/// Where tests run.
pub enum Way {
    /// In children of this program; the function gives the command that runs a request.
    Children(Box<dyn Fn(&Path) -> Command>),
    /// In this process, for debuggers: what kills a test ends everything.
    InProcess,
}

/// A check of one library.
pub struct Check {
    /// The library, by an absolute path.
    pub library: PathBuf,
    /// Keys for its components.
    pub config: Option<Value>,
    /// A meter for its drivers: `virtual:…` or `replay:FILE`, absolute.
    pub device: Option<String>,
    /// What is random follows from this.
    pub seed: u64,
    /// Tests whose names begin with one of these; all when there are none.
    pub only: Vec<String>,
    /// How long one test may take.
    pub limit: Duration,
    /// The computer's clock.
    pub clock: Clock,
    /// Ends the check.
    pub cancel: Cancel,
    /// Where tests run.
    pub way: Way,
}

/// A test that was run.
pub struct Checked {
    /// Its name.
    pub test: &'static str,
    /// The component, for tests of one.
    pub component: Option<Named>,
    /// How it ended.
    pub verdict: Verdict,
}

impl Check {
    /// Runs all tests, and tells each as soon as it has ended. Ends early when cancelled.
    ///
    /// # Errors
    /// When there is no room for the private folders of the tests, or a child cannot be started.
    pub fn run(&self, told: &mut dyn FnMut(&Checked)) -> std::io::Result<Vec<Checked>> {
        let mut all = Vec::new();
        let library = TESTS.iter().filter(|test| test.subject == Subject::Library);
        // Only loading it tells the components, so that is always done.
        let library = library.filter(|test| self.wanted(test) || test.name == LOAD);
        let mut components = Vec::new();
        for test in library {
            let Some(checked) = self.one(test, None, &all)? else {
                return Ok(all);
            };
            components.extend(checked.verdict.components.iter().cloned());
            if self.wanted(test) || checked.verdict.outcome == Outcome::Failed {
                told(&checked);
                all.push(checked);
            }
        }
        for component in components {
            let mut done = Vec::new();
            for test in TESTS.iter().filter(|test| test.is_for(&component.kind)) {
                if !self.wanted(test) {
                    continue;
                }
                let Some(checked) = self.one(test, Some(&component), &done)? else {
                    return Ok(all);
                };
                told(&checked);
                done.push(checked);
            }
            all.append(&mut done);
        }
        Ok(all)
    }

    fn wanted(&self, test: &Test) -> bool {
        self.only.is_empty()
            || self
                .only
                .iter()
                .any(|begin| test.name.starts_with(begin.as_str()))
    }

    /// One test, unless what it builds on has failed; none when the user has had enough.
    fn one(
        &self,
        test: &Test,
        component: Option<&Named>,
        before: &[Checked],
    ) -> std::io::Result<Option<Checked>> {
        let after = match test.after {
            Some(WORK) => component.map(|component| work_of(&component.kind)),
            after => after,
        };
        let failed = before.iter().find(|checked| {
            Some(checked.test) == after && checked.verdict.outcome == Outcome::Failed
        });
        let verdict = match failed {
            Some(failed) => skipped(format!("`{}` failed", failed.test)),
            None => self.verdict(test, component)?,
        };
        Ok((!self.cancel.is_set()).then(|| Checked {
            test: test.name,
            component: component.cloned(),
            verdict,
        }))
    }

    fn verdict(&self, test: &Test, component: Option<&Named>) -> std::io::Result<Verdict> {
        let folder = tempfile::Builder::new()
            .prefix("glucopipe-check-")
            .tempdir()?;
        let request = Request {
            library: self.library.clone(),
            test: test.name.to_owned(),
            component: component.cloned(),
            config: self.config.clone(),
            device: self.device.clone(),
            seed: self.seed,
            now: self.clock.now(),
            folder: folder.path().to_owned(),
        };
        match &self.way {
            Way::InProcess => {
                let home = std::env::current_dir();
                let verdict = run_one(&request, |_| ());
                // The folder of the test is about to go.
                home.and_then(std::env::set_current_dir)?;
                verdict
            }
            Way::Children(command) => {
                let file = folder.path().join(REQUEST);
                write_whole(&file, &serde_json::to_vec(&request)?)?;
                std::fs::create_dir(folder.path().join(HOME))?;
                self.child(command(&file), &request)
            }
        }
    }

    fn child(&self, mut command: Command, request: &Request) -> std::io::Result<Verdict> {
        cleaned(&mut command)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn()?;
        let mut stdout = Pipe::drain(child.stdout.take());
        let mut stderr = Pipe::drain(child.stderr.take());
        let status = self.wait(&mut child, &mut stdout)?;
        end_group(&child);
        let until = Instant::now() + LAST_WORDS;
        while stdout.more(until) {}
        while stderr.more(until) {}
        let left = std::fs::read(request.note(VERDICT));
        let left = left
            .ok()
            .and_then(|text| serde_json::from_slice::<Verdict>(&text).ok());
        let step = std::fs::read_to_string(request.note(STEP));
        let doing = match step {
            Ok(step) if !step.is_empty() => format!("while {step}, "),
            _ => String::new(),
        };
        let mut verdict = match (status, left) {
            (Some(status), Some(verdict)) if status.success() => verdict,
            (Some(status), Some(mut verdict)) => {
                let how = ended(status);
                verdict.fail(format!("the process {how} after the test was over"));
                verdict
            }
            (Some(status), None) => {
                Verdict::failed(format!("{doing}the process {}", ended(status)))
            }
            (None, _) => {
                let limit = self.limit.as_secs();
                Verdict::failed(format!(
                    "{doing}it did not come back within {limit} s (`--timeout`)"
                ))
            }
        };
        if !stdout.taken.is_empty() {
            let len = stdout.taken.len();
            verdict.fail(format!(
                "it wrote {len} bytes to standard output, where the readings of other plugins go"
            ));
        }
        if verdict.outcome == Outcome::Failed {
            let text = String::from_utf8_lossy(&stderr.taken).into_owned();
            let lines: Vec<&str> = text
                .lines()
                .filter(|line| !line.trim().is_empty())
                .collect();
            let last = lines.len().saturating_sub(LINES);
            verdict.notes.extend(
                lines[last..]
                    .iter()
                    .map(|line| format!("standard error: {line}")),
            );
        }
        Ok(verdict)
    }

    /// Waits for a child; none when it was ended because it took too long, or the user has had enough.
    fn wait(&self, child: &mut Child, stdout: &mut Pipe) -> std::io::Result<Option<ExitStatus>> {
        let until = Instant::now() + self.limit;
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(Some(status));
            }
            if Instant::now() >= until || self.cancel.is_set() {
                end_group(child);
                child.kill()?;
                child.wait()?;
                return Ok(None);
            }
            // Wakes up when it says something or ends; a pipe that has ended says nothing any more.
            if stdout.ended || !stdout.more(Instant::now() + LOOK) {
                self.cancel.wait(LOOK);
            }
        }
    }
}

fn skipped(reason: String) -> Verdict {
    Verdict {
        outcome: Outcome::Skipped,
        reasons: vec![reason],
        notes: Vec::new(),
        components: Vec::new(),
    }
}

/// Ends what a child has started and left behind.
fn end_group(child: &Child) {
    #[cfg(unix)]
    {
        // Nobody may be there any more.
        let _ = rustix::process::kill_process_group(
            rustix::process::Pid::from_child(child),
            rustix::process::Signal::KILL,
        );
    }
    #[cfg(not(unix))]
    let _ = child;
}

/// What comes out of a pipe.
struct Pipe {
    pieces: Receiver<Vec<u8>>,
    taken: Vec<u8>,
    ended: bool,
}

impl Pipe {
    /// Reads a pipe to its end in a thread of its own.
    fn drain(pipe: Option<impl Read + Send + 'static>) -> Self {
        let (sender, pieces) = channel();
        std::thread::spawn(move || {
            let Some(mut pipe) = pipe else { return };
            let mut buffer = [0; 8192];
            while let Ok(len @ 1..) = pipe.read(&mut buffer) {
                if sender.send(buffer[..len].to_vec()).is_err() {
                    return;
                }
            }
        });
        Self {
            pieces,
            taken: Vec::new(),
            ended: false,
        }
    }

    /// Takes the next piece; false at the end, or when there is none in time.
    fn more(&mut self, until: Instant) -> bool {
        match self
            .pieces
            .recv_timeout(until.saturating_duration_since(Instant::now()))
        {
            Ok(piece) => {
                let room = OUTPUT_LIMIT.saturating_sub(self.taken.len());
                self.taken.extend(piece.into_iter().take(room));
                true
            }
            Err(error) => {
                self.ended = error == RecvTimeoutError::Disconnected;
                false
            }
        }
    }
}
