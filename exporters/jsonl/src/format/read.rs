//! Reading lines back, to add to them.

use std::fmt;

use glucopipe_sdk::serde::Deserializer;
use glucopipe_sdk::serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, Visitor};
use glucopipe_sdk::serde_json;
use glucopipe_sdk::text::{Found, RowKey, RowReader, parse_time};

const NO_OBJECT: &str = "a line that is no JSON object";
const OTHER_KEYS: &str = "an object with other keys than this sink writes";
const NO_TEXT: &str = "a `reading_id`, `local_time` or `record_key` that is no text";
const TIME: &str = "a `local_time` that is not as this sink writes it";

/// Reads lines of these keys.
pub(super) struct Reader {
    names: Vec<&'static str>,
}

impl Reader {
    pub(super) fn new(names: Vec<&'static str>) -> Self {
        Self { names }
    }
}

impl RowReader for Reader {
    fn read(&mut self, text: &[u8], key: &mut RowKey) -> Found {
        let Some(end) = text.iter().position(|&byte| byte == b'\n') else {
            return Found::Part;
        };
        let Ok(line) = std::str::from_utf8(&text[..end]) else {
            return Found::Odd(NO_OBJECT);
        };
        let mut odd = NO_OBJECT;
        let object = Object {
            names: &self.names,
            key,
            odd: &mut odd,
        };
        let mut json = serde_json::Deserializer::from_str(line);
        let read = object.deserialize(&mut json).and_then(|()| json.end());
        match read {
            Ok(()) => Found::Row(end + 1),
            Err(_) => Found::Odd(odd),
        }
    }

    fn explain(&self, _: &[u8]) -> String {
        // Nothing stands before the first line.
        NO_OBJECT.to_owned()
    }
}

/// One object, of which only the key is kept.
struct Object<'a> {
    names: &'a [&'static str],
    key: &'a mut RowKey,
    /// What is wrong, once it is more than no JSON.
    odd: &'a mut &'static str,
}

impl<'de> DeserializeSeed<'de> for Object<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { names, key, odd } = self;
        let mut fail = |what| {
            *odd = what;
            A::Error::custom(what)
        };
        for &name in names {
            match map.next_key::<String>()? {
                Some(found) if found == name => {}
                _ => return Err(fail(OTHER_KEYS)),
            }
            match name {
                "reading_id" | "record_key" | "local_time" => {
                    let text: Option<String> = map.next_value().map_err(|_| fail(NO_TEXT))?;
                    let text = text.ok_or_else(|| fail(NO_TEXT))?;
                    match name {
                        "reading_id" => key.reading_id = text.into_bytes(),
                        "record_key" => key.record_key = text.into_bytes(),
                        _ => {
                            let time = parse_time(text.as_bytes(), b'T');
                            key.local_time = time.ok_or_else(|| fail(TIME))?;
                        }
                    }
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        match map.next_key::<IgnoredAny>()? {
            None => Ok(()),
            Some(_) => Err(fail(OTHER_KEYS)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Found, RowKey) {
        let mut reader = Reader::new(vec!["local_time", "value", "reading_id", "record_key"]);
        let mut key = RowKey::default();
        (reader.read(text.as_bytes(), &mut key), key)
    }

    #[test]
    fn a_line_is_known_by_its_keys() {
        let line = r#"{"local_time":"2024-03-01T05:15:00","value":5.5,"reading_id":"a\"b","record_key":"µ"}"#;
        for text in [
            format!("{line}\nmore"),
            format!("{}\r\n", line.replace(',', " , ")),
        ] {
            let (found, key) = read(&text);
            assert_eq!(found, Found::Row(text.find('\n').unwrap() + 1));
            assert_eq!(key.reading_id, b"a\"b");
            assert_eq!(key.record_key, "µ".as_bytes());
            assert_eq!(key.local_time, 1_709_270_100_000_000);
        }
        for cut in 0..=line.len() {
            if line.is_char_boundary(cut) {
                assert_eq!(read(&line[..cut]).0, Found::Part);
            }
        }
    }

    #[test]
    fn other_lines_are_odd() {
        let with = |keys: &str| format!("{{{keys}}}\n");
        let id = r#""reading_id":"a","record_key":"k""#;
        let time = r#""local_time":"2024-03-01T05:15:00""#;
        for (line, odd) in [
            ("\n".to_owned(), NO_OBJECT),
            ("[]\n".to_owned(), NO_OBJECT),
            ("93 mg/dL\n".to_owned(), NO_OBJECT),
            (
                with(&format!("{time},\"value\":5,{id}")).replace('}', "} x"),
                NO_OBJECT,
            ),
            (with(&format!("{time},\"value\":,{id}")), NO_OBJECT),
            (with(""), OTHER_KEYS),
            (with(&format!("{time},{id}")), OTHER_KEYS),
            (with(&format!("\"value\":5,{time},{id}")), OTHER_KEYS),
            (
                with(&format!("{time},\"value\":5,{id},\"more\":1")),
                OTHER_KEYS,
            ),
            (
                with(&format!(
                    "{time},\"value\":5,\"reading_id\":1,\"record_key\":\"k\""
                )),
                NO_TEXT,
            ),
            (
                with(&format!("\"local_time\":null,\"value\":5,{id}")),
                NO_TEXT,
            ),
            (
                with(&format!("\"local_time\":\"07:15\",\"value\":5,{id}")),
                TIME,
            ),
        ] {
            assert_eq!(read(&line).0, Found::Odd(odd), "{line}");
        }
        assert_eq!(
            Reader::new(vec!["value"]).read(b"{\"value\":\"\xff\"}\n", &mut RowKey::default()),
            Found::Odd(NO_OBJECT)
        );
    }
}
