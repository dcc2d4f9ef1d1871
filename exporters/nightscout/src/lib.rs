//! Finger-sticks to a Nightscout site.
//!
//! Pure, without I/O: `intake` chooses readings, `document` makes documents, `look` goes through the pages of
//! what is there, `plan` decides what is sent so that each reading is there once, `answer` and `permission`
//! understand what a site says. `http` does one request, `session` speaks to a site, `upload` brings everything
//! there.

mod answer;
mod check;
mod config;
mod document;
mod http;
mod intake;
mod look;
mod permission;
mod plan;
mod session;
mod sink;
mod site;
mod trouble;
mod upload;

use glucopipe_sdk::exporter::{Exporter, Preview, Sink, Wants};
use glucopipe_sdk::stream::Batches;
use glucopipe_sdk::{Op, Result};

use crate::config::Settings;
pub use crate::config::{Api, Config, Mode, OutOfRange};
pub use crate::sink::Uploads;

/// The exporter `nightscout`.
pub struct Nightscout;

impl Exporter for Nightscout {
    const ID: &'static str = "nightscout";
    const SUMMARY: &'static str = "finger-sticks to a Nightscout site";

    type Config = Config;
    type Sink = Uploads;

    fn open(op: &Op, config: Config) -> Result<Uploads> {
        Ok(Uploads::new(op, Settings::of(config)?))
    }

    fn wants(config: &Config) -> Result<Wants> {
        Settings::of(config.clone())?;
        Ok(Wants::Revised)
    }

    fn check(op: &Op, config: &Config) -> Result<Vec<String>> {
        Ok(check::check(op, Settings::of(config.clone())?)?)
    }

    fn preview(op: &Op, config: Config, readings: &mut dyn Batches) -> Result<Option<Preview>> {
        let mut uploads = Self::open(op, config)?;
        uploads.write(op, readings)?;
        uploads.preview(op).map(Some)
    }
}

glucopipe_sdk::export_plugin! {
    name: "nightscout",
    drivers: [],
    exporters: [Nightscout],
    transforms: [],
}

#[cfg(test)]
mod tests;
