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
/// Longest wait for a device to be closed that closes by itself.
pub(crate) const CLOSES_ITSELF: Duration = Duration::from_millis(100);

type Job<D> = Box<dyn FnOnce(&mut D) + Send>;

/// A thread that owns a device and works for one caller.
///
/// A call that its caller has given up goes on until the system returns; calls behind it wait for it. The
/// device is closed in the thread.
pub(super) struct Worker<D> {
    jobs: Option<Sender<Job<D>>>,
    /// Disconnected when the thread has closed the device.
    ended: Receiver<Infallible>,
    close_limit: Duration,
}

impl<D: 'static> Worker<D> {
    /// Opens a device in its thread, within `limit`; whoever closes it waits `close_limit` for that.
    ///
    /// # Errors
    /// As `open` says, and as for [`Worker::run`].
    pub(super) fn start(
        go_on: &dyn Fn() -> bool,
        limit: Duration,
        close_limit: Duration,
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
        let worker = Self {
            jobs,
            ended,
            close_limit,
        };
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
        let _ = self.ended.recv_timeout(self.close_limit);
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

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    /// A device that says when it is closed.
    struct Device(Sender<&'static str>);

    impl Drop for Device {
        fn drop(&mut self) {
            let _ = self.0.send("closed");
        }
    }

    fn device() -> (Worker<Device>, Receiver<&'static str>) {
        let (sender, said) = channel();
        let worker = Worker::start(&|| true, LONG, LONG, move || Ok(Device(sender)));
        (worker.unwrap(), said)
    }

    /// A call that hangs until it is released, and then says whether it was given up.
    fn hang(release: Receiver<()>) -> impl FnOnce(&mut Device, &dyn Fn() -> bool) + Send {
        move |device, stop| {
            let _ = release.recv();
            let _ = device.0.send(if stop() { "given up" } else { "in time" });
        }
    }

    #[test]
    fn calls_run_in_order_and_the_device_is_closed_at_the_end() {
        let (worker, said) = device();
        for word in ["one", "two"] {
            let say = move |device: &mut Device, _: &dyn Fn() -> bool| device.0.send(word).unwrap();
            worker.run(&|| true, LONG, say).unwrap();
        }
        drop(worker);
        assert_eq!(
            said.try_iter().collect::<Vec<_>>(),
            ["one", "two", "closed"]
        );
    }

    #[test]
    fn a_call_that_hangs_is_given_up_and_those_behind_it_wait() {
        let (worker, said) = device();
        let (release, held) = channel();
        let cancelled = worker.run(&|| false, LONG, hang(held));
        assert_eq!(cancelled, Err(LinkError::Cancelled));
        let skipped = |device: &mut Device, _: &dyn Fn() -> bool| device.0.send("late").unwrap();
        let late = worker.run(&|| true, Duration::ZERO, skipped);
        assert_eq!(late, Err(LinkError::Timeout));
        release.send(()).unwrap();
        let behind = |device: &mut Device, _: &dyn Fn() -> bool| device.0.send("behind").unwrap();
        worker.run(&|| true, LONG, behind).unwrap();
        drop(worker);
        assert_eq!(
            said.try_iter().collect::<Vec<_>>(),
            ["given up", "behind", "closed"]
        );
    }

    #[test]
    fn a_device_that_does_not_open_says_why() {
        let open = || Err::<Device, _>(LinkError::Lost);
        assert_eq!(
            Worker::start(&|| true, LONG, LONG, open).err(),
            Some(LinkError::Lost)
        );
    }

    #[test]
    fn a_device_that_opens_too_late_is_closed_at_once() {
        let (release, held) = channel::<()>();
        let (sender, said) = channel();
        let opener = thread::spawn(move || {
            let open = move || {
                let _ = held.recv();
                Ok(Device(sender))
            };
            Worker::start(&|| false, Duration::ZERO, Duration::ZERO, open).err()
        });
        let gave_up = opener.join().unwrap();
        assert_eq!(gave_up, Some(LinkError::Cancelled));
        release.send(()).unwrap();
        assert_eq!(said.recv(), Ok("closed"));
    }

    #[test]
    fn a_thread_that_ends_is_an_error() {
        let (worker, _said) = device();
        let crash = |_: &mut Device, _: &dyn Fn() -> bool| panic!("expected by this test");
        for _ in 0..2 {
            let ended: Result<(), _> = worker.run(&|| true, LONG, crash);
            assert!(matches!(ended, Err(LinkError::Io(_))), "{ended:?}");
        }
    }
}
