//! The keys of a Nightscout sink.

use std::result::Result as StdResult;
use std::time::Duration;

use glucopipe_sdk::component::Secret;
use glucopipe_sdk::schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use glucopipe_sdk::serde::de::{Error as _, Unexpected};
use glucopipe_sdk::serde::{Deserialize, Deserializer, Serialize, Serializer};
use glucopipe_sdk::serde_json::Value;
use glucopipe_sdk::{Error, Result};

use crate::site::Site;

/// Keys of a Nightscout sink.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(crate = "glucopipe_sdk::serde")]
#[schemars(crate = "glucopipe_sdk::schemars")]
#[schemars(extend("x-needs" = ["time"]))]
pub struct Config {
    /// The address of the site, for example `https://night.example.org`: without `/api`, without a token.
    #[schemars(length(min = 1))]
    pub url: String,

    /// An access token of the site, `NAME-0123456789abcdef`. Its role needs `api:entries:create` and
    /// `api:entries:read` (`api:treatments:…` for treatments), for API 3 also `…:update`.
    pub token: Option<Secret>,

    /// The API secret of the site itself, instead of a token; only its hash is sent. API 3 takes tokens
    /// alone.
    pub api_secret: Option<Secret>,

    /// What a finger-stick becomes: an entry of type `mbg`, a dot on the chart; a treatment `BG Check`; or
    /// both, which are two dots for one prick.
    #[serde(default)]
    pub mode: Mode,

    /// The version of the site's API. `"auto"` is 1, which takes many readings at once, and 3 where the
    /// site has 1 switched off.
    #[serde(default)]
    #[schemars(extend("x-tuning" = true))]
    pub api: Api,

    /// Readings in one request.
    #[serde(default = "batch_size")]
    #[schemars(range(min = 1, max = 500))]
    #[schemars(extend("x-tuning" = true))]
    pub batch_size: u16,

    /// Readings beyond the measuring range (HI, LO) are left out, or sent as the limit of the meter with
    /// `range` = `above` or `below` beside it.
    #[serde(default)]
    pub out_of_range: OutOfRange,

    /// The name that documents carry as `app`.
    #[serde(default = "app")]
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[A-Za-z0-9 ._:/-]+$"))]
    pub app: String,

    /// Permits readings of several persons: a site is one person's, and does not say whose a document is.
    #[serde(default)]
    #[schemars(extend("x-tuning" = true))]
    pub allow_several_persons: bool,

    /// Permits plain http to another computer. Whoever is on the way reads secret and readings.
    #[serde(default)]
    #[schemars(extend("x-tuning" = true))]
    pub allow_insecure: bool,

    /// How long to wait for a connection.
    #[serde(default = "connect_timeout_secs")]
    #[schemars(range(min = 1, max = 120))]
    #[schemars(extend("x-tuning" = true))]
    pub connect_timeout_secs: u16,

    /// How long to wait for the answer to one request. After a failed login a site answers seconds later.
    #[serde(default = "request_timeout_secs")]
    #[schemars(range(min = 1, max = 600))]
    #[schemars(extend("x-tuning" = true))]
    pub request_timeout_secs: u16,

    /// How often a request is tried again when the site or the way to it fails.
    #[serde(default = "retries")]
    #[schemars(range(max = 10))]
    #[schemars(extend("x-tuning" = true))]
    pub retries: u8,

    /// How long to wait before the first of these tries; each further wait is twice as long, at most a
    /// minute.
    #[serde(default = "retry_delay_ms")]
    #[schemars(range(min = 1, max = 60000))]
    #[schemars(extend("x-tuning" = true))]
    pub retry_delay_ms: u32,
}

fn batch_size() -> u16 {
    500
}

fn app() -> String {
    "glucopipe".to_owned()
}

fn connect_timeout_secs() -> u16 {
    10
}

fn request_timeout_secs() -> u16 {
    90
}

fn retries() -> u8 {
    4
}

fn retry_delay_ms() -> u32 {
    1000
}

/// What a finger-stick becomes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(crate = "glucopipe_sdk::serde", rename_all = "lowercase")]
#[schemars(crate = "glucopipe_sdk::schemars")]
pub enum Mode {
    /// An entry of type `mbg`.
    #[default]
    Entries,
    /// A treatment `BG Check`.
    Treatments,
    /// An entry and a treatment.
    Both,
}

/// What becomes of readings beyond the measuring range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema, Serialize)]
#[serde(crate = "glucopipe_sdk::serde", rename_all = "lowercase")]
#[schemars(crate = "glucopipe_sdk::schemars")]
pub enum OutOfRange {
    /// They are left out.
    #[default]
    Skip,
    /// They are sent as the limit.
    Limit,
}

/// The version of the site's API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Api {
    /// 1, and 3 where 1 is switched off.
    #[default]
    Auto,
    /// Many documents a request.
    V1,
    /// One document a request.
    V3,
}

impl Serialize for Api {
    fn serialize<S: Serializer>(&self, to: S) -> StdResult<S::Ok, S::Error> {
        match self {
            Self::Auto => to.serialize_str("auto"),
            Self::V1 => to.serialize_u8(1),
            Self::V3 => to.serialize_u8(3),
        }
    }
}

impl<'de> Deserialize<'de> for Api {
    fn deserialize<D: Deserializer<'de>>(from: D) -> StdResult<Self, D::Error> {
        match Value::deserialize(from)? {
            Value::String(text) if text == "auto" => Ok(Self::Auto),
            Value::Number(number) if number.as_u64() == Some(1) => Ok(Self::V1),
            Value::Number(number) if number.as_u64() == Some(3) => Ok(Self::V3),
            _ => Err(D::Error::invalid_value(
                Unexpected::Other("another word"),
                &"`auto`, 1 or 3",
            )),
        }
    }
}

impl JsonSchema for Api {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Api".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "enum": ["auto", 1, 3] })
    }
}

/// A configuration that was looked through.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) site: Site,
    pub(crate) login: Login,
    pub(crate) mode: Mode,
    pub(crate) api: Api,
    pub(crate) batch_size: usize,
    pub(crate) out_of_range: OutOfRange,
    pub(crate) allow_several_persons: bool,
    pub(crate) app: String,
    pub(crate) connect_timeout: Duration,
    pub(crate) request_timeout: Duration,
    pub(crate) retries: usize,
    pub(crate) retry_delay: Duration,
}

/// How to log in.
#[derive(Clone, Debug)]
pub(crate) enum Login {
    /// With the secret of the site.
    Secret(Secret),
    /// With an access token.
    Token(Secret),
}

impl Settings {
    /// Looks a configuration through; touches nothing.
    ///
    /// # Errors
    /// When it cannot work.
    pub(crate) fn of(config: Config) -> Result<Self> {
        let site = Site::parse(&config.url, config.allow_insecure)?;
        let login = match (config.api_secret, config.token) {
            (Some(_), Some(_)) => {
                let message = "expected `token` or `api_secret`, got both";
                return Err(Error::config("token", message));
            }
            (None, None) => {
                let message = "expected `token` or `api_secret`, got neither: without a login a site takes nothing";
                return Err(Error::config("token", message));
            }
            (Some(secret), None) if config.api == Api::V3 => {
                drop(secret);
                let message =
                    "API 3 takes access tokens alone, expected `token` instead of `api_secret`";
                return Err(Error::config("api_secret", message));
            }
            (Some(secret), None) => Login::Secret(secret),
            (None, Some(token)) if is_token(token.expose()) => Login::Token(token),
            (None, Some(_)) => {
                let message = "expected an access token as the site's admin page shows it: a name, `-`, 16 hexadecimal digits";
                return Err(Error::config("token", message));
            }
        };
        Ok(Self {
            site,
            login,
            mode: config.mode,
            api: config.api,
            batch_size: config.batch_size.clamp(1, batch_size()).into(),
            out_of_range: config.out_of_range,
            allow_several_persons: config.allow_several_persons,
            app: config.app,
            connect_timeout: Duration::from_secs(config.connect_timeout_secs.into()),
            request_timeout: Duration::from_secs(config.request_timeout_secs.into()),
            retries: config.retries.into(),
            retry_delay: Duration::from_millis(config.retry_delay_ms.into()),
        })
    }
}

/// Whether a text has the form of an access token; it becomes a part of an address.
fn is_token(text: &str) -> bool {
    let plain = |text: &str| {
        text.chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_' || c == '.')
    };
    text.rsplit_once('-').is_some_and(|(name, digits)| {
        plain(name) && digits.len() == 16 && digits.chars().all(|c| c.is_ascii_hexdigit())
    })
}
