//! Numbers: the shortest decimal text that reads back the same, never with an exponent.

use std::io::Write as _;

use super::cells::{BLOCK, append_block};

/// Numbers kept ready; a power of two. Meters show a few hundred different values.
const SLOTS: usize = 512;
/// Longest text kept, with the byte after it: a sign, 17 digits and a point fit.
const ROOM: usize = BLOCK;

/// Formats doubles, each with one byte after it; remembers their texts.
pub struct Numbers {
    slots: Vec<Slot>,
    after: u8,
    write: Box<Write>,
}

/// How one number is written.
type Write = dyn Fn(f64, &mut Vec<u8>) + Send;

#[derive(Clone, Copy)]
struct Slot {
    bits: u64,
    length: u8,
    text: [u8; ROOM],
}

impl Numbers {
    /// A formatter that remembers nothing yet, with the byte that follows each number.
    ///
    /// What is no number or has no end becomes `NaN`, `inf` or `-inf`.
    pub fn new(after: u8) -> Self {
        Self::written_by(after, |number, out| {
            // Writing to memory does not fail.
            let _ = write!(out, "{number}");
        })
    }

    /// The same for numbers that are written in another way; the same number always alike.
    pub fn written_by(after: u8, write: impl Fn(f64, &mut Vec<u8>) + Send + 'static) -> Self {
        let empty = Slot {
            bits: 0,
            length: 0,
            text: [0; ROOM],
        };
        Self {
            slots: vec![empty; SLOTS],
            after,
            write: Box::new(write),
        }
    }

    /// Appends a number and the byte after it.
    #[inline]
    pub fn append(&mut self, number: f64, out: &mut Vec<u8>) {
        let bits = number.to_bits();
        let slot = &mut self.slots[place(bits)];
        if slot.bits == bits && slot.length > 0 {
            append_block(&slot.text, slot.length.into(), out);
        } else {
            slot.fill(number, &self.write, self.after, out);
        }
    }
}

impl Slot {
    #[cold]
    fn fill(&mut self, number: f64, write: &Write, after: u8, out: &mut Vec<u8>) {
        let start = out.len();
        write(number, out);
        out.push(after);
        let text = out.get(start..).unwrap_or_default();
        if let (Some(kept), Ok(length)) = (self.text.get_mut(..text.len()), text.len().try_into()) {
            kept.copy_from_slice(text);
            self.length = length;
            self.bits = number.to_bits();
        }
    }
}

/// The slot of a number: the upper bits of a product spread neighbours (Fibonacci hashing).
fn place(bits: u64) -> usize {
    let spread = bits.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - SLOTS.trailing_zeros());
    usize::try_from(spread).unwrap_or(0)
}

/// Appends an integer.
pub(super) fn append_integer(integer: i64, out: &mut Vec<u8>) {
    let mut digits = [0; 19];
    let mut start = digits.len();
    let mut rest = integer.unsigned_abs();
    loop {
        start -= 1;
        digits[start] = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if integer < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(&digits[start..]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(numbers: &mut Numbers, number: f64) -> String {
        let mut out = Vec::new();
        numbers.append(number, &mut out);
        assert_eq!(out.pop(), Some(b';'));
        String::from_utf8(out).unwrap()
    }

    fn integer(integer: i64) -> String {
        let mut out = Vec::new();
        append_integer(integer, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_are_short_and_without_exponent() {
        let mut numbers = Numbers::new(b';');
        for _ in 0..2 {
            for (number, expected) in [
                (93.0, "93"),
                (5.5, "5.5"),
                (0.1, "0.1"),
                (0.0, "0"),
                (-0.0, "-0"),
                (-1.25, "-1.25"),
                (118.0 / 18.01559, "6.549882629433729"),
                (1e21, "1000000000000000000000"),
                (-1.234_567_890_123_456_7e-5, "-0.000012345678901234568"),
            ] {
                assert_eq!(text(&mut numbers, number), expected);
            }
            let tiny = text(&mut numbers, 5e-324);
            assert_eq!((tiny.len(), &tiny[320..]), (326, "000005"));
            assert_eq!(text(&mut numbers, f64::MAX).len(), 309);
        }
    }

    #[test]
    fn another_way_to_write_is_remembered_too() {
        let mut numbers = Numbers::written_by(b';', |number, out| {
            let _ = write!(out, "<{number:.1}>");
        });
        for _ in 0..2 {
            assert_eq!(text(&mut numbers, 5.25), "<5.2>");
            assert_eq!(text(&mut numbers, 93.0), "<93.0>");
        }
    }

    #[test]
    fn integers_have_their_whole_range() {
        assert_eq!(integer(0), "0");
        assert_eq!(integer(-480), "-480");
        assert_eq!(integer(i64::MIN), "-9223372036854775808");
        assert_eq!(integer(i64::MAX), "9223372036854775807");
    }

    proptest! {
        #[test]
        fn numbers_read_back_the_same(many in prop::collection::vec(any::<f64>(), 1..50)) {
            let mut numbers = Numbers::new(b';');
            for &number in many.iter().chain(&many) {
                let text = text(&mut numbers, number);
                let back: f64 = text.parse().unwrap();
                prop_assert!(back.to_bits() == number.to_bits() || number.is_nan());
                prop_assert!(!text.contains(['e', 'E']));
            }
        }

        #[test]
        fn integers_are_as_the_standard_library_writes_them(number: i64) {
            prop_assert_eq!(integer(number), number.to_string());
        }
    }
}
