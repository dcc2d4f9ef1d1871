//! One question to the meter: identified before, repeated when the answer is bad, asked again over a new
//! link once in an operation.
//!
//! What changes the meter is repeated only where the meter shows that it did not take the request.
//! The meter knows no sessions: between two questions it is idle, and nothing is to be closed.

use glucopipe_sdk::{Error, Level, Op, Result as SdkResult, Status};

use crate::device::normalised;
use crate::exchange::{Block, Disk, Trouble};
use crate::identify::identify;
use crate::protocol::command::{Command, Query};
use crate::protocol::reply::{self, Reply, ReplyError, remains};
use crate::protocol::scsi::Fault;

/// How often a question with a bad answer is repeated.
pub(crate) const REPEATS: u32 = 3;
/// Target of all log lines.
pub(crate) const LOG: &str = "verio";

/// What an operation cost.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Traffic {
    /// Requests written and registers read.
    pub(crate) exchanges: u64,
    /// SCSI commands.
    pub(crate) commands: u64,
    /// Questions repeated for a bad answer.
    pub(crate) repeats: u64,
    /// New links.
    pub(crate) reopened: u64,
}

/// A good answer.
#[derive(Debug)]
pub(crate) struct Answer<T> {
    /// What it says.
    pub(crate) value: T,
    /// The reply packet.
    pub(crate) packet: Vec<u8>,
}

/// What was wrong with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bad {
    /// The bytes.
    Reply(ReplyError),
    /// The transfer.
    Transfer(Fault),
}

impl std::fmt::Display for Bad {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Reply(error) => error.fmt(f),
            Self::Transfer(fault) => fault.fmt(f),
        }
    }
}

/// Why a question has no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Nothing more can be asked.
    Stop(Error),
    /// This one question failed; others may do better.
    Bad(Bad, Vec<u8>),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Stop(error)
    }
}

impl Failure {
    /// Makes it the failure of the operation.
    pub(crate) fn into_error(self, command: Command) -> Error {
        match self {
            Self::Stop(error) => error,
            Self::Bad(bad, _) => failed(command, bad),
        }
    }
}

fn failed(command: Command, bad: Bad) -> Error {
    let message = format!("`{}` failed: {bad}", command.name());
    Error::new(Status::Protocol, message).retryable()
}

/// The meter behind the host's link.
#[derive(Default)]
pub(crate) struct Meter {
    disk: Disk,
    /// Model, as it said when it was identified.
    model: String,
    /// Normalised serial, once the running operation has asked.
    serial: Option<String>,
    commands_before: u64,
    traffic: Traffic,
}

impl Meter {
    /// Opens the link; says nothing to the meter.
    pub(crate) fn open(op: &Op) -> SdkResult<Self> {
        let mut meter = Self::default();
        meter.disk.open(op)?;
        Ok(meter)
    }

    /// Starts an operation.
    pub(crate) fn begin(&mut self, op: &Op) -> SdkResult<()> {
        self.serial = None;
        self.traffic = Traffic::default();
        self.commands_before = self.disk.commands();
        op.check()
    }

    /// Starts an operation that changes the meter: it is identified anew, whatever was known.
    pub(crate) fn begin_change(&mut self, op: &Op) -> SdkResult<()> {
        self.disk.doubt();
        self.begin(op)
    }

    /// Model, as the meter says; empty when it says nothing readable.
    pub(crate) fn model(&self) -> &str {
        &self.model
    }

    /// What the running operation has cost so far.
    pub(crate) fn traffic(&self) -> Traffic {
        Traffic {
            commands: self.disk.commands() - self.commands_before,
            ..self.traffic
        }
    }

    /// Asks for the serial; from now on the operation talks to no other meter.
    pub(crate) fn serial(&mut self, op: &Op) -> Result<String, Failure> {
        let raw = self
            .ask(op, Command::Query(Query::Serial), reply::serial)?
            .value;
        let serial = normalised(&raw);
        if serial.is_empty() {
            let message = "the meter has no serial, so its readings could not be told from others";
            return Err(Error::new(Status::Protocol, message).into());
        }
        match self.serial.get_or_insert_with(|| serial.clone()) {
            known if *known == serial => Ok(raw),
            _ => Err(exchanged().into()),
        }
    }

    /// Asks, and decodes the data of the reply.
    pub(crate) fn ask<T>(
        &mut self,
        op: &Op,
        command: Command,
        decode: fn(&[u8]) -> Result<T, ReplyError>,
    ) -> Result<Answer<T>, Failure> {
        let packet = packet(command)?;
        let mut repeats = 0;
        loop {
            op.check()?;
            let outcome = match self.attach(op) {
                Ok(()) => self.exchange(op, command, &packet),
                Err(error) => Err(Trouble::Link(error)),
            };
            let (bad, raw) = match outcome {
                Ok(block) => match answer(&packet, &block, decode) {
                    Ok(answer) => return Ok(answer),
                    Err(error) => (Bad::Reply(error), remains(&block).to_vec()),
                },
                Err(Trouble::Command(fault)) => (Bad::Transfer(fault), Vec::new()),
                Err(Trouble::Link(error)) => {
                    self.reopen(op, command, error)?;
                    continue;
                }
            };
            let untouched = bad == Bad::Reply(ReplyError::NotProcessed);
            if repeats == REPEATS || (command.changes_meter() && !untouched) {
                return Err(Failure::Bad(bad, raw));
            }
            op.log(Level::Debug, LOG, &format!("{}: {bad}", command.name()));
            repeats += 1;
            self.traffic.repeats += 1;
        }
    }

    fn exchange(&mut self, op: &Op, command: Command, packet: &[u8]) -> Result<Block, Trouble> {
        let register = command.register();
        self.disk.write_register(op, register, packet)?;
        let block = self.disk.read_block(op, register.lba())?;
        self.traffic.exchanges += 1;
        Ok(block)
    }

    /// Opens and identifies where that is to be done; the meter must be the one of this operation.
    fn attach(&mut self, op: &Op) -> SdkResult<()> {
        if self.disk.is_proved() {
            return Ok(());
        }
        self.disk.open(op)?;
        let proof = identify(op, &mut self.disk)?;
        self.disk.admit(proof);
        let introduced = self.introduce(op);
        if introduced.is_err() {
            self.disk.doubt();
        }
        introduced
    }

    /// First questions to a disk that looks like a meter's. They are written once: a disk that does not
    /// answer as a meter gets no second write.
    fn introduce(&mut self, op: &Op) -> SdkResult<()> {
        self.model = self
            .ask_once(op, Command::Query(Query::Model), |data| {
                Ok(reply::text(data).unwrap_or_default())
            })?
            .trim()
            .to_owned();
        if let Some(known) = self.serial.clone() {
            let serial = self.ask_once(op, Command::Query(Query::Serial), reply::serial)?;
            if normalised(&serial) != known {
                return Err(exchanged());
            }
        }
        Ok(())
    }

    /// Writes a request once, and reads its register until the answer is good.
    fn ask_once<T>(
        &mut self,
        op: &Op,
        command: Command,
        decode: fn(&[u8]) -> Result<T, ReplyError>,
    ) -> SdkResult<T> {
        let packet = packet(command)?;
        let register = command.register();
        let written = self.disk.write_register(op, register, &packet);
        written.map_err(|trouble| match trouble {
            Trouble::Link(error) => error,
            Trouble::Command(fault) => failed(command, Bad::Transfer(fault)),
        })?;
        self.traffic.exchanges += 1;
        let mut repeats = 0;
        loop {
            let bad = match self.disk.read_block(op, register.lba()) {
                Ok(block) => match answer(&packet, &block, decode) {
                    Ok(answer) => return Ok(answer.value),
                    Err(error) => Bad::Reply(error),
                },
                Err(Trouble::Command(fault)) => Bad::Transfer(fault),
                Err(Trouble::Link(error)) => return Err(error),
            };
            if repeats == REPEATS || !self.disk.is_proved() {
                return Err(failed(command, bad));
            }
            op.log(Level::Debug, LOG, &format!("{}: {bad}", command.name()));
            repeats += 1;
        }
    }

    /// Gives up a link that failed, for a new one; once in an operation, and never for a request that
    /// changes the meter, which may have been taken.
    fn reopen(&mut self, op: &Op, command: Command, error: Error) -> SdkResult<()> {
        let passing = matches!(error.status, Status::Io | Status::Timeout | Status::Lost);
        if error.status != Status::Cancelled {
            self.disk.close();
        }
        if !passing || self.traffic.reopened > 0 || command.changes_meter() {
            return Err(error);
        }
        op.log(Level::Debug, LOG, "the link failed: opening it again");
        self.traffic.reopened += 1;
        Ok(())
    }
}

fn packet(command: Command) -> SdkResult<Vec<u8>> {
    let packet = command.packet();
    packet.map_err(|error| Error::new(Status::Internal, error.to_string()))
}

fn answer<T>(
    request: &[u8],
    block: &Block,
    decode: fn(&[u8]) -> Result<T, ReplyError>,
) -> Result<Answer<T>, ReplyError> {
    let reply = Reply::parse(request, block)?;
    Ok(Answer {
        value: decode(reply.data)?,
        packet: reply.packet.to_vec(),
    })
}

fn exchanged() -> Error {
    let message = "another meter is attached than when the operation began";
    Error::new(Status::Lost, message)
}
