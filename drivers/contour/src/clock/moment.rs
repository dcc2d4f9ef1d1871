//! A clock that runs, as moments of it and of the host.

use glucopipe_sdk::chrono::{NaiveDateTime, TimeDelta, Timelike};

/// A full minute that began no longer ago is still aimed at.
const LATE_MS: u64 = 1_000;
const MINUTE_MS: u64 = 60_000;

/// What a clock shows at a time of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) local: NaiveDateTime,
    pub(super) at_ms: u64,
}

impl Moment {
    /// What it shows at another time.
    pub(super) fn at(self, ms: u64) -> NaiveDateTime {
        let span = |ms| TimeDelta::milliseconds(i64::try_from(ms).unwrap_or(0));
        let later = span(ms.saturating_sub(self.at_ms));
        let earlier = span(self.at_ms.saturating_sub(ms));
        let moved = self.local.checked_add_signed(later - earlier);
        moved.unwrap_or(self.local)
    }

    /// When it shows a full minute: the one that has just begun, or else the next.
    pub(super) fn full_minute(self, now_ms: u64) -> Self {
        let shown = self.at(now_ms);
        let gone = shown - minutes(shown);
        let gone = u64::try_from(gone.num_milliseconds()).unwrap_or(0);
        let (local, at_ms) = if gone <= LATE_MS {
            (shown, now_ms.saturating_sub(gone))
        } else {
            let at_ms = now_ms.saturating_add(MINUTE_MS.saturating_sub(gone));
            (self.at(at_ms), at_ms)
        };
        let local = minutes(local);
        Self { local, at_ms }
    }

    /// Whether a clock of minutes, set to this or to less of its minute, may show that by now.
    pub(super) fn agrees(self, shown: NaiveDateTime, now_ms: u64) -> bool {
        (minutes(self.local)..=self.at(now_ms)).contains(&shown)
    }
}

/// The same without seconds.
pub(super) fn minutes(local: NaiveDateTime) -> NaiveDateTime {
    let whole = local.with_second(0);
    let whole = whole.and_then(|whole| whole.with_nanosecond(0));
    whole.unwrap_or(local)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> NaiveDateTime {
        text.parse().unwrap()
    }

    #[test]
    fn full_minute_is_the_next_or_the_one_that_has_just_begun() {
        let at_ms = 500;
        for (wish, now_ms, local, due_ms) in [
            ("2026-05-30T18:05:00", 500, "2026-05-30T18:05:00", 500),
            ("2026-05-30T18:05:00", 1_500, "2026-05-30T18:05:00", 500),
            ("2026-05-30T18:05:00", 1_501, "2026-05-30T18:06:00", 60_500),
            ("2026-05-30T18:05:01", 500, "2026-05-30T18:05:00", 0),
            ("2026-05-30T18:05:30", 500, "2026-05-30T18:06:00", 30_500),
            ("2026-12-31T23:59:30", 500, "2027-01-01T00:00:00", 30_500),
            ("2026-12-31T23:59:59", 1_700, "2027-01-01T00:00:00", 1_500),
        ] {
            let local = time(local);
            let wish = Moment {
                local: time(wish),
                at_ms,
            };
            let minute = Moment {
                local,
                at_ms: due_ms,
            };
            assert_eq!(wish.full_minute(now_ms), minute, "{wish:?} {now_ms}");
        }
    }

    #[test]
    fn agreeing_clocks_show_a_minute_that_has_come() {
        let minute = Moment {
            local: time("2026-12-31T23:59:00"),
            at_ms: 1_000,
        };
        for (shown, now_ms, agrees) in [
            ("2026-12-31T23:58:00", 2_000, false),
            ("2026-12-31T23:59:00", 2_000, true),
            ("2027-01-01T00:00:00", 60_999, false),
            ("2027-01-01T00:00:00", 61_000, true),
            ("2026-12-30T23:59:00", 2_000, false),
        ] {
            assert_eq!(
                minute.agrees(time(shown), now_ms),
                agrees,
                "{shown} {now_ms}"
            );
        }
    }

    #[test]
    fn clocks_at_the_end_of_time_stand_still() {
        let end = Moment {
            local: NaiveDateTime::MAX,
            at_ms: 0,
        };
        assert_eq!(end.at(u64::MAX), NaiveDateTime::MAX);
        assert_eq!(end.at(1_000), NaiveDateTime::MAX);
    }
}
