//! Conversion factors applied in exact decimal arithmetic, with one rounding at the very end.
//!
//! A double stands for the shortest decimal number that reads back as it: 5.6 is 56/10. The
//! conversion is a quotient of integers, and only that quotient is rounded: to a number of decimals,
//! half away from zero, or else to the nearest double.

/// Powers of ten that doubles and 64-bit integers hold exactly.
const TENS: [u64; 4] = [1, 10, 100, 1000];
const TENS_F64: [f64; 4] = [1.0, 10.0, 100.0, 1000.0];
/// Below this, an ordinary value times any factor here stays exact in 64 bits.
const ORDINARY: f64 = 1e6;

/// mg/dL of glucose in one mmol/L: two numbers are in use, and one rounded value in seven differs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Factor {
    /// 18.01559, the molar mass of glucose, 180.1559 g/mol, over ten.
    #[default]
    Standard,
    /// 18, by which older programs and most papers divide.
    Eighteen,
}

impl Factor {
    /// The number as users write it.
    pub const fn number(self) -> f64 {
        match self {
            Self::Standard => 18.01559,
            Self::Eighteen => 18.0,
        }
    }

    /// The factor a user wrote; `None` for any other number.
    #[allow(clippy::float_cmp)] // the user writes one of the two numbers
    pub fn of(number: f64) -> Option<Self> {
        [Self::Standard, Self::Eighteen]
            .into_iter()
            .find(|factor| factor.number() == number)
    }

    /// From mg/dL to mmol/L.
    pub const fn to_mmol(self, decimals: Option<u8>) -> Scale {
        let (mg, mmol) = self.ratio();
        Scale::new(mmol, mg, decimals)
    }

    /// From mmol/L to mg/dL.
    pub const fn to_mg(self, decimals: Option<u8>) -> Scale {
        let (mg, mmol) = self.ratio();
        Scale::new(mg, mmol, decimals)
    }

    const fn ratio(self) -> (u64, u64) {
        match self {
            Self::Standard => (1_801_559, 100_000),
            Self::Eighteen => (18, 1),
        }
    }
}

/// `value × times ÷ by`, rounded once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    times: u64,
    by: u64,
    decimals: Option<u8>,
}

impl Scale {
    /// Both numbers below 2^25, so that products stay exact; at most three decimals.
    pub const fn new(times: u64, by: u64, decimals: Option<u8>) -> Self {
        assert!(times > 0 && by > 0 && times < 1 << 25 && by < 1 << 25);
        Self {
            times,
            by,
            decimals,
        }
    }

    /// Whether values stay as they are.
    pub fn is_identity(self) -> bool {
        self.times == self.by && self.decimals.is_none()
    }

    /// The converted value; numbers that are not finite stay.
    pub fn apply(self, value: f64) -> f64 {
        if value == 0.0 || self.is_identity() || !value.is_finite() {
            return value;
        }
        let result = match ordinary(value.abs()) {
            Some((digits, places)) => self.quotient(digits, places),
            None => self.exact(value.abs()),
        };
        if value < 0.0 { -result } else { result }
    }

    /// For `digits ÷ 10^places` below [`ORDINARY`].
    fn quotient(self, digits: u64, places: usize) -> f64 {
        let above = digits * self.times;
        let below = TENS[places] * self.by;
        match self.decimals.map(|decimals| usize::from(decimals.min(3))) {
            // Both are exact in a double while the product is below 2^53, so IEEE division rounds right.
            None if above < 1 << 53 => exact_f64(above) / exact_f64(below),
            None => nearest(u128::from(above), u128::from(below)),
            Some(decimals) => {
                let above = u128::from(above) * u128::from(2 * TENS[decimals]);
                let below = 2 * below;
                let half = u128::from(below / 2);
                // A 64-bit division is several times faster than one of 128 bits.
                let rounded = match u64::try_from(above + half) {
                    Ok(sum) => u128::from(sum / below),
                    Err(_) => (above + half) / u128::from(below),
                };
                nearest(rounded, u128::from(TENS[decimals]))
            }
        }
    }

    /// For values with many digits, such as an unrounded result of an earlier conversion.
    fn exact(self, value: f64) -> f64 {
        let Some((digits, exponent)) = shortest(value) else {
            return self.rough(value);
        };
        if !(-28..=10).contains(&exponent) {
            return self.rough(value);
        }
        let ten = 10u128.pow(exponent.unsigned_abs());
        let (up, down) = if exponent < 0 { (1, ten) } else { (ten, 1) };
        let above = digits * u128::from(self.times) * up;
        let below = u128::from(self.by) * down;
        match self.decimals.map(|decimals| usize::from(decimals.min(3))) {
            None => nearest(above, below),
            Some(decimals) => {
                let ten = u128::from(TENS[decimals]);
                nearest((2 * above * ten + below) / (2 * below), ten)
            }
        }
    }

    /// For numbers that no meter shows: above 10^10 or below 10^-11.
    fn rough(self, value: f64) -> f64 {
        let result = value * exact_f64(self.times) / exact_f64(self.by);
        match self.decimals {
            Some(_) if value < 1.0 => 0.0,
            _ => result,
        }
    }
}

/// Digits and decimal places of a value with up to three places.
fn ordinary(value: f64) -> Option<(u64, usize)> {
    if value >= ORDINARY {
        return None;
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let whole = value as u64;
    // Most meters show whole mg/dL: nothing to divide.
    #[allow(clippy::float_cmp)]
    if exact_f64(whole) == value {
        return Some((whole, 0));
    }
    TENS_F64
        .iter()
        .enumerate()
        .skip(1)
        .find_map(|(places, ten)| {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            let digits = (value * ten + 0.5) as u64;
            // The quotient is rounded right, so equality says that the double stands for this decimal.
            #[allow(clippy::float_cmp)]
            let stands_for = exact_f64(digits) / ten == value;
            stands_for.then_some((digits, places))
        })
}

/// The digits of the shortest decimal that reads back as the value, and the power of ten.
fn shortest(value: f64) -> Option<(u128, i32)> {
    let text = format!("{value:e}");
    let (mantissa, exponent) = text.split_once('e')?;
    let (whole, places) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{places}").parse().ok()?;
    Some((
        digits,
        exponent.parse::<i32>().ok()? - i32::try_from(places.len()).ok()?,
    ))
}

/// An integer below 2^53 as a double.
#[allow(clippy::cast_precision_loss)]
fn exact_f64(integer: u64) -> f64 {
    integer as f64
}

/// The double nearest to a quotient, ties to even; `below` under 2^127.
fn nearest(above: u128, below: u128) -> f64 {
    const MANTISSA: u64 = 1 << 53;
    match (u64::try_from(above), u64::try_from(below)) {
        (Ok(above), Ok(below)) if above < MANTISSA && below < MANTISSA => {
            exact_f64(above) / exact_f64(below)
        }
        _ => long_division(above, below),
    }
}

fn long_division(above: u128, below: u128) -> f64 {
    if above == 0 {
        return 0.0;
    }
    // 55 bits: the 53 of a double, one to round by, and one that says whether anything follows.
    let mut exponent = 0;
    let mut quotient = above / below;
    let mut rest = above % below;
    while quotient < 1 << 54 {
        rest <<= 1;
        quotient <<= 1;
        if rest >= below {
            rest -= below;
            quotient |= 1;
        }
        exponent -= 1;
    }
    let mut inexact = rest != 0;
    while quotient >= 1 << 55 {
        inexact |= quotient & 1 == 1;
        quotient >>= 1;
        exponent += 1;
    }
    if inexact {
        quotient |= 1;
    }
    #[allow(clippy::cast_precision_loss)]
    let rounded = quotient as f64;
    rounded * 2f64.powi(exponent)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Factors as `times ÷ by` for mg/dL → mmol/L.
    const F18: (u64, u64) = (1, 18);
    const F1801559: (u64, u64) = (100_000, 1_801_559);
    const F180182: (u64, u64) = (10_000, 180_182);
    const F18018018: (u64, u64) = (1_000_000, 18_018_018);
    const F18016: (u64, u64) = (1000, 18_016);
    const F180156: (u64, u64) = (10_000, 180_156);

    fn to_mmol((times, by): (u64, u64), decimals: u8, value: u32) -> f64 {
        Scale::new(times, by, Some(decimals)).apply(f64::from(value))
    }

    fn differing(one: (u64, u64), other: (u64, u64)) -> Vec<u32> {
        (20..=600)
            .filter(|&value| to_mmol(one, 1, value) != to_mmol(other, 1, value))
            .collect()
    }

    #[test]
    fn agrees_with_the_table_of_factors() {
        let found = differing(F18, F1801559);
        assert_eq!(
            (found.len(), &found[..6]),
            (85, &[118, 127, 136, 145, 154, 163][..])
        );
        let found = differing(F18, F180182);
        assert_eq!((found.len(), &found[..4]), (102, &[100, 109, 118, 127][..]));
        let found = differing(F1801559, F180182);
        assert_eq!((found.len(), &found[..4]), (17, &[100, 109, 300, 309][..]));
        let found = differing(F1801559, F18018018);
        assert_eq!((found.len(), &found[..4]), (14, &[109, 309, 318, 327][..]));
        assert_eq!(differing(F1801559, F18016), [345, 572]);
        assert!(differing(F1801559, F180156).is_empty());
    }

    #[test]
    fn factors_are_the_two_in_use() {
        for factor in [Factor::Standard, Factor::Eighteen] {
            assert_eq!(Factor::of(factor.number()), Some(factor));
            assert_eq!(factor.to_mmol(None).apply(factor.number()), 1.0);
            assert_eq!(factor.to_mg(None).apply(1.0), factor.number());
        }
        assert_eq!(Factor::of(18.02), None);
    }

    #[test]
    fn rounds_once_where_rounding_twice_would_differ() {
        let again = Scale::new(1, 1, Some(1));
        let twice = |value: u32| again.apply(to_mmol(F1801559, 2, value));
        let found: Vec<u32> = (20..=600)
            .filter(|&value| twice(value) != to_mmol(F1801559, 1, value))
            .collect();
        assert_eq!((found.len(), &found[..3]), (26, &[118, 127, 136][..]));
    }

    #[test]
    fn one_decimal_does_not_hold_all_of_a_value() {
        let back = Scale::new(1_801_559, 100_000, Some(0));
        let lost = |value: &u32| back.apply(to_mmol(F1801559, 1, *value)) != f64::from(*value);
        assert_eq!((20..=600).filter(lost).count(), 258);
    }

    #[test]
    fn gives_the_examples() {
        let examples = [
            (118, 6.6, 6.5),
            (181, 10.1, 10.0),
            (100, 5.6, 5.6),
            (54, 3.0, 3.0),
            (70, 3.9, 3.9),
            (180, 10.0, 10.0),
            (250, 13.9, 13.9),
            (600, 33.3, 33.3),
        ];
        for (value, eighteen, standard) in examples {
            assert_eq!(
                (to_mmol(F18, 1, value), to_mmol(F1801559, 1, value)),
                (eighteen, standard)
            );
        }
    }

    #[test]
    fn rounds_half_away_from_zero_where_doubles_would_not() {
        let round = |decimals, value| Scale::new(1, 1, Some(decimals)).apply(value);
        // As doubles, 2.675 is below and 1.005 is below the half.
        assert_eq!(
            (round(2, 2.675), round(2, 1.005), round(2, -2.675)),
            (2.68, 1.01, -2.68)
        );
        assert_eq!(
            (round(0, 0.5), round(0, 1.5), round(0, 2.5), round(1, 0.25)),
            (1.0, 2.0, 3.0, 0.3)
        );
        assert_eq!((round(1, 6.549_999_999_999_99), round(1, 6.55)), (6.5, 6.6));
    }

    #[test]
    fn numbers_beyond_sense_do_no_harm() {
        let scale = Scale::new(F1801559.0, F1801559.1, None);
        assert!(scale.apply(f64::NAN).is_nan());
        assert_eq!(scale.apply(f64::INFINITY), f64::INFINITY);
        assert_eq!((scale.apply(0.0), scale.apply(5e-324)), (0.0, 0.0));
        assert!((scale.apply(1e300) / 1e300 * 18.01559 - 1.0).abs() < 1e-15);
        let rounding = Scale::new(1, 1, Some(3));
        assert_eq!(
            (rounding.apply(1e-300), rounding.apply(f64::MAX)),
            (0.0, f64::MAX)
        );
    }

    proptest! {
        #[test]
        fn there_and_back_is_where_it_started(tenths in 0u32..20_000) {
            let value = f64::from(tenths) / 10.0;
            let there = Scale::new(F1801559.0, F1801559.1, None).apply(value);
            let back = Scale::new(F1801559.1, F1801559.0, None).apply(there);
            prop_assert!((back - value).abs() <= value * f64::EPSILON);
            let rounded = Scale::new(F1801559.1, F1801559.0, Some(1)).apply(there);
            prop_assert_eq!(rounded, value);
        }

        #[test]
        fn the_short_way_and_the_long_way_agree(
            value in prop_oneof![
                (0u32..2_000_000).prop_map(|v| f64::from(v) / 1000.0),
                (0u32..20_000).prop_map(|v| f64::from(v) / 10.0),
                0f64..2000.0,
            ],
            decimals in proptest::option::of(0u8..=3),
        ) {
            for (times, by) in [F18, F1801559, (18, 1), (1_801_559, 100_000), (1, 1)] {
                let scale = Scale::new(times, by, decimals);
                prop_assert_eq!(scale.apply(value), scale.exact(value));
            }
        }

        #[test]
        fn long_division_rounds_as_ieee_does(above in 1u64..1 << 53, below in 1u64..1 << 53) {
            let expected = exact_f64(above) / exact_f64(below);
            prop_assert_eq!(long_division(above.into(), below.into()), expected);
        }

        #[test]
        fn never_more_than_half_a_step_away(value in 0f64..2000.0, decimals in 0u8..=3) {
            let rounded = Scale::new(1, 1, Some(decimals)).apply(value);
            let step = 1.0 / TENS_F64[usize::from(decimals)];
            prop_assert!((rounded - value).abs() <= step / 2.0 + 1e-12);
        }
    }
}
