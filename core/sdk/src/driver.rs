//! Drivers: meters in.

use std::collections::BTreeMap;

use chrono::NaiveDateTime;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::component::Device;
use crate::error::{Error, Result, Status};
use crate::op::Op;
use crate::reading::Reading;
use crate::scrub::Disguise;
use crate::transcript::Transcript;

/// A family of meters that speak one protocol.
pub trait Driver: 'static {
    /// The name in `pipeline.toml`: lower case, digits, `-`, `.`; never reused for something else.
    const ID: &'static str;
    /// One line for listings.
    const SUMMARY: &'static str;
    /// Devices it knows, for detection.
    const DEVICES: &'static [Device];
    /// Whether [`Session::clock`] works.
    const READS_CLOCK: bool = false;
    /// Whether [`Session::set_clock`] works.
    const SETS_CLOCK: bool = false;
    /// Whether [`Session::erase`] works.
    const ERASES: bool = false;
    /// Whether [`Driver::scrub`] works.
    const SCRUBS: bool = false;
    /// Why `get_clock`, `set_clock` or `erase` does not, for people: `("erase", "no command …")`; and, as
    /// `checksums`, why damaged bytes cannot be told from good ones.
    const LACKS: &'static [(&'static str, &'static str)] = &[];

    /// Keys of its own in `[sources.NAME]`; doc comments become the descriptions users see.
    type Config: DeserializeOwned + JsonSchema;
    /// An open meter.
    type Session: Session;

    /// Opens the device the user chose; talks to it as little as possible.
    ///
    /// # Errors
    /// As [`Op::open_link`] says.
    fn open(op: &Op, config: Self::Config) -> Result<Self::Session>;

    /// Makes a transcript of this driver fit to be shared: another serial, moved dates, other values, each where
    /// the bytes hold them and with checksums that fit again; a checksum that was wrong stays wrong. Everything
    /// else that the driver would read stays as it is, and what it does not understand is
    /// [blanked](crate::scrub::blanked). The host replays what comes out, and compares.
    ///
    /// # Errors
    /// When the transcript is none of this driver, or a date cannot be moved.
    fn scrub(_transcript: &mut Transcript, _disguise: &Disguise) -> Result<()> {
        Err(Error::new(
            Status::Unsupported,
            "this driver does not scrub transcripts",
        ))
    }
}

/// An open meter. Between two calls the meter is idle: each call ends its conversation.
pub trait Session: Send + 'static {
    /// What the meter says of itself.
    ///
    /// # Errors
    /// When the meter cannot be asked.
    fn info(&mut self, op: &Op) -> Result<DeviceInfo>;

    /// Starts reading all stored records.
    ///
    /// # Errors
    /// When nothing usable can be read.
    fn read<'s>(&'s mut self, op: &Op, query: &Query) -> Result<Box<dyn Download + 's>>;

    /// The meter's clock.
    ///
    /// # Errors
    /// When the meter cannot be asked.
    fn clock(&mut self, _op: &Op) -> Result<Clock> {
        Err(Error::new(
            Status::Unsupported,
            "this driver does not read the clock",
        ))
    }

    /// Sets the meter's clock, at once.
    ///
    /// # Errors
    /// When the meter refuses.
    fn set_clock(&mut self, _op: &Op, _local: NaiveDateTime) -> Result<()> {
        Err(Error::new(
            Status::Unsupported,
            "this driver does not set the clock",
        ))
    }

    /// Destroys all stored readings of the meter with this serial.
    ///
    /// # Errors
    /// [`Status::Precondition`], with nothing changed, when it is another meter.
    fn erase(&mut self, _op: &Op, _expect_serial: &str) -> Result<()> {
        Err(Error::new(
            Status::Unsupported,
            "this driver does not erase",
        ))
    }
}

/// A read in progress.
///
/// The SDK calls [`Download::next`] until it gives `None` or an error, or the host has had enough, and
/// then [`Download::finish`] exactly once, after [`Op::begin_closing`].
pub trait Download: Send {
    /// The meter, as known at the start of the read, with its clock.
    fn device(&self) -> &DeviceInfo;

    /// The next record in the meter's order, or `None` at the end.
    ///
    /// A record that cannot be decoded goes into the report, not here.
    ///
    /// # Errors
    /// When the rest is unusable. If something verified was read, prefer ending with `None` and a
    /// report that says what is missing.
    fn next(&mut self, op: &Op) -> Result<Option<Reading>>;

    /// Leaves the meter idle, however far the read came, and says what was found.
    fn finish(self: Box<Self>, op: &Op) -> ReadReport;
}

/// Which readings are wanted; a driver may read more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct Query {
    /// By serial without blanks: [`Reading::raw`] of some of the newest records that the host keeps of a
    /// meter, hexadecimal. It keeps all that are older than one of them as well, so a driver that reads the
    /// newest record first may stop at one it proves to be the same, and say so in [`ReadReport::known`].
    pub known: BTreeMap<String, Vec<String>>,
}

impl Query {
    /// The newest records that the host keeps of a meter.
    pub fn known(&self, serial: &str) -> Vec<Vec<u8>> {
        let texts = self.known.get(serial).into_iter().flatten();
        texts.filter_map(|text| bytes(text)).collect()
    }
}

/// The bytes of hexadecimal digits.
pub(crate) fn bytes(text: &str) -> Option<Vec<u8>> {
    let digit = |digit: &u8| char::from(*digit).to_digit(16);
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| match pair {
            [high, low] => u8::try_from(digit(high)? << 4 | digit(low)?).ok(),
            _ => None,
        })
        .collect()
}

/// A meter's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clock {
    /// What it shows.
    pub local: NaiveDateTime,
    /// 1, or 60 for a clock that shows minutes.
    pub resolution_s: u32,
}

/// What a meter says of itself; what it does not say is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct DeviceInfo {
    /// Serial, without blanks.
    pub serial: String,
    /// Serial as the meter sends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub serial_raw: Option<String>,
    /// Model.
    pub model: String,
    /// Firmware versions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub firmware: Option<String>,
    /// Display unit, UCUM; never used to interpret a reading.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Number of stored records.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record_count: Option<u64>,
    /// The meter's clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock: Option<NaiveDateTime>,
    /// 1, or 60 for a clock that shows minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_resolution_s: Option<u32>,
    /// [`Op::utc_us`] when the clock arrived.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clock_read_us: Option<i64>,
    /// Anything else, for people.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub extra: Map<String, Value>,
}

/// A record that could not be decoded.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct SetAside {
    /// Position in the read, from 1.
    pub position: u64,
    /// Why.
    pub reason: String,
    /// The bytes, hexadecimal.
    pub raw: String,
}

impl SetAside {
    /// A record that could not be decoded.
    pub fn new(position: u64, reason: impl Into<String>, raw: &[u8]) -> Self {
        let raw = raw.iter().map(|byte| format!("{byte:02x}")).collect();
        Self {
            position,
            reason: reason.into(),
            raw,
        }
    }
}

/// What a read found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct ReadReport {
    /// Everything the meter holds was read and verified, apart from what the host keeps.
    pub complete: bool,
    /// Why it is not complete.
    pub reasons: Vec<String>,
    /// Number of records the meter said it holds.
    pub expected: Option<u64>,
    /// Records left unread, because the host keeps them: see [`Query::known`].
    pub known: u64,
    /// Records that could not be decoded.
    pub set_aside: Vec<SetAside>,
    /// The driver's own numbers: `naks`, `repeats`, `exchanges`.
    pub counts: Map<String, Value>,
    /// Without readings: unknown markers and the like.
    pub notes: Vec<String>,
}
