//! Where the ways to a device meet: its folder in sysfs, of which there is one however it is reached, and which
//! everybody may open.

#[cfg(target_os = "linux")]
pub(super) use linux::{of_node, of_usb};

#[cfg(target_os = "linux")]
mod linux {
    use std::os::unix::fs::{FileTypeExt, MetadataExt};
    use std::path::{Path, PathBuf};

    use rustix::fs::{major, minor};

    use crate::transport::scsi::usb::Address;

    /// Where the system has sysfs.
    const SYS: &str = "/sys";
    /// Major number of USB devices (Linux, `devices.txt`).
    const USB_DEVICE: u32 = 189;
    /// Minor numbers of a bus (Linux, `usb.h`).
    const DEVICES_OF_A_BUS: u32 = 128;

    /// The folder of the device at a node.
    pub(in crate::device) fn of_node(node: &str) -> Option<PathBuf> {
        let found = std::fs::metadata(node).ok()?;
        let kind = match found.file_type() {
            kind if kind.is_block_device() => "block",
            kind if kind.is_char_device() => "char",
            _ => return None,
        };
        let number = found.rdev();
        place(Path::new(SYS), kind, (major(number), minor(number)))
    }

    /// The folder of a USB device.
    pub(in crate::device) fn of_usb(address: Address) -> Option<PathBuf> {
        let bus = u32::from(address.bus).checked_sub(1)?;
        let device = u32::from(address.device).checked_sub(1)?;
        let number = (USB_DEVICE, bus * DEVICES_OF_A_BUS + device);
        place(Path::new(SYS), "char", number)
    }

    /// The folder of the USB device that a node belongs to, or of another device.
    fn place(sys: &Path, kind: &str, (major, minor): (u32, u32)) -> Option<PathBuf> {
        let node = sys.join("dev").join(kind).join(format!("{major}:{minor}"));
        let node = node.canonicalize().ok()?;
        let mut above = node.ancestors();
        let usb = above.find(|folder| folder.join("idVendor").exists());
        let other = || node.join("device").canonicalize().ok();
        usb.map(Path::to_owned).or_else(other)
    }

    #[cfg(test)]
    mod tests {
        use std::fs::{create_dir_all, write};
        use std::os::unix::fs::symlink;

        use super::*;

        #[test]
        fn all_nodes_of_a_device_lead_to_one_folder() {
            let sys = tempfile::tempdir().unwrap();
            let sys = sys.path().canonicalize().unwrap();
            let usb = "devices/pci0000:00/usb1/1-4";
            let unit = "devices/pci0000:00/usb1/1-4/1-4:1.0/host6/target6:0:0/6:0:0:0";
            let other = "devices/ata1/host0/target0:0:0/0:0:0:0";
            let link = |kind: &str, number: &str, folder: String| {
                create_dir_all(sys.join(&folder)).unwrap();
                create_dir_all(sys.join("dev").join(kind)).unwrap();
                symlink(sys.join(folder), sys.join("dev").join(kind).join(number)).unwrap();
            };
            link("char", "189:11", usb.to_owned());
            link("char", "21:3", format!("{unit}/scsi_generic/sg3"));
            link("block", "8:16", format!("{unit}/block/sdb"));
            link(
                "char",
                "247:0",
                format!("{usb}/1-4:1.1/0003:2/hidraw/hidraw0"),
            );
            link("char", "21:0", format!("{other}/scsi_generic/sg0"));
            link("char", "1:3", "devices/virtual/mem/null".to_owned());
            let generic = sys.join(other).join("scsi_generic/sg0/device");
            symlink(sys.join(other), generic).unwrap();
            write(sys.join(usb).join("idVendor"), "2766\n").unwrap();
            let of = |kind, major, minor| place(&sys, kind, (major, minor));
            for (kind, major, minor) in [
                ("char", 189, 11),
                ("char", 21, 3),
                ("block", 8, 16),
                ("char", 247, 0),
            ] {
                assert_eq!(of(kind, major, minor), Some(sys.join(usb)), "{major}");
            }
            assert_eq!(of("char", 21, 0), Some(sys.join(other)));
            assert_eq!(of("char", 1, 3), None);
            assert_eq!(of("block", 8, 0), None);
        }
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn of_node(_node: &str) -> Option<std::path::PathBuf> {
    None
}

/// Other systems have no such folder. A claimed USB interface is one program's alone there, and on macOS an
/// open HID device.
#[cfg(not(target_os = "linux"))]
pub(super) fn of_usb(_address: crate::transport::scsi::usb::Address) -> Option<std::path::PathBuf> {
    None
}
