//! How the models of the family differ (contour.md sections 1, 4.1 and 5).
//!
//! Where the reference has no fact for a model, its closest relative was taken; versions,
//! serials and target ranges are invented.

use super::header::InfoValue;
use super::settings::{
    INFO_7350, INFO_7390, INFO_7410, INFO_LINK, INFO_ONE, UNITS_LINK_MMOL, UNITS_NEXT,
    UNITS_NEXT_USB, UNITS_NO_LIMITS, UNITS_ONE, UNITS_USB, UnitSetting,
};
use crate::catalog::ModelEntry;
use crate::frame::{ACK, EOT, WAKE_X};
use crate::meter::{LinkKind, UsbIds};
use crate::scenario::Unit as ValueUnit;
use crate::usb::Shape;

/// Vendor id of the whole family.
const VENDOR: u16 = 0x1A79;

/// The two marker tokens of unknown meaning that newer models add.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tail {
    /// No such tokens.
    Absent,
    /// `M0/T1`.
    MT,
    /// `T0/M0`.
    TM,
}

/// One model.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Model {
    /// Public listing.
    pub(crate) entry: ModelEntry,
    /// Word in front of the product code.
    pub(crate) prefix: &'static str,
    /// Version component.
    pub(crate) versions: &'static str,
    /// Regional part in front of the bare serial.
    pub(crate) region: &'static str,
    /// SKU component; `None` leaves it out.
    pub(crate) sku: Option<&'static str>,
    /// Part in front of the bare serial in the Next Link's extra component.
    pub(crate) extra: Option<&'static str>,
    /// Bare serial unless the scenario names one.
    pub(crate) serial: &'static str,
    /// Info list.
    pub(crate) info: &'static [(&'static str, InfoValue)],
    /// Unit settings for mg/dL and mmol/L.
    pub(crate) units: [UnitSetting; 2],
    /// Unit unless the scenario names one.
    pub(crate) unit: ValueUnit,
    /// The header clock has seconds.
    pub(crate) header_seconds: bool,
    /// Result times have seconds.
    pub(crate) result_seconds: bool,
    /// One more separator after the header clock.
    pub(crate) trailing_field: bool,
    /// ENQ comes in its own report, later.
    pub(crate) enquiry_apart: bool,
    /// Bytes that wake the idle meter.
    pub(crate) wakes: &'static [u8],
    /// The session ends when the terminator is acknowledged, without EOT.
    pub(crate) ends_silently: bool,
    /// Marker tokens of unknown meaning.
    pub(crate) tail: Tail,
    /// Has the fasting mark.
    pub(crate) fasting: bool,
    /// Stores carbohydrates and insulin.
    pub(crate) logbook: bool,
    /// The numeric serial is in the USB descriptor.
    pub(crate) usb_serial: bool,
    /// Interfaces; a disk beside HID holds the vendor's software.
    pub(crate) shape: Shape,
}

impl Model {
    /// Unit and range settings for one unit.
    pub(crate) fn setting(&self, unit: ValueUnit) -> UnitSetting {
        let [mg, mmol] = self.units;
        match unit {
            ValueUnit::MgPerDl => mg,
            ValueUnit::MmolPerL => mmol,
        }
    }
}

const fn entry(
    key: &'static str,
    name: &'static str,
    product: u16,
    product_code: u16,
    about: &'static str,
) -> ModelEntry {
    ModelEntry {
        key,
        name,
        usb: UsbIds {
            vendor: VENDOR,
            product,
        },
        link: LinkKind::Hid,
        product_code,
        about,
    }
}

const LINK: Model = Model {
    entry: entry(
        "contour-next-link",
        "Contour Next Link",
        0x6200,
        6200,
        "no limits in the header, blank in the serial, enquiry in its own report",
    ),
    prefix: "Bayer",
    versions: r"01.20\01.12\XX.XX",
    region: "6201- ",
    sku: Some("0000-"),
    extra: Some(""),
    serial: "C12345",
    info: INFO_LINK,
    units: UNITS_NO_LIMITS,
    unit: ValueUnit::MgPerDl,
    header_seconds: false,
    result_seconds: false,
    trailing_field: false,
    enquiry_apart: true,
    wakes: &[WAKE_X],
    ends_silently: false,
    tail: Tail::Absent,
    fasting: false,
    logbook: false,
    usb_serial: false,
    shape: Shape::Hid,
};

const ONE: Model = Model {
    entry: entry(
        "contour-next-one",
        "Contour Next One",
        0x7800,
        7800,
        "seconds in every time, no SKU, one more header field, session ends at the terminator",
    ),
    prefix: "Contour",
    versions: r"01.15\02.01\20.30",
    region: "7801-",
    sku: None,
    extra: None,
    serial: "1234567",
    info: INFO_ONE,
    units: UNITS_ONE,
    unit: ValueUnit::MgPerDl,
    header_seconds: true,
    result_seconds: true,
    trailing_field: true,
    enquiry_apart: false,
    wakes: &[ACK],
    ends_silently: true,
    tail: Tail::TM,
    fasting: true,
    logbook: false,
    usb_serial: false,
    shape: Shape::Hid,
};

/// Every model, in the order of the catalogue.
pub(crate) const MODELS: &[Model] = &[
    Model {
        entry: entry(
            "contour-usb",
            "Contour USB",
            0x6002,
            7390,
            "product 7390, minute clock, woken by EOT",
        ),
        versions: r"01.22\01.03\09.01.18",
        region: "7390-",
        sku: Some("7393-"),
        extra: None,
        serial: "1234567",
        info: INFO_7390,
        units: UNITS_USB,
        enquiry_apart: false,
        wakes: &[EOT],
        usb_serial: true,
        shape: Shape::HidAndDisk,
        ..LINK
    },
    LINK,
    Model {
        entry: entry(
            "contour-next-link-24",
            "Contour Next Link 2.4",
            0x6210,
            6210,
            "as the Next Link, with seconds and limits",
        ),
        versions: r"01.10\01.06\XX.XX",
        region: "6213-",
        extra: Some("1"),
        serial: "1234567",
        units: UNITS_NEXT,
        header_seconds: true,
        result_seconds: true,
        wakes: &[ACK, WAKE_X],
        tail: Tail::MT,
        fasting: true,
        ..LINK
    },
    Model {
        entry: entry(
            "contour-next-link-mmol",
            "Contour Next Link (mmol/L)",
            0x6300,
            6300,
            "mmol/L market, letters in the serial",
        ),
        region: "6301-",
        serial: "1C2ABCD",
        units: UNITS_LINK_MMOL,
        unit: ValueUnit::MmolPerL,
        ..LINK
    },
    Model {
        entry: entry(
            "contour-next",
            "Contour Next",
            0x7350,
            7350,
            "long language list, two-part last version, woken by ACK",
        ),
        versions: r"01.12\01.02\04.16",
        region: "7358-",
        sku: Some("0000-"),
        extra: None,
        serial: "1234567",
        info: INFO_7350,
        units: UNITS_NEXT,
        enquiry_apart: false,
        wakes: &[ACK],
        tail: Tail::MT,
        fasting: true,
        ..LINK
    },
    Model {
        entry: entry(
            "contour-next-usb",
            "Contour Next USB",
            0x7410,
            7410,
            "carbohydrates and insulin, seconds in the header clock only",
        ),
        versions: r"01.20\01.05\21.04",
        region: "7413-",
        sku: Some("7414-"),
        extra: None,
        serial: "1234567",
        info: INFO_7410,
        units: UNITS_NEXT_USB,
        header_seconds: true,
        enquiry_apart: false,
        wakes: &[WAKE_X, ACK],
        tail: Tail::MT,
        fasting: true,
        logbook: true,
        shape: Shape::DiskAndHid,
        ..LINK
    },
    ONE,
    Model {
        entry: entry(
            "contour-next-2021",
            "Contour Next (2021)",
            0x7900,
            7900,
            "as the Next One, ends by EOT",
        ),
        versions: r"01.04\02.03\30.11",
        region: "7901-",
        trailing_field: false,
        ends_silently: false,
        ..ONE
    },
    Model {
        entry: entry(
            "contour-plus-blue",
            "Contour Plus Blue",
            0x7950,
            7950,
            "as the Next One, letter instead of a dash in the serial",
        ),
        versions: r"01.02\02.02\31.05",
        region: "7951H",
        serial: "5001234",
        trailing_field: false,
        ends_silently: false,
        wakes: &[WAKE_X, ACK],
        ..ONE
    },
];
