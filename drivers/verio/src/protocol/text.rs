//! Texts of replies: UTF-16, low byte first, up to the first NUL (captured).

/// Decodes a text; `None` for half a character, an unpaired surrogate, a control character or a missing
/// NUL. Clock, counts and records are no texts then, but for a value in a thousand.
pub fn decode(bytes: &[u8]) -> Option<String> {
    let (units, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    let units: Vec<u16> = units.iter().copied().map(u16::from_le_bytes).collect();
    let end = units.iter().position(|unit| *unit == 0)?;
    let text = String::from_utf16(units.get(..end)?).ok()?;
    (!text.contains(char::is_control)).then_some(text)
}

/// Encodes a text, with its NUL.
pub fn encode(text: &str) -> Vec<u8> {
    text.encode_utf16()
        .chain([0])
        .flat_map(u16::to_le_bytes)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_at_the_first_nul() {
        assert_eq!(decode(b"V\0e\0\0\0x\0").as_deref(), Some("Ve"));
        assert_eq!(decode(b"V\0\0\0").as_deref(), Some("V"));
        assert_eq!(decode(b"\0\0").as_deref(), Some(""));
    }

    #[test]
    fn refuses_what_is_no_text() {
        assert_eq!(decode(b"V\0e"), None);
        assert_eq!(decode(&[0x00, 0xd8, b'x', 0, 0, 0]), None);
        assert_eq!(decode(&[0x00, 0xdc, 0, 0]), None);
        for endless in [&b""[..], b"V\0", b"V\0e\0"] {
            assert_eq!(decode(endless), None);
        }
        for control in [7, 0x1b, 0x7f, 0x9b] {
            assert_eq!(decode(&[b'V', 0, control, 0, 0, 0]), None);
        }
    }

    #[test]
    fn knows_characters_of_two_units() {
        assert_eq!(decode(&encode("𝄞é")).as_deref(), Some("𝄞é"));
    }
}
