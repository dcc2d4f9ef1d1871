//! The driver as the SDK makes it: good behaviour, and misdeeds within the SDK's rules.

use glucopipe_sdk::chrono::{Duration, NaiveDate, NaiveDateTime};
use glucopipe_sdk::component::Device;
use glucopipe_sdk::driver::{DeviceInfo, Download, Driver, Query, ReadReport, Session};
use glucopipe_sdk::reading::{
    Concentration, Identity, Measurement, MgPerDl, Ranged, Reading, Verbatim,
};
use glucopipe_sdk::{Error, Op, Result, Status};

use super::{Config, Mode};

/// The driver.
pub(super) struct Honest;

impl Driver for Honest {
    const ID: &'static str = "hostile";
    const SUMMARY: &'static str = "misbehaves on demand";
    const DEVICES: &'static [Device] = &[];
    type Config = Config;
    type Session = Meter;

    fn open(_: &Op, config: Config) -> Result<Meter> {
        assert!(config.mode != Mode::PanicOpen, "boom in open");
        match config.mode {
            Mode::ErrorOpen => Err(Error::new(Status::Access, "somebody else has the meter")),
            Mode::ErrorControlCharacters => Err(Error::new(
                Status::Protocol,
                "bad \u{1b}[31mred\u{1b}[0m\tanswer",
            )),
            _ => Ok(Meter { config }),
        }
    }
}

/// An open meter that is not there.
pub(super) struct Meter {
    config: Config,
}

impl Meter {
    fn device(&self) -> DeviceInfo {
        let serial = match self.config.mode {
            Mode::SerialEmpty => " ",
            Mode::SerialControl => "\u{7}H-100",
            _ => "H-100",
        };
        let model = match self.config.mode {
            Mode::ModelControl => "Hostile\u{1b}[31m\t9",
            _ => "Hostile",
        };
        DeviceInfo {
            serial: serial.to_owned(),
            model: model.to_owned(),
            ..DeviceInfo::default()
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        assert!(self.config.mode != Mode::PanicDrop, "boom in drop");
    }
}

impl Session for Meter {
    fn info(&mut self, _: &Op) -> Result<DeviceInfo> {
        assert!(self.config.mode != Mode::PanicInfo, "boom in info");
        Ok(self.device())
    }

    fn read<'s>(&'s mut self, _: &Op, _: &Query) -> Result<Box<dyn Download + 's>> {
        assert!(self.config.mode != Mode::PanicRead, "boom in read");
        let device = self.device();
        let total = self.config.readings.unwrap_or(3);
        Ok(Box::new(Records {
            config: &self.config,
            device,
            given: 0,
            total,
        }))
    }
}

struct Records<'s> {
    config: &'s Config,
    device: DeviceInfo,
    given: u32,
    total: u32,
}

impl Download for Records<'_> {
    fn device(&self) -> &DeviceInfo {
        &self.device
    }

    fn next(&mut self, op: &Op) -> Result<Option<Reading>> {
        let mode = self.config.mode;
        let late = self.given == self.total;
        match mode {
            Mode::PanicNext if late => panic!("boom in next"),
            Mode::PanicFirst => panic!("boom in next"),
            Mode::Lost => return Err(Error::new(Status::Lost, "the cable was pulled")),
            Mode::LostLate if late => {
                return Err(Error::new(Status::Lost, "the cable was pulled"));
            }
            Mode::Deaf => self.config.waits.stand_still(),
            _ => op.check()?,
        }
        if let Some(crime) = self.config.crime
            && self.given == self.config.after.unwrap_or(0)
        {
            crime
                .commit()
                .map_err(|why| Error::new(Status::Io, format!("not allowed: {why}")))?;
        }
        if late {
            return Ok(None);
        }
        self.given += 1;
        Ok(reading(self.given))
    }

    fn finish(self: Box<Self>, _: &Op) -> ReadReport {
        assert!(self.config.mode != Mode::PanicFinish, "boom in finish");
        ReadReport {
            complete: self.given == self.total,
            expected: Some(self.total.into()),
            ..ReadReport::default()
        }
    }
}

/// 100 mg/dL and up, one a minute from midnight of 2026-05-30.
fn reading(number: u32) -> Option<Reading> {
    let midnight: NaiveDateTime = NaiveDate::from_ymd_opt(2026, 5, 30)?.and_hms_opt(0, 0, 0)?;
    let time = midnight + Duration::minutes(number.into());
    let value = 99 + number % 500;
    let (raw_time, raw_value) = (time.format("%Y%m%d%H%M").to_string(), value.to_string());
    let glucose = Concentration::MgPerDl(MgPerDl::new(value.into())?);
    let sent = Verbatim {
        time: &raw_time,
        value: &raw_value,
        unit: "mg/dL",
    };
    let identity = Identity::Counter(number.into());
    let mut reading = Reading::new(
        time,
        Measurement::Glucose(Ranged::In(glucose)),
        sent,
        identity,
    );
    reading.raw = Some(vec![0xab, 0xcd]);
    Some(reading)
}
