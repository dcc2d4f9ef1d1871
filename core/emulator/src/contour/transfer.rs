//! What the meter does about each byte from the host (contour.md sections 4.1, 4.3 and 8).

use super::command::{Reaction, Refusals, Step, react};
use super::header::{Transmission, password, text};
use super::session::{ContourMeter, ENQUIRY_MS, State};
use crate::faults::Fault;
use crate::frame::{ACK, ENQ, EOT, METER_PREFIX, NAK, PAYLOAD_MAX, WAKE_X, encode, report, spoil};

/// Repeats of one frame before the sender gives up (LIS1-A).
const MOST_REPEATS: u32 = 6;
/// Frames in front of the results: header and patient.
const LEADING_FRAMES: usize = 2;
/// Junk without any control byte.
const JUNK: &[u8] = &[0x7E, 0x23, 0x55, 0x2A, 0xFF, 0x7E];
/// A text reply that tells neither a date nor a time.
const ODD_REPLY: &[u8] = b"D|2O0X|\r\n\x06";
/// Delay of an answer that comes late.
const LATE_MS: u64 = 6_000;
/// A report prefix no meter uses.
const WRONG_PREFIX: [u8; 3] = [0x42, 0x41, 0x44];

impl ContourMeter {
    pub(super) fn on_ack(&mut self) {
        match self.state {
            State::Idle | State::Refused => self.wake(ACK),
            State::Offering => {
                self.audit.acks += 1;
                self.start_data();
            }
            State::Sending(index) => {
                self.audit.acks += 1;
                if !self.heard {
                    self.audit
                        .violation("acknowledged a frame before reading it");
                }
                self.heard = false;
                self.acknowledged(index);
            }
            State::Command(_) | State::Dead(_) | State::Gone => {}
        }
    }

    pub(super) fn on_nak(&mut self) {
        match self.state {
            State::Idle => self.wake(NAK),
            State::Offering | State::Refused => {
                self.audit.naks += 1;
                self.outbox.clear();
                self.say(&[EOT]);
                self.state = State::Refused;
                self.await_answer();
            }
            State::Sending(_) => {
                self.audit.naks += 1;
                self.repeat();
            }
            State::Command(_) | State::Dead(_) | State::Gone => {}
        }
    }

    pub(super) fn on_eot(&mut self) {
        match self.state {
            State::Idle | State::Refused => self.wake(EOT),
            State::Offering => {
                self.outbox.clear();
                self.go_idle();
                self.wake(EOT);
            }
            State::Sending(_) => {
                self.audit.sessions_aborted += 1;
                self.outbox.clear();
                self.finish();
            }
            // An answer that is on its way still comes.
            State::Command(_) => self.offer_again(),
            State::Dead(_) => self.state = State::Dead(false),
            State::Gone => {}
        }
    }

    pub(super) fn on_enq(&mut self) {
        match self.state {
            State::Refused if self.faults.has(Fault::CommandMute(0)) => {}
            State::Refused if self.faults.has(Fault::NoCommand) => self.say(&[NAK]),
            State::Refused => {
                self.audit.command_sessions += 1;
                self.enter_command(Step::Ready);
                self.say(&[ACK]);
            }
            State::Command(_) => {
                self.enter_command(Step::Ready);
                self.say(&[ACK]);
            }
            _ => {}
        }
    }

    pub(super) fn on_wake_x(&mut self) {
        match self.state {
            State::Idle | State::Refused | State::Offering => self.wake(WAKE_X),
            _ => {}
        }
    }

    /// One message in command mode, with the faults that are due.
    pub(super) fn command(&mut self, step: Step, message: &[u8]) {
        self.commands = self.commands.saturating_add(1);
        let n = self.commands;
        let mute = |fault| matches!(fault, Fault::CommandMute(from) if from <= n);
        if self.faults.count(mute) > 0 {
            self.state = State::Dead(true);
            self.await_nothing();
            return;
        }
        self.enter_command(step);
        if self.faults.take(Fault::CommandLost(n)) {
            return;
        }
        let reaction = if self.faults.take(Fault::CommandNak(n)) {
            Reaction::refuse()
        } else {
            react(step, message, self.clock(), self.refusals())
        };
        self.enter_command(reaction.step);
        if let Some(rule) = reaction.violation {
            self.audit.violation(rule);
        }
        if let Some(time) = reaction.clock
            && !self.faults.has(Fault::ClockStuck)
        {
            self.set_clock(time);
        }
        if reaction.power_off || self.faults.take(Fault::CommandUnplug(n)) {
            self.outbox.clear();
            self.state = State::Gone;
            return;
        }
        let odd = reaction.reply.len() > 1 && self.faults.take(Fault::CommandOdd(n));
        let reply = if odd { ODD_REPLY } else { &reaction.reply };
        let late = self.faults.take(Fault::CommandLate(n));
        let at = self.answer_at() + if late { LATE_MS } else { 0 };
        self.outbox.push_message(reply, at, false);
    }

    fn refusals(&self) -> Refusals {
        Refusals {
            pump: self.faults.has(Fault::Pump),
            cr: self.faults.has(Fault::NoCr),
            date: self.faults.has(Fault::NakDate),
            time: self.faults.has(Fault::NakTime),
        }
    }

    /// Nobody answered in time.
    pub(super) fn on_timeout(&mut self) {
        match self.state {
            State::Sending(_) => self.repeat(),
            State::Offering => self.finish(),
            State::Idle | State::Refused | State::Command(_) => self.go_idle(),
            State::Dead(_) | State::Gone => {}
        }
    }

    /// Offers the data by a lone ENQ.
    pub(super) fn offer_again(&mut self) {
        self.say(&[ENQ]);
        self.state = State::Offering;
        self.await_answer();
    }

    /// Puts the meter behind a frame that an earlier host never acknowledged.
    pub(super) fn resume_mid_data(&mut self) {
        let index = LEADING_FRAMES + self.records.len() / 2;
        if self.prepare(index) {
            self.state = State::Sending(index);
            self.await_answer();
        }
    }

    fn enter_command(&mut self, step: Step) {
        self.state = State::Command(step);
        self.await_message();
    }

    /// Opens a session if this byte wakes the model.
    fn wake(&mut self, byte: u8) {
        if !self.model.wakes.contains(&byte) {
            return;
        }
        if self.faults.take(Fault::Nak) {
            self.say(&[NAK]);
            return;
        }
        if self.faults.has(Fault::SingleHeader) {
            self.start_data();
            return;
        }
        let text = self.header(Transmission::Offer);
        let at = self.wake_at();
        let mut message = vec![EOT];
        message.extend(encode(1, &text, false));
        self.audit.frames_sent += 1;
        if self.model.enquiry_apart {
            self.outbox.push_message(&message, at, true);
            let last = self.outbox.last_at().unwrap_or(at);
            self.outbox
                .push_message(&[ENQ], last.saturating_add(ENQUIRY_MS), false);
        } else {
            message.push(ENQ);
            self.outbox.push_message(&message, at, true);
        }
        self.state = State::Offering;
        self.await_answer();
    }

    fn header(&mut self, which: Transmission) -> String {
        let stored = i64::try_from(self.records.len()).unwrap_or(0);
        let off = self.faults.find(|fault| match fault {
            Fault::Count(off) => Some(i64::from(off)),
            _ => None,
        });
        let count = stored.saturating_add(off.unwrap_or(0)).max(0);
        let password = password(&mut self.passwords);
        text(
            self.model,
            &self.scenario,
            which,
            &password,
            count,
            self.clock(),
        )
    }

    fn start_data(&mut self) {
        self.heard = false;
        self.send(0);
    }

    /// Sends the frame of an index for the first time.
    fn send(&mut self, index: usize) {
        if self.prepare(index) {
            self.state = State::Sending(index);
            self.transmit(index);
        }
    }

    /// Builds the frame of an index; false when there is none and the session has ended.
    fn prepare(&mut self, index: usize) -> bool {
        let terminator = LEADING_FRAMES + self.records.len();
        let last = index >= terminator;
        let text = match index {
            0 => self.header(Transmission::Data),
            1 => "P|1".to_owned(),
            _ if last && self.faults.has(Fault::NoTerminator) => {
                self.finish();
                return false;
            }
            _ => match self.records.get(index - LEADING_FRAMES) {
                Some(record) => record.text(),
                None => format!("L|1||{}", self.terminator()),
            },
        };
        let result = index.saturating_sub(1);
        let gaps = |fault| match fault {
            Fault::Gap(at) => at > 0 && usize::try_from(at).is_ok_and(|at| at <= result),
            _ => false,
        };
        let number = (index + 1 + self.faults.count(gaps)) % 8;
        self.sent = encode(u8::try_from(number).unwrap_or(0), &text, last);
        self.repeats = 0;
        true
    }

    fn terminator(&self) -> char {
        let code = self.faults.find(|fault| match fault {
            Fault::Terminator(code) => Some(code),
            _ => None,
        });
        code.unwrap_or('N')
    }

    /// Puts the prepared frame on the wire, with the faults that are due.
    fn transmit(&mut self, index: usize) {
        let at = self.answer_at();
        let mut frame = self.sent.clone();
        // Results count from 1; the header answers to 0, the patient record to nothing.
        let number = match index {
            0 => Some(0),
            1 => None,
            _ => u32::try_from(index - 1).ok(),
        };
        let mut split = false;
        let mut wrong_prefix = false;
        if let Some(n) = number {
            if self.faults.take(Fault::Checksum(n)) || self.faults.has(Fault::ChecksumForever(n)) {
                spoil(&mut frame);
            }
            if self.faults.take(Fault::Garbage(n)) {
                self.outbox
                    .push_report(report(METER_PREFIX, JUNK), at, false);
            }
            split = self.faults.take(Fault::EmptyReport(n));
            wrong_prefix = self.faults.take(Fault::Prefix(n));
        }
        if split {
            let (head, tail) = frame.split_at(frame.len() / 2);
            self.outbox.push_message(head, at, false);
            self.outbox
                .push_report(report(METER_PREFIX, &[]), at, false);
            self.outbox.push_message(tail, at, true);
        } else if wrong_prefix {
            let (head, tail) = frame.split_at(frame.len().min(PAYLOAD_MAX));
            self.outbox
                .push_report(report(WRONG_PREFIX, head), at, tail.is_empty());
            self.outbox.push_message(tail, at, true);
        } else {
            self.outbox.push_message(&frame, at, true);
        }
        self.audit.frames_sent += 1;
        self.await_answer();
    }

    /// Repeats the frame in hand or gives up.
    fn repeat(&mut self) {
        let State::Sending(index) = self.state else {
            return;
        };
        if self.repeats >= MOST_REPEATS {
            self.finish();
            return;
        }
        self.repeats += 1;
        self.audit.repeats += 1;
        self.transmit(index);
    }

    /// Goes on after the frame of an index was acknowledged.
    fn acknowledged(&mut self, index: usize) {
        if index >= LEADING_FRAMES + self.records.len() {
            self.audit.sessions_completed += 1;
            if self.model.ends_silently {
                self.go_idle();
            } else {
                self.finish();
            }
            return;
        }
        // Results acknowledged so far; the header has no faults of this kind.
        let done = index
            .checked_sub(1)
            .and_then(|done| u32::try_from(done).ok());
        let Some(done) = done else {
            self.send(index + 1);
            return;
        };
        if done > 0 && self.faults.take(Fault::AckLost(done)) {
            return;
        }
        if done > 0 && self.faults.take(Fault::Duplicate(done)) {
            self.audit.repeats += 1;
            self.transmit(index);
        } else if self.faults.take(Fault::Unplug(done)) {
            self.outbox.clear();
            self.state = State::Gone;
        } else if self.faults.take(Fault::Dead(done)) {
            self.state = State::Dead(true);
            self.await_nothing();
        } else if self.faults.take(Fault::Cut(done)) {
            self.finish();
        } else if self.faults.take(Fault::Restart(done)) {
            self.offer_again();
        } else if self.faults.take(Fault::Stall(done)) {
            if self.prepare(index + 1) {
                self.state = State::Sending(index + 1);
                self.await_nothing();
            }
        } else {
            self.send(index + 1);
        }
    }

    /// Ends the transmission by EOT.
    fn finish(&mut self) {
        self.say(&[EOT]);
        self.go_idle();
    }
}
