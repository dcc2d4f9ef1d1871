//! HTTP: connections, faults on the way, and what came in.

use std::convert::Infallible;
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, LOCATION, RETRY_AFTER};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request as HttpRequest, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use super::api::{Answer, Call};
use super::login::Shown;
use super::{Fault, Request, Shared};

/// The connection breaks.
type Broken = io::Error;
type Sent = Result<Response<Full<Bytes>>, Broken>;

fn broken() -> Broken {
    io::Error::from(io::ErrorKind::ConnectionReset)
}

/// Serves until it is told to stop.
pub(super) fn serve(
    shared: Arc<Shared>,
    tls: Option<TlsAcceptor>,
    port: &Sender<u16>,
    stopped: oneshot::Receiver<()>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime");
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a port");
        let own = listener.local_addr().expect("a bound port").port();
        // The test that asked may be gone.
        let _ = port.send(own);
        let accept = async {
            loop {
                let (stream, _) = listener.accept().await?;
                let (shared, tls) = (shared.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => connection(shared, stream).await,
                        // Who does not trust the site leaves here.
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                connection(shared, stream).await;
                            }
                        }
                    }
                });
            }
        };
        tokio::select! {
            _ = stopped => {}
            _ = async { let ended: io::Result<Infallible> = accept.await; ended } => {}
        }
    });
}

async fn connection<S: AsyncRead + AsyncWrite + Unpin>(shared: Arc<Shared>, stream: S) {
    let service = service_fn(move |request| handle(shared.clone(), request));
    let serving = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // Broken connections are what many tests are about.
    let _ = serving.await;
}

/// One request under way.
struct InFlight(Arc<Shared>);

impl InFlight {
    fn new(shared: &Arc<Shared>) -> Self {
        let mut state = shared.lock();
        state.in_flight += 1;
        state.most_in_flight = state.most_in_flight.max(state.in_flight);
        Self(shared.clone())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.lock().in_flight -= 1;
        self.0.changed.notify_all();
    }
}

async fn handle(shared: Arc<Shared>, request: HttpRequest<Incoming>) -> Sent {
    let call = read(request).await.map_err(|_| broken())?;
    let _in_flight = InFlight::new(&shared);
    let delay = {
        let mut state = shared.lock();
        let shown = &call.shown;
        let login = shown.api_secret.clone().or_else(|| shown.bearer.clone());
        let query: Vec<String> = call
            .query
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        state.requests.push(Request {
            method: call.method.clone(),
            path: call.path.clone(),
            query: query.join("&"),
            login: login.unwrap_or_default(),
            documents: call.documents(),
            bytes: call.body.len(),
        });
        state.delay()
    };
    shared.changed.notify_all();
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
    }
    let (fault, answer) = {
        let mut state = shared.lock();
        if state.crashed.is_some() {
            return Err(broken());
        }
        let planned = state
            .faults
            .iter()
            .position(|(method, _)| *method == call.method);
        let fault = match (&state.instead, planned) {
            (Some(fault), _) => fault.clone(),
            (None, Some(at)) => state.faults.remove(at).1,
            (None, None) => Fault::None,
        };
        let looked_at = match fault {
            Fault::None | Fault::DropAfter | Fault::HangAfter => Some(usize::MAX),
            Fault::HalfEcho => Some(call.documents() / 2),
            _ => None,
        };
        (fault, looked_at.map(|limit| state.answer(&call, limit)))
    };
    shared.changed.notify_all();
    match (fault, answer) {
        (Fault::None | Fault::HalfEcho, Some(Answer::Json(status, body))) => {
            Ok(json_response(status, &body))
        }
        (Fault::None | Fault::HalfEcho, Some(Answer::Page(status))) => Ok(page(status, &[])),
        (Fault::None | Fault::HalfEcho, Some(Answer::Silence))
        | (Fault::Hang | Fault::HangAfter, _) => std::future::pending().await,
        (Fault::Status(status), _) => Ok(page(status, &[])),
        (Fault::Later(status, seconds), _) => {
            Ok(page(status, &[(RETRY_AFTER, seconds.to_string())]))
        }
        (Fault::Redirect(status, target), _) => Ok(page(status, &[(LOCATION, target)])),
        (Fault::EmptyEcho, _) => Ok(json_response(200, &json!([]))),
        _ => Err(broken()),
    }
}

async fn read(request: HttpRequest<Incoming>) -> Result<Call, hyper::Error> {
    let header = |name: &str| {
        let value = request.headers().get(name)?.to_str().ok()?;
        Some(value.to_owned())
    };
    let query = request.uri().query().unwrap_or_default();
    let mut call = Call {
        method: request.method().to_string(),
        path: request.uri().path().to_owned(),
        query: form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect(),
        content_type: header(CONTENT_TYPE.as_str()).unwrap_or_default(),
        shown: Shown {
            api_secret: header("api-secret"),
            bearer: header(AUTHORIZATION.as_str())
                .and_then(|value| Some(value.strip_prefix("Bearer ")?.to_owned())),
        },
        body: Vec::new(),
    };
    call.body = request.into_body().collect().await?.to_bytes().to_vec();
    Ok(call)
}

fn response(
    status: u16,
    kind: &str,
    body: String,
    headers: &[(HeaderName, String)],
) -> Response<Full<Bytes>> {
    let mut builder = Response::builder()
        .status(status)
        .header(CONTENT_TYPE, kind);
    for (name, value) in headers {
        builder = builder.header(name, value);
    }
    builder
        .body(Full::new(Bytes::from(body)))
        .expect("a response")
}

fn json_response(status: u16, body: &Value) -> Response<Full<Bytes>> {
    response(status, "application/json", body.to_string(), &[])
}

fn page(status: u16, headers: &[(HeaderName, String)]) -> Response<Full<Bytes>> {
    let body = format!("<html><body>{status}</body></html>");
    response(status, "text/html", body, headers)
}
