//! The data phase: accept, store and acknowledge frames; ask again; notice gaps and restarts.

use super::{Collection, Goal, Machine, Patience, Phase, TRIES_MAX, Then};
use crate::protocol::completeness::Interruption;
use crate::protocol::frame::{Frame, FrameEnd};
use crate::protocol::join::Joiner;
use crate::protocol::record::{Decoder, Record};
use crate::protocol::sequence::Order;
use crate::protocol::token::Token;
use crate::protocol::{CR, Control};

/// Wait for a frame (captured: 20 to 40 ms after the ACK; LIS1-A lets a sender take 15 s).
pub(super) const FRAME_MS: u64 = 5_000;
/// Requests for a repeat in one silence: the wait is longer than LIS1-A's 15 s then.
const SILENCES_MAX: u32 = 3;
/// Times a meter may start over; more is no progress.
const RESTARTS_MAX: u32 = 1;
/// Repeats of one frame in a row that are acknowledged; LIS1-A senders stop at six.
const REPEATS_MAX: u32 = 16;
/// Longest transmission. A full meter takes two minutes.
const TRANSMISSION_MS: u64 = 30 * 60 * 1_000;
/// Wait for EOT behind the terminator; its absence is no error (other
/// programs: the Next One ends at the terminator).
pub(super) const EOT_MS: u64 = 1_000;

/// Counters of a transmission.
#[derive(Debug, Default)]
pub(super) struct State {
    /// Frames accepted.
    frames: u32,
    /// NAKs for the frame that is due.
    naks: u32,
    /// Silences since the last frame.
    silences: u32,
    /// Repeats of the last frame.
    repeats: u32,
    /// Times ENQ came before the first frame.
    enquiries: u32,
    /// The time allowed for it.
    end: u64,
}

impl State {
    pub(super) fn has_frames(&self) -> bool {
        self.frames > 0
    }
}

impl Machine {
    /// Begins a transmission behind an acknowledged ENQ: frame numbers start again at 1.
    pub(super) fn begin_transmission(&mut self) {
        self.transfer = State {
            end: self.now.saturating_add(TRANSMISSION_MS),
            ..State::default()
        };
        self.sequence.reset();
        self.joiner = Joiner::new();
        self.decoder = self.header.as_ref().map(Decoder::new).unwrap_or_default();
        self.phase = Phase::Data;
        self.wait(FRAME_MS);
    }

    pub(super) fn data_token(&mut self, token: Token) {
        match token {
            Token::Frame(raw) => self.data_frame(&raw),
            Token::Control(Control::Enq) => self.restarted(),
            Token::Control(Control::Eot) => {
                self.interrupt(Interruption::EndOfTransmission);
                self.settle();
            }
            // A broken frame has another one behind it, or silence.
            Token::Control(Control::Ack | Control::Nak)
            | Token::Text { .. }
            | Token::Garbage(_) => {}
        }
    }

    pub(super) fn data_frame(&mut self, raw: &[u8]) {
        self.transfer.silences = 0;
        if self.now >= self.transfer.end {
            self.interrupt(Interruption::Deadline);
            self.drain(Patience::Short, Then::Stop);
            return;
        }
        let Ok(frame) = Frame::parse(raw) else {
            self.bad_frame(None);
            return;
        };
        match self.sequence.check(frame.number) {
            Order::Next => self.next_frame(&frame, raw),
            Order::Duplicate => {
                self.tally.duplicates = self.tally.duplicates.saturating_add(1);
                self.transfer.repeats += 1;
                if self.transfer.repeats > REPEATS_MAX {
                    self.tally.frames_given_up = self.tally.frames_given_up.saturating_add(1);
                    self.drain(Patience::Short, Then::Stop);
                } else {
                    self.ack();
                    self.wait(FRAME_MS);
                }
            }
            Order::Gap { .. } => {
                self.tally.gaps = self.tally.gaps.saturating_add(1);
                self.drain(Patience::Short, Then::Stop);
            }
        }
    }

    fn next_frame(&mut self, frame: &Frame<'_>, raw: &[u8]) {
        let mut stored = true;
        for record in self.joiner.push(frame) {
            let alone = frame.body.strip_suffix(&[CR]) == Some(record.as_slice());
            let raw = if alone { raw } else { record.as_slice() };
            stored &= self.record(&record, raw);
        }
        if !stored {
            self.tally.unstored = self.tally.unstored.saturating_add(1);
            self.drain(Patience::Short, Then::Stop);
            return;
        }
        self.traffic.frames = self.traffic.frames.saturating_add(1);
        self.transfer.frames = self.transfer.frames.saturating_add(1);
        (self.transfer.naks, self.transfer.repeats) = (0, 0);
        if self.tally.terminator.is_some() {
            self.tally.terminator_in_etb = frame.end == FrameEnd::Etb;
            self.ack();
            self.open = false;
            self.phase = Phase::Ended;
            self.wait(EOT_MS);
        } else if self.goal != Goal::Read && self.header.is_some() {
            self.drain(Patience::Long, Then::Stop);
        } else {
            self.ack();
            self.wait(FRAME_MS);
        }
    }

    /// Takes a record; false when it could not be stored.
    fn record(&mut self, text: &[u8], raw: &[u8]) -> bool {
        let record = self.decoder.decode(text);
        self.tally.count(&record);
        match record {
            Record::Header(header) => self.remember(*header),
            Record::Order(order) => {
                self.traffic.orders = self.traffic.orders.saturating_add(1);
                self.collection.order(&order);
            }
            Record::Patient | Record::Terminator(_) => {}
            Record::Result(_) | Record::Other { .. } | Record::Odd(_) => {
                return self.collection.store(record, raw.to_vec());
            }
        }
        true
    }

    /// Asks for the frame again, or gives it up.
    pub(super) fn bad_frame(&mut self, cause: Option<Interruption>) {
        if self.transfer.naks < TRIES_MAX {
            self.transfer.naks += 1;
            self.nak();
            self.wait(FRAME_MS);
            return;
        }
        self.tally.frames_given_up = self.tally.frames_given_up.saturating_add(1);
        if let Some(cause) = cause {
            self.interrupt(cause);
        }
        self.drain(Patience::Short, Then::Stop);
    }

    pub(super) fn data_silence(&mut self) {
        self.transfer.silences += 1;
        if self.transfer.silences > SILENCES_MAX {
            self.interrupt(Interruption::Silence);
            self.leave(Patience::Short, Then::Stop);
        } else {
            self.tokeniser.clear();
            self.nak();
            self.wait(FRAME_MS);
        }
    }

    /// ENQ in the data phase: what was collected in this attempt will all come again.
    fn restarted(&mut self) {
        if self.transfer.frames == 0 && self.transfer.enquiries < TRIES_MAX {
            // Our ACK of the first ENQ was lost.
            self.transfer.enquiries += 1;
            self.ack();
            self.wait(FRAME_MS);
        } else if self.traffic.restarts < RESTARTS_MAX {
            self.traffic.restarts += 1;
            self.collection = Collection::default();
            self.traffic.orders = 0;
            self.tally.restart();
            self.ack();
            self.begin_transmission();
        } else {
            self.interrupt(Interruption::Restart);
            self.leave(Patience::Short, Then::Stop);
            self.leaving_token(Token::Control(Control::Enq));
        }
    }
}
