//! One request, one answer: limits, redirects, cancellation.
//!
//! A request runs on a runtime of its own thread, which looks after the operation every few milliseconds;
//! when that was cancelled the request is dropped, and its connection with it.

use std::io;
use std::pin::pin;
use std::time::Duration;

use glucopipe_sdk::Op;
use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Response, Url};
use tokio::runtime::{Builder, Runtime};

use crate::answer::Reply;
use crate::config::Settings;
use crate::site::Site;
use crate::trouble::{Kind, Trouble};

/// How often the operation is asked whether to go on.
const POLL: Duration = Duration::from_millis(50);
/// Longest answer that is read.
const ANSWER_LIMIT: usize = 32 << 20;
/// Redirects followed for one request.
const REDIRECTS: usize = 3;
/// Longest wait that a site may ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) method: Method,
    pub(crate) address: Url,
    pub(crate) login: Option<(HeaderName, HeaderValue)>,
    pub(crate) body: Option<Vec<u8>>,
}

/// Talks to one site, one request at a time.
pub(crate) struct Http {
    /// There until the end.
    runtime: Option<Runtime>,
    client: Client,
    site: Site,
    connect_timeout: Duration,
    request_timeout: Duration,
}

impl Drop for Http {
    fn drop(&mut self) {
        // A look-up of a name cannot be cancelled, so its thread is not waited for.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Http {
    /// Makes ready to talk; asks nothing yet.
    pub(crate) fn new(settings: &Settings) -> Result<Self, Trouble> {
        let failed =
            |what: &str| Trouble::new(Kind::Tls, format!("cannot make connections: {what}"));
        // Set once for this library; a second time is no failure.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| failed(&error.to_string()))?;
        let mut client = Client::builder()
            .redirect(Policy::none())
            .connect_timeout(settings.connect_timeout)
            .timeout(settings.request_timeout)
            .user_agent(concat!("glucopipe/", env!("CARGO_PKG_VERSION")));
        if settings.site.is_loopback() {
            client = client.no_proxy();
        }
        if !settings.site.has_tls() {
            // Without TLS the certificates of the system need not be there, nor be read.
            client = client.tls_certs_only([]);
        }
        let client = client.build().map_err(|error| failed(&innermost(&error)))?;
        Ok(Self {
            runtime: Some(runtime),
            client,
            site: settings.site.clone(),
            connect_timeout: settings.connect_timeout,
            request_timeout: settings.request_timeout,
        })
    }

    /// Sends a request and reads the whole answer.
    pub(crate) fn send(&self, op: &Op, mut ask: Ask) -> Result<Reply, Trouble> {
        for _ in 0..=REDIRECTS {
            let (reply, location) = self.exchange(op, &ask)?;
            let Some(location) = location else {
                return Ok(reply);
            };
            // 307 and 308 keep method and body; of the others only a question may be asked again.
            let keeps = matches!(reply.status, 307 | 308) || ask.method == Method::GET;
            ask.address = match self.site.redirected(&ask.address, &location) {
                Ok(address) if keeps => address,
                Ok(address) => {
                    return Err(self.leads(&format!("to `{}`", origin(&address)), reply.status));
                }
                Err(elsewhere) => return Err(self.leads(&elsewhere, reply.status)),
            };
        }
        Err(self.leads("in a circle", 0))
    }

    fn leads(&self, where_to: &str, http: u16) -> Trouble {
        let site = self.site.label();
        let text = format!(
            "{site} leads {where_to}; nothing was sent there: set `url` to the address that answers"
        );
        Trouble::new(Kind::Address, text).http(http)
    }

    fn exchange(&self, op: &Op, ask: &Ask) -> Result<(Reply, Option<String>), Trouble> {
        let mut request = self.client.request(ask.method.clone(), ask.address.clone());
        if let Some((name, value)) = &ask.login {
            request = request.header(name, value);
        }
        if let Some(body) = &ask.body {
            request = request
                .header(CONTENT_TYPE, "application/json")
                .body(body.clone());
        }
        let site = self.site.label();
        let exchange = async move {
            let response = request.send().await?;
            let head = head(&response);
            Ok(read(response)
                .await?
                .map(|body| (Reply { body, ..head.0 }, head.1)))
        };
        match self.run(op, exchange)? {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => {
                let text = format!(
                    "{site} gave an answer longer than {} MiB",
                    ANSWER_LIMIT >> 20
                );
                Err(Trouble::new(Kind::Protocol, text))
            }
            Err(error) => Err(self.lost(&error)),
        }
    }

    /// Waits.
    pub(crate) fn wait(&self, op: &Op, time: Duration) -> Result<(), Trouble> {
        self.run(op, async move {
            tokio::time::sleep(time.min(LONGEST_WAIT)).await;
        })
    }

    /// Runs something to its end, or until the operation is cancelled.
    fn run<T>(&self, op: &Op, work: impl Future<Output = T>) -> Result<T, Trouble> {
        op.check()?;
        let Some(runtime) = &self.runtime else {
            return Err(Trouble::new(Kind::Tls, "the connection was closed"));
        };
        runtime.block_on(async {
            let mut work = pin!(work);
            loop {
                match tokio::time::timeout(POLL, work.as_mut()).await {
                    Ok(done) => return Ok(done),
                    Err(_) => op.check()?,
                }
            }
        })
    }

    /// Why there is no answer.
    fn lost(&self, error: &reqwest::Error) -> Trouble {
        let site = self.site.label();
        if error.is_timeout() {
            let limit = if error.is_connect() {
                self.connect_timeout
            } else {
                self.request_timeout
            };
            let text = format!("{site} gave no answer within {} s", limit.as_secs());
            return Trouble::new(Kind::Timeout, text);
        }
        let passing = |text: String| Trouble::new(Kind::Passing { after: None }, text);
        for cause in causes(error) {
            if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
                return Trouble::new(Kind::Tls, tls_words(site, tls));
            }
            if let Some(io) = cause.downcast_ref::<io::Error>()
                && io.kind() == io::ErrorKind::ConnectionRefused
            {
                return passing(format!("nothing listens at {site}"));
            }
        }
        let is_look_up = causes(error).any(|cause| cause.to_string().starts_with("dns error"));
        match error.is_connect() {
            true if is_look_up => passing(format!("the host of {site} cannot be found")),
            true => passing(format!("no connection to {site}: {}", innermost(error))),
            false => passing(format!("the connection to {site} broke")),
        }
    }
}

/// What a TLS library found wrong, in words.
fn tls_words(site: &str, error: &rustls::Error) -> String {
    use rustls::{CertificateError as Bad, Error as Tls};
    match error {
        Tls::InvalidCertificate(bad) => {
            let why = match bad {
                Bad::Expired | Bad::ExpiredContext { .. } => "it has expired",
                Bad::NotValidYet | Bad::NotValidYetContext { .. } => {
                    "it is not valid yet; is the clock of this computer right?"
                }
                Bad::NotValidForName | Bad::NotValidForNameContext { .. } => {
                    "it is for another host"
                }
                Bad::UnknownIssuer => "this computer does not know who issued it",
                Bad::Revoked => "it was revoked",
                _ => "it cannot be verified",
            };
            format!("the certificate of {site} is not trusted: {why}")
        }
        Tls::InvalidMessage(_) => {
            format!("{site} does not speak TLS: is the port right, or is it `http://`?")
        }
        _ => format!("no TLS connection to {site}"),
    }
}

/// An error and what lies behind it.
fn causes<'a>(
    error: &'a (dyn std::error::Error + 'static),
) -> impl Iterator<Item = &'a (dyn std::error::Error + 'static)> {
    std::iter::successors(Some(error), |error| {
        // An I/O error shows the cause of what it wraps, not what it wraps.
        match error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
        {
            Some(inner) => Some(inner as &(dyn std::error::Error + 'static)),
            None => error.source(),
        }
    })
}

/// The last cause, which names no address.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    causes(error)
        .last()
        .map(ToString::to_string)
        .unwrap_or_default()
}

fn origin(address: &Url) -> String {
    address.origin().ascii_serialization()
}

/// Everything but the body.
fn head(response: &Response) -> (Reply, Option<String>) {
    let text = |name| response.headers().get(name)?.to_str().ok();
    let seconds = text(RETRY_AFTER).and_then(|text| text.trim().parse().ok());
    let reply = Reply {
        status: response.status().as_u16(),
        body: Vec::new(),
        retry_after: seconds.map(Duration::from_secs),
    };
    let location = response
        .status()
        .is_redirection()
        .then(|| text(LOCATION).unwrap_or_default().to_owned());
    (reply, location)
}

/// The body; `None` when it is too long.
async fn read(mut response: Response) -> reqwest::Result<Option<Vec<u8>>> {
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await? {
        if body.len() + piece.len() > ANSWER_LIMIT {
            return Ok(None);
        }
        body.extend_from_slice(&piece);
    }
    Ok(Some(body))
}
