//! A moment as a `filter` names it: by the meter's clock, by UTC, or before the run.

use chrono::{DateTime, NaiveDate, NaiveDateTime};

const HOUR_US: i64 = 3_600_000_000;

/// A moment, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// What the meter showed.
    Local(i64),
    /// UTC.
    Instant(i64),
    /// This long before the run.
    BeforeRun(i64),
}

impl Moment {
    /// `2026-01-01`, `2026-01-01T06:00:00`, the same with `Z` or an offset, `12h`, `30d`, `2w`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Some(us) = before_run(text) {
            return Some(Self::BeforeRun(us));
        }
        // `%Y` would take the year 26.
        if !text.is_ascii() || text.as_bytes().get(4) != Some(&b'-') || text.len() < 10 {
            return None;
        }
        let (date, rest) = text.split_at(10);
        if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
            let midnight = date.and_hms_opt(0, 0, 0)?;
            return Some(Self::Local(midnight.and_utc().timestamp_micros()));
        }
        let rest = rest.strip_prefix(['T', 't', ' '])?.to_ascii_uppercase();
        for format in ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M"] {
            let text = format!("{date}T{rest}");
            if let Ok(local) = NaiveDateTime::parse_from_str(&text, format) {
                return Some(Self::Local(local.and_utc().timestamp_micros()));
            }
            let text = text
                .strip_suffix('Z')
                .map(|text| format!("{text}+00:00"))
                .unwrap_or(text);
            if let Ok(moment) = DateTime::parse_from_str(&text, &format!("{format}%:z")) {
                return Some(Self::Instant(moment.timestamp_micros()));
            }
        }
        None
    }
}

fn before_run(text: &str) -> Option<i64> {
    let count = text.strip_suffix(['h', 'd', 'w'])?;
    let hours = match text.as_bytes().last()? {
        b'h' => 1,
        b'd' => 24,
        _ => 24 * 7,
    };
    if !count.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // Ten thousand years are enough, and far from overflow.
    let hours = count.parse::<i64>().ok()?.checked_mul(hours)?;
    (hours <= 24 * 3_652_500).then(|| hours * HOUR_US)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn us(text: &str) -> i64 {
        text.parse::<DateTime<chrono::Utc>>()
            .unwrap()
            .timestamp_micros()
    }

    #[test]
    fn reads_dates_times_and_spans() {
        let new_year = us("2026-01-01T00:00:00Z");
        assert_eq!(Moment::parse("2026-01-01"), Some(Moment::Local(new_year)));
        let six = us("2026-01-01T06:00:00Z");
        for text in [
            "2026-01-01T06:00:00",
            "2026-01-01 06:00:00",
            "2026-01-01T06:00",
            "2026-01-01t06:00:00.000",
        ] {
            assert_eq!(Moment::parse(text), Some(Moment::Local(six)), "{text}");
        }
        for text in [
            "2026-01-01T06:00:00Z",
            "2026-01-01T08:00:00+02:00",
            "2026-01-01T06:00Z",
            "2026-01-01 01:00:00.0-05:00",
        ] {
            assert_eq!(Moment::parse(text), Some(Moment::Instant(six)), "{text}");
        }
        assert_eq!(Moment::parse("12h"), Some(Moment::BeforeRun(12 * HOUR_US)));
        assert_eq!(Moment::parse("30d"), Some(Moment::BeforeRun(720 * HOUR_US)));
        assert_eq!(Moment::parse("2w"), Some(Moment::BeforeRun(336 * HOUR_US)));
    }

    #[test]
    fn refuses_everything_else() {
        for text in [
            "",
            "h",
            "-1d",
            "1.5d",
            "30",
            "30m",
            "99999999999999999999d",
            "9999999999d",
            "2026",
            "2026-13-01",
            "2026-02-30",
            "26-01-01",
            "01.02.2026",
            "2026-01-01T25:00",
            "2026-01-01T06",
            "06:00:00",
            "yesterday",
            "2026-01-01T06:00:00 Europe/Athens",
            "２０２６-01-01",
            "+2026-01-01",
        ] {
            assert_eq!(Moment::parse(text), None, "{text}");
        }
    }
}
