//! Command mode: into it behind a refused offer, one message after the other, and out of it.
//!
//! What is said in it is the caller's affair. A meter in command mode waits for the host, so it is left
//! at once by EOT; it then offers its data, which are refused. Captured: the way in on a Next Link,
//! replies on a Next USB.

use super::leaving::{Patience, Then};
use super::{Machine, Message, Phase, TRIES_MAX};
use crate::protocol::Control;
use crate::protocol::command::Command;
use crate::protocol::token::Token;

/// Wait for the answer to ENQ (other programs: as for the refusal before it).
const ENTER_MS: u64 = 2_000;
/// Times ENQ asks for command mode.
const ENTER_TRIES: u32 = 3;
/// Wait for the answer to a message (captured: 20 to 40 ms; LIS1-A lets a sender take 15 s).
const REPLY_MS: u64 = 5_000;

/// What came of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// ACK.
    Done,
    /// NAK.
    Refused,
    /// A text, and ACK behind it.
    Text(Vec<u8>),
    /// Nothing in the time given.
    Silence,
    /// The meter is not in command mode any more.
    Left,
}

/// Progress of the command mode.
#[derive(Debug, Default)]
pub(super) struct State {
    /// An answer, or the end of a rest, is waited for.
    waiting: bool,
    /// The text in front of the answer.
    text: Option<Vec<u8>>,
    reply: Option<Reply>,
    /// Offers that came in place of command mode.
    offers: u32,
    /// The meter refused command mode.
    refused: bool,
}

impl State {
    pub(super) fn is_waiting(&self) -> bool {
        self.waiting
    }

    /// Only the first answer belongs to the message.
    fn answer(&mut self, reply: Reply) {
        self.waiting = false;
        self.reply.get_or_insert(reply);
    }
}

impl Machine {
    /// Says whether the meter waits for a message in command mode.
    pub(crate) fn is_in_command_mode(&self) -> bool {
        matches!(self.phase, Phase::Command)
    }

    /// Says whether command mode was entered, or never will be.
    pub(crate) fn has_entered(&self) -> bool {
        match &self.phase {
            Phase::Command | Phase::Over => true,
            Phase::Leaving(leave) => leave.is_last(),
            _ => false,
        }
    }

    /// Says whether the meter refused command mode.
    pub(crate) fn refuses_commands(&self) -> bool {
        self.command.refused
    }

    /// Says something in command mode; the answer is there once [`Machine::has_reply`].
    pub(crate) fn say(&mut self, command: Command, now: u64) {
        self.rest(now.saturating_add(REPLY_MS), now);
        self.traffic.sent = self.traffic.sent.saturating_add(1);
        self.outbox.push_back(Message::Command(command));
    }

    /// Says nothing until this time; [`Reply::Silence`] is its end.
    pub(crate) fn rest(&mut self, until: u64, now: u64) {
        self.now = self.now.max(now);
        self.tokeniser.clear();
        self.command.waiting = true;
        self.command.text = None;
        self.command.reply = None;
        self.deadline = until;
    }

    /// Says whether the answer is there, or none can come.
    pub(crate) fn has_reply(&self) -> bool {
        self.command.reply.is_some() || !self.is_in_command_mode()
    }

    /// Takes the answer; `None` when the link died.
    pub(crate) fn take_reply(&mut self) -> Option<Reply> {
        self.command.reply.take()
    }

    /// Leaves command mode, and comes back by way of the wake-up ladder.
    pub(crate) fn come_again(&mut self, now: u64) {
        self.now = self.now.max(now);
        match &mut self.phase {
            Phase::Command => self.hang_up_command(Then::WakeUp),
            Phase::Leaving(leave) => leave.come_again(),
            Phase::Over => self.start_ladder(),
            _ => {}
        }
    }

    /// Leaves command mode.
    pub(super) fn leave_command(&mut self) {
        self.hang_up_command(Then::Stop);
    }

    fn hang_up_command(&mut self, then: Then) {
        self.outbox.clear();
        self.leave(Patience::Short, then);
        if let Phase::Leaving(mut leave) = self.phase {
            self.hang_up(&mut leave);
            self.phase = Phase::Leaving(leave);
        }
    }

    /// Asks for command mode once more, or gives it up.
    pub(super) fn enter(&mut self, tries: u32) {
        if tries < ENTER_TRIES {
            self.send(Control::Enq.byte());
            // The meter may be in command mode although its answer got lost.
            self.open = true;
            self.phase = Phase::Entering { tries: tries + 1 };
            self.wait(ENTER_MS);
        } else {
            self.leave(Patience::Short, Then::Stop);
        }
    }

    pub(super) fn entering_token(&mut self, token: Token, tries: u32) {
        match token {
            Token::Control(Control::Ack) => {
                self.phase = Phase::Command;
                self.command.waiting = false;
            }
            Token::Control(Control::Nak) => {
                self.command.refused = true;
                self.enter(ENTER_TRIES);
            }
            Token::Control(Control::Enq) if self.command.offers < TRIES_MAX => {
                self.command.offers += 1;
                self.refuse(0);
            }
            Token::Control(Control::Enq) => self.enter(ENTER_TRIES),
            Token::Frame(_) => self.old_transmission(),
            // The end of the offer, once more.
            Token::Control(Control::Eot) => {
                self.open = true;
                self.phase = Phase::Entering { tries };
            }
            Token::Text { .. } | Token::Garbage(_) => {}
        }
    }

    pub(super) fn command_token(&mut self, token: Token) {
        let reply = match token {
            Token::Control(Control::Ack) => match self.command.text.take() {
                Some(text) => Reply::Text(text),
                None => Reply::Done,
            },
            Token::Control(Control::Nak) => Reply::Refused,
            Token::Text { bytes, complete } => {
                self.command.text = complete.then_some(bytes);
                return;
            }
            Token::Garbage(_) => return,
            Token::Control(Control::Eot | Control::Enq) | Token::Frame(_) => {
                self.outbox.clear();
                self.arrest(token);
                Reply::Left
            }
        };
        self.command.answer(reply);
    }

    /// The time for the answer is over.
    pub(super) fn command_silence(&mut self) {
        self.command.answer(Reply::Silence);
    }
}
