//! Descriptors.

use super::PACKET;
use super::control::TO_HOST;
use super::hid::{REPORT_DESCRIPTOR, report_descriptor_size};
use crate::meter::UsbIds;

/// Types of descriptors.
pub(crate) const DEVICE: u8 = 1;
pub(crate) const CONFIGURATION: u8 = 2;
pub(crate) const STRING: u8 = 3;
const INTERFACE: u8 = 4;
const ENDPOINT: u8 = 5;
pub(crate) const HID: u8 = 0x21;
pub(crate) const REPORT: u8 = 0x22;

/// USB 2.0, as binary-coded decimal.
const USB_2_0: [u8; 2] = [0x00, 0x02];
/// HID 1.11.
const HID_1_11: [u8; 2] = [0x11, 0x01];
/// Release of the device; invented.
const RELEASE: [u8; 2] = [0x00, 0x01];
/// Bus-powered; 500 mA, in units of 2 mA, as for a meter that charges.
const BUS_POWERED: u8 = 0x80;
const MOST_CURRENT: u8 = 250;
/// The one configuration.
pub(crate) const CONFIGURATION_VALUE: u8 = 1;
/// US English.
const LANGUAGE: [u8; 2] = [0x09, 0x04];

/// Class, subclass and protocol of a HID interface without a boot protocol.
const CLASS_HID: [u8; 3] = [3, 0, 0];
/// Mass storage, SCSI, Bulk-Only.
const CLASS_STORAGE: [u8; 3] = [8, 6, 0x50];
/// Kinds of endpoints.
const BULK: u8 = 2;
const INTERRUPT: u8 = 3;
/// Frames between two polls of an interrupt endpoint.
const POLL_FRAMES: u8 = 1;

/// Numbers of strings.
const MANUFACTURER: u8 = 1;
const PRODUCT: u8 = 2;
const SERIAL: u8 = 3;
const STORAGE: u8 = 4;

/// Which interfaces a device has, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// HID.
    Hid,
    /// HID, then a disk.
    HidAndDisk,
    /// A disk, then HID.
    DiskAndHid,
    /// A disk.
    Disk,
}

/// What an interface does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    /// HID reports.
    Hid,
    /// Mass storage.
    Disk,
}

/// An interface with its two endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interface {
    /// What it does.
    pub(crate) function: Function,
    /// Address of the endpoint to the host.
    pub(crate) input: u8,
    /// Address of the endpoint from the host.
    pub(crate) output: u8,
}

impl Shape {
    /// The interfaces, by their numbers.
    pub(crate) fn interfaces(self) -> &'static [Interface] {
        const fn hid(input: u8, output: u8) -> Interface {
            Interface {
                function: Function::Hid,
                input: TO_HOST | input,
                output,
            }
        }
        const fn disk(input: u8, output: u8) -> Interface {
            Interface {
                function: Function::Disk,
                input: TO_HOST | input,
                output,
            }
        }
        // The endpoints of the HID interfaces are those of the reference.
        match self {
            Self::Hid => &[const { hid(1, 1) }],
            Self::HidAndDisk => &[const { hid(1, 1) }, const { disk(2, 2) }],
            Self::DiskAndHid => &[const { disk(1, 2) }, const { hid(3, 4) }],
            Self::Disk => &[const { disk(1, 2) }],
        }
    }
}

/// What a device tells of itself.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    /// Ids.
    pub(crate) ids: UsbIds,
    /// Interfaces.
    pub(crate) shape: Shape,
    /// Manufacturer string.
    pub(crate) manufacturer: &'static str,
    /// Product string.
    pub(crate) product: String,
    /// Serial string, if it has one.
    pub(crate) serial: Option<String>,
    /// String of the disk interface, if it has one.
    pub(crate) storage: Option<&'static str>,
}

impl Identity {
    /// The device descriptor.
    pub(crate) fn device(&self) -> Vec<u8> {
        let [v0, v1] = self.ids.vendor.to_le_bytes();
        let [p0, p1] = self.ids.product.to_le_bytes();
        let serial = self.serial.as_ref().map_or(0, |_| SERIAL);
        let [u0, u1] = USB_2_0;
        let [r0, r1] = RELEASE;
        // Class, subclass and protocol 0: the interfaces tell theirs.
        vec![
            18,
            DEVICE,
            u0,
            u1,
            0,
            0,
            0,
            PACKET,
            v0,
            v1,
            p0,
            p1,
            r0,
            r1,
            MANUFACTURER,
            PRODUCT,
            serial,
            1,
        ]
    }

    /// The configuration descriptor with all that belongs to it.
    pub(crate) fn configuration(&self) -> Vec<u8> {
        let interfaces = self.shape.interfaces();
        let mut rest = Vec::new();
        for (number, interface) in (0u8..).zip(interfaces) {
            let (class, kind, text) = match interface.function {
                Function::Hid => (CLASS_HID, INTERRUPT, 0),
                Function::Disk => (CLASS_STORAGE, BULK, self.storage.map_or(0, |_| STORAGE)),
            };
            rest.extend_from_slice(&[9, INTERFACE, number, 0, 2]);
            rest.extend_from_slice(&class);
            rest.push(text);
            if interface.function == Function::Hid {
                rest.extend_from_slice(&hid());
            }
            let interval = if kind == INTERRUPT { POLL_FRAMES } else { 0 };
            for address in [interface.input, interface.output] {
                rest.extend_from_slice(&[7, ENDPOINT, address, kind, PACKET, 0, interval]);
            }
        }
        let [t0, t1] = u16::try_from(9 + rest.len()).unwrap_or(0).to_le_bytes();
        let count = u8::try_from(interfaces.len()).unwrap_or(0);
        let head = [
            9,
            CONFIGURATION,
            t0,
            t1,
            count,
            CONFIGURATION_VALUE,
            0,
            BUS_POWERED,
            MOST_CURRENT,
        ];
        [head.as_slice(), &rest].concat()
    }

    /// The string descriptor of a number.
    pub(crate) fn string(&self, number: u8) -> Option<Vec<u8>> {
        let text = match number {
            0 => return Some([[4, STRING], LANGUAGE].concat()),
            MANUFACTURER => self.manufacturer,
            PRODUCT => &self.product,
            SERIAL => self.serial.as_deref()?,
            STORAGE => self.storage?,
            _ => return None,
        };
        let text: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let size = u8::try_from(2 + text.len()).ok()?;
        Some([&[size, STRING], text.as_slice()].concat())
    }
}

/// The HID descriptor.
pub(crate) fn hid() -> [u8; 9] {
    let [v0, v1] = HID_1_11;
    let [s0, s1] = report_descriptor_size();
    [9, HID, v0, v1, 0, 1, REPORT, s0, s1]
}

/// The report descriptor.
pub(crate) fn report() -> &'static [u8] {
    REPORT_DESCRIPTOR
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(shape: Shape) -> Identity {
        Identity {
            ids: UsbIds {
                vendor: 0x1A79,
                product: 0x7410,
            },
            shape,
            manufacturer: "Maker",
            product: "Meter".into(),
            serial: None,
            storage: None,
        }
    }

    /// Type and body of each descriptor in a row of them.
    fn split(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
        let mut list = Vec::new();
        while let [size, kind, ..] = *bytes {
            let (one, rest) = bytes.split_at(size.into());
            list.push((kind, one[2..].to_vec()));
            bytes = rest;
        }
        list
    }

    #[test]
    fn configurations_are_well_formed() {
        for (shape, kinds, addresses) in [
            (Shape::Hid, &[3u8][..], &[0x81, 0x01][..]),
            (Shape::HidAndDisk, &[3, 8], &[0x81, 0x01, 0x82, 0x02]),
            (Shape::DiskAndHid, &[8, 3], &[0x81, 0x02, 0x83, 0x04]),
            (Shape::Disk, &[8], &[0x81, 0x02]),
        ] {
            let bytes = identity(shape).configuration();
            assert_eq!(usize::from(bytes[2]), bytes.len());
            assert_eq!(usize::from(bytes[4]), kinds.len());
            let list = split(&bytes);
            let of = |kind| list.iter().filter(move |(found, _)| *found == kind);
            let classes: Vec<u8> = of(INTERFACE).map(|(_, body)| body[3]).collect();
            assert_eq!(classes, kinds);
            let found: Vec<u8> = of(ENDPOINT).map(|(_, body)| body[0]).collect();
            assert_eq!(found, addresses);
            assert_eq!(
                of(HID).count(),
                kinds.iter().filter(|kind| **kind == 3).count()
            );
        }
    }

    #[test]
    fn strings_are_utf_16_and_missing_ones_are_not_announced() {
        let mut identity = identity(Shape::Disk);
        assert_eq!(identity.device()[16], 0);
        assert_eq!(identity.string(SERIAL), None);
        identity.serial = Some("A1".into());
        identity.storage = Some("LifeScan MSC");
        assert_eq!(identity.device()[16], SERIAL);
        let expected = [6, STRING, b'A', 0, b'1', 0];
        assert_eq!(identity.string(SERIAL).unwrap(), expected);
        assert_eq!(identity.string(0).unwrap(), [4, STRING, 9, 4]);
        assert_eq!(identity.configuration()[9 + 8], STORAGE);
        assert_eq!(identity.string(STORAGE).unwrap().len(), 26);
        assert_eq!(identity.string(9), None);
    }
}
