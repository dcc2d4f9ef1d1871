//! A driver and the virtual meter it talks to in one process, so that the meter itself can be asked what
//! it noticed.

#![allow(
    clippy::unwrap_used,
    dead_code,
    unreachable_pub,
    reason = "a module of test programs, each of which uses its own part"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use arrow::array::AsArray;
use arrow::datatypes::TimestampMicrosecondType;
use chrono::{DateTime, NaiveDateTime, TimeDelta};
use glucopipe_emulator::{
    Audit, HidMeter, LocalTime, ModelEntry, Scenario, ScsiMeter, ScsiTransfer, faults_of, parse,
};
use glucopipe_sdk::driver::Driver;
use glucopipe_sdk::link::{Kind, ScsiData, ScsiStatus};
use glucopipe_sdk::testing::{Peer, Read, TestHost, TestSession};
use glucopipe_sdk::{Error, Result, Status};
use serde_json::json;

/// How long a driver waits for a disk.
const PATIENCE_MS: u32 = 5_000;

/// A meter that is plugged in once, however often its link is opened.
enum Plugged {
    Hid(Box<dyn HidMeter>),
    Scsi(Box<dyn ScsiMeter>),
}

/// The meter's end of the cable.
#[derive(Clone)]
struct Cable(Arc<Mutex<Plugged>>);

fn lost<E>(_: E) -> Error {
    Error::new(Status::Lost, "the device was disconnected")
}

fn other_link() -> Error {
    Error::new(Status::Unsupported, "the device has no link of this kind")
}

impl Peer for Cable {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        match &mut *self.0.lock().unwrap() {
            Plugged::Hid(meter) => meter.write(bytes).map_err(lost),
            Plugged::Scsi(_) => Err(other_link()),
        }
    }

    fn read(&mut self) -> Result<Option<Vec<u8>>> {
        Ok(self.read_within(0)?.0)
    }

    fn read_within(&mut self, wait_ms: u32) -> Result<(Option<Vec<u8>>, u32)> {
        match &mut *self.0.lock().unwrap() {
            Plugged::Hid(meter) => {
                let answer = meter.read(wait_ms).map_err(lost)?;
                let report = answer.report.map(|report| report.to_vec());
                Ok((report, answer.elapsed_ms))
            }
            Plugged::Scsi(_) => Err(other_link()),
        }
    }

    fn scsi(&mut self, cdb: &[u8], data: ScsiData<'_>) -> Result<ScsiStatus> {
        let Plugged::Scsi(meter) = &mut *self.0.lock().unwrap() else {
            return Err(other_link());
        };
        let data = match data {
            ScsiData::None => ScsiTransfer::None,
            ScsiData::From(bytes) => ScsiTransfer::In(bytes),
            ScsiData::To(bytes) => ScsiTransfer::Out(bytes),
        };
        let done = meter.command(cdb, data).map_err(lost)?;
        if done.elapsed_ms > PATIENCE_MS {
            return Err(Error::new(Status::Timeout, "nothing came in time"));
        }
        if done.stalled {
            return Err(Error::new(Status::Io, "the endpoint stalled"));
        }
        Ok(ScsiStatus {
            status: done.status.into(),
            residue: done.residue,
            sense: done.sense,
        })
    }
}

/// A driver at work on a virtual meter. Time is the meter's: it costs none.
pub struct Bench<D: Driver> {
    pub host: TestHost,
    pub session: TestSession<D>,
    pub scenario: Scenario,
    cable: Cable,
}

impl<D: Driver> Bench<D> {
    /// Plugs a virtual meter in and opens it.
    pub fn new(uri: &str) -> Self {
        let scenario = parse(uri).unwrap_or_else(|error| panic!("{uri}: {error}"));
        let (kind, link, plugged) = match scenario.scsi_meter() {
            Some(meter) => (Kind::Scsi, "scsi", Plugged::Scsi(meter)),
            None => (Kind::Hid, "hid", Plugged::Hid(scenario.meter())),
        };
        let usb = scenario.usb();
        let (vendor, product) = (
            format!("{:04x}", usb.vendor),
            format!("{:04x}", usb.product),
        );
        let cable = Cable(Arc::new(Mutex::new(plugged)));
        let host = TestHost::new()
            .with_device(json!({"link": link, "vendor": vendor, "product": product}))
            .with_link(kind, cable.clone());
        let session = host.open_driver(&json!({}));
        Self {
            session: session.unwrap_or_else(|error| panic!("{uri}: {error}")),
            host,
            scenario,
            cable,
        }
    }

    /// What the meter noticed so far.
    pub fn audit(&self) -> Audit {
        match &*self.cable.0.lock().unwrap() {
            Plugged::Hid(meter) => meter.audit(),
            Plugged::Scsi(meter) => meter.audit(),
        }
    }

    /// What the meter's clock shows.
    pub fn clock(&self) -> NaiveDateTime {
        civil(self.audit().clock.expect("a clock"))
    }

    /// Milliseconds of the host's time.
    pub fn now_ms(&self) -> u64 {
        self.host.op().monotonic_ms()
    }

    /// The meter broke no rule of its own, and is not in the middle of anything.
    pub fn assert_in_order(&self, what: &str) {
        let complaints = self.audit().complaints();
        assert!(complaints.is_empty(), "{what}: {complaints:?}");
    }
}

/// The meter's time as everybody else has it.
pub fn civil(time: LocalTime) -> NaiveDateTime {
    let time = DateTime::from_timestamp(time.to_seconds(), 0);
    time.expect("a time").naive_utc()
}

/// Time and value of each reading, in the order of the read.
pub type Rows = Vec<(NaiveDateTime, String)>;

/// What was read.
pub fn rows(read: &Read) -> Rows {
    let mut rows = Vec::new();
    for batch in &read.batches {
        let column = |name: &str| batch.column_by_name(name).expect("a column");
        let times = column("local_time").as_primitive::<TimestampMicrosecondType>();
        let values = column("raw_value").as_string::<i32>();
        for row in 0..batch.num_rows() {
            let time = DateTime::from_timestamp_micros(times.value(row));
            let time = time.expect("a time").naive_utc();
            rows.push((time, values.value(row).to_owned()));
        }
    }
    rows
}

/// What a correct reader reports, oldest first.
pub fn truth(scenario: &Scenario) -> Rows {
    let truth = scenario.truth().into_iter();
    let mut rows: Rows = truth
        .map(|one| (civil(one.local_time), one.raw_value))
        .collect();
    if scenario.model().key.starts_with("contour-") {
        return rows;
    }
    rows.reverse();
    rows
}

/// Whether these are some of those, in the same order.
fn is_part(part: &Rows, all: &Rows) -> bool {
    let mut all = all.iter();
    part.iter().all(|row| all.any(|other| other == row))
}

/// A read ended in one of the ways that are allowed: everything; or less, with the reason; or nothing,
/// with an error that says why. Says which.
pub fn assert_honest(what: &str, scenario: &Scenario, read: &Result<Read>) -> Ended {
    let read = match read {
        Ok(read) => read,
        Err(error) => {
            assert_clear(what, error);
            return Ended::Nothing;
        }
    };
    let (rows, truth) = (rows(read), truth(scenario));
    let report = read.report.as_ref().expect("a report");
    if report.complete {
        assert!(report.reasons.is_empty() && read.error.is_none(), "{what}");
        assert_eq!(rows, truth, "{what}");
        assert_eq!(report.set_aside.len(), scenario.set_aside().len(), "{what}");
        return Ended::Complete;
    }
    assert!(!report.reasons.is_empty(), "{what}");
    assert!(is_part(&rows, &truth), "{what}");
    match &read.error {
        Some(error) => assert_clear(what, error),
        None => assert!(!rows.is_empty() || !report.reasons.is_empty(), "{what}"),
    }
    if rows.is_empty() {
        Ended::Nothing
    } else {
        Ended::Incomplete
    }
}

/// How a read ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ended {
    Nothing,
    Incomplete,
    Complete,
}

/// An error that is the meter's fault and says something.
pub fn assert_clear(what: &str, error: &Error) {
    let blamed = [
        Status::Timeout,
        Status::Protocol,
        Status::Lost,
        Status::Io,
        Status::Precondition,
    ];
    assert!(blamed.contains(&error.status), "{what}: {error:?}");
    assert!(
        error.message.len() > 10 && !error.message.contains('\n'),
        "{what}: {error:?}"
    );
}

/// Names of all faults of these models.
pub fn faults(models: impl Iterator<Item = &'static ModelEntry>) -> Vec<String> {
    let all = models.flat_map(|model| faults_of(model.key));
    let names: BTreeSet<&str> = all.map(|fault| fault.name).collect();
    names.into_iter().map(str::to_owned).collect()
}

/// Tries each of these meters; counts what came of it. All that fail are named.
pub fn tried<K: Ord + Debug>(
    uris: impl Iterator<Item = String>,
    trial: impl Fn(&str) -> K,
) -> BTreeMap<K, usize> {
    let mut outcomes = Vec::new();
    let mut failed = Vec::new();
    for uri in uris {
        match catch_unwind(AssertUnwindSafe(|| trial(&uri))) {
            Ok(outcome) => outcomes.push(outcome),
            Err(_) => failed.push(uri),
        }
    }
    let (count, first) = (failed.len(), &failed[..failed.len().min(20)]);
    assert!(failed.is_empty(), "{count} failed: {first:#?}");
    tally(outcomes)
}

/// Counts how often each outcome came, so that a test sees whether it tested anything.
pub fn tally<K: Ord>(outcomes: impl IntoIterator<Item = K>) -> BTreeMap<K, usize> {
    let mut tally = BTreeMap::new();
    for outcome in outcomes {
        *tally.entry(outcome).or_default() += 1;
    }
    tally
}

/// A time as it is written.
pub fn time(text: &str) -> NaiveDateTime {
    text.parse().unwrap()
}

/// Whether two times differ by no more than that.
pub fn near(one: NaiveDateTime, other: NaiveDateTime, seconds: i64) -> bool {
    (one - other).abs() <= TimeDelta::seconds(seconds)
}
