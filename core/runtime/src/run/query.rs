//! Asking one meter what it is, without reading its records.

use std::sync::Arc;

use glucopipe_sdk::driver::DeviceInfo;
use serde_json::json;

use super::blame;
use super::engine::RunSetup;
use super::source::clock_offset;
use crate::config::DEFAULT_TIMEOUT_SECS;
use crate::device::{Finder, Selector};
use crate::host::{OpenDriver, Operation};
use crate::problem::Problem;

/// Name of the one source in messages.
const NODE: &str = "meter";

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
    let info = OpenDriver::open(component.clone(), op.clone(), &json!({}))
        .and_then(|mut driver| driver.info())
        .map_err(|error| {
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
