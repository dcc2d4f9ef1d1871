//! A device: the default endpoint, and the way to the interfaces behind the others.

use super::Ended;
use super::bulk_only::{BulkOnly, Pipe};
use super::bystander::{Bystander, IDS};
use super::control::{
    CLASS_INTERFACE, CLEAR_FEATURE, ENDPOINT_HALT, GET_CONFIGURATION, GET_DESCRIPTOR,
    GET_INTERFACE, GET_STATUS, SET_ADDRESS, SET_CONFIGURATION, SET_FEATURE, SET_INTERFACE,
    SETUP_SIZE, STANDARD_DEVICE, STANDARD_ENDPOINT, STANDARD_INTERFACE, Setup, TO_HOST,
};
use super::descriptor::{
    CONFIGURATION, CONFIGURATION_VALUE, DEVICE, Function, Identity, STRING, Shape,
};
use super::hid::Hid;
use crate::audit::Audit;
use crate::meter::{HidMeter, Unplugged, UsbIds};
use crate::scsi::ScsiMeter;

/// A transfer that the host asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Transfer {
    /// Address of the endpoint, with the direction; the default endpoint is 0.
    pub(crate) endpoint: u8,
    /// The setup packet, for the default endpoint.
    pub(crate) setup: [u8; SETUP_SIZE],
    /// Bytes from the host.
    pub(crate) data: Vec<u8>,
    /// Room for bytes to the host.
    pub(crate) length: usize,
}

/// One virtual USB device.
pub struct UsbDevice {
    identity: Identity,
    hid: Option<Hid>,
    disk: Option<BulkOnly>,
    configuration: u8,
}

impl UsbDevice {
    /// A device with the functions that its shape names.
    pub(crate) fn new(
        identity: Identity,
        hid: Option<Box<dyn HidMeter>>,
        units: Vec<Box<dyn ScsiMeter>>,
    ) -> Self {
        Self {
            identity,
            hid: hid.map(Hid::new),
            disk: (!units.is_empty()).then(|| BulkOnly::new(units)),
            configuration: 0,
        }
    }

    /// A HID device that is no meter: any report written to it is a violation.
    pub fn bystander() -> Self {
        let identity = Identity {
            ids: IDS,
            shape: Shape::Hid,
            manufacturer: "Example",
            product: "Button box".to_owned(),
            serial: None,
            storage: None,
        };
        Self::new(identity, Some(Box::new(Bystander::default())), Vec::new())
    }

    /// Ids of the device.
    pub fn ids(&self) -> UsbIds {
        self.identity.ids
    }

    /// Number of interfaces.
    pub fn interfaces(&self) -> usize {
        self.identity.shape.interfaces().len()
    }

    /// What the device noticed of its hosts: the meter's own audit, with the rules broken at the USB
    /// link and at a disk beside the meter.
    pub fn audit(&self) -> Audit {
        match (&self.hid, &self.disk) {
            (Some(hid), Some(disk)) => {
                let mut audit = hid.audit();
                audit.take_violations(&disk.audit());
                audit
            }
            (Some(hid), None) => hid.audit(),
            (None, Some(disk)) => disk.audit(),
            (None, None) => Audit::default(),
        }
    }

    /// Lets virtual time go by.
    pub(crate) fn pass(&mut self, elapsed_ms: u32) {
        if let Some(hid) = &mut self.hid {
            hid.pass(elapsed_ms);
        }
        if let Some(disk) = &mut self.disk {
            disk.pass(elapsed_ms);
        }
    }

    /// Virtual time until a transfer to the host on this endpoint may end; `None` until the host does
    /// something.
    pub(crate) fn wait_ms(&self, endpoint: u8) -> Option<u32> {
        match self.function(endpoint)? {
            (Function::Hid, _) => self.hid.as_ref()?.wait_ms(),
            (Function::Disk, _) => self.disk.as_ref()?.wait_ms(),
        }
    }

    /// Tries a transfer; `None` while the device is not ready for it.
    pub(crate) fn transfer(&mut self, transfer: &Transfer) -> Result<Option<Ended>, Unplugged> {
        if transfer.endpoint & !TO_HOST == 0 {
            let ended = self.control(Setup::parse(transfer.setup), &transfer.data)?;
            return Ok(Some(match ended {
                Ended::Sent(mut bytes) => {
                    bytes.truncate(transfer.length);
                    Ended::Sent(bytes)
                }
                ended => ended,
            }));
        }
        let Some((function, pipe)) = self.function(transfer.endpoint) else {
            return Ok(Some(Ended::Stalled));
        };
        Ok(match (function, pipe, &mut self.hid, &mut self.disk) {
            (Function::Hid, Pipe::In, Some(hid), _) => hid.give(transfer.length)?,
            (Function::Hid, Pipe::Out, Some(hid), _) => Some(hid.take(&transfer.data)?),
            (Function::Disk, Pipe::In, _, Some(disk)) => disk.give(transfer.length),
            (Function::Disk, Pipe::Out, _, Some(disk)) => Some(disk.take(&transfer.data)?),
            _ => Some(Ended::Stalled),
        })
    }

    /// What an endpoint other than the default one belongs to.
    fn function(&self, endpoint: u8) -> Option<(Function, Pipe)> {
        let mut interfaces = self.identity.shape.interfaces().iter();
        interfaces.find_map(|interface| {
            if interface.input == endpoint {
                Some((interface.function, Pipe::In))
            } else if interface.output == endpoint {
                Some((interface.function, Pipe::Out))
            } else {
                None
            }
        })
    }

    fn control(&mut self, setup: Setup, data: &[u8]) -> Result<Ended, Unplugged> {
        match setup.kind {
            STANDARD_DEVICE => Ok(self.of_device(setup)),
            STANDARD_INTERFACE | CLASS_INTERFACE => self.of_interface(setup, data),
            STANDARD_ENDPOINT => Ok(self.of_endpoint(setup)),
            _ => Ok(Ended::Stalled),
        }
    }

    fn of_device(&mut self, setup: Setup) -> Ended {
        match (setup.request, setup.to_host) {
            (GET_STATUS, true) => Ended::Sent(vec![0, 0]),
            (GET_DESCRIPTOR, true) => {
                let found = match (setup.value_high(), setup.value_low()) {
                    (DEVICE, 0) => Some(self.identity.device()),
                    (CONFIGURATION, 0) => Some(self.identity.configuration()),
                    (STRING, number) => self.identity.string(number),
                    _ => None,
                };
                found.map_or(Ended::Stalled, Ended::Sent)
            }
            (GET_CONFIGURATION, true) => Ended::Sent(vec![self.configuration]),
            (SET_CONFIGURATION, false) if setup.value <= CONFIGURATION_VALUE.into() => {
                self.configuration = setup.value_low();
                self.reset_disk();
                Ended::Took(0)
            }
            // The virtual host controller keeps the address to itself.
            (SET_ADDRESS, false) => Ended::Took(0),
            _ => Ended::Stalled,
        }
    }

    fn of_interface(&mut self, setup: Setup, data: &[u8]) -> Result<Ended, Unplugged> {
        let number = usize::from(setup.index_low());
        let Some(interface) = self.identity.shape.interfaces().get(number) else {
            return Ok(Ended::Stalled);
        };
        let standard = setup.kind == STANDARD_INTERFACE;
        match (standard, setup.request, setup.to_host) {
            (true, GET_STATUS, true) => return Ok(Ended::Sent(vec![0, 0])),
            (true, GET_INTERFACE, true) => return Ok(Ended::Sent(vec![0])),
            (true, SET_INTERFACE, false) if setup.value == 0 => {
                if interface.function == Function::Disk {
                    self.reset_disk();
                }
                return Ok(Ended::Took(0));
            }
            _ => {}
        }
        match (interface.function, &mut self.hid, &mut self.disk) {
            (Function::Hid, Some(hid), _) => hid.control(setup, data),
            (Function::Disk, _, Some(disk)) if !standard => Ok(disk.control(setup)),
            _ => Ok(Ended::Stalled),
        }
    }

    fn of_endpoint(&mut self, setup: Setup) -> Ended {
        let endpoint = setup.index_low();
        if endpoint & !TO_HOST != 0 && self.function(endpoint).is_none() {
            return Ended::Stalled;
        }
        let bulk = match (self.function(endpoint), &mut self.disk) {
            (Some((Function::Disk, pipe)), Some(disk)) => Some((disk, pipe)),
            _ => None,
        };
        match (setup.request, setup.to_host, setup.value) {
            (GET_STATUS, true, 0) => {
                let halted = bulk.is_some_and(|(disk, pipe)| disk.is_halted(pipe));
                Ended::Sent(vec![u8::from(halted), 0])
            }
            (CLEAR_FEATURE | SET_FEATURE, false, ENDPOINT_HALT) => {
                if let Some((disk, pipe)) = bulk {
                    disk.set_halt(pipe, setup.request == SET_FEATURE);
                }
                Ended::Took(0)
            }
            _ => Ended::Stalled,
        }
    }

    /// Puts the disk interface back as after power-on.
    fn reset_disk(&mut self) {
        if let Some(disk) = &mut self.disk {
            disk.reset();
            disk.set_halt(Pipe::In, false);
            disk.set_halt(Pipe::Out, false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;

    pub(super) fn device(uri: &str) -> UsbDevice {
        parse(uri).unwrap().usb_device()
    }

    fn ask(device: &mut UsbDevice, setup: [u8; 8], length: usize) -> Ended {
        let transfer = Transfer {
            endpoint: if setup[0] & TO_HOST == 0 { 0 } else { TO_HOST },
            setup,
            data: Vec::new(),
            length,
        };
        device.transfer(&transfer).unwrap().unwrap()
    }

    fn string(device: &mut UsbDevice, number: u8) -> String {
        let Ended::Sent(bytes) = ask(device, [0x80, 6, number, 3, 9, 4, 255, 0], 255) else {
            panic!("no string {number}");
        };
        let units: Vec<u16> = bytes[2..]
            .chunks(2)
            .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
            .collect();
        String::from_utf16(&units).unwrap()
    }

    #[test]
    fn a_verio_tells_what_its_protocol_tells() {
        let mut device = device("verio-flex?serial=ZBCDF3G7");
        assert_eq!(string(&mut device, 2), "Verio Flex");
        assert_eq!(string(&mut device, 3), "ZBCDF3G7");
        assert_eq!(string(&mut device, 4), "LifeScan MSC");
        let Ended::Sent(descriptor) = ask(&mut device, [0x80, 6, 0, 1, 0, 0, 18, 0], 18) else {
            panic!("no device descriptor");
        };
        assert_eq!(descriptor[8..12], [0x66, 0x27, 0x04, 0x00]);
        let last_unit = ask(&mut device, [0xA1, 0xFE, 0, 0, 0, 0, 1, 0], 1);
        assert_eq!(last_unit, Ended::Sent(vec![0]));
    }

    #[test]
    fn plug_shaped_contours_have_a_disk_of_two_units() {
        for (uri, disk) in [("contour-usb", 1), ("contour-next-usb", 0)] {
            let mut device = device(uri);
            let last_unit = ask(&mut device, [0xA1, 0xFE, 0, 0, disk, 0, 1, 0], 1);
            assert_eq!(last_unit, Ended::Sent(vec![1]), "{uri}");
            let report = ask(&mut device, [0x81, 6, 0, 0x22, 1 - disk, 0, 255, 0], 255);
            assert!(
                matches!(report, Ended::Sent(bytes) if bytes.len() == 25),
                "{uri}"
            );
        }
        let mut other = device("contour-next");
        let last_unit = ask(&mut other, [0xA1, 0xFE, 0, 0, 1, 0, 1, 0], 1);
        assert_eq!(last_unit, Ended::Stalled);
    }

    #[test]
    fn a_host_gets_no_more_than_it_asked_for() {
        let mut device = device("contour-next");
        let head = ask(&mut device, [0x80, 6, 0, 2, 0, 0, 9, 0], 9);
        assert!(matches!(head, Ended::Sent(bytes) if bytes.len() == 9 && bytes[2] == 41));
        assert_eq!(
            ask(&mut device, [0x80, 6, 0, 6, 0, 0, 10, 0], 10),
            Ended::Stalled
        );
        assert_eq!(
            ask(&mut device, [0x00, 9, 1, 0, 0, 0, 0, 0], 0),
            Ended::Took(0)
        );
        assert_eq!(
            ask(&mut device, [0x80, 8, 0, 0, 0, 0, 1, 0], 1),
            Ended::Sent(vec![1])
        );
        assert_eq!(
            ask(&mut device, [0x21, 10, 0, 0, 0, 0, 0, 0], 0),
            Ended::Took(0)
        );
    }

    #[test]
    fn a_bystander_objects_to_any_report() {
        let mut device = UsbDevice::bystander();
        assert_eq!(device.audit().complaints(), [""; 0]);
        let write = Transfer {
            endpoint: 1,
            setup: [0; 8],
            data: vec![0; 64],
            length: 0,
        };
        assert_eq!(device.transfer(&write), Ok(Some(Ended::Took(64))));
        let set_report = Transfer {
            endpoint: 0,
            setup: [0x21, 9, 0, 2, 0, 0, 64, 0],
            ..write
        };
        assert_eq!(device.transfer(&set_report), Ok(Some(Ended::Took(64))));
        assert_eq!(device.audit().violations.len(), 2);
    }
}
