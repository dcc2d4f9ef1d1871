//! Lines of the OneTouch Ultra 2, which speaks text on a serial line: `text checksum CR LF`.
//!
//! No driver of this crate talks to one; what its lines mean is kept beside the binary framing, for the
//! driver that will. Lines quoted by other programs from real meters decode.

use glucopipe_sdk::chrono::NaiveDateTime;

/// Digits of the checksum.
const DIGITS: usize = 4;
/// Last letter of every serial (other programs).
const SERIAL_END: char = 'Y';
/// How the dump writes date and time, in two fields.
const MOMENT: &str = "%m/%d/%y %H:%M:%S";
/// Lengths of the value field.
const VALUE_LEN: usize = 6;

/// Sums up the bytes in front of the blank and the checksum.
pub fn checksum(text: &[u8]) -> u16 {
    let sum = |sum: u16, byte: &u8| sum.wrapping_add(u16::from(*byte));
    text.iter().fold(0, sum)
}

/// Takes the text out of a line; `None` without a right checksum.
pub fn text(line: &str) -> Option<&str> {
    let line = line.trim_end_matches(['\r', '\n']);
    let (text, digits) = line.rsplit_once(' ')?;
    let upper = |byte: u8| byte.is_ascii_digit() || (b'A'..=b'F').contains(&byte);
    let formed = digits.len() == DIGITS && digits.bytes().all(upper);
    let sent = u16::from_str_radix(digits, 16).ok().filter(|_| formed)?;
    (sent == checksum(text.as_bytes())).then_some(text)
}

/// Reads a serial, the answer to `DM@`.
pub fn serial(text: &str) -> Option<&str> {
    let serial = text.strip_prefix("@ \"")?.strip_suffix('"')?;
    let formed = serial.len() == 9 && serial.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (formed && serial.ends_with(SERIAL_END)).then_some(serial)
}

/// The first line of a dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header<'a> {
    /// Number of results that follow.
    pub count: u16,
    /// Serial.
    pub serial: &'a str,
    /// Unit of the display; values are mg/dL whatever it is.
    pub unit: &'a str,
}

impl<'a> Header<'a> {
    /// Reads the first line of a dump.
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut fields = text.strip_prefix("P ")?.split(',');
        let header = Self {
            count: fields.next()?.parse().ok()?,
            serial: quoted(fields.next()?)?,
            unit: quoted(fields.next()?)?.trim_end(),
        };
        fields.next().is_none().then_some(header)
    }
}

/// One result of a dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// When, by the meter's clock.
    pub local: NaiveDateTime,
    /// Value in mg/dL, whatever the meter shows.
    pub mg_dl: u16,
    /// A test with control solution.
    pub control: bool,
    /// The meter found its stored value damaged.
    pub damaged: bool,
    /// `N`, `B` or `A`: none, before or after a meal; other letters as they are.
    pub meal: char,
    /// Number of the comment.
    pub comment: u8,
}

impl Line {
    /// Reads a result.
    pub fn parse(text: &str) -> Option<Self> {
        let mut fields = text.strip_prefix("P ")?.split(',');
        let _weekday = quoted(fields.next()?)?;
        let date = quoted(fields.next()?)?;
        let time = quoted(fields.next()?)?.trim_end();
        let value = quoted(fields.next()?)?;
        let meal = quoted(fields.next()?)?;
        let comment = quoted(fields.next()?)?;
        let mut letters = meal.chars();
        let (mark, digits) = value.split_at_checked(1)?;
        let number = digits.trim_start_matches(' ').trim_end_matches([' ', '?']);
        let line = Self {
            local: NaiveDateTime::parse_from_str(&format!("{date} {time}"), MOMENT).ok()?,
            mg_dl: number.parse().ok()?,
            control: mark == "C",
            damaged: value.ends_with('?'),
            meal: letters.next()?,
            comment: comment.parse().ok()?,
        };
        let one_letter = letters.next().is_none();
        let ends = fields.next().is_some() && fields.next().is_none();
        let formed = value.len() == VALUE_LEN && matches!(mark, " " | "C");
        (one_letter && ends && formed).then_some(line)
    }
}

fn quoted(field: &str) -> Option<&str> {
    field.strip_prefix('"')?.strip_suffix('"')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(value: &str, meal: &str) -> String {
        format!("P \"SAT\",\"05/30/26\",\"18:05:00   \",\"{value}\",\"{meal}\",\"04\", 00")
    }

    #[test]
    fn results_have_marks_of_their_own() {
        let plain = Line::parse(&line("  104 ", "B")).unwrap();
        assert_eq!(plain.local.to_string(), "2026-05-30 18:05:00");
        assert_eq!((plain.mg_dl, plain.meal, plain.comment), (104, 'B', 4));
        assert!(!plain.control && !plain.damaged);
        assert!(Line::parse(&line("C 104 ", "N")).unwrap().control);
        assert!(Line::parse(&line("  104?", "N")).unwrap().damaged);
    }

    #[test]
    fn other_forms_are_none() {
        for (value, meal) in [
            ("104", "N"),
            ("X 104 ", "N"),
            ("  1x4 ", "N"),
            ("      ", "N"),
            ("  104 ", ""),
            ("  104 ", "NB"),
            ("é104 ", "N"),
        ] {
            assert_eq!(Line::parse(&line(value, meal)), None, "{value} {meal}");
        }
        assert_eq!(Line::parse(""), None);
        assert_eq!(Header::parse("P 3,\"X\""), None);
        assert_eq!(Header::parse("P x,\"X\",\"MG/DL \""), None);
        assert_eq!(serial("@ \"ABC123456\""), None);
        assert_eq!(serial("@ \"ABC12345Y\""), Some("ABC12345Y"));
    }

    #[test]
    fn checksum_is_four_upper_case_digits_behind_a_blank() {
        assert_eq!(checksum(b"T"), 0x54);
        assert_eq!(text("T 0054\r\n"), Some("T"));
        for bad in ["T 54", "T 0055", "T0054", "T +054", "", " ", "T 0054 "] {
            assert_eq!(text(bad), None, "{bad}");
        }
        // The sum of these two is AE.
        assert_eq!((text("WW 00AE"), text("WW 00ae")), (Some("WW"), None));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn texts_come_back(content in "[ -~]{0,40}") {
            let line = format!("{content} {:04X}\r\n", checksum(content.as_bytes()));
            prop_assert_eq!(text(&line), Some(content.as_str()));
        }

        #[test]
        fn any_text_is_survived(content in ".{0,60}") {
            let _ = (text(&content), serial(&content));
            let _ = (Header::parse(&content), Line::parse(&content));
        }
    }
}
