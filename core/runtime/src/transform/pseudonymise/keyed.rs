//! What a key makes of a text, and what nobody makes of it without the key.

use data_encoding::BASE32_NOPAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use uuid::{Builder, Uuid};

/// First part of everything that is hashed; frozen, or pseudonyms would change.
const CONTEXT: &[u8] = b"glucopipe pseudonym 1\0";
/// Bytes of a pseudonym, 16 letters and digits: two of a million are alike less often than once in 10^12.
const SHORT: usize = 10;
/// Fewest characters of a key: serials are few, so the key is all that keeps them from being tried.
pub(super) const KEY_LENGTH: usize = 32;
/// Bytes of a UUID.
const LONG: usize = 16;

/// What is hashed; the same text gives another result for each.
#[derive(Clone, Copy, Debug)]
pub(super) enum Of {
    Person,
    Serial,
    Reading,
    /// The days that a person's times are moved by.
    PersonShift,
    /// The same for a meter that is nobody's.
    SerialShift,
    /// The key itself.
    Key,
}

impl Of {
    fn word(self) -> &'static [u8] {
        match self {
            Self::Person => b"person\0",
            Self::Serial => b"serial\0",
            Self::Reading => b"reading\0",
            Self::PersonShift => b"person shift\0",
            Self::SerialShift => b"serial shift\0",
            Self::Key => b"key\0",
        }
    }
}

/// A key, ready to be used.
pub(super) struct Key(Hmac<Sha256>);

impl Key {
    /// A key from the text of a secret, if that is long enough.
    pub(super) fn new(secret: &str) -> Option<Self> {
        let key = Hmac::new_from_slice(secret.as_bytes()).ok();
        key.filter(|_| secret.chars().count() >= KEY_LENGTH)
            .map(Self)
    }

    fn digest(&self, of: Of, text: &str) -> [u8; 32] {
        let mut mac = self.0.clone();
        for part in [CONTEXT, of.word(), text.as_bytes()] {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }

    /// A pseudonym that begins with a letter, so that no spreadsheet takes it for a number.
    pub(super) fn pseudonym(&self, of: Of, text: &str) -> String {
        let letter = match of {
            Of::Person => 'p',
            Of::Serial => 'm',
            _ => 'k',
        };
        short(letter, &self.digest(of, text))
    }

    /// The id and the record key of a reading, from the id it had.
    pub(super) fn reading(&self, reading_id: &str) -> (Uuid, String) {
        let digest = self.digest(Of::Reading, reading_id);
        let (mut id, mut rest) = ([0; LONG], [0; LONG]);
        id.copy_from_slice(&digest[..LONG]);
        rest.copy_from_slice(&digest[LONG..]);
        // Version 8: not made from a name by the rules of version 5.
        (
            Builder::from_custom_bytes(id).into_uuid(),
            short('r', &rest),
        )
    }

    /// One of `many` numbers from 0.
    pub(super) fn choice(&self, of: Of, text: &str, many: u64) -> u64 {
        let mut number = [0; 8];
        number.copy_from_slice(&self.digest(of, text)[..8]);
        u64::from_be_bytes(number) % many.max(1)
    }
}

fn short(letter: char, bytes: &[u8]) -> String {
    let code = BASE32_NOPAD.encode(bytes.get(..SHORT).unwrap_or(bytes));
    format!("{letter}{}", code.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    /// Made by another implementation of HMAC.
    #[test]
    fn pseudonyms_are_frozen() {
        let key = Key::new(SECRET).unwrap();
        assert_eq!(key.pseudonym(Of::Person, "anna"), "pclrdhglmj2ih2f3r");
        assert_eq!(
            key.pseudonym(Of::Serial, "7801-1234567"),
            "mtnwjdtnidiymuphv"
        );
        assert_eq!(key.pseudonym(Of::Key, ""), "ka52f6qbsmmmn76iz");
        let (id, record) = key.reading("20134953-a7fd-5549-854e-0991222660d1");
        assert_eq!(id.to_string(), "f957607b-d9ea-8088-a874-fe4130f8dd81");
        assert_eq!(id.get_version_num(), 8);
        assert_eq!(record, "r5otzcdtwblmf3ci6");
        assert_eq!(key.choice(Of::PersonShift, "anna", 364), 166);
        assert_eq!(key.choice(Of::SerialShift, "anna", 364), 134);
        assert!(Key::new(&SECRET[1..]).is_none());
    }
}
