//! What stands in the way of a delivery, and what that means for the next step.

use std::time::Duration;

use glucopipe_sdk::{Error, Status};

/// What stands in the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) kind: Kind,
    /// One line for the user: the host of the site at most; no secret, no reading, no address.
    pub(crate) text: String,
    /// HTTP status, or 0.
    pub(crate) http: u16,
}

/// What kind of trouble it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It may pass.
    Passing {
        /// The site said when to come again.
        after: Option<Duration>,
    },
    /// No answer in time. What was asked may have been done all the same.
    Timeout,
    /// The server failed inside: its database is down, or one document is poison to it.
    ServerError,
    /// The database named the document that it does not take.
    Poison(usize),
    /// The request is larger than the site or a proxy takes.
    TooLarge,
    /// The content of the request was refused.
    BadRequest,
    /// The document may not be changed.
    ReadOnly,
    /// Wrong secret, or a right is missing.
    Access,
    /// There is no such thing at this address.
    NotFound,
    /// The address leads elsewhere.
    Address,
    /// No safe connection.
    Tls,
    /// The answer is none of Nightscout's.
    Protocol,
    /// The host wants to stop.
    Cancelled,
}

impl Trouble {
    pub(crate) fn new(kind: Kind, text: impl Into<String>) -> Self {
        Self {
            kind,
            text: text.into(),
            http: 0,
        }
    }

    pub(crate) fn http(mut self, http: u16) -> Self {
        self.http = http;
        self
    }

    /// Whether the same request may succeed later.
    pub(crate) fn may_pass(&self) -> bool {
        matches!(
            self.kind,
            Kind::Passing { .. } | Kind::Timeout | Kind::ServerError
        )
    }

    /// Whether a part of the request may succeed where the whole did not.
    pub(crate) fn may_be_a_document(&self) -> bool {
        matches!(
            self.kind,
            Kind::ServerError | Kind::TooLarge | Kind::BadRequest
        )
    }
}

impl From<Error> for Trouble {
    /// Of [`glucopipe_sdk::Op::check`].
    fn from(error: Error) -> Self {
        Self::new(Kind::Cancelled, error.message)
    }
}

impl From<Trouble> for Error {
    fn from(trouble: Trouble) -> Self {
        let status = match trouble.kind {
            Kind::Cancelled => return Self::cancelled(),
            Kind::Address => {
                return Self {
                    native: trouble.http.into(),
                    ..Self::config("url", trouble.text)
                };
            }
            Kind::Timeout => Status::Timeout,
            Kind::Access => Status::Access,
            Kind::NotFound => Status::NotFound,
            Kind::Protocol => Status::Protocol,
            _ => Status::Io,
        };
        let error = Self {
            native: trouble.http.into(),
            ..Self::new(status, trouble.text.clone())
        };
        if trouble.may_pass() {
            error.retryable()
        } else {
            error
        }
    }
}
