//! The udev rule file that opens the drivers' meters to people.
//!
//! Versions of udev differ in how much of a line they ignore when it names a group that the system does not
//! know, so the group has a line of its own. Rules run as root: of what plugins say, only ids go into one.

use std::fmt::Write as _;
use std::path::Path;

use crate::plugin::KnownDevice;

/// Name of the rule file. Its number is below 73, where udev hands devices to the user at the screen, and
/// below 80, where UDisks looks.
pub const RULE_FILE: &str = "70-glucopipe.rules";
/// Where rule files may be.
const FOLDERS: [&str; 4] = [
    "/etc/udev/rules.d",
    "/run/udev/rules.d",
    "/usr/lib/udev/rules.d",
    "/lib/udev/rules.d",
];

const HEAD: &str = r#"# Glucose meters, for two kinds of users: whoever sits at the screen (uaccess), and the members of a group, for
# timers and services. Make the group, put a user into it, and reload the rules:
#
#   sudo groupadd --system glucopipe
#   sudo usermod --append --groups glucopipe USER
#   sudo udevadm control --reload
#
# As long as there is no such group, udev says so when it reads this file, and goes on without it.
# UDISKS_IGNORE keeps desktops from mounting meters that look like disks.

ACTION=="remove", GOTO="glucopipe_end"
"#;

const TAIL: &str = r#"
ENV{GLUCOPIPE_METER}=="1", TAG+="uaccess"
ENV{GLUCOPIPE_METER}=="1", GROUP="glucopipe", MODE="0660"

LABEL="glucopipe_end"
"#;

/// The rule file for these meters.
pub fn rules<'a>(devices: impl IntoIterator<Item = &'a KnownDevice>) -> String {
    let mut text =
        format!("# /etc/udev/rules.d/{RULE_FILE}, as `glucopipe doctor --udev` prints it.\n{HEAD}");
    for device in devices {
        if let Some(rule) = rule(&device.link, &device.vendor, &device.product) {
            // A comment, too, must not end in a way that makes the next line part of it.
            let plain = |c: &char| !c.is_control() && *c != '\\';
            let model: String = device.model.chars().filter(plain).collect();
            let _ = write!(text, "\n# {model}\n{rule}\n");
        }
    }
    text.push_str(TAIL);
    text
}

/// The line that makes a meter known to the rules below it; `None` for what needs none.
pub fn rule(link: &str, vendor: &str, product: &str) -> Option<String> {
    let (subsystems, more) = match link {
        "hid" => ("hidraw", ""),
        // A disk is reached by its USB node or by the nodes of the kernel.
        "scsi" => ("usb|scsi_generic|block", r#", ENV{UDISKS_IGNORE}="1""#),
        _ => return None,
    };
    let id = |id: &str| {
        let is_id = id.len() == 4 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_id.then(|| id.to_ascii_lowercase())
    };
    let vendor = id(vendor)?;
    let product = match product {
        "*" => String::new(),
        product => format!(r#", ATTRS{{idProduct}}=="{}""#, id(product)?),
    };
    Some(format!(
        r#"SUBSYSTEM=="{subsystems}", ATTRS{{idVendor}}=="{vendor}"{product}, ENV{{GLUCOPIPE_METER}}="1"{more}"#
    ))
}

/// Where the rule file is installed.
pub fn installed() -> Option<String> {
    let paths = FOLDERS.map(|folder| format!("{folder}/{RULE_FILE}"));
    paths.into_iter().find(|path| Path::new(path).exists())
}

/// The one thing to do when a node is closed.
pub fn hint() -> String {
    format!(
        "install the rule once, then replug the meter:\n\
         glucopipe doctor --udev | sudo tee /etc/udev/rules.d/{RULE_FILE} && sudo udevadm control --reload"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(link: &str, vendor: &str, product: &str, model: &str) -> KnownDevice {
        KnownDevice {
            link: link.into(),
            vendor: vendor.into(),
            product: product.into(),
            model: model.into(),
            tested: String::new(),
        }
    }

    #[test]
    fn rules_are_made_from_ids() {
        let devices = [
            known("hid", "1A79", "7410", "Contour Next USB"),
            known("scsi", "2766", "000c", "OneTouch Verio Reflect"),
            known("scsi", "2766", "*", "OneTouch Verio family (untested)"),
            known("file", "", "", "an export"),
        ];
        insta::assert_snapshot!(rules(&devices));
    }

    /// Every line is a comment, or keys with operators and quoted values between commas.
    #[test]
    fn rules_have_the_shape_udev_reads() {
        let text = rules(&[
            known("hid", "1a79", "7410", "A"),
            known("scsi", "2766", "*", "B"),
        ]);
        for line in text
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
        {
            assert!(!line.ends_with('\\'), "{line}");
            for pair in line.split(", ") {
                let (key, value) = pair.split_once('"').expect("a quoted value");
                let value = value.strip_suffix('"').expect("an end");
                assert!(!value.contains('"'), "{line}");
                let key = key.trim_end_matches(['=', '+']);
                let name = key.split('{').next().expect("a name");
                let known = [
                    "ACTION",
                    "GOTO",
                    "LABEL",
                    "SUBSYSTEM",
                    "ATTRS",
                    "ENV",
                    "TAG",
                    "GROUP",
                    "MODE",
                ];
                assert!(known.contains(&name), "{line}");
                assert_eq!(key.contains('{'), key.ends_with('}'), "{line}");
            }
        }
        assert!(!text.contains("0666"));
        // A line with a group is lost where there is no such group.
        let grouped: Vec<&str> = text
            .lines()
            .filter(|line| line.contains("GROUP=\""))
            .collect();
        assert_eq!(grouped.len(), 1);
        assert!(!grouped[0].contains("uaccess") && !grouped[0].contains("UDISKS"));
        let number: u32 = RULE_FILE[..2].parse().unwrap();
        assert!(number < 73);
    }

    #[test]
    fn plugins_write_no_rules() {
        for (vendor, product) in [
            ("1a79\", RUN+=\"x", "7410"),
            ("1a79", "*\n"),
            ("1a79", "74100"),
            ("", "7410"),
            ("*", "*"),
        ] {
            assert_eq!(rule("hid", vendor, product), None);
        }
        let text = rules(&[known("hid", "1a79", "7410", "A\nRUN+=\"x\"\\")]);
        assert!(text.contains("\n# ARUN+=\"x\"\nSUBSYSTEM=="), "{text}");
    }
}
