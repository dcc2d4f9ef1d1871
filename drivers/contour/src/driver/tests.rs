//! The driver through its C table, against a small scripted meter.

use std::sync::{Arc, Mutex};

use glucopipe_sdk::Status;
use glucopipe_sdk::serde_json::json;
use glucopipe_sdk::testing::{Peer, TestHost, TestSession};

use super::*;
use crate::protocol::frame::{FrameEnd, encode};
use crate::protocol::{Control, WAKE_UP, report, samples};

const EOT: u8 = Control::Eot.byte();
const ENQ: u8 = Control::Enq.byte();
const ACK: u8 = Control::Ack.byte();
const NAK: u8 = Control::Nak.byte();

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle,
    Offering,
    Sending(usize),
}

/// A meter that X wakes up.
struct Meter {
    records: Vec<String>,
    state: State,
    heard: Vec<u8>,
    waiting: Vec<Vec<u8>>,
    mute: bool,
    /// Leaves the bus when it should send this record.
    gone_at: usize,
}

impl Meter {
    fn new(results: usize) -> Self {
        let header = samples::HEADER_7390.replace("|3|||||P|", &format!("|{results}|||||P|"));
        let mut records = vec![header, "P|1||||Doe^Jo".to_owned()];
        records.extend(
            (1..=results)
                .map(|at| format!("R|{at}|^^^Glucose|93|mg/dL^P||A/Q7||20260530{:04}", at % 60)),
        );
        records.push("L|1||N".to_owned());
        Self {
            records,
            state: State::Idle,
            heard: Vec::new(),
            waiting: Vec::new(),
            mute: false,
            gone_at: usize::MAX,
        }
    }

    fn say(&mut self, bytes: &[u8]) {
        for mut body in report::encode(bytes) {
            body[..3].copy_from_slice(&report::METER_PREFIX);
            self.waiting.push(body.to_vec());
        }
    }

    fn frame(&self, at: usize) -> Vec<u8> {
        let end = if at + 1 == self.records.len() {
            FrameEnd::Etx
        } else {
            FrameEnd::Etb
        };
        let number = u8::try_from((at + 1) % 8).unwrap();
        encode(number, format!("{}\r", self.records[at]).as_bytes(), end)
    }

    fn hear(&mut self, byte: u8) {
        self.heard.push(byte);
        match (byte, self.state) {
            _ if self.mute => {}
            (WAKE_UP, State::Idle) => {
                self.state = State::Offering;
                let offer = [&[EOT][..], &self.frame(0), &[ENQ]].concat();
                self.say(&offer);
            }
            (NAK, State::Offering) | (EOT, State::Offering | State::Sending(_)) => {
                self.state = State::Idle;
                self.say(&[EOT]);
            }
            (ACK, State::Offering) => self.send(0),
            (ACK, State::Sending(at)) => self.send(at + 1),
            (NAK, State::Sending(at)) => self.send(at),
            _ => {}
        }
    }

    fn send(&mut self, at: usize) {
        if at < self.records.len() {
            self.state = State::Sending(at);
            self.say(&self.frame(at));
        } else {
            self.state = State::Idle;
            self.say(&[EOT]);
        }
    }

    fn is_gone(&self) -> bool {
        matches!(self.state, State::Sending(at) if at >= self.gone_at)
    }
}

/// The meter's end of the cable.
struct Cable(Arc<Mutex<Meter>>);

impl Peer for Cable {
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        assert_eq!((bytes.len(), &bytes[..4]), (64, &[0, 0, 0, 1][..]));
        self.0.lock().unwrap().hear(bytes[4]);
        Ok(())
    }

    fn read(&mut self) -> Result<Option<Vec<u8>>> {
        let mut meter = self.0.lock().unwrap();
        if meter.is_gone() {
            return Err(Error::new(Status::Lost, "the device was disconnected"));
        }
        let next = (!meter.waiting.is_empty()).then(|| meter.waiting.remove(0));
        Ok(next)
    }
}

fn host(meter: Meter) -> (TestHost, Arc<Mutex<Meter>>, TestSession<Contour>) {
    let meter = Arc::new(Mutex::new(meter));
    let host = TestHost::new().with_link(Kind::Hid, Cable(meter.clone()));
    let session = host.open_driver(&json!({})).unwrap();
    (host, meter, session)
}

#[test]
fn read_gives_all_readings_and_a_complete_report() {
    let (host, meter, mut session) = host(Meter::new(1_500));
    let read = session.read().unwrap();
    let report = read.report.as_ref().unwrap();
    assert_eq!((read.rows(), &read.error), (1_500, &None));
    assert_eq!((report.complete, report.expected), (true, Some(1_500)));
    assert!(report.reasons.is_empty() && report.set_aside.is_empty());
    assert_eq!(report.counts["glucose"], 1_500);
    assert_eq!(report.notes, ["unknown marker `Q7`: 1500"]);
    assert_eq!(read.device.serial, "7390-1234567");
    assert!(read.device.clock_read_us.is_some());
    assert_eq!(meter.lock().unwrap().state, State::Idle);
    let last = host.progress().pop().unwrap();
    assert_eq!((last.done, last.total), (1_500, 1_500));
}

#[test]
fn nothing_private_reaches_log_report_or_progress() {
    let (host, _meter, mut session) = host(Meter::new(3));
    session.info().unwrap();
    let read = session.read().unwrap();
    let lines: Vec<String> = host.log().into_iter().map(|line| line.text).collect();
    assert!(!lines.is_empty());
    let said = format!("{lines:?}{:?}{:?}", host.progress(), read.report);
    for secret in ["1234567", "Doe", "aB3dEf", "20260530", "93"] {
        assert!(!said.contains(secret), "{secret}");
    }
}

#[test]
fn info_refuses_the_data_and_leaves_the_meter_idle() {
    let (_host, meter, mut session) = host(Meter::new(2_000));
    let info = session.info().unwrap();
    assert_eq!(
        (info.model.as_str(), info.record_count),
        ("Contour USB", Some(2_000))
    );
    let meter = meter.lock().unwrap();
    assert_eq!(
        (meter.state, meter.heard.as_slice()),
        (State::Idle, &[WAKE_UP, NAK][..])
    );
}

#[test]
fn read_after_info_and_after_a_read_works() {
    let (_host, _meter, mut session) = host(Meter::new(2));
    session.info().unwrap();
    assert_eq!(session.read().unwrap().rows(), 2);
    assert_eq!(session.read().unwrap().rows(), 2);
}

#[test]
fn silent_meter_is_a_timeout_after_fifteen_seconds() {
    let mut mute = Meter::new(1);
    mute.mute = true;
    let (host, _meter, mut session) = host(mute);
    let error = session.read().unwrap_err();
    assert_eq!((error.status, error.retryable), (Status::Timeout, true));
    assert!(error.message.starts_with("no answer after 15 s"));
    assert!((15_000..18_000).contains(&host.op().monotonic_ms()));
}

#[test]
fn vanished_meter_leaves_the_readings_before_it_and_the_reason() {
    let mut meter = Meter::new(10);
    meter.gone_at = 6;
    let (host, meter, mut session) = host(meter);
    let read = session.read().unwrap();
    let report = read.report.as_ref().unwrap();
    assert_eq!((read.rows(), report.complete), (4, false));
    assert_eq!(report.reasons[0], "the connection to the meter broke");
    assert!(!host.link_is_open());
    meter.lock().unwrap().gone_at = usize::MAX;
    meter.lock().unwrap().state = State::Idle;
    assert_eq!(session.read().unwrap().rows(), 10);
}

#[test]
fn meter_that_vanishes_before_its_header_is_lost() {
    let mut meter = Meter::new(10);
    meter.gone_at = 0;
    meter.state = State::Sending(0);
    let (_host, _meter, mut session) = host(meter);
    assert_eq!(session.info().unwrap_err().status, Status::Lost);
}

#[test]
fn meter_without_a_valid_header_is_a_protocol_error() {
    let mut meter = Meter::new(1);
    meter.records[0] = "H|||||".to_owned();
    let (_host, meter, mut session) = host(meter);
    let error = session.read().unwrap_err();
    assert_eq!(error.status, Status::Protocol);
    assert_eq!(meter.lock().unwrap().state, State::Idle);
}

#[test]
fn cancellation_at_any_moment_leaves_the_meter_idle() {
    let mut kept = Vec::new();
    for questions in 0..80 {
        let (host, meter, mut session) = host(Meter::new(6));
        host.cancel_after(questions);
        match session.read() {
            Ok(read) => {
                let rows = read.rows();
                let report = read.report.unwrap();
                assert_eq!(report.counts["results"], rows, "{questions}");
                match read.error.map(|error| error.status) {
                    None => assert!(report.complete && rows == 6, "{questions}"),
                    Some(status) => {
                        assert_eq!(status, Status::Cancelled, "{questions}");
                        assert!(!report.complete, "{questions}");
                        assert_eq!(report.reasons[0], "the read was cancelled");
                    }
                }
                kept.push(rows);
            }
            Err(error) => assert_eq!(error.status, Status::Cancelled),
        }
        assert_eq!(meter.lock().unwrap().state, State::Idle, "{questions}");
        assert!(host.op().monotonic_ms() < 12_000);
    }
    assert!(kept.is_sorted());
    kept.dedup();
    assert_eq!(kept, [0, 1, 2, 3, 4, 5, 6]);
}

#[test]
fn cancellation_behind_the_transmission_loses_nothing() {
    let (host, _meter, mut session) = host(Meter::new(1_500));
    let mut stream = session.stream().unwrap();
    let first = stream.next_batch().unwrap().unwrap();
    host.cancel();
    let second = stream.next_batch().unwrap().unwrap();
    assert_eq!(first.num_rows() + second.num_rows(), 1_500);
    assert!(stream.next_batch().unwrap().is_none());
    drop(stream);
    assert!(session.report().unwrap().complete);
}

#[test]
fn meter_that_tells_no_serial_is_not_read() {
    let mut meter = Meter::new(3);
    meter.records[0] = meter.records[0].replace("7390-1234567", " ");
    let (_host, meter, mut session) = host(meter);
    let error = session.read().unwrap_err();
    assert_eq!(error.status, Status::Protocol);
    assert_eq!(error.message, "the meter told no serial");
    assert_eq!(meter.lock().unwrap().state, State::Idle);
    let info = session.info().unwrap();
    assert_eq!(
        (info.serial.as_str(), info.model.as_str()),
        ("", "Contour USB")
    );
}

#[test]
fn stream_released_early_leaves_the_meter_idle() {
    let (_host, meter, mut session) = host(Meter::new(6));
    drop(session.stream().unwrap());
    assert_eq!(meter.lock().unwrap().state, State::Idle);
    let report = session.report().unwrap();
    assert!(!report.complete);
}

#[test]
fn unknown_configuration_keys_are_refused() {
    let host = TestHost::new().with_link(Kind::Hid, Cable(Arc::new(Mutex::new(Meter::new(0)))));
    let error = host.open_driver::<Contour>(&json!({"retries": 3}));
    assert_eq!(error.err().unwrap().status, Status::InvalidArgument);
}
