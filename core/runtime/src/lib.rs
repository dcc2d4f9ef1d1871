//! The glucopipe runtime: configuration, plugins, devices, and the run from sources to sinks.
//!
//! # Layout
//! - [`config`] reads `pipeline.toml`; [`problem`], [`codes`] and [`render`] are what is said when
//!   something is wrong with it, or with anything else.
//! - [`plugin`] finds and loads libraries; [`host`] is the host's side of the ABI.
//! - [`isolate`] gives plugins a process of their own.
//! - [`device`] chooses a device; [`transport`] holds the links to it: real, virtual, recorded.
//! - [`capture`] makes transcripts of captured USB traffic.
//! - [`transform`] holds the transforms that need no plugin.
//! - [`journal`] keeps every reading and who has received it.
//! - [`run`] takes readings from sources through transforms to sinks and reports.
//! - [`conformance`] checks whether a library keeps the contract.
//! - [`cancel`] and [`clock`] are injected everywhere: when to stop, and what time it is.

pub mod cancel;
pub mod capture;
pub mod clock;
pub mod codes;
pub mod config;
pub mod conformance;
pub mod device;
pub mod host;
pub mod isolate;
pub mod journal;
pub mod plugin;
pub mod problem;
pub mod render;
pub mod run;
mod suggest;
pub mod transform;
pub mod transport;
