//! The host of the Verio family.

use glucopipe_emulator::{Audit, Scenario, ScsiMeter, ScsiOutcome, ScsiTransfer, Unplugged, parse};

pub const GENERAL: u8 = 3;
pub const PARAMETERS: u8 = 4;

pub struct DiskHost {
    meter: Box<dyn ScsiMeter>,
    /// Every block read from a register.
    pub log: Vec<Vec<u8>>,
    pub elapsed_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A packet with a right checksum: its message.
    Message(Vec<u8>),
    /// The register holds the request.
    Echo,
    BadCrc,
    /// CHECK CONDITION with its sense key.
    Check(u8),
    /// Good status, but so many bytes were not transferred.
    Short(u32),
    Stalled,
    Gone,
}

#[derive(Debug, Default)]
pub struct Download {
    /// Records as sent: 16 bytes each, hexadecimal.
    pub records: Vec<String>,
    /// Indices that could not be read.
    pub missing: Vec<u16>,
    pub repeats: usize,
    pub restarts: usize,
    pub identified_again: usize,
    pub unplugged: bool,
}

pub fn crc(bytes: &[u8]) -> u16 {
    let mut crc = 0xFFFF_u16;
    for byte in bytes {
        crc ^= u16::from(*byte) << 8;
        for _ in 0..8 {
            let carry = crc >> 15;
            crc = (crc << 1) ^ (carry * 0x1021);
        }
    }
    crc
}

pub fn packet(message: &[u8]) -> Vec<u8> {
    let mut packet = vec![2, u8::try_from(message.len() + 6).unwrap(), 0];
    packet.extend_from_slice(message);
    packet.push(3);
    packet.extend_from_slice(&crc(&packet).to_le_bytes());
    packet
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<char> = text.chars().filter(|c| c.is_ascii_hexdigit()).collect();
    let byte = |pair: &[char]| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

pub fn utf16(data: &[u8]) -> String {
    let units: Vec<u16> = data
        .chunks(2)
        .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
        .collect();
    let (zero, text) = units.split_last().unwrap();
    assert_eq!(*zero, 0);
    String::from_utf16(text).unwrap()
}

impl DiskHost {
    pub fn new(scenario: &Scenario) -> Self {
        Self {
            meter: scenario.scsi_meter().expect("a disk"),
            log: Vec::new(),
            elapsed_ms: 0,
        }
    }

    /// A host that has made sure of the meter.
    pub fn open(uri: &str) -> Self {
        let mut host = Self::new(&parse(uri).unwrap_or_else(|error| panic!("{uri}: {error}")));
        host.identify();
        host
    }

    pub fn audit(&self) -> Audit {
        self.meter.audit()
    }

    pub fn run(&mut self, cdb: &[u8], data: ScsiTransfer<'_>) -> Result<ScsiOutcome, Unplugged> {
        let outcome = self.meter.command(cdb, data)?;
        self.elapsed_ms += u64::from(outcome.elapsed_ms);
        Ok(outcome)
    }

    /// Bytes of a command that reads, with its outcome.
    pub fn fetch(&mut self, cdb: &[u8], length: usize) -> (Vec<u8>, ScsiOutcome) {
        let mut buffer = vec![0xEE; length];
        let outcome = self.run(cdb, ScsiTransfer::In(&mut buffer)).unwrap();
        (buffer, outcome)
    }

    pub fn read_block(&mut self, lba: u8) -> (Vec<u8>, ScsiOutcome) {
        self.fetch(&[0x28, 0, 0, 0, 0, lba, 0, 0, 1, 0], 512)
    }

    pub fn write_block(&mut self, lba: u8, bytes: &[u8]) -> Result<ScsiOutcome, Unplugged> {
        let mut block = bytes.to_vec();
        block.resize(512, 0);
        self.run(
            &[0x2A, 0, 0, 0, 0, lba, 0, 0, 1, 0],
            ScsiTransfer::Out(&block),
        )
    }

    /// INQUIRY, boot sector and the model; false when this is no meter.
    pub fn identify(&mut self) -> bool {
        let (inquiry, _) = self.fetch(&[0x12, 0, 0, 0, 36, 0], 36);
        let (boot, _) = self.read_block(0);
        inquiry[0] == 0
            && inquiry[8..16] == *b"LifeScan"
            && boot[0x2B..=0x3A] == *b"LIFESCAN   FAT16"
            && matches!(self.ask(GENERAL, &[3, 0xE6, 2, 1]), Reply::Message(m) if m[1] == 6)
    }

    pub fn ask(&mut self, lba: u8, message: &[u8]) -> Reply {
        self.ask_raw(lba, &packet(message))
    }

    pub fn ask_raw(&mut self, lba: u8, request: &[u8]) -> Reply {
        match self.write_block(lba, request) {
            Err(Unplugged) => return Reply::Gone,
            Ok(outcome) => assert_eq!((outcome.status, outcome.residue), (0, 0)),
        }
        let mut block = vec![0xEE; 512];
        let cdb = [0x28, 0, 0, 0, 0, lba, 0, 0, 1, 0];
        let Ok(outcome) = self.run(&cdb, ScsiTransfer::In(&mut block)) else {
            return Reply::Gone;
        };
        if outcome.stalled {
            return Reply::Stalled;
        }
        if outcome.status != 0 {
            return Reply::Check(outcome.sense[2]);
        }
        if outcome.residue != 0 {
            return Reply::Short(outcome.residue);
        }
        self.log.push(block.clone());
        if block.starts_with(request) && block[request.len()..].iter().all(|byte| *byte == 0) {
            return Reply::Echo;
        }
        let length = usize::from(u16::from_le_bytes([block[1], block[2]]));
        assert_eq!((block[0], block[length - 3]), (2, 3));
        assert!(block[length..].iter().all(|byte| *byte == 0));
        let sum = u16::from_le_bytes([block[length - 2], block[length - 1]]);
        if sum == crc(&block[..length - 2]) {
            Reply::Message(block[3..length - 3].to_vec())
        } else {
            Reply::BadCrc
        }
    }

    /// Data of a reply with status 06.
    pub fn data(&mut self, lba: u8, message: &[u8]) -> Vec<u8> {
        match self.ask(lba, message) {
            Reply::Message(reply) if reply[1] == 6 => reply[2..].to_vec(),
            other => panic!("{message:02X?}: {other:?}"),
        }
    }

    pub fn text(&mut self, lba: u8, message: &[u8]) -> String {
        utf16(&self.data(lba, message))
    }

    pub fn count(&mut self) -> u16 {
        let data = self.data(GENERAL, &[3, 0x27, 0]);
        u16::from_le_bytes(data.try_into().unwrap())
    }

    pub fn clock(&mut self) -> u32 {
        let data = self.data(GENERAL, &[3, 0x20, 2]);
        u32::from_le_bytes(data.try_into().unwrap())
    }

    /// A whole download by the sequence of the reference.
    pub fn download(&mut self) -> Download {
        let mut download = Download::default();
        if self.drive(&mut download).is_err() {
            download.unplugged = true;
        }
        download
    }

    fn drive(&mut self, download: &mut Download) -> Result<(), Unplugged> {
        let before: [(u8, &[u8]); 5] = [
            (GENERAL, &[3, 0xE6, 2, 1]),
            (GENERAL, &[3, 0xE6, 2, 0]),
            (GENERAL, &[3, 0xE6, 2, 2]),
            (PARAMETERS, &[3, 4, 0]),
            (GENERAL, &[3, 0x20, 2]),
        ];
        self.fetch(&[0x12, 0, 0, 0, 36, 0], 36);
        self.read_block(0);
        for (lba, message) in before {
            self.patiently(lba, message, download)?.expect("an answer");
        }
        loop {
            let ask = |host: &mut Self, download: &mut Download| {
                let count = host.patiently(GENERAL, &[3, 0x27, 0], download)?;
                let count = count.expect("a count");
                Ok(u16::from_le_bytes([count[0], count[1]]))
            };
            let count = ask(self, download)?;
            for index in 0..count {
                let [low, high] = index.to_le_bytes();
                match self.patiently(GENERAL, &[3, 0x31, 2, low, high, 0], download)? {
                    Some(data) => download.records.push(hex(&data)),
                    None => download.missing.push(index),
                }
            }
            if ask(self, download)? == count || download.restarts > 0 {
                return Ok(());
            }
            download.restarts += 1;
            download.records.clear();
        }
    }

    /// Asks up to four times.
    fn patiently(
        &mut self,
        lba: u8,
        message: &[u8],
        download: &mut Download,
    ) -> Result<Option<Vec<u8>>, Unplugged> {
        for _ in 0..4 {
            match self.ask(lba, message) {
                Reply::Message(reply) if reply[1] == 6 => return Ok(Some(reply[2..].to_vec())),
                Reply::Gone => return Err(Unplugged),
                Reply::Stalled => {
                    download.identified_again += 1;
                    assert!(self.identify());
                }
                _ => {}
            }
            download.repeats += 1;
        }
        Ok(None)
    }
}
