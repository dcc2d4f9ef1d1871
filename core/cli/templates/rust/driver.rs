//! A glucopipe driver for the meter example-name.
//!
//! It works as it stands, with a made-up meter that `session.transcript` holds a conversation with: the report
//! `[0]` asks for the serial, `[n]` for record n, and the answer `[0xff]` says that there is none. Every answer
//! ends in the sum of its bytes. Replace [`unwrap`], [`decode`], [`Meter::ask`] and the device by those of your
//! meter; the rest stays much the same.

use glucopipe_sdk::chrono::DateTime;
use glucopipe_sdk::component::{Device, NoConfig};
use glucopipe_sdk::driver::{DeviceInfo, Download, Driver, Query, ReadReport, Session, SetAside};
use glucopipe_sdk::link::{Kind, Link};
use glucopipe_sdk::reading::*;
use glucopipe_sdk::{Error, Op, Result, Status};

/// The answer to a record that is not there.
const NO_MORE: &[u8] = &[0xff];
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
        let wrong = |reason| Error::new(Status::Protocol, reason);
        let answer = self.ask(op, 0)?;
        let serial = unwrap(&answer).map_err(wrong)?.to_vec();
        let serial = String::from_utf8(serial).map_err(|_| wrong("the serial is not text"))?;
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
            let answer = self.meter.ask(op, self.number)?;
            op.progress(self.number.into(), 0, "reading records");
            let record = unwrap(&answer);
            if record == Ok(NO_MORE) {
                break;
            }
            match record.and_then(decode) {
                Ok(reading) => return Ok(Some(reading)),
                // One bad record costs one record, and the report says so.
                Err(reason) => {
                    let aside = SetAside::new(self.number.into(), reason, &answer);
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

/// The protocol, and nothing of the host. An answer without its sum, or what is wrong with it.
fn unwrap(answer: &[u8]) -> std::result::Result<&[u8], &'static str> {
    let (sum, rest) = answer.split_last().ok_or("an answer without a sum")?;
    let expected = rest.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    if rest.is_empty() || *sum != expected {
        return Err("an answer has a wrong sum");
    }
    Ok(rest)
}

/// Bytes in, a reading out, or why there is none. Number, mg/dL in two bytes, and the seconds since 1970 by the
/// meter's clock in four, the lowest byte first.
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

    const RECORD: &[u8] = &[1, 93, 0, 0x40, 0x6e, 0x1d, 0x6a, 0x93];

    #[test]
    fn a_record_becomes_a_reading() {
        let reading = unwrap(RECORD).and_then(decode).unwrap();
        assert_eq!((reading.raw_value(), reading.raw_unit()), ("93", "mg/dL"));
        assert_eq!(reading.local_time().to_string(), "2026-06-01 11:34:24");
    }

    #[test]
    fn a_wrong_bit_anywhere_is_noticed() {
        for bit in 0..RECORD.len() * 8 {
            let mut damaged = RECORD.to_vec();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(unwrap(&damaged).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn a_record_that_cannot_be_decoded_costs_itself() {
        let script = Script::new()
            .expect(&[0])
            .reply(b"D-100\x02")
            .expect(&[1])
            .reply(RECORD)
            .expect(&[2])
            .reply(&[2, 2])
            .expect(&[3])
            .reply(&[0xff, 0xff]);
        let host = TestHost::new().with_link(Kind::Hid, script);
        let mut meter = host.open_driver::<Meters>(&json!({})).unwrap();
        let read = meter.read().unwrap();
        assert_eq!((read.rows(), read.report.unwrap().set_aside.len()), (1, 1));
    }
}
