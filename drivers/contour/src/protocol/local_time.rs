//! The meter's own time: local, without zone, to the minute or the second.

use std::fmt;

/// A valid calendar date and time of day as the meter shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LocalTime {
    /// Year, 1 to 9999.
    pub year: u16,
    /// Month, 1 to 12.
    pub month: u8,
    /// Day of the month, from 1.
    pub day: u8,
    /// Hour, 0 to 23.
    pub hour: u8,
    /// Minute, 0 to 59.
    pub minute: u8,
    /// Second, 0 to 59; `None` where the meter sends minutes only.
    pub second: Option<u8>,
}

impl LocalTime {
    /// Reads `YYYYMMDDHHMM` or `YYYYMMDDHHMMSS`; `None` for any other text and impossible times.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let second = match text.len() {
            12 => None,
            14 => Some(two_digits(text, 12)?),
            _ => return None,
        };
        let century = u16::from(two_digits(text, 0)?);
        let time = Self {
            year: century * 100 + u16::from(two_digits(text, 2)?),
            month: two_digits(text, 4)?,
            day: two_digits(text, 6)?,
            hour: two_digits(text, 8)?,
            minute: two_digits(text, 10)?,
            second,
        };
        let possible = time.year > 0
            && (1..=days_in_month(time.year, time.month)).contains(&time.day)
            && time.hour < 24
            && time.minute < 60
            && time.second.is_none_or(|second| second < 60);
        possible.then_some(time)
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
            ..
        } = self;
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}")?;
        self.second
            .map_or(Ok(()), |second| write!(f, ":{second:02}"))
    }
}

fn two_digits(text: &[u8], at: usize) -> Option<u8> {
    let pair: &[u8; 2] = text.get(at..)?.first_chunk()?;
    match pair {
        [b'0'..=b'9', b'0'..=b'9'] => Some((pair[0] - b'0') * 10 + (pair[1] - b'0')),
        _ => None,
    }
}

/// Days of a month of the Gregorian calendar; 0 for a month that does not exist.
fn days_in_month(year: u16, month: u8) -> u8 {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_minutes_and_seconds() {
        let minutes = LocalTime::parse(b"202605301805").unwrap();
        assert_eq!(minutes.to_string(), "2026-05-30T18:05");
        assert_eq!(minutes.second, None);
        let seconds = LocalTime::parse(b"20260530180500").unwrap();
        assert_eq!(seconds.to_string(), "2026-05-30T18:05:00");
        assert!(minutes < seconds);
    }

    #[test]
    fn knows_leap_years() {
        assert!(LocalTime::parse(b"202402290000").is_some());
        assert!(LocalTime::parse(b"200002290000").is_some());
        assert!(LocalTime::parse(b"202602290000").is_none());
        assert!(LocalTime::parse(b"210002290000").is_none());
    }

    #[test]
    fn refuses_impossible_times_and_other_texts() {
        let bad = [
            "",
            "20260530",
            "2026053018051",
            "202613301805",
            "202600301805",
            "202605001805",
        ];
        let worse = [
            "202606311805",
            "202605302400",
            "202605301860",
            "20260530180560",
        ];
        for text in
            bad.into_iter()
                .chain(worse)
                .chain(["2026053018:5", "000005301805", "+02605301805"])
        {
            assert_eq!(LocalTime::parse(text.as_bytes()), None, "{text}");
        }
    }
}
