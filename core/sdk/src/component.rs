//! What a component says about itself, and configuration types.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A device a driver knows, for detection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// `hid`, `scsi`, `serial` or `file`.
    pub link: &'static str,
    /// USB vendor id, four hexadecimal digits.
    pub vendor: &'static str,
    /// USB product id, four hexadecimal digits.
    pub product: &'static str,
    /// Name of the model.
    pub model: &'static str,
    /// How well it was tested: `captured bytes`, `emulator`, `untested`.
    pub tested: &'static str,
}

/// The `about` JSON of a component.
#[derive(Serialize)]
pub(crate) struct About<'a> {
    pub(crate) name: &'a str,
    pub(crate) summary: &'a str,
    pub(crate) config_schema: Schema,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(crate) devices: &'a [Device],
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) lacks: BTreeMap<&'a str, &'a str>,
}

/// Configuration of a component without keys of its own.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoConfig {}

/// A secret in a configuration: the host demands a reference in the file and fills the value in.
///
/// Neither `Debug` nor `Display` shows it.
#[derive(Clone, Deserialize)]
pub struct Secret(String);

impl Secret {
    /// The secret itself; take care where it goes.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl JsonSchema for Secret {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Secret".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "secret" })
    }
}
