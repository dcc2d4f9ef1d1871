//! Runs the calls of the host on the one object of this process.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use chrono::DateTime;
use glucopipe_sdk::driver::Query;
use glucopipe_sdk::ffi::guard::guard;
use glucopipe_sdk::stream::Batches;
use glucopipe_sdk::{Error, Status};
use serde::Serialize;
use serde_json::{Value, json};

use super::borrowed::Borrowed;
use super::wire::Wire;
use super::{Calls, confine};
use crate::cancel::Cancel;
use crate::host::{
    Lent, OpenDriver, OpenExporter, OpenTransform, check_exporter, exporter_wants, preview_export,
    scrub_transcript,
};
use crate::isolate::batches::{Receiver, Sender};
use crate::isolate::message::{
    Call, CommitOutcome, Described, Description, Failure, Named, Reply, Request,
};
use crate::plugin::{Component, ComponentKind as Kind};

enum Open {
    Nothing,
    Driver(OpenDriver),
    Exporter(OpenExporter),
    Transform(OpenTransform),
}

/// The object, and the library it is of.
pub(super) struct Object {
    wire: Arc<Wire>,
    cancel: Cancel,
    calls: Calls,
    /// What was handed over, until it is loaded.
    library: Option<File>,
    components: Vec<Arc<Component>>,
    open: Open,
}

type Returned = Result<(Value, Vec<u8>), Error>;

fn value<T: Serialize>(answer: &T) -> Returned {
    let value = serde_json::to_value(answer);
    let value = value.map_err(|_| Error::new(Status::Internal, "an answer that is no JSON"))?;
    Ok((value, Vec::new()))
}

const DONE: Returned = Ok((Value::Null, Vec::new()));

impl Object {
    /// Nothing is loaded yet.
    pub(super) fn new(wire: Arc<Wire>, cancel: Cancel, calls: Calls, library: File) -> Self {
        Self {
            wire,
            cancel,
            calls,
            library: Some(library),
            components: Vec::new(),
            open: Open::Nothing,
        }
    }

    /// Runs calls until there are no more.
    pub(super) fn serve(mut self) {
        while let Ok((call, body)) = self.calls.recv() {
            let wire = self.wire.clone();
            let returned = guard(|| match call {
                Call::Read(query) => self.read(query.as_ref()).map(|()| None),
                Call::Apply { row_limit } => self.apply(body, row_limit).map(|()| None),
                call => self.call(call, body).map(Some),
            });
            match returned {
                Ok(Some(returned)) => wire.returned(Ok(returned)),
                // The stream has answered for itself.
                Ok(None) => {}
                Err(error) => wire.returned(Err(error)),
            }
        }
    }

    fn call(&mut self, call: Call, body: Vec<u8>) -> Returned {
        match call {
            Call::Load { library, rights } => {
                let description = self.load(&library)?;
                confine::after_loading(&rights);
                value(&description)
            }
            Call::Open(named) => self.open(&named),
            Call::Close => {
                self.open = Open::Nothing;
                DONE
            }
            Call::Info => value(&self.driver()?.info()?),
            Call::ReadReport => value(&self.driver()?.read_report()?),
            Call::Clock => {
                let clock = self.driver()?.clock()?;
                value(&(clock.local.and_utc().timestamp(), clock.resolution_s))
            }
            Call::SetClock(seconds) => {
                let local = DateTime::from_timestamp(seconds, 0).ok_or_else(out_of_turn)?;
                self.driver()?.set_clock(local.naive_utc())?;
                DONE
            }
            Call::Erase(serial) => {
                self.driver()?.erase(&serial)?;
                DONE
            }
            Call::Scrub(named) => {
                let (component, op) = (self.find(&named)?, self.borrow());
                let transcript = String::from_utf8(body).map_err(|_| out_of_turn())?;
                let disguise = serde_json::from_value(named.config);
                let disguise = disguise.map_err(|_| out_of_turn())?;
                let scrubbed = scrub_transcript(&component, &op, &transcript, &disguise)?;
                Ok((Value::Null, scrubbed.into_bytes()))
            }
            Call::Write => {
                let readings = self.input(body)?;
                self.exporter()?.write(readings)?;
                DONE
            }
            Call::Commit => {
                let committed = self.exporter()?.commit()?;
                let report: CommitOutcome = match committed.report {
                    Ok(report) => Ok(value(&report)?.0),
                    Err(error) => Err(Failure::from(error)),
                };
                value(&report)
            }
            Call::Check(named) => {
                let (component, op) = (self.find(&named)?, self.borrow());
                value(&check_exporter(&component, &op, &named.config)?)
            }
            Call::Wants(named) => value(&exporter_wants(&*self.find(&named)?, &named.config)?),
            Call::Preview(named) => {
                let (component, op) = (self.find(&named)?, self.borrow());
                let readings = self.input(body)?;
                value(&preview_export(&component, &op, &named.config, readings)?)
            }
            Call::Read(_) | Call::Apply { .. } | Call::Next => Err(out_of_turn()),
            // The call that opened the stream has failed.
            Call::Release => DONE,
        }
    }

    fn load(&mut self, library: &Path) -> Result<Description, Error> {
        let file = self.library.take().ok_or_else(out_of_turn)?;
        self.components = super::load(library, file)?;
        let first = self.components.first().ok_or_else(out_of_turn)?;
        let described = |component: &Arc<Component>| Described {
            kind: component.kind,
            id: component.id.clone(),
            about: component.about.clone(),
            has: component.optional_functions(),
        };
        Ok(Description {
            name: first.library.name.clone(),
            version: first.library.version.clone(),
            abi_minor: first.library.abi_minor,
            components: self.components.iter().map(described).collect(),
        })
    }

    fn borrow(&self) -> Arc<dyn Lent> {
        Arc::new(Borrowed::new(self.wire.clone(), self.cancel.clone()))
    }

    fn find(&self, named: &Named) -> Result<Arc<Component>, Error> {
        let mut all = self.components.iter();
        let found = all.find(|one| one.kind == named.kind && one.id == named.id);
        found
            .cloned()
            .ok_or_else(|| Error::new(Status::Internal, "the library has changed meanwhile"))
    }

    fn open(&mut self, named: &Named) -> Returned {
        let (component, op, config) = (self.find(named)?, self.borrow(), &named.config);
        self.open = match named.kind {
            Kind::Driver => Open::Driver(OpenDriver::open(component, op, config)?),
            Kind::Exporter => Open::Exporter(OpenExporter::open(component, op, config)?),
            Kind::Transform => Open::Transform(OpenTransform::open(component, op, config)?),
        };
        DONE
    }

    fn driver(&mut self) -> Result<&mut OpenDriver, Error> {
        match &mut self.open {
            Open::Driver(driver) => Ok(driver),
            _ => Err(out_of_turn()),
        }
    }

    fn exporter(&mut self) -> Result<&mut OpenExporter, Error> {
        match &mut self.open {
            Open::Exporter(exporter) => Ok(exporter),
            _ => Err(out_of_turn()),
        }
    }

    /// The readings of the host, of which the body is the head.
    fn input(&self, head: Vec<u8>) -> Result<Box<dyn Batches>, Error> {
        Ok(Box::new(Input {
            wire: self.wire.clone(),
            receiver: Receiver::new(head)?,
        }))
    }

    fn read(&mut self, query: Option<&Query>) -> Result<(), Error> {
        let (wire, calls) = (self.wire.clone(), &self.calls);
        let Open::Driver(driver) = &mut self.open else {
            return Err(out_of_turn());
        };
        hand_out(Box::new(driver.read(query)?), &wire, calls)
    }

    fn apply(&mut self, head: Vec<u8>, row_limit: usize) -> Result<(), Error> {
        let readings = self.input(head)?;
        let Open::Transform(transform) = &mut self.open else {
            return Err(out_of_turn());
        };
        let (schema, batches) = transform.apply(readings, row_limit)?;
        let given = Given {
            schema,
            batches: batches.into_iter(),
        };
        hand_out(Box::new(given), &self.wire, &self.calls)
    }
}

fn out_of_turn() -> Error {
    Error::new(Status::Internal, "a call that cannot be now")
}

/// Hands a stream out batch by batch, until it is released.
fn hand_out(batches: Box<dyn Batches + '_>, wire: &Wire, calls: &Calls) -> Result<(), Error> {
    let (mut sender, head) = Sender::new(batches)?;
    wire.returned(Ok((Value::Null, head)));
    while let Ok((call, _)) = calls.recv() {
        match call {
            Call::Next => {
                let next = guard(|| sender.next());
                wire.returned(next.map(|frame| match frame {
                    Some(frame) => (json!(true), frame),
                    None => (json!(false), Vec::new()),
                }));
            }
            Call::Release => {
                drop(sender);
                wire.returned(DONE);
                return Ok(());
            }
            _ => wire.returned(Err(out_of_turn())),
        }
    }
    Ok(())
}

/// Batches that are there.
struct Given {
    schema: SchemaRef,
    batches: std::vec::IntoIter<RecordBatch>,
}

impl Batches for Given {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, Error> {
        Ok(self.batches.next())
    }
}

/// Readings that the host hands over.
struct Input {
    wire: Arc<Wire>,
    receiver: Receiver,
}

impl Batches for Input {
    fn schema(&self) -> SchemaRef {
        self.receiver.schema()
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, Error> {
        match self.wire.ask(Request::NextInput, &[])? {
            (Reply::Done, frame) => self.receiver.batch(frame).map(Some),
            _ => Ok(None),
        }
    }
}
