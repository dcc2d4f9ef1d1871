//! Why a computer may show no meters at all.

use std::path::Path;

use crate::problem::{Code, Problem};

/// What is missing for any USB device to be seen; `None` where USB is there.
#[cfg(target_os = "linux")]
pub fn no_usb() -> Option<Problem> {
    look(Path::new("/"))
}

/// Other systems always show their USB devices.
#[cfg(not(target_os = "linux"))]
pub fn no_usb() -> Option<Problem> {
    None
}

/// Looks at a file system.
#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
fn look(root: &Path) -> Option<Problem> {
    let listed = root.join("sys/bus/usb/devices");
    let any = |folder: &Path| {
        folder
            .read_dir()
            .is_ok_and(|mut entries| entries.next().is_some())
    };
    let cause = if !any(&listed) {
        "`/sys/bus/usb/devices` is not there or empty"
    } else if !any(&root.join("dev/bus/usb")) {
        "USB devices are listed, but `/dev/bus/usb` is not there or empty"
    } else {
        return None;
    };
    let container = [".dockerenv", "run/.containerenv"];
    let container = container.iter().any(|mark| root.join(mark).exists());
    let kernel = std::fs::read_to_string(root.join("proc/sys/kernel/osrelease"));
    let hint = if container {
        "this is a container: start it with the meter's node, as in `--device /dev/hidraw0`"
    } else if kernel.is_ok_and(|kernel| kernel.to_lowercase().contains("microsoft")) {
        "this is WSL: hand the meter over from Windows with `usbipd attach --wsl`"
    } else {
        "in a virtual machine or container, hand the meter over to it"
    };
    let title = "this system shows no USB devices, so no meter can be attached";
    Some(
        Problem::warning(Code::NO_METER, title)
            .cause(cause)
            .hint(hint),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_said_with_what_to_do() {
        let root = tempfile::tempdir().unwrap();
        let make = |path: &str| std::fs::create_dir_all(root.path().join(path)).unwrap();
        let look =
            || look(root.path()).map(|problem| (problem.causes[0].clone(), problem.hint.unwrap()));
        let (cause, hint) = look().unwrap();
        assert!(cause.starts_with("`/sys/bus/usb/devices`") && hint.contains("virtual machine"));
        make("sys/bus/usb/devices/1-4");
        make("proc/sys/kernel");
        let release = root.path().join("proc/sys/kernel/osrelease");
        std::fs::write(release, "5.15-microsoft-standard-WSL2\n").unwrap();
        let (cause, hint) = look().unwrap();
        assert!(cause.contains("`/dev/bus/usb`") && hint.contains("usbipd"));
        make("run/.containerenv");
        assert!(look().unwrap().1.contains("--device"));
        make("dev/bus/usb/001");
        assert_eq!(look(), None);
    }
}
