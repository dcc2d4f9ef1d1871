//! What the kernel made of a device: its folder in sysfs and its nodes.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use crate::program::User;

/// Interface classes.
const HID: &str = "03";
const STORAGE: &str = "08";

/// The nodes of one device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Nodes {
    /// For libusb: `/dev/bus/usb/001/004`.
    pub usb: String,
    /// For HID: `/dev/hidraw0`.
    pub hidraw: Option<String>,
    /// For SCSI commands, of each logical unit: `/dev/sg0`.
    pub sg: Vec<String>,
    /// For blocks, of each logical unit: `/dev/sda`.
    pub block: Vec<String>,
    /// The kernel's driver of each interface.
    pub drivers: Vec<String>,
}

impl Nodes {
    /// Looks a device up; `None` until all its interfaces have drivers, these have made their nodes, and
    /// `said` knows the words by which the kernel tells that it is done with a disk.
    pub(crate) fn find(
        device: &Path,
        interfaces: usize,
        said: impl Fn(&str) -> bool,
    ) -> Option<Self> {
        let number = |name| {
            let text = fs::read_to_string(device.join(name)).ok()?;
            text.trim().parse::<u32>().ok()
        };
        let usb = format!(
            "/dev/bus/usb/{:03}/{:03}",
            number("busnum")?,
            number("devnum")?
        );
        let mut nodes = Self {
            usb,
            ..Self::default()
        };
        for folder in children(device).iter().filter(|path| is_interface(path)) {
            let class = fs::read_to_string(folder.join("bInterfaceClass")).ok()?;
            let driver = fs::read_link(folder.join("driver")).ok()?;
            nodes.drivers.push(name(&driver));
            match class.trim() {
                HID => nodes.hidraw = Some(node(&below(folder, &["*", "hidraw", "*"]))?),
                STORAGE => {
                    for unit in below(folder, &["host*", "target*", "*:*"]) {
                        nodes.sg.push(node(&below(&unit, &["scsi_generic", "*"]))?);
                        let disks = below(&unit, &["block", "*"]);
                        let size = fs::read_to_string(disks.first()?.join("size")).ok()?;
                        // Before, the kernel goes on looking at the disk, as if nobody used it yet.
                        let disk = name(disks.first()?);
                        let attached = format!("sd {}: [{disk}] Attached SCSI", name(&unit));
                        said(&attached).then_some(())?;
                        nodes
                            .block
                            .push(node(&disks).filter(|_| size.trim() != "0")?);
                    }
                    nodes.sg.first()?;
                }
                _ => {}
            }
        }
        nodes.sg.sort();
        nodes.block.sort();
        let there = nodes.all().all(|node| Path::new(node).exists());
        (nodes.drivers.len() == interfaces && there).then_some(nodes)
    }

    /// Every node.
    pub fn all(&self) -> impl Iterator<Item = &str> {
        let hidraw = self.hidraw.iter();
        let nodes = hidraw.chain(&self.sg).chain(&self.block).chain([&self.usb]);
        nodes.map(String::as_str)
    }

    /// Gives some nodes to a user, and the others to nobody but root.
    ///
    /// # Panics
    /// When the kernel does not allow it.
    pub fn give(&self, to: User, open: &[&str]) {
        for node in self.all() {
            let owner = if open.contains(&node) { to.id() } else { 0 };
            let done = chown(node, Some(owner), Some(owner))
                .and_then(|()| fs::set_permissions(node, fs::Permissions::from_mode(0o600)));
            done.unwrap_or_else(|error| panic!("{node}: {error}"));
        }
    }

    /// The HID node.
    ///
    /// # Panics
    /// When there is none.
    pub fn hidraw(&self) -> &str {
        self.hidraw.as_deref().expect("a HID device")
    }

    /// The SCSI node of the first logical unit.
    ///
    /// # Panics
    /// When there is none.
    pub fn sg(&self) -> &str {
        self.sg.first().expect("a disk")
    }

    /// The block node of the first logical unit.
    ///
    /// # Panics
    /// When there is none.
    pub fn block(&self) -> &str {
        self.block.first().expect("a disk")
    }
}

/// `1-1:1.0`
fn is_interface(path: &Path) -> bool {
    name(path).contains(':')
}

fn name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

fn node(found: &[PathBuf]) -> Option<String> {
    Some(format!("/dev/{}", name(found.first()?)))
}

fn children(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

/// Folders below a folder whose names fit, level by level; `*` at an end stands for anything.
fn below(folder: &Path, levels: &[&str]) -> Vec<PathBuf> {
    let mut found = vec![folder.to_owned()];
    for level in levels {
        let fits = |path: &PathBuf| match level.split_once('*') {
            Some((head, tail)) => {
                let name = name(path);
                let tail = tail.trim_end_matches('*');
                path.is_dir() && name.starts_with(head) && name.contains(tail)
            }
            None => name(path) == *level,
        };
        found = found
            .iter()
            .flat_map(|folder| children(folder))
            .filter(fits)
            .collect();
    }
    found
}
