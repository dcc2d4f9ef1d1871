//! Questions to plugins outside a run: what a meter is, whether a sink could deliver.

use std::sync::Arc;
use std::time::Duration;

use glucopipe_sdk::driver::DeviceInfo;
use glucopipe_sdk::exporter::CommitReport;
use glucopipe_sdk::ffi::guard::guard;
use serde_json::Value;

use super::blame;
use super::change::cannot;
use super::conversation::{Conversation, Failure};
use super::engine::{Limits, RunSetup};
use super::plan::PlannedSink;
use super::source::SourceJob;
use super::watch::{Ended, watch};
use crate::device::{Finder, Selector};
use crate::host::{Lent, OpenDriver, OpenExporter, Operation, check_exporter};
use crate::plugin::{Ability, Component};
use crate::problem::Problem;

/// Who asks for work on a large data set waits for it, or stops it.
const A_DAY: Duration = Duration::from_secs(86_400);

/// Asks an exporter whether a sink could deliver; changes nothing. Returns its remarks.
///
/// # Errors
/// Why it could not.
pub fn check_target(sink: &PlannedSink, setup: &RunSetup) -> Result<Vec<String>, Problem> {
    let op = Arc::new(Operation::start(setup.operation(&sink.name)));
    let (component, config) = (sink.component.clone(), sink.config.clone());
    let operation: Arc<dyn Lent> = op.clone();
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
        Ended::Abandoned => {
            let over = blame::overdue(op.cancel(), &sink.name, sink.timeout_secs);
            Err(blame::stuck(&sink.component, &sink.name, over))
        }
        Ended::NotStarted(cause) => Err(blame::not_started(&sink.name, cause)),
    }
}

/// Lets an exporter put in order what is at a destination: it commits without having been given readings.
///
/// # Errors
/// Why it could not.
pub fn tidy(
    component: &Arc<Component>,
    config: &Value,
    setup: &RunSetup,
) -> Result<CommitReport, Problem> {
    let op = Arc::new(Operation::start(setup.operation(&component.id)));
    let (opened, operation, config) = (component.clone(), op.clone(), config.clone());
    let work = move || guard(|| OpenExporter::open(opened, operation, &config)?.commit());
    let grace = Limits::default().grace;
    let done = match watch(&component.id, op.cancel(), A_DAY, grace, work) {
        Ended::Returned(done) => done.and_then(|committed| committed.report),
        Ended::Abandoned => return Err(blame::stuck(component, &component.id, None)),
        Ended::NotStarted(cause) => return Err(blame::not_started(&component.id, cause)),
    };
    done.map_err(|error| {
        blame::exporter_failed(
            component,
            &error,
            op.cancel(),
            &component.id,
            A_DAY.as_secs(),
        )
    })
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
    let conversation = Conversation::choose(finder, driver, selector, setup)?;
    let device = conversation.hold(|driver, _| driver.info().map_err(Failure::Driver))?;
    Ok(conversation.introduce(device))
}

/// Asks the chosen meter what its clock shows.
///
/// # Errors
/// As [`query_info`], and when the meter tells no time.
pub fn query_clock(
    finder: &Finder<'_>,
    driver: Option<&str>,
    selector: &Selector,
    setup: &RunSetup,
) -> Result<MeterInfo, Problem> {
    let conversation = Conversation::choose(finder, driver, selector, setup)?;
    let device = conversation.hold(with_clock)?;
    Ok(conversation.introduce(device))
}

/// The description of an open meter with its clock, which some tell only when asked for it.
pub(super) fn with_clock(driver: &mut OpenDriver, job: &SourceJob) -> Result<DeviceInfo, Failure> {
    let mut device = driver.info().map_err(Failure::Driver)?;
    if device.clock.is_none() {
        if !job.component.abilities().contains(&Ability::ReadClock) {
            return Err(cannot(job, Ability::ReadClock).into());
        }
        let clock = driver.clock().map_err(Failure::Driver)?;
        device.clock = Some(clock.local);
        device.clock_resolution_s = Some(clock.resolution_s);
        device.clock_read_us = Some(job.op.time().utc_us());
    }
    Ok(device)
}
