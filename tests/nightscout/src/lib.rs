//! A Nightscout site for tests, on a port of this computer.
//!
//! It behaves as a running 15.0.7 was measured to, and as 15.0.6 where they differ, the ugly parts
//! included: see the table in `store.rs` and `api.rs`. It is written from those measurements alone.

mod api;
mod login;
mod server;
mod store;
mod tls;

use std::collections::HashSet;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};
use tokio::sync::oneshot;

pub use store::Document;
use store::Store;
pub use tls::Certificate;

/// Longest time that anything may take before a test fails.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a site is like; a test may change it at any time.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `15.0.7`, or `15.0.6`, which is older in some ways.
    pub version: &'static str,
    /// `mg/dl` or `mmol`.
    pub units: &'static str,
    /// Whether treatments are taken.
    pub careportal: bool,
    /// Whether API 1 takes anything.
    pub api_enabled: bool,
    /// What everybody may do without a login: `readable` or `denied`.
    pub default_role: &'static str,
    /// Access tokens and their rights.
    pub tokens: Vec<(String, Vec<&'static str>)>,
    /// The site's clock minus that of the tests, milliseconds.
    pub clock_ahead_ms: i64,
    /// How much longer each failed login makes the next request.
    pub login_delay: Duration,
    /// Life of a ticket for API 3, seconds.
    pub ticket_secs: u64,
    /// Requests that a ticket is good for.
    pub ticket_uses: usize,
    /// Longest body in bytes; API 3 answers 500 instead of 413.
    pub body_limit: usize,
    /// Whether documents are given whatever their time.
    pub ignores_range: bool,
    /// Whether the database is gone: the status still says that all is well.
    pub dead_database: bool,
    /// Whether the database takes no writes any more, and can be read.
    pub read_only: bool,
    /// Documents that the database takes until it dies; it can be read afterwards.
    pub writes_left: usize,
    /// `identifier`s of documents that the database does not take.
    pub poison: HashSet<String>,
    /// `identifier`s of documents that are refused with 400.
    pub refused: HashSet<String>,
}

/// The secret of a site.
pub const API_SECRET: &str = "a secret of the site";
/// A token that may do what an uploader has to, and delete.
pub const TOKEN: &str = "glucopipe-0123456789abcdef";
/// What it may do.
pub const RIGHTS: [&str; 9] = [
    "api:status:read",
    "api:entries:create",
    "api:entries:read",
    "api:entries:update",
    "api:entries:delete",
    "api:treatments:create",
    "api:treatments:read",
    "api:treatments:update",
    "api:treatments:delete",
];
/// The clock of a site: 2026-06-01 12:00 UTC, as that of the SDK's test host.
pub const NOW_MS: i64 = 1_780_315_200_000;

impl Default for Settings {
    fn default() -> Self {
        Self {
            version: "15.0.7",
            units: "mg/dl",
            careportal: true,
            api_enabled: true,
            default_role: "denied",
            tokens: vec![(TOKEN.to_owned(), RIGHTS.to_vec())],
            clock_ahead_ms: 0,
            login_delay: Duration::ZERO,
            ticket_secs: 8 * 3600,
            ticket_uses: usize::MAX,
            body_limit: 50 << 20,
            ignores_range: false,
            dead_database: false,
            read_only: false,
            writes_left: usize::MAX,
            poison: HashSet::new(),
            refused: HashSet::new(),
        }
    }
}

/// What happens to the next request that sends documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection breaks before anything is stored.
    DropBefore,
    /// Everything is stored, then the connection breaks.
    DropAfter,
    /// Everything is stored, and no answer comes.
    HangAfter,
    /// Nothing is stored, and no answer comes.
    Hang,
    /// An answer with this status and a page, as proxies give it; nothing is stored.
    Status(u16),
    /// The same, with `Retry-After` in seconds.
    Later(u16, u64),
    /// 200 and an echo of nothing; nothing is stored.
    EmptyEcho,
    /// Half is stored and echoed.
    HalfEcho,
    /// A redirect.
    Redirect(u16, String),
    /// No fault: the request before the next fault.
    None,
}

/// A request as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `GET`.
    pub method: String,
    /// `/api/v1/entries.json`.
    pub path: String,
    /// What follows `?`.
    pub query: String,
    /// The header `api-secret` or `authorization`.
    pub login: String,
    /// Documents sent.
    pub documents: usize,
    /// Bytes of the body.
    pub bytes: usize,
}

#[derive(Debug, Default)]
struct State {
    settings: Settings,
    store: Store,
    /// What happens to the next requests of a method.
    faults: Vec<(&'static str, Fault)>,
    /// Answered to every request whatever it is, instead of the site.
    instead: Option<Fault>,
    requests: Vec<Request>,
    failed_logins: u32,
    /// Failed logins that the next request still has to wait for.
    delays: u32,
    tickets: Vec<Ticket>,
    in_flight: usize,
    most_in_flight: usize,
    /// Why the process died, if it did: it takes no connection then.
    crashed: Option<String>,
}

#[derive(Debug)]
struct Ticket {
    text: String,
    token: String,
    uses: usize,
}

/// State that the server and the test share, with a bell for changes.
#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A site that runs until it is dropped.
#[derive(Debug)]
pub struct Site {
    shared: Arc<Shared>,
    port: u16,
    certificate: Option<Certificate>,
    stop: Option<oneshot::Sender<()>>,
}

impl Default for Site {
    fn default() -> Self {
        Self::start()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // The server may be gone already.
            let _ = stop.send(());
        }
    }
}

impl Site {
    /// Starts a site.
    ///
    /// # Panics
    /// When this computer has no port for it.
    pub fn start() -> Self {
        Self::start_with(None)
    }

    /// Starts a site that speaks TLS.
    ///
    /// # Panics
    /// When this computer has no port for it.
    pub fn start_secure(certificate: Certificate) -> Self {
        Self::start_with(Some(certificate))
    }

    fn start_with(certificate: Option<Certificate>) -> Self {
        let shared = Arc::new(Shared::default());
        let (stop, stopped) = oneshot::channel();
        let (sender, port) = std::sync::mpsc::channel();
        let serving = shared.clone();
        let tls = certificate.as_ref().map(Certificate::acceptor);
        thread::spawn(move || server::serve(serving, tls, &sender, stopped));
        Self {
            shared,
            port: port
                .recv_timeout(PATIENCE)
                .expect("a port of this computer"),
            certificate,
            stop: Some(stop),
        }
    }

    /// Its address.
    pub fn url(&self) -> String {
        let scheme = match self.certificate {
            Some(_) => "https",
            None => "http",
        };
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    /// What a computer that trusts the site has in its file of certificates.
    ///
    /// # Panics
    /// When the site speaks no TLS.
    pub fn pem(&self) -> &str {
        &self.certificate.as_ref().expect("a certificate").pem
    }

    /// Its host, as messages name it.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Changes the site.
    pub fn change(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.shared.lock().settings);
    }

    /// Plans what happens to the next requests that send documents, in this order.
    pub fn plan(&self, faults: &[Fault]) {
        self.plan_for("POST", faults);
    }

    /// The same for the next requests of a method.
    pub fn plan_for(&self, method: &'static str, faults: &[Fault]) {
        let faults = faults.iter().map(|fault| (method, fault.clone()));
        self.shared.lock().faults.extend(faults);
    }

    /// Answers every request with a fault, whatever is asked; `None` ends it.
    pub fn instead(&self, fault: Option<Fault>) {
        self.shared.lock().instead = fault;
    }

    /// Forgets all faults that were planned.
    pub fn clear(&self) {
        let mut shared = self.shared.lock();
        shared.faults.clear();
        shared.instead = None;
    }

    /// Stores documents as another program would, by API 1.
    ///
    /// # Panics
    /// When the site does not take them.
    pub fn store_entries(&self, documents: &[Value]) {
        let mut state = self.shared.lock();
        let state = &mut *state;
        for document in documents {
            let document = document.as_object().expect("an object").clone();
            state.store.entry(&state.settings, document);
        }
    }

    /// Marks entries as deleted, as a user of API 3 does.
    pub fn soft_delete(&self, identifier: &str) {
        self.shared.lock().store.entries.change(|entries| {
            let is_it = |entry: &&mut Document| entry.get("identifier") == Some(&identifier.into());
            for entry in entries.iter_mut().filter(is_it) {
                entry.insert("isValid".to_owned(), false.into());
            }
        });
    }

    /// The entries, by instant.
    ///
    /// # Panics
    /// When the site crashed.
    pub fn entries(&self) -> Vec<Map<String, Value>> {
        self.documents(|store| store.entries.all(), "date")
    }

    /// The treatments, by instant.
    ///
    /// # Panics
    /// When the site crashed.
    pub fn treatments(&self) -> Vec<Map<String, Value>> {
        self.documents(|store| store.treatments.all(), "created_at")
    }

    fn documents(
        &self,
        of: impl FnOnce(&Store) -> &[Document],
        time: &str,
    ) -> Vec<Map<String, Value>> {
        let state = self.shared.lock();
        assert_eq!(state.crashed, None, "the site is dead");
        let mut documents = of(&state.store).to_vec();
        documents.sort_by_key(|document| {
            let time = document.get(time);
            (time.and_then(Value::as_i64), time.map(Value::to_string))
        });
        documents
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.lock().requests.clone()
    }

    /// The requests so far that sent documents.
    pub fn posts(&self) -> Vec<Request> {
        let requests = self.requests();
        requests
            .into_iter()
            .filter(|request| request.method == "POST")
            .collect()
    }

    /// Logins that were refused.
    pub fn failed_logins(&self) -> u32 {
        self.shared.lock().failed_logins
    }

    /// The most requests that were under way at the same time.
    pub fn most_in_flight(&self) -> usize {
        self.shared.lock().most_in_flight
    }

    /// Waits until something is so.
    ///
    /// # Panics
    /// When it does not come.
    pub fn wait_for(&self, mut is_so: impl FnMut(&[Request]) -> bool) {
        let until = Instant::now() + PATIENCE;
        let mut state = self.shared.lock();
        while !is_so(&state.requests) {
            let left = until.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "what was waited for did not come");
            let waited = self.shared.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}
