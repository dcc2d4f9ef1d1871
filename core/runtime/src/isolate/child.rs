//! The host's side: a plugin in a child, called like one that is here.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use glucopipe_abi as abi;
use glucopipe_sdk::driver::Query;
use glucopipe_sdk::exporter::CommitReport;
use glucopipe_sdk::stream::Batches;
use glucopipe_sdk::{Error, Status};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::batches::{Receiver, Sender};
use super::frame;
use super::lend::Lender;
use super::message::{Call, CommitOutcome, Description, Failure, Named, Order, Word};
use super::process::Process;
use super::rights::Rights;
use crate::host::Lent;
use crate::plugin::{Permission, Vetted};

/// What the text of an error begins with when it is about the end of a process.
pub(super) const DIED: &str = "its process ";
/// That it did not stop.
pub(super) const STUCK: &str = "its process went on after it was cancelled, and was killed";
/// That it took too long where nothing could be cancelled.
pub(super) const SLOW: &str = "its process did not answer in time, and was killed";
/// What is said of one that ended in a commit.
pub(super) const IN_COMMIT: &str = ", while it committed";

/// What a child writes past the host.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stream {
    /// Standard output, which is for data.
    Output,
    /// Standard error.
    Error,
}

/// Is given each line of a stream.
pub(super) type Say = Box<dyn Fn(Stream, &str) + Send>;

/// How long the questions may take that belong to no operation.
const QUESTION: Duration = Duration::from_secs(20);
/// How long closing may take.
const CLOSING: Duration = Duration::from_secs(5);

/// Whether the text of an error says that the process of a plugin ended.
pub(crate) fn has_died(message: &str) -> bool {
    message.starts_with(DIED)
}

/// Whether it says that the process was ended because it did not stop.
pub(crate) fn was_stuck(message: &str) -> bool {
    message.starts_with(STUCK) || message.starts_with(SLOW)
}

/// Whether it says that nobody knows what was delivered.
pub(crate) fn was_committing(message: &str) -> bool {
    message.ends_with(IN_COMMIT)
}

/// Where a component that is not loaded here can be reached.
#[derive(Clone, Debug)]
pub(crate) struct Apart {
    /// The program of the child.
    pub(crate) program: PathBuf,
    /// The library, as it was checked.
    pub(crate) library: Vetted,
    /// The optional functions of the component.
    pub(crate) has: BTreeSet<String>,
}

/// Looks at a library in a child.
///
/// # Errors
/// Why it cannot be loaded; `native` is the number of the problem code.
pub(crate) fn describe(program: &Path, library: &Vetted) -> Result<Description, Error> {
    let mut child = Child::start(program, library, None, Some(QUESTION))?;
    child.load(library, Rights::none())
}

/// A plugin in a child.
pub(crate) struct Child {
    process: Process,
    /// Readings on their way to the running call.
    input: Option<Sender<'static>>,
    /// Why it cannot be called any more.
    ended: Option<Error>,
    /// Whether an object is open.
    open: bool,
    lender: Option<Lender>,
}

impl Child {
    fn start(
        program: &Path,
        library: &Vetted,
        op: Option<Arc<dyn Lent>>,
        limit: Option<Duration>,
    ) -> Result<Self, Error> {
        let cancel = op.as_ref().map(|op| op.cancel().clone());
        let devices = library.permits(Permission::Devices);
        let say: Say = match &op {
            Some(op) => {
                let op = op.clone();
                Box::new(move |stream, line| {
                    // What is for data may be readings.
                    let (level, name) = match stream {
                        Stream::Output => (abi::GP_LOG_TRACE, "output"),
                        Stream::Error => (abi::GP_LOG_DEBUG, "error"),
                    };
                    op.note(level, &format!("on standard {name}: {line}"));
                })
            }
            None => Box::new(|_, _| {}),
        };
        Ok(Self {
            process: Process::start(program, library.file(), cancel, limit, say)?,
            input: None,
            ended: None,
            open: false,
            lender: op.map(|op| Lender::new(op, devices)).transpose()?,
        })
    }

    /// Opens an object in a child of its own.
    ///
    /// # Errors
    /// As the plugin says, or how its process ended.
    pub(crate) fn open(apart: &Apart, op: Arc<dyn Lent>, named: Named) -> Result<Self, Error> {
        let mut child = Self::start(&apart.program, &apart.library, Some(op), None)?;
        child.load(&apart.library, Rights::to_deliver(&named, &apart.library))?;
        child.call(Call::Open(named))?;
        child.open = true;
        Ok(child)
    }

    /// Asks a component without opening an object; a question that belongs to no operation has a time
    /// limit of its own. `None` when it lacks the function.
    ///
    /// # Errors
    /// As for [`Child::open`].
    pub(crate) fn ask<T: DeserializeOwned>(
        apart: &Apart,
        function: &str,
        op: Option<Arc<dyn Lent>>,
        (call, named): (fn(Named) -> Call, Named),
        input: Option<Box<dyn Batches>>,
    ) -> Result<Option<T>, Error> {
        if !apart.has.contains(function) {
            return Ok(None);
        }
        let limit = op.is_none().then_some(QUESTION);
        let mut child = Self::start(&apart.program, &apart.library, op, limit)?;
        child.load(&apart.library, Rights::of(&named, &apart.library))?;
        let answer = match input {
            Some(input) => child.feed(call(named), input)?.0,
            None => child.call(call(named))?,
        };
        understand(answer)
    }

    /// Lets a driver scrub a transcript.
    ///
    /// # Errors
    /// As for [`Child::open`].
    pub(crate) fn scrub(
        apart: &Apart,
        op: Arc<dyn Lent>,
        named: Named,
        transcript: &str,
    ) -> Result<String, Error> {
        let mut child = Self::start(&apart.program, &apart.library, Some(op), None)?;
        child.load(&apart.library, Rights::of(&named, &apart.library))?;
        let (_, scrubbed) = child.exchange(Call::Scrub(named), transcript.as_bytes())?;
        String::from_utf8(scrubbed).map_err(|_| frame::broken())
    }

    fn load(&mut self, library: &Vetted, rights: Rights) -> Result<Description, Error> {
        let library = library.path.clone();
        understand(self.call(Call::Load { library, rights })?)
    }

    /// Calls the plugin.
    ///
    /// # Errors
    /// As the plugin says, or how its process ended.
    pub(crate) fn call(&mut self, call: Call) -> Result<Value, Error> {
        self.exchange(call, &[]).map(|(value, _)| value)
    }

    /// Calls the plugin for an answer of a type.
    ///
    /// # Errors
    /// As for [`Child::call`], or when the answer is of another type.
    pub(crate) fn answer<T: DeserializeOwned>(&mut self, call: Call) -> Result<T, Error> {
        understand(self.call(call)?)
    }

    /// Calls the plugin with readings, which it takes as it goes.
    ///
    /// # Errors
    /// As for [`Child::call`].
    pub(crate) fn feed(
        &mut self,
        call: Call,
        readings: Box<dyn Batches>,
    ) -> Result<(Value, Vec<u8>), Error> {
        let (sender, head) = Sender::new(readings)?;
        self.input = Some(sender);
        let done = self.exchange(call, &head);
        self.input = None;
        done
    }

    /// Takes the stream that a call opened; `head` is what it gave.
    ///
    /// # Errors
    /// When it is none.
    pub(crate) fn stream(&mut self, head: Vec<u8>) -> Result<Streamed<'_>, Error> {
        Ok(Streamed {
            receiver: Receiver::new(head)?,
            child: self,
            ended: false,
        })
    }

    /// Calls an exporter to commit; the inner outcome is its report.
    ///
    /// # Errors
    /// As for [`Child::call`].
    pub(crate) fn commit(&mut self) -> Result<Result<CommitReport, Error>, Error> {
        let done = self.answer::<CommitOutcome>(Call::Commit);
        let done = done.map_err(|mut error| {
            if self.ended.is_some() {
                error.message.push_str(IN_COMMIT);
            }
            error
        });
        Ok(match done? {
            Ok(report) => understand(report),
            Err(failure) => Err(failure.into()),
        })
    }

    /// Calls a driver for its readings.
    ///
    /// # Errors
    /// As for [`Child::call`].
    pub(crate) fn read(&mut self, query: Option<&Query>) -> Result<Streamed<'_>, Error> {
        let (_, head) = self.exchange(Call::Read(query.cloned()), &[])?;
        self.stream(head)
    }

    fn exchange(&mut self, call: Call, body: &[u8]) -> Result<(Value, Vec<u8>), Error> {
        if let Some(ended) = &self.ended {
            return Err(ended.clone());
        }
        match self.converse(call, body) {
            Ok(returned) => returned.map_err(Error::from),
            Err(fatal) => {
                self.ended = Some(fatal.clone());
                Err(fatal)
            }
        }
    }

    /// One call from its order to its return. An error of its own ends the child.
    fn converse(
        &mut self,
        call: Call,
        body: &[u8],
    ) -> Result<Result<(Value, Vec<u8>), Failure>, Error> {
        self.process.begin();
        self.process.send(&frame::pack(&Order::Call(call), body)?)?;
        loop {
            let (word, body) = frame::unpack(self.process.receive()?)?;
            match word {
                Word::Says(remark) => {
                    if let Some(lender) = &self.lender {
                        lender.hear(remark);
                    }
                }
                Word::Asks(number, request) => {
                    let (answer, body) = match &mut self.lender {
                        Some(lender) => lender.answer(request, &body, self.input.as_mut()),
                        None => (Err(nothing_lent()), Vec::new()),
                    };
                    let answer = Order::Answer(number, answer.map_err(Failure::from));
                    self.process.send(&frame::pack(&answer, &body)?)?;
                }
                Word::Returned(outcome) => {
                    if self.process.has_printed() {
                        let what = "it wrote to standard output, which is for data";
                        return Err(Error::new(Status::Internal, what));
                    }
                    return Ok(outcome.map(|value| (value, body)));
                }
            }
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.open && self.ended.is_none() {
            self.process.limit(CLOSING);
            // Closing never fails; a child that cannot close is ended.
            let _ = self.call(Call::Close);
        }
    }
}

fn nothing_lent() -> Error {
    Error::new(Status::Unsupported, "nothing is lent to this call")
}

fn understand<T: DeserializeOwned>(value: Value) -> Result<T, Error> {
    serde_json::from_value(value).map_err(|_| frame::broken())
}

/// A stream of a child; the child is busy until it is dropped.
pub(crate) struct Streamed<'a> {
    child: &'a mut Child,
    receiver: Receiver,
    ended: bool,
}

impl Batches for Streamed<'_> {
    fn schema(&self) -> SchemaRef {
        self.receiver.schema()
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, Error> {
        if self.ended {
            return Ok(None);
        }
        let next = self.child.exchange(Call::Next, &[]);
        let next = next.and_then(|(there, frame)| match there {
            Value::Bool(true) => self.receiver.batch(frame).map(Some),
            Value::Bool(false) => Ok(None),
            _ => Err(frame::broken()),
        });
        self.ended = !matches!(next, Ok(Some(_)));
        next
    }
}

impl Drop for Streamed<'_> {
    fn drop(&mut self) {
        // A child that cannot release it says so at the next call.
        let _ = self.child.call(Call::Release);
    }
}
