//! Exact decimal numbers, as meters send them: digits and perhaps a point, nothing else.

use std::cmp::Ordering;
use std::fmt;

/// A small non-negative decimal number. Numbers are equal by value: `7.0` equals `7`.
#[derive(Clone, Copy, Debug)]
pub struct Decimal {
    digits: u32,
    scale: u8,
}

impl Decimal {
    /// Most digits a number may have, before and behind the point together.
    pub const DIGITS_MAX: usize = 8;

    /// Creates `digits / 10^scale`.
    pub(crate) const fn new(digits: u32, scale: u8) -> Self {
        Self { digits, scale }
    }

    /// Reads `[0-9]+(.[0-9]+)?` of at most [`Self::DIGITS_MAX`] digits: no sign, exponent or blank.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let mut parts = text.splitn(2, |byte| *byte == b'.');
        let whole = parts.next()?;
        let fraction = parts.next();
        if whole.is_empty() || fraction.is_some_and(<[u8]>::is_empty) {
            return None;
        }
        let fraction = fraction.unwrap_or_default();
        if whole.len() + fraction.len() > Self::DIGITS_MAX {
            return None;
        }
        let digits = whole.iter().chain(fraction).try_fold(0_u32, |sum, byte| {
            char::from(*byte).to_digit(10).map(|digit| sum * 10 + digit)
        })?;
        Some(Self {
            digits,
            scale: u8::try_from(fraction.len()).ok()?,
        })
    }

    /// Says whether the number was written without a point.
    pub const fn is_integer(self) -> bool {
        self.scale == 0
    }

    /// Returns a tenth of the number.
    #[must_use]
    pub const fn tenth(self) -> Self {
        Self {
            digits: self.digits,
            scale: self.scale.saturating_add(1),
        }
    }

    /// Returns the number times `times / by`, rounded half up to `scale` digits behind the point.
    #[must_use]
    pub(crate) fn converted(self, times: u32, by: u32, scale: u8) -> Self {
        let ten = |power: u8| 10_u128.pow(power.min(9).into());
        let above = u128::from(self.digits) * u128::from(times) * ten(scale);
        let below = u128::from(by.max(1)) * ten(self.scale);
        let rounded = (2 * above + below) / (2 * below);
        Self::new(u32::try_from(rounded).unwrap_or(u32::MAX), scale)
    }

    /// Returns the nearest binary floating-point number.
    pub fn to_f64(self) -> f64 {
        f64::from(self.digits) / 10_f64.powi(i32::from(self.scale))
    }

    /// Both numbers over the same power of ten.
    fn scaled(self, other: Self) -> (u64, u64) {
        let lift = |number: Self, by: u8| {
            u64::from(number.digits).saturating_mul(10_u64.saturating_pow(by.into()))
        };
        (lift(self, other.scale), lift(other, self.scale))
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Decimal {}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let (ours, theirs) = self.scaled(*other);
        ours.cmp(&theirs)
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.scale == 0 {
            return write!(f, "{}", self.digits);
        }
        let power = 10_u64.saturating_pow(self.scale.into());
        let digits = u64::from(self.digits);
        let width = usize::from(self.scale);
        write!(f, "{}.{:0width$}", digits / power, digits % power)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_integers_and_decimals_exactly() {
        for (text, value) in [("93", 93.0), ("7.9", 7.9), ("0", 0.0), ("10.40", 10.4)] {
            let number = Decimal::parse(text.as_bytes()).unwrap();
            assert_eq!(number.to_f64().to_bits(), f64::to_bits(value));
            assert_eq!(number.to_string(), text);
        }
    }

    #[test]
    fn refuses_everything_else() {
        let bad = [
            "", ".", "7.", ".9", "-7", "+7", "1e3", "NaN", "inf", " 7", "7 ", "1,5", "1.2.3",
        ];
        for text in bad.into_iter().chain(["123456789", "1234567.89", "HI"]) {
            assert_eq!(Decimal::parse(text.as_bytes()), None, "{text}");
        }
        assert!(Decimal::parse(b"12345678").is_some());
    }

    #[test]
    fn compares_by_value() {
        let number = |text: &str| Decimal::parse(text.as_bytes()).unwrap();
        assert_eq!(number("7"), number("7.0"));
        assert!(number("7.1") > number("7"));
        assert!(number("0.6") < number("0.61"));
        assert_eq!(number("65").tenth(), number("6.5"));
        assert_eq!(number("65").tenth().to_string(), "6.5");
    }
}
