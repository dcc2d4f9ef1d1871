//! A recorded session as a device.
//!
//! Matching is lenient where drivers may differ from the recording: a write that is not the next
//! recorded one finds a silent meter, as a real one is silent to a wake-up it does not know, and
//! recorded silences may be skipped. Where the driver left the recording is kept, in case it fails.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use glucopipe_sdk::link::{Kind, ScsiData, ScsiStatus};

use super::link::{Link, LinkContext, LinkError};
use super::transcript::{Event, Transcript};

/// After this many writes that the recording does not have, it is not the same conversation.
const MISMATCH_LIMIT: u32 = 64;
/// So many bytes of a line are shown.
const SHOWN: usize = 16;

/// Where a driver left a recording and did not come back, for all links to it.
#[derive(Clone, Default)]
pub struct Departure(Arc<Mutex<Option<Left>>>);

struct Left {
    /// Nothing but waiting, as a driver also does before it goes on as recorded.
    waiting: bool,
    words: String,
}

impl Departure {
    /// In words, with commands to the meter and nothing that it answered.
    pub fn words(&self) -> Option<String> {
        self.lock().as_ref().map(|left| left.words.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Option<Left>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a driver does that is not recorded.
#[derive(Clone, Copy)]
enum Deed<'a> {
    Sends(&'a [u8]),
    Commands(&'a [u8]),
    Waits,
    MovesNoData,
}

/// A transcript being replayed.
pub struct Replay {
    kind: Kind,
    events: std::vec::IntoIter<(usize, Event)>,
    next: Option<(usize, Event)>,
    /// Line of the event before it.
    last: usize,
    mismatches: u32,
    departure: Departure,
}

impl Replay {
    /// A device that behaves as recorded, and notes where the driver does not.
    pub fn new(transcript: Transcript, departure: Departure) -> Self {
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
            last: 0,
            mismatches: 0,
            departure,
        }
    }

    fn advance(&mut self) {
        if let Some((line, _)) = self.next {
            self.last = line;
        }
        self.next = self.events.next();
    }

    /// The driver said what is recorded.
    fn agree(&mut self) {
        self.departure.lock().take();
        self.advance();
    }

    /// Notes where the driver left the recording: the first time, because what follows comes of that. What it
    /// says to leave the meter in order comes of something else.
    fn depart(&self, context: &LinkContext<'_>, deed: Deed<'_>) {
        let mut left = self.departure.lock();
        let waiting = matches!(deed, Deed::Waits);
        let first = left.as_ref().is_none_or(|left| left.waiting && !waiting);
        if first && !context.closing {
            let words = self.words(deed);
            *left = Some(Left { waiting, words });
        }
    }

    fn words(&self, deed: Deed<'_>) -> String {
        let sent = match deed {
            Deed::Sends(bytes) => Some(('>', bytes)),
            Deed::Commands(bytes) => Some(('c', bytes)),
            Deed::Waits | Deed::MovesNoData => None,
        };
        let event = self.next.as_ref().map(|(_, event)| event);
        let recorded = match event {
            Some(Event::Out(bytes)) => Some(('>', bytes.as_slice())),
            Some(Event::Command(bytes)) => Some(('c', bytes.as_slice())),
            _ => None,
        };
        let at = match (sent, recorded) {
            (Some((_, sent)), Some((_, recorded))) => first_difference(sent, recorded),
            _ => 0,
        };
        let show = |(mark, bytes)| format!("`{mark} {}`", around(bytes, at));
        let does = match deed {
            Deed::Waits => "waits".to_owned(),
            Deed::MovesNoData => "moves no data".to_owned(),
            Deed::Sends(_) | Deed::Commands(_) => {
                format!("sends {}", sent.map(show).unwrap_or_default())
            }
        };
        // What the meter said is not shown: it may be a reading.
        let instead = recorded.map(show).unwrap_or_else(|| {
            let what = match event {
                Some(Event::In(_)) => "an answer of the meter",
                Some(_) => "something else",
                None => "nothing more",
            };
            what.to_owned()
        });
        let place = match (&self.next, self.last) {
            (Some((line, _)), _) => format!("line {line}"),
            (None, 0) => "at its end".to_owned(),
            (None, last) => format!("after line {last}"),
        };
        format!("{place}: the driver {does}, where {instead} is recorded")
    }

    fn skip_silence(&mut self) {
        while matches!(self.next, Some((_, Event::Silence(_)))) {
            self.advance();
        }
    }

    fn mismatch(&mut self, context: &LinkContext<'_>, bytes: &[u8]) -> Result<(), LinkError> {
        self.depart(context, Deed::Sends(bytes));
        self.mismatches += 1;
        if self.mismatches <= MISMATCH_LIMIT {
            return Ok(());
        }
        let at = self
            .next
            .as_ref()
            .map_or_else(|| "its end".to_owned(), |(line, _)| format!("line {line}"));
        Err(LinkError::Transcript(format!(
            "at {at} the driver sends something else than recorded"
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
                self.depart(context, Deed::Waits);
                context.time.advance(wait_ms);
                Err(LinkError::Timeout)
            }
        }
    }

    fn write(&mut self, context: &LinkContext<'_>, bytes: &[u8]) -> Result<(), LinkError> {
        self.skip_silence();
        match &self.next {
            Some((_, Event::Out(recorded))) if recorded == bytes => {
                self.agree();
                Ok(())
            }
            Some((_, Event::Lost)) => Err(LinkError::Lost),
            // What the meter was still saying goes unheard when the driver speaks first.
            _ => self.mismatch(context, bytes),
        }
    }

    fn scsi(
        &mut self,
        context: &LinkContext<'_>,
        timeout_ms: u32,
        cdb: &[u8],
        data: ScsiData<'_>,
    ) -> Result<ScsiStatus, LinkError> {
        self.skip_silence();
        let differs = |line: usize| {
            LinkError::Transcript(format!("line {line}: the driver sends another command"))
        };
        match &self.next {
            Some((_, Event::Command(recorded))) if recorded == cdb => self.agree(),
            Some((_, Event::Lost)) => return Err(LinkError::Lost),
            next => {
                self.depart(context, Deed::Commands(cdb));
                let ended = || LinkError::Transcript("the recording has ended".into());
                return Err(next.as_ref().map_or_else(ended, |(line, _)| differs(*line)));
            }
        }
        match (data, &self.next) {
            (ScsiData::From(buffer), Some((_, Event::In(bytes)))) => {
                let len = bytes.len().min(buffer.len());
                buffer[..len].copy_from_slice(&bytes[..len]);
                self.advance();
            }
            (ScsiData::To(bytes), Some((line, Event::Out(recorded)))) => {
                if recorded != bytes {
                    self.depart(context, Deed::Sends(bytes));
                    return Err(differs(*line));
                }
                self.agree();
            }
            _ => {}
        }
        match &self.next {
            Some((_, Event::Status(status, residue, sense))) => {
                let status = ScsiStatus {
                    status: *status,
                    residue: *residue,
                    sense: sense.clone(),
                };
                self.advance();
                Ok(status)
            }
            Some((_, Event::Silence(_))) => {
                context.time.advance(timeout_ms);
                self.advance();
                Err(LinkError::Timeout)
            }
            Some((_, Event::Lost)) | None => Err(LinkError::Lost),
            Some((line, event)) => {
                if matches!(event, Event::In(_) | Event::Out(_)) {
                    self.depart(context, Deed::MovesNoData);
                }
                Err(LinkError::Transcript(format!(
                    "line {line}: expected a status"
                )))
            }
        }
    }
}

/// Where two texts of bytes begin to differ.
fn first_difference(one: &[u8], other: &[u8]) -> usize {
    let same = one
        .iter()
        .zip(other)
        .take_while(|(one, other)| one == other);
    same.count()
}

/// The bytes around one of them, as a transcript has them.
fn around(bytes: &[u8], at: usize) -> String {
    let begin = if at < SHOWN { 0 } else { at - SHOWN / 2 };
    let end = bytes.len().min(begin + SHOWN);
    let line = Event::Out(bytes.get(begin..end).unwrap_or_default().to_vec()).line();
    let shown = line.trim_start_matches('>').trim();
    let before = if begin > 0 { "… " } else { "" };
    let after = if end < bytes.len() { " …" } else { "" };
    format!("{before}{shown}{after}")
}

#[cfg(test)]
mod tests;
