//! One conversation over the host's link: moves bytes between it and the session machine.
//!
//! All time is the host's, so that a virtual meter runs on virtual time. Which byte to answer is decided in
//! [`crate::session`] alone.

use glucopipe_sdk::driver::DeviceInfo;
use glucopipe_sdk::link::{Kind, Link};
use glucopipe_sdk::serde_json::Value;
use glucopipe_sdk::{Error, Level, Op, Result, Status};

use crate::device;
use crate::protocol::command::Command;
use crate::protocol::model::{LADDER, Ladder, Model};
use crate::protocol::report::{self as hid, REPORT_LEN};
use crate::session::{Goal, Machine, Message, Reply, Step};

/// Longest wait for the meter to take a report.
const WRITE_MS: u32 = 2_000;
/// Target of all log lines.
pub(crate) const LOG: &str = "contour";
/// What to do about a meter that does not talk (other programs: only that clears its display of E86).
pub(crate) const ADVICE: &str = "unplug the meter, plug it in again, and try once more";

/// One conversation. [`Talk::close`] ends it.
pub(crate) struct Talk<'s> {
    link: &'s mut Option<Link>,
    pub(crate) machine: Machine,
    device: Option<DeviceInfo>,
    failure: Option<Error>,
}

impl<'s> Talk<'s> {
    /// Starts one; opens the link unless it is open.
    pub(crate) fn start(op: &Op, link: &'s mut Option<Link>, goal: Goal) -> Result<Self> {
        op.check()?;
        if link.is_none() {
            *link = Some(op.open_link(Kind::Hid)?);
        }
        Ok(Self {
            link,
            machine: Machine::new(goal, op.monotonic_ms()).with_ladder(ladder(op)),
            device: None,
            failure: None,
        })
    }

    /// Does what the machine says until `done`, the end, or a cancellation. A dead link is the
    /// machine's end and no error here.
    pub(crate) fn run(&mut self, op: &Op, done: fn(&Machine) -> bool) -> Result<()> {
        while !done(&self.machine) {
            op.check()?;
            if !self.step(op)? {
                break;
            }
        }
        Ok(())
    }

    /// Leaves the meter idle; works although the operation was cancelled.
    pub(crate) fn close(&mut self, op: &Op) {
        op.begin_closing();
        if !self.machine.is_over() {
            op.log(Level::Debug, LOG, "leaving the session");
            self.machine.cancel(op.monotonic_ms());
        }
        // Once closing, a cancellation is a refusal of the link, and the machine ends with it.
        while self.step(op).unwrap_or_else(|error| {
            self.fail(op, error);
            false
        }) {}
    }

    /// Does one thing; false at the end, and where the machine waits for a command.
    pub(crate) fn step(&mut self, op: &Op) -> Result<bool> {
        let headers = self.machine.headers();
        let step = self.machine.poll(op.monotonic_ms());
        if self.machine.headers() != headers {
            self.device = self
                .machine
                .header()
                .map(|header| device::info(header, op.utc_us()));
            op.log(Level::Debug, LOG, "a valid header arrived");
        }
        let outcome = match step {
            Step::Done | Step::Command => return Ok(false),
            Step::Send(message) => self.send(op, message),
            Step::Wait { until } => self.receive(op, until),
        };
        match outcome {
            Ok(()) => Ok(true),
            Err(error) if error.status == Status::Cancelled => {
                if let Step::Send(message) = step {
                    self.machine.unsent(message);
                }
                Err(error)
            }
            Err(error) => {
                self.fail(op, error);
                Ok(false)
            }
        }
    }

    fn send(&mut self, op: &Op, message: Message) -> Result<()> {
        let said = match message {
            Message::Byte(byte) => format!("sent {byte:02x}"),
            Message::Command(command) => format!("sent `{}`", command.name()),
        };
        op.log(Level::Trace, LOG, &said);
        let Some(link) = self.link else {
            return Err(no_link());
        };
        for body in hid::encode(&message.bytes()) {
            link.write(op, WRITE_MS, &body)?;
        }
        Ok(())
    }

    fn receive(&mut self, op: &Op, until: u64) -> Result<()> {
        let Some(link) = self.link else {
            return Err(no_link());
        };
        let left = until.saturating_sub(op.monotonic_ms());
        let mut body = [0; REPORT_LEN];
        let got = link.read(op, u32::try_from(left).unwrap_or(u32::MAX), &mut body);
        let now = op.monotonic_ms();
        match got {
            Ok(len) => match hid::decode(body.get(..len).unwrap_or_default()) {
                Ok(payload) => self.machine.receive(payload, now),
                Err(error) => {
                    op.log(Level::Debug, LOG, &error.to_string());
                    self.machine.bad_report(now);
                }
            },
            // Whatever the clock says, the wait is over: so each loop here comes to an end.
            Err(error) if error.status == Status::Timeout => self.machine.pass(until),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// The link is dead: nothing more can be sent.
    fn fail(&mut self, op: &Op, error: Error) {
        op.log(Level::Debug, LOG, "the link is dead");
        self.machine.lost();
        *self.link = None;
        self.failure = Some(error);
    }

    /// The meter that answered, or why there is none.
    pub(crate) fn device(&mut self) -> Result<DeviceInfo> {
        if let Some(device) = self.device.take() {
            return Ok(device);
        }
        let error = match self.failure.take() {
            Some(error) => return Err(error),
            None if self.machine.has_answered() => Error::new(
                Status::Protocol,
                format!("the meter answered, but sent no valid header: {ADVICE}"),
            ),
            None => Error::new(Status::Timeout, format!("no answer after 15 s: {ADVICE}")),
        };
        Err(error.retryable())
    }

    /// Says something in command mode.
    ///
    /// # Errors
    /// When the link died, or the operation was cancelled.
    pub(crate) fn say(&mut self, op: &Op, command: Command) -> Result<Reply> {
        self.machine.say(command, op.monotonic_ms());
        self.reply(op)
    }

    /// Says nothing in command mode until this time, and listens.
    ///
    /// # Errors
    /// As [`Talk::say`].
    pub(crate) fn rest(&mut self, op: &Op, until: u64) -> Result<Reply> {
        self.machine.rest(until, op.monotonic_ms());
        self.reply(op)
    }

    fn reply(&mut self, op: &Op) -> Result<Reply> {
        self.run(op, Machine::has_reply)?;
        let reply = self.machine.take_reply();
        reply.ok_or_else(|| self.failure.clone().unwrap_or_else(no_link))
    }

    /// Brings the meter into command mode.
    ///
    /// # Errors
    /// When it does not answer, sends no valid header, or does not enter.
    pub(crate) fn enter(&mut self, op: &Op) -> Result<()> {
        self.run(op, Machine::has_entered)?;
        if self.machine.is_in_command_mode() {
            return Ok(());
        }
        // Without a header the meter was not even found.
        self.device()?;
        let cause = self.failure.take();
        Err(cause.unwrap_or_else(|| {
            let does = if self.machine.refuses_commands() {
                "refuses"
            } else {
                "does not go into"
            };
            let message = format!("the meter {does} command mode: {ADVICE}");
            Error::new(Status::Protocol, message).retryable()
        }))
    }

    /// Leaves command mode and brings the meter into it again, because it is not known what it waits for.
    ///
    /// # Errors
    /// As [`Talk::enter`].
    pub(crate) fn enter_again(&mut self, op: &Op) -> Result<()> {
        op.log(Level::Debug, LOG, "entering command mode again");
        self.machine.come_again(op.monotonic_ms());
        self.enter(op)
    }

    /// The same for a read: no reading can be told from another meter's without a serial.
    pub(crate) fn identified(&mut self) -> Result<DeviceInfo> {
        let device = self.device()?;
        if device.serial.is_empty() {
            return Err(Error::new(Status::Protocol, "the meter told no serial"));
        }
        Ok(device)
    }
}

fn no_link() -> Error {
    Error::new(Status::Lost, "the connection to the meter broke")
}

/// What is best tried to wake the meter, as far as the host knows which it is.
fn ladder(op: &Op) -> Ladder {
    let device = op.describe_device().unwrap_or_default();
    let product = device.get("product").and_then(Value::as_str);
    product
        .and_then(|product| u16::from_str_radix(product, 16).ok())
        .and_then(Model::by_product_id)
        .map_or(LADDER, |model| model.ladder)
}
