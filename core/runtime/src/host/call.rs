//! What all calls of plugins need.

use std::ffi::CString;

use glucopipe_sdk::{Error, Status};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::isolate::Named;
use crate::plugin::Component;

pub(super) fn config_text(config: &Value) -> CString {
    // JSON text escapes NUL, so the conversion cannot fail.
    CString::new(config.to_string()).unwrap_or_default()
}

pub(super) fn lacks(what: &str) -> Error {
    Error::new(Status::Unsupported, format!("the plugin has no `{what}`"))
}

/// A text of a plugin as the type it should be.
pub(super) fn parse<T: DeserializeOwned>(what: &str, text: &str) -> Result<T, Error> {
    // serde's own text may quote a value, and a value may be a reading.
    serde_json::from_str(text).map_err(|error| {
        let line = error.line();
        Error::new(
            Status::Internal,
            format!("its {what} is not the JSON the ABI asks for (line {line})"),
        )
    })
}

/// The order that opens a component in a child.
pub(super) fn named(component: &Component, config: &Value) -> Named {
    Named {
        kind: component.kind,
        id: component.id.clone(),
        config: config.clone(),
    }
}
