//! Members whose value is text.

use std::fmt::Write as _;

use glucopipe_sdk::text::Render;

use super::{Key, SEPARATOR};

/// Appends a text as a JSON string; only what JSON demands is escaped.
pub(super) fn escape(text: &str, out: &mut String) {
    out.push('"');
    let mut rest = text;
    while let Some(end) = rest.find(|letter: char| matches!(letter, '"' | '\\' | '\0'..='\x1f')) {
        let (clean, special) = rest.split_at(end);
        out.push_str(clean);
        let mut letters = special.chars();
        match letters.next() {
            Some('\n') => out.push_str("\\n"),
            Some('\r') => out.push_str("\\r"),
            Some('\t') => out.push_str("\\t"),
            Some(letter @ ('"' | '\\')) => out.extend(['\\', letter]),
            // Writing to memory does not fail.
            Some(letter) => _ = write!(out, "\\u{:04x}", u32::from(letter)),
            None => {}
        }
        rest = letters.as_str();
    }
    out.push_str(rest);
    out.push('"');
}

/// The members of one column of text.
pub(super) struct Member<'a> {
    pub(super) key: &'a Key,
}

impl Render for Member<'_> {
    fn render(&self, text: Option<&str>, out: &mut Vec<u8>) {
        let Some(text) = text else {
            out.extend_from_slice(self.key.null.as_bytes());
            return;
        };
        out.extend_from_slice(self.key.name.as_bytes());
        if is_clean(text) {
            out.push(b'"');
            out.extend_from_slice(text.as_bytes());
            out.push(b'"');
        } else {
            let mut escaped = String::with_capacity(text.len() + 8);
            escape(text, &mut escaped);
            out.extend_from_slice(escaped.as_bytes());
        }
        out.push(SEPARATOR);
    }
}

/// Whether nothing needs an escape; without early exit, for the compiler to make it wide.
fn is_clean(text: &str) -> bool {
    !text.bytes().fold(false, |found, byte| {
        found | (byte < 0x20) | (byte == b'"') | (byte == b'\\')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_where_needed_only() {
        for (text, json) in [
            ("", r#""""#),
            ("before", r#""before""#),
            ("µ–ß 血糖 \u{2028}\u{7f}/", "\"µ–ß 血糖 \u{2028}\u{7f}/\""),
            (r#"a"b\c"#, r#""a\"b\\c""#),
            ("\"", r#""\"""#),
            ("a\nb\r\tc", r#""a\nb\r\tc""#),
            ("\0\x08\x1f", r#""\u0000\u0008\u001f""#),
            ("=1+1", r#""=1+1""#),
        ] {
            let mut out = String::new();
            escape(text, &mut out);
            assert_eq!(out, json, "{text:?}");
        }
    }
}
