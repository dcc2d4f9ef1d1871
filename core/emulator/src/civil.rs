//! Local civil time as a meter shows it: no zone, no leap seconds.

use std::fmt;

const SECONDS_PER_DAY: i64 = 86_400;
const EPOCH_YEAR: u16 = 1970;
const LAST_YEAR: u16 = 9999;

/// A date and time of day on a meter's own clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalTime {
    /// Year, 1970 to 9999.
    pub year: u16,
    /// Month, 1 to 12.
    pub month: u8,
    /// Day of the month, from 1.
    pub day: u8,
    /// Hour, 0 to 23.
    pub hour: u8,
    /// Minute, 0 to 59.
    pub minute: u8,
    /// Second, 0 to 59.
    pub second: u8,
}

impl LocalTime {
    /// Builds a time; `None` when a part is outside its range.
    pub fn new(year: u16, month: u8, day: u8, hour: u8, minute: u8, second: u8) -> Option<Self> {
        let valid = (EPOCH_YEAR..=LAST_YEAR).contains(&year)
            && (1..=12).contains(&month)
            && (1..=month_length(year, month)).contains(&day)
            && hour < 24
            && minute < 60
            && second < 60;
        valid.then_some(Self {
            year,
            month,
            day,
            hour,
            minute,
            second,
        })
    }

    /// Reads `YYYY-MM-DDTHH:MM[:SS]`; a blank may stand in place of the `T`.
    pub fn parse(text: &str) -> Option<Self> {
        let (date, time) = text.split_once(['T', 't', ' '])?;
        let mut date = date.split('-');
        let (year, month, day) = (date.next()?, date.next()?, date.next()?);
        let mut time = time.split(':');
        let (hour, minute) = (time.next()?, time.next()?);
        let second = time.next().unwrap_or("00");
        if date.next().is_some() || time.next().is_some() {
            return None;
        }
        Self::new(
            number(year, 4)?,
            u8::try_from(number(month, 2)?).ok()?,
            u8::try_from(number(day, 2)?).ok()?,
            u8::try_from(number(hour, 2)?).ok()?,
            u8::try_from(number(minute, 2)?).ok()?,
            u8::try_from(number(second, 2)?).ok()?,
        )
    }

    /// Seconds since 1970-01-01T00:00:00 on the same clock.
    pub fn to_seconds(self) -> i64 {
        let mut days = days_before_year(self.year);
        for month in 1..self.month {
            days += i64::from(month_length(self.year, month));
        }
        days += i64::from(self.day) - 1;
        let minutes = i64::from(self.hour) * 60 + i64::from(self.minute);
        days * SECONDS_PER_DAY + minutes * 60 + i64::from(self.second)
    }

    /// The time that many seconds after 1970-01-01T00:00:00, kept within the years 1970 to 9999.
    pub fn from_seconds(seconds: i64) -> Self {
        let last = days_before_year(LAST_YEAR + 1) * SECONDS_PER_DAY - 1;
        let seconds = seconds.clamp(0, last);
        let mut days = seconds / SECONDS_PER_DAY;
        let rest = seconds % SECONDS_PER_DAY;
        // 366 never overshoots, so the year only has to be walked forward.
        let mut year = EPOCH_YEAR + u16::try_from(days / 366).unwrap_or(0);
        days -= days_before_year(year);
        while days >= year_length(year) {
            days -= year_length(year);
            year += 1;
        }
        let mut month = 1;
        while days >= i64::from(month_length(year, month)) {
            days -= i64::from(month_length(year, month));
            month += 1;
        }
        Self {
            year,
            month,
            day: small(days + 1),
            hour: small(rest / 3600),
            minute: small(rest / 60 % 60),
            second: small(rest % 60),
        }
    }

    /// The time that many seconds later (earlier when negative).
    pub fn plus_seconds(self, seconds: i64) -> Self {
        Self::from_seconds(self.to_seconds().saturating_add(seconds))
    }

    /// The same minute with second 00.
    pub fn without_seconds(self) -> Self {
        Self { second: 0, ..self }
    }

    /// `YYYYMMDDHHMM`, with `SS` behind it on request.
    pub fn digits(self, seconds: bool) -> String {
        let Self {
            year,
            month,
            day,
            hour,
            minute,
            second,
        } = self;
        let text = format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}");
        if seconds {
            format!("{text}{second:02}")
        } else {
            text
        }
    }
}

impl fmt::Display for LocalTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            year,
            month,
            day,
            hour,
            minute,
            second,
        } = self;
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"
        )
    }
}

fn number(text: &str, width: usize) -> Option<u16> {
    let digits = text.len() == width && text.bytes().all(|b| b.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

fn small(value: i64) -> u8 {
    u8::try_from(value).unwrap_or(0)
}

fn is_leap(year: u16) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn year_length(year: u16) -> i64 {
    if is_leap(year) { 366 } else { 365 }
}

fn month_length(year: u16, month: u8) -> u8 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn days_before_year(year: u16) -> i64 {
    let leaps = |y: i64| y / 4 - y / 100 + y / 400;
    let (from, to) = (i64::from(EPOCH_YEAR) - 1, i64::from(year) - 1);
    (to - from) * 365 + leaps(to) - leaps(from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_dates_counted_by_hand() {
        assert_eq!(
            LocalTime::parse("1970-01-02T00:00:01")
                .unwrap()
                .to_seconds(),
            86_401
        );
        assert_eq!(
            LocalTime::parse("2000-03-01T00:00").unwrap().to_seconds(),
            951_868_800
        );
        assert_eq!(
            LocalTime::parse("2026-05-30 18:05")
                .unwrap()
                .plus_seconds(7 * 3600)
                .to_string(),
            "2026-05-31T01:05:00"
        );
    }

    #[test]
    fn returns_every_day_of_two_centuries_unchanged() {
        for day in 0..73_000 {
            let seconds = day * SECONDS_PER_DAY + 45_296;
            let time = LocalTime::from_seconds(seconds);
            assert_eq!(time.to_seconds(), seconds, "{time}");
            assert_eq!(LocalTime::parse(&time.to_string()), Some(time));
        }
    }

    #[test]
    fn rejects_times_that_no_calendar_has() {
        for text in [
            "2026-02-29T00:00",
            "2026-13-01T00:00",
            "2026-1-01T00:00",
            "2026-01-01",
            "",
        ] {
            assert_eq!(LocalTime::parse(text), None, "{text}");
        }
        assert_eq!(LocalTime::parse("2026-01-01T24:00:00"), None);
        assert_eq!(LocalTime::parse("2026-01-01T00:00:00:00"), None);
    }
}
