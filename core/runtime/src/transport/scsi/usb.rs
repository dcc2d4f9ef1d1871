//! Disks on USB through libusb: finding them, taking them from the kernel for as long as they are open, and
//! their transfers.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use rusb::constants::{
    LIBUSB_ERROR_ACCESS, LIBUSB_ERROR_NO_DEVICE, LIBUSB_ERROR_OVERFLOW, LIBUSB_ERROR_PIPE,
    LIBUSB_ERROR_TIMEOUT, LIBUSB_SUCCESS,
};
use rusb::{Context, Device, DeviceHandle, TransferType, UsbContext};

use super::bulk_only::{Fault, Moved, Pipe};
use super::wire::{CLASS, Direction, PROTOCOL, RESET, RESET_TYPE, SUBCLASS};
use crate::transport::link::LinkError;

/// Longest wait for a reset to be acknowledged.
const RESET_LIMIT: Duration = Duration::from_millis(500);

/// Where a USB device is attached, until it is unplugged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// Bus.
    pub bus: u8,
    /// Device on the bus.
    pub device: u8,
}

/// As its node; systems without such nodes get a name in the same form.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/dev/bus/usb/{:03}/{:03}", self.bus, self.device)
    }
}

/// A disk that libusb sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// USB vendor id.
    pub vendor: u16,
    /// USB product id.
    pub product: u16,
    /// Where it is.
    pub address: Address,
}

/// Disks that are attached; none is opened.
///
/// # Errors
/// When the system gives no access to USB at all.
pub fn enumerate() -> Result<Vec<Seen>, LinkError> {
    let devices = Context::new().and_then(|context| context.devices());
    let devices = devices.map_err(failed)?;
    let seen = devices.iter().filter_map(|device| {
        interface(&device)?;
        let ids = device.device_descriptor().ok()?;
        Some(Seen {
            vendor: ids.vendor_id(),
            product: ids.product_id(),
            address: address(&device),
        })
    });
    Ok(seen.collect())
}

fn address(device: &Device<Context>) -> Address {
    Address {
        bus: device.bus_number(),
        device: device.address(),
    }
}

/// The interface of a disk, and its endpoints.
#[derive(Clone, Copy)]
struct Interface {
    number: u8,
    input: u8,
    output: u8,
    /// Largest packet of the input.
    packet: u16,
}

/// Finds the Bulk-Only interface of a device in its descriptors.
fn interface(device: &Device<Context>) -> Option<Interface> {
    let config = device.active_config_descriptor().ok()?;
    let mut settings = config
        .interfaces()
        .filter_map(|interface| interface.descriptors().next());
    let setting = settings.find(|setting| {
        let class = (setting.class_code(), setting.sub_class_code());
        class == (CLASS, SUBCLASS) && setting.protocol_code() == PROTOCOL
    })?;
    let bulk = |direction| {
        setting.endpoint_descriptors().find(|endpoint| {
            endpoint.transfer_type() == TransferType::Bulk && endpoint.direction() == direction
        })
    };
    let input = bulk(rusb::Direction::In)?;
    Some(Interface {
        number: setting.interface_number(),
        input: input.address(),
        output: bulk(rusb::Direction::Out)?.address(),
        packet: input.max_packet_size(),
    })
}

fn failed(error: rusb::Error) -> LinkError {
    match error {
        rusb::Error::Access => LinkError::Access("the system does not allow it".into()),
        rusb::Error::NoDevice | rusb::Error::NotFound => LinkError::Lost,
        rusb::Error::Busy => LinkError::Busy,
        rusb::Error::NotSupported => {
            LinkError::Io("this system does not lend its USB disks to programs".into())
        }
        error => LinkError::Io(error.to_string()),
    }
}

/// The Bulk-Only interface of an open device. The kernel gets it back when it is dropped.
pub struct UsbPipe {
    handle: DeviceHandle<Context>,
    address: Address,
    interface: Interface,
}

impl UsbPipe {
    /// Takes the disk at an address.
    ///
    /// # Errors
    /// When it is not there, has no such interface, or is not to be had.
    pub fn open(address: Address) -> Result<Self, LinkError> {
        let devices = Context::new().and_then(|context| context.devices());
        let devices = devices.map_err(failed)?;
        let device = devices
            .iter()
            .find(|device| self::address(device) == address);
        let device = device.ok_or(LinkError::Lost)?;
        let interface = interface(&device).ok_or(LinkError::Unsupported)?;
        let handle = device.open().map_err(failed)?;
        // Where the system knows no such thing, claiming says what is to be said.
        let _ = handle.set_auto_detach_kernel_driver(true);
        handle.claim_interface(interface.number).map_err(failed)?;
        Ok(Self {
            handle,
            address,
            interface,
        })
    }

    /// A transfer that failed has lost its device when the node is gone.
    fn is_gone(&self) -> bool {
        cfg!(target_os = "linux") && !Path::new(&self.address.to_string()).exists()
    }

    fn bulk(&self, endpoint: u8, bytes: *mut u8, len: usize, wait_ms: u32) -> Moved {
        let mut moved = 0;
        // SAFETY: the handle is open; `bytes` is valid for `len` bytes, and written only when the endpoint is
        // an input, for which it came from a mutable slice.
        let code = unsafe {
            rusb::ffi::libusb_bulk_transfer(
                self.handle.as_raw(),
                endpoint,
                bytes,
                i32::try_from(len).unwrap_or(i32::MAX),
                &raw mut moved,
                wait_ms,
            )
        };
        let len = usize::try_from(moved).unwrap_or(0);
        let fault = match code {
            LIBUSB_SUCCESS => None,
            LIBUSB_ERROR_TIMEOUT => Some(Fault::Timeout),
            LIBUSB_ERROR_PIPE => Some(Fault::Stall),
            LIBUSB_ERROR_NO_DEVICE => Some(Fault::Gone),
            _ if self.is_gone() => Some(Fault::Gone),
            LIBUSB_ERROR_OVERFLOW => Some(Fault::Other("the disk sent too much".into())),
            LIBUSB_ERROR_ACCESS => Some(Fault::Other("the disk was taken away".into())),
            code => Some(Fault::Other(format!("the transfer failed (libusb {code})"))),
        };
        Moved { len, fault }
    }

    fn fault(&self, error: rusb::Error) -> Fault {
        match error {
            rusb::Error::NoDevice => Fault::Gone,
            _ if self.is_gone() => Fault::Gone,
            rusb::Error::Timeout => Fault::Timeout,
            rusb::Error::Pipe => Fault::Stall,
            error => Fault::Other(error.to_string()),
        }
    }
}

impl Pipe for UsbPipe {
    fn send(&mut self, bytes: &[u8], wait_ms: u32) -> Moved {
        let endpoint = self.interface.output;
        self.bulk(endpoint, bytes.as_ptr().cast_mut(), bytes.len(), wait_ms)
    }

    fn receive(&mut self, buffer: &mut [u8], wait_ms: u32) -> Moved {
        let endpoint = self.interface.input;
        let mut moved = self.bulk(endpoint, buffer.as_mut_ptr(), buffer.len(), wait_ms);
        // A short packet that came in the moment the wait was over is still the end of the transfer.
        let packet = usize::from(self.interface.packet).max(1);
        if moved.fault == Some(Fault::Timeout) && !moved.len.is_multiple_of(packet) {
            moved.fault = None;
        }
        moved
    }

    fn clear_halt(&mut self, direction: Direction) -> Result<(), Fault> {
        let endpoint = match direction {
            Direction::In => self.interface.input,
            Direction::Out => self.interface.output,
        };
        let cleared = self.handle.clear_halt(endpoint);
        cleared.map_err(|error| self.fault(error))
    }

    fn reset(&mut self) -> Result<(), Fault> {
        let (handle, interface) = (&self.handle, u16::from(self.interface.number));
        let reset = handle.write_control(RESET_TYPE, RESET, 0, interface, &[], RESET_LIMIT);
        reset.map(drop).map_err(|error| self.fault(error))
    }
}
