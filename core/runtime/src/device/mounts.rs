//! Which volumes are mounted, as `/proc/self/mountinfo` says.

use std::path::Path;

/// Where the kernel lists what is mounted.
#[cfg(target_os = "linux")]
const MOUNTINFO: &str = "/proc/self/mountinfo";

/// Where one of the volumes is mounted; `block` is their disk, `sdb`. What cannot be known counts as mounted.
#[cfg(target_os = "linux")]
pub(super) fn mounted(block: &str, volumes: &[String]) -> Option<String> {
    match std::fs::read(MOUNTINFO) {
        // Names of mount points need not be UTF-8.
        Ok(list) => find(&String::from_utf8_lossy(&list), block, volumes),
        Err(error) => Some(format!("a place unknown ({MOUNTINFO}: {error})")),
    }
}

/// Other systems do not lend a disk whose volume is mounted.
#[cfg(not(target_os = "linux"))]
pub(super) fn mounted(_block: &str, _volumes: &[String]) -> Option<String> {
    None
}

/// Looks in the text of `mountinfo` (proc_pid_mountinfo(5)): by device number, or by the name of the source
/// for file systems that have a number of their own.
#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
fn find(mountinfo: &str, block: &str, volumes: &[String]) -> Option<String> {
    mountinfo.lines().find_map(|line| {
        let (mount, source) = line.split_once(" - ")?;
        let mut fields = mount.split(' ').skip(2);
        let (number, point) = (fields.next()?, fields.nth(1)?);
        let source = source.split(' ').nth(1).unwrap_or("");
        let ours = volumes.iter().any(|volume| volume == number) || is_part_of(source, block);
        ours.then(|| unescape(point))
    })
}

/// Whether a source is the disk or one of its partitions.
fn is_part_of(source: &str, block: &str) -> bool {
    let name = Path::new(source).strip_prefix("/dev").ok();
    let rest = name.and_then(|name| name.to_str()?.strip_prefix(block));
    rest.is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A path with its octal escapes undone.
fn unescape(text: &str) -> String {
    let mut parts = text.split('\\');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |mut path, part| {
        let code = part
            .get(..3)
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match code {
            Some(code) => {
                path.push(char::from(code));
                path.push_str(part.get(3..).unwrap_or_default());
            }
            None => {
                path.push('\\');
                path.push_str(part);
            }
        }
        path
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
22 1 8:2 / / rw,relatime shared:1 - ext4 /dev/sda2 rw
90 22 8:17 / /media/me/LIFE\\040SCAN rw,nosuid shared:44 master:1 - vfat /dev/sdb1 rw,uid=1000
91 22 0:45 / /mnt/pool rw - btrfs /dev/sdc3 rw
92 22 0:46 / /mnt/\\x rw - tmpfs sdd rw
";

    fn at(block: &str, volumes: &[&str]) -> Option<String> {
        let volumes: Vec<String> = volumes.iter().map(|&volume| volume.to_owned()).collect();
        find(TEXT, block, &volumes)
    }

    #[test]
    fn volumes_are_known_by_number_and_by_name() {
        assert_eq!(at("sdb", &["8:16", "8:17"]).unwrap(), "/media/me/LIFE SCAN");
        assert_eq!(at("sdx", &["8:17"]).unwrap(), "/media/me/LIFE SCAN");
        assert_eq!(at("sdc", &["8:32"]).unwrap(), "/mnt/pool");
        assert_eq!(at("sdd", &["8:48"]), None);
        assert_eq!(at("sd", &[]), None);
        assert_eq!(at("sdbb", &["8:177"]), None);
    }

    #[test]
    fn lines_of_another_shape_are_passed_over() {
        for text in ["", "x", " - ", "1 2 3:4 - vfat", "1 2 8:16 - vfat /dev/sdb"] {
            assert_eq!(find(text, "sdb", &["8:16".into()]), None, "{text}");
        }
        assert_eq!(unescape("/a\\04"), "/a\\04");
        assert_eq!(unescape("\\134"), "\\");
    }
}
