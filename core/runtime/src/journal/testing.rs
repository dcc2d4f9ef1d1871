//! Journals and reads to test with.

use chrono::NaiveDateTime;
use glucopipe_sdk::batch::BatchBuilder;
use glucopipe_sdk::driver::DeviceInfo;
use glucopipe_sdk::exporter::Wants;
use glucopipe_sdk::reading::{
    Concentration, Identity, Measurement, MgPerDl, Ranged, Reading, Verbatim,
};
use glucopipe_sdk::schema;

use super::{Destination, Journal, Session, SourceKey};
use crate::run::intake::{Intake, Origin};
use arrow::array::RecordBatch;

/// A meter that numbers its records for life.
pub(super) const DRIVER: &str = "verio";
pub(super) const SERIAL: &str = "ABC123";

/// A journal in a folder of its own.
pub(super) struct Home {
    pub(super) folder: tempfile::TempDir,
    pub(super) journal: Journal,
}

pub(super) fn home() -> Home {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(&folder.path().join("journal.db")).unwrap();
    Home { folder, journal }
}

/// 2026-05-30T18:00:00 plus minutes.
pub(super) fn at(minutes: u32) -> NaiveDateTime {
    let start: NaiveDateTime = "2026-05-30T18:00:00".parse().unwrap();
    start + chrono::TimeDelta::minutes(minutes.into())
}

pub(super) fn session(serial: &str) -> Session {
    Session {
        family: DRIVER.into(),
        driver: "verio/0.1.0".into(),
        device: DeviceInfo {
            serial: serial.into(),
            model: "Verio".into(),
            firmware: Some("1.0".into()),
            clock: Some(at(60)),
            clock_read_us: Some(1_780_000_000_000_000),
            ..DeviceInfo::default()
        },
        read_at_us: 1_780_000_000_000_000,
        clock_offset_s: Some(-3),
        transport: "hid".into(),
        whole: true,
        complete: true,
        reasons: Vec::new(),
        expected: None,
        transcript: None,
        source: Some(SourceKey {
            pipeline: "/p.toml".into(),
            source: "meter".into(),
            device: String::new(),
        }),
    }
}

/// A read of records: lifetime counter and mg/dL; the time follows from the counter.
pub(super) fn read(session: &Session, records: &[(u64, u32)]) -> RecordBatch {
    let mut builder = BatchBuilder::new(schema::driver_readings("{}".into()));
    for &(counter, value) in records {
        let number = MgPerDl::new(value.into()).unwrap();
        let text = value.to_string();
        let sent = Verbatim {
            time: "",
            value: &text,
            unit: "mg/dL",
        };
        let measured = Measurement::Glucose(Ranged::In(Concentration::MgPerDl(number)));
        let minute = u32::try_from(counter).unwrap();
        let mut reading = Reading::new(at(minute), measured, sent, Identity::Counter(counter));
        reading.raw = Some(vec![0x42, u8::try_from(counter % 256).unwrap()]);
        reading.markers = (counter % 2 == 0).then(|| "B".to_owned());
        builder.push(&reading);
    }
    let mut intake = Intake::new(Origin {
        family: session.family.clone(),
        driver: session.driver.clone(),
        device: session.device.clone(),
        read_at_us: session.read_at_us,
        clock_offset_s: session.clock_offset_s,
    });
    intake.push(&builder.take().unwrap()).unwrap();
    intake.finish().unwrap().readings
}

pub(super) fn destination(name: &str) -> Destination {
    Destination {
        identity: format!("identity of {name}"),
        exporter: "csv".into(),
        wants: Wants::New,
        way: None,
        pipeline: "/p.toml".into(),
        name: name.into(),
    }
}
