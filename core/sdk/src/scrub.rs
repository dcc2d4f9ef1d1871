//! Disguises: what takes the place of serials, dates and values in a transcript that is to be shared.
//!
//! All that a [`Disguise`] makes up has the length and the kinds of characters of what it takes the place of,
//! so that nothing else in a packet moves but its checksum. It follows from a key and from the original: equal
//! originals get equal disguises, as a record has that a meter sent twice, and who has no key learns nothing.

use std::ops::RangeInclusive;

use chrono::{NaiveDateTime, TimeDelta};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

/// Bytes of a key.
pub const KEY: usize = 32;

/// How a transcript is disguised.
#[derive(Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Disguise {
    #[serde(deserialize_with = "key_of", serialize_with = "digits_of")]
    key: [u8; KEY],
    shift_days: i64,
}

impl std::fmt::Debug for Disguise {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Who knows key and shift knows the original.
        f.write_str("Disguise")
    }
}

impl Disguise {
    /// A disguise that follows from a key, and moves dates by so many days.
    pub const fn new(key: [u8; KEY], shift_days: i64) -> Self {
        Self { key, shift_days }
    }

    /// How many days every date moves.
    pub const fn shift_days(&self) -> i64 {
        self.shift_days
    }

    /// Moves a date; `None` when there is no such date.
    pub fn moved(&self, time: NaiveDateTime) -> Option<NaiveDateTime> {
        time.checked_add_signed(TimeDelta::try_days(self.shift_days)?)
    }

    /// Another text of the same form: a digit for a digit, a letter for a letter, and never the same text where
    /// it has a digit or a letter. All else stays.
    pub fn text(&self, original: &[u8]) -> Vec<u8> {
        let mut dice = self.dice(&[b"text", original]);
        let mut made: Vec<u8> = original.iter().map(|byte| dice.like(*byte)).collect();
        if made == original
            && let Some(last) = made.iter_mut().rfind(|byte| byte.is_ascii_alphanumeric())
        {
            *last = next_of_its_kind(*last);
        }
        made
    }

    /// Another number of the range; the original, if it is the only one there or lies outside. `context` tells
    /// equal numbers apart that stand for different things.
    pub fn number(&self, context: &[u8], original: u64, range: RangeInclusive<u64>) -> u64 {
        let (low, high) = (*range.start(), *range.end());
        if !range.contains(&original) || low == high {
            return original;
        }
        let mut dice = self.dice(&[b"number", context, &original.to_le_bytes()]);
        // One of the others: those from the original on move up by one.
        let made = low + dice.below(high - low);
        if made >= original { made + 1 } else { made }
    }

    /// Another plain decimal number of the same length and with its point at the same place, within a range that
    /// is given in units of its last digit; the original, if it is none or lies outside.
    pub fn decimal(&self, context: &[u8], original: &[u8], range: RangeInclusive<u64>) -> Vec<u8> {
        let whole = original.iter().take_while(|byte| byte.is_ascii_digit());
        let whole = whole.count();
        let (front, rest) = original.split_at(whole);
        let back = rest.strip_prefix(b".").unwrap_or(rest);
        let digits = [front, back].concat();
        let number = std::str::from_utf8(&digits).ok();
        let plain = digits.iter().all(u8::is_ascii_digit) && (rest.is_empty() || !back.is_empty());
        let Some(number) = number
            .filter(|_| plain && whole > 0)
            .and_then(|n| n.parse().ok())
        else {
            return original.to_vec();
        };
        // A number that grew or lost a digit would move what stands behind it: 0.7 may become 9.9.
        let least = match whole {
            1 => 0,
            more => power(more - 1 + back.len()),
        };
        let most = power(whole + back.len()) - 1;
        if number < least {
            return original.to_vec();
        }
        let range = least.max(*range.start())..=most.min(*range.end());
        let made = self.number(context, number, range).to_string();
        let made = format!("{made:0>width$}", width = digits.len());
        let (front, back) = made.split_at(whole);
        let point = if rest.is_empty() { "" } else { "." };
        format!("{front}{point}{back}").into_bytes()
    }

    fn dice(&self, of: &[&[u8]]) -> Dice {
        let mut hash = Sha256::new().chain_update(self.key);
        for part in of {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        Dice {
            state: hash.finalize().into(),
            left: Vec::new(),
        }
    }
}

/// A text with every digit a 0 and every letter an `X`: what is left of what nobody understands.
pub fn blanked(original: &[u8]) -> Vec<u8> {
    let blank = |byte: &u8| match byte {
        byte if byte.is_ascii_digit() => b'0',
        byte if byte.is_ascii_alphabetic() || !byte.is_ascii() => b'X',
        byte => *byte,
    };
    original.iter().map(blank).collect()
}

fn power(digits: usize) -> u64 {
    10_u64.saturating_pow(u32::try_from(digits).unwrap_or(u32::MAX))
}

fn next_of_its_kind(byte: u8) -> u8 {
    match byte {
        b'9' => b'0',
        b'Z' => b'A',
        b'z' => b'a',
        byte => byte + 1,
    }
}

/// Bytes that follow from what was hashed.
struct Dice {
    state: [u8; KEY],
    left: Vec<u8>,
}

impl Dice {
    fn roll(&mut self) -> u64 {
        if self.left.len() < size_of::<u64>() {
            self.state = Sha256::digest(self.state).into();
            // The state itself stays inside.
            self.left = Sha256::digest([&self.state[..], b"out"].concat()).to_vec();
        }
        let rest = self.left.split_off(size_of::<u64>());
        let eight = std::mem::replace(&mut self.left, rest);
        eight
            .try_into()
            .map_or(0, |bytes: [u8; 8]| u64::from_le_bytes(bytes))
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.roll() % limit.max(1)
    }

    fn like(&mut self, byte: u8) -> u8 {
        let (first, count) = match byte {
            b'0'..=b'9' => (b'0', 10),
            b'A'..=b'Z' => (b'A', 26),
            b'a'..=b'z' => (b'a', 26),
            byte => return byte,
        };
        first + u8::try_from(self.below(count)).unwrap_or(0)
    }
}

fn key_of<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u8; KEY], D::Error> {
    let digits = String::deserialize(deserializer)?;
    let bytes = crate::driver::bytes(&digits);
    bytes
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| serde::de::Error::custom("expected 64 hexadecimal digits"))
}

fn digits_of<S: Serializer>(key: &[u8; KEY], serializer: S) -> Result<S::Ok, S::Error> {
    let digits: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    serializer.serialize_str(&digits)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn disguise() -> Disguise {
        Disguise::new([7; KEY], -400)
    }

    #[test]
    fn a_disguise_crosses_as_json() {
        let json = serde_json::to_string(&disguise()).unwrap();
        assert!(json.starts_with("{\"key\":\"0707"), "{json}");
        let back: Disguise = serde_json::from_str(&json).unwrap();
        assert!(back == disguise());
        assert_eq!(format!("{back:?}"), "Disguise");
        for bad in ["\"07\"", "\"zz\"", "7"] {
            let json = format!("{{\"key\":{bad},\"shift_days\":1}}");
            assert!(serde_json::from_str::<Disguise>(&json).is_err(), "{bad}");
        }
    }

    #[test]
    fn numbers_keep_their_form_and_those_outside_stay() {
        let (mg, mmol) = (21..=599, 7..=332);
        for (original, range) in [
            ("93", &mg),
            ("104", &mg),
            ("7.9", &mmol),
            ("0.7", &mmol),
            ("10.4", &mmol),
        ] {
            let made = disguise().decimal(b"a", original.as_bytes(), range.clone());
            let made = String::from_utf8(made).unwrap();
            assert_ne!(made, original);
            assert_eq!(made.len(), original.len(), "{original} became {made}");
            assert_eq!(made.find('.'), original.find('.'));
        }
        for stays in [
            "601", "20", "", ".", "7.", ".9", "-7", "1e3", "HI", "007", "1.2.3",
        ] {
            let made = disguise().decimal(b"a", stays.as_bytes(), 21..=599);
            assert_eq!(made, stays.as_bytes());
        }
        assert_eq!(disguise().number(b"", 5, 5..=5), 5);
    }

    #[test]
    fn what_nobody_understands_is_blanked() {
        assert_eq!(blanked("C|1|Ann 7é\r".as_bytes()), b"X|0|XXX 0XX\r");
    }

    proptest! {
        #[test]
        fn texts_keep_their_form_and_become_others(original in "[ -~]{0,40}", key in any::<[u8; KEY]>()) {
            let disguise = Disguise::new(key, 0);
            let made = disguise.text(original.as_bytes());
            prop_assert_eq!(&made, &disguise.text(original.as_bytes()));
            prop_assert_eq!(made.len(), original.len());
            let kind = |byte: &u8| (byte.is_ascii_digit(), byte.is_ascii_uppercase(), byte.is_ascii_lowercase());
            for (made, original) in made.iter().zip(original.as_bytes()) {
                prop_assert_eq!(kind(made), kind(original));
            }
            let has_some = original.bytes().any(|byte| byte.is_ascii_alphanumeric());
            prop_assert_eq!(made == original.as_bytes(), !has_some);
        }

        #[test]
        fn numbers_become_others_of_the_range(low in 0u64..1000, more in 1u64..1000, at in any::<u64>(), key in any::<[u8; KEY]>()) {
            let high = low + more;
            let original = low + at % (more + 1);
            let made = Disguise::new(key, 0).number(b"", original, low..=high);
            prop_assert!((low..=high).contains(&made) && made != original);
        }

        #[test]
        fn any_bytes_are_disguised(bytes in prop::collection::vec(any::<u8>(), 0..40), low in any::<u64>(), high in any::<u64>()) {
            let made = disguise().decimal(b"", &bytes, low..=high);
            prop_assert_eq!(made.len(), bytes.len());
            prop_assert_eq!(blanked(&bytes).len(), bytes.len());
        }
    }
}
