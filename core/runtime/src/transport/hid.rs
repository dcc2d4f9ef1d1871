//! Real HID devices, through hidapi.

use std::ffi::CString;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use glucopipe_sdk::link::Kind;
use hidapi::{HidApi, HidDevice, HidError};

use super::hold::Hold;
use super::link::{Link, LinkContext, LinkError};
use super::worker::{CLOSES_ITSELF, Worker};

/// Largest report this program meets.
const REPORT_MAX: usize = 1024;
/// Longest wait for a device to be opened.
const OPEN_LIMIT: Duration = Duration::from_secs(10);
/// Longest wait for a report to go out; the Linux kernel gives up after 5 s.
const WRITE_LIMIT: Duration = Duration::from_secs(6);
/// How long a read may overrun its wait before it is given up.
const OVERRUN: Duration = Duration::from_secs(1);

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
    worker: Worker<Opened>,
    route: String,
}

struct Opened {
    device: HidDevice,
    node: String,
    _hold: Option<Arc<Hold>>,
}

impl Hid {
    /// Opens a node; `hold` is given up behind it.
    ///
    /// # Errors
    /// The operating system's words, or when the operation is stopped.
    pub fn open(
        context: &LinkContext<'_>,
        node: &str,
        hold: Option<Arc<Hold>>,
    ) -> Result<Self, LinkError> {
        let owned = node.to_owned();
        let open = move || Opened::open(owned, hold);
        Ok(Self {
            worker: Worker::start(context.go_on, OPEN_LIMIT, CLOSES_ITSELF, open)?,
            route: format!("HID on {node}"),
        })
    }
}

impl Opened {
    fn open(node: String, hold: Option<Arc<Hold>>) -> Result<Self, LinkError> {
        let failed = |error| failed(error, &node);
        let path = CString::new(node.as_str()).map_err(|error| LinkError::Io(error.to_string()))?;
        let api = HidApi::new().map_err(failed)?;
        let device = api.open_path(&path).map_err(failed)?;
        Ok(Self {
            device,
            node,
            _hold: hold,
        })
    }

    fn read(&self, wait_ms: u32, len: usize) -> Result<Vec<u8>, LinkError> {
        let mut report = vec![0; len];
        let wait = i32::try_from(wait_ms).unwrap_or(i32::MAX);
        match self.device.read_timeout(&mut report, wait) {
            Ok(0) => Err(LinkError::Timeout),
            Ok(read) => {
                report.truncate(read);
                Ok(report)
            }
            // A read asks the system alone, which fails only when the device has gone.
            Err(_) => Err(LinkError::Lost),
        }
    }

    fn write(&self, report: &[u8]) -> Result<(), LinkError> {
        match self.device.write(report) {
            // Systems count the report number or leave it out.
            Ok(sent) if sent + 1 >= report.len() => Ok(()),
            Ok(sent) => Err(LinkError::Io(format!(
                "only {sent} of {} bytes went out",
                report.len()
            ))),
            Err(error) => Err(failed(error, &self.node)),
        }
    }
}

/// Whatever failed: when the node is gone, the device is.
fn failed(error: HidError, node: &str) -> LinkError {
    if node.starts_with('/') && !Path::new(node).exists() {
        return LinkError::Lost;
    }
    match error {
        HidError::IoError { error } => error.into(),
        error => LinkError::Io(error.to_string()),
    }
}

impl Link for Hid {
    fn kind(&self) -> Kind {
        Kind::Hid
    }

    fn route(&self) -> Option<&str> {
        Some(&self.route)
    }

    fn read(
        &mut self,
        _context: &LinkContext<'_>,
        wait_ms: u32,
        buffer: &mut [u8],
    ) -> Result<usize, LinkError> {
        // Callers wait in slices, and a read that is given up would swallow a report.
        let to_its_end = || true;
        let limit = Duration::from_millis(wait_ms.into()) + OVERRUN;
        let len = buffer.len().min(REPORT_MAX);
        let read = move |opened: &mut Opened, _: &dyn Fn() -> bool| opened.read(wait_ms, len);
        let report = self.worker.run(&to_its_end, limit, read)??;
        let len = report.len().min(buffer.len());
        buffer[..len].copy_from_slice(&report[..len]);
        Ok(len)
    }

    fn write(&mut self, context: &LinkContext<'_>, bytes: &[u8]) -> Result<(), LinkError> {
        if bytes.len() > REPORT_MAX {
            return Err(LinkError::Io(format!("a report of {} bytes", bytes.len())));
        }
        // These meters number no reports; the system wants the number 0 in front all the same.
        let mut report = Vec::with_capacity(bytes.len() + 1);
        report.push(0);
        report.extend_from_slice(bytes);
        let write = move |opened: &mut Opened, _: &dyn Fn() -> bool| opened.write(&report);
        self.worker.run(context.go_on, WRITE_LIMIT, write)?
    }
}
