//! A tap between a driver and its meter: counts exchanges, and lets one go wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use glucopipe_sdk::link::{Kind, ScsiData, ScsiStatus};

use crate::cancel::{Cancel, Reason};
use crate::device::Between;
use crate::transport::link::{Link, LinkContext, LinkError};

/// What goes wrong at an exchange.
#[derive(Clone)]
pub(super) enum Trouble {
    /// The device goes away, for good.
    Lost,
    /// Nothing comes any more, for good.
    Silent,
    /// The system reports an error, once.
    Error,
    /// A byte of what the device sends is another one, once.
    Damaged(u64),
    /// Half of what the device sends is missing, once.
    Short,
    /// The user gives up; the link is fine.
    Cancelled(Cancel),
}

/// The tap of one operation.
#[derive(Clone)]
pub(super) struct Tap {
    shared: Arc<Shared>,
}

struct Shared {
    /// Exchanges that came to their end.
    done: AtomicU64,
    /// The exchange that goes wrong, from 1; 0 for none.
    at: u64,
    trouble: Trouble,
    struck: AtomicBool,
    /// Time of the operation when it struck.
    struck_at_ms: AtomicU64,
}

impl Tap {
    /// A tap that only counts.
    pub(super) fn counting() -> Self {
        Self::at(0, Trouble::Error)
    }

    /// A tap that lets one exchange go wrong, counted from 1.
    pub(super) fn at(exchange: u64, trouble: Trouble) -> Self {
        Self {
            shared: Arc::new(Shared {
                done: AtomicU64::new(0),
                at: exchange,
                trouble,
                struck: AtomicBool::new(false),
                struck_at_ms: AtomicU64::new(0),
            }),
        }
    }

    /// Whether an exchange goes wrong.
    pub(super) fn strikes(&self) -> bool {
        self.shared.at > 0
    }

    /// Exchanges so far.
    pub(super) fn count(&self) -> u64 {
        self.shared.done.load(Ordering::SeqCst)
    }

    /// When it struck, in milliseconds of the operation.
    pub(super) fn struck_at_ms(&self) -> Option<u64> {
        let struck = self.shared.struck.load(Ordering::SeqCst);
        struck.then(|| self.shared.struck_at_ms.load(Ordering::SeqCst))
    }

    /// What goes between.
    pub(super) fn between(&self) -> Between {
        let shared = self.shared.clone();
        Arc::new(move |link| {
            Box::new(Tapped {
                link,
                shared: shared.clone(),
            })
        })
    }
}

struct Tapped {
    link: Box<dyn Link>,
    shared: Arc<Shared>,
}

/// What an exchange meets.
enum Fate {
    /// It takes place.
    Fine,
    /// It takes place, and what comes is spoilt.
    Spoilt,
    /// It fails.
    Fails(LinkError),
    /// Nobody answers.
    Unheard,
}

impl Tapped {
    fn fate(&self, context: &LinkContext<'_>) -> Fate {
        let shared = &self.shared;
        let now = shared.at > 0 && shared.done.load(Ordering::SeqCst) + 1 >= shared.at;
        if !now {
            return Fate::Fine;
        }
        let first = !shared.struck.swap(true, Ordering::SeqCst);
        if first {
            let time = context.time.monotonic_ms();
            shared.struck_at_ms.store(time, Ordering::SeqCst);
        }
        match &shared.trouble {
            Trouble::Lost => Fate::Fails(LinkError::Lost),
            Trouble::Silent => Fate::Unheard,
            Trouble::Error if first => Fate::Fails(LinkError::Io("the transfer failed".into())),
            Trouble::Damaged(_) | Trouble::Short if first => Fate::Spoilt,
            Trouble::Cancelled(cancel) if first => {
                cancel.set(Reason::Interrupted);
                Fate::Fine
            }
            _ => Fate::Fine,
        }
    }

    fn done<T>(&self, outcome: Result<T, LinkError>) -> Result<T, LinkError> {
        if outcome.is_ok() {
            self.shared.done.fetch_add(1, Ordering::SeqCst);
        }
        outcome
    }

    /// Spoils what the device sent; gives how much of it is left.
    fn spoil(&self, bytes: &mut [u8]) -> usize {
        match self.shared.trouble {
            Trouble::Damaged(number) if !bytes.is_empty() => {
                let bits = bytes.len() as u64 * 8;
                let bit = usize::try_from(number % bits).unwrap_or(0);
                bytes[bit / 8] ^= 1 << (bit % 8);
                bytes.len()
            }
            Trouble::Short => bytes.len() / 2,
            _ => bytes.len(),
        }
    }
}

impl Link for Tapped {
    fn kind(&self) -> Kind {
        self.link.kind()
    }

    fn route(&self) -> Option<&str> {
        self.link.route()
    }

    fn read(
        &mut self,
        context: &LinkContext<'_>,
        wait_ms: u32,
        buffer: &mut [u8],
    ) -> Result<usize, LinkError> {
        let fate = self.fate(context);
        match fate {
            Fate::Fails(error) => return Err(error),
            Fate::Unheard => {
                context.time.advance(wait_ms);
                return Err(LinkError::Timeout);
            }
            Fate::Fine | Fate::Spoilt => {}
        }
        let outcome = self.link.read(context, wait_ms, buffer);
        if matches!(fate, Fate::Spoilt) {
            match &outcome {
                // What is spoilt is the next thing that comes.
                Err(_) => self.shared.struck.store(false, Ordering::SeqCst),
                Ok(len) => {
                    let left = self.spoil(&mut buffer[..*len]);
                    // No bytes at all would be the end of a file.
                    return self.done(Ok(left.max(1.min(*len))));
                }
            }
        }
        self.done(outcome)
    }

    fn write(&mut self, context: &LinkContext<'_>, bytes: &[u8]) -> Result<(), LinkError> {
        match self.fate(context) {
            Fate::Fails(error) => return Err(error),
            // What is said is said, heard or not.
            Fate::Unheard => return Ok(()),
            // Nothing comes, so what is spoilt is what comes next.
            Fate::Spoilt => self.shared.struck.store(false, Ordering::SeqCst),
            Fate::Fine => {}
        }
        let outcome = self.link.write(context, bytes);
        self.done(outcome)
    }

    fn scsi(
        &mut self,
        context: &LinkContext<'_>,
        timeout_ms: u32,
        cdb: &[u8],
        data: ScsiData<'_>,
    ) -> Result<ScsiStatus, LinkError> {
        let fate = self.fate(context);
        let spoilt = match fate {
            Fate::Fails(error) => return Err(error),
            Fate::Unheard => {
                context.time.advance(timeout_ms);
                return Err(LinkError::Timeout);
            }
            Fate::Spoilt => true,
            Fate::Fine => false,
        };
        let outcome = match data {
            ScsiData::From(buffer) if spoilt => {
                let given = self
                    .link
                    .scsi(context, timeout_ms, cdb, ScsiData::From(&mut *buffer));
                given.map(|mut status| {
                    let whole = buffer.len();
                    let left = self.spoil(buffer);
                    status.residue += u32::try_from(whole - left).unwrap_or(0);
                    status
                })
            }
            data => {
                if spoilt {
                    self.shared.struck.store(false, Ordering::SeqCst);
                }
                self.link.scsi(context, timeout_ms, cdb, data)
            }
        };
        self.done(outcome)
    }

    fn configure_serial(
        &mut self,
        baud: u32,
        data_bits: u32,
        parity: u32,
        stop_bits: u32,
    ) -> Result<(), LinkError> {
        self.link
            .configure_serial(baud, data_bits, parity, stop_bits)
    }
}
