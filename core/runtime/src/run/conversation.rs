//! One conversation with one chosen meter, outside a pipeline.

use std::sync::Arc;
use std::time::Duration;

use glucopipe_sdk::Error;
use glucopipe_sdk::driver::DeviceInfo;
use glucopipe_sdk::ffi::guard::guard;
use serde_json::json;

use super::blame;
use super::engine::{Limits, RunSetup};
use super::query::MeterInfo;
use super::source::{SourceJob, clock_offset};
use super::watch::{Ended, watch};
use crate::config::DEFAULT_TIMEOUT_SECS;
use crate::device::{Device, Finder, Selector};
use crate::host::{OpenDriver, Operation};
use crate::plugin::Component;
use crate::problem::Problem;

/// Name of the one source in messages.
const NODE: &str = "meter";

/// Why a conversation failed.
pub(super) enum Failure {
    /// The driver's words.
    Driver(Error),
    /// Known to the last word.
    Known(Box<Problem>),
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Known(Box::new(problem))
    }
}

/// A chosen meter; nothing is said to it before [`Conversation::hold`].
pub(super) struct Conversation {
    job: Arc<SourceJob>,
}

impl Conversation {
    /// Chooses the meter.
    pub(super) fn choose(
        finder: &Finder<'_>,
        driver: Option<&str>,
        selector: &Selector,
        setup: &RunSetup,
    ) -> Result<Self, Problem> {
        let (component, device) = finder.choose(driver, selector)?;
        Ok(Self::with(component, device, setup))
    }

    /// Takes a meter that was chosen.
    pub(super) fn with(component: Arc<Component>, mut device: Device, setup: &RunSetup) -> Self {
        if let Some(recorder) = &setup.recorder {
            device.record(recorder.clone());
        }
        let (label, transport) = (device.label.clone(), device.transport());
        let mut operation = setup.operation(NODE);
        operation.device = Some(device);
        Self {
            job: Arc::new(SourceJob {
                name: NODE.to_owned(),
                component,
                config: json!({}),
                label,
                transport,
                query: None,
                timeout_secs: DEFAULT_TIMEOUT_SECS,
                op: Arc::new(Operation::start(operation)),
                clock: setup.clock.clone(),
            }),
        }
    }

    /// How the device is named to people.
    pub(super) fn label(&self) -> &str {
        &self.job.label
    }

    /// Opens the meter and talks to it, under a limit.
    pub(super) fn hold<T: Send + 'static>(
        &self,
        talk: impl FnOnce(&mut OpenDriver, &SourceJob) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Problem> {
        let job = self.job.clone();
        let work = move || {
            guard(|| {
                Ok(
                    OpenDriver::open(job.component.clone(), job.op.clone(), &job.config)
                        .map_err(Failure::Driver)
                        .and_then(|mut driver| talk(&mut driver, &job)),
                )
            })
        };
        let limit = Duration::from_secs(self.job.timeout_secs);
        let grace = Limits::default().grace;
        match watch(NODE, self.job.op.cancel(), limit, grace, work) {
            Ended::Returned(Ok(outcome)) => outcome.map_err(|failure| match failure {
                Failure::Driver(error) => self.job.blame(&error),
                Failure::Known(problem) => *problem,
            }),
            Ended::Returned(Err(bug)) => Err(blame::bug(NODE, &bug)),
            Ended::Abandoned => Err(blame::stuck(&self.job.component, NODE, None)),
            Ended::NotStarted(cause) => Err(blame::not_started(NODE, cause)),
        }
    }

    /// Names the meter that was asked.
    pub(super) fn introduce(&self, device: DeviceInfo) -> MeterInfo {
        MeterInfo {
            clock_offset_s: clock_offset(&device, &self.job.clock),
            label: self.job.label.clone(),
            driver: self.job.component.versioned(),
            device,
        }
    }
}
