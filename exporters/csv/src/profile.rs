//! The layouts of a CSV file. A further profile is a variant of [`Profile`] and of [`Inner`], and a
//! sibling of the modules here.

mod canonical;
mod glucometerutils;

use glucopipe_sdk::arrow::array::RecordBatch;
use glucopipe_sdk::schemars::JsonSchema;
use glucopipe_sdk::serde::{Deserialize, Serialize};
use glucopipe_sdk::text::{Layout, columns};
use glucopipe_sdk::{Error, Result};

use self::canonical::Canonical;
use self::glucometerutils::Glucometerutils;
use crate::Config;

/// A layout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(crate = "glucopipe_sdk::serde", rename_all = "lowercase")]
#[schemars(crate = "glucopipe_sdk::schemars", inline)]
pub enum Profile {
    /// The columns of a reading, as they are.
    #[default]
    Canonical,
    /// What `glucometer dump` of glucometerutils prints.
    Glucometerutils,
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
    fn named(name: &str) -> Option<Self> {
        match name {
            "mg/dL" => Some(Self::MgPerDl),
            "mmol/L" => Some(Self::MmolPerL),
            _ => None,
        }
    }
}

/// What becomes of readings beyond the measuring range (HI and LO).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(crate = "glucopipe_sdk::serde", rename_all = "lowercase")]
#[schemars(crate = "glucopipe_sdk::schemars", inline)]
pub enum OutOfRange {
    /// `inf` and `-inf`.
    #[default]
    Infinity,
    /// They are left out.
    Skip,
}

/// A layout with its options.
pub struct Format(Inner);

enum Inner {
    Canonical(Canonical),
    Glucometerutils(Glucometerutils),
}

impl Format {
    /// The layout a configuration asks for.
    ///
    /// # Errors
    /// When a key does not go with the profile, or a column cannot be had.
    pub(crate) fn of(config: &Config) -> Result<Self> {
        let stray = |key: &str, message: &str| Err(Error::config(key, message));
        let format = match config.profile {
            Profile::Canonical if config.unit.is_some() => {
                return stray(
                    "unit",
                    "the profile `canonical` has every reading in its own unit; a transform of type `units` converts them",
                );
            }
            Profile::Canonical if config.out_of_range.is_some() => {
                return stray(
                    "out_of_range",
                    "the profile `canonical` says in the column `range` what is beyond the measuring range",
                );
            }
            Profile::Canonical => {
                Inner::Canonical(Canonical::new(columns(config.columns.as_deref())?))
            }
            Profile::Glucometerutils if config.columns.is_some() => {
                return stray(
                    "columns",
                    "the profile `glucometerutils` has columns of its own; `columns` goes with `canonical` alone",
                );
            }
            Profile::Glucometerutils => Inner::Glucometerutils(Glucometerutils::new(
                config.unit,
                config.out_of_range.unwrap_or_default(),
            )),
        };
        Ok(Self(format))
    }
}

impl Layout for Format {
    const NAME: &'static str = "CSV";

    fn begin(&self, out: &mut Vec<u8>) {
        match &self.0 {
            Inner::Canonical(format) => format.header(out),
            Inner::Glucometerutils(_) => {}
        }
    }

    fn rows(&mut self, batch: &RecordBatch, out: &mut Vec<u8>) -> Result<u64> {
        match &mut self.0 {
            Inner::Canonical(format) => {
                format.rows(batch, out)?;
                Ok(batch.num_rows() as u64)
            }
            Inner::Glucometerutils(format) => format.rows(batch, out),
        }
    }

    fn left_out(&self) -> Option<String> {
        match &self.0 {
            Inner::Canonical(_) => None,
            Inner::Glucometerutils(format) => format.left_out(),
        }
    }
}
