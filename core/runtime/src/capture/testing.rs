//! Writes captures for tests, as `tcpdump` and Wireshark do.

use glucopipe_sdk::transcript::{Event, Transcript};

/// Whose heads packets get.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Head {
    /// usbmon, 48 bytes, link type 189.
    Short,
    /// usbmon, 64 bytes, link type 220.
    Long,
    /// USBPcap, link type 249.
    Windows,
}

pub(crate) const INTERRUPT: u8 = 1;
pub(crate) const CONTROL: u8 = 2;
pub(crate) const BULK: u8 = 3;

/// A capture being written.
pub(crate) struct Capture {
    pub(crate) bytes: Vec<u8>,
    head: Head,
    is_ng: bool,
    is_big: bool,
}

impl Capture {
    /// Begins a file: pcapng or pcap, big-endian or little-endian.
    pub(crate) fn new(head: Head, is_ng: bool, is_big: bool) -> Self {
        let link = match head {
            Head::Short => 189,
            Head::Long => 220,
            Head::Windows => 249,
        };
        Self::of_link(link, head, is_ng, is_big)
    }

    /// The same, of any link type.
    pub(crate) fn of_link(link: u16, head: Head, is_ng: bool, is_big: bool) -> Self {
        let mut capture = Self {
            bytes: Vec::new(),
            head,
            is_ng,
            is_big,
        };
        if is_ng {
            let mut section = Vec::new();
            capture.word(&mut section, 0x1a2b_3c4d);
            capture.half(&mut section, 1);
            capture.half(&mut section, 0);
            section.extend([0xff; 8]);
            capture.block(0x0a0d_0d0a, &section);
            let mut interface = Vec::new();
            capture.half(&mut interface, link);
            capture.half(&mut interface, 0);
            capture.word(&mut interface, 0);
            capture.block(1, &interface);
        } else {
            let mut header = Vec::new();
            capture.word(&mut header, 0xa1b2_c3d4);
            capture.half(&mut header, 2);
            capture.half(&mut header, 4);
            for word in [0, 0, 0x0004_0000, link.into()] {
                capture.word(&mut header, word);
            }
            capture.bytes = header;
        }
        capture
    }

    /// Adds a packet as it is.
    pub(crate) fn packet(&mut self, data: &[u8]) {
        let length = size(data.len());
        let mut block = Vec::new();
        let words: &[u32] = match self.is_ng {
            true => &[0, 0, 0, length, length],
            false => &[0, 0, length, length],
        };
        for word in words {
            self.word(&mut block, *word);
        }
        block.extend(data);
        if self.is_ng {
            block.resize(block.len().next_multiple_of(4), 0);
            self.block(6, &block);
        } else {
            self.bytes.extend(block);
        }
    }

    /// Adds a transfer: given as an order, or come to its end.
    pub(crate) fn transfer(
        &mut self,
        (bus, device): (u16, u8),
        (kind, endpoint): (u8, u8),
        is_end: bool,
        setup: Option<[u8; 8]>,
        data: &[u8],
    ) {
        let length = size(data.len());
        let mut packet = Vec::new();
        if self.head == Head::Windows {
            let is_control = kind == CONTROL;
            packet.extend(if is_control { 28u16 } else { 27 }.to_le_bytes());
            packet.extend([0; 14]);
            packet.push(u8::from(is_end));
            packet.extend(bus.to_le_bytes());
            packet.extend(u16::from(device).to_le_bytes());
            packet.extend([endpoint, kind]);
            let setup = setup.unwrap_or_default();
            let whole = match is_control && !is_end {
                true => [&setup, data].concat(),
                false => data.to_vec(),
            };
            packet.extend(size(whole.len()).to_le_bytes());
            if is_control {
                packet.push(if is_end { 3 } else { 0 });
            }
            packet.extend(whole);
        } else {
            packet.extend([7; 8]);
            packet.extend([if is_end { b'C' } else { b'S' }, kind, endpoint, device]);
            self.half(&mut packet, bus);
            packet.push(if setup.is_some() { 0 } else { b'-' });
            packet.push(if data.is_empty() { b'<' } else { 0 });
            packet.extend([0; 16]);
            self.word(&mut packet, length);
            self.word(&mut packet, length);
            packet.extend(setup.unwrap_or_default());
            if self.head == Head::Long {
                packet.extend([0; 16]);
            }
            packet.extend(data);
        }
        self.packet(&packet);
    }

    /// Adds the question for the description of a device, and the answer.
    pub(crate) fn description(&mut self, at: (u16, u8), vendor: u16, product: u16) {
        let asked = [0x80, 6, 0, 1, 0, 0, 18, 0];
        self.transfer(at, (CONTROL, 0x80), false, Some(asked), &[]);
        let mut data = vec![18, 1, 0, 2, 0, 0, 0, 64];
        data.extend(vendor.to_le_bytes());
        data.extend(product.to_le_bytes());
        data.extend([0, 1, 1, 2, 3, 1]);
        self.transfer(at, (CONTROL, 0x80), true, None, &data);
    }

    /// Adds all that was said in a transcript.
    pub(crate) fn converse(&mut self, at: (u16, u8), transcript: &Transcript) {
        let events: Vec<&Event> = transcript.events.iter().map(|(_, event)| event).collect();
        let is_disk = transcript.link == "scsi";
        for (index, event) in events.iter().enumerate() {
            let tag = size(index);
            match event {
                Event::In(data) if !is_disk => {
                    self.transfer(at, (INTERRUPT, 0x83), false, None, &[]);
                    self.transfer(at, (INTERRUPT, 0x83), true, None, data);
                }
                Event::Out(data) if !is_disk => {
                    self.transfer(at, (INTERRUPT, 4), false, None, data);
                    self.transfer(at, (INTERRUPT, 4), true, None, &[]);
                }
                Event::Command(block) => {
                    let (length, from_device) = match events.get(index + 1) {
                        Some(Event::In(data)) => (data.len(), 0x80),
                        Some(Event::Out(data)) => (data.len(), 0),
                        _ => (0, 0),
                    };
                    let length = size(length);
                    let mut command = b"USBC".to_vec();
                    command.extend(tag.to_le_bytes());
                    command.extend(length.to_le_bytes());
                    command.extend([
                        from_device,
                        0,
                        u8::try_from(block.len()).expect("a command block"),
                    ]);
                    command.extend(block);
                    command.resize(31, 0);
                    self.transfer(at, (BULK, 2), false, None, &command);
                    for data in events[index + 1..]
                        .iter()
                        .take_while(|event| matches!(event, Event::In(_) | Event::Out(_)))
                    {
                        match data {
                            Event::In(data) => self.transfer(at, (BULK, 0x81), true, None, data),
                            Event::Out(data) => self.transfer(at, (BULK, 2), false, None, data),
                            _ => {}
                        }
                    }
                    if let Some(Event::Status(status, residue, _)) = events[index + 1..]
                        .iter()
                        .find(|event| matches!(event, Event::Status(..)))
                    {
                        let mut said = b"USBS".to_vec();
                        said.extend(tag.to_le_bytes());
                        said.extend(residue.to_le_bytes());
                        said.push(u8::from(*status != 0));
                        self.transfer(at, (BULK, 0x81), true, None, &said);
                    }
                }
                _ => {}
            }
        }
    }

    fn block(&mut self, kind: u32, content: &[u8]) {
        let length = size(content.len() + 12);
        let mut block = Vec::new();
        self.word(&mut block, kind);
        self.word(&mut block, length);
        block.extend(content);
        self.word(&mut block, length);
        self.bytes.extend(block);
    }

    fn word(&self, into: &mut Vec<u8>, word: u32) {
        into.extend(match self.is_big {
            true => word.to_be_bytes(),
            false => word.to_le_bytes(),
        });
    }

    fn half(&self, into: &mut Vec<u8>, half: u16) {
        into.extend(match self.is_big {
            true => half.to_be_bytes(),
            false => half.to_le_bytes(),
        });
    }
}

fn size(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("a small capture")
}
