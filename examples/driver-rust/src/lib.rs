//! A glucopipe driver for the report files of Accu-Chek Mobile meters.
//!
//! The meter shows itself as a disk and writes a report of all its results to `MODEL/Reports/*.csv` when it
//! is plugged in: `device = "path:/media/…/report.csv"`. `report` takes such a file apart and knows nothing
//! of the host; this file asks the host for the bytes and hands out what `report` found.

mod report;

use glucopipe_sdk::component::{Device, NoConfig};
use glucopipe_sdk::driver::{DeviceInfo, Download, Driver, Query, ReadReport, Session, SetAside};
use glucopipe_sdk::link::Kind;
use glucopipe_sdk::reading::Reading;
use glucopipe_sdk::{Error, Op, Result, Status};

use report::Report;

/// Largest file that is read; a full meter writes about 200 kB.
const FILE_LIMIT: usize = 4 << 20;
/// Longest wait for a piece of the file.
const TIMEOUT_MS: u32 = 5000;

/// The driver.
pub struct AccuChekMobile;

impl Driver for AccuChekMobile {
    const ID: &'static str = "accu-chek-mobile";
    const SUMMARY: &'static str = "Report files of Accu-Chek Mobile meters";
    // A file has no USB ids to be found by: the user names the driver.
    const DEVICES: &'static [Device] = &[];
    const LACKS: &'static [(&'static str, &'static str)] = &[
        ("get_clock", "a report is a file, not a meter"),
        ("set_clock", "a report is a file, not a meter"),
        ("erase", "a report is a file, not a meter"),
        ("checksums", "a report is text alone"),
    ];
    type Config = NoConfig;
    type Session = File;

    fn open(_: &Op, _: NoConfig) -> Result<File> {
        Ok(File)
    }
}

/// The file the user chose. It is opened for each read, which starts at its beginning.
pub struct File;

impl File {
    fn report(op: &Op) -> Result<Report> {
        let mut link = op.open_link(Kind::File)?;
        let (mut bytes, mut piece) = (Vec::new(), [0; 8192]);
        loop {
            op.check()?;
            match link.read(op, TIMEOUT_MS, &mut piece) {
                Ok(0) => break,
                Ok(len) => bytes.extend_from_slice(&piece[..len]),
                Err(error) => return Err(error),
            }
            if bytes.len() > FILE_LIMIT {
                return Err(Error::new(
                    Status::Protocol,
                    "the file is too large for a report",
                ));
            }
        }
        Report::parse(&bytes).map_err(|reason| Error::new(Status::Protocol, reason))
    }
}

impl Session for File {
    fn info(&mut self, op: &Op) -> Result<DeviceInfo> {
        Ok(device(&Self::report(op)?))
    }

    fn read<'s>(&'s mut self, op: &Op, _: &Query) -> Result<Box<dyn Download + 's>> {
        let report = Self::report(op)?;
        Ok(Box::new(Rows {
            device: device(&report),
            rows: report.rows.into_iter(),
            whole: report.whole,
            found: ReadReport::default(),
        }))
    }
}

fn device(report: &Report) -> DeviceInfo {
    DeviceInfo {
        serial: report.serial.clone(),
        model: "Accu-Chek Mobile".into(),
        record_count: Some(report.rows.len() as u64),
        ..DeviceInfo::default()
    }
}

/// A read in progress.
struct Rows {
    device: DeviceInfo,
    rows: std::vec::IntoIter<(u64, String)>,
    whole: bool,
    found: ReadReport,
}

impl Download for Rows {
    fn device(&self) -> &DeviceInfo {
        &self.device
    }

    fn next(&mut self, op: &Op) -> Result<Option<Reading>> {
        for (line, text) in self.rows.by_ref() {
            op.check()?;
            match report::decode(&text) {
                Ok(reading) => return Ok(Some(reading)),
                // One bad line costs one reading, and the report of the run keeps its bytes.
                Err(reason) => {
                    let aside = SetAside::new(line, reason, text.as_bytes());
                    self.found.set_aside.push(aside);
                }
            }
        }
        // Only now is everything out: who stops before has read a part.
        self.found.complete = self.whole;
        if !self.whole {
            self.found.reasons = vec!["the file ends in the middle of a line".into()];
        }
        Ok(None)
    }

    fn finish(self: Box<Self>, _: &Op) -> ReadReport {
        self.found
    }
}

glucopipe_sdk::export_plugin! {
    name: "accu-chek-mobile",
    drivers: [AccuChekMobile],
    exporters: [],
    transforms: [],
}

#[cfg(test)]
mod tests {
    use glucopipe_sdk::serde_json::json;
    use glucopipe_sdk::testing::{Script, TestHost};

    use super::*;

    const FILE: &[u8] = include_bytes!("../report.csv");

    /// A host with a file that comes in two pieces.
    fn host(bytes: &[u8]) -> TestHost {
        let (first, second) = bytes.split_at(bytes.len() / 2);
        TestHost::new().with_link(
            Kind::File,
            Script::new().reply(first).reply(second).reply(b""),
        )
    }

    #[test]
    fn reads_every_line_that_can_be_read() {
        let host = host(FILE);
        let mut session = host.open_driver::<AccuChekMobile>(&json!({})).unwrap();
        let read = session.read().unwrap();
        let report = read.report.as_ref().unwrap();
        assert_eq!((read.rows(), report.set_aside.len()), (5, 1));
        assert_eq!(report.set_aside[0].position, 8);
        assert!(report.complete);
    }

    #[test]
    fn a_file_that_was_cut_off_is_not_complete() {
        let host = host(&FILE[..FILE.len() - 20]);
        let mut session = host.open_driver::<AccuChekMobile>(&json!({})).unwrap();
        let read = session.read().unwrap();
        assert_eq!(read.rows(), 4);
        assert!(!read.report.unwrap().complete);
    }

    #[test]
    fn another_file_is_refused() {
        let host = host(b"time,value\n2026-01-01,93\n");
        let mut session = host.open_driver::<AccuChekMobile>(&json!({})).unwrap();
        assert_eq!(session.info().unwrap_err().status, Status::Protocol);
    }
}
