//! Times: ISO 8601, to the second, with a fraction only where there is one; and as other programs show them.

use std::io::Write as _;

use arrow::buffer::ScalarBuffer;

use super::cells::{BLOCK, append_block};
use super::row::all_same;

const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;
/// Of 400 years, after which the calendar repeats.
const DAYS_PER_ERA: i64 = 146_097;
const DAYS_FROM_0000_03_01_TO_1970: i64 = 719_468;

/// How a time is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeForm {
    /// In which order the date comes.
    pub date: DateOrder,
    /// Between date and time of day.
    pub between: u8,
    /// How exact it is; what is beyond is cut off.
    pub precision: Precision,
}

/// In which order a date comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateOrder {
    /// `2024-03-01`; years beyond four digits have a sign, as ISO 8601 asks for.
    YearFirst,
    /// `01-03-2024`.
    DayFirst,
    /// `03-01-2024`.
    MonthFirst,
}

/// How exact a time is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// Seconds, with a fraction where there is one.
    Fraction,
    /// Seconds.
    Seconds,
    /// Minutes.
    Minutes,
}

impl TimeForm {
    /// `2024-03-01T05:15:00`, with a fraction where there is one.
    pub const ISO: Self = Self {
        date: DateOrder::YearFirst,
        between: b'T',
        precision: Precision::Fraction,
    };
    /// `2024-03-01 05:15:00`, whole seconds, as most programs show times.
    pub const PLAIN: Self = Self {
        date: DateOrder::YearFirst,
        between: b' ',
        precision: Precision::Seconds,
    };
}

/// A column of times as text, between what the format puts around each.
///
/// Remembers the last one, and its day: readings come in order.
pub struct Moments {
    micros: ScalarBuffer<i64>,
    form: TimeForm,
    before: String,
    after: String,
    last: Option<i64>,
    /// Day of `text`, in days since 1970-01-01.
    day: Option<i64>,
    /// The last cell, with room behind it, and how long it is.
    text: Vec<u8>,
    length: usize,
    /// Where the time of day begins in `text`.
    date_end: usize,
}

impl Moments {
    /// A column in microseconds since 1970-01-01T00:00:00, with a text before and after each time; a
    /// time in UTC has its `Z` there.
    pub fn new(
        micros: ScalarBuffer<i64>,
        form: TimeForm,
        before: impl Into<String>,
        after: impl Into<String>,
    ) -> Self {
        Self {
            micros,
            form,
            before: before.into(),
            after: after.into(),
            last: None,
            day: None,
            text: Vec::with_capacity(96),
            length: 0,
            date_end: 0,
        }
    }

    /// Whether all rows have the same time.
    pub(super) fn is_same(&self) -> bool {
        all_same(self.micros.iter())
    }

    /// Appends the time of a row, with what is before and after it.
    #[inline]
    pub fn append(&mut self, row: usize, out: &mut Vec<u8>) {
        let micros = self.micros[row];
        if self.last != Some(micros) {
            self.set(micros);
        }
        append_block(&self.text, self.length, out);
    }

    fn set(&mut self, micros: i64) {
        let day = micros.div_euclid(MICROS_PER_DAY);
        if self.day == Some(day) {
            self.text.truncate(self.date_end);
        } else {
            self.text.clear();
            self.text.extend_from_slice(self.before.as_bytes());
            append_date(day, self.form.date, &mut self.text);
            self.text.push(self.form.between);
            self.date_end = self.text.len();
            self.day = Some(day);
        }
        let micros_of_day = micros.rem_euclid(MICROS_PER_DAY);
        append_time(micros_of_day / MICROS_PER_SECOND, &mut self.text);
        match self.form.precision {
            Precision::Fraction => {
                append_fraction(micros_of_day % MICROS_PER_SECOND, &mut self.text);
            }
            Precision::Seconds => {}
            Precision::Minutes => self.text.truncate(self.date_end + "05:15".len()),
        }
        self.text.extend_from_slice(self.after.as_bytes());
        self.length = self.text.len();
        self.text.extend([0; BLOCK]);
        self.last = Some(micros);
    }
}

fn append_date(day: i64, order: DateOrder, out: &mut Vec<u8>) {
    let (year, month, day) = civil(day);
    // Writing to memory does not fail.
    let _ = match order {
        DateOrder::YearFirst if (0..=9999).contains(&year) => {
            write!(out, "{year:04}-{month:02}-{day:02}")
        }
        DateOrder::YearFirst => write!(out, "{year:+05}-{month:02}-{day:02}"),
        DateOrder::DayFirst => write!(out, "{day:02}-{month:02}-{year:04}"),
        DateOrder::MonthFirst => write!(out, "{month:02}-{day:02}-{year:04}"),
    };
}

/// Reads back a time of a form that puts the year first, in microseconds since 1970-01-01T00:00:00; `None`
/// for any other text.
pub fn parse_time(text: &[u8], between: u8) -> Option<i64> {
    let split = match text {
        // Only a year beyond four digits has a sign in front.
        [b'+' | b'-', rest @ ..] => 1 + rest.iter().position(|&byte| byte == between)?,
        _ => "2024-03-01".len(),
    };
    let (date, time) = text.split_at_checked(split)?;
    let (&[found, h1, h2, b':', m1, m2, b':', s1, s2], fraction) = time.split_first_chunk()? else {
        return None;
    };
    let (hour, minute, second) = (number(&[h1, h2])?, number(&[m1, m2])?, number(&[s1, s2])?);
    if found != between || hour >= 24 || minute >= 60 || second >= 60 {
        return None;
    }
    let micros = match fraction {
        [] => 0,
        [b'.', digits @ ..] => parse_fraction(digits)?,
        _ => return None,
    };
    let seconds = hour * 3600 + minute * 60 + second;
    parse_date(date)?
        .checked_mul(MICROS_PER_DAY)?
        .checked_add(seconds * MICROS_PER_SECOND + micros)
}

/// Days since 1970-01-01 of `2024-03-01`, or of a year beyond four digits with its sign.
fn parse_date(text: &[u8]) -> Option<i64> {
    let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = text else {
        let date: chrono::NaiveDate = std::str::from_utf8(text).ok()?.parse().ok()?;
        let since = date.signed_duration_since(chrono::NaiveDate::default());
        return Some(since.num_days());
    };
    let date = (
        number(&[y1, y2, y3, y4])?,
        number(&[m1, m2])?,
        number(&[d1, d2])?,
    );
    let day = day_of(date.0, date.1, date.2);
    // What is no date would be another one.
    (civil(day) == date).then_some(day)
}

fn number(digits: &[u8]) -> Option<i64> {
    digits.iter().try_fold(0, |number, digit| {
        digit
            .is_ascii_digit()
            .then(|| number * 10 + i64::from(digit - b'0'))
    })
}

/// Microseconds of one to six digits behind the point.
fn parse_fraction(digits: &[u8]) -> Option<i64> {
    let missing = 6_usize
        .checked_sub(digits.len())
        .filter(|_| !digits.is_empty())?;
    Some((0..missing).fold(number(digits)?, |micros, _| micros * 10))
}

/// `05:15:00`.
fn append_time(second_of_day: i64, out: &mut Vec<u8>) {
    let [hour_tens, hour] = two_digits(second_of_day / 3600);
    let [minute_tens, minute] = two_digits(second_of_day / 60 % 60);
    let [second_tens, second] = two_digits(second_of_day % 60);
    out.extend_from_slice(&[
        hour_tens,
        hour,
        b':',
        minute_tens,
        minute,
        b':',
        second_tens,
        second,
    ]);
}

/// `.25`, or nothing.
fn append_fraction(micros: i64, out: &mut Vec<u8>) {
    if micros == 0 {
        return;
    }
    let _ = write!(out, ".{micros:06}");
    while out.last() == Some(&b'0') {
        out.pop();
    }
}

fn two_digits(number: i64) -> [u8; 2] {
    let number = u8::try_from(number).unwrap_or(0);
    [b'0' + number / 10, b'0' + number % 10]
}

/// Year, month and day of a day since 1970-01-01, in the Gregorian calendar before its time too.
/// After <https://howardhinnant.github.io/date_algorithms.html#civil_from_days>: years begin in March,
/// so that the leap day is their last, and repeat every 400 years.
fn civil(day: i64) -> (i64, i64, i64) {
    let day = day + DAYS_FROM_0000_03_01_TO_1970;
    let era = day.div_euclid(DAYS_PER_ERA);
    let day_of_era = day.rem_euclid(DAYS_PER_ERA);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = (month_from_march + 2) % 12 + 1;
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_month)
}

/// The day since 1970-01-01 of a year, month and day: the way back of [`civil`].
fn day_of(year: i64, month: i64, day: i64) -> i64 {
    let year_from_march = year - i64::from(month <= 2);
    let era = year_from_march.div_euclid(400);
    let year_of_era = year_from_march.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = 365 * year_of_era + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * DAYS_PER_ERA + day_of_era - DAYS_FROM_0000_03_01_TO_1970
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Datelike};
    use proptest::prelude::*;

    use super::*;

    fn texts(micros: Vec<i64>) -> Vec<String> {
        let rows = micros.len();
        let mut moments = Moments::new(micros.into(), TimeForm::ISO, "", "Z");
        (0..rows).map(|row| text(&mut moments, row)).collect()
    }

    fn text(moments: &mut Moments, row: usize) -> String {
        let mut out = Vec::new();
        moments.append(row, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_is_around_stays_and_forms_differ() {
        let micros: ScalarBuffer<i64> = vec![-1, 250_000, 86_400_000_000].into();
        let of = |form| Moments::new(micros.clone(), form, "<", ">,");
        let mut quoted = of(TimeForm::ISO);
        assert_eq!(text(&mut quoted, 1), "<1970-01-01T00:00:00.25>,");
        assert_eq!(text(&mut quoted, 2), "<1970-01-02T00:00:00>,");
        let mut plain = of(TimeForm::PLAIN);
        assert_eq!(text(&mut plain, 0), "<1969-12-31 23:59:59>,");
        assert_eq!(text(&mut plain, 1), "<1970-01-01 00:00:00>,");
        for (date, expected) in [
            (DateOrder::DayFirst, "<31-12-1969 23:59>,"),
            (DateOrder::MonthFirst, "<12-31-1969 23:59>,"),
        ] {
            let precision = Precision::Minutes;
            let mut minutes = of(TimeForm {
                date,
                between: b' ',
                precision,
            });
            assert_eq!(text(&mut minutes, 0), expected);
        }
    }

    #[test]
    fn reads_no_other_times() {
        let iso = |text: &str| parse_time(text.as_bytes(), b'T');
        assert_eq!(iso("2024-03-01T05:15:00.25"), Some(1_709_270_100_250_000));
        assert_eq!(
            parse_time(b"2024-03-01 05:15:00", b' '),
            Some(1_709_270_100_000_000)
        );
        for other in [
            "",
            "2024-03-01",
            "2024-03-01 05:15:00",
            "2024-03-01T05:15",
            "2024-03-01T05:15:00Z",
            "2024-03-01T05:15:00.",
            "2024-03-01T05:15:00.+1",
            "2024-03-01T05:15:00.1234567",
            "2024-03-01T24:00:00",
            "2024-02-30T05:15:00",
            "01-03-2024T05:15:00",
            "9999999-01-01T00:00:00",
        ] {
            assert_eq!(iso(other), None, "{other}");
        }
        assert_eq!(parse_time(b"\xff2024-03-01T05:15:00", b'T'), None);
    }

    #[test]
    fn times_of_all_ages() {
        for (micros, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
            (-500_000, "1969-12-31T23:59:59.5Z"),
            (1_709_270_100_000_000, "2024-03-01T05:15:00Z"),
            (1_709_209_800_250_000, "2024-02-29T12:30:00.25Z"),
            (1_709_209_800_000_010, "2024-02-29T12:30:00.00001Z"),
            (4_133_980_799_000_000, "2100-12-31T23:59:59Z"),
            (253_402_300_800_000_000, "+10000-01-01T00:00:00Z"),
            (-62_167_219_200_000_000, "0000-01-01T00:00:00Z"),
            (-62_167_219_200_000_001, "-0001-12-31T23:59:59.999999Z"),
            (i64::MAX, "+294247-01-10T04:00:54.775807Z"),
            (i64::MIN, "-290308-12-21T19:59:05.224192Z"),
        ] {
            assert_eq!(texts(vec![micros, micros]), [text, text]);
        }
    }

    proptest! {
        #[test]
        fn dates_are_those_of_chrono(day in -90_000_000_i64..90_000_000) {
            let date = DateTime::from_timestamp(day * 86_400, 0).unwrap();
            let expected = (date.year().into(), date.month().into(), date.day().into());
            prop_assert_eq!(civil(day), expected);
            prop_assert_eq!(day_of(expected.0, expected.1, expected.2), day);
        }

        #[test]
        fn own_times_are_read_back(micros in -8_000_000_000_000_000_000_i64..8_000_000_000_000_000_000) {
            let mut moments = Moments::new(vec![micros].into(), TimeForm::ISO, "", "");
            prop_assert_eq!(parse_time(text(&mut moments, 0).as_bytes(), b'T'), Some(micros));
        }

        #[test]
        fn times_read_back_the_same(
            micros in prop::collection::vec(0_i64..4_200_000_000_000_000, 1..20),
        ) {
            for (&micros, text) in micros.iter().zip(texts(micros.clone())) {
                let back = DateTime::parse_from_rfc3339(&text).unwrap();
                prop_assert_eq!(back.timestamp_micros(), micros);
            }
        }
    }
}
