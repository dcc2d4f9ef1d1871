//! The computer's clock, injected so that tests and reproducible runs can hold it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use chrono::{DateTime, Local, NaiveDateTime, Utc};

/// Where "now" comes from.
#[derive(Clone, Debug)]
pub enum Clock {
    /// The system's clock.
    System,
    /// A clock that stands still, and whose local zone is UTC.
    Fixed(DateTime<Utc>),
}

impl Clock {
    /// Now.
    pub fn now(&self) -> DateTime<Utc> {
        match self {
            #[allow(clippy::disallowed_methods)] // the one place that asks the system
            Self::System => Utc::now(),
            Self::Fixed(now) => *now,
        }
    }

    /// Name of the zone of this computer, where the system has one.
    pub fn zone(&self) -> Option<String> {
        match self {
            Self::System => iana_time_zone::get_timezone().ok(),
            Self::Fixed(_) => Some("UTC".to_owned()),
        }
    }

    /// Civil time of an instant in the zone of this computer.
    pub fn local(&self, instant: DateTime<Utc>) -> NaiveDateTime {
        match self {
            Self::System => instant.with_timezone(&Local).naive_local(),
            Self::Fixed(_) => instant.naive_utc(),
        }
    }
}

/// Time of one operation: the computer's, plus what a virtual meter has pretended to take.
#[derive(Clone, Debug)]
pub struct OperationTime {
    clock: Clock,
    started: Instant,
    pretended_ms: Arc<AtomicU64>,
}

impl OperationTime {
    /// Time from now on.
    pub fn start(clock: Clock) -> Self {
        Self {
            clock,
            started: Instant::now(),
            pretended_ms: Arc::default(),
        }
    }

    /// Lets time pass without waiting.
    pub fn advance(&self, ms: u32) {
        self.pretended_ms.fetch_add(u64::from(ms), Ordering::SeqCst);
    }

    /// Microseconds since 1970-01-01 UTC.
    pub fn utc_us(&self) -> i64 {
        let pretended = i64::try_from(self.pretended_ms.load(Ordering::SeqCst)).unwrap_or(0);
        self.clock
            .now()
            .timestamp_micros()
            .saturating_add(pretended.saturating_mul(1000))
    }

    /// Milliseconds since the start.
    pub fn monotonic_ms(&self) -> u64 {
        let real = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        real.saturating_add(self.pretended_ms.load(Ordering::SeqCst))
    }
}
