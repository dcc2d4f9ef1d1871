//! The meter: a small disk whose registers answer (lifescan.md sections 3.1 to 3.8).

use super::disk::{ABORTED, Command, Disk, NO_SUCH_BLOCK, Span, WRONG_FIELD};
use super::model::Model;
use super::packet::{Block, decode, encode, spoil};
use super::protocol::{
    Ask, DONE, GENERAL, NO_RECORD, PARAMETERS, REFUSED, Text, UNUSED, understand, utf16,
};
use super::records::{EPOCH_S, Record, generate, late};
use crate::audit::Audit;
use crate::civil::LocalTime;
use crate::faults::{Fault, Faults};
use crate::meter::Unplugged;
use crate::scenario::{Scenario, Unit};
use crate::scsi::{BLOCK_SIZE, ScsiMeter, ScsiOutcome, ScsiTransfer};

/// Vendor field of INQUIRY.
pub(super) const VENDOR: [u8; 8] = *b"LifeScan";
/// Volume label and file-system name.
pub(super) const LABEL: [u8; 19] = *b"LIFESCAN   FAT16   ";
/// The blank product and revision fields.
const BLANK: [u8; 20] = [b' '; 20];
/// Bytes of INQUIRY with the vendor field.
const VENDOR_END: usize = 16;
/// Longer than any host waits.
const NEVER_MS: u32 = 3_600_000;
/// An empty block.
const EMPTY: Block = [0; BLOCK_SIZE];

/// How far the host has come in making sure that this is a meter.
#[derive(Clone, Copy, Debug, Default)]
struct Identified {
    vendor: bool,
    boot_sector: bool,
    /// The first command was seen.
    model: bool,
}

/// One register.
#[derive(Clone, Debug)]
struct Register {
    block: Block,
    /// Number of the request whose answer is in the block; 0 before the first.
    number: u32,
}

/// A virtual Verio.
#[derive(Debug)]
pub(crate) struct VerioMeter {
    model: &'static Model,
    scenario: Scenario,
    /// All records, newest first.
    records: Vec<Record>,
    /// That many of the newest are not stored yet.
    hidden: usize,
    /// Of them, tests that will take the place of the oldest records.
    replacing: usize,
    /// Records from this one on are erased.
    erased_from: usize,
    disk: Disk,
    /// The registers at LBA 3, 4 and 5.
    registers: [Register; 3],
    /// Requests so far.
    requests: u32,
    /// The count was asked for.
    counted: bool,
    /// Requests whose answers are always spoiled.
    hopeless: Vec<Vec<u8>>,
    identified: Identified,
    faults: Faults,
    gone: bool,
    /// An operating system reads the disk as well: what only it does breaks no rule, and proves
    /// nothing of the host.
    shared: bool,
    /// Virtual milliseconds since the meter was plugged in.
    now: u64,
    /// Clock at virtual time zero.
    clock_base: LocalTime,
    audit: Audit,
}

impl VerioMeter {
    /// A meter as just plugged in.
    pub(crate) fn new(model: &'static Model, scenario: Scenario) -> Self {
        let records = generate(model, &scenario);
        let register = Register {
            block: EMPTY,
            number: 0,
        };
        let faults = Faults::new(&scenario.faults);
        let slow = faults.find(|fault| match fault {
            Fault::Slow(ms) => Some(ms),
            _ => None,
        });
        Self {
            model,
            hidden: late(&scenario),
            replacing: faults.count(|fault| matches!(fault, Fault::Replace(_))),
            erased_from: records.len(),
            records,
            disk: Disk::new(VENDOR, BLANK, LABEL, slow),
            registers: [register.clone(), register.clone(), register],
            requests: 0,
            counted: false,
            hopeless: Vec::new(),
            identified: Identified::default(),
            gone: faults.has(Fault::Unplug(0)),
            shared: false,
            faults,
            now: 0,
            clock_base: scenario.clock(),
            audit: Audit::default(),
            scenario,
        }
    }

    /// The same meter, behind an operating system that looks at its blocks as at those of any disk.
    pub(crate) fn shared(self) -> Self {
        Self {
            shared: true,
            ..self
        }
    }

    /// Whether the disk has stopped answering anything.
    fn is_silent(&self) -> bool {
        let dead = self.faults.find(|fault| match fault {
            Fault::Mute => Some(0),
            Fault::Dead(n) => Some(n),
            _ => None,
        });
        dead.is_some_and(|n| self.requests >= n)
    }

    fn register(&mut self, lba: u32) -> Option<&mut Register> {
        let at = lba.checked_sub(GENERAL)?;
        self.registers.get_mut(usize::try_from(at).ok()?)
    }

    fn elapsed_s(&self) -> i64 {
        i64::try_from(self.now / 1000).unwrap_or(i64::MAX)
    }

    fn clock(&self) -> LocalTime {
        self.clock_base.plus_seconds(self.elapsed_s())
    }

    fn stored(&self) -> &[Record] {
        self.records
            .get(self.hidden..self.erased_from)
            .unwrap_or_default()
    }

    /// Checks what both block commands have in common; a broken rule otherwise.
    fn one_block(&self, name: &str, span: Span, length: usize) -> Option<String> {
        if !span.plain {
            Some(format!("{name} with flags"))
        } else if span.blocks != 1 {
            Some(format!("{name} of {} blocks", span.blocks))
        } else if length != BLOCK_SIZE {
            Some(format!("{name} of one block with {length} bytes of data"))
        } else {
            None
        }
    }

    fn read(&mut self, span: Span, data: ScsiTransfer<'_>) -> ScsiOutcome {
        let length = data.len();
        let foreign = self.shared && (span.blocks != 1 || !span.plain);
        let broken = self.one_block("READ", span, length);
        if let Some(rule) = broken.filter(|_| !foreign) {
            self.audit.violation(rule);
            return self.disk.check(WRONG_FIELD, length);
        }
        if !span.exists() {
            return self.disk.check(NO_SUCH_BLOCK, length);
        }
        if foreign {
            let lbas = (span.lba..).take(span.blocks.into());
            let blocks: Vec<u8> = lbas.flat_map(|lba| self.block(lba).0).collect();
            return self.disk.send(&blocks, blocks.len(), data);
        }
        let (block, number) = self.block(span.lba);
        if number > 0 {
            if self.faults.take(Fault::Stall(number)) {
                // After a reset of the link the host has to make sure again.
                self.reset();
                let outcome = self.disk.good(length);
                return ScsiOutcome {
                    stalled: true,
                    ..outcome
                };
            }
            if self.faults.take(Fault::Check(number)) {
                return self.disk.check(ABORTED, length);
            }
            if self.faults.take(Fault::Residue(number)) {
                return self.disk.good(length);
            }
            self.gone |= self.faults.has(Fault::Unplug(number));
        }
        let outcome = self.disk.send(&block, BLOCK_SIZE, data);
        self.identified.boot_sector |= span.lba == 0 && outcome.status == 0;
        outcome
    }

    /// A block, and the number of the request whose answer it holds.
    fn block(&mut self, lba: u32) -> (Block, u32) {
        match self.register(lba) {
            Some(register) => (register.block, register.number),
            None if lba == 0 => (self.disk.boot_sector(), 0),
            None => (EMPTY, 0),
        }
    }

    fn write(&mut self, span: Span, data: ScsiTransfer<'_>) -> ScsiOutcome {
        let length = data.len();
        if !matches!(span.lba, GENERAL | PARAMETERS) {
            self.audit.violation(format!("wrote LBA {}", span.lba));
        }
        if !(self.identified.vendor && self.identified.boot_sector) {
            self.audit.violation(format!(
                "wrote LBA {} before INQUIRY and boot sector were read",
                span.lba
            ));
        }
        if let Some(rule) = self.one_block("WRITE", span, length) {
            self.audit.violation(rule);
            return self.disk.check(WRONG_FIELD, length);
        }
        let ScsiTransfer::Out(bytes) = data else {
            return self.disk.check(WRONG_FIELD, length);
        };
        if !span.exists() {
            return self.disk.check(NO_SUCH_BLOCK, length);
        }
        let mut block = EMPTY;
        for (slot, byte) in block.iter_mut().zip(bytes) {
            *slot = *byte;
        }
        match span.lba {
            GENERAL | PARAMETERS => {
                self.requests = self.requests.saturating_add(1);
                self.audit.requests += 1;
                let (number, answer) = (self.requests, self.answer(span.lba, &block));
                if let Some(register) = self.register(span.lba) {
                    register.block = answer.unwrap_or(block);
                    register.number = number;
                }
            }
            UNUSED => {
                if let Some(register) = self.register(UNUSED) {
                    register.block = block;
                }
            }
            _ => {}
        }
        self.disk.good(0)
    }

    /// Answers a request; `None` leaves it in the register as it is.
    fn answer(&mut self, lba: u32, block: &Block) -> Option<Block> {
        let number = self.requests;
        let first = !std::mem::replace(&mut self.identified.model, true);
        let understood = decode(block).and_then(|message| {
            let (prefix, ask) = understand(lba, message)?;
            Ok((message, prefix, ask))
        });
        let (message, prefix, ask) = match understood {
            Ok(understood) => understood,
            Err(rule) => {
                self.audit.violation(rule);
                return None;
            }
        };
        if first && ask != Ask::Text(Text::Model) {
            let rule = "the first request does not ask for the model";
            self.audit.violation(rule);
        }
        if ask == Ask::Unknown {
            let code = message.get(1).copied().unwrap_or(0);
            self.audit.violation(format!("unknown command {code:#04x}"));
        }
        if self.faults.take(Fault::Refuse(number)) {
            return None;
        }
        if self.faults.take(Fault::Replace(number)) {
            self.replacing = self.replacing.saturating_sub(1);
            self.hidden = self.hidden.saturating_sub(1);
            self.erased_from = self.erased_from.saturating_sub(1).max(self.hidden);
        }
        let failed = self.faults.take(Fault::Status(number));
        let (mut status, data) = if failed && ask.changes() {
            (REFUSED, Vec::new())
        } else {
            self.execute(ask)
        };
        if failed {
            // The data stay: nobody may look at them.
            status = REFUSED;
        }
        let mut answer = encode(&[&[prefix, status], data.as_slice()].concat());
        // The prefix does not make another request of it.
        let request = message.get(1..).unwrap_or_default();
        if self.faults.has(Fault::CrcForever(number)) {
            self.hopeless.push(request.to_vec());
        }
        let hopeless = self.hopeless.iter().any(|known| known == request);
        if self.faults.take(Fault::Crc(number)) || hopeless {
            spoil(&mut answer);
        }
        Some(answer)
    }

    /// Does what was asked; status and data of the answer.
    fn execute(&mut self, ask: Ask) -> (u8, Vec<u8>) {
        let data = match ask {
            Ask::Text(text) => utf16(match text {
                Text::Serial => &self.scenario.serial,
                Text::Model => self.model.text,
                Text::Software => self.model.software,
                Text::DateFormat => "%D %n %y",
                Text::TimeFormat => "%I:%T",
                Text::Url => "https://example.com",
                Text::Languages => {
                    "ENa 01.02.00; DEa 01.02.00; FRa 01.02.00; ITa 01.02.00; ESa 01.02.00"
                }
            }),
            // Half a surrogate pair and an odd number of bytes: no text.
            Ask::Blob => vec![0x00, 0xD8, 0x01, 0x10, 0x00],
            Ask::Unit => {
                let unit: u32 = match self.scenario.unit {
                    Unit::MgPerDl => 0,
                    Unit::MmolPerL => 1,
                };
                unit.to_le_bytes().to_vec()
            }
            Ask::Clock => {
                let seconds =
                    u32::try_from(self.clock().to_seconds() - EPOCH_S).unwrap_or(u32::MAX);
                seconds.to_le_bytes().to_vec()
            }
            Ask::SetClock(seconds) => {
                let clock = LocalTime::from_seconds(EPOCH_S + i64::from(seconds));
                self.clock_base = clock.plus_seconds(-self.elapsed_s());
                self.audit.clock_set(clock);
                Vec::new()
            }
            Ask::Count => {
                if std::mem::replace(&mut self.counted, true) {
                    // The tests taken meanwhile.
                    self.hidden = self.replacing;
                }
                let count = u16::try_from(self.stored().len()).unwrap_or(u16::MAX);
                count.to_le_bytes().to_vec()
            }
            Ask::Record(index) => match self.stored().get(usize::from(index)) {
                Some(record) => record.bytes.to_vec(),
                None => return (NO_RECORD, Vec::new()),
            },
            Ask::Erase => {
                self.erased_from = self.hidden;
                self.audit.erasures += 1;
                Vec::new()
            }
            Ask::Missing | Ask::Unknown => return (REFUSED, Vec::new()),
        };
        (DONE, data)
    }
}

impl ScsiMeter for VerioMeter {
    fn command(&mut self, cdb: &[u8], data: ScsiTransfer<'_>) -> Result<ScsiOutcome, Unplugged> {
        if self.gone {
            return Err(Unplugged);
        }
        self.audit.scsi_commands += 1;
        if self.is_silent() {
            self.now = self.now.saturating_add(NEVER_MS.into());
            return Ok(ScsiOutcome {
                elapsed_ms: NEVER_MS,
                ..self.disk.good(data.len())
            });
        }
        let command = Command::parse(cdb);
        let expected = data.len();
        let outcome = match command {
            Command::Read(span) => self.read(span, data),
            Command::Write(span) => self.write(span, data),
            _ => self.disk.run(command, data),
        };
        if let Command::Inquiry(length) = command {
            let seen = length.min(expected) >= VENDOR_END && outcome.status == 0;
            self.identified.vendor |= seen;
        }
        if self.shared && command == Command::Capacity {
            // A disk driver has bound: whoever used the disk before has left.
            self.reset();
        }
        self.now = self.now.saturating_add(u64::from(outcome.elapsed_ms));
        Ok(outcome)
    }

    fn pass(&mut self, elapsed_ms: u32) {
        self.now = self.now.saturating_add(u64::from(elapsed_ms));
    }

    fn reset(&mut self) {
        self.identified = Identified::default();
    }

    fn audit(&self) -> Audit {
        Audit {
            clock: Some(self.clock()),
            ..self.audit.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::model::MODELS;
    use super::*;
    use crate::faults::verio_faults;
    use crate::parse;

    /// Commands a host is likely to send.
    const LIKELY: &[&[u8]] = &[
        &[0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0],
        &[0x28, 0, 0, 0, 0, 3, 0, 0, 1, 0],
        &[0x28, 0, 0, 0, 0, 4, 0, 0, 1, 0],
        &[0x2A, 0, 0, 0, 0, 3, 0, 0, 1, 0],
        &[0x2A, 0, 0, 0, 0, 3, 0, 0, 1, 0],
        &[0x2A, 0, 0, 0, 0, 4, 0, 0, 1, 0],
        &[0x2A, 0, 0, 0, 0, 5, 0, 0, 1, 0],
        &[0x2A, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 1, 0],
        &[0x12, 0, 0, 0, 36, 0],
        &[0x03, 0, 0, 0, 18, 0],
        &[0x1A, 0, 0x3F, 0, 192, 0],
    ];
    /// Messages a host is likely to send.
    const MESSAGES: &[&[u8]] = &[
        &[3, 0xE6, 2, 1],
        &[4, 0xE6, 2, 9],
        &[3, 4, 0],
        &[3, 0x20, 2],
        &[3, 0x20, 1, 255, 255, 255, 255],
        &[3, 0x27, 0],
        &[3, 0x31, 2, 0, 0, 0],
        &[3, 0x31, 2, 255, 255, 0],
        &[3, 0x1A],
        &[6, 0x1A],
        &[],
    ];

    fn block() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            4 => (0..MESSAGES.len()).prop_map(|at| encode(MESSAGES[at]).to_vec()),
            1 => prop::collection::vec(any::<u8>(), 0..12).prop_map(|message| {
                encode(&message).to_vec()
            }),
            1 => prop::collection::vec(any::<u8>(), 512),
            1 => prop::collection::vec(any::<u8>(), 0..1100),
        ]
    }

    fn cdb() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            6 => (0..LIKELY.len()).prop_map(|at| LIKELY[at].to_vec()),
            1 => prop::collection::vec(any::<u8>(), 0..17),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..Default::default() })]

        #[test]
        fn survives_any_host(
            model in 0..MODELS.len(),
            fault in 0..20usize,
            records in 0..9u32,
            commands in prop::collection::vec((cdb(), 0..3u8, block()), 0..40),
        ) {
            let fault = verio_faults().nth(fault).map_or("", |fault| fault.name);
            let key = MODELS[model].entry.key;
            let scenario = parse(&format!("{key}?records={records}&fault={fault}")).unwrap();
            let mut meter = scenario.scsi_meter().unwrap();
            for (cdb, direction, mut bytes) in commands {
                let length = bytes.len();
                let data = match direction {
                    0 => ScsiTransfer::None,
                    1 => ScsiTransfer::In(&mut bytes),
                    _ => ScsiTransfer::Out(&bytes),
                };
                if let Ok(outcome) = meter.command(&cdb, data) {
                    prop_assert!(usize::try_from(outcome.residue).unwrap() <= length);
                    prop_assert_eq!(outcome.status == 0, outcome.sense.is_empty());
                    prop_assert!(matches!(outcome.status, 0 | 2));
                }
                prop_assert!(meter.audit().violations.len() <= 100);
            }
        }
    }
}
