//! The listing of virtual meters and of the keys that shape them.

use std::sync::LazyLock;

use crate::family::{self, Family, FamilyKind};
use crate::meter::{LinkKind, UsbIds};

/// One virtual meter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelEntry {
    /// Name in a `virtual:` selector.
    pub key: &'static str,
    /// Name on the box.
    pub name: &'static str,
    /// Ids of the USB descriptor.
    pub usb: UsbIds,
    /// What it is plugged into.
    pub link: LinkKind,
    /// Product code in the header; 0 for models without a header.
    pub product_code: u16,
    /// What sets the model apart from the others.
    pub about: &'static str,
}

/// One query key or fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyEntry {
    /// Name.
    pub name: &'static str,
    /// Value when it is not given; empty when there is none.
    pub default: &'static str,
    /// What it does.
    pub meaning: &'static str,
}

/// Lists every virtual meter.
pub fn catalog() -> &'static [ModelEntry] {
    static LIST: LazyLock<Vec<ModelEntry>> =
        LazyLock::new(|| family::all().map(|family| *family.entry()).collect());
    &LIST
}

/// Lists the query keys of all models; not every model has each of them.
pub fn keys() -> &'static [KeyEntry] {
    static LIST: LazyLock<Vec<KeyEntry>> =
        LazyLock::new(|| KEYS.iter().map(|(_, entry)| *entry).collect());
    &LIST
}

/// Lists the query keys of one model; none when there is no such model.
pub fn keys_of(model: &str) -> Vec<KeyEntry> {
    let kind = Family::find(model).map(Family::kind);
    entries_of(KEYS, kind).collect()
}

/// The entries that a family has.
pub(crate) fn entries_of(
    list: &'static [(&'static [FamilyKind], KeyEntry)],
    kind: Option<FamilyKind>,
) -> impl Iterator<Item = KeyEntry> {
    list.iter()
        .filter(move |(kinds, _)| kind.is_some_and(|kind| kinds.contains(&kind)))
        .map(|(_, entry)| *entry)
}

/// Every family.
const ALL: &[FamilyKind] = &[FamilyKind::Contour, FamilyKind::Verio, FamilyKind::Stick];
/// Families of meters.
pub(crate) const METERS: &[FamilyKind] = &[FamilyKind::Contour, FamilyKind::Verio];
/// Contour only.
pub(crate) const CONTOUR: &[FamilyKind] = &[FamilyKind::Contour];
/// Verio only.
pub(crate) const VERIO: &[FamilyKind] = &[FamilyKind::Verio];
/// Memory stick only.
const STICK: &[FamilyKind] = &[FamilyKind::Stick];

const KEYS: &[(&[FamilyKind], KeyEntry)] = &[
    (
        METERS,
        key("records", "300", "number of stored results, 0 to 10000"),
    ),
    (
        METERS,
        key(
            "unit",
            "mg/dL",
            "unit of the results (Verio family: of the display): mg/dL or mmol/L (Next Link mmol: mmol/L)",
        ),
    ),
    (
        METERS,
        key(
            "seed",
            "1",
            "whole number that decides values, times and passwords",
        ),
    ),
    (
        ALL,
        key("serial", "", "the bare serial number, letters and digits"),
    ),
    (
        METERS,
        key(
            "end",
            "2026-05-30T18:05:00",
            "local time of the newest result",
        ),
    ),
    (
        METERS,
        key("days", "240", "days the results are spread over, 1 to 3650"),
    ),
    (
        METERS,
        key(
            "clock",
            "",
            "local time the meter shows (seven minutes after the newest result)",
        ),
    ),
    (
        ALL,
        key(
            "pace_ms",
            "0",
            "real milliseconds the link lets pass per report or SCSI command",
        ),
    ),
    (
        CONTOUR,
        key(
            "state",
            "idle",
            "what the meter is found in: idle, frame, command or enq",
        ),
    ),
    (
        CONTOUR,
        key(
            "align",
            "none",
            "header fills whole reports: none, first or second transmission",
        ),
    ),
    (
        VERIO,
        key(
            "counter",
            "201",
            "lifetime counter of the oldest result, 0 to 65535",
        ),
    ),
    (
        STICK,
        key(
            "looks",
            "stick",
            "what of it looks like a meter: stick (nothing), inquiry, boot, ids (USB), or ids-inquiry",
        ),
    ),
    (
        METERS,
        key("fault", "", "NAME[:argument], several joined by +"),
    ),
];

pub(crate) const fn key(
    name: &'static str,
    default: &'static str,
    meaning: &'static str,
) -> KeyEntry {
    KeyEntry {
        name,
        default,
        meaning,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_the_nine_models_under_vendor_1a79() {
        let expected = [
            ("contour-usb", 0x6002, 7390),
            ("contour-next-link", 0x6200, 6200),
            ("contour-next-link-24", 0x6210, 6210),
            ("contour-next-link-mmol", 0x6300, 6300),
            ("contour-next", 0x7350, 7350),
            ("contour-next-usb", 0x7410, 7410),
            ("contour-next-one", 0x7800, 7800),
            ("contour-next-2021", 0x7900, 7900),
            ("contour-plus-blue", 0x7950, 7950),
        ];
        let hid = catalog().iter().filter(|entry| entry.link == LinkKind::Hid);
        assert_eq!(hid.clone().count(), expected.len());
        for (entry, (key, product, code)) in hid.zip(expected) {
            assert_eq!((entry.key, entry.product_code), (key, code));
            assert_eq!(
                entry.usb,
                UsbIds {
                    vendor: 0x1A79,
                    product
                }
            );
        }
    }

    #[test]
    fn lists_the_six_models_under_vendor_2766_and_a_stick() {
        let scsi = catalog()
            .iter()
            .filter(|entry| entry.link == LinkKind::Scsi);
        let listed: Vec<(&str, String)> = scsi
            .map(|entry| (entry.key, entry.usb.to_string()))
            .collect();
        let expected = [
            ("verio", "2766:0000"),
            ("verio-flex", "2766:0004"),
            ("verio-reflect", "2766:000c"),
            ("ultra-plus-flex", "2766:000e"),
            ("select-plus", "2766:1000"),
            ("select-plus-flex", "2766:1004"),
            ("usb-stick", "058f:6387"),
        ];
        assert_eq!(listed, expected.map(|(key, usb)| (key, usb.to_owned())));
    }

    #[test]
    fn lists_keys_by_model() {
        let names = |model| -> Vec<&str> { keys_of(model).iter().map(|key| key.name).collect() };
        assert_eq!(names("usb-stick"), ["serial", "pace_ms", "looks"]);
        assert!(names("contour-usb").contains(&"align") && !names("verio").contains(&"align"));
        assert!(names("verio").contains(&"counter") && !names("contour-usb").contains(&"counter"));
        assert_eq!(names("none"), [""; 0]);
        assert_eq!(keys().len(), 13);
    }
}
