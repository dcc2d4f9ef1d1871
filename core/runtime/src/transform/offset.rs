//! How far the meter's clock is off, and what is said of it.

use glucopipe_sdk::driver::DeviceInfo;

use super::zone::Zone;
use crate::problem::{Code, Place, Problem};

const SECOND_US: i64 = 1_000_000;
const MINUTE_S: i64 = 60;
/// Up to here nothing is said.
const FINE_S: i64 = 2 * MINUTE_S;
/// Offsets this near to a multiple of a quarter of an hour, from half an hour up, are not drift:
/// that is what zones and daylight saving are made of.
const NEAR_QUARTER_S: i64 = 5 * MINUTE_S;
const QUARTER_S: i64 = 15 * MINUTE_S;
const HALF_HOUR_S: i64 = 30 * MINUTE_S;

/// A measured clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ClockOffset {
    /// Meter clock minus wall time, seconds.
    pub(super) seconds: i64,
    /// Half of what the clock resolves, at least a second.
    pub(super) uncertainty_s: i64,
    /// The meter's clock as civil time in microseconds.
    pub(super) meter_us: i64,
    /// The computer's clock as civil time of the zone in microseconds.
    wall_us: i64,
}

impl ClockOffset {
    /// Measures; `None` when the meter told no clock.
    pub(super) fn measure(device: &DeviceInfo, zone: &Zone) -> Option<Self> {
        let meter_us = device.clock?.and_utc().timestamp_micros();
        let read_us = device.clock_read_us?;
        let wall_us = read_us.checked_add(zone.at(read_us).us)?;
        let by_minutes = device
            .clock_resolution_s
            .is_some_and(|resolution| resolution >= 60);
        // A clock of minutes showed this minute for 0 to 59 s.
        let half = if by_minutes { 30 } else { 0 };
        // Both clocks cut off what they do not show, so whole seconds are compared.
        let seconds = meter_us.div_euclid(SECOND_US) + half - wall_us.div_euclid(SECOND_US);
        Some(Self {
            seconds,
            uncertainty_s: half.max(1),
            meter_us,
            wall_us,
        })
    }

    /// What to subtract from times: nothing while the offset is not larger than the measurement can
    /// tell, or the same reading would get another `time` at every read.
    pub(super) fn correction_s(self) -> i64 {
        if self.seconds.abs() <= 2 * self.uncertainty_s {
            0
        } else {
            self.seconds
        }
    }

    /// Whether zones or daylight saving explain it better than drift.
    fn like_a_zone(self) -> bool {
        let off = self.seconds.abs();
        let beyond = (off + QUARTER_S / 2) % QUARTER_S - QUARTER_S / 2;
        let multiple = off - beyond;
        multiple >= HALF_HOUR_S && beyond.abs() <= NEAR_QUARTER_S
    }

    /// What the user should know, if anything.
    pub(super) fn warning(self, source: &str, zone: &str, corrected: bool) -> Option<Problem> {
        if self.seconds.abs() <= FINE_S {
            return None;
        }
        let side = if self.seconds < 0 {
            "behind"
        } else {
            "ahead of"
        };
        let title = format!(
            "meter clock is {} {side} this computer",
            duration(self.seconds.abs())
        );
        let showed = format!(
            "the meter showed {}, this computer {} in `{zone}`",
            self.shown(self.meter_us),
            self.shown(self.wall_us)
        );
        let mut problem = Problem::warning(Code::CLOCK_OFFSET, title)
            .at(Place::Named(format!("sources.{source}")))
            .cause(showed);
        let zone_like = self.like_a_zone();
        if zone_like {
            problem = problem.cause(
                "a multiple of 15 minutes is often a time zone or daylight saving, not drift",
            );
        } else if self.seconds.abs() > QUARTER_S {
            problem =
                problem.cause("this is more than drift: the clock was set wrong or lost power");
        }
        problem = problem.kept(if corrected {
            "times were corrected by it; `local_time` is what the meter showed"
        } else {
            "times were not changed"
        });
        Some(problem.hint(match (zone_like, corrected) {
            (true, _) => {
                "check `timezone`, and the meter's clock for daylight saving"
            }
            (false, true) => "set the meter's clock",
            (false, false) => {
                "set the meter's clock; `correct_drift = true` subtracts the offset from what is read"
            }
        }))
    }

    /// A clock's time, with its date when the two differ in it.
    fn shown(self, us: i64) -> String {
        let moment = chrono::DateTime::from_timestamp_micros(us).unwrap_or_default();
        let day_us = 86_400 * SECOND_US;
        let same_day = self.meter_us.div_euclid(day_us) == self.wall_us.div_euclid(day_us);
        moment
            .format(if same_day { "%H:%M" } else { "%Y-%m-%d %H:%M" })
            .to_string()
    }
}

/// `3 h 00 min`, to the minute.
fn duration(seconds: i64) -> String {
    let minutes = (seconds + 30) / 60;
    let (days, hours, rest) = (minutes / 1440, minutes / 60 % 24, minutes % 60);
    match (days, hours) {
        (0, 0) => format!("{rest} min"),
        (0, _) => format!("{hours} h {rest:02} min"),
        _ => format!("{days} d {hours} h {rest:02} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offset(seconds: i64) -> ClockOffset {
        let wall_us = 1_780_000_000 * SECOND_US;
        ClockOffset {
            seconds,
            uncertainty_s: 1,
            meter_us: wall_us + seconds * SECOND_US,
            wall_us,
        }
    }

    fn device(clock: &str, resolution: u32, read: &str) -> DeviceInfo {
        DeviceInfo {
            clock: Some(clock.parse().unwrap()),
            clock_resolution_s: Some(resolution),
            clock_read_us: Some(
                read.parse::<chrono::DateTime<chrono::Utc>>()
                    .unwrap()
                    .timestamp_micros(),
            ),
            ..DeviceInfo::default()
        }
    }

    #[test]
    fn measures_against_the_wall_time_of_the_zone() {
        let athens = Zone::new(chrono_tz::Europe::Athens);
        let of = |clock, resolution, read| {
            ClockOffset::measure(&device(clock, resolution, read), &athens)
                .map(|offset| offset.seconds)
        };
        assert_eq!(
            of("2026-05-30T18:05:00", 1, "2026-05-30T15:05:00.900Z"),
            Some(0)
        );
        assert_eq!(
            of("2026-05-30T18:05:07", 1, "2026-05-30T15:05:00Z"),
            Some(7)
        );
        assert_eq!(
            of("2026-01-30T17:05:00", 1, "2026-01-30T15:05:00Z"),
            Some(0)
        );
        assert_eq!(
            of("2026-05-30T18:05:00", 60, "2026-05-30T15:05:30Z"),
            Some(0)
        );
        assert_eq!(
            of("2026-05-30T18:05:00", 60, "2026-05-30T15:05:59Z"),
            Some(-29)
        );
        assert_eq!(
            of("2026-05-30T15:05:00", 1, "2026-05-30T15:05:00Z"),
            Some(-10_800)
        );
        assert_eq!(ClockOffset::measure(&DeviceInfo::default(), &athens), None);
        let clock_only = DeviceInfo {
            clock_read_us: None,
            ..device("2026-05-30T15:05:00", 1, "2026-05-30T15:05:00Z")
        };
        assert_eq!(ClockOffset::measure(&clock_only, &athens), None);
    }

    #[test]
    fn what_the_measurement_cannot_tell_is_not_corrected() {
        for (seconds, uncertainty_s, correction) in
            [(0, 1, 0), (-2, 1, 0), (3, 1, 3), (-60, 30, 0), (61, 30, 61)]
        {
            let measured = ClockOffset {
                uncertainty_s,
                ..offset(seconds)
            };
            assert_eq!(measured.correction_s(), correction);
        }
    }

    #[test]
    fn two_minutes_are_fine() {
        for seconds in [0, 119, 120, -120] {
            assert_eq!(offset(seconds).warning("meter", "UTC", false), None);
        }
        assert!(offset(121).warning("meter", "UTC", false).is_some());
    }

    #[test]
    fn knows_what_zones_are_made_of() {
        for (seconds, expected) in [
            (3600, true),
            (-3600, true),
            (3600 + 300, true),
            (3600 + 301, false),
            (1800, true),
            (1800 - 300, true),
            (1800 - 301, false),
            (900, false),
            (900 + 300, false),
            (20_700, true),
            (3600 + 449, false),
        ] {
            assert_eq!(offset(seconds).like_a_zone(), expected, "{seconds}");
        }
    }

    #[test]
    fn says_what_how_much_and_what_to_do() {
        let problem = offset(-10_800)
            .warning("meter", "Europe/Prague", false)
            .unwrap();
        assert_eq!(
            problem.title,
            "meter clock is 3 h 00 min behind this computer"
        );
        assert_eq!(problem.code, Code::CLOCK_OFFSET);
        assert_eq!(problem.kept.as_deref(), Some("times were not changed"));
        assert!(problem.hint.unwrap().contains("daylight saving"));
        let problem = offset(600).warning("meter", "UTC", true).unwrap();
        assert_eq!(
            problem.title,
            "meter clock is 10 min ahead of this computer"
        );
        assert_eq!(problem.causes.len(), 1);
        assert!(problem.kept.unwrap().starts_with("times were corrected"));
        assert!(!problem.hint.unwrap().contains("correct_drift"));
        let problem = offset(-26 * 365 * 86_400)
            .warning("meter", "UTC", false)
            .unwrap();
        assert_eq!(
            problem.title,
            "meter clock is 9490 d 0 h 00 min behind this computer"
        );
    }
}
