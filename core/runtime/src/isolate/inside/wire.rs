//! The child's end of the frames: every thread may speak, and waits for its own answer.

use std::collections::HashMap;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, PoisonError};

use glucopipe_sdk::{Error, Status};
use serde_json::Value;

use crate::isolate::frame;
use crate::isolate::message::{Failure, Remark, Reply, Request, Word};

type Answer = (Result<Reply, Failure>, Vec<u8>);

/// The way to the host.
pub(super) struct Wire {
    out: Mutex<UnixStream>,
    waiting: Mutex<HashMap<u64, Sender<Answer>>>,
    last: AtomicU64,
}

impl Wire {
    /// Speaks over this.
    pub(super) fn new(out: UnixStream) -> Self {
        Self {
            out: Mutex::new(out),
            waiting: Mutex::default(),
            last: AtomicU64::new(0),
        }
    }

    fn send(&self, word: &Word, body: &[u8]) -> Result<(), Error> {
        let frame = frame::pack(word, body)?;
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        out.write_all(&frame)
            .map_err(|_| Error::new(Status::Io, "the host is gone"))
    }

    /// Says how a call ended.
    pub(super) fn returned(&self, outcome: Result<(Value, Vec<u8>), Error>) {
        let (outcome, body) = match outcome {
            Ok((value, body)) => (Ok(value), body),
            Err(error) => (Err(Failure::from(error)), Vec::new()),
        };
        let Err(error) = self.send(&Word::Returned(outcome), &body) else {
            return;
        };
        // Too much for a frame, or the host is gone.
        if self.send(&Word::Returned(Err(error.into())), &[]).is_err() {
            super::leave();
        }
    }

    /// Says something that has no answer.
    pub(super) fn say(&self, remark: Remark) {
        // Without a host nobody listens.
        let _ = self.send(&Word::Says(remark), &[]);
    }

    /// Asks the host.
    ///
    /// # Errors
    /// As the host says.
    pub(super) fn ask(&self, request: Request, body: &[u8]) -> Result<(Reply, Vec<u8>), Error> {
        let number = self.last.fetch_add(1, Ordering::SeqCst);
        let (sender, answer) = channel();
        self.waiting().insert(number, sender);
        if let Err(error) = self.send(&Word::Asks(number, request), body) {
            self.waiting().remove(&number);
            return Err(error);
        }
        let gone = |_| Error::new(Status::Io, "the host is gone");
        let (reply, body) = answer.recv().map_err(gone)?;
        Ok((reply.map_err(Error::from)?, body))
    }

    /// Hands an answer to whoever waits for it.
    pub(super) fn answered(&self, number: u64, reply: Result<Reply, Failure>, body: Vec<u8>) {
        if let Some(sender) = self.waiting().remove(&number) {
            let _ = sender.send((reply, body));
        }
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Sender<Answer>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
