//! SCSI commands to real disks: [`bulk_only`] over USB, and `SG_IO` where the Linux kernel owns the disk.

pub mod bulk_only;
#[cfg(target_os = "linux")]
pub mod sg;
pub mod usb;
pub mod wire;

use std::sync::Arc;
use std::time::Duration;

use glucopipe_sdk::link::{Kind, ScsiData, ScsiStatus};

use super::hold::Hold;
use super::link::{Link, LinkContext, LinkError};
use super::worker::Worker;

/// Longest wait for a disk to be opened; taking it from the kernel may wait for a scan.
const OPEN_LIMIT: Duration = Duration::from_secs(10);
/// How long a back end may overrun the time of a command before it is given up.
const OVERRUN: Duration = Duration::from_secs(1);

/// A disk that runs one command at a time.
pub trait Disk {
    /// Runs a command; gives up soon after `stop` says so, where the system allows that.
    ///
    /// # Errors
    /// When no status came back.
    fn command(
        &mut self,
        stop: &dyn Fn() -> bool,
        timeout_ms: u32,
        cdb: &[u8],
        data: ScsiData<'_>,
    ) -> Result<ScsiStatus, LinkError>;
}

/// An open disk.
struct Opened {
    disk: Box<dyn Disk>,
    _hold: Option<Arc<Hold>>,
}

/// A link to a real disk.
pub struct ScsiLink {
    worker: Worker<Opened>,
    route: String,
}

impl ScsiLink {
    /// Opens a disk; `route` says to people how it is reached, and whoever closes it waits `close_limit` for that.
    /// `hold` is given up behind it.
    ///
    /// # Errors
    /// As `open` says, or when the operation is stopped.
    pub fn open(
        context: &LinkContext<'_>,
        (route, close_limit): (String, Duration),
        hold: Option<Arc<Hold>>,
        open: impl FnOnce() -> Result<Box<dyn Disk>, LinkError> + Send + 'static,
    ) -> Result<Self, LinkError> {
        let open = move || {
            let disk = open()?;
            Ok(Opened { disk, _hold: hold })
        };
        let worker = Worker::start(context.go_on, OPEN_LIMIT, close_limit, open)?;
        Ok(Self { worker, route })
    }
}

impl Link for ScsiLink {
    fn kind(&self) -> Kind {
        Kind::Scsi
    }

    fn route(&self) -> Option<&str> {
        Some(&self.route)
    }

    fn read(
        &mut self,
        _context: &LinkContext<'_>,
        _wait_ms: u32,
        _buffer: &mut [u8],
    ) -> Result<usize, LinkError> {
        Err(LinkError::Unsupported)
    }

    fn write(&mut self, _context: &LinkContext<'_>, _bytes: &[u8]) -> Result<(), LinkError> {
        Err(LinkError::Unsupported)
    }

    fn scsi(
        &mut self,
        context: &LinkContext<'_>,
        timeout_ms: u32,
        cdb: &[u8],
        data: ScsiData<'_>,
    ) -> Result<ScsiStatus, LinkError> {
        let cdb = cdb.to_vec();
        let limit = Duration::from_millis(timeout_ms.into()) + OVERRUN;
        let run = |mut owned: Owned| -> Result<(ScsiStatus, Owned), LinkError> {
            self.worker.run(context.go_on, limit, move |opened, stop| {
                let status = opened.disk.command(stop, timeout_ms, &cdb, owned.lend())?;
                Ok((status, owned))
            })?
        };
        match data {
            ScsiData::None => Ok(run(Owned::None)?.0),
            ScsiData::To(bytes) => Ok(run(Owned::To(bytes.to_vec()))?.0),
            ScsiData::From(buffer) => {
                let (status, received) = run(Owned::From(vec![0; buffer.len()]))?;
                if let Owned::From(bytes) = received {
                    buffer.copy_from_slice(&bytes);
                }
                Ok(status)
            }
        }
    }
}

/// Data of a command that outlive the caller who gives it up.
enum Owned {
    None,
    From(Vec<u8>),
    To(Vec<u8>),
}

impl Owned {
    fn lend(&mut self) -> ScsiData<'_> {
        match self {
            Self::None => ScsiData::None,
            Self::From(buffer) => ScsiData::From(buffer),
            Self::To(bytes) => ScsiData::To(bytes),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Sender, channel};

    use super::*;
    use crate::cancel::{Cancel, Reason};
    use crate::clock::{Clock, OperationTime};

    /// A disk that tells what it was asked, and hangs until it is told to stop.
    struct Deaf(Sender<Vec<u8>>);

    impl Disk for Deaf {
        fn command(
            &mut self,
            stop: &dyn Fn() -> bool,
            timeout_ms: u32,
            cdb: &[u8],
            data: ScsiData<'_>,
        ) -> Result<ScsiStatus, LinkError> {
            assert_eq!(timeout_ms, 60_000);
            let _ = self.0.send(cdb.to_vec());
            match data {
                ScsiData::None => {
                    while !stop() {
                        std::thread::yield_now();
                    }
                    Err(LinkError::Cancelled)
                }
                ScsiData::From(buffer) => {
                    buffer.fill(7);
                    let (status, residue) = (2, 1);
                    let sense = vec![0x70];
                    Ok(ScsiStatus {
                        status,
                        residue,
                        sense,
                    })
                }
                ScsiData::To(bytes) => {
                    let _ = self.0.send(bytes.to_vec());
                    Err(LinkError::Lost)
                }
            }
        }
    }

    #[test]
    fn commands_cross_to_the_disk_and_a_cancellation_does_not_wait_for_it() {
        let (time, cancel) = (OperationTime::start(Clock::System), Cancel::new());
        let (sender, seen) = channel();
        let go_on = || !cancel.is_set();
        let context = LinkContext {
            time: &time,
            cancel: &cancel,
            go_on: &go_on,
            closing: false,
        };
        let open = move || Ok(Box::new(Deaf(sender)) as Box<dyn Disk>);
        let mut link = ScsiLink::open(&context, ("a test".into(), OPEN_LIMIT), None, open).unwrap();
        assert_eq!((link.kind(), link.route()), (Kind::Scsi, Some("a test")));

        let mut buffer = [0; 3];
        let data = ScsiData::From(&mut buffer);
        let status = link.scsi(&context, 60_000, &[1], data).unwrap();
        assert_eq!((status.status, status.residue, buffer), (2, 1, [7; 3]));
        let lost = link.scsi(&context, 60_000, &[2], ScsiData::To(&[9]));
        assert_eq!(lost, Err(LinkError::Lost));

        cancel.set(Reason::Interrupted);
        let cancelled = link.scsi(&context, 60_000, &[3], ScsiData::None);
        assert_eq!(cancelled, Err(LinkError::Cancelled));
        // Leaving the meter in order goes on.
        let context = LinkContext {
            go_on: &|| true,
            closing: true,
            ..context
        };
        let mut buffer = [0; 1];
        let data = ScsiData::From(&mut buffer);
        assert!(link.scsi(&context, 60_000, &[4], data).is_ok());
        drop(link);
        let seen: Vec<Vec<u8>> = seen.iter().collect();
        assert_eq!(seen, [vec![1], vec![2], vec![9], vec![3], vec![4]]);
    }
}
