//! A glucopipe driver for the meter example-name.
//!
//! It works as it stands, with a made-up meter that `session.transcript` holds a conversation with: the report
//! `[0]` asks for the serial, `[n]` for record n, and the answer `[0xff]` says that there is none. Replace
//! [`decode`], [`Meter::ask`] and the device by those of your meter; the rest stays much the same.

use glucopipe_sdk::chrono::DateTime;
use glucopipe_sdk::component::{Device, NoConfig};
use glucopipe_sdk::driver::{DeviceInfo, Download, Driver, Query, ReadReport, Session, SetAside};
use glucopipe_sdk::link::{Kind, Link};
use glucopipe_sdk::reading::*;
use glucopipe_sdk::{Error, Op, Result, Status};

/// The answer to a record that is not there.
const NO_MORE: [u8; 1] = [0xff];
/// Number of the last record a meter can hold.
const LAST_RECORD: u8 = 0xfe;
/// Longest wait for one answer.
const TIMEOUT_MS: u32 = 1000;

/// The driver.
pub struct Meters;

impl Driver for Meters {
    const ID: &'static str = "example-name";
    const SUMMARY: &'static str = "Meters of the family example-name";
    const DEVICES: &'static [Device] = &[Device {
        link: "hid",
        vendor: "f055",
        product: "0d00",
        model: "example-name",
        tested: "untested",
    }];
    const LACKS: &'static [(&'static str, &'static str)] = &[
        ("get_clock", "not written yet"),
        ("set_clock", "not written yet"),
        ("erase", "not written yet"),
    ];
    // A type with `Deserialize` and `JsonSchema`, once there are keys in `[sources.NAME]`.
    type Config = NoConfig;
    type Session = Meter;

    fn open(op: &Op, _: NoConfig) -> Result<Meter> {
        let link = op.open_link(Kind::Hid)?;
        Ok(Meter { link })
    }
}

/// An open meter.
pub struct Meter {
    link: Link,
}

impl Meter {
    fn ask(&mut self, op: &Op, what: u8) -> Result<Vec<u8>> {
        op.check()?; // the user pressed Ctrl-C: stop here
        self.link.write(op, TIMEOUT_MS, &[what])?;
        let mut answer = [0; 64];
        let len = self.link.read(op, TIMEOUT_MS, &mut answer)?;
        Ok(answer[..len].to_vec())
    }
}

impl Session for Meter {
    fn info(&mut self, op: &Op) -> Result<DeviceInfo> {
        let serial = String::from_utf8(self.ask(op, 0)?)
            .map_err(|_| Error::new(Status::Protocol, "the serial is not text"))?;
        Ok(DeviceInfo {
            serial,
            model: "example-name".into(),
            ..DeviceInfo::default()
        })
    }

    fn read<'s>(&'s mut self, op: &Op, _: &Query) -> Result<Box<dyn Download + 's>> {
        let device = self.info(op)?;
        Ok(Box::new(Records {
            meter: self,
            device,
            number: 0,
            report: ReadReport::default(),
        }))
    }
}

/// A read in progress.
struct Records<'s> {
    meter: &'s mut Meter,
    device: DeviceInfo,
    number: u8,
    report: ReadReport,
}

impl Download for Records<'_> {
    fn device(&self) -> &DeviceInfo {
        &self.device
    }

    fn next(&mut self, op: &Op) -> Result<Option<Reading>> {
        while self.number < LAST_RECORD {
            self.number += 1;
            let record = self.meter.ask(op, self.number)?;
            if record == NO_MORE {
                break;
            }
            op.progress(self.number.into(), 0, "reading records");
            match decode(&record) {
                Ok(reading) => return Ok(Some(reading)),
                // One bad record costs one record, and the report says so.
                Err(reason) => {
                    let aside = SetAside::new(self.number.into(), reason, &record);
                    self.report.set_aside.push(aside);
                }
            }
        }
        self.report.complete = true;
        Ok(None)
    }

    fn finish(self: Box<Self>, _: &Op) -> ReadReport {
        self.report // this meter needs no good-bye
    }
}

/// The protocol, and nothing of the host: bytes in, a reading out, or why there is none. Number, mg/dL in two
/// bytes, and the seconds since 1970 by the meter's clock in four, the lowest byte first.
fn decode(record: &[u8]) -> std::result::Result<Reading, &'static str> {
    let &[number, low, high, a, b, c, d] = record else {
        return Err("a record of another length");
    };
    let value = u16::from_le_bytes([low, high]);
    let seconds = u32::from_le_bytes([a, b, c, d]);
    let time = DateTime::from_timestamp(seconds.into(), 0).ok_or("the time is not possible")?;
    let glucose = MgPerDl::new(value.into()).ok_or("the value is not plausible")?;
    let measured = Measurement::Glucose(Ranged::In(Concentration::MgPerDl(glucose)));
    let (raw_time, raw_value) = (seconds.to_string(), value.to_string());
    let sent = Verbatim {
        time: &raw_time,
        value: &raw_value,
        unit: "mg/dL",
    };
    // What makes it the same record at every read, for ever.
    let identity = Identity::Counter(number.into());
    let mut reading = Reading::new(time.naive_utc(), measured, sent, identity);
    reading.raw = Some(record.to_vec());
    Ok(reading)
}

glucopipe_sdk::export_plugin! {
    name: "example-name",
    drivers: [Meters],
    exporters: [],
    transforms: [],
}

#[cfg(test)]
mod tests {
    use glucopipe_sdk::serde_json::json;
    use glucopipe_sdk::testing::{Script, TestHost};

    use super::*;

    #[test]
    fn a_record_that_cannot_be_decoded_costs_itself() {
        let script = Script::new()
            .expect(&[0])
            .reply(b"D-100")
            .expect(&[1])
            .reply(&[1, 93, 0, 0x40, 0x6e, 0x1d, 0x6a])
            .expect(&[2])
            .reply(&[2])
            .expect(&[3])
            .reply(&NO_MORE);
        let host = TestHost::new().with_link(Kind::Hid, script);
        let mut meter = host.open_driver::<Meters>(&json!({})).unwrap();
        let read = meter.read().unwrap();
        assert_eq!((read.rows(), read.report.unwrap().set_aside.len()), (1, 1));
    }
}
