//! From silence to the first header: the wake-up ladder, the offer of the data, and its refusal.
//!
//! The ladder also finds a meter that sits in the middle of an old session: idle, waiting for the
//! ACK of a frame, in command mode, or offering data.

use super::{ENQ_WAIT_MS, Goal, Machine, Patience, Phase, TRIES_MAX, Then};
use crate::protocol::Control;
use crate::protocol::frame::Frame;
use crate::protocol::header::Header;
use crate::protocol::token::Token;

/// Wait for an answer to a wake-up, and for the end of a frame that has begun (other programs: the
/// header comes within 2 s).
pub(super) const RUNG_MS: u64 = 2_000;
/// The ladder is climbed again until this time has passed (other programs: a meter needs some
/// seconds behind its plug-in).
pub(super) const LADDER_MS: u64 = 15_000;
/// Wait for EOT after a NAK that refuses the data (other programs: six tries, 2 s apart).
const REFUSAL_MS: u64 = 2_000;
/// Wait for the repeat of a damaged first frame.
const REPEAT_MS: u64 = 5_000;

/// Counters of the opening.
#[derive(Debug, Default)]
pub(super) struct State {
    rung: usize,
    ladder_end: u64,
    /// EOT came and no header behind it: an old session has ended.
    eot_alone: bool,
    /// The ladder was started over because of that.
    restarted: bool,
    /// Times the meter refused the wake-up.
    refused: u32,
    /// First frames without a silence between them.
    repeats: u32,
    /// Damaged first frames.
    damaged: u32,
    /// Offers refused before a header was known.
    blind_refusals: u32,
    /// Old transmissions drained.
    stale: u32,
}

impl State {
    pub(super) fn ladder_end(&self) -> u64 {
        self.ladder_end
    }
}

impl Machine {
    pub(super) fn start_ladder(&mut self) {
        self.opening.rung = 0;
        self.opening.ladder_end = self.now.saturating_add(LADDER_MS);
        self.next_rung();
    }

    pub(super) fn next_rung(&mut self) {
        self.tokeniser.clear();
        if self.now >= self.opening.ladder_end {
            self.leave(Patience::Short, Then::Stop);
            return;
        }
        let [first, ..] = self.ladder;
        let rung = self.opening.rung % self.ladder.len();
        let byte = self.ladder.get(rung).copied().unwrap_or(first);
        self.opening.rung += 1;
        self.opening.eot_alone = false;
        self.send(byte);
        self.phase = Phase::Waking;
        self.wait(RUNG_MS);
        self.deadline = self.deadline.min(self.opening.ladder_end);
    }

    pub(super) fn waking_silence(&mut self) {
        if self.opening.eot_alone && !self.opening.restarted {
            self.opening.restarted = true;
            self.opening.rung = 0;
        }
        self.next_rung();
    }

    pub(super) fn opening_token(&mut self, token: Token) {
        match token {
            Token::Frame(raw) => self.first_frame(raw),
            Token::Control(Control::Enq) => self.offered(),
            Token::Control(Control::Eot) => {
                self.opening.eot_alone = true;
                self.phase = Phase::Waking;
                if !self.opening.restarted {
                    self.deadline = self.deadline.min(self.now.saturating_add(ENQ_WAIT_MS));
                }
            }
            Token::Control(Control::Nak) if self.opening.refused < TRIES_MAX => {
                self.opening.refused += 1;
                self.opening.rung = 0;
                self.send(Control::Eot.byte());
                self.phase = Phase::Waking;
                self.wait(RUNG_MS);
            }
            Token::Control(Control::Ack | Control::Nak)
            | Token::Text { .. }
            | Token::Garbage(_) => {}
        }
    }

    /// A frame came before any ENQ: wait whether one follows, since only the ENQ is answered then.
    fn first_frame(&mut self, raw: Vec<u8>) {
        let header = match Frame::parse(&raw) {
            Ok(frame) if !frame.body.starts_with(b"H") => {
                self.old_transmission();
                return;
            }
            Ok(frame) => Header::parse(frame.text()).ok(),
            Err(_) => None,
        };
        self.opening.repeats += 1;
        let good = header.is_some();
        if let Some(header) = header {
            self.remember(header);
        }
        if self.opening.repeats > TRIES_MAX {
            self.give_up_opening();
            return;
        }
        self.phase = Phase::FirstFrame { raw, good };
        self.wait(ENQ_WAIT_MS);
    }

    /// The meter goes on with a transmission that an earlier run left; it is let run out.
    pub(super) fn old_transmission(&mut self) {
        self.opening.stale += 1;
        let then = if self.opening.stale > 1 {
            Then::Stop
        } else {
            Then::WakeUp
        };
        self.drain(Patience::Long, then);
    }

    /// The meter neither offers its data nor sends a first frame and waits.
    fn give_up_opening(&mut self) {
        self.tally.frames_given_up = self.tally.frames_given_up.saturating_add(1);
        self.drain(Patience::Short, Then::Stop);
    }

    /// No ENQ followed the first frame: some models send one header only.
    pub(super) fn first_frame_alone(&mut self, raw: &[u8], good: bool) {
        self.opening.repeats = 0;
        if !good {
            self.opening.damaged += 1;
            if self.opening.damaged > TRIES_MAX {
                self.give_up_opening();
            } else {
                self.nak();
                self.phase = Phase::Waking;
                self.wait(REPEAT_MS);
            }
        } else if self.goal != Goal::Read {
            self.refuse(0);
        } else {
            self.begin_transmission();
            self.data_frame(raw);
        }
    }

    /// The meter offers its data.
    fn offered(&mut self) {
        if self.goal == Goal::Read {
            self.ack();
            self.begin_transmission();
        } else if self.header.is_some() || self.opening.blind_refusals == 0 {
            if self.header.is_none() {
                self.opening.blind_refusals += 1;
            }
            self.refuse(0);
        } else {
            self.ack();
            self.begin_transmission();
        }
    }

    /// Refuses the data once more, or gives in and lets them run out.
    pub(super) fn refuse(&mut self, tries: u32) {
        if tries < TRIES_MAX {
            self.nak();
            self.phase = Phase::Refusing { tries: tries + 1 };
            self.wait(REFUSAL_MS);
        } else {
            self.drain(Patience::Long, Then::Stop);
        }
    }

    pub(super) fn refusing_token(&mut self, token: Token, tries: u32) {
        match token {
            Token::Control(Control::Eot) if self.header.is_some() => match self.goal {
                Goal::Command => self.enter(0),
                Goal::Read | Goal::Header => self.end(),
            },
            Token::Control(Control::Eot) => {
                self.opening.ladder_end = self.now.saturating_add(LADDER_MS);
                self.opening.restarted = false;
                self.phase = Phase::Waking;
                self.opening_token(token);
            }
            Token::Control(Control::Enq) => self.refuse(tries),
            // The meter repeats its header: it takes the NAK for a request and will send all.
            Token::Frame(_) if self.goal == Goal::Command => self.old_transmission(),
            Token::Frame(_) => self.drain(Patience::Long, Then::Stop),
            _ => {}
        }
    }
}
