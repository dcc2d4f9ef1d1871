//! Text of the wire. Records are ASCII; anything else is kept readable and noticed.

/// Turns bytes into text without losing any: each byte becomes the character of its number.
pub(crate) fn latin1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// Says whether all bytes are printable ASCII, as LIS2-A wants it.
pub(crate) fn is_plain(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| (0x20..0x7f).contains(byte))
}

/// Reads an unsigned number of at most nine digits, and nothing but digits.
pub(crate) fn number(bytes: &[u8]) -> Option<u32> {
    if bytes.is_empty() || bytes.len() > 9 {
        return None;
    }
    bytes.iter().try_fold(0_u32, |sum, byte| {
        let digit = char::from(*byte).to_digit(10)?;
        Some(sum * 10 + digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_takes_digits_only() {
        assert_eq!(number(b"1714"), Some(1714));
        assert_eq!(number(b"999999999"), Some(999_999_999));
        for bad in [&b""[..], b"-1", b"+1", b" 1", b"1.0", b"1e3", b"1234567890"] {
            assert_eq!(number(bad), None);
        }
    }
}
