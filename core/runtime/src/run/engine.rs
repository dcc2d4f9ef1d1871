//! The run itself: a thread per source and per sink, transforms in between, deadlines over all.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use glucopipe_sdk::ffi::guard::guard;

use super::blame;
use super::flow::Flow;
use super::known::{Keep, Need};
use super::plan::{Plan, PlannedSink, PlannedSource, Step};
use super::report::{Outcome, RunReport, SinkReport, SourceReport, SourceStatus, TransformReport};
pub use super::running::Limits;
use super::running::Running;
use super::sink::{Delivery, SinkJob};
use super::source::{SourceJob, SourceRead, failed_source, replayed_source};
use super::supply::Fresh;
use crate::cancel::{Cancel, Reason};
use crate::clock::Clock;
use crate::config::{Component as Kind, Loaded};
use crate::device::Finder;
use crate::host::{Logger, Operation, OperationSetup, ProgressSink};
use crate::problem::{Code, Problem};
use crate::transport::record::Recorder;

/// Reads that may wait for a sink; a sink takes them at once until the last one.
const CHANNEL: usize = 4;

/// Schema metadata with the pipeline's name.
const PIPELINE_KEY: &str = "glucopipe.pipeline";

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

pub(super) struct Engine<'a> {
    pub(super) setup: &'a RunSetup,
    pub(super) keep: Option<Keep<'a>>,
    pub(super) sources: Vec<PlannedSource>,
    pub(super) sinks: Vec<PlannedSink>,
    pub(super) flow: Flow<'a>,
    pipeline: String,
    limits: &'a Limits,
    events: Sender<Event>,
}

/// Runs a plan without a journal: every sink gets what is read now.
pub fn run(plan: Plan, loaded: &mut Loaded, finder: &Finder<'_>, setup: &RunSetup) -> RunReport {
    run_within(plan, loaded, finder, setup, &Limits::default())
}

/// The same within limits of its own.
pub fn run_within(
    plan: Plan,
    loaded: &mut Loaded,
    finder: &Finder<'_>,
    setup: &RunSetup,
    limits: &Limits,
) -> RunReport {
    run_through(plan, loaded, finder, setup, limits, None)
}

/// Runs a plan with a journal: every sink gets what it is to be given of all that is known.
pub fn run_kept(
    plan: Plan,
    loaded: &mut Loaded,
    finder: &Finder<'_>,
    setup: &RunSetup,
    keep: Keep<'_>,
) -> RunReport {
    run_through(plan, loaded, finder, setup, &Limits::default(), Some(keep))
}

fn run_through<'a>(
    plan: Plan,
    loaded: &mut Loaded,
    finder: &Finder<'_>,
    setup: &'a RunSetup,
    limits: &'a Limits,
    keep: Option<Keep<'a>>,
) -> RunReport {
    let began = Instant::now();
    let started = setup
        .clock
        .now()
        .to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
    let (events, inbox) = channel();
    let cancelled = events.clone();
    setup.cancel.on_set(move |_| {
        // Nobody listens any more when the run is over.
        let _ = cancelled.send(Event::Cancelled);
    });
    let mut engine = Engine {
        setup,
        keep,
        sources: plan.sources,
        sinks: plan.sinks,
        flow: Flow::new(setup, limits, plan.transforms),
        pipeline: plan.name,
        limits,
        events,
    };
    let (sources, sinks) = engine.drive(loaded, finder, &inbox);
    let Flow {
        reports: transforms,
        warnings,
        ..
    } = engine.flow;
    let outcome = outcome(setup, &sources, &transforms, &sinks);
    RunReport {
        glucopipe: env!("CARGO_PKG_VERSION"),
        pipeline: engine.pipeline,
        started,
        seconds: began.elapsed().as_secs_f64(),
        dry_run: setup.dry_run,
        outcome,
        sources,
        transforms,
        sinks,
        warnings,
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

/// The way to a sink.
pub(super) type Way = SyncSender<Delivery>;

impl Engine<'_> {
    fn drive(
        &mut self,
        loaded: &mut Loaded,
        finder: &Finder<'_>,
        inbox: &Receiver<Event>,
    ) -> (Vec<SourceReport>, Vec<SinkReport>) {
        let (mut running, mut ways) = (Vec::new(), Vec::new());
        for (index, sink) in self.sinks.iter().enumerate() {
            let (way, deliveries) = sync_channel(CHANNEL);
            ways.push(way);
            running.push(self.start_sink(index, sink, deliveries));
        }
        let replays = self.keep.as_ref().is_some_and(|keep| keep.replay.is_some());
        let (mut sources, fresh) = if replays {
            let sources = self.sources.iter();
            sources
                .map(|one| (replayed_source(&one.name), None))
                .unzip()
        } else {
            self.read_sources(loaded, finder, inbox)
        };
        let (turn, needs) = self.supply(fresh, &mut sources, &ways);
        for transform in &mut self.flow.transforms {
            if let Step::Builtin(builtin) = &mut transform.step {
                self.flow.warnings.extend(builtin.finish());
            }
        }
        for (way, need) in ways.into_iter().zip(&needs) {
            // A sink that is gone has reported why.
            let _ = way.send(Delivery::End(need.fate.clone()));
        }
        let mut sinks = self.finish_sinks(running, inbox, &needs);
        drop(turn);
        for report in &mut sinks {
            let Some(key) = report.key.take() else {
                continue;
            };
            let path: Vec<&str> = key.split('.').collect();
            let place = loaded.place(&report.name, &path);
            report.error = report.error.take().map(|problem| problem.at(place));
        }
        (sources, sinks)
    }

    /// Reads all sources at once; what came is in the journal on return.
    fn read_sources(
        &mut self,
        loaded: &mut Loaded,
        finder: &Finder<'_>,
        inbox: &Receiver<Event>,
    ) -> (Vec<SourceReport>, Vec<Option<Fresh>>) {
        let mut reports: Vec<Option<SourceReport>> = Vec::new();
        let mut sources: Vec<Option<Running<SourceJob>>> = Vec::new();
        let mut taken = HashSet::new();
        for (index, source) in self.sources.iter().enumerate() {
            match self.prepare_source(source, loaded, finder, &mut taken) {
                Ok(job) => {
                    sources.push(Some(self.start_source(index, job)));
                    reports.push(None);
                }
                Err(problem) => {
                    sources.push(None);
                    reports.push(Some(failed_source(&source.name, problem)));
                }
            }
        }
        let mut fresh: Vec<Option<Fresh>> = sources.iter().map(|_| None).collect();
        while reports.iter().any(Option::is_none) {
            let due = sources.iter().flatten().filter_map(Running::due).min();
            // All that is waiting, before anybody is given up: a source may have ended long ago.
            for event in waiting(inbox, due) {
                if let Event::Source(index, read) = event {
                    let running = sources[index].as_mut().filter(|running| !running.done);
                    if let Some(running) = running {
                        running.done = true;
                        let SourceRead {
                            came,
                            mut report,
                            warnings,
                        } = *read;
                        self.flow.warnings.extend(warnings);
                        fresh[index] = came.and_then(|came| self.take_in(index, came, &mut report));
                        reports[index] = Some(report);
                    }
                }
            }
            let now = Instant::now();
            for (index, running) in sources.iter_mut().enumerate() {
                let Some(running) = running else { continue };
                if running.expire(now, &self.setup.cancel, self.limits.grace) {
                    running.done = true;
                    let job = &running.job;
                    let over = blame::overdue(job.op.cancel(), &job.name, job.timeout_secs);
                    let problem = blame::stuck(&job.component, &job.name, over);
                    reports[index] = Some(running.job.failed(problem).report);
                }
            }
        }
        (reports.into_iter().flatten().collect(), fresh)
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
        let component = finder.registry.moved(component, source.runtime)?;
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
        let transport = device.transport();
        let query = match &self.keep {
            Some(keep) => keep.query(&component.id, transport)?,
            None => None,
        };
        let mut setup = self.setup.operation(&source.name);
        setup.device = Some(device);
        Ok(SourceJob {
            name: source.name.clone(),
            component,
            config: config.expose().clone(),
            label,
            transport,
            query,
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

    /// What the readings of a sink say about themselves.
    fn metadata(&self, sink: &PlannedSink) -> BTreeMap<String, String> {
        let mut metadata = self.flow.says(&sink.inputs);
        metadata.insert(PIPELINE_KEY.to_owned(), self.pipeline.clone());
        metadata
    }

    fn start_sink(
        &self,
        index: usize,
        sink: &PlannedSink,
        deliveries: Receiver<Delivery>,
    ) -> Running<SinkJob> {
        let job = Arc::new(SinkJob {
            op: Arc::new(Operation::start(self.setup.operation(&sink.name))),
            name: sink.name.clone(),
            metadata: self.metadata(sink),
            component: sink.component.clone(),
            config: sink.config.clone(),
            wants: sink.wants,
            timeout_secs: sink.timeout_secs,
            dry_run: self.setup.dry_run,
        });
        let (worker, events) = (job.clone(), self.events.clone());
        spawn(format!("sink {}", job.name), move || {
            let report = guard(|| Ok(worker.serve(&deliveries)));
            let report = report.unwrap_or_else(|bug| worker.failed(blame::bug(&worker.name, &bug)));
            let _ = events.send(Event::Sink(index, Box::new(report)));
        });
        let cancel = job.op.cancel().clone();
        Running::new(job, cancel, None)
    }

    fn finish_sinks(
        &mut self,
        mut sinks: Vec<Running<SinkJob>>,
        inbox: &Receiver<Event>,
        needs: &[Need],
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
                    let mut report = *report;
                    // At once: what is noted is not sent again, whatever happens to this process.
                    self.settle(&needs[index], &mut report);
                    reports[index] = Some(report);
                }
            }
            let now = Instant::now();
            for (index, sink) in sinks.iter_mut().enumerate() {
                if sink.expire(now, &self.setup.cancel, self.limits.grace) {
                    sink.done = true;
                    let job = &sink.job;
                    let over = blame::overdue(job.op.cancel(), &job.name, job.timeout_secs);
                    let problem = blame::stuck(&job.component, &job.name, over);
                    let mut report = sink.job.failed(problem);
                    self.settle(&needs[index], &mut report);
                    reports[index] = Some(report);
                }
            }
        }
        reports.into_iter().flatten().collect()
    }

    fn settle(&mut self, need: &Need, report: &mut SinkReport) {
        self.flow.warnings.extend(report.warning.take());
        if let Some(keep) = self.keep.as_mut().filter(|_| !self.setup.dry_run) {
            let now = self.setup.clock.now();
            self.flow.warnings.extend(keep.settle(now, need, report));
        }
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
    let well = |source: &SourceReport| {
        matches!(
            source.status,
            SourceStatus::Complete | SourceStatus::Replayed
        )
    };
    let all_well = sources.iter().all(well)
        && transforms.iter().all(|transform| transform.error.is_none())
        && sinks
            .iter()
            .all(|sink| sink.error.is_none() && sink.rejected == 0);
    if all_well {
        Outcome::Done
    } else if setup.cancel.reason() == Some(Reason::Interrupted) {
        Outcome::Interrupted
    } else if sinks.iter().any(SinkReport::is_served) {
        Outcome::Partial
    } else {
        Outcome::Failed
    }
}
