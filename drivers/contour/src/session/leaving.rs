//! The way out: acknowledge and discard until the meter is idle, so that the next run finds it so.
//!
//! A meter that is left in the middle of a session hangs at the next one (three projects). So each
//! path ends here or behind the terminator's EOT; only a lost link does not.

use super::transfer::EOT_MS;
use super::{ENQ_WAIT_MS, Machine, Phase, TRIES_MAX};
use crate::protocol::Control;
use crate::protocol::frame::Frame;
use crate::protocol::token::Token;

/// Frames are acknowledged and discarded for this long on the way out: time for most
/// meters to end by themselves, and less than the 12 s below.
const DRAIN_MS: u64 = 10_000;
/// The same for a transmission that is let run out: an old one, or one that cannot be refused. A
/// full meter takes two minutes.
const LONG_DRAIN_MS: u64 = 5 * 60 * 1_000;
/// Behind the time for frames, this much is left for EOT. Together with [`DRAIN_MS`] it fits into
/// the 12 s that a host grants for closing (`glucopipe.h`, `GP_IO_CLOSING`).
const LAST_WORDS_MS: u64 = 1_500;
/// Silence in which the meter is taken to wait for EOT.
const SILENCE_MS: u64 = 1_000;
/// Wait for the answer to EOT; on the Contour USB it is a wake-up too, with an answer within 2 s.
const AFTER_EOT_MS: u64 = 2_000;
/// EOTs sent: one, and two more if the meter goes on all the same.
const EOTS_MAX: u32 = 3;
/// Results of a full meter, where the header does not say how many it holds.
const FULL_METER: u32 = 2_000;
/// Frames besides the results: header, patient, terminator, and some repeats.
const OTHER_FRAMES: u32 = 16;

/// How long a meter may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Patience {
    /// As long as a user waits.
    Short,
    /// Until a full meter has sent everything.
    Long,
}

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// Nothing.
    Stop,
    /// The wake-up ladder.
    WakeUp,
}

/// Progress of the way out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leave {
    then: Then,
    /// From here on no frame is acknowledged.
    stop: u64,
    /// The end, whatever happens.
    cut: u64,
    frames_left: u32,
    eots_left: u32,
    refusals_left: u32,
    /// The meter sends data, so its frames are acknowledged at once.
    in_data: bool,
    /// A frame waits for its ACK, or for an ENQ behind it.
    held: bool,
}

impl Leave {
    pub(super) fn is_last(&self) -> bool {
        self.then == Then::Stop
    }

    pub(super) fn cut(&self) -> u64 {
        self.cut
    }

    /// Wakes the meter again afterwards.
    pub(super) fn come_again(&mut self) {
        self.then = Then::WakeUp;
    }
}

impl Machine {
    /// Goes out with a frame in hand: acknowledges it, discards what follows.
    pub(super) fn drain(&mut self, patience: Patience, then: Then) {
        self.ack();
        self.leave(patience, then);
        if let Phase::Leaving(leave) = &mut self.phase {
            leave.in_data = true;
        }
    }

    /// Goes out.
    pub(super) fn leave(&mut self, patience: Patience, then: Then) {
        let in_data = match &self.phase {
            Phase::Data => true,
            Phase::Leaving(leave) => leave.in_data,
            _ => false,
        };
        let (ms, unknown) = match patience {
            Patience::Short => (DRAIN_MS, u32::MAX),
            Patience::Long => (LONG_DRAIN_MS, FULL_METER),
        };
        let known = self.tally.declared.filter(|_| then == Then::Stop);
        let due = known.map(|declared| declared.saturating_sub(self.tally.results));
        let stop = self.now.saturating_add(ms);
        self.phase = Phase::Leaving(Leave {
            then,
            stop,
            cut: stop.saturating_add(LAST_WORDS_MS),
            frames_left: due.unwrap_or(unknown).saturating_add(OTHER_FRAMES),
            eots_left: EOTS_MAX,
            refusals_left: TRIES_MAX,
            in_data,
            held: false,
        });
        self.wait(SILENCE_MS);
    }

    /// Goes out behind an EOT that came early: unless more follows, the meter is idle.
    pub(super) fn settle(&mut self) {
        self.leave(Patience::Short, Then::Stop);
        if let Phase::Leaving(leave) = &mut self.phase {
            leave.in_data = false;
        }
        self.wait(ENQ_WAIT_MS);
    }

    /// The meter is idle; only what it has already said is still looked at.
    pub(super) fn end(&mut self) {
        self.settle();
        self.deadline = self.now;
    }

    /// Goes out of a meter that goes on by itself, with what it has just said.
    pub(super) fn arrest(&mut self, token: Token) {
        let in_data = matches!(token, Token::Frame(_));
        self.settle();
        if let Phase::Leaving(leave) = &mut self.phase {
            leave.in_data = in_data;
        }
        self.leaving_token(token);
    }

    pub(super) fn leaving_token(&mut self, token: Token) {
        let Phase::Leaving(mut leave) = self.phase else {
            self.ended_token(token);
            return;
        };
        match token {
            Token::Frame(raw) if is_terminator(&raw) => {
                self.ack();
                self.open = false;
                leave.held = false;
                self.wait(EOT_MS);
            }
            Token::Frame(_) if self.now >= leave.stop || leave.frames_left == 0 => {
                leave.held = false;
                self.hang_up(&mut leave);
            }
            Token::Frame(_) if leave.in_data => {
                leave.frames_left -= 1;
                self.ack();
                self.wait(SILENCE_MS);
            }
            Token::Frame(_) => {
                leave.held = true;
                self.wait(ENQ_WAIT_MS);
            }
            Token::Control(Control::Enq) if leave.refusals_left > 0 => {
                leave.refusals_left -= 1;
                (leave.in_data, leave.held) = (false, false);
                self.nak();
                self.wait(AFTER_EOT_MS);
            }
            Token::Control(Control::Eot) => {
                (leave.in_data, leave.held) = (false, false);
                self.wait(ENQ_WAIT_MS);
            }
            _ => {}
        }
        self.deadline = self.deadline.min(leave.cut);
        self.phase = Phase::Leaving(leave);
    }

    /// Behind the terminator: its EOT, its repeat, or something new.
    fn ended_token(&mut self, token: Token) {
        match token {
            Token::Control(Control::Eot) => self.end(),
            Token::Frame(raw) if is_terminator(&raw) => {
                self.tally.duplicates = self.tally.duplicates.saturating_add(1);
                self.ack();
                self.open = false;
            }
            Token::Control(Control::Enq) | Token::Frame(_) => self.arrest(token),
            // Noise behind the end means nothing.
            _ => self.open = false,
        }
    }

    pub(super) fn leaving_silence(&mut self, mut leave: Leave) {
        if self.now >= leave.cut {
            if self.open {
                self.send(Control::Eot.byte());
            }
            self.left(leave);
            return;
        }
        if leave.held && self.now < leave.stop {
            (leave.held, leave.in_data) = (false, true);
            leave.frames_left = leave.frames_left.saturating_sub(1);
            self.ack();
            self.wait(SILENCE_MS);
        } else if self.open {
            self.hang_up(&mut leave);
        } else {
            self.left(leave);
            return;
        }
        self.deadline = self.deadline.min(leave.cut);
        self.phase = Phase::Leaving(leave);
    }

    /// Sends EOT; after the last one the meter has no more say.
    pub(super) fn hang_up(&mut self, leave: &mut Leave) {
        self.send(Control::Eot.byte());
        leave.eots_left = leave.eots_left.saturating_sub(1);
        if leave.eots_left == 0 {
            leave.cut = leave.cut.min(self.now);
        }
        self.wait(AFTER_EOT_MS);
    }

    fn left(&mut self, leave: Leave) {
        match leave.then {
            Then::Stop => self.phase = Phase::Over,
            Then::WakeUp => self.start_ladder(),
        }
    }
}

/// Says whether these bytes are a good frame with the terminator.
fn is_terminator(raw: &[u8]) -> bool {
    Frame::parse(raw).is_ok_and(|frame| frame.body.starts_with(b"L"))
}
