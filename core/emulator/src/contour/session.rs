//! The meter's state, its timers and its two ends of the cable (contour.md sections 4 and 8).
//!
//! What happens in each state is in [`transfer`](super::transfer).

use std::sync::Arc;

use super::command::{Step, printable};
use super::model::Model;
use super::outbox::Outbox;
use super::records::Record;
use crate::audit::Audit;
use crate::civil::LocalTime;
use crate::faults::{Fault, Faults};
use crate::frame::{
    ACK, CAN, ENQ, EOT, HOST_PREFIXES, LENGTH_AT, NAK, PAYLOAD_AT, PAYLOAD_MAX, WAKE_X,
};
use crate::meter::{Answer, HidMeter, REPORT_SIZE, Unplugged};
use crate::rng::Rng;
use crate::scenario::{Found, Scenario};

/// Time from a host message to the answer (20 to 40 ms were seen).
const ANSWER_MS: u64 = 25;
/// Time from the wake-up to the first header (within 2 s).
const WAKE_UP_MS: u64 = 150;
/// Time from the first header to an ENQ in its own report.
pub(super) const ENQUIRY_MS: u64 = 20;
/// A sender waits that long for an answer (LIS1-A).
const SENDER_TIMEOUT_MS: u64 = 15_000;
/// A receiver waits that long for the next message (LIS1-A).
const RECEIVER_TIMEOUT_MS: u64 = 30_000;
/// Keeps passwords apart from values and times of the same seed.
const PASSWORD_STREAM: u64 = 0x50_41_53_53;

/// What the meter is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Waits for a wake-up.
    Idle,
    /// Sent ENQ and waits for its answer.
    Offering,
    /// Sent the frame of this index (0 is the header) and waits for its answer.
    Sending(usize),
    /// The host refused the data; an ENQ enters the command mode.
    Refused,
    /// Command mode.
    Command(Step),
    /// Silent for ever; true while a session was cut off by it.
    Dead(bool),
    /// Left the bus.
    Gone,
}

/// A virtual Contour meter.
#[derive(Debug)]
pub(crate) struct ContourMeter {
    pub(super) model: &'static Model,
    pub(super) scenario: Arc<Scenario>,
    pub(super) records: Arc<[Record]>,
    pub(super) faults: Faults,
    pub(super) passwords: Rng,
    pub(super) state: State,
    pub(super) outbox: Outbox,
    pub(super) audit: Audit,
    /// The frame that waits for its answer.
    pub(super) sent: Vec<u8>,
    /// How often that frame was repeated.
    pub(super) repeats: u32,
    /// The host has read a whole frame since its last ACK.
    pub(super) heard: bool,
    /// Messages of the command mode so far.
    pub(super) commands: u32,
    /// Virtual milliseconds since the meter was plugged in.
    now: u64,
    deadline: Option<u64>,
    /// Clock at virtual time zero.
    clock_base: LocalTime,
}

impl ContourMeter {
    /// A meter as just plugged in, in the state the scenario asks for.
    pub(crate) fn new(
        model: &'static Model,
        scenario: Arc<Scenario>,
        records: Arc<[Record]>,
    ) -> Self {
        let mut meter = Self {
            model,
            faults: Faults::new(&scenario.faults),
            passwords: Rng::new(scenario.seed ^ PASSWORD_STREAM),
            state: State::Idle,
            outbox: Outbox::default(),
            audit: Audit::default(),
            sent: Vec::new(),
            repeats: 0,
            heard: true,
            commands: 0,
            now: 0,
            deadline: None,
            clock_base: scenario.clock(),
            scenario,
            records,
        };
        match meter.scenario.found {
            _ if meter.faults.has(Fault::Mute) => meter.state = State::Dead(false),
            Found::Idle => {}
            Found::Frame => meter.resume_mid_data(),
            Found::Command => {
                meter.state = State::Command(Step::Ready);
                meter.await_message();
            }
            // It is there when the host comes, however slow the meter is.
            Found::Enq => {
                meter.outbox.push_message(&[ENQ], 0, false);
                meter.state = State::Offering;
                meter.await_answer();
            }
        }
        meter
    }

    /// The meter's clock.
    pub(super) fn clock(&self) -> LocalTime {
        self.clock_base
            .plus_seconds(i64::try_from(self.now / 1000).unwrap_or(i64::MAX))
    }

    /// Sets the meter's clock.
    pub(super) fn set_clock(&mut self, time: LocalTime) {
        let elapsed = i64::try_from(self.now / 1000).unwrap_or(i64::MAX);
        self.clock_base = time.plus_seconds(-elapsed);
        self.audit.clock_set(time);
    }

    /// Virtual time at which an answer given now becomes readable.
    pub(super) fn answer_at(&self) -> u64 {
        self.now.saturating_add(self.slow().unwrap_or(ANSWER_MS))
    }

    /// Virtual time at which the answer to a wake-up becomes readable.
    pub(super) fn wake_at(&self) -> u64 {
        self.now.saturating_add(self.slow().unwrap_or(WAKE_UP_MS))
    }

    fn slow(&self) -> Option<u64> {
        self.faults.find(|fault| match fault {
            Fault::Slow(ms) => Some(u64::from(ms)),
            _ => None,
        })
    }

    /// Starts the sender's timer behind the last report on its way.
    pub(super) fn await_answer(&mut self) {
        let from = self.outbox.last_at().unwrap_or(self.now).max(self.now);
        self.deadline = Some(from.saturating_add(SENDER_TIMEOUT_MS));
    }

    /// Starts the receiver's timer.
    pub(super) fn await_message(&mut self) {
        self.deadline = Some(self.now.saturating_add(RECEIVER_TIMEOUT_MS));
    }

    /// Stops the timer.
    pub(super) fn await_nothing(&mut self) {
        self.deadline = None;
    }

    /// Sends control bytes or text outside frames.
    pub(super) fn say(&mut self, bytes: &[u8]) {
        self.outbox.push_message(bytes, self.answer_at(), false);
    }

    /// Leaves whatever was going on.
    pub(super) fn go_idle(&mut self) {
        self.state = State::Idle;
        self.await_nothing();
    }

    fn receive(&mut self, payload: &[u8]) {
        if let (State::Command(step), false) = (self.state, is_control(payload)) {
            self.command(step, payload);
            return;
        }
        for byte in payload {
            match *byte {
                ACK => self.on_ack(),
                NAK => self.on_nak(),
                EOT => self.on_eot(),
                ENQ => self.on_enq(),
                WAKE_X => self.on_wake_x(),
                CAN => {}
                b'\r' | b'\n' | 0x20..=0x7E => {
                    let text = printable(payload);
                    let rule = format!("text outside command mode: `{text}`");
                    self.audit.violation(rule);
                    return;
                }
                other => self.audit.violation(format!("unknown byte {other:#04x}")),
            }
        }
    }

    fn is_open(&self) -> bool {
        match self.state {
            State::Idle | State::Refused | State::Gone => false,
            State::Offering | State::Sending(_) | State::Command(_) => true,
            State::Dead(open) => open,
        }
    }
}

/// A payload of control bytes only.
fn is_control(payload: &[u8]) -> bool {
    payload
        .iter()
        .all(|byte| matches!(*byte, ACK | NAK | EOT | ENQ | CAN))
}

impl HidMeter for ContourMeter {
    fn write(&mut self, report: &[u8]) -> Result<(), Unplugged> {
        if self.state == State::Gone {
            return Err(Unplugged);
        }
        self.audit.reports_received += 1;
        if report.len() != REPORT_SIZE {
            self.audit
                .violation(format!("report of {} bytes in place of 64", report.len()));
            return Ok(());
        }
        if !HOST_PREFIXES
            .iter()
            .any(|prefix| report.starts_with(prefix))
        {
            self.audit.violation("unknown report prefix");
            return Ok(());
        }
        let length = report.get(LENGTH_AT).copied().map_or(0, usize::from);
        match report.get(PAYLOAD_AT..PAYLOAD_AT + length) {
            Some(payload) if length <= PAYLOAD_MAX => self.receive(payload),
            _ => self
                .audit
                .violation(format!("payload length {length} above 60")),
        }
        Ok(())
    }

    fn read(&mut self, wait_ms: u32) -> Result<Answer, Unplugged> {
        let start = self.now;
        let limit = start.saturating_add(u64::from(wait_ms));
        loop {
            if self.state == State::Gone {
                return Err(Unplugged);
            }
            let ready = self.outbox.ready_at().filter(|at| *at <= limit);
            // Each turn of the loop ends a timer; a timer starts at most one other of 15 s, so
            // the number of turns is bounded by the wait.
            let due = self
                .deadline
                .filter(|at| *at <= limit && ready.is_none_or(|r| *at < r));
            if let Some(due) = due {
                self.now = self.now.max(due);
                self.deadline = None;
                self.on_timeout();
                continue;
            }
            let parcel = if ready.is_some() {
                self.outbox.pop()
            } else {
                None
            };
            self.now = self.now.max(parcel.map_or(limit, |parcel| parcel.ready_at));
            if let Some(parcel) = parcel {
                self.audit.reports_read += 1;
                self.heard |= parcel.ends_frame;
            }
            let elapsed_ms = u32::try_from(self.now - start).unwrap_or(u32::MAX);
            return Ok(Answer {
                report: parcel.map(|parcel| parcel.report),
                elapsed_ms,
            });
        }
    }

    fn due_ms(&self) -> Option<u32> {
        let next = [self.outbox.ready_at(), self.deadline];
        let at = next.into_iter().flatten().min()?;
        Some(u32::try_from(at.saturating_sub(self.now)).unwrap_or(u32::MAX))
    }

    fn audit(&self) -> Audit {
        Audit {
            session_open: self.is_open(),
            reports_lost: self.outbox.lost(),
            clock: Some(self.clock()),
            ..self.audit.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::model::MODELS;
    use super::super::outbox::CAPACITY;
    use super::super::records::generate;
    use super::*;
    use crate::faults::contour_faults;
    use crate::frame::report;
    use crate::parse;

    fn meter(uri: &str) -> ContourMeter {
        let scenario = parse(uri).unwrap();
        let model = MODELS
            .iter()
            .find(|model| uri.starts_with(&format!("{}?", model.entry.key)));
        let model = model.unwrap();
        let records = generate(model, &scenario).into();
        ContourMeter::new(model, Arc::new(scenario), records)
    }

    /// Bytes a host is likely to send.
    const LIKELY: &[&[u8]] = &[
        b"\x04",
        b"\x05",
        b"\x06",
        b"\x06",
        b"\x06",
        b"\x15",
        b"\x18",
        b"X",
        b"R|",
        b"W|",
        b"D|\r",
        b"T|\r",
        b"260102|\r",
        b"1203|\r",
        b"M|",
        b"E|\r",
        b"Q|",
        b"\x06\x06",
        b"",
    ];

    #[derive(Clone, Debug)]
    enum Action {
        Likely(usize),
        Payload(Vec<u8>),
        Raw(Vec<u8>),
        Read(u32),
    }

    fn action() -> impl Strategy<Value = Action> {
        prop_oneof![
            4 => (0..LIKELY.len()).prop_map(Action::Likely),
            1 => prop::collection::vec(any::<u8>(), 0..60).prop_map(Action::Payload),
            1 => prop::collection::vec(any::<u8>(), 0..70).prop_map(Action::Raw),
            4 => prop_oneof![0..40u32, 0..40_000u32, Just(u32::MAX)].prop_map(Action::Read),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 10_000, failure_persistence: None, ..Default::default() })]

        #[test]
        fn survives_any_host_within_bounded_memory(
            model in 0..9usize,
            fault in 0..40usize,
            state in prop::sample::select(vec!["idle", "frame", "command", "enq"]),
            actions in prop::collection::vec(action(), 0..40),
        ) {
            let model = MODELS[model].entry.key;
            let fault = contour_faults().nth(fault).map_or("", |fault| fault.name);
            let mut meter = meter(&format!("{model}?records=6&state={state}&fault={fault}"));
            for action in actions {
                let before = meter.now;
                match action {
                    Action::Likely(at) => drop(meter.write(&report([0; 3], LIKELY[at]))),
                    Action::Payload(bytes) => drop(meter.write(&report([0; 3], &bytes))),
                    Action::Raw(bytes) => drop(meter.write(&bytes)),
                    Action::Read(wait) => {
                        if let Ok(answer) = meter.read(wait) {
                            prop_assert!(answer.elapsed_ms <= wait);
                            prop_assert_eq!(meter.now - before, u64::from(answer.elapsed_ms));
                            prop_assert!(answer.report.is_some() || answer.elapsed_ms == wait);
                        }
                    }
                }
                prop_assert!(meter.outbox.len() <= CAPACITY);
                prop_assert!(meter.audit.violations.len() <= 100);
                prop_assert!(meter.sent.len() < 1000);
            }
        }
    }

    #[test]
    fn stays_bounded_when_the_host_never_reads() {
        let mut meter = meter("contour-next-usb?records=10000");
        for _ in 0..50_000 {
            meter.write(&report([0; 3], &[ACK])).unwrap();
        }
        assert_eq!(meter.outbox.len(), CAPACITY);
        let audit = meter.audit();
        assert_eq!(audit.violations.len(), 100);
        assert!(audit.unlisted_violations > 0 && audit.reports_lost > 0);
    }
}
