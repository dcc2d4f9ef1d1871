//! Why a scenario text was refused.

use std::fmt;

/// A mistake in `MODEL[?key=value&…]`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ScenarioError {
    /// No virtual meter has this name.
    UnknownModel {
        /// What was asked for.
        name: String,
        /// What exists.
        known: Vec<&'static str>,
    },
    /// No query key has this name.
    UnknownKey {
        /// What was given.
        key: String,
        /// What exists.
        known: Vec<&'static str>,
    },
    /// No fault has this name.
    UnknownFault {
        /// What was given.
        name: String,
        /// What exists.
        known: Vec<&'static str>,
    },
    /// A key or fault exists, but not for this model.
    NotForModel {
        /// `key` or `fault`.
        what: &'static str,
        /// Its name.
        name: &'static str,
        /// The model.
        model: &'static str,
        /// What the model has.
        known: Vec<&'static str>,
    },
    /// A value does not fit its key.
    BadValue {
        /// The key.
        key: &'static str,
        /// What was given.
        value: String,
        /// What would fit.
        expected: &'static str,
    },
    /// A key that may stand once stands twice.
    RepeatedKey {
        /// The key.
        key: &'static str,
    },
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownModel { name, known } => {
                write!(
                    f,
                    "unknown virtual meter `{name}` (known: {})",
                    known.join(", ")
                )
            }
            Self::UnknownKey { key, known } => {
                write!(
                    f,
                    "unknown key `{key}` of a virtual meter (known: {})",
                    known.join(", ")
                )
            }
            Self::UnknownFault { name, known } => {
                write!(f, "unknown fault `{name}` (known: {})", known.join(", "))
            }
            Self::NotForModel {
                what,
                name,
                model,
                known,
            } => {
                write!(
                    f,
                    "virtual meter `{model}` has no {what} `{name}` (it has: {})",
                    known.join(", ")
                )
            }
            Self::BadValue {
                key,
                value,
                expected,
            } => {
                write!(
                    f,
                    "value `{value}` of key `{key}` is not usable, expected {expected}"
                )
            }
            Self::RepeatedKey { key } => write!(f, "key `{key}` is given twice"),
        }
    }
}

impl std::error::Error for ScenarioError {}
