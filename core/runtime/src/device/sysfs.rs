//! What Linux says of attached disks in sysfs: USB ids, serials and nodes. No device is opened.

use std::fs;
use std::path::{Path, PathBuf};

use super::disk::{Disk, Unit, Usb};
use crate::transport::scsi::usb::Address;
use crate::transport::scsi::wire::CLASS;

/// Where the kernel lists USB devices.
const DEVICES: &str = "bus/usb/devices";
/// Driver of an interface that a program has claimed.
const USERSPACE: &str = "usbfs";

/// Disks on USB, in the order of their addresses; `None` when this system shows no USB.
pub(super) fn usb_disks(sys: &Path) -> Option<Vec<Disk>> {
    let entries = fs::read_dir(sys.join(DEVICES)).ok()?;
    let mut disks: Vec<Disk> = entries
        .flatten()
        .filter_map(|entry| usb_disk(&entry.path()))
        .collect();
    disks.sort_by_key(|disk| disk.usb.as_ref().map(|usb| usb.address));
    Some(disks)
}

/// The disk of a USB device, if it has one.
fn usb_disk(device: &Path) -> Option<Disk> {
    let (vendor, product) = (hex(device, "idVendor")?, hex(device, "idProduct")?);
    let number = |name| attribute(device, name)?.parse().ok();
    let mut disk = Disk {
        usb: Some(Usb {
            vendor,
            product,
            serial: attribute(device, "serial").filter(|serial| !serial.is_empty()),
            address: Address {
                bus: number("busnum")?,
                device: number("devnum")?,
            },
        }),
        ..Disk::default()
    };
    let interfaces = children(device).filter(|child| hex(child, "bInterfaceClass").is_some());
    let mut storage = false;
    for interface in interfaces {
        storage |= hex(&interface, "bInterfaceClass") == Some(CLASS.into());
        let driver = fs::read_link(interface.join("driver"));
        disk.taken |= driver.is_ok_and(|driver| driver.ends_with(USERSPACE));
        // host6/target6:0:0/6:0:0:0
        let hosts = children(&interface).filter(|child| named(child, "host"));
        let targets = hosts.flat_map(|host| children(&host).filter(|child| named(child, "target")));
        let mut units: Vec<PathBuf> = targets.flat_map(|target| children(&target)).collect();
        units.sort();
        for unit in units {
            let node = |folder: &str| children(&unit.join(folder)).next();
            let (sg, block) = (node("scsi_generic"), node("block"));
            disk.volumes
                .extend(block.iter().flat_map(|block| volumes(block)));
            disk.units.push(Unit {
                sg: sg.and_then(|sg| name(&sg)),
                block: block.and_then(|block| name(&block)),
            });
        }
    }
    disk.units.retain(|unit| *unit != Unit::default());
    (storage || !disk.units.is_empty()).then_some(disk)
}

/// Device numbers, as `8:16`, of a disk and its partitions.
fn volumes(block: &Path) -> Vec<String> {
    let mut volumes: Vec<String> = children(block)
        .chain([block.to_owned()])
        .filter_map(|folder| attribute(&folder, "dev"))
        .collect();
    volumes.sort();
    volumes
}

/// Folders in a folder; none when it is not there.
fn children(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
}

fn named(path: &Path, prefix: &str) -> bool {
    name(path).is_some_and(|name| name.starts_with(prefix))
}

fn name(path: &Path) -> Option<String> {
    Some(path.file_name()?.to_str()?.to_owned())
}

fn attribute(folder: &Path, name: &str) -> Option<String> {
    let bytes = fs::read(folder.join(name)).ok()?;
    Some(String::from_utf8_lossy(&bytes).trim().to_owned())
}

fn hex(folder: &Path, name: &str) -> Option<u16> {
    u16::from_str_radix(&attribute(folder, name)?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder that looks like sysfs with the files named.
    fn sysfs(files: &[(&str, &str)]) -> tempfile::TempDir {
        let sys = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = sys.path().join(DEVICES).join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, format!("{text}\n")).unwrap();
        }
        sys
    }

    const METER: &[(&str, &str)] = &[
        ("1-4/idVendor", "2766"),
        ("1-4/idProduct", "000c"),
        ("1-4/serial", "ZXCV0042"),
        ("1-4/busnum", "1"),
        ("1-4/devnum", "12"),
        ("1-4/1-4:1.0/bInterfaceClass", "08"),
    ];

    const KERNEL: &[(&str, &str)] = &[
        (
            "1-4/1-4:1.0/host6/target6:0:0/6:0:0:0/scsi_generic/sg3/dev",
            "21:3",
        ),
        (
            "1-4/1-4:1.0/host6/target6:0:0/6:0:0:0/block/sdb/dev",
            "8:16",
        ),
        (
            "1-4/1-4:1.0/host6/target6:0:0/6:0:0:0/block/sdb/sdb1/dev",
            "8:17",
        ),
        (
            "1-4/1-4:1.0/host6/target6:0:0/6:0:0:0/block/sdb/queue/rotational",
            "1",
        ),
    ];

    #[test]
    fn a_disk_has_ids_serial_address_and_nodes() {
        let sys = sysfs(&[METER, KERNEL].concat());
        let disks = usb_disks(sys.path()).unwrap();
        let (bus, device) = (1, 12);
        assert_eq!(
            disks,
            [Disk {
                usb: Some(Usb {
                    vendor: 0x2766,
                    product: 0x000c,
                    serial: Some("ZXCV0042".into()),
                    address: Address { bus, device },
                }),
                units: vec![Unit {
                    sg: Some("sg3".into()),
                    block: Some("sdb".into()),
                }],
                volumes: vec!["8:16".into(), "8:17".into()],
                taken: false,
            }]
        );
    }

    #[test]
    fn a_disk_that_the_kernel_does_not_own_has_no_nodes_of_the_kernel() {
        let sys = sysfs(METER);
        let disks = usb_disks(sys.path()).unwrap();
        assert_eq!((disks.len(), &disks[0].units), (1, &Vec::new()));
    }

    #[test]
    fn every_unit_of_a_disk_is_seen() {
        let second = "1-4/1-4:1.0/host6/target6:0:0/6:0:0:1/scsi_generic/sg4/dev";
        let sys = sysfs(&[METER, KERNEL, &[(second, "21:4")]].concat());
        let disk = usb_disks(sys.path()).unwrap().remove(0);
        let nodes: Vec<String> = disk.routes().iter().map(|route| route.node()).collect();
        let all = ["/dev/sg3", "/dev/sdb", "/dev/sg4", "/dev/bus/usb/001/012"];
        assert_eq!(nodes, all);
    }

    #[test]
    fn a_disk_that_a_program_holds_is_taken() {
        let sys = sysfs(METER);
        let interface = sys.path().join(DEVICES).join("1-4/1-4:1.0");
        std::os::unix::fs::symlink("../../bus/usb/drivers/usbfs", interface.join("driver"))
            .unwrap();
        assert!(usb_disks(sys.path()).unwrap()[0].taken);
    }

    #[test]
    fn other_devices_and_half_a_device_are_passed_over() {
        let sys = sysfs(&[
            ("usb1/idVendor", "1d6b"),
            ("usb1/idProduct", "0002"),
            ("usb1/busnum", "1"),
            ("usb1/devnum", "1"),
            ("usb1/1-0:1.0/bInterfaceClass", "09"),
            ("1-0:1.0/bInterfaceClass", "09"),
            ("1-5/idVendor", "2766"),
            ("1-5/1-5:1.0/bInterfaceClass", "08"),
        ]);
        assert_eq!(usb_disks(sys.path()), Some(Vec::new()));
    }

    #[test]
    fn a_system_without_usb_says_so() {
        let sys = tempfile::tempdir().unwrap();
        assert_eq!(usb_disks(sys.path()), None);
    }
}
