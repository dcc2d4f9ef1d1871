//! What is said in command mode, and which answers fit.
//!
//! A meter may wait for a date or a time, and would take the next message for it. So after each answer
//! that does not fit, command mode is left and entered again.

use glucopipe_sdk::chrono::NaiveDateTime;
use glucopipe_sdk::{Error, Level, Op, Result as SdkResult, Status};

use crate::device::civil_time;
use crate::protocol::command::{Command, Ending, moment, reply};
use crate::session::Reply;
use crate::talk::{LOG, Talk};

/// Times the clock is asked for again because of an odd answer.
const AGAIN: u32 = 2;
/// The time at which the date may have changed since it was told.
const MIDNIGHT: [u8; 4] = *b"0000";

/// Why something in command mode did not come about.
#[derive(Debug)]
pub(super) enum Trouble {
    /// NAK.
    Refused,
    /// Silence, or an answer to something else: it is not known what the meter waits for.
    Odd(&'static str),
    /// Nothing more can be said.
    Stop(Error),
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self::Stop(error)
    }
}

impl Trouble {
    /// Why the new date or time is not set.
    pub(super) fn into_error(self, what: &str) -> Error {
        match self {
            Self::Refused => protocol(format!("the meter refused the new {what}")),
            Self::Odd(why) => protocol(format!("the new {what} was not confirmed: {why}")),
            // It was seen through as long as the host allows, so the meter's state is what counts.
            Self::Stop(error) if error.status == Status::Cancelled => {
                let message = format!("the new {what} was not confirmed in time");
                Error::new(Status::Timeout, message)
            }
            Self::Stop(error) => {
                let message = format!("the new {what} was not confirmed: {}", error.message);
                Error { message, ..error }
            }
        }
    }
}

pub(super) fn protocol(message: impl Into<String>) -> Error {
    Error::new(Status::Protocol, message).retryable()
}

fn owned_by_pump() -> Error {
    let message = "clock-owned-by-pump: the meter refuses its date, as one does that is paired with an \
                   insulin pump; the pump sets its clock";
    Error::new(Status::Precondition, message)
}

/// A meter in command mode.
pub(super) struct Words<'a, 's> {
    pub(super) op: &'a Op,
    talk: &'a mut Talk<'s>,
    ending: Ending,
    /// It is not known what the meter waits for: a date or time, perhaps, for which it would take the
    /// next message.
    astray: bool,
    /// Longest time for an answer so far; silence is none.
    pub(super) slowest_ms: u64,
}

impl<'a, 's> Words<'a, 's> {
    pub(super) fn new(op: &'a Op, talk: &'a mut Talk<'s>) -> Self {
        Self {
            op,
            talk,
            ending: Ending::Cr,
            astray: false,
            slowest_ms: 0,
        }
    }

    pub(super) fn now(&self) -> u64 {
        self.op.monotonic_ms()
    }

    /// Says something.
    fn say(&mut self, command: Command) -> Result<Reply, Trouble> {
        let said = self.now();
        let reply = self.talk.say(self.op, command)?;
        if reply != Reply::Silence {
            self.slowest_ms = self.slowest_ms.max(self.now().saturating_sub(said));
        }
        Ok(reply)
    }

    /// An answer that does not fit.
    fn odd(&mut self, reply: &Reply) -> Trouble {
        self.misled(match reply {
            Reply::Silence => "the meter did not answer",
            Reply::Left => "the meter left command mode",
            Reply::Refused => "the meter refused the question",
            Reply::Done | Reply::Text(_) => "the meter answered something else",
        })
    }

    pub(super) fn misled(&mut self, why: &'static str) -> Trouble {
        self.op.log(Level::Debug, LOG, why);
        self.astray = true;
        Trouble::Odd(why)
    }

    /// Makes sure that the meter waits for a command.
    fn find_back(&mut self) -> SdkResult<()> {
        if !self.astray {
            return Ok(());
        }
        if self.op.cancelled() {
            return Err(Error::cancelled());
        }
        self.talk.enter_again(self.op)?;
        self.astray = false;
        Ok(())
    }

    /// Says something that the meter answers by ACK alone.
    pub(super) fn tell(&mut self, command: Command) -> Result<(), Trouble> {
        match self.say(command)? {
            Reply::Done => Ok(()),
            Reply::Refused => Err(Trouble::Refused),
            other => Err(self.odd(&other)),
        }
    }

    /// Says what follows: a question, or something to set. No meter has a reason to refuse that.
    fn begin(&mut self, command: Command) -> Result<(), Trouble> {
        self.find_back()?;
        match self.tell(command) {
            Err(Trouble::Refused) => Err(self.odd(&Reply::Refused)),
            other => other,
        }
    }

    /// Does something that names the date or the time; once more without CR when that is refused.
    fn naming<T>(
        &mut self,
        attempt: impl Fn(&mut Self, Ending) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        let first = attempt(self, self.ending);
        if !matches!(first, Err(Trouble::Refused)) || self.ending == Ending::Bare {
            return first;
        }
        let second = attempt(self, Ending::Bare);
        if second.is_ok() {
            self.ending = Ending::Bare;
        }
        second
    }

    /// Asks for the digits of the date or the time.
    fn ask<const N: usize>(&mut self, item: fn(Ending) -> Command) -> Result<[u8; N], Trouble> {
        self.naming(|words, ending| {
            words.begin(Command::Read)?;
            match words.say(item(ending))? {
                Reply::Text(text) => {
                    let odd = "the meter told neither a date nor a time";
                    reply(&text).ok_or_else(|| words.misled(odd))
                }
                Reply::Refused => Err(Trouble::Refused),
                other => Err(words.odd(&other)),
            }
        })
    }

    fn ask_all(&mut self) -> Result<NaiveDateTime, Trouble> {
        let mut date = self.ask(Command::Date)?;
        let time = match self.ask(Command::Time) {
            Err(Trouble::Refused) => Err(self.odd(&Reply::Refused)),
            other => other,
        }?;
        if time == MIDNIGHT {
            // The date was told before it, perhaps on the day before.
            date = self.ask(Command::Date)?;
        }
        let local = moment(date, time).and_then(civil_time);
        local.ok_or_else(|| self.misled("the meter told a moment that does not exist"))
    }

    /// What the clock shows.
    pub(super) fn shown(&mut self) -> SdkResult<NaiveDateTime> {
        let mut tries = 0;
        loop {
            match self.ask_all() {
                Ok(local) => return Ok(local),
                Err(Trouble::Stop(error)) => return Err(error),
                Err(Trouble::Refused) => return Err(owned_by_pump()),
                Err(Trouble::Odd(why)) if tries == AGAIN => {
                    return Err(protocol(format!("the clock cannot be read: {why}")));
                }
                Err(Trouble::Odd(_)) => tries += 1,
            }
        }
    }

    /// Asks something, so that the meter stays in command mode.
    pub(super) fn keep(&mut self) -> Result<(), Trouble> {
        self.shown()?;
        Ok(())
    }

    /// Says nothing until this time.
    pub(super) fn rest(&mut self, until: u64) -> Result<(), Trouble> {
        while self.now() < until {
            if let Reply::Left = self.talk.rest(self.op, until)? {
                return Err(self.odd(&Reply::Left));
            }
        }
        Ok(())
    }

    /// Says what is set next.
    pub(super) fn name(&mut self, item: fn(Ending) -> Command) -> Result<(), Trouble> {
        self.naming(|words, ending| {
            words.begin(Command::Write)?;
            words.tell(item(ending))
        })
    }
}
