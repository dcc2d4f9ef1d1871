//! Device selectors: the text that says which meter is meant.

use std::path::PathBuf;

use crate::problem::{Code, Problem};
use crate::transport::virtual_meter::VirtualMeter;

/// Which device the user means.
#[derive(Clone, Debug)]
pub enum Selector {
    /// The one attached meter.
    Any,
    /// The meter with this serial; blanks and case do not count.
    Serial(String),
    /// A meter with these USB ids.
    Usb(String, String),
    /// The device at this node, or this file.
    Path(String),
    /// A virtual meter.
    Virtual(Box<VirtualMeter>),
    /// A recorded session.
    Replay(PathBuf),
}

impl Selector {
    /// Parses `serial:…`, `usb:VVVV:PPPP`, `path:…`, `virtual:MODEL?…` or `replay:FILE`.
    ///
    /// # Errors
    /// [`Code::DEVICE_SELECTOR`], without a place.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let bad = |cause: String| {
            Problem::error(Code::DEVICE_SELECTOR, format!("`{text}` selects no device"))
                .cause(cause)
        };
        let forms = "write `serial:…`, `usb:VVVV:PPPP`, `path:…`, `virtual:MODEL` or `replay:FILE`";
        let (kind, rest) = text
            .split_once(':')
            .ok_or_else(|| bad("it does not say what kind of selector it is".into()).hint(forms))?;
        if rest.is_empty() {
            return Err(bad(format!("nothing follows `{kind}:`")).hint(forms));
        }
        match kind {
            "serial" => Ok(Self::Serial(normalise_serial(rest))),
            "usb" => {
                let hex =
                    |id: &str| id.len() == 4 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
                match rest.split_once(':') {
                    Some((vendor, product)) if hex(vendor) && hex(product) => Ok(Self::Usb(
                        vendor.to_ascii_lowercase(),
                        product.to_ascii_lowercase(),
                    )),
                    _ => Err(bad("expected two ids of four hexadecimal digits".into())
                        .hint("as in `usb:1a79:7410`")),
                }
            }
            "path" => Ok(Self::Path(rest.to_owned())),
            "virtual" => VirtualMeter::parse(rest)
                .map(|meter| Self::Virtual(Box::new(meter)))
                .map_err(|(cause, hint)| {
                    bad(cause).hint(hint.unwrap_or_else(|| {
                        "`glucopipe devices --virtual` lists models and keys".to_owned()
                    }))
                }),
            "replay" => Ok(Self::Replay(rest.into())),
            _ => Err(bad(format!("there is no selector `{kind}:`")).hint(forms)),
        }
    }
}

/// A serial as it is compared and stored: no blanks, upper case.
pub fn normalise_serial(serial: &str) -> String {
    serial
        .chars()
        .filter(|c| !c.is_whitespace())
        .flat_map(char::to_uppercase)
        .collect()
}

/// What a message may show of a serial: the last three characters, of a short one nothing.
pub fn serial_end(serial: &str) -> String {
    let hidden = serial.chars().count().saturating_sub(SHOWN);
    let end = serial.chars().skip(hidden).collect::<String>();
    if hidden >= SHOWN { end } else { String::new() }
}

/// Characters of a serial that a message may show.
const SHOWN: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_shows_little_of_a_serial() {
        assert_eq!(serial_end("7801-1234567"), "567");
        assert_eq!(serial_end("ÄÖ7ÜÄÖ"), "ÜÄÖ");
        assert_eq!(serial_end("12345"), "");
        assert_eq!(serial_end(""), "");
    }

    #[test]
    fn selectors_parse() {
        let parsed = |text| Selector::parse(text).unwrap();
        assert!(
            matches!(parsed("serial: 78 01-a"), Selector::Serial(serial) if serial == "7801-A")
        );
        assert!(matches!(parsed("usb:1A79:7410"), Selector::Usb(vendor, _) if vendor == "1a79"));
        assert!(matches!(parsed("path:/dev/hidraw3"), Selector::Path(_)));
        assert!(matches!(
            parsed("replay:/x/a.transcript"),
            Selector::Replay(_)
        ));
        assert!(matches!(
            parsed("virtual:contour-next-usb?records=3&zone=Europe/Athens"),
            Selector::Virtual(_)
        ));
    }

    #[test]
    fn bad_selectors_say_what_to_write() {
        for (text, hint) in [
            ("contour", "serial:"),
            ("usb:1a79", "usb:1a79:7410"),
            ("serial:", "serial:"),
            ("tcp:x", "virtual:MODEL"),
            ("virtual:contour-next-ubs", "contour-next-usb"),
            ("virtual:contour-next-usb?recods=3", "records"),
            ("virtual:contour-next-usb?zone=Athens", "Europe/Athens"),
        ] {
            let problem = Selector::parse(text).unwrap_err();
            assert_eq!(problem.code, Code::DEVICE_SELECTOR);
            assert!(
                problem.hint.as_ref().unwrap().contains(hint),
                "{text}: {problem:?}"
            );
        }
    }
}
