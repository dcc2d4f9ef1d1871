//! What a component says about itself, parsed and checked.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A device a driver knows.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct KnownDevice {
    /// `hid`, `scsi`, `serial` or `file`.
    pub link: String,
    /// USB vendor id, four hexadecimal digits; empty for none.
    #[serde(default)]
    pub vendor: String,
    /// USB product id, four hexadecimal digits, or `*` for any of the vendor.
    #[serde(default)]
    pub product: String,
    /// Name of the model.
    #[serde(default)]
    pub model: String,
    /// How well it was tested.
    #[serde(default)]
    pub tested: String,
}

/// The `about` object of a component.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct About {
    /// Name for people.
    #[serde(default)]
    pub name: String,
    /// One line.
    #[serde(default)]
    pub summary: String,
    /// JSON Schema of its own keys.
    #[serde(default = "any_object")]
    pub config_schema: Value,
    /// Devices a driver knows.
    #[serde(default)]
    pub devices: Vec<KnownDevice>,
    /// Why a driver lacks a member of its table, by the member; or `checksums`.
    #[serde(default)]
    pub lacks: BTreeMap<String, String>,
}

fn any_object() -> Value {
    serde_json::json!({ "type": "object", "properties": {} })
}

/// Whether an id has the form the ABI demands.
pub(crate) fn well_formed_id(id: &str) -> bool {
    !id.is_empty()
        && id.len() <= 64
        && id
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_'))
}
