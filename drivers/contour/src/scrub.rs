//! A transcript of this driver made fit to be shared; what is replaced is told in [`crate::protocol::scrub`].

use glucopipe_sdk::scrub::Disguise;
use glucopipe_sdk::transcript::{Event, Transcript};
use glucopipe_sdk::{Error, Result, Status};

use crate::protocol::report::{PAYLOAD_MAX, REPORT_LEN};
use crate::protocol::scrub::{ScrubError, Scrubber};
use crate::protocol::token::{Token, Tokeniser};

/// Bytes of a report in front of its payload.
const HEAD: usize = REPORT_LEN - PAYLOAD_MAX;
/// Where a report has the length of its payload.
const LENGTH_AT: usize = HEAD - 1;

/// Scrubs a transcript.
///
/// # Errors
/// When it is none of a Contour, or cannot be scrubbed whole.
pub(crate) fn scrub(transcript: &mut Transcript, disguise: &Disguise) -> Result<()> {
    let refused = |what: String| Err(Error::new(Status::Protocol, what));
    if transcript.link != "hid" {
        return refused(format!("a Contour has no link `{}`", transcript.link));
    }
    let mut said = Vec::new();
    for (line, event) in &mut transcript.events {
        let from_meter = matches!(event, Event::In(_));
        let bytes = match event {
            Event::In(bytes) | Event::Out(bytes) => bytes,
            Event::Silence(_) | Event::Lost | Event::Opened => continue,
            Event::Command(_) | Event::Status(..) => {
                return refused(format!("line {line}: no event of a HID link"));
            }
        };
        let length = bytes
            .get(LENGTH_AT)
            .map_or(0, |length| usize::from(*length));
        if bytes.len() != REPORT_LEN || length > PAYLOAD_MAX {
            return refused(format!("line {line}: no report of a Contour"));
        }
        // What a report holds behind its payload may be left of an earlier one.
        let (payload, padding) = bytes[HEAD..].split_at_mut(length);
        padding.fill(0);
        if from_meter {
            said.extend_from_slice(payload);
        } else {
            Scrubber::new(disguise).text(payload).map_err(error)?;
        }
    }
    let mut scrubbed = stream(&said, disguise).map_err(error)?.into_iter();
    for (_, event) in &mut transcript.events {
        if let Event::In(bytes) = event {
            let length = usize::from(bytes[LENGTH_AT]);
            for (byte, made) in bytes[HEAD..HEAD + length].iter_mut().zip(&mut scrubbed) {
                *byte = made;
            }
        }
    }
    Ok(())
}

/// Scrubs all that a meter said.
fn stream(said: &[u8], disguise: &Disguise) -> std::result::Result<Vec<u8>, ScrubError> {
    let mut scrubber = Scrubber::new(disguise);
    let mut tokens = Tokeniser::new();
    tokens.push(said);
    let mut scrubbed = Vec::with_capacity(said.len());
    for token in tokens {
        let bytes = match token {
            Token::Control(control) => vec![control.byte()],
            Token::Frame(mut frame) => {
                scrubber.frame(&mut frame)?;
                frame
            }
            Token::Text { mut bytes, .. } => {
                scrubber.text(&mut bytes)?;
                bytes
            }
            Token::Garbage(mut bytes) => {
                scrubber.fragment(&mut bytes);
                bytes
            }
        };
        scrubbed.extend(bytes);
    }
    // The last token never ended.
    let mut rest = said.get(scrubbed.len()..).unwrap_or_default().to_vec();
    scrubber.fragment(&mut rest);
    scrubbed.append(&mut rest);
    Ok(scrubbed)
}

fn error(error: ScrubError) -> Error {
    Error::new(Status::Protocol, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::report;
    use crate::protocol::samples::{HEADER_7410_SIMULATED, transmission};
    use glucopipe_sdk::scrub::KEY;

    /// What a meter says, in reports of so many bytes.
    fn spoken(wire: &[u8], length: usize) -> Transcript {
        let reports = wire.chunks(length).map(|chunk| {
            let mut report = report::encode(chunk).next().unwrap();
            report[..3].copy_from_slice(&report::METER_PREFIX);
            (0, Event::In(report.to_vec()))
        });
        Transcript {
            link: "hid".into(),
            usb: None,
            events: reports.collect(),
        }
    }

    fn heard(transcript: &Transcript) -> Vec<u8> {
        let reports = transcript
            .events
            .iter()
            .filter_map(|(_, event)| match event {
                Event::In(report) => Some(report::decode(report).unwrap()),
                _ => None,
            });
        reports.flatten().copied().collect()
    }

    #[test]
    fn the_borders_of_reports_hide_nothing() {
        let disguise = Disguise::new([1; KEY], -700);
        let record = "R|1|^^^Glucose|104|mg/dL^P||B||20260530180507".to_owned();
        let wire = transmission(HEADER_7410_SIMULATED, &[record]);
        let whole = stream(&wire, &disguise).unwrap();
        let text = String::from_utf8_lossy(&whole).into_owned();
        for lost in ["1234567", "|104|", "20260530"] {
            assert!(!text.contains(lost), "{text}");
        }
        for length in 1..=PAYLOAD_MAX {
            let mut transcript = spoken(&wire, length);
            scrub(&mut transcript, &disguise).unwrap();
            assert_eq!(heard(&transcript), whole);
        }
        // A frame that was cut off is not left as it was.
        let cut = stream(&wire[..wire.len() - 12], &disguise).unwrap();
        assert_eq!(cut.len(), wire.len() - 12);
        let begun = stream(&wire[..60], &disguise).unwrap();
        assert!(!String::from_utf8_lossy(&begun).contains("7410-1"));
    }

    #[test]
    fn padding_is_emptied_and_other_reports_are_refused() {
        let disguise = Disguise::new([1; KEY], -700);
        let mut transcript = spoken(b"\x04", 60);
        if let Event::In(report) = &mut transcript.events[0].1 {
            report[20..27].copy_from_slice(b"1234567");
        }
        scrub(&mut transcript, &disguise).unwrap();
        assert_eq!(transcript, spoken(b"\x04", 60));
        for (link, event) in [
            ("scsi", Event::Lost),
            ("hid", Event::Command(vec![0x12])),
            ("hid", Event::In(vec![0; 8])),
            ("hid", Event::Out(vec![0xff; 64])),
        ] {
            let mut strange = Transcript {
                link: link.into(),
                usb: None,
                events: vec![(4, event)],
            };
            let error = scrub(&mut strange, &disguise).unwrap_err();
            assert_eq!(error.status, Status::Protocol);
        }
    }
}
