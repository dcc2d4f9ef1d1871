//! What a request asks for, and the texts of the answers (lifescan.md sections 3.3 and 3.4).

/// Register for general commands.
pub(super) const GENERAL: u32 = 3;
/// Register for parameters.
pub(super) const PARAMETERS: u32 = 4;
/// Register without a use.
pub(super) const UNUSED: u32 = 5;

/// Status of a command that was done.
pub(super) const DONE: u8 = 0x06;
/// Status of a command that is not known.
pub(super) const REFUSED: u8 = 0x09;
/// Status of a record that does not exist; meters are not known to tell it apart.
pub(super) const NO_RECORD: u8 = 0x08;

/// READ PARAMETER answers with this prefix whatever was sent.
const PARAMETER_PREFIX: u8 = 0x03;

/// A text that the meter can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Text {
    Serial,
    Model,
    Software,
    DateFormat,
    TimeFormat,
    Url,
    Languages,
}

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    /// A text.
    Text(Text),
    /// Selector 03, which is no text.
    Blob,
    /// The unit of the display.
    Unit,
    /// The clock.
    Clock,
    /// Another clock, in seconds since 2000-01-01.
    SetClock(u32),
    /// The number of records.
    Count,
    /// One record; 0 is the newest.
    Record(u16),
    /// An empty memory.
    Erase,
    /// A selector or parameter the meter does not have.
    Missing,
    /// A command the meter does not have.
    Unknown,
}

impl Ask {
    /// The command changes something in the meter.
    pub(super) fn changes(self) -> bool {
        matches!(self, Self::SetClock(_) | Self::Erase)
    }
}

/// Reads a message: the prefix of the answer and the command; a broken rule when the meter does not
/// process it at all.
pub(super) fn understand(register: u32, message: &[u8]) -> Result<(u8, Ask), &'static str> {
    let (prefix, rest) = match message {
        [prefix @ 0x03..=0x05, rest @ ..] => (*prefix, rest),
        _ => return Err("request with an unknown prefix"),
    };
    let ask = match (register, rest) {
        // The third byte is ignored and may be missing.
        (PARAMETERS, [parameter] | [parameter, _]) => {
            let ask = match parameter {
                0x00 => Ask::Text(Text::TimeFormat),
                0x02 => Ask::Text(Text::DateFormat),
                0x04 => Ask::Unit,
                _ => Ask::Missing,
            };
            return Ok((PARAMETER_PREFIX, ask));
        }
        (GENERAL, [0x00 | 0x02 | 0x04] | [0x00 | 0x02 | 0x04, _]) | (PARAMETERS, _) => {
            return Err("request to the wrong register");
        }
        (_, [0xE6, 0x02, selector]) => match selector {
            0x00 => Ask::Text(Text::Serial),
            0x01 => Ask::Text(Text::Model),
            0x02 => Ask::Text(Text::Software),
            0x03 => Ask::Blob,
            0x04 => Ask::Text(Text::DateFormat),
            0x05 => Ask::Text(Text::TimeFormat),
            0x07 => Ask::Text(Text::Url),
            0x09 => Ask::Text(Text::Languages),
            _ => Ask::Missing,
        },
        (_, [0x20, 0x02]) => Ask::Clock,
        (_, [0x20, 0x01, a, b, c, d]) => Ask::SetClock(u32::from_le_bytes([*a, *b, *c, *d])),
        (_, [0x27, 0x00]) => Ask::Count,
        (_, [0x31, 0x02, low, high, 0x00]) => Ask::Record(u16::from_le_bytes([*low, *high])),
        (_, [0x1A]) => Ask::Erase,
        _ => Ask::Unknown,
    };
    Ok((prefix, ask))
}

/// A text as UTF-16, with a zero behind it.
pub(super) fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16()
        .chain([0])
        .flat_map(u16::to_le_bytes)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_with_the_prefix_of_the_request_but_for_parameters() {
        for prefix in 3..=5 {
            let query = understand(GENERAL, &[prefix, 0xE6, 0x02, 0x00]);
            assert_eq!(query, Ok((prefix, Ask::Text(Text::Serial))));
            for message in [
                &[prefix, 0x04, 0x00][..],
                &[prefix, 0x04, 0x77],
                &[prefix, 0x04],
            ] {
                assert_eq!(understand(PARAMETERS, message), Ok((3, Ask::Unit)));
            }
        }
        assert!(understand(GENERAL, &[6, 0xE6, 2, 0]).is_err());
        assert!(understand(GENERAL, &[]).is_err());
    }

    #[test]
    fn reads_every_command_of_the_table() {
        for (rest, ask) in [
            (&[0x20, 0x02][..], Ask::Clock),
            (
                &[0x20, 0x01, 0x4C, 0xE3, 0xAD, 0x31],
                Ask::SetClock(0x31AD_E34C),
            ),
            (&[0x27, 0x00], Ask::Count),
            (&[0x31, 0x02, 0x2C, 0x01, 0x00], Ask::Record(300)),
            (&[0x1A], Ask::Erase),
            (&[0xE6, 0x02, 0x03], Ask::Blob),
            (&[0xE6, 0x02, 0x06], Ask::Missing),
            (&[0xE6, 0x02], Ask::Unknown),
            (&[0x31, 0x02, 0x00, 0x00, 0x01], Ask::Unknown),
            (&[0x21, 0x00, 0x00], Ask::Unknown),
            (&[0x1A, 0x00], Ask::Unknown),
            (&[], Ask::Unknown),
        ] {
            let message = [&[3], rest].concat();
            assert_eq!(understand(GENERAL, &message), Ok((3, ask)), "{rest:02X?}");
        }
    }

    #[test]
    fn works_on_the_right_register_only() {
        assert!(understand(GENERAL, &[3, 0x04, 0x00]).is_err());
        assert!(understand(GENERAL, &[3, 0x04]).is_err());
        assert!(understand(PARAMETERS, &[3, 0xE6, 0x02, 0x01]).is_err());
        assert!(understand(PARAMETERS, &[3]).is_err());
        // Three bytes are a parameter there, whatever they mean elsewhere.
        assert_eq!(
            understand(PARAMETERS, &[3, 0x27, 0x00]),
            Ok((3, Ask::Missing))
        );
    }
}
