//! Requests on the default endpoint (USB 2.0 chapter 9).

/// Bytes of a setup packet.
pub(crate) const SETUP_SIZE: usize = 8;

/// Direction bit of endpoint addresses and request types: to the host.
pub(crate) const TO_HOST: u8 = 0x80;
/// Kind and recipient of a request type.
const KIND_AND_RECIPIENT: u8 = 0x7F;
/// Standard requests to the device, an interface and an endpoint.
pub(crate) const STANDARD_DEVICE: u8 = 0x00;
pub(crate) const STANDARD_INTERFACE: u8 = 0x01;
pub(crate) const STANDARD_ENDPOINT: u8 = 0x02;
/// Class requests to an interface.
pub(crate) const CLASS_INTERFACE: u8 = 0x21;

/// Standard requests.
pub(crate) const GET_STATUS: u8 = 0;
pub(crate) const CLEAR_FEATURE: u8 = 1;
pub(crate) const SET_FEATURE: u8 = 3;
pub(crate) const SET_ADDRESS: u8 = 5;
pub(crate) const GET_DESCRIPTOR: u8 = 6;
pub(crate) const GET_CONFIGURATION: u8 = 8;
pub(crate) const SET_CONFIGURATION: u8 = 9;
pub(crate) const GET_INTERFACE: u8 = 10;
pub(crate) const SET_INTERFACE: u8 = 11;

/// The feature that holds an endpoint.
pub(crate) const ENDPOINT_HALT: u16 = 0;

/// A setup packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Setup {
    /// Kind and recipient, without the direction.
    pub(crate) kind: u8,
    /// Direction: to the host.
    pub(crate) to_host: bool,
    /// The request.
    pub(crate) request: u8,
    /// First argument.
    pub(crate) value: u16,
    /// Second argument, often an interface or endpoint.
    pub(crate) index: u16,
    /// Bytes of the data stage.
    pub(crate) length: u16,
}

impl Setup {
    /// Reads a setup packet.
    pub(crate) fn parse(bytes: [u8; SETUP_SIZE]) -> Self {
        let [kind, request, v0, v1, i0, i1, l0, l1] = bytes;
        Self {
            kind: kind & KIND_AND_RECIPIENT,
            to_host: kind & TO_HOST != 0,
            request,
            value: u16::from_le_bytes([v0, v1]),
            index: u16::from_le_bytes([i0, i1]),
            length: u16::from_le_bytes([l0, l1]),
        }
    }

    /// The high byte of the value: type of a descriptor or report.
    pub(crate) fn value_high(self) -> u8 {
        self.value.to_le_bytes()[1]
    }

    /// The low byte of the value: number of a descriptor or report.
    pub(crate) fn value_low(self) -> u8 {
        self.value.to_le_bytes()[0]
    }

    /// The low byte of the index: an interface, or an endpoint address.
    pub(crate) fn index_low(self) -> u8 {
        self.index.to_le_bytes()[0]
    }
}
