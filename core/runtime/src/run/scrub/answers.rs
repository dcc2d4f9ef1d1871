//! What a driver makes of a transcript: all that it can be asked.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, BinaryArray, Float64Array, RecordBatch, TimestampMicrosecondArray};
use chrono::{DateTime, NaiveDateTime};
use glucopipe_sdk::batch::{Texts, typed};
use glucopipe_sdk::driver::DeviceInfo;
use glucopipe_sdk::transcript::Transcript;
use glucopipe_sdk::{Error, Status};

use crate::device::Device;
use crate::plugin::Component;
use crate::problem::Problem;
use crate::run::conversation::Conversation;
use crate::run::engine::RunSetup;
use crate::run::report::{SourceReport, SourceStatus};

/// Columns of a reading that a disguise leaves alone, besides times, values and what follows from them.
const KEPT: [&str; 9] = [
    "kind",
    "unit",
    "range",
    "meal",
    "reference",
    "notes",
    "markers",
    "raw_unit",
    "device_model",
];

/// The answers.
pub(super) struct Answers {
    /// What the meter says of itself.
    pub(super) info: Result<DeviceInfo, Status>,
    /// What its clock shows.
    pub(super) clock: Result<NaiveDateTime, Status>,
    /// How the read went.
    pub(super) report: SourceReport,
    /// Its readings, in the meter's order, with the meter they are of.
    pub(super) read: Option<(DeviceInfo, Vec<Reading>)>,
}

/// A reading, as far as it is compared.
pub(super) struct Reading {
    pub(super) time: NaiveDateTime,
    pub(super) value: f64,
    pub(super) limit: Option<f64>,
    pub(super) unit: String,
    pub(super) raw_value: String,
    pub(super) raw: Option<Vec<u8>>,
    /// All of [`KEPT`].
    pub(super) kept: Vec<Option<String>>,
}

impl Reading {
    /// Whether the meter measured it, and did not only say that it could not.
    pub(super) fn is_measured(&self) -> bool {
        self.limit.is_none()
    }
}

impl Answers {
    /// Asks a driver everything, each over a transcript from its start.
    ///
    /// # Errors
    /// When the driver cannot be asked at all, or the user stopped it.
    pub(super) fn of(
        component: &Arc<Component>,
        path: &Path,
        transcript: &Transcript,
        setup: &RunSetup,
    ) -> Result<Self, Problem> {
        let conversation = || {
            let device = Device::of_replay(path, transcript.clone(), &setup.clock);
            Conversation::with(component.clone(), device, setup)
        };
        let info = conversation().hold(|driver, _| Ok(driver.info().map_err(status_of)))?;
        let clock = conversation().hold(|driver, _| Ok(driver.clock().map_err(status_of)))?;
        let read = conversation().hold(|driver, job| Ok(job.read_open(driver)))?;
        let came = match read.came {
            Some(came) => {
                let found = readings(&came.readings)
                    .map_err(|error| crate::run::blame::bug("transcript", &error))?;
                Some((came.context.device, found))
            }
            None => None,
        };
        Ok(Self {
            info,
            clock: clock.map(|clock| clock.local),
            report: read.report,
            read: came,
        })
    }

    /// Whether there was no answer at all.
    pub(super) fn is_silent(&self) -> bool {
        self.info.is_err() && self.clock.is_err() && self.report.status == SourceStatus::Failed
    }

    /// How many readings there are.
    pub(super) fn readings(&self) -> u64 {
        self.report.read
    }

    /// Every date in them, but those of a clock that was never set.
    pub(super) fn dates(&self) -> Vec<NaiveDateTime> {
        let readings = self.read.iter().flat_map(|(_, readings)| readings);
        let mut dates: Vec<_> = readings.map(|reading| reading.time).collect();
        dates.extend(self.meters().filter_map(|meter| meter.clock));
        dates.extend(self.clock.as_ref().ok());
        dates.retain(|date| !is_unset(*date));
        dates
    }

    /// All descriptions of the meter.
    pub(super) fn meters(&self) -> impl Iterator<Item = &DeviceInfo> {
        let of_read = self.read.as_ref().map(|(meter, _)| meter);
        self.info.as_ref().ok().into_iter().chain(of_read)
    }
}

fn status_of(error: Error) -> Status {
    error.status
}

/// Whether a time is the start of what a clock counts from: it was never set.
pub(super) fn is_unset(time: NaiveDateTime) -> bool {
    let starts = [0, 946_684_800];
    starts.contains(&time.and_utc().timestamp())
}

fn readings(batch: &RecordBatch) -> Result<Vec<Reading>, Error> {
    let times: &TimestampMicrosecondArray = typed(batch, "local_time")?;
    let values: &Float64Array = typed(batch, "value")?;
    let limits: &Float64Array = typed(batch, "range_limit")?;
    let raws: &BinaryArray = typed(batch, "raw")?;
    let (units, raw_values) = (Texts::of(batch, "unit")?, Texts::of(batch, "raw_value")?);
    let kept = KEPT.map(|name| Texts::of(batch, name));
    let kept = kept.into_iter().collect::<Result<Vec<_>, _>>()?;
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let reading = |row: usize| Reading {
        time: DateTime::from_timestamp_micros(times.value(row))
            .unwrap_or_default()
            .naive_utc(),
        value: values.value(row),
        limit: limits.is_valid(row).then(|| limits.value(row)),
        unit: units.get(row).unwrap_or_default().to_owned(),
        raw_value: raw_values.get(row).unwrap_or_default().to_owned(),
        raw: raws.is_valid(row).then(|| raws.value(row).to_vec()),
        kept: kept.iter().map(|texts| owned(texts.get(row))).collect(),
    };
    Ok((0..batch.num_rows()).map(reading).collect())
}
