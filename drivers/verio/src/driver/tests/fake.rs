//! A meter as a SCSI disk, simulated from the reference; nobody has captured a whole download.

use std::sync::{Arc, Mutex, MutexGuard};

use glucopipe_sdk::link::{Kind, ScsiData, ScsiStatus};
use glucopipe_sdk::serde_json::{Value, json};
use glucopipe_sdk::testing::{Peer, TestHost, TestSession};
use glucopipe_sdk::{Error, Result, Status};

use crate::Verio;
use crate::lifescan::frame::{Form, decode, encode};
use crate::protocol::record::Record;
use crate::protocol::text;

/// Serial of the simulated meter.
pub(super) const SERIAL: &str = "ZXV00123";
/// What its clock shows: 2026-06-01T12:00:00.
pub(super) const CLOCK: u32 = 833_630_400;
/// Status of a command that failed (SAM: check condition).
const CHECK_CONDITION: u32 = 2;

/// What goes wrong with one SCSI command.
#[derive(Clone, Debug)]
pub(super) enum Act {
    /// Nothing.
    Right,
    /// A write is not processed: the register holds the request.
    Echo,
    /// A write is answered by this message, in a good packet.
    Say(Vec<u8>),
    /// A write is answered by a packet with a wrong checksum.
    Spoil,
    /// A write changes nothing: the register keeps the last reply.
    Stale,
    /// So many bytes are not transferred.
    Residue(u32),
    /// The command fails, with these sense data on request.
    Check(Vec<u8>),
    /// The command fails, and the link brings these sense data.
    Sensed(Vec<u8>),
    /// The link fails; the command came through if so.
    Fail(Status, bool),
}

/// What a [`Plan`] is asked.
pub(super) struct Step<'a> {
    /// Number of the SCSI command, from 0.
    pub(super) number: usize,
    /// First byte of the command block.
    pub(super) operation: u8,
    /// Message of a request, when one is written.
    pub(super) message: &'a [u8],
}

impl Step<'_> {
    /// Whether a record is asked for, and which.
    pub(super) fn record(&self) -> Option<u16> {
        match self.message {
            [_, 0x31, 2, low, high, 0] => Some(u16::from_le_bytes([*low, *high])),
            _ => None,
        }
    }

    /// Whether this command byte is written.
    pub(super) fn writes(&self, command: u8) -> bool {
        self.message.get(1) == Some(&command)
    }
}

/// Decides what goes wrong.
type Plan = Box<dyn FnMut(&Step<'_>) -> Act + Send>;

/// The meter.
pub(super) struct Fake {
    pub(super) vendor: [u8; 8],
    pub(super) label: [u8; 16],
    pub(super) serial: String,
    pub(super) model: Vec<u8>,
    pub(super) prefix: u8,
    pub(super) clock: u32,
    /// Newest first.
    pub(super) records: Vec<Record>,
    pub(super) plan: Plan,
    /// A test that is taken before the record with this index is read, and once only.
    pub(super) test_at: Option<(u16, Record)>,
    /// Most records it holds.
    pub(super) capacity: usize,
    /// Blocks written, with their numbers.
    pub(super) written: Vec<(u32, Vec<u8>)>,
    /// SCSI commands seen.
    pub(super) seen: usize,
    registers: [[u8; 512]; 2],
    sense: Vec<u8>,
}

impl Fake {
    /// A meter with so many records.
    pub(super) fn new(records: u16) -> Self {
        let record = |index: u16| record(records - 1 - index, index);
        Self {
            vendor: *b"LifeScan",
            label: *b"LIFESCAN   FAT16",
            serial: SERIAL.to_owned(),
            model: text::encode("Verio Flex"),
            prefix: 4,
            clock: CLOCK,
            records: (0..records).map(record).collect(),
            plan: Box::new(|_| Act::Right),
            test_at: None,
            capacity: 500,
            written: Vec::new(),
            seen: 0,
            registers: [[0; 512]; 2],
            sense: Vec::new(),
        }
    }

    /// The same meter, with something going wrong.
    pub(super) fn with_plan(mut self, plan: impl FnMut(&Step<'_>) -> Act + Send + 'static) -> Self {
        self.plan = Box::new(plan);
        self
    }

    /// Messages of all requests written.
    pub(super) fn messages(&self) -> Vec<Vec<u8>> {
        let packets = self.written.iter();
        packets
            .map(|(_, block)| decode(Form::Block, block).unwrap().message.to_vec())
            .collect()
    }

    /// How often this command byte was written.
    pub(super) fn count(&self, command: u8) -> usize {
        let messages = self.messages();
        let such = messages.iter().filter(|message| message[1] == command);
        such.count()
    }

    fn reply(&mut self, message: &[u8]) -> Vec<u8> {
        let data = match message[1..] {
            [0xe6, 2, 0] => text::encode(&self.serial),
            [0xe6, 2, 1] => self.model.clone(),
            [0xe6, 2, 2] => text::encode("PVS_01.02.03"),
            [0xe6, 2, 4] => text::encode("%D %n %y"),
            [0xe6, 2, 5] | [0, 0] => text::encode("%I:%T"),
            // A meter need not know every question.
            [0xe6, 2, 7] => return vec![self.prefix, 9],
            [0xe6, 2, 9] => text::encode("ENa 01.02.00; DEa 01.02.00 "),
            [2, 0] => text::encode(""),
            [4, 0] => vec![1, 0, 0, 0],
            [0x20, 2] => self.clock.to_le_bytes().to_vec(),
            [0x20, 1, a, b, c, d] => {
                self.clock = u32::from_le_bytes([a, b, c, d]);
                Vec::new()
            }
            [0x27, 0] => u16::try_from(self.records.len())
                .unwrap()
                .to_le_bytes()
                .to_vec(),
            [0x31, 2, low, high, 0] => {
                let index = u16::from_le_bytes([low, high]);
                if let Some((_, test)) = self.test_at.take_if(|(at, _)| *at == index) {
                    self.records.insert(0, test);
                    self.records.truncate(self.capacity);
                }
                self.records[usize::from(index)].encode().to_vec()
            }
            [0x1a] => {
                self.records.clear();
                Vec::new()
            }
            ref other => panic!("no such request: {other:02x?}"),
        };
        // READ PARAMETER answers 03 whatever was asked; all others of this meter answer the same.
        let prefix = if message.len() == 3 && message[1] <= 4 {
            3
        } else {
            self.prefix
        };
        [&[prefix, 6], data.as_slice()].concat()
    }

    fn write(&mut self, lba: u32, block: &[u8], act: &Act) {
        assert_eq!(block.len(), 512);
        let register = usize::from(lba == 4);
        self.written.push((lba, block.to_vec()));
        let request = decode(Form::Block, block).unwrap();
        assert!(block[request.bytes.len()..].iter().all(|byte| *byte == 0));
        let is_parameter = matches!(request.message[1..], [0 | 2 | 4, 0]);
        let packet = match act {
            Act::Stale => return,
            Act::Echo => request.bytes.to_vec(),
            Act::Say(message) => encode(Form::Block, 0, message).unwrap(),
            // A message works only on its own register.
            _ if is_parameter != (lba == 4) => request.bytes.to_vec(),
            _ => {
                let message = self.reply(request.message);
                encode(Form::Block, 0, &message).unwrap()
            }
        };
        let register = &mut self.registers[register];
        *register = [0; 512];
        register[..packet.len()].copy_from_slice(&packet);
        if matches!(act, Act::Spoil) {
            register[packet.len() - 1] ^= 0xff;
        }
    }

    fn run(&mut self, cdb: &[u8], data: ScsiData<'_>) -> Result<ScsiStatus> {
        let done = |status, residue| ScsiStatus {
            status,
            residue,
            sense: Vec::new(),
        };
        let message = match &data {
            ScsiData::To(block) => decode(Form::Block, block).unwrap().message.to_vec(),
            _ => Vec::new(),
        };
        let step = Step {
            number: self.seen,
            operation: cdb[0],
            message: &message,
        };
        let act = (self.plan)(&step);
        self.seen += 1;
        match &act {
            Act::Check(sense) => {
                self.sense.clone_from(sense);
                return Ok(done(CHECK_CONDITION, 0));
            }
            Act::Sensed(sense) => {
                return Ok(ScsiStatus {
                    sense: sense.clone(),
                    ..done(CHECK_CONDITION, 0)
                });
            }
            Act::Residue(missing) => return Ok(done(0, *missing)),
            Act::Fail(status, false) => return Err(Error::new(*status, "simulated")),
            _ => {}
        }
        match (cdb, data) {
            ([0x12, 0, 0, 0, 36, 0], ScsiData::From(data)) => {
                data.fill(0);
                data[8..16].copy_from_slice(&self.vendor);
            }
            ([0x03, 0, 0, 0, 18, 0], ScsiData::From(data)) => {
                data.fill(0);
                data[..self.sense.len()].copy_from_slice(&self.sense);
            }
            ([0x28, 0, 0, 0, 0, lba, 0, 0, 1, 0], ScsiData::From(data)) => {
                assert_eq!(data.len(), 512);
                match lba {
                    0 => {
                        data.fill(0);
                        data[0x2b..0x3b].copy_from_slice(&self.label);
                    }
                    3 => data.copy_from_slice(&self.registers[0]),
                    4 => data.copy_from_slice(&self.registers[1]),
                    other => panic!("block {other} is not to be read"),
                }
            }
            ([0x2a, 0, 0, 0, 0, lba @ (3 | 4), 0, 0, 1, 0], ScsiData::To(data)) => {
                self.write((*lba).into(), data, &act);
            }
            (other, _) => panic!("no such command: {other:02x?}"),
        }
        match act {
            Act::Fail(status, _) => Err(Error::new(status, "simulated")),
            _ => Ok(done(0, 0)),
        }
    }
}

/// A made-up record, the `number`th ever, with this inverse number.
pub(super) fn record(number: u16, inverse: u16) -> Record {
    Record {
        inverse,
        control: 0,
        counter: 1_000 + number,
        seconds: CLOCK - 4_000_000 + u32::from(number) * 3_600,
        glucose: 70 + number % 200,
        meal: 0,
        zero: 0,
        flags: 0,
        tail: [0x0b, 0],
    }
}

/// The cable between host and meter.
struct Cable(Arc<Mutex<Fake>>);

impl Peer for Cable {
    fn write(&mut self, _: &[u8]) -> Result<()> {
        panic!("a disk takes SCSI commands")
    }

    fn read(&mut self) -> Result<Option<Vec<u8>>> {
        panic!("a disk takes SCSI commands")
    }

    fn scsi(&mut self, cdb: &[u8], data: ScsiData<'_>) -> Result<ScsiStatus> {
        self.0.lock().unwrap().run(cdb, data)
    }
}

/// A host, the meter at it, and an open session.
pub(super) struct Bench {
    pub(super) host: TestHost,
    pub(super) session: TestSession<Verio>,
    fake: Arc<Mutex<Fake>>,
}

impl Bench {
    /// Attaches a meter as a Verio Flex.
    pub(super) fn new(fake: Fake) -> Self {
        Self::described(
            fake,
            json!({"link": "scsi", "vendor": "2766", "product": "0004"}),
        )
    }

    /// Attaches a meter of which the host knows this.
    pub(super) fn described(fake: Fake, device: Value) -> Self {
        let fake = Arc::new(Mutex::new(fake));
        let host = TestHost::new()
            .with_link(Kind::Scsi, Cable(fake.clone()))
            .with_device(device);
        let session = host.open_driver::<Verio>(&json!({})).unwrap();
        Self {
            host,
            session,
            fake,
        }
    }

    /// The meter.
    pub(super) fn fake(&self) -> MutexGuard<'_, Fake> {
        self.fake.lock().unwrap()
    }
}
