//! Texts of replies: UTF-16, low byte first, up to the first NUL (captured).

/// Decodes a text; `None` for half a character or an unpaired surrogate.
pub fn decode(bytes: &[u8]) -> Option<String> {
    let (units, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    let units = units.iter().copied().map(u16::from_le_bytes);
    char::decode_utf16(units.take_while(|unit| *unit != 0))
        .collect::<Result<String, _>>()
        .ok()
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
        assert_eq!(decode(b"V\0").as_deref(), Some("V"));
        assert_eq!(decode(b"").as_deref(), Some(""));
    }

    #[test]
    fn refuses_what_is_no_text() {
        assert_eq!(decode(b"V\0e"), None);
        assert_eq!(decode(&[0x00, 0xd8, b'x', 0]), None);
        assert_eq!(decode(&[0x00, 0xdc]), None);
    }

    #[test]
    fn knows_characters_of_two_units() {
        assert_eq!(decode(&encode("𝄞é")).as_deref(), Some("𝄞é"));
    }
}
