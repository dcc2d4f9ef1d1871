//! What is attached: one list of HID devices and disks, and the drivers that know them.

use std::sync::Arc;

use serde::Serialize;

use super::access::{self, Node};
use super::disk::{self, Disk, Route};
use crate::plugin::{Component, KnownDevice};
use crate::problem::{Code, Problem};
use crate::transport::hid::{self, HidNode};
use crate::transport::link::LinkError;

/// An attached meter that a driver knows.
#[derive(Clone, Debug, Serialize)]
pub struct Attached {
    /// Driver that knows it.
    pub driver: String,
    /// Name of the model.
    pub model: String,
    /// USB ids, `1a79:7410`.
    pub usb: String,
    /// Serial of the USB descriptor, where readable.
    pub serial: Option<String>,
    /// What it is talked to over: `hid` or `scsi`.
    pub link: &'static str,
    /// Device node that is opened, or is to be opened to this user.
    pub node: String,
    /// All its nodes; opening one is enough.
    pub nodes: Vec<Node>,
    /// Where its volume is mounted.
    pub mounted: Option<String>,
    /// Whether it can be opened.
    pub accessible: bool,
    /// Why not.
    pub reason: Option<String>,
    #[serde(skip)]
    pub(super) found: Found,
}

/// A device that is attached, whoever knows it.
#[derive(Clone, Debug)]
pub(super) enum Found {
    Hid(HidNode),
    Scsi(Disk),
}

impl Found {
    /// What it is talked to over, in the words of a driver's device list.
    pub(super) fn link(&self) -> &'static str {
        match self {
            Self::Hid(_) => "hid",
            Self::Scsi(_) => "scsi",
        }
    }

    /// USB vendor and product, four hexadecimal digits each.
    pub(super) fn usb(&self) -> Option<(String, String)> {
        let (vendor, product) = match self {
            Self::Hid(node) => (node.vendor, node.product),
            Self::Scsi(disk) => disk.usb.as_ref().map(|usb| (usb.vendor, usb.product))?,
        };
        Some((format!("{vendor:04x}"), format!("{product:04x}")))
    }

    pub(super) fn serial(&self) -> Option<String> {
        match self {
            Self::Hid(node) => node.serial.clone(),
            Self::Scsi(disk) => disk.usb.as_ref()?.serial.clone(),
        }
    }

    /// Whether the node is a partition of it.
    pub(super) fn has_partition(&self, path: &str) -> bool {
        matches!(self, Self::Scsi(disk) if disk.has_partition(path))
    }

    /// Whether it has this node.
    pub(super) fn has(&self, path: &str) -> bool {
        match self {
            Self::Hid(node) => node.node == path,
            Self::Scsi(disk) => disk.route_at(path).is_some(),
        }
    }
}

/// Devices that are attached; none is opened.
///
/// # Errors
/// When the system does not list its HID devices. One that does not list USB may still have those.
pub(super) fn found() -> Result<Vec<Found>, Problem> {
    let nodes = hid::enumerate().map_err(|error| {
        let problem = Problem::error(Code::DEVICE_IO, "the system does not list its HID devices");
        match error {
            LinkError::Io(reason) => problem.cause(reason),
            _ => problem,
        }
    })?;
    let disks = disk::attached().unwrap_or_default();
    let nodes = nodes.into_iter().map(Found::Hid);
    Ok(nodes.chain(disks.into_iter().map(Found::Scsi)).collect())
}

/// The meters among what was found, in the order of their nodes.
pub(super) fn meters(found: &[Found], drivers: &[Arc<Component>]) -> Vec<Attached> {
    let mut meters: Vec<Attached> = found
        .iter()
        .filter_map(|found| {
            let (vendor, product) = found.usb()?;
            let (driver, device) = best_driver(drivers, found.link(), &vendor, &product)?;
            Some(meter(found, &driver.id, device.model, &vendor, &product))
        })
        .collect();
    meters.sort_by(|a, b| a.node.cmp(&b.node));
    meters
}

fn meter(found: &Found, driver: &str, model: String, vendor: &str, product: &str) -> Attached {
    let (nodes, node, mounted, reason) = match found {
        Found::Hid(hid) => {
            let nodes = vec![Node::look(&hid.node)];
            let closed = nodes.iter().any(|node| !node.accessible);
            let reason = closed.then(|| access::why(&nodes));
            (nodes, hid.node.clone(), None, reason)
        }
        Found::Scsi(disk) => {
            let nodes = disk.nodes();
            let picked = disk.pick(disk.routes(), &nodes, Disk::mounted);
            let first = || {
                nodes
                    .first()
                    .map_or_else(String::new, |node| node.path.clone())
            };
            let node = picked.as_ref().map_or_else(|_| first(), Route::node);
            let reason = picked.err().map(|refusal| refusal.text(&nodes));
            (nodes, node, disk.mounted(), reason)
        }
    };
    Attached {
        driver: driver.to_owned(),
        model,
        usb: format!("{vendor}:{product}"),
        serial: found.serial(),
        link: found.link(),
        node,
        nodes,
        mounted,
        accessible: reason.is_none(),
        reason,
        found: found.clone(),
    }
}

/// The driver that knows a device, an exact product before `*`.
pub(super) fn best_driver(
    drivers: &[Arc<Component>],
    link: &str,
    vendor: &str,
    product: &str,
) -> Option<(Arc<Component>, KnownDevice)> {
    let find = |wanted: &str| {
        drivers.iter().find_map(|driver| {
            let mut devices = driver.about.devices.iter();
            let device = devices.find(|device| {
                device.link == link
                    && device.vendor.eq_ignore_ascii_case(vendor)
                    && device.product.eq_ignore_ascii_case(wanted)
            })?;
            Some((driver.clone(), device.clone()))
        })
    };
    find(product).or_else(|| find("*").filter(|(_, device)| !device.vendor.is_empty()))
}
