//! A disk that may be a meter: what is known of it, and by which way it is reached.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::access::{self, Node};
use super::mounts::mounted;
use super::place;
use super::udev;
use crate::transport::hold::Hold;
use crate::transport::link::{LinkContext, LinkError};
use crate::transport::scsi::bulk_only::BulkOnly;
#[cfg(target_os = "linux")]
use crate::transport::scsi::sg::{self, SgDisk};
use crate::transport::scsi::usb::{self, Address, UsbPipe};
use crate::transport::scsi::{self, ScsiLink};
use crate::transport::worker::CLOSES_ITSELF;

/// Longest wait for the kernel to get its disk back.
const HAND_BACK: Duration = Duration::from_secs(2);

/// A disk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Disk {
    /// Its USB device, if it has one.
    pub(super) usb: Option<Usb>,
    /// Its units, where the Linux kernel owns it; a meter has one.
    pub(super) units: Vec<Unit>,
    /// Device numbers, as `8:16`, of block nodes and their partitions.
    pub(super) volumes: Vec<String>,
    /// A program has taken it from the kernel.
    pub(super) taken: bool,
}

/// Nodes of a unit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Unit {
    /// Name of the SCSI generic node, `sg3`.
    pub(super) sg: Option<String>,
    /// Name of the block node, `sdb`.
    pub(super) block: Option<String>,
}

/// The USB device of a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Usb {
    pub(super) vendor: u16,
    pub(super) product: u16,
    /// Serial of the descriptor.
    pub(super) serial: Option<String>,
    pub(super) address: Address,
}

/// How a disk is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// Through the kernel that owns it, at this node.
    SgIo(String),
    /// Through USB, taken from the kernel for a while.
    BulkOnly(Address),
}

impl Route {
    pub(super) fn node(&self) -> String {
        match self {
            Self::SgIo(node) => node.clone(),
            Self::BulkOnly(address) => address.to_string(),
        }
    }
}

/// Why there is no way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// None of the nodes may be opened.
    Access,
    /// It could be had from the kernel, but is mounted there.
    Mounted(String),
    /// Another program has taken it from the kernel.
    Taken,
}

impl Refusal {
    /// In a line.
    pub(super) fn text(&self, nodes: &[Node]) -> String {
        match self {
            Self::Access => access::why(nodes),
            Self::Taken => "another program has taken it from the system".into(),
            Self::Mounted(point) => {
                format!("its volume is mounted at `{point}`, and a mounted disk is not taken away")
            }
        }
    }

    /// The one thing to do about it.
    pub(super) fn hint(&self) -> String {
        match self {
            Self::Access => udev::hint(),
            Self::Taken => "close the other program, then run again".into(),
            Self::Mounted(_) => format!("unmount the volume, or {}", udev::hint()),
        }
    }
}

impl Disk {
    /// The disk at a node that is not on USB, as far as the system says; `None` when it is no disk.
    #[cfg(target_os = "linux")]
    pub(super) fn at(path: &str) -> Option<Self> {
        use std::os::unix::fs::{FileTypeExt, MetadataExt};

        let found = std::fs::metadata(path).ok()?;
        let name = path.strip_prefix("/dev/")?.to_owned();
        let generic = rustix::fs::major(found.rdev()) == sg::MAJOR;
        let unit = match found.file_type() {
            kind if kind.is_block_device() => Unit {
                block: Some(name),
                ..Unit::default()
            },
            kind if kind.is_char_device() && generic => Unit {
                sg: Some(name),
                ..Unit::default()
            },
            _ => return None,
        };
        Some(Self {
            units: vec![unit],
            ..Self::default()
        })
    }

    /// Other systems have no nodes of disks that could be used.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn at(_path: &str) -> Option<Self> {
        None
    }

    /// All ways, the best first. What the kernel owns stays its own if that is possible.
    pub(super) fn routes(&self) -> Vec<Route> {
        let kernel = self
            .units
            .iter()
            .flat_map(|unit| unit.sg.iter().chain(&unit.block));
        let kernel = kernel.map(|name| Route::SgIo(format!("/dev/{name}")));
        let usb = self.usb.iter().map(|usb| Route::BulkOnly(usb.address));
        kernel.chain(usb).collect()
    }

    /// Whether the node is one of its partitions.
    #[cfg(target_os = "linux")]
    pub(super) fn has_partition(&self, path: &str) -> bool {
        use std::os::unix::fs::{FileTypeExt, MetadataExt};

        let block = std::fs::metadata(path).ok();
        let block = block.filter(|found| found.file_type().is_block_device());
        let number = block.map(|found| {
            let number = found.rdev();
            format!(
                "{}:{}",
                rustix::fs::major(number),
                rustix::fs::minor(number)
            )
        });
        number.is_some_and(|number| self.volumes.contains(&number)) && self.route_at(path).is_none()
    }

    /// Other systems have no nodes of partitions that could be used.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn has_partition(&self, _path: &str) -> bool {
        false
    }

    /// The way with this node.
    pub(super) fn route_at(&self, node: &str) -> Option<Route> {
        self.routes().into_iter().find(|route| route.node() == node)
    }

    /// Its nodes, in the same order.
    pub(super) fn nodes(&self) -> Vec<Node> {
        let routes = self.routes();
        routes
            .iter()
            .map(|route| Node::look(&route.node()))
            .collect()
    }

    /// The first of these ways whose node is open. It is not taken from the kernel while it is mounted, nor from
    /// another program at all.
    pub(super) fn pick(
        &self,
        routes: Vec<Route>,
        nodes: &[Node],
        mounted: impl FnOnce(&Self) -> Option<String>,
    ) -> Result<Route, Refusal> {
        let open = |route: &Route| {
            let path = route.node();
            nodes
                .iter()
                .any(|node| node.path == path && node.accessible)
        };
        match routes.into_iter().find(open) {
            None => Err(Refusal::Access),
            Some(route @ Route::SgIo(_)) => Ok(route),
            Some(_) if self.taken => Err(Refusal::Taken),
            Some(route) => mounted(self).map_or(Ok(route), |point| Err(Refusal::Mounted(point))),
        }
    }

    /// Where a volume of it is mounted.
    pub(super) fn mounted(&self) -> Option<String> {
        let mut blocks = self.units.iter().filter_map(|unit| unit.block.as_deref());
        blocks.find_map(|block| mounted(block, &self.volumes))
    }
}

/// A disk that was chosen.
#[derive(Clone, Debug)]
pub(super) struct Chosen {
    /// Its USB device; nodes may get other names while it stays the same.
    pub(super) usb: Option<Usb>,
    /// The one way the user allows.
    pub(super) named: Option<Route>,
    /// No driver knows it. It is not taken from the kernel.
    pub(super) stranger: bool,
}

impl Chosen {
    /// The ways that are allowed.
    fn routes(&self, disk: &Disk) -> Vec<Route> {
        let mut routes = disk.routes();
        routes.retain(|route| {
            let kept = !self.stranger || matches!(route, Route::SgIo(_));
            kept && self.named.as_ref().is_none_or(|named| named == route)
        });
        routes
    }

    /// Looks which way is open now. Returns the nodes that were tried when none is.
    pub(super) fn way(&self, disk: &Disk) -> Result<Route, (Refusal, Vec<Node>)> {
        let routes = self.routes(disk);
        let nodes: Vec<Node> = routes
            .iter()
            .map(|route| Node::look(&route.node()))
            .collect();
        let picked = disk.pick(routes, &nodes, Disk::mounted);
        picked.map_err(|refusal| (refusal, nodes))
    }

    /// Where all ways to it share a lock.
    pub(super) fn place(&self) -> Option<PathBuf> {
        match (&self.usb, &self.named) {
            (Some(usb), _) => place::of_usb(usb.address),
            (None, Some(named)) => place::of_node(&named.node()),
            (None, None) => None,
        }
    }

    /// Opens it by the way that is open now, for whoever holds it.
    pub(super) fn open(
        &self,
        context: &LinkContext<'_>,
        hold: Option<Arc<Hold>>,
    ) -> Result<ScsiLink, LinkError> {
        let route = match (&self.usb, &self.named) {
            (None, Some(named)) => named.clone(),
            _ => {
                let mut disks = attached()?.into_iter();
                let disk = disks.find(|disk| disk.usb == self.usb);
                let disk = disk.filter(|disk| !self.routes(disk).is_empty());
                let disk = disk.ok_or(LinkError::Lost)?;
                let way = self.way(&disk);
                way.map_err(|(refusal, nodes)| match refusal {
                    Refusal::Taken => LinkError::Busy,
                    refusal => LinkError::Access(refusal.text(&nodes)),
                })?
            }
        };
        match route {
            #[cfg(target_os = "linux")]
            Route::SgIo(node) => {
                let way = format!("SG_IO on {node}");
                let open = move || Ok(Box::new(SgDisk::open(&node)?) as Box<dyn scsi::Disk>);
                ScsiLink::open(context, (way, CLOSES_ITSELF), hold, open)
            }
            #[cfg(not(target_os = "linux"))]
            Route::SgIo(_) => Err(LinkError::Unsupported),
            Route::BulkOnly(address) => {
                let way = format!("USB Bulk-Only on {address}");
                let open = move || {
                    let pipe = UsbPipe::open(address)?;
                    Ok(Box::new(BulkOnly::new(pipe)) as Box<dyn scsi::Disk>)
                };
                ScsiLink::open(context, (way, HAND_BACK), hold, open)
            }
        }
    }
}

/// Disks that are attached by USB.
///
/// # Errors
/// When the system does not list them.
pub(super) fn attached() -> Result<Vec<Disk>, LinkError> {
    #[cfg(target_os = "linux")]
    if let Some(disks) = super::sysfs::usb_disks(std::path::Path::new("/sys")) {
        return Ok(disks);
    }
    let seen = usb::enumerate()?;
    let disks = seen.into_iter().map(|seen| Disk {
        usb: Some(Usb {
            vendor: seen.vendor,
            product: seen.product,
            serial: None,
            address: seen.address,
        }),
        ..Disk::default()
    });
    Ok(disks.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: Address = Address { bus: 1, device: 4 };

    fn disk() -> Disk {
        Disk {
            usb: Some(Usb {
                vendor: 0x2766,
                product: 4,
                serial: None,
                address: ADDRESS,
            }),
            units: vec![Unit {
                sg: Some("sg3".into()),
                block: Some("sdb".into()),
            }],
            volumes: vec!["8:16".into()],
            taken: false,
        }
    }

    fn picked(disk: &Disk, open: &[&str], mounted: Option<&str>) -> Result<Route, Refusal> {
        let mut nodes = disk.nodes();
        for node in &mut nodes {
            node.accessible = open.contains(&node.path.as_str());
        }
        disk.pick(disk.routes(), &nodes, |_| mounted.map(str::to_owned))
    }

    #[test]
    fn what_the_kernel_owns_is_reached_through_it() {
        let all = ["/dev/sg3", "/dev/sdb", "/dev/bus/usb/001/004"];
        let sg = |node: &str| Ok(Route::SgIo(node.into()));
        let usb = Ok(Route::BulkOnly(ADDRESS));
        assert_eq!(picked(&disk(), &all, None), sg("/dev/sg3"));
        assert_eq!(picked(&disk(), &all, Some("/media/x")), sg("/dev/sg3"));
        assert_eq!(picked(&disk(), &all[1..], None), sg("/dev/sdb"));
        assert_eq!(picked(&disk(), &all[2..], None), usb);
        let free = Disk {
            units: Vec::new(),
            ..disk()
        };
        assert_eq!(picked(&free, &all, None), usb);
    }

    #[test]
    fn a_mounted_disk_is_not_taken_from_the_kernel() {
        let usb = ["/dev/bus/usb/001/004"];
        let mounted = Refusal::Mounted("/media/x".into());
        assert_eq!(picked(&disk(), &usb, Some("/media/x")), Err(mounted));
        assert_eq!(picked(&disk(), &[], Some("/media/x")), Err(Refusal::Access));
    }

    #[test]
    fn a_disk_that_a_program_holds_is_not_taken_from_it() {
        let taken = Disk {
            taken: true,
            ..disk()
        };
        let usb = ["/dev/bus/usb/001/004"];
        assert_eq!(picked(&taken, &usb, None), Err(Refusal::Taken));
        assert_eq!(picked(&taken, &[], None), Err(Refusal::Access));
    }

    #[test]
    fn a_way_can_be_named_by_its_node() {
        let nodes = ["/dev/sg3", "/dev/sdb", "/dev/bus/usb/001/004"];
        for node in nodes {
            assert_eq!(disk().route_at(node).unwrap().node(), node);
        }
        assert_eq!(disk().route_at("/dev/sdb1"), None);
    }
}
