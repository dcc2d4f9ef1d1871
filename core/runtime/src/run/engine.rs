//! The run itself: a thread per source and per sink, transforms in between, deadlines over all.

use std::collections::{HashMap, HashSet};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use glucopipe_sdk::ffi::guard::guard;

use super::apply::apply;
use super::blame;
use super::plan::{Plan, PlannedSink, PlannedSource};
use super::report::{Outcome, RunReport, SinkReport, SourceReport, SourceStatus, TransformReport};
pub use super::running::Limits;
use super::running::Running;
use super::sink::{Delivery, SinkJob};
use super::source::{SourceJob, SourceRead, failed_source};
use crate::cancel::{Cancel, Reason};
use crate::clock::Clock;
use crate::config::{Component as Kind, Loaded};
use crate::device::Finder;
use crate::host::{Logger, Operation, OperationSetup, ProgressSink};
use crate::problem::{Code, Problem};
use crate::transform::ReadContext;
use crate::transport::record::Recorder;

/// Reads that may wait for a sink; a sink takes them at once until the last one.
const CHANNEL: usize = 4;

/// What a run is made with.
pub struct RunSetup {
    /// Stops the run.
    pub cancel: Cancel,
    /// The computer's clock.
    pub clock: Clock,
    /// Where log lines go.
    pub logger: Logger,
    /// Where progress goes.
    pub progress: Option<ProgressSink>,
    /// Writes down what goes over links.
    pub recorder: Option<Recorder>,
    /// Write and send nothing.
    pub dry_run: bool,
}

enum Event {
    Source(usize, Box<SourceRead>),
    Sink(usize, Box<SinkReport>),
    Cancelled,
}

struct Engine<'a> {
    setup: &'a RunSetup,
    limits: &'a Limits,
    plan: Plan,
    events: Sender<Event>,
    transforms: Vec<TransformReport>,
    warnings: Vec<Problem>,
}

/// Runs a plan.
pub fn run(plan: Plan, loaded: &mut Loaded, finder: &Finder<'_>, setup: &RunSetup) -> RunReport {
    run_within(plan, loaded, finder, setup, &Limits::default())
}

/// Runs a plan within limits of its own.
pub fn run_within(
    plan: Plan,
    loaded: &mut Loaded,
    finder: &Finder<'_>,
    setup: &RunSetup,
    limits: &Limits,
) -> RunReport {
    let began = Instant::now();
    let started = setup
        .clock
        .now()
        .to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let pipeline = plan.name.clone();
    let (events, inbox) = channel();
    let cancelled = events.clone();
    setup.cancel.on_set(move |_| {
        // Nobody listens any more when the run is over.
        let _ = cancelled.send(Event::Cancelled);
    });
    let transforms = plan
        .transforms
        .iter()
        .map(|one| TransformReport {
            name: one.name.clone(),
            kind: one.kind.clone(),
            ..TransformReport::default()
        })
        .collect();
    let mut engine = Engine {
        setup,
        limits,
        plan,
        events,
        transforms,
        warnings: Vec::new(),
    };
    let (sources, sinks) = engine.drive(loaded, finder, &inbox);
    let outcome = outcome(setup, &sources, &engine.transforms, &sinks);
    RunReport {
        glucopipe: env!("CARGO_PKG_VERSION"),
        pipeline,
        started,
        seconds: began.elapsed().as_secs_f64(),
        dry_run: setup.dry_run,
        outcome,
        sources,
        transforms: engine.transforms,
        sinks,
        warnings: engine.warnings,
    }
}

impl RunSetup {
    /// An operation for a node, without a device.
    pub fn operation(&self, node: &str) -> OperationSetup {
        OperationSetup {
            node: node.to_owned(),
            cancel: self.cancel.child(),
            clock: self.clock.clone(),
            logger: self.logger.clone(),
            progress: self.progress.clone(),
            device: None,
        }
    }
}

impl Engine<'_> {
    fn drive(
        &mut self,
        loaded: &mut Loaded,
        finder: &Finder<'_>,
        inbox: &Receiver<Event>,
    ) -> (Vec<SourceReport>, Vec<SinkReport>) {
        let usable = Arc::new(OnceLock::new());
        let (mut sinks, mut senders) = (Vec::new(), Vec::new());
        for (index, sink) in std::mem::take(&mut self.plan.sinks).into_iter().enumerate() {
            let (sender, receiver) = sync_channel(CHANNEL);
            senders.push((sink.inputs.clone(), sender));
            sinks.push(self.start_sink(index, sink, receiver, &usable));
        }
        let planned = std::mem::take(&mut self.plan.sources);
        let mut source_reports: Vec<Option<SourceReport>> = planned.iter().map(|_| None).collect();
        let mut sources: Vec<Option<Running<SourceJob>>> = Vec::new();
        let mut taken = HashSet::new();
        for (index, source) in planned.into_iter().enumerate() {
            match self.prepare_source(&source, loaded, finder, &mut taken) {
                Ok(job) => sources.push(Some(self.start_source(index, job))),
                Err(problem) => {
                    source_reports[index] = Some(failed_source(&source.name, problem));
                    sources.push(None);
                }
            }
        }

        let mut fed: Vec<bool> = vec![false; sinks.len()];
        while source_reports.iter().any(Option::is_none) {
            let due = sources.iter().flatten().filter_map(Running::due).min();
            // All that is waiting, before anybody is given up: a source may have ended long ago.
            for event in waiting(inbox, due) {
                if let Event::Source(index, read) = event {
                    let running = sources[index].as_mut().filter(|running| !running.done);
                    if let Some(running) = running {
                        running.done = true;
                        let SourceRead {
                            readings,
                            report,
                            warnings,
                        } = *read;
                        source_reports[index] = Some(report);
                        self.warnings.extend(warnings);
                        if let Some((context, batch)) = readings {
                            let offset = self.distribute(&context, batch, &senders, &mut fed);
                            let report = source_reports[index].as_mut();
                            if let Some((report, offset)) = report.zip(offset) {
                                report.clock_offset_s = Some(offset);
                            }
                        }
                    }
                }
            }
            let now = Instant::now();
            for (index, running) in sources.iter_mut().enumerate() {
                let Some(running) = running else { continue };
                if running.expire(now, &self.setup.cancel, self.limits.grace) {
                    running.done = true;
                    let problem = blame::stuck(&running.job.component, &running.job.name);
                    source_reports[index] = Some(running.job.failed(problem).report);
                }
            }
        }

        // A sink that got nothing, because nothing was read for it, leaves its target alone.
        let _ = usable.set(fed);
        drop(senders);
        let mut sinks = self.finish_sinks(sinks, inbox);
        for report in &mut sinks {
            let Some(key) = report.key.take() else {
                continue;
            };
            let path: Vec<&str> = key.split('.').collect();
            let place = loaded.place(&report.name, &path);
            report.error = report.error.take().map(|problem| problem.at(place));
        }
        (source_reports.into_iter().flatten().collect(), sinks)
    }

    fn prepare_source(
        &self,
        source: &PlannedSource,
        loaded: &mut Loaded,
        finder: &Finder<'_>,
        taken: &mut HashSet<String>,
    ) -> Result<SourceJob, Problem> {
        let name = source.driver.as_ref().map(|driver| driver.id.as_str());
        let place = loaded.place(&source.name, &[]);
        let placed = |problem: Problem| match problem.place {
            None => problem.at(place.clone()),
            Some(_) => problem,
        };
        let (component, mut device) = finder.choose(name, &source.selector).map_err(placed)?;
        // Two conversations with one meter would hang it.
        if let Some(node) = device.node()
            && !taken.insert(node)
        {
            let title = format!(
                "`{}` means {}, which another source reads",
                source.name, device.label
            );
            return Err(placed(
                Problem::error(Code::DEVICE_CHOICE, title)
                    .kept("the other source is read")
                    .hint("choose another meter with `device`, or use one source for both"),
            ));
        }
        if source.driver.is_none() {
            loaded.check_options(Kind::Driver, &source.name, &component.about.config_schema);
        }
        let Some(config) = loaded.resolve(Kind::Driver, &source.name) else {
            let wrong = loaded
                .problems()
                .iter()
                .rev()
                .find(|p| p.code.area() == 1)
                .cloned();
            return Err(wrong.unwrap_or_else(|| {
                Problem::error(
                    Code::CONFIG_VALUE,
                    format!("`{}` is not configured", source.name),
                )
            }));
        };
        if let Some(recorder) = &self.setup.recorder {
            device.record(recorder.clone());
        }
        let label = device.label.clone();
        let mut setup = self.setup.operation(&source.name);
        setup.device = Some(device);
        Ok(SourceJob {
            name: source.name.clone(),
            component,
            config: config.expose().clone(),
            label,
            timeout_secs: source.timeout_secs,
            op: Arc::new(Operation::start(setup)),
            clock: self.setup.clock.clone(),
        })
    }

    fn start_source(&self, index: usize, job: SourceJob) -> Running<SourceJob> {
        let deadline = Instant::now() + Duration::from_secs(job.timeout_secs);
        let (job, events) = (Arc::new(job), self.events.clone());
        let running = Running::new(job.clone(), job.op.cancel().clone(), Some(deadline));
        spawn(format!("source {}", job.name), move || {
            let read = guard(|| Ok(job.read()));
            let read = read.unwrap_or_else(|bug| job.failed(blame::bug(&job.name, &bug)));
            let _ = events.send(Event::Source(index, Box::new(read)));
        });
        running
    }

    fn start_sink(
        &self,
        index: usize,
        sink: PlannedSink,
        deliveries: Receiver<Delivery>,
        usable: &Arc<OnceLock<Vec<bool>>>,
    ) -> Running<SinkJob> {
        let job = Arc::new(SinkJob {
            op: Arc::new(Operation::start(self.setup.operation(&sink.name))),
            name: sink.name,
            pipeline: self.plan.name.clone(),
            component: sink.component,
            config: sink.config,
            timeout_secs: sink.timeout_secs,
            dry_run: self.setup.dry_run,
        });
        let (worker, events, usable) = (job.clone(), self.events.clone(), usable.clone());
        spawn(format!("sink {}", job.name), move || {
            let fed = || {
                usable
                    .get()
                    .is_some_and(|fed| fed.get(index) == Some(&true))
            };
            let report = guard(|| Ok(worker.serve(&deliveries, fed)));
            let report = report.unwrap_or_else(|bug| worker.failed(blame::bug(&worker.name, &bug)));
            let _ = events.send(Event::Sink(index, Box::new(report)));
        });
        let cancel = job.op.cancel().clone();
        Running::new(job, cancel, None)
    }

    /// Sends one read through the transforms to the sinks.
    ///
    /// Returns the clock offset as the first `clock` transform measured it in its zone, which is better
    /// than this computer's.
    fn distribute(
        &mut self,
        context: &ReadContext,
        batch: RecordBatch,
        senders: &[(Vec<String>, SyncSender<Delivery>)],
        fed: &mut [bool],
    ) -> Option<i64> {
        let mut offset = None;
        let mut outputs: HashMap<String, Vec<RecordBatch>> =
            HashMap::from([(context.source.clone(), vec![batch])]);
        let mut transforms = std::mem::take(&mut self.plan.transforms);
        for (transform, report) in transforms.iter_mut().zip(&mut self.transforms) {
            let inputs: Vec<RecordBatch> = transform
                .inputs
                .iter()
                .filter_map(|input| outputs.get(input))
                .flatten()
                .cloned()
                .collect();
            let mut given = Vec::with_capacity(inputs.len());
            for batch in inputs {
                let operation = self.setup.operation(&transform.name);
                match apply(transform, batch, context, operation, self.limits, report) {
                    Ok(outcome) => {
                        offset = offset.or(outcome.clock_offset_s);
                        given.push(outcome.batch);
                        for warning in outcome.warnings {
                            if !self.warnings.contains(&warning) {
                                self.warnings.push(warning);
                            }
                        }
                    }
                    Err(problem) => report.error = Some(problem),
                }
            }
            if report.error.is_none() && !given.is_empty() {
                outputs.insert(transform.name.clone(), given);
            }
        }
        self.plan.transforms = transforms;
        for ((inputs, sender), fed) in senders.iter().zip(fed) {
            for batch in inputs
                .iter()
                .filter_map(|input| outputs.get(input))
                .flatten()
            {
                *fed = true;
                // A sink that is gone has reported why.
                let _ = sender.send(batch.clone());
            }
        }
        offset
    }

    fn finish_sinks(
        &self,
        mut sinks: Vec<Running<SinkJob>>,
        inbox: &Receiver<Event>,
    ) -> Vec<SinkReport> {
        let mut reports: Vec<Option<SinkReport>> = sinks.iter().map(|_| None).collect();
        let began = Instant::now();
        for sink in &mut sinks {
            sink.deadline = Some(began + Duration::from_secs(sink.job.timeout_secs));
        }
        while reports.iter().any(Option::is_none) {
            let due = sinks.iter().filter_map(Running::due).min();
            for event in waiting(inbox, due) {
                if let Event::Sink(index, report) = event
                    && !sinks[index].done
                {
                    sinks[index].done = true;
                    reports[index] = Some(*report);
                }
            }
            let now = Instant::now();
            for (index, sink) in sinks.iter_mut().enumerate() {
                if sink.expire(now, &self.setup.cancel, self.limits.grace) {
                    sink.done = true;
                    let problem = blame::stuck(&sink.job.component, &sink.job.name);
                    reports[index] = Some(sink.job.failed(problem));
                }
            }
        }
        reports.into_iter().flatten().collect()
    }
}

/// Starts a thread; plugins may keep it, so it is not waited for.
fn spawn(name: String, work: impl FnOnce() + Send + 'static) {
    let spawned = thread::Builder::new().name(name).spawn(work);
    // Without threads nothing can be done; the deadline of the node reports it.
    drop(spawned);
}

/// The next event, at most until `due`, and all that wait behind it.
fn waiting(inbox: &Receiver<Event>, due: Option<Instant>) -> impl Iterator<Item = Event> {
    receive(inbox, due).into_iter().chain(inbox.try_iter())
}

/// The next event, at most until `due`.
fn receive(inbox: &Receiver<Event>, due: Option<Instant>) -> Option<Event> {
    match due {
        None => inbox.recv().ok(),
        Some(due) => inbox
            .recv_timeout(due.saturating_duration_since(Instant::now()))
            .ok(),
    }
}

fn outcome(
    setup: &RunSetup,
    sources: &[SourceReport],
    transforms: &[TransformReport],
    sinks: &[SinkReport],
) -> Outcome {
    let served = |sink: &SinkReport| sink.error.is_none();
    let all_well = sources
        .iter()
        .all(|source| source.status == SourceStatus::Complete)
        && transforms.iter().all(|transform| transform.error.is_none())
        && sinks.iter().all(|sink| served(sink) && sink.rejected == 0);
    if all_well {
        Outcome::Done
    } else if setup.cancel.reason() == Some(Reason::Interrupted) {
        Outcome::Interrupted
    } else if sinks.iter().any(served) {
        Outcome::Partial
    } else {
        Outcome::Failed
    }
}
