//! Hosts at the other end of a USB/IP stream.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::command_block::{COMMAND_SIZE, STATUS_SIZE};
use super::control::TO_HOST;
use super::device::Transfer;
use super::wire::{HEADER_SIZE, Request};
use super::{UsbDevice, UsbipPort, WireError};
use crate::catalog;
use crate::frame::{ACK, EOT, WAKE_X, report};
use crate::parse;

const EPIPE: i32 = -32;
const EOVERFLOW: i32 = -75;
const ECONNRESET: i32 = -104;

/// Endpoints of a disk that is alone.
const BULK_IN: u8 = 0x81;
const BULK_OUT: u8 = 0x02;

/// A reply as the host reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Heard {
    kind: u32,
    number: u32,
    status: i32,
    data: Vec<u8>,
}

struct Host {
    port: UsbipPort,
    number: u32,
    /// Transfers to the host, which have data behind their replies.
    inputs: BTreeMap<u32, bool>,
    stream: Vec<u8>,
}

impl Host {
    fn new(device: UsbDevice) -> Self {
        Self {
            port: UsbipPort::new(device),
            number: 0,
            inputs: BTreeMap::new(),
            stream: Vec::new(),
        }
    }

    fn open(uri: &str) -> Self {
        Self::new(parse(uri).unwrap().usb_device())
    }

    fn submit(&mut self, endpoint: u8, setup: [u8; 8], data: &[u8], length: usize) -> u32 {
        self.number += 1;
        self.inputs.insert(self.number, endpoint & TO_HOST != 0);
        let transfer = Transfer {
            endpoint,
            setup,
            data: data.to_vec(),
            length,
        };
        let number = self.number;
        let message = Request::Submit { number, transfer }.encode();
        self.port.receive(&message).unwrap();
        number
    }

    fn unlink(&mut self, target: u32) -> u32 {
        self.number += 1;
        let number = self.number;
        let message = Request::Unlink { number, target }.encode();
        self.port.receive(&message).unwrap();
        number
    }

    /// The next reply.
    fn hear(&mut self) -> Option<Heard> {
        self.stream.extend(self.port.send());
        let header: Vec<u32> = self
            .stream
            .get(..HEADER_SIZE)?
            .chunks(4)
            .map(|word| u32::from_be_bytes(word.try_into().unwrap()))
            .collect();
        let (kind, number, status) = (header[0], header[1], header[5].cast_signed());
        let length = usize::try_from(header[6]).unwrap();
        let behind = match (kind, self.inputs.get(&number)) {
            (3, Some(true)) => length,
            _ => 0,
        };
        let message: Vec<u8> = self.stream.drain(..HEADER_SIZE + behind).collect();
        Some(Heard {
            kind,
            number,
            status,
            data: message[HEADER_SIZE..].to_vec(),
        })
    }

    /// Submits and takes the one reply; `None` when the transfer waits.
    fn transfer(&mut self, endpoint: u8, data: &[u8], length: usize) -> Option<(i32, Vec<u8>)> {
        let number = self.submit(endpoint, [0; 8], data, length);
        let heard = self.hear()?;
        assert_eq!((heard.kind, heard.number), (3, number));
        Some((heard.status, heard.data))
    }

    fn request(&mut self, setup: [u8; 8]) -> i32 {
        let length = usize::from(setup[6]);
        self.submit(setup[0] & TO_HOST, setup, &[], length);
        self.hear().expect("an answer at once").status
    }

    fn free(&mut self, endpoint: u8) {
        assert_eq!(self.request([0x02, 1, 0, 0, endpoint, 0, 0, 0]), 0);
    }

    /// Sends a command wrapper.
    fn command(&mut self, flags: u8, length: u32, cdb: &[u8]) -> i32 {
        let mut wrapper = b"USBC\x07\0\0\0".to_vec();
        wrapper.extend_from_slice(&length.to_le_bytes());
        wrapper.extend_from_slice(&[flags, 0, u8::try_from(cdb.len()).unwrap()]);
        wrapper.extend_from_slice(cdb);
        wrapper.resize(COMMAND_SIZE, 0);
        self.transfer(BULK_OUT, &wrapper, 0).unwrap().0
    }

    /// Reads the status wrapper, freeing a halted endpoint once: residue and status.
    fn status(&mut self) -> (u32, u8) {
        let mut answer = self.transfer(BULK_IN, &[], STATUS_SIZE).unwrap();
        if answer.0 == EPIPE {
            self.free(BULK_IN);
            answer = self.transfer(BULK_IN, &[], STATUS_SIZE).unwrap();
        }
        let (status, wrapper) = answer;
        assert_eq!((status, &wrapper[..8]), (0, b"USBS\x07\0\0\0".as_slice()));
        let residue = u32::from_le_bytes(wrapper[8..12].try_into().unwrap());
        (residue, wrapper[12])
    }

    /// A whole command with data to the host.
    fn read(&mut self, cdb: &[u8], length: u32) -> (Vec<u8>, u32, u8) {
        assert_eq!(self.command(0x80, length, cdb), 0);
        let room = usize::try_from(length).unwrap();
        let (status, data) = self.transfer(BULK_IN, &[], room).unwrap();
        if status == EPIPE {
            self.free(BULK_IN);
        }
        let (residue, verdict) = self.status();
        (data, residue, verdict)
    }

    /// A whole command with data from the host.
    fn write(&mut self, cdb: &[u8], data: &[u8]) -> (u32, u8) {
        let length = u32::try_from(data.len()).unwrap();
        assert_eq!(self.command(0, length, cdb), 0);
        assert_eq!(self.transfer(BULK_OUT, data, 0).unwrap().0, 0);
        self.status()
    }

    fn violations(&self) -> Vec<String> {
        self.port.audit().violations
    }
}

const INQUIRY: &[u8] = &[0x12, 0, 0, 0, 36, 0];
const READY: &[u8] = &[0x00, 0, 0, 0, 0, 0];
const CAPACITY: &[u8] = &[0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0];
const READ_BOOT: &[u8] = &[0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0];
const READ_PAGE: &[u8] = &[0x28, 0, 0, 0, 0, 0, 0, 0, 8, 0];
const READ_REGISTER: &[u8] = &[0x28, 0, 0, 0, 0, 3, 0, 0, 1, 0];
const WRITE_REGISTER: &[u8] = &[0x2A, 0, 0, 0, 0, 3, 0, 0, 1, 0];

/// QUERY model, as in lifescan.md section 3.4.
fn query_model() -> Vec<u8> {
    let mut block = vec![0x02, 0x0A, 0, 0x03, 0xE6, 0x02, 0x01, 0x03, 0x45, 0x6D];
    block.resize(512, 0);
    block
}

#[test]
fn a_report_that_is_not_there_yet_waits() {
    let mut host = Host::open("contour-next-usb?records=2");
    let waiting = host.submit(0x83, [0; 8], &[], 64);
    assert_eq!((host.hear(), host.port.wait_ms()), (None, None));
    host.port.pass(1_000);
    assert_eq!(host.hear(), None);
    host.submit(0x04, [0; 8], &report([0; 3], &[WAKE_X]), 0);
    assert_eq!(host.hear().unwrap().number, 2);
    let answer = host.hear().expect("the answer comes at once");
    assert_eq!((answer.number, answer.status), (waiting, 0));
    assert!(answer.data.starts_with(&[b'A', b'B', b'C', 60, EOT]));
    assert_eq!(host.port.audit().reports_read, 1);
}

#[test]
fn a_long_silence_takes_its_time() {
    let mut host = Host::open("contour-next-usb?records=2&fault=slow:1000");
    host.submit(0x83, [0; 8], &[], 64);
    host.submit(0x04, [0; 8], &report([0; 3], &[WAKE_X]), 0);
    assert_eq!(host.hear().unwrap().number, 2);
    assert_eq!((host.hear(), host.port.wait_ms()), (None, Some(800)));
    host.port.pass(500);
    assert_eq!((host.hear(), host.port.wait_ms()), (None, Some(300)));
    host.port.pass(300);
    assert_eq!(host.hear().unwrap().number, 1);
}

#[test]
fn an_unlinked_transfer_is_never_answered() {
    let mut host = Host::open("contour-next-usb?records=2");
    let first = host.submit(0x83, [0; 8], &[], 64);
    let second = host.submit(0x83, [0; 8], &[], 64);
    let unlink = host.unlink(first);
    let heard = host.hear().unwrap();
    assert_eq!(
        (heard.kind, heard.number, heard.status),
        (4, unlink, ECONNRESET)
    );
    host.submit(0x04, [0; 8], &report([0; 3], &[WAKE_X]), 0);
    let numbers: Vec<u32> = std::iter::from_fn(|| host.hear())
        .map(|heard| heard.number)
        .collect();
    assert_eq!(numbers, [4, second]);
    let late = host.unlink(second);
    let heard = host.hear().unwrap();
    assert_eq!((heard.kind, heard.number, heard.status), (4, late, 0));
}

#[test]
fn an_unplugged_device_says_nothing_more() {
    let mut host = Host::open("contour-next-usb?records=3&fault=unplug:0");
    host.submit(0x83, [0; 8], &[], 64);
    host.submit(0x04, [0; 8], &report([0; 3], &[ACK]), 0);
    for _ in 0..20 {
        while host.hear().is_some() {}
        if host.port.is_unplugged() {
            break;
        }
        host.submit(0x83, [0; 8], &[], 64);
        host.submit(0x04, [0; 8], &report([0; 3], &[ACK]), 0);
    }
    assert!(host.port.is_unplugged());
    host.submit(0x83, [0; 8], &[], 64);
    assert_eq!(host.hear(), None);
}

#[test]
fn reports_go_by_the_default_endpoint_as_well() {
    let mut host = Host::open("contour-next?records=1");
    host.submit(0x81, [0; 8], &[], 64);
    let setup = [0x21, 9, 0, 2, 0, 0, 64, 0];
    let number = host.submit(0, setup, &report([0; 3], &[ACK]), 0);
    assert_eq!(host.hear().unwrap().number, number);
    assert_eq!(host.hear().unwrap().number, 1);
    assert_eq!(host.request([0xA1, 1, 0, 1, 0, 0, 64, 0]), 0);
    // Input reports cannot be set.
    let setup = [0x21, 9, 0, 1, 0, 0, 64, 0];
    host.submit(0, setup, &[0; 64], 0);
    assert_eq!(host.hear().unwrap().status, EPIPE);
}

/// The cases of Bulk-Only 1.0 section 6.7, by their numbers.
#[test]
fn host_and_command_disagree_in_thirteen_ways() {
    let mut host = Host::open("usb-stick");
    // 1
    assert_eq!(host.command(0, 0, READY), 0);
    assert_eq!(host.status(), (0, 0));
    // 2, 3
    for cdb in [READ_BOOT, WRITE_REGISTER] {
        assert_eq!(host.command(0, 0, cdb), 0);
        assert_eq!(host.status(), (0, 2));
    }
    // 4: no data at all, and a command that fails
    for (cdb, verdict) in [(READY, 0), (&[0xEE; 6], 1)] {
        assert_eq!(host.command(0x80, 36, cdb), 0);
        assert_eq!(host.transfer(BULK_IN, &[], 36), Some((EPIPE, Vec::new())));
        host.free(BULK_IN);
        assert_eq!(host.status(), (36, verdict));
    }
    // 5
    let (data, residue, verdict) = host.read(CAPACITY, 64);
    assert_eq!((data.len(), residue, verdict), (8, 56, 0));
    let (data, residue, verdict) = host.read(READ_BOOT, 1024);
    assert_eq!((data.len(), residue, verdict), (512, 512, 0));
    // 6
    let (data, residue, verdict) = host.read(READ_BOOT, 512);
    assert_eq!((data.len(), residue, verdict), (512, 0, 0));
    // 7, 8
    for (cdb, length) in [(READ_PAGE, 512), (WRITE_REGISTER, 512)] {
        let (data, residue, verdict) = host.read(cdb, length);
        assert_eq!((data.len(), residue, verdict), (0, length, 2));
    }
    // 9, 10, 13
    let two_blocks = [0x2A, 0, 0, 0, 0, 9, 0, 0, 2, 0];
    for (cdb, verdict) in [(READY, 0), (READ_BOOT, 2), (&two_blocks, 2)] {
        assert_eq!(host.command(0, 512, cdb), 0);
        assert_eq!(host.transfer(BULK_OUT, &[0; 512], 0).unwrap().0, EPIPE);
        host.free(BULK_OUT);
        assert_eq!(host.status(), (512, verdict));
    }
    // 11
    assert_eq!(host.command(0, 1024, WRITE_REGISTER), 0);
    assert_eq!(host.transfer(BULK_OUT, &[0; 512], 0).unwrap().0, 0);
    assert_eq!(host.transfer(BULK_OUT, &[0; 512], 0).unwrap().0, EPIPE);
    host.free(BULK_OUT);
    assert_eq!(host.status(), (512, 0));
    // 12
    assert_eq!(host.write(WRITE_REGISTER, &[0; 512]), (0, 0));
    let rules = host.violations();
    let of = |word| rules.iter().filter(|rule| rule.contains(word)).count();
    assert_eq!((of("other data"), of("wrote LBA")), (6, 2), "{rules:?}");
}

#[test]
fn data_may_be_moved_in_pieces() {
    let mut host = Host::open("usb-stick?looks=boot");
    assert_eq!(host.command(0x80, 512, READ_BOOT), 0);
    let mut block = Vec::new();
    for piece in [64, 128, 320] {
        block.extend(host.transfer(BULK_IN, &[], piece).unwrap().1);
    }
    assert_eq!(block.len(), 512);
    assert_eq!(block[0x2B..0x33], *b"LIFESCAN");
    assert_eq!(host.status(), (0, 0));
    // The host asks again before there is a command.
    let waiting = host.submit(BULK_IN, [0; 8], &[], 13);
    assert_eq!(host.hear(), None);
    assert_eq!(host.command(0, 0, READY), 0);
    assert_eq!(host.hear().unwrap().number, waiting);
}

#[test]
fn a_broken_link_needs_a_reset() {
    let mut host = Host::open("usb-stick");
    for breakage in 0..3 {
        match breakage {
            0 => assert_eq!(host.transfer(BULK_OUT, b"junk", 0).unwrap().0, EPIPE),
            1 => {
                assert_eq!(host.command(0x80, 36, INQUIRY), 0);
                assert_eq!(host.command(0x80, 36, INQUIRY), EPIPE);
            }
            _ => {
                assert_eq!(host.command(0x80, 36, INQUIRY), 0);
                assert_eq!(host.transfer(BULK_IN, &[], 13).unwrap().0, EOVERFLOW);
            }
        }
        host.free(BULK_IN);
        assert_eq!(host.transfer(BULK_IN, &[], 13).unwrap().0, EPIPE);
        assert_eq!(host.request([0x21, 0xFF, 0, 0, 0, 0, 0, 0]), 0);
        host.free(BULK_IN);
        host.free(BULK_OUT);
        let (data, residue, verdict) = host.read(INQUIRY, 36);
        assert_eq!((data.len(), residue, verdict), (36, 0, 0), "{breakage}");
    }
    assert_eq!(host.violations().len(), 3);
}

#[test]
fn a_stalled_meter_recovers_by_a_reset() {
    let mut host = Host::open("verio?records=1&fault=stall:1");
    host.read(INQUIRY, 36);
    host.read(READ_BOOT, 512);
    assert_eq!(host.write(WRITE_REGISTER, &query_model()), (0, 0));
    assert_eq!(host.command(0x80, 512, READ_REGISTER), 0);
    assert_eq!(host.transfer(BULK_IN, &[], 512), Some((EPIPE, Vec::new())));
    // The kernel resets the device by setting its configuration once more.
    assert_eq!(host.request([0x00, 9, 1, 0, 0, 0, 0, 0]), 0);
    host.read(INQUIRY, 36);
    host.read(READ_BOOT, 512);
    let (data, ..) = host.read(READ_REGISTER, 512);
    assert_eq!(data[3..5], [0x03, 0x06]);
    assert_eq!(host.violations(), [""; 0]);
}

#[test]
fn what_the_system_reads_proves_nothing_and_breaks_nothing() {
    let start = |host: &mut Host| {
        host.read(INQUIRY, 36);
        host.read(CAPACITY, 8);
        host.read(READ_PAGE, 4096);
    };
    let mut host = Host::open("verio?records=1");
    start(&mut host);
    assert_eq!(host.violations(), [""; 0]);
    host.write(WRITE_REGISTER, &query_model());
    let rule = "wrote LBA 3 before INQUIRY and boot sector were read";
    assert_eq!(host.violations(), [rule]);

    let mut host = Host::open("verio?records=1");
    start(&mut host);
    host.read(INQUIRY, 36);
    host.read(READ_BOOT, 512);
    host.read(READ_PAGE, 4096);
    host.write(WRITE_REGISTER, &query_model());
    assert_eq!(host.violations(), [""; 0]);
    // The next host has to make sure again.
    start(&mut host);
    host.write(WRITE_REGISTER, &query_model());
    assert_eq!(host.violations(), [rule]);
}

#[test]
fn a_slow_disk_lets_its_host_wait() {
    let mut host = Host::open("verio?records=1&fault=slow:700");
    assert_eq!(host.command(0x80, 36, INQUIRY), 0);
    let waiting = host.submit(BULK_IN, [0; 8], &[], 36);
    assert_eq!((host.hear(), host.port.wait_ms()), (None, Some(700)));
    host.port.pass(699);
    assert_eq!(host.hear(), None);
    host.port.pass(1);
    assert_eq!(host.hear().unwrap().number, waiting);
}

#[test]
fn other_streams_are_refused() {
    let header = |words: &[u32]| -> Vec<u8> {
        let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
        bytes.resize(HEADER_SIZE, 0);
        bytes
    };
    for (words, error) in [
        (
            &[0x0111_8003_u32][..],
            WireError::UnknownMessage(0x0111_8003),
        ),
        (&[1, 1, 1, 0, 16], WireError::NoEndpoint(16)),
        (&[1, 1, 1, 2, 1], WireError::NoEndpoint(1)),
        (&[1, 1, 1, 0, 1, 0, 1 << 21], WireError::TooLong(1 << 21)),
        (&[1, 1, 1, 1, 1, 0, 8, 0, 3], WireError::Isochronous),
    ] {
        let mut port = UsbipPort::new(UsbDevice::bystander());
        assert_eq!(port.receive(&header(words)), Err(error));
    }
    let mut port = UsbipPort::new(UsbDevice::bystander());
    let waits = header(&[1, 1, 1, 1, 1, 0, 64]);
    let mut received = (0..).map(|_| port.receive(&waits));
    assert_eq!(received.find(Result::is_err), Some(Err(WireError::TooMany)));
}

/// What a host may do next.
#[derive(Clone, Debug)]
enum Act {
    Control([u8; 8]),
    In(u8, usize),
    Out(u8, Vec<u8>),
    Wrapper(u8, u32, usize),
    Unlink(usize),
    Pass(u32),
}

fn act() -> impl Strategy<Value = Act> {
    let endpoint = prop::sample::select(vec![1u8, 2, 3, 4, 9]);
    let room = prop::sample::select(vec![0usize, 13, 36, 64, 512, 4096]);
    let kind = prop::sample::select(vec![0x80u8, 0x81, 0xA1, 0x00, 0x01, 0x21, 0x02, 0x82]);
    prop_oneof![
        2 => (kind, 0..12u8, any::<[u8; 2]>(), 0..4u8).prop_map(|(kind, request, [low, high], index)| {
            Act::Control([kind, request, low, high, index, 0, 64, 0])
        }),
        1 => prop::sample::select(vec![1u8, 2]).prop_map(|index| {
            Act::Control([0x02, 1, 0, 0, index | 0x80, 0, 0, 0])
        }),
        1 => (0..2u8).prop_map(|index| Act::Control([0x21, 0xFF, 0, 0, index, 0, 0, 0])),
        4 => (endpoint.clone(), room).prop_map(|(endpoint, room)| Act::In(endpoint, room)),
        2 => (endpoint, prop::collection::vec(any::<u8>(), 0..70))
            .prop_map(|(endpoint, bytes)| Act::Out(endpoint, bytes)),
        3 => (prop::sample::select(vec![0u8, 0x80]), 0..5000u32, 0..8usize)
            .prop_map(|(flags, length, cdb)| Act::Wrapper(flags, length, cdb)),
        2 => (0..40usize).prop_map(Act::Unlink),
        1 => (0..40_000u32).prop_map(Act::Pass),
    ]
}

const CDBS: &[&[u8]] = &[
    INQUIRY,
    READY,
    CAPACITY,
    READ_BOOT,
    READ_PAGE,
    READ_REGISTER,
    WRITE_REGISTER,
    &[0xEE; 16],
];

fn message(host: &mut Host, act: Act) -> Option<Vec<u8>> {
    let (endpoint, setup, data, length) = match act {
        Act::Control(setup) => (setup[0] & TO_HOST, setup, Vec::new(), 64),
        Act::In(endpoint, length) => (endpoint | TO_HOST, [0; 8], Vec::new(), length),
        Act::Out(endpoint, data) => (endpoint, [0; 8], data, 0),
        Act::Wrapper(flags, length, cdb) => {
            let mut wrapper = b"USBC\x07\0\0\0".to_vec();
            wrapper.extend_from_slice(&length.to_le_bytes());
            wrapper.extend_from_slice(&[flags, 0, u8::try_from(CDBS[cdb].len()).unwrap()]);
            wrapper.extend_from_slice(CDBS[cdb]);
            wrapper.resize(COMMAND_SIZE, 0);
            (BULK_OUT, [0; 8], wrapper, 0)
        }
        Act::Unlink(back) => {
            let target = u32::try_from(back).unwrap();
            host.number += 1;
            let target = host.number.saturating_sub(target);
            return Some(
                Request::Unlink {
                    number: host.number,
                    target,
                }
                .encode(),
            );
        }
        Act::Pass(_) => return None,
    };
    host.number += 1;
    let to_host = endpoint & TO_HOST != 0;
    host.inputs.insert(host.number, to_host);
    let transfer = Transfer {
        endpoint,
        setup,
        data,
        length: if to_host { length } else { 0 },
    };
    let number = host.number;
    Some(Request::Submit { number, transfer }.encode())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..Default::default() })]

    /// Every transfer is answered once, or taken back once, whatever the host does.
    #[test]
    fn every_transfer_ends_once(
        model in 0..catalog().len(),
        acts in prop::collection::vec(act(), 0..60),
    ) {
        let mut host = Host::open(catalog()[model].key);
        let mut targets = BTreeMap::new();
        let mut ends: BTreeMap<u32, u32> = BTreeMap::new();
        let mut note = |host: &mut Host, targets: &BTreeMap<u32, u32>| {
            while let Some(heard) = host.hear() {
                match (heard.kind, heard.status) {
                    (3, _) => *ends.entry(heard.number).or_default() += 1,
                    (4, ECONNRESET) => *ends.entry(targets[&heard.number]).or_default() += 1,
                    (4, 0) => {}
                    other => panic!("{other:?}"),
                }
            }
        };
        for act in acts {
            if let Act::Pass(elapsed) = act {
                host.port.pass(elapsed);
            } else if let Some(bytes) = message(&mut host, act) {
                if !host.inputs.contains_key(&host.number) {
                    let target = u32::from_be_bytes(bytes[20..24].try_into().unwrap());
                    targets.insert(host.number, target);
                }
                host.port.receive(&bytes).unwrap();
            }
            note(&mut host, &targets);
        }
        for target in host.inputs.clone().into_keys() {
            let number = host.unlink(target);
            targets.insert(number, target);
            note(&mut host, &targets);
        }
        prop_assert!(!host.port.is_unplugged());
        prop_assert!(ends.values().all(|times| *times == 1), "{ends:?}");
        prop_assert!(ends.keys().eq(host.inputs.keys()));
    }

    /// However the stream is cut, it says the same.
    #[test]
    fn messages_may_be_cut_anywhere(
        model in 0..catalog().len(),
        acts in prop::collection::vec(act(), 0..20),
        cuts in prop::collection::vec(1..200usize, 1..20),
    ) {
        let mut whole = Host::open(catalog()[model].key);
        let mut cut = UsbipPort::new(parse(catalog()[model].key).unwrap().usb_device());
        let stream: Vec<u8> = acts
            .into_iter()
            .filter_map(|act| message(&mut whole, act))
            .flatten()
            .collect();
        whole.port.receive(&stream).unwrap();
        let (mut rest, mut heard) = (stream.as_slice(), Vec::new());
        for size in cuts.into_iter().cycle() {
            let (now, later) = rest.split_at(size.min(rest.len()));
            cut.receive(now).unwrap();
            heard.extend(cut.send());
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(heard, whole.port.send());
    }

    #[test]
    fn a_request_survives_the_wire(
        number in any::<u32>(),
        endpoint in 0..16u8,
        setup in any::<[u8; 8]>(),
        data in prop::collection::vec(any::<u8>(), 0..600),
        to_host in any::<bool>(),
        rest in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let transfer = if to_host {
            Transfer { endpoint: endpoint | TO_HOST, setup, length: data.len(), data: Vec::new() }
        } else {
            Transfer { endpoint, setup, length: 0, data }
        };
        for request in [
            Request::Submit { number, transfer },
            Request::Unlink { number, target: number ^ 1 },
        ] {
            let mut stream = request.encode();
            for end in 0..stream.len() {
                prop_assert_eq!(Request::take(&mut stream[..end].to_vec()), Ok(None));
            }
            stream.extend_from_slice(&rest);
            prop_assert_eq!(Request::take(&mut stream), Ok(Some(request)));
            prop_assert_eq!(&stream, &rest);
        }
    }

    #[test]
    fn any_stream_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let mut port = UsbipPort::new(UsbDevice::bystander());
        let _ = port.receive(&bytes);
        port.pass(1);
        let _ = port.send();
    }
}
