//! A recorded session as a device.
//!
//! Matching is lenient where drivers may differ from the recording: a write that is not the next
//! recorded one finds a silent meter, as a real one is silent to a wake-up it does not know, and
//! recorded silences may be skipped.

use glucopipe_sdk::link::{Kind, ScsiData, ScsiStatus};

use super::link::{Link, LinkContext, LinkError};
use super::transcript::{Event, Transcript};

/// After this many writes that the recording does not have, it is not the same conversation.
const MISMATCH_LIMIT: u32 = 64;

/// A transcript being replayed.
pub struct Replay {
    kind: Kind,
    events: std::vec::IntoIter<(usize, Event)>,
    next: Option<(usize, Event)>,
    mismatches: u32,
}

impl Replay {
    /// A device that behaves as recorded.
    pub fn new(transcript: Transcript) -> Self {
        let kind = match transcript.link.as_str() {
            "scsi" => Kind::Scsi,
            "serial" => Kind::Serial,
            "file" => Kind::File,
            _ => Kind::Hid,
        };
        let mut events = transcript.events.into_iter();
        let next = events.next();
        Self {
            kind,
            events,
            next,
            mismatches: 0,
        }
    }

    fn advance(&mut self) {
        self.next = self.events.next();
    }

    fn skip_silence(&mut self) {
        while matches!(self.next, Some((_, Event::Silence(_)))) {
            self.advance();
        }
    }

    fn mismatch(&mut self, what: &str) -> Result<(), LinkError> {
        self.mismatches += 1;
        if self.mismatches <= MISMATCH_LIMIT {
            return Ok(());
        }
        let at = self
            .next
            .as_ref()
            .map_or_else(|| "its end".to_owned(), |(line, _)| format!("line {line}"));
        Err(LinkError::Transcript(format!(
            "at {at} the driver {what} something else than recorded"
        )))
    }
}

impl Link for Replay {
    fn kind(&self) -> Kind {
        self.kind
    }

    fn read(
        &mut self,
        context: &LinkContext<'_>,
        wait_ms: u32,
        buffer: &mut [u8],
    ) -> Result<usize, LinkError> {
        match &self.next {
            Some((_, Event::In(bytes))) => {
                let len = bytes.len().min(buffer.len());
                buffer[..len].copy_from_slice(&bytes[..len]);
                self.advance();
                Ok(len)
            }
            Some((_, Event::Lost)) => Err(LinkError::Lost),
            Some((_, Event::Silence(_))) => {
                context.time.advance(wait_ms);
                self.advance();
                Err(LinkError::Timeout)
            }
            None if self.kind == Kind::File => Ok(0),
            _ => {
                context.time.advance(wait_ms);
                Err(LinkError::Timeout)
            }
        }
    }

    fn write(&mut self, _context: &LinkContext<'_>, bytes: &[u8]) -> Result<(), LinkError> {
        self.skip_silence();
        match &self.next {
            Some((_, Event::Out(recorded))) if recorded == bytes => {
                self.advance();
                Ok(())
            }
            Some((_, Event::Lost)) => Err(LinkError::Lost),
            // What the meter was still saying goes unheard when the driver speaks first.
            _ => self.mismatch("sends"),
        }
    }

    fn scsi(
        &mut self,
        _context: &LinkContext<'_>,
        _timeout_ms: u32,
        cdb: &[u8],
        data: ScsiData<'_>,
    ) -> Result<ScsiStatus, LinkError> {
        self.skip_silence();
        let differs = |line: usize| {
            LinkError::Transcript(format!("line {line}: the driver sends another command"))
        };
        match self.next.take() {
            Some((_, Event::Command(recorded))) if recorded == cdb => self.advance(),
            Some((_, Event::Lost)) => return Err(LinkError::Lost),
            Some((line, _)) => return Err(differs(line)),
            None => return Err(LinkError::Transcript("the recording has ended".into())),
        }
        match (data, &self.next) {
            (ScsiData::From(buffer), Some((_, Event::In(bytes)))) => {
                let len = bytes.len().min(buffer.len());
                buffer[..len].copy_from_slice(&bytes[..len]);
                self.advance();
            }
            (ScsiData::To(bytes), Some((line, Event::Out(recorded)))) => {
                if recorded != bytes {
                    return Err(differs(*line));
                }
                self.advance();
            }
            _ => {}
        }
        match self.next.take() {
            Some((_, Event::Status(status, residue, sense))) => {
                self.advance();
                Ok(ScsiStatus {
                    status,
                    residue,
                    sense,
                })
            }
            Some((line, _)) => Err(LinkError::Transcript(format!(
                "line {line}: expected a status"
            ))),
            None => Err(LinkError::Lost),
        }
    }
}
