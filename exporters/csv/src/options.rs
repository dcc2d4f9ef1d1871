//! The words of the keys, and which keys go with which profile.

use glucopipe_sdk::decimal::Factor;
use glucopipe_sdk::schemars::JsonSchema;
use glucopipe_sdk::serde::{Deserialize, Serialize};
use glucopipe_sdk::text::Mode;
use glucopipe_sdk::{Error, Result};

use crate::Config;

/// A layout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(crate = "glucopipe_sdk::serde", rename_all = "lowercase")]
#[schemars(crate = "glucopipe_sdk::schemars", inline)]
pub enum Profile {
    /// The columns of a reading, as they are. Lost: `raw`.
    #[default]
    Canonical,
    /// The same as spreadsheets open it with a double click. Lost: `raw`.
    Excel,
    /// What `glucometer dump` of glucometerutils prints: glucose alone, without header. Lost: other kinds,
    /// the unit, HI and LO with their limits, `fasting`, the offset of `time`, the meter, and all else.
    Glucometerutils,
    /// What the R package iglu reads: id, time and mg/dL of glucose. Lost: other kinds, the unit it was
    /// measured in, HI and LO, meals, notes, the offset of `time`, and all else.
    Iglu,
    /// The layout of LibreView's exports. Lost: control tests, seconds, limits, the unit it was measured in,
    /// markers, the offset of `time`, and all else.
    Libreview,
    /// The layout of Dexcom Clarity's exports, finger-sticks as calibrations. Lost: control tests, ketones,
    /// carbohydrates that are not grams, limits, meals, notes, the unit it was measured in, the offset of
    /// `time`, and all else.
    Clarity,
}

impl Profile {
    /// As it is written in the file.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Canonical => "canonical",
            Self::Excel => "excel",
            Self::Glucometerutils => "glucometerutils",
            Self::Iglu => "iglu",
            Self::Libreview => "libreview",
            Self::Clarity => "clarity",
        }
    }
}

/// What is between the cells of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(crate = "glucopipe_sdk::serde")]
#[schemars(crate = "glucopipe_sdk::schemars", inline)]
pub enum Separator {
    /// `,`
    #[serde(rename = ",")]
    Comma,
    /// `;`
    #[serde(rename = ";")]
    Semicolon,
    /// A tab.
    #[serde(rename = "\t")]
    Tab,
}

/// What is before the decimals of a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(crate = "glucopipe_sdk::serde", rename_all = "lowercase")]
#[schemars(crate = "glucopipe_sdk::schemars", inline)]
pub enum Decimal {
    /// `5.5`
    #[default]
    Point,
    /// `5,5`
    Comma,
}

/// What is after each row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(crate = "glucopipe_sdk::serde", rename_all = "lowercase")]
#[schemars(crate = "glucopipe_sdk::schemars", inline)]
pub enum LineEnd {
    /// Line feed.
    Lf,
    /// Carriage return and line feed.
    Crlf,
}

/// How times are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(crate = "glucopipe_sdk::serde", rename_all = "lowercase")]
#[schemars(crate = "glucopipe_sdk::schemars", inline)]
pub enum Times {
    /// `2024-03-01T07:15:00`, with `Z` in UTC.
    #[default]
    Iso,
    /// `2024-03-01 07:15:00`, without `Z` in UTC.
    Plain,
}

/// A unit of glucose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(crate = "glucopipe_sdk::serde")]
#[schemars(crate = "glucopipe_sdk::schemars", inline)]
pub enum Unit {
    /// Milligrams in a decilitre.
    #[serde(rename = "mg/dL")]
    MgPerDl,
    /// Millimoles in a litre.
    #[serde(rename = "mmol/L")]
    MmolPerL,
}

impl Unit {
    /// The unit of a column `unit`; `None` is none of glucose.
    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::MgPerDl, Self::MmolPerL]
            .into_iter()
            .find(|unit| unit.name() == name)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::MgPerDl => "mg/dL",
            Self::MmolPerL => "mmol/L",
        }
    }
}

/// What becomes of readings beyond the measuring range (HI and LO).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(crate = "glucopipe_sdk::serde", rename_all = "lowercase")]
#[schemars(crate = "glucopipe_sdk::schemars", inline)]
pub enum OutOfRange {
    /// `inf` and `-inf`.
    Infinity,
    /// `NA`.
    Na,
    /// No value, but `HI` or `LO` among the notes.
    Note,
    /// `High` and `Low`.
    Words,
    /// The limit, as if it had been measured.
    Limit,
    /// They are left out.
    Skip,
}

impl OutOfRange {
    fn word(self) -> &'static str {
        match self {
            Self::Infinity => "infinity",
            Self::Na => "na",
            Self::Note => "note",
            Self::Words => "words",
            Self::Limit => "limit",
            Self::Skip => "skip",
        }
    }

    /// What there is for a profile; the first unless another is asked for.
    fn of(profile: Profile) -> &'static [Self] {
        match profile {
            Profile::Canonical | Profile::Excel => &[],
            Profile::Glucometerutils => &[Self::Infinity, Self::Skip],
            Profile::Iglu => &[Self::Na, Self::Limit, Self::Skip],
            Profile::Libreview => &[Self::Note, Self::Limit, Self::Skip],
            Profile::Clarity => &[Self::Words, Self::Skip],
        }
    }
}

/// What finger-sticks are in Clarity's layout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(crate = "glucopipe_sdk::serde")]
#[schemars(crate = "glucopipe_sdk::schemars", inline)]
pub enum EventType {
    /// Finger-sticks beside a sensor.
    #[default]
    #[serde(rename = "calibration")]
    Calibration,
    /// Sensor values, which they are not.
    #[serde(rename = "EGV")]
    Egv,
}

/// How dates are written in LibreView's layout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(crate = "glucopipe_sdk::serde")]
#[schemars(crate = "glucopipe_sdk::schemars", inline)]
pub enum DateFormat {
    /// Day first.
    #[default]
    #[serde(rename = "DD-MM-YYYY")]
    DayFirst,
    /// Month first.
    #[serde(rename = "MM-DD-YYYY")]
    MonthFirst,
}

/// Refuses keys that do not go together; touches nothing.
///
/// # Errors
/// On the key.
pub(crate) fn check(config: &Config) -> Result<()> {
    use Profile::{Canonical, Clarity, Excel, Glucometerutils, Iglu, Libreview};
    let ours: &[Profile] = &[Canonical, Excel];
    let converted: &[Profile] = &[Iglu, Libreview, Clarity];
    for (key, given, profiles) in [
        ("columns", config.columns.is_some(), ours),
        ("separator", config.separator.is_some(), &[Excel]),
        ("decimal", config.decimal.is_some(), &[Excel]),
        ("line_end", config.line_end.is_some(), ours),
        ("bom", config.bom.is_some(), ours),
        ("times", config.times.is_some(), ours),
        (
            "unit",
            config.unit.is_some(),
            &[Glucometerutils, Libreview, Clarity],
        ),
        ("factor", config.factor.is_some(), converted),
        (
            "out_of_range",
            config.out_of_range.is_some(),
            &[Glucometerutils, Iglu, Libreview, Clarity],
        ),
        ("ketones", config.ketones.is_some(), &[Glucometerutils]),
        ("date_format", config.date_format.is_some(), &[Libreview]),
        ("event_type", config.event_type.is_some(), &[Clarity]),
    ] {
        if given && !profiles.contains(&config.profile) {
            return Err(Error::config(key, stray(key, config.profile, profiles)));
        }
    }
    if config.mode != Mode::Replace && !ours.contains(&config.profile) {
        let message = format!(
            "`mode = \"{}\"` needs rows that say which reading they are, which those of the profile `{}` do \
             not; `replace` writes all that is known at each run",
            config.mode.word(),
            config.profile.word()
        );
        return Err(Error::config("mode", message));
    }
    config.mode.check(&config.path)?;
    if config.decimal == Some(Decimal::Comma) && config.separator == Some(Separator::Comma) {
        let message = "a comma cannot be in numbers and between them; \
                       leave `separator` out for `;`, or choose a tab";
        return Err(Error::config("separator", message));
    }
    out_of_range(config)?;
    factor(config)?;
    Ok(())
}

fn stray(key: &str, profile: Profile, profiles: &[Profile]) -> String {
    let mut message = format!(
        "`{key}` goes with the profile {}, not with `{}`",
        one_of(profiles.iter().map(|profile| profile.word())),
        profile.word()
    );
    match (profile, key) {
        (Profile::Canonical | Profile::Excel, "unit" | "factor") => {
            message.push_str("; a transform of type `units` converts readings before the sink");
        }
        (Profile::Iglu, "unit") => message.push_str(", which is always in mg/dL"),
        (Profile::Glucometerutils, "factor") => {
            message.push_str(", which converts by 18 as that program does");
        }
        _ => {}
    }
    message
}

/// What becomes of HI and LO; of no meaning for profiles that keep them as they are.
///
/// # Errors
/// When the profile has no such way.
pub(crate) fn out_of_range(config: &Config) -> Result<OutOfRange> {
    let ways = OutOfRange::of(config.profile);
    let default = ways.first().copied().unwrap_or(OutOfRange::Limit);
    let way = config.out_of_range.unwrap_or(default);
    if way == default || ways.contains(&way) {
        return Ok(way);
    }
    let message = format!(
        "the profile `{}` has {}, not `{}`",
        config.profile.word(),
        one_of(ways.iter().map(|way| way.word())),
        way.word()
    );
    Err(Error::config("out_of_range", message))
}

/// `` `a`, `b` or `c` ``.
fn one_of<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let mut words: Vec<String> = words.map(|word| format!("`{word}`")).collect();
    match words.pop() {
        Some(last) if !words.is_empty() => format!("{} or {last}", words.join(", ")),
        last => last.unwrap_or_default(),
    }
}

/// The factor between mg/dL and mmol/L.
///
/// # Errors
/// When it is none of the two.
pub(crate) fn factor(config: &Config) -> Result<Factor> {
    match config.factor {
        None if config.profile == Profile::Glucometerutils => Ok(Factor::Eighteen),
        None => Ok(Factor::Standard),
        Some(number) => Factor::of(number).ok_or_else(|| {
            let message = format!("expected `18.01559` or `18`, got `{number}`");
            Error::config("factor", message)
        }),
    }
}
