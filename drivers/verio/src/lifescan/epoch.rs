//! Seconds as the meters count them: of civil time by the meter's own clock, without a zone.

use glucopipe_sdk::chrono::{DateTime, NaiveDateTime};

/// Where the meters of a family count from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Epoch {
    /// 1970-01-01: UltraEasy and UltraMini (other programs).
    Year1970,
    /// 2000-01-01: the Verio family (captured) and VerioIQ (other programs).
    Year2000,
}

impl Epoch {
    /// Seconds from 1970-01-01 to the epoch.
    const fn start(self) -> i64 {
        match self {
            Self::Year1970 => 0,
            Self::Year2000 => 946_684_800,
        }
    }

    /// Turns counted seconds into civil time.
    pub fn civil(self, seconds: u32) -> NaiveDateTime {
        DateTime::from_timestamp(self.start() + i64::from(seconds), 0)
            .unwrap_or_default()
            .naive_utc()
    }

    /// Turns civil time into counted seconds; `None` before the epoch and past 32 bits.
    pub fn seconds(self, civil: NaiveDateTime) -> Option<u32> {
        u32::try_from(civil.and_utc().timestamp() - self.start()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_from_its_epoch() {
        let civil = Epoch::Year2000.civil(0x31ad_e34c);
        assert_eq!(civil.to_string(), "2026-05-30 18:05:00");
        assert_eq!(Epoch::Year2000.seconds(civil), Some(0x31ad_e34c));
        assert_eq!(
            Epoch::Year1970.civil(0x15180).to_string(),
            "1970-01-02 00:00:00"
        );
    }

    #[test]
    fn every_count_is_a_time_and_comes_back() {
        for seconds in [0, 1, 946_684_800, u32::MAX] {
            for epoch in [Epoch::Year1970, Epoch::Year2000] {
                assert_eq!(epoch.seconds(epoch.civil(seconds)), Some(seconds));
            }
        }
    }

    #[test]
    fn refuses_times_before_the_epoch() {
        let before = Epoch::Year1970.civil(0);
        assert_eq!(Epoch::Year2000.seconds(before), None);
    }
}
