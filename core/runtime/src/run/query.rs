//! Questions to plugins outside a run: what a meter is, whether a sink could deliver.

use std::sync::Arc;
use std::time::Duration;

use glucopipe_sdk::driver::DeviceInfo;
use glucopipe_sdk::ffi::guard::guard;
use serde_json::json;

use super::blame;
use super::engine::{Limits, RunSetup};
use super::plan::PlannedSink;
use super::source::clock_offset;
use super::watch::{Ended, watch};
use crate::config::DEFAULT_TIMEOUT_SECS;
use crate::device::{Finder, Selector};
use crate::host::{OpenDriver, Operation, check_exporter};
use crate::problem::Problem;

/// Name of the one source in messages.
const NODE: &str = "meter";

/// Asks an exporter whether a sink could deliver; changes nothing. Returns its remarks.
///
/// # Errors
/// Why it could not.
pub fn check_target(sink: &PlannedSink, setup: &RunSetup) -> Result<Vec<String>, Problem> {
    let op = Arc::new(Operation::start(setup.operation(&sink.name)));
    let (component, operation, config) = (sink.component.clone(), op.clone(), sink.config.clone());
    let work = move || guard(|| check_exporter(&component, &operation, &config));
    let limit = Duration::from_secs(sink.timeout_secs);
    match watch(
        &sink.name,
        op.cancel(),
        limit,
        Limits::default().grace,
        work,
    ) {
        Ended::Returned(asked) => asked.map(Option::unwrap_or_default).map_err(|error| {
            let (component, timeout) = (&sink.component, sink.timeout_secs);
            blame::exporter_failed(component, &error, op.cancel(), &sink.name, timeout)
        }),
        Ended::Abandoned => Err(blame::stuck(&sink.component, &sink.name)),
        Ended::NotStarted(cause) => Err(blame::not_started(&sink.name, cause)),
    }
}

/// What a meter said of itself.
#[derive(Clone, Debug)]
pub struct MeterInfo {
    /// How the device is named to people.
    pub label: String,
    /// `contour/0.1.0`.
    pub driver: String,
    /// The meter's words.
    pub device: DeviceInfo,
    /// Meter clock minus this computer's wall time, seconds.
    pub clock_offset_s: Option<i64>,
}

/// Asks the chosen meter.
///
/// # Errors
/// No meter, no permission, no usable answer.
pub fn query_info(
    finder: &Finder<'_>,
    driver: Option<&str>,
    selector: &Selector,
    setup: &RunSetup,
) -> Result<MeterInfo, Problem> {
    let (component, mut device) = finder.choose(driver, selector)?;
    if let Some(recorder) = &setup.recorder {
        device.record(recorder.clone());
    }
    let label = device.label.clone();
    let mut operation = setup.operation(NODE);
    operation.device = Some(device);
    let op = Arc::new(Operation::start(operation));
    let limits = Limits::default();
    let limit = Duration::from_secs(DEFAULT_TIMEOUT_SECS);
    let (driver, operation) = (component.clone(), op.clone());
    let work = move || {
        guard(|| {
            OpenDriver::open(driver, operation, &json!({})).and_then(|mut driver| driver.info())
        })
    };
    let asked = match watch(NODE, op.cancel(), limit, limits.grace, work) {
        Ended::Returned(asked) => asked,
        Ended::Abandoned => return Err(blame::stuck(&component, NODE)),
        Ended::NotStarted(cause) => return Err(blame::not_started(NODE, cause)),
    };
    let info = asked.map_err(|error| {
        let timeout = DEFAULT_TIMEOUT_SECS;
        blame::driver_failed(&component, &error, op.cancel(), NODE, &label, timeout)
    })?;
    Ok(MeterInfo {
        clock_offset_s: clock_offset(&info, &setup.clock),
        label,
        driver: component.versioned(),
        device: info,
    })
}
