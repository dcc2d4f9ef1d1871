//! One packet of a USB capture: the head that the system put in front of the data, and the data.
//!
//! Heads: `usbmon` of Linux (`Documentation/usb/usbmon.rst`), in the byte order of the computer that captured,
//! and USBPcap of Windows, little-endian.

use std::fmt;
use std::str::FromStr;

/// `LINKTYPE_USB_LINUX`: the short head of usbmon.
const USB_LINUX: i32 = 189;
/// `LINKTYPE_USB_LINUX_MMAPPED`: the long one.
const USB_LINUX_MMAPPED: i32 = 220;
/// `LINKTYPE_USBPCAP`.
const USBPCAP: i32 = 249;

/// Bytes of the heads of usbmon.
const SHORT: usize = 48;
const LONG: usize = 64;
/// Bytes of a head of USBPcap at least; its first two say how many there are.
const PCAP_HEAD: usize = 27;

/// Bit of an endpoint: it leads to the host.
const TO_HOST: u8 = 0x80;
/// Bytes of a request on the control endpoint.
const SETUP: usize = 8;

/// Where a device is: its bus, and its number there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    /// The bus.
    pub bus: u16,
    /// The device.
    pub device: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.bus, self.device)
    }
}

impl FromStr for Address {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let numbers = text.split_once('.').and_then(|(bus, device)| {
            let (bus, device) = (bus.parse().ok()?, device.parse().ok()?);
            Some(Self { bus, device })
        });
        numbers.ok_or("expected bus and device, as in 1.5")
    }
}

/// Whose head a packet has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// usbmon; so many bytes.
    Linux(usize),
    /// USBPcap.
    Windows,
}

impl Form {
    /// The form of a link type; `None` for what is no USB.
    pub(super) const fn of(link: i32) -> Option<Self> {
        match link {
            USB_LINUX => Some(Self::Linux(SHORT)),
            USB_LINUX_MMAPPED => Some(Self::Linux(LONG)),
            USBPCAP => Some(Self::Windows),
            _ => None,
        }
    }
}

/// Kinds of transfers that a transcript can be made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Reports.
    Interrupt,
    /// Requests.
    Control,
    /// Disks.
    Bulk,
}

/// Data on their way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Transfer<'a> {
    /// Which device.
    pub(super) at: Address,
    /// What kind.
    pub(super) kind: Kind,
    /// From the device to the host.
    pub(super) incoming: bool,
    /// The request that a control transfer begins with.
    pub(super) setup: Option<[u8; SETUP]>,
    /// The data; of a control transfer those behind the request.
    pub(super) data: &'a [u8],
    /// Whether there were more when it happened.
    pub(super) is_cut: bool,
}

impl<'a> Transfer<'a> {
    /// Reads a packet; `None` when it moves no data, or is not understood.
    pub(super) fn decode(
        form: Form,
        big_endian: bool,
        packet: &'a [u8],
        is_cut: bool,
    ) -> Option<Self> {
        match form {
            Form::Linux(head) => Self::of_linux(head, big_endian, packet, is_cut),
            Form::Windows => Self::of_windows(packet, is_cut),
        }
    }

    fn of_linux(head: usize, big_endian: bool, packet: &'a [u8], is_cut: bool) -> Option<Self> {
        let (head, data) = packet.split_at_checked(head)?;
        let number = |at: usize| {
            let bytes = head.get(at..)?.first_chunk()?;
            Some(match big_endian {
                true => u32::from_be_bytes(*bytes),
                false => u32::from_le_bytes(*bytes),
            })
        };
        let (event, kind, endpoint) = (head[8], head[9], head[10]);
        let bus: [u8; 2] = *head.get(12..)?.first_chunk()?;
        let bus = match big_endian {
            true => u16::from_be_bytes(bus),
            false => u16::from_le_bytes(bus),
        };
        let at = Address {
            bus,
            device: head[11].into(),
        };
        // 0 says that they are there.
        let (has_setup, has_data) = (head[14] == 0, head[15] == 0);
        let kind = match kind {
            1 => Kind::Interrupt,
            2 => Kind::Control,
            3 => Kind::Bulk,
            _ => return None,
        };
        let incoming = endpoint & TO_HOST != 0;
        // What is sent goes along with the order, what is received with its end.
        let moves = match event {
            b'S' => !incoming || has_setup,
            b'C' => incoming,
            _ => false,
        };
        let setup = head.get(40..).and_then(|rest| rest.first_chunk()).copied();
        let setup = setup.filter(|_| has_setup && event == b'S' && kind == Kind::Control);
        let (moved, captured) = (usize::try_from(number(32)?).ok()?, number(36)?);
        let captured = usize::try_from(captured).ok()?;
        let data = match has_data {
            true => data.get(..captured).unwrap_or(data),
            false => &[],
        };
        let is_cut = has_data && (is_cut || captured < moved || data.len() < captured);
        let told = setup.is_some() || !data.is_empty() || is_cut;
        (moves && told).then_some(Self {
            at,
            kind,
            incoming,
            setup,
            data,
            is_cut,
        })
    }

    fn of_windows(packet: &'a [u8], is_cut: bool) -> Option<Self> {
        let length = u16::from_le_bytes(*packet.first_chunk()?);
        let (head, data) = packet.split_at_checked(usize::from(length))?;
        if head.len() < PCAP_HEAD {
            return None;
        }
        let word = |at: usize| Some(u16::from_le_bytes(*head.get(at..)?.first_chunk()?));
        let moved = u32::from_le_bytes(*head.get(23..)?.first_chunk()?);
        // The lowest bit says that it comes back from the device's driver.
        let comes_back = head[16] & 1 != 0;
        let kind = match head[22] {
            1 => Kind::Interrupt,
            2 => Kind::Control,
            3 => Kind::Bulk,
            _ => return None,
        };
        let is_setup = kind == Kind::Control && head.get(PCAP_HEAD) == Some(&0) && !comes_back;
        let (setup, rest) = match data.split_first_chunk::<SETUP>() {
            Some((setup, rest)) if is_setup => (Some(*setup), rest),
            _ => (None, data),
        };
        let incoming = head[21] & TO_HOST != 0;
        let is_cut = is_cut || u64::from(moved) > data.len() as u64;
        let moves = setup.is_some() || (comes_back == incoming && (!rest.is_empty() || is_cut));
        moves.then_some(Self {
            at: Address {
                bus: word(17)?,
                device: word(19)?,
            },
            kind,
            incoming,
            setup,
            data: rest,
            is_cut,
        })
    }
}
