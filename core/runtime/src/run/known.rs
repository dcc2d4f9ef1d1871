//! What is known beyond this run's reads: which readings of the journal each sink is to be given.

use std::collections::{BTreeSet, HashMap};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use glucopipe_sdk::batch::Texts;
use glucopipe_sdk::driver::Query;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::plan::{Plan, PlannedSink, PlannedSource, PlannedTransform};
use super::sink::Fate;
use crate::device::Selector;
use crate::journal::{Destination, Journal, MeterKey, Pending, SinkKey, SourceKey};
use crate::problem::{Code, Problem};

/// Where a run keeps what it reads, and takes what it has not delivered.
pub struct Keep<'j> {
    /// The journal.
    pub journal: &'j mut Journal,
    /// The pipeline file: with the name of a source it says whose history a run goes on with.
    pub pipeline: String,
    /// The transcript that the run writes.
    pub transcript: Option<PathBuf>,
    /// Read no meter: deliver what the journal has.
    pub replay: Option<Replay>,
    /// Read all that a meter holds, also what the journal has.
    pub full: bool,
}

/// What to deliver from the journal.
#[derive(Clone, Copy, Debug, Default)]
pub struct Replay {
    /// Also what a sink has answered for.
    pub again: bool,
    /// The earliest local time of what is offered to a sink that takes only what is new, microseconds.
    pub since: Option<i64>,
}

/// What one sink is to be given.
pub(super) struct Need {
    /// Whether it is served at all.
    pub(super) fate: Fate,
    /// The sink in the journal.
    pub(super) sink: Option<SinkKey>,
    /// What it has not answered for.
    pub(super) pending: Pending,
    /// The keys of those that come to it under another id.
    renamed: HashMap<Uuid, i64>,
    /// The sessions it is to be given readings of.
    pub(super) sessions: BTreeSet<i64>,
    /// Whether it is to be given no others of them than those pending.
    pub(super) only_pending: bool,
    /// Whether what is left out on the way to it is left out for good.
    pub(super) lasting: bool,
}

impl Need {
    /// A sink that gets what this run reads, and nothing else.
    pub(super) fn fresh(fate: Fate) -> Self {
        Self {
            fate,
            sink: None,
            pending: Pending::default(),
            renamed: HashMap::new(),
            sessions: BTreeSet::new(),
            only_pending: false,
            lasting: false,
        }
    }

    /// The rows of a journalled session that the sink is to be given.
    pub(super) fn rows(&self, batch: &RecordBatch) -> Result<RecordBatch, glucopipe_sdk::Error> {
        if !self.only_pending {
            return Ok(batch.clone());
        }
        let ids = Texts::of(batch, "reading_id")?;
        let wanted: BooleanArray = (0..ids.len())
            .map(|row| Some(self.key(ids.get(row)).is_some()))
            .collect();
        Ok(filter_record_batch(batch, &wanted)?)
    }

    /// The key of a reading that is pending.
    pub(super) fn key(&self, reading_id: Option<&str>) -> Option<i64> {
        let id = Uuid::try_parse(reading_id?).ok()?;
        let key = self.pending.readings.get(&id);
        key.or_else(|| self.renamed.get(&id)).copied()
    }

    /// Takes note of ids that transforms gave, with those from before.
    pub(super) fn rename(&mut self, former_ids: &HashMap<Uuid, Uuid>) {
        for (given, former) in former_ids {
            if let Some(key) = self.pending.readings.get(former) {
                self.renamed.insert(*given, *key);
            }
        }
    }
}

/// The sources and transforms that a node is fed from, however far away.
pub(super) fn upstream<'a>(
    inputs: &'a [String],
    transforms: &'a [PlannedTransform],
) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut open: Vec<&str> = inputs.iter().map(String::as_str).collect();
    while let Some(name) = open.pop() {
        if found.insert(name)
            && let Some(transform) = transforms.iter().find(|one| one.name == name)
        {
            open.extend(transform.inputs.iter().map(String::as_str));
        }
    }
    found
}

impl Keep<'_> {
    /// What need not be read of the meters of a driver. A recording is to be of a whole read, and so is what
    /// is read from one.
    pub(super) fn query(&self, family: &str, transport: &str) -> Result<Option<Query>, Problem> {
        let recorded = self.transcript.is_some() || matches!(transport, "file" | "replay");
        if self.full || recorded {
            return Ok(None);
        }
        let known = self.journal.newest(family)?;
        Ok((!known.is_empty()).then_some(Query { known }))
    }

    /// The source of this pipeline, as the journal knows it.
    pub(super) fn key(&self, source: &PlannedSource) -> SourceKey {
        SourceKey {
            pipeline: self.pipeline.clone(),
            source: source.name.clone(),
            device: source.asked.clone(),
        }
    }

    /// The meters that a source stands for: those its selector names, and those it has read.
    pub(super) fn meters(&self, source: &PlannedSource) -> Result<BTreeSet<MeterKey>, Problem> {
        let driver = source.driver.as_ref().map(|driver| driver.id.as_str());
        let journal = &self.journal;
        let mut meters: BTreeSet<MeterKey> = match (&source.selector, driver) {
            (Selector::Virtual(meter), Some(driver)) => journal
                .meter(driver, &meter.serial())?
                .into_iter()
                .collect(),
            (Selector::Serial(serial), _) => journal
                .meters_with_serial(driver, serial)?
                .into_iter()
                .collect(),
            _ => BTreeSet::new(),
        };
        meters.extend(journal.meters_of(&self.pipeline, &source.name)?);
        if meters.is_empty() && self.replay.is_some() && matches!(source.selector, Selector::Any) {
            meters.extend(self.only_meter(driver, &source.name)?);
        }
        Ok(meters)
    }

    /// The meters that the sources of a plan stand for, as far as that is known.
    pub fn all_meters(&self, plan: &Plan) -> BTreeSet<MeterKey> {
        let meters = plan.sources.iter().map(|source| self.meters(source));
        meters.filter_map(Result::ok).flatten().collect()
    }

    /// For a pipeline that has not read anything yet: the one meter it can mean.
    fn only_meter(&self, driver: Option<&str>, source: &str) -> Result<Option<MeterKey>, Problem> {
        let known = self.journal.real_meters(driver)?;
        match known.as_slice() {
            [] => Ok(None),
            [(meter, _)] => Ok(Some(*meter)),
            several => {
                let title = format!("the journal has more than one meter for `{source}`");
                let problem = Problem::error(Code::DEVICE_CHOICE, title);
                let problem = several
                    .iter()
                    .fold(problem, |problem, (_, model)| problem.cause(model.clone()));
                Err(problem.kept("nothing was delivered").hint(format!(
                    "choose one, with `device = \"serial:…\"` in [sources.{source}]"
                )))
            }
        }
    }

    /// What a sink is to be given; `meters` are those of its sources, `fresh` says whether one of them was
    /// read in this run.
    pub(super) fn need(
        &mut self,
        sink: &PlannedSink,
        meters: &BTreeSet<MeterKey>,
        fresh: bool,
    ) -> Result<Need, Problem> {
        if self.replay.is_some() && meters.is_empty() {
            let title = format!("the journal has nothing for `{}`", sink.name);
            return Err(Problem::error(Code::JOURNAL_UNKNOWN, title)
                .cause("this pipeline has not read a meter for it yet")
                .kept("what was there before is intact")
                .hint("run the pipeline once with the meter attached"));
        }
        let snapshot = sink.is_snapshot();
        let meters: Vec<MeterKey> = meters.iter().copied().collect();
        let destination = Destination {
            identity: sink.identity.clone(),
            exporter: sink.component.id.clone(),
            wants: sink.wants,
            way: Some(sink.way.text()),
            pipeline: self.pipeline.clone(),
            name: sink.name.clone(),
        };
        let key = self.journal.sink(&destination, &meters)?;
        let replay = self.replay.as_ref();
        // A snapshot is whole or it is none, so only others can be given a part.
        let (again, since) = match replay.filter(|_| !snapshot) {
            Some(replay) => (replay.again, replay.since),
            None => (false, None),
        };
        let pending = self.journal.pending(key, &meters, again, since)?;
        let backlog = !pending.readings.is_empty();
        let sessions = if snapshot {
            self.journal.sessions(&meters)?.into_iter().collect()
        } else {
            pending.sessions.clone()
        };
        let fate = match replay {
            Some(_) if snapshot && !sessions.is_empty() => Fate::Serve,
            _ if backlog || (snapshot && fresh) => Fate::Serve,
            Some(_) => Fate::NothingNew,
            None if fresh => Fate::NothingNew,
            None => Fate::Unfed,
        };
        Ok(Need {
            fate,
            sink: Some(key),
            pending,
            renamed: HashMap::new(),
            sessions,
            only_pending: !snapshot,
            lasting: sink.way.lasting,
        })
    }
}

/// SHA-256 of a file, hexadecimal.
pub(super) fn digest(path: &Path) -> Option<String> {
    let mut file = File::open(path).ok()?;
    let (mut hash, mut piece) = (Sha256::new(), vec![0; 64 << 10]);
    loop {
        match file.read(&mut piece).ok()? {
            0 => break,
            len => hash.update(&piece[..len]),
        }
    }
    let digest = hash.finalize();
    Some(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}
