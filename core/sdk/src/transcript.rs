//! The transcript: a session with a device as text, one event a line, good to diff.
//!
//! The host writes and replays them; a driver meets one in tests, and in [`Driver::scrub`].
//!
//! ```text
//! glucopipe-transcript 1
//! link hid
//! usb 1a79:7410
//! # comment
//! > 00000001 58 00*59          host to meter
//! < 41424301 05 00*59          meter to host
//! . 2000                       nothing came for 2000 ms
//! ! lost                       the device went away
//! c 1200000024 00              SCSI command; its data follow as > or <
//! = 0 0                        SCSI status, residue and, when not good, sense bytes
//! ```
//!
//! The first line comes again where the link was closed and opened once more.
//!
//! `00*59` stands for 59 zero bytes. It holds readings and serials: files are written 0600.
//!
//! [`Driver::scrub`]: crate::driver::Driver::scrub

use std::fmt::Write as _;

/// First line of every transcript.
const MAGIC: &str = "glucopipe-transcript 1";
/// Most bytes of all events together; a full meter sends far fewer.
const MOST_BYTES: usize = 64 << 20;
/// Most bytes one line may stand for.
pub const LINE_LIMIT: usize = 1 << 20;
/// Shortest run of zero bytes that is written as `00*N`.
const RUN: usize = 4;

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Host to meter.
    Out(Vec<u8>),
    /// Meter to host.
    In(Vec<u8>),
    /// Nothing came for this many milliseconds.
    Silence(u32),
    /// The device went away.
    Lost,
    /// The link was opened once more.
    Opened,
    /// A SCSI command block.
    Command(Vec<u8>),
    /// A SCSI status, residue and sense data.
    Status(u32, u32, Vec<u8>),
}

/// A parsed transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transcript {
    /// `hid`, `scsi`, `serial` or `file`.
    pub link: String,
    /// USB vendor and product id, four hexadecimal digits each.
    pub usb: Option<(String, String)>,
    /// Events with their line numbers.
    pub events: Vec<(usize, Event)>,
}

/// What is wrong with a transcript, and in which line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TranscriptError {
    /// Line, from 1.
    pub line: usize,
    /// What is wrong.
    pub reason: String,
}

impl Transcript {
    /// Parses the text of a transcript.
    ///
    /// # Errors
    /// The first line that is none.
    pub fn parse(text: &str) -> Result<Self, TranscriptError> {
        let mut lines = text
            .lines()
            .enumerate()
            .map(|(index, line)| (index + 1, line));
        let fail = |line, reason: &str| TranscriptError {
            line,
            reason: reason.to_owned(),
        };
        match lines.next() {
            Some((_, first)) if first.trim_end() == MAGIC => {}
            _ => return Err(fail(1, &format!("expected `{MAGIC}`"))),
        }
        let mut transcript = Self {
            link: "hid".into(),
            usb: None,
            events: Vec::new(),
        };
        let mut total = 0;
        for (number, line) in lines {
            let line = line.split('#').next().unwrap_or("").trim();
            if line.is_empty() {
                continue;
            }
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            if line == MAGIC {
                transcript.events.push((number, Event::Opened));
                continue;
            }
            let mut bytes_of = |text: &str| {
                let bytes = parse_bytes(text).map_err(|reason| fail(number, reason))?;
                total += bytes.len();
                if total > MOST_BYTES {
                    return Err(fail(number, "more bytes than a conversation has"));
                }
                Ok(bytes)
            };
            let event = match word {
                "link" if matches!(rest, "hid" | "scsi" | "serial" | "file") => {
                    if !transcript.events.is_empty() && transcript.link != rest {
                        return Err(fail(number, "the link is another than before"));
                    }
                    rest.clone_into(&mut transcript.link);
                    continue;
                }
                "usb" => {
                    let ids = rest.split_once(':').filter(|(vendor, product)| {
                        [vendor, product].iter().all(|id| {
                            id.len() == 4 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
                        })
                    });
                    let (vendor, product) =
                        ids.ok_or_else(|| fail(number, "expected `usb VVVV:PPPP`"))?;
                    transcript.usb =
                        Some((vendor.to_ascii_lowercase(), product.to_ascii_lowercase()));
                    continue;
                }
                ">" => Event::Out(bytes_of(rest)?),
                "<" => Event::In(bytes_of(rest)?),
                "c" => Event::Command(bytes_of(rest)?),
                "." => Event::Silence(
                    rest.parse()
                        .map_err(|_| fail(number, "expected milliseconds"))?,
                ),
                "!" if rest == "lost" => Event::Lost,
                "=" => {
                    let mut words = rest.splitn(3, ' ');
                    let mut number_word = || words.next().and_then(|word| word.parse().ok());
                    let (Some(status), Some(residue)) = (number_word(), number_word()) else {
                        return Err(fail(number, "expected `= STATUS RESIDUE [SENSE]`"));
                    };
                    let sense = bytes_of(words.next().unwrap_or(""))?;
                    Event::Status(status, residue, sense)
                }
                _ => return Err(fail(number, "no such event")),
            };
            transcript.events.push((number, event));
        }
        Ok(transcript)
    }

    /// What went over the link each time that it was open.
    pub fn sessions(&self) -> Vec<Self> {
        let sessions = self.events.split(|(_, event)| *event == Event::Opened);
        let session = |events: &[(usize, Event)]| Self {
            link: self.link.clone(),
            usb: self.usb.clone(),
            events: events.to_vec(),
        };
        sessions.map(session).collect()
    }

    /// The text of the transcript; comments are gone.
    pub fn to_text(&self) -> String {
        let usb = self.usb.as_ref();
        let usb = usb.map(|(vendor, product)| (vendor.as_str(), product.as_str()));
        let lines = self.events.iter().map(|(_, event)| event.line());
        std::iter::once(header(&self.link, usb))
            .chain(lines)
            .collect()
    }
}

/// The first lines of a transcript.
pub fn header(link: &str, usb: Option<(&str, &str)>) -> String {
    let mut text = format!("{MAGIC}\nlink {link}\n");
    if let Some((vendor, product)) = usb {
        let _ = writeln!(text, "usb {vendor}:{product}");
    }
    text
}

impl Event {
    /// The event as a line, with its newline.
    pub fn line(&self) -> String {
        match self {
            Self::Out(bytes) => format!("> {}\n", write_bytes(bytes)),
            Self::In(bytes) => format!("< {}\n", write_bytes(bytes)),
            Self::Command(bytes) => format!("c {}\n", write_bytes(bytes)),
            Self::Silence(ms) => format!(". {ms}\n"),
            Self::Lost => "! lost\n".to_owned(),
            Self::Opened => format!("{MAGIC}\n"),
            Self::Status(status, residue, sense) if sense.is_empty() => {
                format!("= {status} {residue}\n")
            }
            Self::Status(status, residue, sense) => {
                format!("= {status} {residue} {}\n", write_bytes(sense))
            }
        }
    }
}

fn parse_bytes(text: &str) -> Result<Vec<u8>, &'static str> {
    let mut bytes = Vec::new();
    for word in text.split_whitespace() {
        if let Some(count) = word.strip_prefix("00*") {
            let count: usize = count.parse().map_err(|_| "expected a count after `00*`")?;
            if bytes.len().saturating_add(count) > LINE_LIMIT {
                return Err("the line stands for too many bytes");
            }
            bytes.resize(bytes.len() + count, 0);
        } else {
            let digits = word.as_bytes();
            if digits.len() % 2 != 0 {
                return Err("expected pairs of hexadecimal digits");
            }
            for pair in digits.chunks_exact(2) {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                let (Some(high), Some(low)) = (digit(pair[0]), digit(pair[1])) else {
                    return Err("expected pairs of hexadecimal digits");
                };
                bytes.push(u8::try_from(high * 16 + low).unwrap_or(0));
            }
        }
        if bytes.len() > LINE_LIMIT {
            return Err("the line stands for too many bytes");
        }
    }
    Ok(bytes)
}

fn write_bytes(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    let mut rest = bytes;
    while let Some(&first) = rest.first() {
        let zeros = rest.iter().take_while(|&&byte| byte == 0).count();
        if zeros >= RUN {
            if !text.is_empty() {
                text.push(' ');
            }
            let _ = write!(text, "00*{zeros}");
            rest = &rest[zeros..];
            if !rest.is_empty() {
                text.push(' ');
            }
        } else {
            let _ = write!(text, "{first:02x}");
            rest = &rest[1..];
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_short_text_does_not_become_a_long_conversation() {
        let line = format!("< 00*{LINE_LIMIT}\n");
        let text = |lines| format!("{MAGIC}\nlink hid\n{}", line.repeat(lines));
        let most = MOST_BYTES / LINE_LIMIT;
        assert!(Transcript::parse(&text(most)).is_ok());
        let error = Transcript::parse(&text(most + 1)).unwrap_err();
        assert_eq!(error.line, most + 3);
    }

    fn event() -> impl Strategy<Value = Event> {
        let bytes =
            || proptest::collection::vec(prop_oneof![3 => Just(0u8), 2 => any::<u8>()], 0..70);
        prop_oneof![
            bytes().prop_map(Event::Out),
            bytes().prop_map(Event::In),
            bytes().prop_map(Event::Command),
            any::<u32>().prop_map(Event::Silence),
            Just(Event::Lost),
            Just(Event::Opened),
            (any::<u32>(), any::<u32>(), bytes()).prop_map(|(a, b, c)| Event::Status(a, b, c)),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(events in proptest::collection::vec(event(), 0..20)) {
            let mut text = header("hid", Some(("1a79", "7410")));
            for event in &events {
                text.push_str(&event.line());
            }
            let read = Transcript::parse(&text).unwrap();
            prop_assert_eq!(read.to_text(), text);
            prop_assert_eq!(read.usb, Some(("1a79".into(), "7410".into())));
            let back: Vec<Event> = read.events.into_iter().map(|(_, event)| event).collect();
            prop_assert_eq!(back, events);
        }

        #[test]
        fn any_text_is_parsed_or_refused(text in "[ -~\n]{0,200}", tail in ".{0,80}") {
            let _ = Transcript::parse(&text);
            let _ = Transcript::parse(&format!("{MAGIC}\n{text}\n> {tail}"));
        }
    }

    #[test]
    fn a_report_is_a_short_line() {
        let mut report = vec![0, 0, 0, 1, 0x58];
        report.resize(64, 0);
        assert_eq!(Event::Out(report).line(), "> 0000000158 00*59\n");
    }

    #[test]
    fn a_link_that_is_opened_again_begins_another_session() {
        let link = |link: &str| format!("{}. 7\n", header(link, None));
        let twice = Transcript::parse(&(link("hid") + &link("hid"))).unwrap();
        let sessions = twice.sessions();
        assert_eq!(sessions.len(), 2);
        for session in sessions {
            assert_eq!(session.to_text(), link("hid"));
        }
        let changed = Transcript::parse(&(link("hid") + &link("scsi"))).unwrap_err();
        assert_eq!(
            (changed.line, &*changed.reason),
            (5, "the link is another than before")
        );
    }

    #[test]
    fn errors_name_the_line() {
        let error = |text: &str| {
            let error = Transcript::parse(text).unwrap_err();
            (error.line, error.reason)
        };
        assert_eq!(error("").0, 1);
        let magic = format!("{MAGIC}\n");
        assert_eq!(error(&format!("{magic}\n> 0g")).0, 3);
        assert_eq!(error(&format!("{magic}> 00*99999999999")).0, 2);
        assert_eq!(
            error(&format!("{magic}usb 1a79")).1,
            "expected `usb VVVV:PPPP`"
        );
        assert_eq!(error(&format!("{magic}? 00")).1, "no such event");
    }
}
