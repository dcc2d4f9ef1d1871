//! A conversation with a site: logins, rights, the version of the API.

use std::fmt::Write;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use glucopipe_sdk::serde_json::{self, Map, Value};
use glucopipe_sdk::{Level, Op};
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};

use crate::answer::{self, About, Reply, found, json, verdict};
use crate::config::{Api, Login, Mode, Settings};
use crate::document::{Collection, utc_text};
use crate::http::{Ask, Http};
use crate::look::{Look, PAGE};
use crate::permission::{Rights, named, right};
use crate::plan::Found;
use crate::trouble::{Kind, Trouble};

/// Where log lines come from.
pub(crate) const LOG: &str = "nightscout";

/// Longest wait between two tries.
const LONGEST_DELAY: Duration = Duration::from_secs(60);

const API_SECRET: HeaderName = HeaderName::from_static("api-secret");
const STATUS: &str = "api/v1/status.json";

/// The version of the API that is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    V1,
    V3,
}

/// A login of API 3: a token signed by the site that holds for some hours.
struct Ticket {
    header: HeaderValue,
    /// When to get another, on the clock of the operation.
    until_ms: u64,
}

/// A conversation with a site.
pub(crate) struct Session<'a> {
    pub(crate) op: &'a Op,
    pub(crate) settings: &'a Settings,
    http: Http,
    /// The login of API 1: a hash, never the secret or the token itself.
    hash: HeaderValue,
    /// The token, where there is one.
    token: Option<SecretString>,
    ticket: Option<Ticket>,
    rights: Option<Rights>,
    /// What the site says of itself; `None` when the login may not ask.
    pub(crate) about: Option<About>,
    pub(crate) version: Version,
    /// Bytes of requests that carried documents.
    pub(crate) sent_bytes: u64,
    pub(crate) requests: u64,
}

impl<'a> Session<'a> {
    /// Logs in and asks what the site is.
    pub(crate) fn open(op: &'a Op, settings: &'a Settings) -> Result<Self, Trouble> {
        let (secret, token) = match &settings.login {
            Login::Secret(secret) => (secret, None),
            Login::Token(token) => (token, Some(SecretString::from(token.expose()))),
        };
        let hash = sha1_smol::Sha1::from(secret.expose()).digest().to_string();
        let mut session = Self {
            op,
            settings,
            http: Http::new(settings)?,
            hash: sensitive(&hash)?,
            token,
            ticket: None,
            rights: None,
            about: None,
            version: Version::V1,
            sent_bytes: 0,
            requests: 0,
        };
        session.about = session.patiently(Self::ask_about)?;
        session.version = session.choose()?;
        Ok(session)
    }

    /// The host of the site, for people.
    pub(crate) fn site(&self) -> &'a str {
        self.settings.site.label()
    }

    /// The collections of this sink.
    pub(crate) fn collections(&self) -> &'static [Collection] {
        match self.settings.mode {
            Mode::Entries => &[Collection::Entries],
            Mode::Treatments => &[Collection::Treatments],
            Mode::Both => &[Collection::Entries, Collection::Treatments],
        }
    }

    /// The version of the API to speak, and whether the site takes what is meant for it.
    fn choose(&self) -> Result<Version, Trouble> {
        let site = self.site();
        let off = |what: String| Err(Trouble::new(Kind::NotFound, what));
        let about = self.about.as_ref();
        if self.collections().contains(&Collection::Treatments)
            && about.is_some_and(|about| about.careportal == Some(false))
        {
            return off(no_treatments(site));
        }
        let has_v1 = about.is_none_or(|about| about.api != Some(false));
        match (self.settings.api, has_v1) {
            (Api::V3, _) => Ok(Version::V3),
            (Api::Auto | Api::V1, true) => Ok(Version::V1),
            (Api::Auto, false) if self.token.is_some() => Ok(Version::V3),
            (Api::Auto, false) => off(format!(
                "{site} has API 1 switched off, and API 3 takes access tokens alone: expected `token`"
            )),
            (Api::V1, false) => off(format!(
                "{site} has API 1 switched off: set `api = \"auto\"`"
            )),
        }
    }

    fn ask_about(&mut self) -> Result<Option<About>, Trouble> {
        let reply = self.ask(Method::GET, STATUS, &[], None)?;
        if reply.status != 401 || self.token.is_none() {
            self.refused_login(&reply, &[])?;
            return About::of(self.site(), &reply).map(Some);
        }
        // A token that is known may be without the right to ask.
        self.rights()?;
        Ok(None)
    }

    /// Tries again while trouble may pass, with growing waits.
    pub(crate) fn patiently<T>(
        &mut self,
        mut work: impl FnMut(&mut Self) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        let mut patience = self.patience();
        loop {
            match work(self) {
                Err(trouble) => self.endure(&mut patience, trouble)?,
                done => return done,
            }
        }
    }

    /// The waits before further tries.
    pub(crate) fn patience(&self) -> ExponentialBackoff {
        ExponentialBuilder::default()
            .with_min_delay(self.settings.retry_delay)
            .with_max_delay(LONGEST_DELAY)
            .with_max_times(self.settings.retries)
            .with_jitter()
            .build()
    }

    /// Waits for trouble to pass.
    ///
    /// # Errors
    /// The trouble, when it does not pass or patience is at its end.
    pub(crate) fn endure(
        &self,
        patience: &mut ExponentialBackoff,
        trouble: Trouble,
    ) -> Result<(), Trouble> {
        if !trouble.may_pass() {
            return Err(trouble);
        }
        let Some(delay) = patience.next() else {
            return Err(trouble);
        };
        let delay = match trouble.kind {
            Kind::Passing { after: Some(after) } => delay.max(after).min(LONGEST_DELAY),
            _ => delay,
        };
        let line = format!(
            "{}; trying again in {:.1} s",
            trouble.text,
            delay.as_secs_f64()
        );
        self.op.log(Level::Info, LOG, &line);
        self.http.wait(self.op, delay)
    }

    /// One request of API 1.
    fn ask(
        &mut self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        body: Option<Vec<u8>>,
    ) -> Result<Reply, Trouble> {
        let login = Some((API_SECRET, self.hash.clone()));
        self.send(method, path, query, login, body)
    }

    fn send(
        &mut self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        login: Option<(HeaderName, HeaderValue)>,
        body: Option<Vec<u8>>,
    ) -> Result<Reply, Trouble> {
        self.requests += 1;
        self.sent_bytes += body.as_ref().map_or(0, |body| body.len() as u64);
        let ask = Ask {
            method,
            address: self.settings.site.address(path, query),
            login,
            body,
        };
        self.http.send(self.op, ask)
    }

    /// Looks what documents a collection has between two instants.
    pub(crate) fn look(
        &mut self,
        collection: Collection,
        from_ms: i64,
        to_ms: i64,
    ) -> Result<Vec<Found>, Trouble> {
        let (path, kind, time) = match collection {
            Collection::Entries => ("api/v1/entries.json", ("find[type]", "mbg"), "date"),
            Collection::Treatments => {
                let kind = ("find[eventType]", "BG Check");
                ("api/v1/treatments.json", kind, "created_at")
            }
        };
        let written = |ms: i64| match collection {
            Collection::Entries => ms.to_string(),
            Collection::Treatments => utc_text(ms),
        };
        let (from, page) = (written(from_ms), PAGE.to_string());
        let (from_key, to_key) = (format!("find[{time}][$gte]"), format!("find[{time}][$lte]"));
        let mut look = Look::new(from_ms, to_ms);
        loop {
            let to = written(look.to_ms());
            let query = [
                kind,
                (from_key.as_str(), from.as_str()),
                (to_key.as_str(), to.as_str()),
                ("count", page.as_str()),
            ];
            let reply = self.ask(Method::GET, path, &query, None)?;
            self.refused(&reply, collection)?;
            let body = json(self.site(), &reply)?;
            let Some(documents) = body.as_array() else {
                return Err(answer::not_nightscout(self.site(), reply.status));
            };
            let seen = documents.iter().map(|one| found(collection, one)).collect();
            let odd = |what| Trouble::new(Kind::Protocol, format!("{} {what}", self.site()));
            if !look.take(seen).map_err(odd)? {
                return Ok(look.found());
            }
        }
    }

    /// Sends documents by API 1; gives the echo.
    pub(crate) fn post(
        &mut self,
        collection: Collection,
        documents: &[Map<String, Value>],
    ) -> Result<Value, Trouble> {
        let path = match collection {
            Collection::Entries => "api/v1/entries.json",
            Collection::Treatments => "api/v1/treatments.json",
        };
        let body = body(&documents)?;
        let reply = self.ask(Method::POST, path, &[], Some(body))?;
        self.refused(&reply, collection)?;
        json(self.site(), &reply)
    }

    /// Sends one document by API 3.
    pub(crate) fn post_v3(
        &mut self,
        collection: Collection,
        document: &Map<String, Value>,
    ) -> Result<(), Trouble> {
        let path = match collection {
            Collection::Entries => "api/v3/entries",
            Collection::Treatments => "api/v3/treatments",
        };
        let body = body(document)?;
        let mut is_fresh = false;
        loop {
            let ticket = match &self.ticket {
                Some(ticket) if self.op.monotonic_ms() < ticket.until_ms => ticket.header.clone(),
                _ => {
                    is_fresh = true;
                    self.ticket()?
                }
            };
            let login = Some((AUTHORIZATION, ticket));
            let reply = self.send(Method::POST, path, &[], login, Some(body.clone()))?;
            if reply.status == 401 && !is_fresh {
                // The key of a site changes with each installation of it; one new ticket is worth a try.
                self.ticket = None;
                continue;
            }
            self.refused(&reply, collection)?;
            return answer::kept(self.site(), &reply);
        }
    }

    /// Deletes one document.
    pub(crate) fn delete(&mut self, collection: Collection, id: &str) -> Result<(), Trouble> {
        let name = match collection {
            Collection::Entries => "entries",
            Collection::Treatments => "treatments",
        };
        let reply = self.ask(Method::DELETE, &format!("api/v1/{name}/{id}"), &[], None)?;
        self.refused_login(&reply, &[right(collection, "delete")])?;
        verdict(self.site(), &reply)
    }

    /// Whether API 3 is there.
    pub(crate) fn ask_version_v3(&mut self) -> Result<(), Trouble> {
        let reply = self.send(Method::GET, "api/v3/version", &[], None, None)?;
        json(self.site(), &reply).map(drop)
    }

    /// Whether documents may be deleted.
    pub(crate) fn may_delete(&mut self, collection: Collection) -> Result<bool, Trouble> {
        if self.token.is_none() {
            // The secret of a site may do everything.
            return Ok(true);
        }
        Ok(self.rights()?.allow(&right(collection, "delete")))
    }

    /// The rights that a collection needs.
    pub(crate) fn needed(&self, collection: Collection) -> Vec<String> {
        let mut actions = vec!["create", "read"];
        if self.version == Version::V3 {
            actions.push("update");
        }
        actions
            .into_iter()
            .map(|action| right(collection, action))
            .collect()
    }

    /// The rights that this sink needs and the login has not, as far as that can be told.
    pub(crate) fn lacking(&mut self) -> Result<Vec<String>, Trouble> {
        if self.token.is_none() {
            return Ok(Vec::new());
        }
        let needed: Vec<String> = self
            .collections()
            .iter()
            .flat_map(|collection| self.needed(*collection))
            .collect();
        Ok(self.rights()?.lack(&needed))
    }

    /// What the token may do, with what everybody may.
    fn rights(&mut self) -> Result<Rights, Trouble> {
        let rights = match &self.rights {
            Some(rights) => rights.clone(),
            None => Rights::of(self.authorize()?.get("permissionGroups")),
        };
        self.rights = Some(rights.clone());
        let roles = self
            .about
            .as_ref()
            .map(|about| about.default_roles.as_slice());
        Ok(rights.with_roles(roles.unwrap_or_default()))
    }

    /// A new ticket.
    fn ticket(&mut self) -> Result<HeaderValue, Trouble> {
        let asked_ms = self.op.monotonic_ms();
        let answer = self.authorize()?;
        let seconds = |key: &str| answer.get(key).and_then(Value::as_u64);
        let life = seconds("exp").zip(seconds("iat"));
        let life = life.map_or(0, |(exp, iat)| exp.saturating_sub(iat));
        let header = answer.get("token").and_then(Value::as_str);
        let header = header.map(|token| sensitive(&format!("Bearer {token}")));
        let Some(Ok(header)) = header else {
            return Err(answer::not_nightscout(self.site(), 200));
        };
        self.ticket = Some(Ticket {
            header: header.clone(),
            // A tenth less, so that it does not end on the way.
            until_ms: asked_ms.saturating_add(life.saturating_mul(900)),
        });
        Ok(header)
    }

    /// Shows the token; the one request that has it in its address.
    fn authorize(&mut self) -> Result<Value, Trouble> {
        let Some(token) = self.token.clone() else {
            let text = format!("{} needs an access token for this", self.site());
            return Err(Trouble::new(Kind::Access, text));
        };
        let mut path = String::from("api/v2/authorization/request/");
        let _ = write!(path, "{}", token.expose_secret());
        let reply = self.send(Method::GET, &path, &[], None, None)?;
        if reply.status == 401 {
            let text = format!("{} does not know the token (401)", self.site());
            return Err(Trouble::new(Kind::Access, text).http(401));
        }
        json(self.site(), &reply)
    }

    /// Stops where a collection is closed to this login, or to everybody.
    fn refused(&mut self, reply: &Reply, collection: Collection) -> Result<(), Trouble> {
        if reply.status == 404 && collection == Collection::Treatments {
            return Err(Trouble::new(Kind::NotFound, no_treatments(self.site())).http(404));
        }
        self.refused_login(reply, &self.needed(collection))
    }

    /// Stops at a login that was refused: each further try would make the site slower, and warn its owner.
    fn refused_login(&mut self, reply: &Reply, needed: &[String]) -> Result<(), Trouble> {
        if reply.status != 401 {
            return Ok(());
        }
        let site = self.site();
        let text = if self.token.is_none() {
            format!("{site} refused the API secret (401): expected the secret itself, not its hash")
        } else {
            match self.rights()?.lack(needed) {
                lacking if lacking.is_empty() => format!("{site} refused the token (401)"),
                lacking => format!("the token lacks {} at {site} (401)", named(&lacking)),
            }
        };
        Err(Trouble::new(Kind::Access, text).http(401))
    }
}

pub(crate) fn no_treatments(site: &str) -> String {
    format!("{site} takes no treatments: its plugin `careportal` is switched off")
}

fn body<T: glucopipe_sdk::serde::Serialize + ?Sized>(content: &T) -> Result<Vec<u8>, Trouble> {
    serde_json::to_vec(content).map_err(|error| Trouble::new(Kind::Protocol, error.to_string()))
}

/// A header that no log shows.
fn sensitive(text: &str) -> Result<HeaderValue, Trouble> {
    let mut value = HeaderValue::from_str(text).map_err(|_| {
        Trouble::new(
            Kind::Protocol,
            "the login cannot be sent: it is not plain text",
        )
    })?;
    value.set_sensitive(true);
    Ok(value)
}
