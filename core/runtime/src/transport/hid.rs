//! Real HID devices, through hidapi.

use std::ffi::CString;

use glucopipe_sdk::link::Kind;
use hidapi::{HidApi, HidDevice};

use super::link::{Link, LinkContext, LinkError};

/// Largest report body this program meets.
const REPORT_MAX: usize = 1024;

/// A HID device as enumerated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HidNode {
    /// USB vendor id.
    pub vendor: u16,
    /// USB product id.
    pub product: u16,
    /// USB serial string, where readable.
    pub serial: Option<String>,
    /// Node: `/dev/hidraw3` on Linux, a path of the system's elsewhere.
    pub node: String,
}

/// HID devices that are attached; none is opened.
///
/// # Errors
/// The operating system's words.
pub fn enumerate() -> Result<Vec<HidNode>, LinkError> {
    let api = HidApi::new().map_err(|error| LinkError::Io(error.to_string()))?;
    let mut nodes: Vec<HidNode> = api
        .device_list()
        .map(|info| HidNode {
            vendor: info.vendor_id(),
            product: info.product_id(),
            serial: info
                .serial_number()
                .filter(|serial| !serial.is_empty())
                .map(str::to_owned),
            node: info.path().to_string_lossy().into_owned(),
        })
        .collect();
    nodes.sort_by(|a, b| a.node.cmp(&b.node));
    // One node may be listed once per usage.
    nodes.dedup();
    Ok(nodes)
}

/// An open HID device.
pub struct Hid {
    device: HidDevice,
    node: String,
}

impl Hid {
    /// Opens a node.
    ///
    /// # Errors
    /// The operating system's words.
    pub fn open(node: &str) -> Result<Self, LinkError> {
        let failed = |error: String| LinkError::Io(error);
        let path = CString::new(node).map_err(|error| failed(error.to_string()))?;
        let api = HidApi::new().map_err(|error| failed(error.to_string()))?;
        let device = api
            .open_path(&path)
            .map_err(|error| failed(error.to_string()))?;
        Ok(Self {
            device,
            node: node.to_owned(),
        })
    }

    /// A failed transfer is a lost device when its node is gone.
    fn failed(&self, error: &hidapi::HidError) -> LinkError {
        if self.node.starts_with('/') && !std::path::Path::new(&self.node).exists() {
            LinkError::Lost
        } else {
            LinkError::Io(error.to_string())
        }
    }
}

impl Link for Hid {
    fn kind(&self) -> Kind {
        Kind::Hid
    }

    fn read(
        &mut self,
        _context: &LinkContext<'_>,
        wait_ms: u32,
        buffer: &mut [u8],
    ) -> Result<usize, LinkError> {
        let wait = i32::try_from(wait_ms).unwrap_or(i32::MAX);
        match self.device.read_timeout(buffer, wait) {
            Ok(0) => Err(LinkError::Timeout),
            Ok(len) => Ok(len.min(buffer.len())),
            Err(error) => Err(self.failed(&error)),
        }
    }

    fn write(&mut self, _context: &LinkContext<'_>, bytes: &[u8]) -> Result<(), LinkError> {
        if bytes.len() > REPORT_MAX {
            return Err(LinkError::Io(format!("a report of {} bytes", bytes.len())));
        }
        // These meters number no reports; the system wants the number 0 in front all the same.
        let mut report = Vec::with_capacity(bytes.len() + 1);
        report.push(0);
        report.extend_from_slice(bytes);
        match self.device.write(&report) {
            Ok(sent) if sent >= bytes.len() => Ok(()),
            Ok(sent) => Err(LinkError::Io(format!(
                "only {sent} of {} bytes went out",
                report.len()
            ))),
            Err(error) => Err(self.failed(&error)),
        }
    }
}
