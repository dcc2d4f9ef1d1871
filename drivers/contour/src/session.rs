//! The conversation with a meter as a pure state machine: bytes and time in, bytes and waits out.
//!
//! No input or output and no clock: the caller passes what arrived and what time it is, and does
//! what [`Machine::poll`] says. The phases are in [`opening`] (wake-up ladder, refusal), [`transfer`]
//! (data), [`command`] (command mode) and [`leaving`] (drain). Facts: LIS1-A, captured Contour USB and
//! Next Link dialogues.
//!
//! The records of one transmission are collected here, and a frame is stored before it is
//! acknowledged. They are handed out only when the transmission is over: until then a restart of
//! the meter may take all of them back, and an order record may still turn one into a control test.

mod collection;
mod command;
mod leaving;
mod opening;
mod transfer;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::mem;

pub(crate) use collection::{Collection, Kept};
pub(crate) use command::Reply;
use leaving::{Leave, Patience, Then};
use opening::RUNG_MS;

use crate::protocol::command::Command;
use crate::protocol::completeness::{Interruption, Tally};
use crate::protocol::header::Header;
use crate::protocol::join::Joiner;
use crate::protocol::model::{LADDER, Ladder};
use crate::protocol::record::Decoder;
use crate::protocol::sequence::Sequence;
use crate::protocol::token::{Token, Tokeniser};
use crate::protocol::{Control, WAKE_UP};

/// Silence that ends a drain of the input (parts of a message come 1 to 20 ms apart).
const QUIET_MS: u64 = 100;
/// A drain of the input ends after this time, silence or not.
const QUIET_MAX_MS: u64 = 2_000;
/// Wait for an ENQ behind a first frame before that frame is acknowledged (captured
/// on a Next Link: the ENQ came in its own report, 20 ms later).
const ENQ_WAIT_MS: u64 = 300;
/// Repeats asked for by NAK, for one frame, message or refusal (LIS1-A: six).
const TRIES_MAX: u32 = 6;

/// What the conversation is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Goal {
    /// All records.
    Read,
    /// The header alone; the transfer of the records is refused.
    Header,
    /// Command mode; the transfer of the records is refused before it.
    Command,
}

/// One message to the meter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// A wake-up, or an answer.
    Byte(u8),
    /// Something in command mode.
    Command(Command),
}

impl Message {
    /// Returns what to send.
    pub(crate) fn bytes(self) -> Vec<u8> {
        match self {
            Self::Byte(byte) => vec![byte],
            Self::Command(command) => command.bytes(),
        }
    }
}

/// What the caller does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Send this.
    Send(Message),
    /// Wait for a report, but not longer than until this time.
    Wait {
        /// Time in milliseconds, on the caller's clock.
        until: u64,
    },
    /// Say something in command mode, or leave it: see [`Machine::say`].
    Command,
    /// The conversation is over.
    Done,
}

/// Numbers of the conversation that no record tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traffic {
    /// Messages sent.
    pub(crate) sent: u32,
    /// Frames accepted.
    pub(crate) frames: u32,
    /// Order records among the accepted ones.
    pub(crate) orders: u32,
    /// Pieces of the stream that are no token: text and broken frames.
    pub(crate) garbage: u32,
    /// Reports without the form of a report.
    pub(crate) bad_reports: u32,
    /// Times the meter started over.
    pub(crate) restarts: u32,
}

/// Where the conversation is.
#[derive(Debug)]
enum Phase {
    /// All input is thrown away until it stops.
    Quiet { give_up: u64, then: AfterQuiet },
    /// A rung of the wake-up ladder was sent.
    Waking,
    /// A first frame came; its ENQ may follow.
    FirstFrame { raw: Vec<u8>, good: bool },
    /// The transfer was refused; EOT should come.
    Refusing { tries: u32 },
    /// Command mode was asked for.
    Entering { tries: u32 },
    /// In command mode.
    Command,
    /// A transmission is running.
    Data,
    /// The terminator was acknowledged; EOT may come.
    Ended,
    /// Whatever comes is discarded until the meter is idle.
    Leaving(Leave),
    /// Nothing more to do.
    Over,
}

/// What follows a drain of the input.
#[derive(Clone, Copy, Debug)]
enum AfterQuiet {
    /// The first rung of the ladder.
    Start,
    /// The next rung.
    NextRung,
    /// A request to repeat the damaged frame.
    Repeat,
}

/// One conversation.
#[derive(Debug)]
pub(crate) struct Machine {
    goal: Goal,
    ladder: Ladder,
    phase: Phase,
    now: u64,
    deadline: u64,
    outbox: VecDeque<Message>,
    tokeniser: Tokeniser,
    /// When the last token ended or a frame began.
    border: u64,
    /// Something came since the first byte was sent.
    answered: bool,
    /// The meter may wait for an answer: it said something after the last EOT or terminator, or an
    /// earlier run may have left it so.
    open: bool,
    opening: opening::State,
    transfer: transfer::State,
    command: command::State,
    header: Option<Header>,
    headers: u32,
    sequence: Sequence,
    joiner: Joiner,
    decoder: Decoder,
    collection: Collection,
    tally: Tally,
    traffic: Traffic,
}

impl Machine {
    /// Creates a conversation that starts now.
    pub(crate) fn new(goal: Goal, now: u64) -> Self {
        Self {
            goal,
            ladder: LADDER,
            phase: Phase::Quiet {
                give_up: now.saturating_add(QUIET_MAX_MS),
                then: AfterQuiet::Start,
            },
            now,
            deadline: now.saturating_add(QUIET_MS),
            outbox: VecDeque::new(),
            tokeniser: Tokeniser::new(),
            border: now,
            answered: false,
            open: true,
            opening: opening::State::default(),
            transfer: transfer::State::default(),
            command: command::State::default(),
            header: None,
            headers: 0,
            sequence: Sequence::new(),
            joiner: Joiner::new(),
            decoder: Decoder::default(),
            collection: Collection::default(),
            tally: Tally::default(),
            traffic: Traffic::default(),
        }
    }

    /// The same conversation with a meter that is best woken in this order.
    pub(crate) fn with_ladder(self, ladder: Ladder) -> Self {
        Self { ladder, ..self }
    }

    /// Says what to do now. Call it again after each byte sent, each report and each wait.
    pub(crate) fn poll(&mut self, now: u64) -> Step {
        self.now = self.now.max(now);
        loop {
            if let Some(message) = self.outbox.pop_front() {
                return Step::Send(message);
            }
            if matches!(self.phase, Phase::Over) {
                return Step::Done;
            }
            if self.is_in_command_mode() && !self.command.is_waiting() {
                return Step::Command;
            }
            if let Some(token) = self.tokeniser.next() {
                self.token(token);
            } else if self.now >= self.deadline && !self.prolong() {
                self.silence();
            } else {
                let until = self.deadline;
                return Step::Wait { until };
            }
        }
    }

    /// Takes a message back that [`Step::Send`] gave and the link refused: it is sent first, later.
    pub(crate) fn unsent(&mut self, message: Message) {
        self.outbox.push_front(message);
    }

    /// Takes the payload of a report.
    pub(crate) fn receive(&mut self, payload: &[u8], now: u64) {
        self.now = self.now.max(now);
        if payload.is_empty() {
            return;
        }
        if let Phase::Quiet { give_up, .. } = self.phase {
            self.open = true;
            self.deadline = self.now.saturating_add(QUIET_MS).min(give_up);
            return;
        }
        self.answered = true;
        let in_frame = self.tokeniser.is_in_frame();
        self.tokeniser.push(payload);
        if !in_frame {
            self.border = self.now;
        }
    }

    /// Notes that a wait is over, whatever the caller's clock says.
    pub(crate) fn pass(&mut self, until: u64) {
        self.now = self.now.max(until);
    }

    /// Notes a report that has not the form of one: what it belongs to is lost.
    pub(crate) fn bad_report(&mut self, now: u64) {
        self.now = self.now.max(now);
        self.traffic.bad_reports = self.traffic.bad_reports.saturating_add(1);
        self.answered = true;
        self.open = true;
        self.tokeniser.clear();
        let then = match self.phase {
            Phase::Waking | Phase::FirstFrame { .. } | Phase::Refusing { .. } => {
                AfterQuiet::NextRung
            }
            Phase::Data => AfterQuiet::Repeat,
            Phase::Quiet { give_up, .. } => {
                self.deadline = self.now.saturating_add(QUIET_MS).min(give_up);
                return;
            }
            // What it was part of does not come: silence says so.
            Phase::Entering { .. } | Phase::Command => return,
            Phase::Ended | Phase::Leaving(_) | Phase::Over => return,
        };
        let give_up = self.now.saturating_add(QUIET_MAX_MS);
        self.phase = Phase::Quiet { give_up, then };
        self.wait(QUIET_MS);
    }

    /// Notes that the link is dead: nothing can be sent any more.
    pub(crate) fn lost(&mut self) {
        if !self.is_over() && self.tally.terminator.is_none() {
            self.interrupt(Interruption::DeviceLost);
        }
        self.outbox.clear();
        self.phase = Phase::Over;
    }

    /// Stops as soon as the meter is idle; the records of an unfinished transmission are incomplete.
    pub(crate) fn cancel(&mut self, now: u64) {
        self.now = self.now.max(now);
        let answer_due = match &self.phase {
            Phase::Over | Phase::Ended => return,
            Phase::Leaving(leave) if leave.is_last() => self.deadline,
            Phase::Waking
            | Phase::FirstFrame { .. }
            | Phase::Refusing { .. }
            | Phase::Entering { .. } => {
                self.interrupt(Interruption::Cancelled);
                self.deadline
            }
            Phase::Command => {
                self.leave_command();
                return;
            }
            _ => {
                self.interrupt(Interruption::Cancelled);
                self.now
            }
        };
        // An ACK that is still to be sent is owed; a wake-up is not.
        self.outbox
            .retain(|message| *message != Message::Byte(WAKE_UP));
        self.leave(Patience::Short, Then::Stop);
        self.deadline = self.deadline.max(answer_due);
    }

    /// Says whether the transmission that counts has begun, or never will.
    pub(crate) fn has_started(&self) -> bool {
        match &self.phase {
            Phase::Data => self.transfer.has_frames(),
            Phase::Leaving(leave) => leave.is_last(),
            Phase::Ended | Phase::Over => true,
            _ => false,
        }
    }

    /// Says whether the meter's end record was stored: what comes behind it changes nothing.
    pub(crate) fn has_ended(&self) -> bool {
        self.tally.terminator.is_some()
    }

    /// Says whether the conversation is over.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over)
    }

    /// Says whether the meter said anything at all.
    pub(crate) fn has_answered(&self) -> bool {
        self.answered
    }

    /// Returns the last valid header.
    pub(crate) fn header(&self) -> Option<&Header> {
        self.header.as_ref()
    }

    /// Returns how many valid headers came.
    pub(crate) fn headers(&self) -> u32 {
        self.headers
    }

    /// Returns what was counted so far.
    pub(crate) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Returns the numbers of the conversation.
    pub(crate) fn traffic(&self) -> Traffic {
        self.traffic
    }

    /// Takes the collected records, for a transmission that is over. A record it left open is an
    /// odd one: its frames were acknowledged, so the meter will not know that it is missing.
    pub(crate) fn take_collection(&mut self) -> Collection {
        if let Some(text) = self.joiner.finish() {
            let record = self.decoder.unfinished(&text);
            self.tally.count(&record);
            if !self.collection.store(record, text) {
                self.tally.unstored = self.tally.unstored.saturating_add(1);
            }
        }
        mem::take(&mut self.collection)
    }

    /// Lets a frame that is on its way come to its end, within bounds; a slow meter or hub takes
    /// 100 ms for each of the five reports of a header.
    fn prolong(&mut self) -> bool {
        let end = match &self.phase {
            Phase::Waking => self.opening.ladder_end(),
            Phase::Leaving(leave) => leave.cut(),
            _ => return false,
        };
        let until = self.border.saturating_add(RUNG_MS).min(end);
        let more = self.tokeniser.is_in_frame() && self.now < until;
        if more {
            self.deadline = until;
        }
        more
    }

    fn token(&mut self, token: Token) {
        self.border = self.now;
        self.open = token != Token::Control(Control::Eot);
        if matches!(token, Token::Text { .. } | Token::Garbage(_)) {
            self.traffic.garbage = self.traffic.garbage.saturating_add(1);
        }
        match self.phase {
            Phase::Waking | Phase::FirstFrame { .. } => self.opening_token(token),
            Phase::Refusing { tries } => self.refusing_token(token, tries),
            Phase::Entering { tries } => self.entering_token(token, tries),
            Phase::Command => self.command_token(token),
            Phase::Data => self.data_token(token),
            Phase::Ended | Phase::Leaving(_) => self.leaving_token(token),
            Phase::Quiet { .. } | Phase::Over => {}
        }
    }

    fn silence(&mut self) {
        match mem::replace(&mut self.phase, Phase::Over) {
            Phase::Quiet { then, .. } => match then {
                AfterQuiet::Start => self.start_ladder(),
                AfterQuiet::NextRung => self.next_rung(),
                AfterQuiet::Repeat => {
                    self.phase = Phase::Data;
                    self.bad_frame(Some(Interruption::Transport));
                }
            },
            Phase::Waking => self.waking_silence(),
            Phase::FirstFrame { raw, good } => self.first_frame_alone(&raw, good),
            Phase::Refusing { tries } => self.refuse(tries),
            Phase::Entering { tries } => self.enter(tries),
            Phase::Command => {
                self.phase = Phase::Command;
                self.command_silence();
            }
            Phase::Data => {
                self.phase = Phase::Data;
                self.data_silence();
            }
            Phase::Ended => self.end(),
            Phase::Leaving(leave) => self.leaving_silence(leave),
            Phase::Over => {}
        }
    }

    fn send(&mut self, byte: u8) {
        self.traffic.sent = self.traffic.sent.saturating_add(1);
        if byte == Control::Eot.byte() {
            self.open = false;
        }
        self.outbox.push_back(Message::Byte(byte));
    }

    fn ack(&mut self) {
        self.send(Control::Ack.byte());
    }

    fn nak(&mut self) {
        self.tally.naks = self.tally.naks.saturating_add(1);
        self.send(Control::Nak.byte());
    }

    fn wait(&mut self, ms: u64) {
        self.deadline = self.now.saturating_add(ms);
    }

    fn interrupt(&mut self, why: Interruption) {
        self.tally.interruption.get_or_insert(why);
    }

    /// Keeps a valid header; the last one counts.
    fn remember(&mut self, header: Header) {
        self.tally.header_seen = true;
        self.tally.declared = header.result_count;
        self.decoder = Decoder::new(&header);
        self.headers = self.headers.saturating_add(1);
        self.header = Some(header);
    }
}
