//! The file: pcapng and pcap, of any byte order, as a sequence of USB packets.

use std::fmt;

use pcap_parser::traits::{PcapNGPacketBlock, PcapReaderIterator};
use pcap_parser::{Block, PcapBlockOwned, PcapError, create_reader};

use super::Source;
use super::usb::{Form, Transfer};

/// Bytes that are read at once, to begin with.
const CHUNK: usize = 1 << 16;
/// Longest block of a file.
const BLOCK_LIMIT: usize = 16 << 20;
/// Most interfaces that a section of a file may name.
const INTERFACES: usize = 1024;

/// Why a capture cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum CaptureError {
    /// Neither pcapng nor pcap.
    Unknown,
    /// It breaks off its own rules behind so many bytes.
    Broken(usize),
    /// It cannot be read from the disk.
    Unreadable,
    /// No packet of it is of USB; one has this link type.
    NotUsb(i32),
    /// There is no packet in it.
    Empty,
    /// More devices, events or bytes than a capture of a meter has.
    TooMuch(&'static str),
    /// The capture kept only the beginning of packets.
    Cut,
}

impl fmt::Display for CaptureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("it is neither pcapng nor pcap"),
            Self::Broken(at) => write!(f, "it is damaged behind byte {at}"),
            Self::Unreadable => f.write_str("it cannot be read"),
            Self::NotUsb(link) => write!(
                f,
                "it holds no USB traffic of usbmon or USBPcap (link type {link})"
            ),
            Self::Empty => f.write_str("there is no packet in it"),
            Self::TooMuch(what) => write!(f, "it has more {what} than a conversation with a meter"),
            Self::Cut => {
                f.write_str("packets of the device were cut short when they were captured")
            }
        }
    }
}

/// How a file ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Behind its last block.
    Whole,
    /// Within one.
    CutOff,
}

/// Goes through the transfers of a capture, in the order of the file.
///
/// # Errors
/// As `visit` says, and when the file is no capture of USB.
pub(super) fn visit(
    input: impl Source,
    mut visit: impl FnMut(&Transfer<'_>) -> Result<(), CaptureError>,
) -> Result<End, CaptureError> {
    let mut reader = create_reader(CHUNK, input).map_err(|error| match error {
        PcapError::Eof => CaptureError::Empty,
        PcapError::ReadError => CaptureError::Unreadable,
        _ => CaptureError::Unknown,
    })?;
    let mut state = State::default();
    let mut capacity = CHUNK;
    let end = loop {
        match step(reader.next(), &mut state, &mut visit)? {
            Step::Took(bytes) => reader.consume(bytes),
            Step::End(end) => break end,
            Step::More => {
                let before = reader.data().len();
                reader.refill().map_err(|_| CaptureError::Unreadable)?;
                // Nothing came although there is more: a block is longer than the room.
                if reader.data().len() == before && !reader.reader_exhausted() {
                    grow(&mut *reader, &mut capacity)?;
                }
            }
            Step::Grow => {
                grow(&mut *reader, &mut capacity)?;
                reader.refill().map_err(|_| CaptureError::Unreadable)?;
            }
            Step::Broken => return Err(CaptureError::Broken(reader.consumed())),
        }
    };
    match (state.usb, state.other) {
        (true, _) => Ok(end),
        (false, Some(link)) => Err(CaptureError::NotUsb(link)),
        (false, None) => Err(CaptureError::Empty),
    }
}

fn grow(
    reader: &mut (dyn PcapReaderIterator + Send),
    capacity: &mut usize,
) -> Result<(), CaptureError> {
    *capacity *= 2;
    let grown = *capacity <= BLOCK_LIMIT && reader.grow(*capacity);
    match grown {
        true => Ok(()),
        false => Err(CaptureError::Broken(reader.consumed())),
    }
}

/// What is known of a file besides its packets.
#[derive(Default)]
struct State {
    /// Link types of the interfaces of a section; of a pcap there is one.
    links: Vec<i32>,
    big_endian: bool,
    usb: bool,
    other: Option<i32>,
}

enum Step {
    Took(usize),
    More,
    Grow,
    End(End),
    Broken,
}

type Next<'a> = Result<(usize, PcapBlockOwned<'a>), PcapError<&'a [u8]>>;

fn step(
    next: Next<'_>,
    state: &mut State,
    visit: &mut impl FnMut(&Transfer<'_>) -> Result<(), CaptureError>,
) -> Result<Step, CaptureError> {
    let (bytes, block) = match next {
        Ok(found) => found,
        Err(PcapError::Eof) => return Ok(Step::End(End::Whole)),
        Err(PcapError::UnexpectedEof) => return Ok(Step::End(End::CutOff)),
        Err(PcapError::Incomplete(_)) => return Ok(Step::More),
        Err(PcapError::BufferTooSmall) => return Ok(Step::Grow),
        Err(PcapError::ReadError) => return Err(CaptureError::Unreadable),
        Err(_) => return Ok(Step::Broken),
    };
    let mut packet = |state: &mut State, interface: usize, data: &[u8], whole: usize| {
        let link = state.links.get(interface).copied();
        let Some(form) = link.and_then(Form::of) else {
            state.other = state.other.or(link);
            return Ok(());
        };
        state.usb = true;
        let is_cut = data.len() < whole;
        match Transfer::decode(form, state.big_endian, data, is_cut) {
            Some(transfer) => visit(&transfer),
            None => Ok(()),
        }
    };
    let size = |length: u32| usize::try_from(length).unwrap_or(usize::MAX);
    match block {
        PcapBlockOwned::LegacyHeader(header) => {
            state.links = vec![header.network.0];
            state.big_endian = header.is_bigendian();
        }
        PcapBlockOwned::Legacy(block) => packet(state, 0, block.data, size(block.origlen))?,
        PcapBlockOwned::NG(Block::SectionHeader(section)) => {
            state.links.clear();
            state.big_endian = section.big_endian();
        }
        PcapBlockOwned::NG(Block::InterfaceDescription(interface)) => {
            if state.links.len() == INTERFACES {
                return Err(CaptureError::TooMuch("interfaces"));
            }
            state.links.push(interface.linktype.0);
        }
        PcapBlockOwned::NG(Block::EnhancedPacket(block)) => {
            let data = block.data.get(..size(block.caplen)).unwrap_or(block.data);
            packet(state, size(block.if_id), data, size(block.origlen))?;
        }
        PcapBlockOwned::NG(Block::SimplePacket(block)) => {
            packet(state, 0, block.packet_data(), size(block.origlen))?;
        }
        PcapBlockOwned::NG(_) => {}
    }
    Ok(Step::Took(bytes))
}
