//! Hides secrets in the text that snippets are cut from.
//!
//! Every hidden character is replaced by one of the same length in bytes, so positions stay true.
//! [`likely`] works on the bare text, because a syntax error shows its line before anybody knows
//! which keys are secrets; [`hide`] covers what a plugin's schema says is one.

use std::ops::Range;

/// Words that end the name of a key whose value is most likely a secret.
const WORDS: [&str; 8] = [
    "token",
    "secret",
    "password",
    "passphrase",
    "api_key",
    "apikey",
    "passwd",
    "credentials",
];

/// Whether a key's name says that its value is a secret.
pub(super) fn is_secret_name(key: &str) -> bool {
    let key = key.to_ascii_lowercase().replace('-', "_");
    WORDS.iter().any(|word| key.ends_with(word))
}

/// Hides bytes.
pub(super) fn hide(text: &str, spans: &[Range<usize>]) -> String {
    text.char_indices()
        .map(|(at, c)| match c.len_utf8() {
            _ if c == '\n' || c == '\r' || !spans.iter().any(|span| span.contains(&at)) => c,
            1 => '*',
            2 => '\u{b7}',
            3 => '\u{2022}',
            _ => '\u{1f512}',
        })
        .collect()
}

/// Hides what looks like a secret: the literal behind `token =`, and the password of a URL.
pub(super) fn likely(text: &str) -> String {
    let mut spans = Vec::new();
    for (at, _) in text.match_indices('=') {
        if let Some(span) = assigned(text, at) {
            spans.push(span);
        }
    }
    for (at, _) in text.match_indices("://") {
        let rest = text.get(at + 3..).unwrap_or_default();
        let end = rest
            .find(['/', '"', '\'', ' ', '\n', '?', '#'])
            .unwrap_or(rest.len());
        let authority = rest.get(..end).unwrap_or_default();
        if let Some(user) = authority.rfind('@') {
            spans.push(at + 3..at + 3 + user);
        }
    }
    if spans.is_empty() {
        text.to_owned()
    } else {
        hide(text, &spans)
    }
}

/// The value behind the `=` at `at`, if the key before it names a secret.
fn assigned(text: &str, at: usize) -> Option<Range<usize>> {
    let head = text.get(..at)?.trim_end_matches([' ', '\t', '"', '\'']);
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let key = head.get(head.trim_end_matches(is_part).len()..)?;
    if !is_secret_name(key) {
        return None;
    }
    let rest = text.get(at + 1..)?;
    let value = rest.trim_start_matches([' ', '\t']);
    let start = at + 1 + (rest.len() - value.len());
    let first = value.chars().next()?;
    let len = match first {
        // A reference, `{ env = "NAME" }`, holds no secret.
        '{' => return None,
        '[' => value.find('\n').unwrap_or(value.len()),
        '"' | '\'' => {
            let fence = first.to_string().repeat(3);
            match value.strip_prefix(&fence) {
                Some(body) => body.find(&fence).map_or(value.len(), |end| end + 6),
                None => {
                    let line = value.find('\n').unwrap_or(value.len());
                    closing(value.get(..line)?, first).unwrap_or(line)
                }
            }
        }
        _ => value
            .find(['\n', ' ', '\t', ',', '}', '"', '\'', '&'])
            .unwrap_or(value.len()),
    };
    Some(start..start + len)
}

/// The length of a quoted text up to its closing quote.
fn closing(value: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in value.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' if quote == '"' => escaped = true,
            _ if c == quote => return Some(at + 1),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hides_literals_and_keeps_references() {
        let cases = [
            ("token = \"abc\" # x", "token = ***** # x"),
            ("api-key='a\"b', b = 1", "api-key=*****, b = 1"),
            ("token = \"abc", "token = ****"),
            ("token = abc", "token = ***"),
            ("token = { env = \"NAME\" }", "token = { env = \"NAME\" }"),
            ("token_file = \"/run/x\"", "token_file = \"/run/x\""),
            (
                "url = \"https://a:b@host/p?token=abc&x=1\"",
                "url = \"https://***@host/p?token=***&x=1\"",
            ),
            ("password = \"é\"\nx = 1", "password = *\u{b7}*\nx = 1"),
        ];
        for (text, shown) in cases {
            assert_eq!(likely(text), shown);
            assert_eq!(likely(text).len(), text.len());
        }
    }
}
