//! The listing of virtual meters and of the keys that shape them.

use std::sync::LazyLock;

use crate::contour::model::MODELS;
use crate::meter::UsbIds;

/// One virtual meter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelEntry {
    /// Name in a `virtual:` selector.
    pub key: &'static str,
    /// Name on the box.
    pub name: &'static str,
    /// Ids of the USB descriptor.
    pub usb: UsbIds,
    /// Product code in the header.
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
        LazyLock::new(|| MODELS.iter().map(|model| model.entry).collect());
    &LIST
}

/// Lists the query keys.
pub fn keys() -> &'static [KeyEntry] {
    const LIST: &[KeyEntry] = &[
        key("records", "300", "number of stored results, 0 to 10000"),
        key(
            "unit",
            "mg/dL",
            "unit of the results: mg/dL or mmol/L (Next Link mmol: mmol/L)",
        ),
        key(
            "seed",
            "1",
            "whole number that decides values, times and passwords",
        ),
        key("serial", "", "the bare serial number, letters and digits"),
        key(
            "end",
            "2026-05-30T18:05:00",
            "local time of the newest result",
        ),
        key("days", "240", "days the results are spread over, 1 to 3650"),
        key(
            "clock",
            "",
            "local time the meter shows (seven minutes after the newest result)",
        ),
        key(
            "pace_ms",
            "0",
            "real milliseconds the link lets pass per report",
        ),
        key(
            "state",
            "idle",
            "what the meter is found in: idle, frame, command or enq",
        ),
        key(
            "align",
            "none",
            "header fills whole reports: none, first or second transmission",
        ),
        key("fault", "", "NAME[:argument], several joined by +"),
    ];
    LIST
}

const fn key(name: &'static str, default: &'static str, meaning: &'static str) -> KeyEntry {
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
        assert_eq!(catalog().len(), expected.len());
        for (entry, (key, product, code)) in catalog().iter().zip(expected) {
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
}
