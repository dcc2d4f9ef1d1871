//! Blocking calls of a device in a thread of its own, so that nobody waits for the system longer than they
//! want to.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::link::LinkError;

/// How often a waiting caller asks whether to go on.
const SLICE: Duration = Duration::from_millis(50);
/// Longest wait for the device to be closed.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);

type Job<D> = Box<dyn FnOnce(&mut D) + Send>;

/// A thread that owns a device and works for one caller.
///
/// A call that its caller has given up goes on until the system returns; calls behind it wait for it. The
/// device is closed in the thread.
pub(super) struct Worker<D> {
    jobs: Option<Sender<Job<D>>>,
    /// Disconnected when the thread has closed the device.
    ended: Receiver<Infallible>,
}

impl<D: 'static> Worker<D> {
    /// Opens a device in its thread.
    ///
    /// # Errors
    /// As `open` says, and as for [`Worker::run`].
    pub(super) fn start(
        go_on: &dyn Fn() -> bool,
        limit: Duration,
        open: impl FnOnce() -> Result<D, LinkError> + Send + 'static,
    ) -> Result<Self, LinkError> {
        let (jobs, inbox) = channel::<Job<D>>();
        let (opened, answer) = channel();
        let (alive, ended) = channel();
        thread::Builder::new()
            .name("device".into())
            .spawn(move || {
                // Dropped behind the device.
                let _alive: Sender<Infallible> = alive;
                match open() {
                    Ok(mut device) => {
                        let _ = opened.send(Ok(()));
                        inbox.into_iter().for_each(|job| job(&mut device));
                    }
                    Err(error) => drop(opened.send(Err(error))),
                }
            })?;
        let jobs = Some(jobs);
        let worker = Self { jobs, ended };
        wait(&answer, go_on, limit)??;
        Ok(worker)
    }

    /// Runs a call in the thread; `work` is told whether its caller has given it up.
    ///
    /// # Errors
    /// [`LinkError::Cancelled`] when it is not to go on, [`LinkError::Timeout`] after `limit`.
    pub(super) fn run<T: Send + 'static>(
        &self,
        go_on: &dyn Fn() -> bool,
        limit: Duration,
        work: impl FnOnce(&mut D, &dyn Fn() -> bool) -> T + Send + 'static,
    ) -> Result<T, LinkError> {
        let (sender, answer) = channel();
        let given_up = Arc::new(AtomicBool::new(false));
        let flag = given_up.clone();
        let job: Job<D> = Box::new(move |device| {
            let stop = || flag.load(Ordering::SeqCst);
            if !stop() {
                let _ = sender.send(work(device, &stop));
            }
        });
        // A thread that has ended drops the job, and with it the sender that is waited for.
        let _ = self.jobs.as_ref().map(|jobs| jobs.send(job));
        let outcome = wait(&answer, go_on, limit);
        given_up.store(outcome.is_err(), Ordering::SeqCst);
        outcome
    }
}

impl<D> Drop for Worker<D> {
    fn drop(&mut self) {
        drop(self.jobs.take());
        // A call that hangs in the system keeps the device; it is closed when the call returns.
        let _ = self.ended.recv_timeout(CLOSE_LIMIT);
    }
}

fn wait<T>(
    answer: &Receiver<T>,
    go_on: &dyn Fn() -> bool,
    limit: Duration,
) -> Result<T, LinkError> {
    let until = Instant::now() + limit;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        match answer.recv_timeout(left.min(SLICE)) {
            Ok(outcome) => return Ok(outcome),
            Err(RecvTimeoutError::Disconnected) => {
                return Err(LinkError::Io("the thread of the device ended".into()));
            }
            Err(RecvTimeoutError::Timeout) if !go_on() => return Err(LinkError::Cancelled),
            Err(RecvTimeoutError::Timeout) if left.is_zero() => return Err(LinkError::Timeout),
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}
