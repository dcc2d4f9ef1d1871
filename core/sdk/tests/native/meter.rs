//! A made-up meter and its driver, which fails where its configuration says so.
//!
//! The meter answers `?` with its serial, a record number `n` with value `90 + n`, a number past the end
//! with `end`, and `bye` with nothing.

use std::sync::{Arc, Mutex};

use glucopipe_sdk::chrono::NaiveDateTime;
use glucopipe_sdk::component::Device;
use glucopipe_sdk::driver::{Clock, DeviceInfo, Download, Driver, Query, ReadReport, Session};
use glucopipe_sdk::link::{Kind, Link};
use glucopipe_sdk::reading::{
    Concentration, Identity, Measurement, MgPerDl, Ranged, Reading, Verbatim,
};
use glucopipe_sdk::schemars::JsonSchema;
use glucopipe_sdk::serde::Deserialize;
use glucopipe_sdk::testing::{Peer, TestHost, answering};
use glucopipe_sdk::{Error, Op, Result, Status};

pub(crate) const RECORDS: u32 = 5;

/// What was written to the meter.
pub(crate) type Heard = Arc<Mutex<Vec<String>>>;

pub(crate) fn meter(heard: &Heard) -> impl Peer + 'static {
    let heard = Arc::clone(heard);
    answering(move |request| {
        let request = String::from_utf8(request.to_vec()).unwrap();
        heard.lock().unwrap().push(request.clone());
        let answer = match request.as_str() {
            "?" => "M-0001".into(),
            "bye" => return vec![],
            number => match number.parse::<u32>() {
                Ok(number) if number <= RECORDS => (90 + number).to_string(),
                _ => "end".to_owned(),
            },
        };
        vec![answer.into_bytes()]
    })
}

/// A host with that meter.
pub(crate) fn host() -> (TestHost, Heard) {
    let heard = Heard::default();
    (TestHost::new().with_link(Kind::Hid, meter(&heard)), heard)
}

#[derive(Deserialize, JsonSchema)]
#[serde(crate = "glucopipe_sdk::serde", deny_unknown_fields)]
#[schemars(crate = "glucopipe_sdk::schemars")]
pub(crate) struct Config {
    /// Where to fail, and how: `panic read`, `error next`.
    #[serde(default)]
    fault: String,
}

pub(crate) struct Meter;

/// Panics or fails if the fault is of this place.
fn trip(fault: &str, place: &str) -> Result<()> {
    match fault.split_once(' ') {
        Some(("panic", at)) if at == place => panic!("in {place}"),
        Some(("error", at)) if at == place => Err(Error::new(
            Status::Protocol,
            format!("wrong answer in {place}"),
        )),
        _ => Ok(()),
    }
}

impl Driver for Meter {
    const ID: &'static str = "made-up";
    const SUMMARY: &'static str = "A made-up meter";
    const DEVICES: &'static [Device] = &[];
    const READS_CLOCK: bool = true;
    const SETS_CLOCK: bool = true;
    type Config = Config;
    type Session = Open;

    fn open(op: &Op, config: Config) -> Result<Open> {
        if config.fault == "key open" {
            return Err(Error::config("fault", "no such fault").retryable());
        }
        trip(&config.fault, "open")?;
        Ok(Open {
            link: op.open_link(Kind::Hid)?,
            fault: config.fault,
            set: None,
        })
    }
}

pub(crate) struct Open {
    link: Link,
    fault: String,
    set: Option<NaiveDateTime>,
}

impl Open {
    fn ask(&mut self, op: &Op, request: &str) -> Result<String> {
        op.check()?;
        self.link.write(op, 1000, request.as_bytes())?;
        let mut report = [0; 64];
        let len = self.link.read(op, 1000, &mut report)?;
        Ok(String::from_utf8_lossy(&report[..len]).into_owned())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let _ = trip(&self.fault, "drop");
    }
}

impl Session for Open {
    fn info(&mut self, op: &Op) -> Result<DeviceInfo> {
        trip(&self.fault, "info")?;
        Ok(DeviceInfo {
            serial: self.ask(op, "?")?,
            model: "Made-up".into(),
            clock_read_us: Some(op.utc_us()),
            ..DeviceInfo::default()
        })
    }

    fn read<'s>(&'s mut self, op: &Op, _: &Query) -> Result<Box<dyn Download + 's>> {
        trip(&self.fault, "read")?;
        let device = self.info(op)?;
        Ok(Box::new(Running {
            meter: self,
            device,
            next: 1,
        }))
    }

    fn clock(&mut self, _: &Op) -> Result<Clock> {
        trip(&self.fault, "clock")?;
        let noon = "2026-06-01T12:00:00".parse().unwrap();
        Ok(Clock {
            local: self.set.unwrap_or(noon),
            resolution_s: 60,
        })
    }

    fn set_clock(&mut self, _: &Op, local: NaiveDateTime) -> Result<()> {
        self.set = Some(local);
        Ok(())
    }
}

struct Running<'s> {
    meter: &'s mut Open,
    device: DeviceInfo,
    next: u32,
}

impl Download for Running<'_> {
    fn device(&self) -> &DeviceInfo {
        let _ = trip(&self.meter.fault, "device");
        &self.device
    }

    fn next(&mut self, op: &Op) -> Result<Option<Reading>> {
        if self.next == 3 {
            trip(&self.meter.fault, "next")?;
        }
        let value = self.meter.ask(op, &self.next.to_string())?;
        if value == "end" {
            return Ok(None);
        }
        op.progress(self.next.into(), RECORDS.into(), "reading");
        let number = MgPerDl::new(value.parse().unwrap()).unwrap();
        let verbatim = Verbatim {
            time: "202606010800",
            value: &value,
            unit: "mg/dL",
        };
        let reading = Reading::new(
            "2026-06-01T08:00:00".parse().unwrap(),
            Measurement::Glucose(Ranged::In(Concentration::MgPerDl(number))),
            verbatim,
            Identity::Counter(self.next.into()),
        );
        self.next += 1;
        Ok(Some(reading))
    }

    fn finish(self: Box<Self>, op: &Op) -> ReadReport {
        trip(&self.meter.fault, "finish").unwrap();
        // Talks to the meter as always; the host lets it through although cancelled.
        let asked = op.check();
        let written = self.meter.link.write(op, 1000, b"bye");
        ReadReport {
            complete: self.next > RECORDS,
            expected: Some(RECORDS.into()),
            reasons: asked
                .and(written)
                .err()
                .map(|e| e.message)
                .into_iter()
                .collect(),
            ..ReadReport::default()
        }
    }
}
