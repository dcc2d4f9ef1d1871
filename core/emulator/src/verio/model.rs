//! How the models of the family differ (lifescan.md sections 2 and 3).
//!
//! Serials, versions, flags and the direction of the inverse record number are invented.

use crate::catalog::ModelEntry;
use crate::meter::{LinkKind, UsbIds};

/// Vendor id of the whole family.
const VENDOR: u16 = 0x2766;

/// One model.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Model {
    /// Public listing.
    pub(crate) entry: ModelEntry,
    /// Answer to QUERY model.
    pub(crate) text: &'static str,
    /// Answer to QUERY software version.
    pub(crate) software: &'static str,
    /// Serial unless the scenario names one.
    pub(crate) serial: &'static str,
    /// Meal marks can be set.
    pub(crate) meals: bool,
    /// The flags nobody has decoded.
    pub(crate) flags: u8,
    /// The inverse record number grows from the newest record to the oldest.
    pub(crate) inverse_grows: bool,
}

const fn entry(
    key: &'static str,
    name: &'static str,
    product: u16,
    about: &'static str,
) -> ModelEntry {
    ModelEntry {
        key,
        name,
        usb: UsbIds {
            vendor: VENDOR,
            product,
        },
        link: LinkKind::Scsi,
        product_code: 0,
        about,
    }
}

const VERIO: Model = Model {
    entry: entry(
        "verio",
        "OneTouch Verio",
        0x0000,
        "a disk with registers, no meal marks",
    ),
    text: "Verio",
    software: "01.05.00",
    serial: "BCDFG2H7",
    meals: false,
    flags: 0x00,
    inverse_grows: true,
};

/// Every model, in the order of the catalogue.
pub(crate) const MODELS: &[Model] = &[
    VERIO,
    Model {
        entry: entry(
            "verio-flex",
            "OneTouch Verio Flex",
            0x0004,
            "as the Verio, with other flags",
        ),
        text: "Verio Flex",
        software: "02.11.00",
        serial: "ZBCDF3G6",
        flags: 0x20,
        ..VERIO
    },
    Model {
        entry: entry(
            "verio-reflect",
            "OneTouch Verio Reflect",
            0x000C,
            "as the Verio, with other flags and falling inverse record numbers",
        ),
        text: "Verio Reflect",
        software: "01.01.04",
        serial: "RBCDF4K1",
        flags: 0x21,
        inverse_grows: false,
        ..VERIO
    },
    Model {
        entry: entry(
            "ultra-plus-flex",
            "OneTouch Ultra Plus Flex",
            0x000E,
            "as the Verio, with other flags",
        ),
        text: "Ultra Plus Flex",
        software: "01.00.02",
        serial: "UBCDF5L2",
        flags: 0x10,
        ..VERIO
    },
    Model {
        entry: entry(
            "select-plus",
            "OneTouch Select Plus",
            0x1000,
            "before-meal and after-meal marks",
        ),
        text: "Select Plus",
        software: "03.02.00",
        serial: "SBCDF6M3",
        meals: true,
        flags: 0x08,
        ..VERIO
    },
    Model {
        entry: entry(
            "select-plus-flex",
            "OneTouch Select Plus Flex",
            0x1004,
            "as the Select Plus, with falling inverse record numbers",
        ),
        text: "Select Plus Flex",
        software: "01.03.01",
        serial: "TBCDF7N4",
        meals: true,
        flags: 0x28,
        inverse_grows: false,
    },
];
