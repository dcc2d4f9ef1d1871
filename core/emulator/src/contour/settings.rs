//! Info lists and unit settings in the headers (contour.md sections 5.1 and 5.2).

use super::header::InfoValue::{self, Fixed, Limits, Unit};

/// What the header says about unit and range, and what a reader must conclude.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UnitSetting {
    /// Value of the key `U`.
    pub(crate) code: &'static str,
    /// Value of the key `V`; `None` leaves the key out.
    pub(crate) limits: Option<&'static str>,
    /// Lower limit in mg/dL or in tenths of mmol/L.
    pub(crate) low: u32,
    /// Upper limit in mg/dL or in tenths of mmol/L.
    pub(crate) high: u32,
}

const fn setting(
    code: &'static str,
    limits: Option<&'static str>,
    low: u32,
    high: u32,
) -> UnitSetting {
    UnitSetting {
        code,
        limits,
        low,
        high,
    }
}

const X_8: InfoValue = Fixed("065065068072170125145240");
const X_10: InfoValue = Fixed("065065068072170125145240072125");
const X_4: InfoValue = Fixed("068072170125");
const Y_8: InfoValue = Fixed("350120085095055100290090");
const Y_4: InfoValue = Fixed("115060240095");
const LANGUAGES: InfoValue = Fixed(r"de,en\de\fr\it\es\pt\nl\sv\da\no\fi\el\cs\hu\pl");

/// Info list of the Contour USB.
pub(crate) const INFO_7390: &[(&str, InfoValue)] = &[
    ("A", Fixed("1")),
    ("C", Fixed("62")),
    ("G", Fixed("2")),
    ("I", Fixed("0230")),
    ("R", Fixed("0")),
    ("S", Fixed("1")),
    ("U", Unit),
    ("V", Limits),
    ("X", X_8),
    ("Y", Y_8),
    ("Z", Fixed("2")),
];
/// Info list of the Next Links.
pub(crate) const INFO_LINK: &[(&str, InfoValue)] = &[
    ("A", Fixed("1")),
    ("C", Fixed("41")),
    ("G", Fixed(r"en,en\es")),
    ("I", Fixed("0200")),
    ("R", Fixed("0")),
    ("S", Fixed("0")),
    ("U", Unit),
    ("V", Limits),
    ("X", X_8),
    ("Y", Y_8),
    ("Z", Fixed("1")),
];
/// Info list of the Contour Next.
pub(crate) const INFO_7350: &[(&str, InfoValue)] = &[
    ("A", Fixed("1")),
    ("C", Fixed("00")),
    ("G", LANGUAGES),
    ("I", Fixed("0200")),
    ("R", Fixed("0")),
    ("S", Fixed("01")),
    ("U", Unit),
    ("V", Limits),
    ("X", X_10),
    ("Y", Y_4),
    ("Z", Fixed("1")),
];
/// Info list of the Next USB.
pub(crate) const INFO_7410: &[(&str, InfoValue)] = &[
    ("A", Fixed("1")),
    ("C", Fixed("03")),
    ("G", LANGUAGES),
    ("I", Fixed("0130")),
    ("R", Fixed("0")),
    ("S", Fixed("1")),
    ("U", Unit),
    ("V", Limits),
    ("X", X_10),
    ("Y", Y_8),
    ("Z", Fixed("0")),
];
/// Info list of the Next One and its successors.
pub(crate) const INFO_ONE: &[(&str, InfoValue)] = &[
    ("A", Fixed("1")),
    ("C", Fixed("6")),
    ("R", Fixed("0")),
    ("S", Fixed("1")),
    ("U", Unit),
    ("V", Limits),
    ("X", X_4),
    ("a", Fixed("1")),
    ("J", Fixed("0")),
];

/// mg/dL limits whatever the unit, from 10.
pub(crate) const UNITS_USB: [UnitSetting; 2] = [
    setting("0", Some("10600"), 10, 600),
    setting("1", Some("10600"), 6, 333),
];
/// No limits in the header: the defaults 20 and 600 mg/dL hold.
pub(crate) const UNITS_NO_LIMITS: [UnitSetting; 2] =
    [setting("0", None, 20, 600), setting("1", None, 11, 333)];
/// Limits in the display unit.
pub(crate) const UNITS_LINK_MMOL: [UnitSetting; 2] = [
    setting("0", Some("20600"), 20, 600),
    setting("1", Some("06333"), 6, 333),
];
/// mg/dL limits whatever the unit, from 20.
pub(crate) const UNITS_NEXT: [UnitSetting; 2] = [
    setting("0", Some("20600"), 20, 600),
    setting("1", Some("20600"), 11, 333),
];
/// As before, with three-digit unit codes.
pub(crate) const UNITS_NEXT_USB: [UnitSetting; 2] = [
    setting("303", Some("20600"), 20, 600),
    setting("311", Some("20600"), 11, 333),
];
/// Limits in the display unit, from 10.
pub(crate) const UNITS_ONE: [UnitSetting; 2] = [
    setting("0", Some("10600"), 10, 600),
    setting("1", Some("06333"), 6, 333),
];
