//! The one table of Contour meters: USB product id, product code, name, and how well each is known.
//!
//! The USB product id and the product code of the header differ on the Contour USB (captured: 6002
//! and 7390). Readings are attributed by the product code; the USB id only finds the meter.

use std::fmt;

use super::{Control, WAKE_UP};

/// USB vendor id of all meters of the family.
pub const VENDOR_ID: u16 = 0x1a79;

/// One row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Model {
    /// USB product id.
    pub product_id: u16,
    /// The four digits of the header's product name.
    pub product_code: &'static str,
    /// Name on the box.
    pub name: &'static str,
    /// How it is attached.
    pub link: Link,
    /// What is tried in turn to wake it.
    pub ladder: Ladder,
    /// How well it is known.
    pub evidence: Evidence,
}

/// What is tried in turn to wake a meter: four bytes, because each finds a meter in another state.
pub type Ladder = [u8; 4];

/// The order for a meter that is not in the table, and for those that X wakes (captured: X wakes the
/// Next Link; NAK ends an offer).
pub const LADDER: Ladder = [WAKE_UP, EOT, ACK, NAK];
/// The same for meters that EOT wakes (captured: the Contour USB).
const EOT_FIRST: Ladder = [EOT, WAKE_UP, ACK, NAK];
/// The same for meters that ACK wakes (other programs).
const ACK_FIRST: Ladder = [ACK, WAKE_UP, EOT, NAK];
/// The same, for meters that another program spares the EOT on the way to command mode.
const ACK_FIRST_EOT_LAST: Ladder = [ACK, WAKE_UP, NAK, EOT];
/// The same for one of those that X wakes as well.
const X_FIRST_EOT_LAST: Ladder = [WAKE_UP, ACK, NAK, EOT];

const EOT: u8 = Control::Eot.byte();
const ACK: u8 = Control::Ack.byte();
const NAK: u8 = Control::Nak.byte();

/// How a meter is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// USB HID, read by this driver.
    Hid,
    /// The vendor's serial cable: known by name only, not read by this driver.
    SerialCable,
}

/// How well a meter is known. No meter of the table has been read by this driver on real hardware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// Bytes of a whole dialogue or of its records were captured.
    Captured,
    /// Bytes of a part were captured: a header, or the opening of a dialogue.
    CapturedInPart,
    /// Other programs read it.
    OtherPrograms,
}

impl Evidence {
    /// Returns the words for listings.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Captured => "checked against captured bytes",
            Self::CapturedInPart => "partly checked against captured bytes",
            Self::OtherPrograms => "known from other programs",
        }
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}

const fn hid(
    product_id: u16,
    product_code: &'static str,
    name: &'static str,
    ladder: Ladder,
    evidence: Evidence,
) -> Model {
    Model {
        product_id,
        product_code,
        name,
        link: Link::Hid,
        ladder,
        evidence,
    }
}

const fn serial(product_code: &'static str, name: &'static str, evidence: Evidence) -> Model {
    Model {
        product_id: 0x6001,
        product_code,
        name,
        link: Link::SerialCable,
        ladder: LADDER,
        evidence,
    }
}

/// All known meters. The names of the serial meters are their product codes.
pub const MODELS: &[Model] = &[
    hid(0x6002, "7390", "Contour USB", EOT_FIRST, Evidence::Captured),
    hid(
        0x6200,
        "6200",
        "Contour Next Link",
        LADDER,
        Evidence::CapturedInPart,
    ),
    hid(
        0x6210,
        "6210",
        "Contour Next Link 2.4",
        ACK_FIRST,
        Evidence::OtherPrograms,
    ),
    hid(
        0x6300,
        "6300",
        "Contour Next Link (mmol/L)",
        LADDER,
        Evidence::OtherPrograms,
    ),
    hid(
        0x7350,
        "7350",
        "Contour Next",
        ACK_FIRST,
        Evidence::CapturedInPart,
    ),
    hid(
        0x7410,
        "7410",
        "Contour Next USB",
        LADDER,
        Evidence::Captured,
    ),
    hid(
        0x7800,
        "7800",
        "Contour Next One or Contour Plus One",
        ACK_FIRST_EOT_LAST,
        Evidence::Captured,
    ),
    hid(
        0x7900,
        "7900",
        "Contour Next (2021)",
        ACK_FIRST_EOT_LAST,
        Evidence::OtherPrograms,
    ),
    hid(
        0x7950,
        "7950",
        "Contour Plus Blue or Contour Care",
        X_FIRST_EOT_LAST,
        Evidence::OtherPrograms,
    ),
    serial("7150", "Contour 7150", Evidence::CapturedInPart),
    serial("7160", "Contour 7160", Evidence::OtherPrograms),
    serial("7220", "Contour 7220", Evidence::OtherPrograms),
    serial("7600", "Contour 7600", Evidence::OtherPrograms),
];

impl Model {
    /// Finds a meter by the product code of its header.
    pub fn by_product_code(code: &str) -> Option<&'static Self> {
        MODELS.iter().find(|model| model.product_code == code)
    }

    /// Finds a HID meter by its USB product id.
    pub fn by_product_id(product_id: u16) -> Option<&'static Self> {
        MODELS
            .iter()
            .find(|model| model.link == Link::Hid && model.product_id == product_id)
    }
}

/// Takes the product code out of a product name: the first four digits that stand together.
///
/// The letters before them changed from `Bayer` to `Contour` with the firmware and mean nothing.
pub fn product_code(product: &str) -> Option<&str> {
    product
        .split(|c: char| !c.is_ascii_digit())
        .find(|digits| digits.len() == 4)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn table_has_no_double_codes_and_ids() {
        let codes: BTreeSet<_> = MODELS.iter().map(|model| model.product_code).collect();
        assert_eq!(codes.len(), MODELS.len());
        let hid: Vec<_> = MODELS
            .iter()
            .filter(|model| model.link == Link::Hid)
            .collect();
        let ids: BTreeSet<_> = hid.iter().map(|model| model.product_id).collect();
        assert_eq!(ids.len(), hid.len());
    }

    #[test]
    fn usb_id_is_not_the_product_code() {
        assert_eq!(Model::by_product_id(0x6002).unwrap().product_code, "7390");
        assert_eq!(Model::by_product_id(0x7390), None);
        assert_eq!(Model::by_product_code("7390").unwrap().name, "Contour USB");
    }

    #[test]
    fn every_ladder_has_the_same_four_rungs() {
        let sorted = |mut ladder: Ladder| {
            ladder.sort_unstable();
            ladder
        };
        for model in MODELS {
            assert_eq!(sorted(model.ladder), sorted(LADDER), "{}", model.name);
        }
        let spared: Vec<_> = MODELS
            .iter()
            .filter(|model| model.ladder[3] == EOT)
            .map(|model| model.product_code)
            .collect();
        assert_eq!(spared, ["7800", "7900", "7950"]);
    }

    #[test]
    fn serial_cable_is_not_found_as_a_hid_meter() {
        assert_eq!(Model::by_product_id(0x6001), None);
        assert_eq!(
            Model::by_product_code("7150").unwrap().link,
            Link::SerialCable
        );
    }

    #[test]
    fn product_code_ignores_the_brand() {
        assert_eq!(product_code("Bayer7390"), Some("7390"));
        assert_eq!(product_code("Contour7390"), Some("7390"));
        assert_eq!(product_code("Contour"), None);
        assert_eq!(product_code("Contour73901"), None);
    }
}
