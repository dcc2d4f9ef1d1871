//! Understands the answers of a site. No I/O, and nothing of an answer is believed or shown unseen.

use std::time::Duration;

use glucopipe_sdk::chrono::DateTime;
use glucopipe_sdk::serde_json::{self, Value};

use crate::document::Collection;
use crate::plan::Found;
use crate::trouble::{Kind, Trouble};

/// An answer as it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    pub(crate) retry_after: Option<Duration>,
}

impl Reply {
    fn value(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }
}

/// What an answer means; `Ok` for success.
pub(crate) fn verdict(site: &str, reply: &Reply) -> Result<(), Trouble> {
    let status = reply.status;
    let trouble = |kind, text: String| Err(Trouble::new(kind, text).http(status));
    let body = reply.value();
    let said = body.as_ref().and_then(words);
    let with = |what: String| match &said {
        Some(said) => format!("{what} ({status}): {said}"),
        None => format!("{what} ({status})"),
    };
    match status {
        200..=299 => Ok(()),
        400 => trouble(
            Kind::BadRequest,
            with(format!("{site} refused the content")),
        ),
        401 => trouble(Kind::Access, with(format!("{site} refused the login"))),
        403 => trouble(Kind::Access, with(format!("{site} does not permit this"))),
        404 => trouble(
            Kind::NotFound,
            with(format!("{site} has no Nightscout at this address")),
        ),
        413 => trouble(
            Kind::TooLarge,
            with(format!("{site} takes no request of this size")),
        ),
        422 => trouble(
            Kind::ReadOnly,
            with(format!("{site} keeps the document as it is")),
        ),
        500 => match body.as_ref().and_then(poison) {
            Some(index) => trouble(
                Kind::Poison(index),
                with(format!("the database of {site} refused a document")),
            ),
            None => trouble(Kind::ServerError, with(format!("{site} failed inside"))),
        },
        408 | 429 | 502..=599 => trouble(
            Kind::Passing {
                after: reply.retry_after,
            },
            with(format!("{site} is not ready")),
        ),
        _ => trouble(
            Kind::Protocol,
            with(format!(
                "{site} gave an answer that is none of Nightscout's"
            )),
        ),
    }
}

/// The JSON of a successful answer.
pub(crate) fn json(site: &str, reply: &Reply) -> Result<Value, Trouble> {
    verdict(site, reply)?;
    reply
        .value()
        .ok_or_else(|| not_nightscout(site, reply.status))
}

pub(crate) fn not_nightscout(site: &str, status: u16) -> Trouble {
    let text =
        format!("what {site} answers is not Nightscout's: is `url` the address of the site?");
    Trouble::new(Kind::Protocol, text).http(status)
}

/// The document that ended an ordered bulk write; those before it are stored, those behind it are not.
fn poison(body: &Value) -> Option<usize> {
    let index = body
        .get("description")?
        .get("writeErrors")?
        .as_array()?
        .first()?
        .get("index")?
        .as_u64()?;
    usize::try_from(index).ok()
}

/// Words of the server that name a field or a permission. Digits and whatever comes with them may be a
/// reading or a secret, so no such word is shown.
fn words(body: &Value) -> Option<String> {
    const LONGEST: usize = 100;
    let said = body.get("message")?.as_str()?;
    let is_plain = |word: &&str| {
        word.chars()
            .all(|c| c.is_ascii_alphabetic() || matches!(c, ':' | '/' | ',' | '.' | '\''))
    };
    let plain: Vec<&str> = said.split_whitespace().filter(is_plain).collect();
    let mut plain = plain.join(" ");
    plain.truncate(LONGEST);
    (!plain.is_empty()).then_some(plain)
}

/// Whether a site echoed every document that was sent, in the same order: an answer of 200 alone proves
/// nothing.
pub(crate) fn is_echo(collection: Collection, sent_ms: &[i64], echo: &Value) -> bool {
    let Some(echo) = echo.as_array() else {
        return false;
    };
    let same =
        |(sent, echoed): (&i64, &Value)| found(collection, echoed).dates_ms.first() == Some(sent);
    echo.len() == sent_ms.len() && sent_ms.iter().zip(echo).all(same)
}

/// Whether API 3 kept a document. A page with 200 is that of somebody else.
pub(crate) fn kept(site: &str, reply: &Reply) -> Result<(), Trouble> {
    verdict(site, reply)?;
    let is_word = reply.value().is_some_and(|value| value.is_object());
    if is_word || (reply.status == 201 && reply.body.is_empty()) {
        Ok(())
    } else {
        Err(not_nightscout(site, reply.status))
    }
}

/// A document as the site has it.
pub(crate) fn found(collection: Collection, document: &Value) -> Found {
    let text = |key: &str| document.get(key).and_then(Value::as_str);
    let (dates, value) = match collection {
        Collection::Entries => (&["date", "sysTime", "dateString"][..], "mbg"),
        Collection::Treatments => (&["created_at", "date"][..], "glucose"),
    };
    let instant = |key: &&str| instant_ms(document.get(*key)?);
    Found {
        id: text("_id").filter(|id| is_object_id(id)).map(str::to_owned),
        identifier: text("identifier").map(str::to_owned),
        dates_ms: dates.iter().filter_map(instant).collect(),
        value: document.get(value).and_then(Value::as_f64),
        deleted: document.get("isValid").and_then(Value::as_bool) == Some(false),
    }
}

fn instant_ms(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| {
            #[allow(clippy::cast_possible_truncation)] // some uploaders send fractions
            let whole = number.as_f64()? as i64;
            Some(whole)
        }),
        Value::String(text) => Some(DateTime::parse_from_rfc3339(text).ok()?.timestamp_millis()),
        _ => None,
    }
}

/// The database's own name of a document; it becomes a part of an address.
fn is_object_id(text: &str) -> bool {
    text.len() == 24 && text.chars().all(|c| c.is_ascii_hexdigit())
}

/// What a site says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct About {
    pub(crate) version: String,
    pub(crate) shows_mmol: bool,
    pub(crate) server_ms: Option<i64>,
    /// Whether API 1 takes anything.
    pub(crate) api: Option<bool>,
    /// Whether treatments are taken.
    pub(crate) careportal: Option<bool>,
    /// Roles of everybody, without a login.
    pub(crate) default_roles: Vec<String>,
    /// Anything but `loaded` is a site that is just starting, or broken.
    pub(crate) state: Option<String>,
}

impl About {
    /// From the answer to `status.json`.
    pub(crate) fn of(site: &str, reply: &Reply) -> Result<Self, Trouble> {
        let body = json(site, reply)?;
        let version = body.get("version").and_then(Value::as_str);
        let (Some(version), Some(_)) = (version, body.get("status")) else {
            return Err(not_nightscout(site, reply.status));
        };
        let flag = |key: &str| body.get(key).and_then(Value::as_bool);
        let setting = |key: &str| body.get("settings")?.get(key)?.as_str();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+' | '_');
        Ok(Self {
            version: version.chars().filter(|c| is_plain(*c)).take(40).collect(),
            shows_mmol: setting("units").is_some_and(|units| units.starts_with("mmol")),
            server_ms: body.get("serverTimeEpoch").and_then(instant_ms),
            api: flag("apiEnabled"),
            careportal: flag("careportalEnabled"),
            default_roles: setting("authDefaultRoles")
                .unwrap_or_default()
                .split([',', ' '])
                .filter(|role| !role.is_empty())
                .map(str::to_owned)
                .collect(),
            state: body
                .get("runtimeState")
                .and_then(Value::as_str)
                .map(|state| state.chars().filter(|c| is_plain(*c)).take(40).collect()),
        })
    }

    /// Whether the version is older than this one; false when it cannot be read.
    pub(crate) fn is_before(&self, version: [u32; 3]) -> bool {
        let release = self.version.split(['-', '+']).next().unwrap_or_default();
        let numbers: Option<Vec<u32>> = release.split('.').map(|part| part.parse().ok()).collect();
        numbers.is_some_and(|numbers| numbers.len() == 3 && numbers < version.to_vec())
    }
}

#[cfg(test)]
mod tests;
