//! What a correct reader must report for each stored result.

use crate::civil::LocalTime;

/// Kind of a stored result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Finger-stick glucose.
    Glucose,
    /// Control-solution test.
    Control,
    /// Insulin dose.
    Insulin,
    /// Carbohydrates.
    Carbs,
}

impl Kind {
    /// The word used in data columns.
    pub fn word(self) -> &'static str {
        match self {
            Self::Glucose => "glucose",
            Self::Control => "control",
            Self::Insulin => "insulin",
            Self::Carbs => "carbs",
        }
    }

    /// The test name on the wire.
    pub(crate) fn test(self) -> &'static str {
        match self {
            Self::Glucose | Self::Control => "Glucose",
            Self::Insulin => "Insulin",
            Self::Carbs => "Carb",
        }
    }
}

/// Position relative to the measuring range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// A number was measured.
    In,
    /// LO.
    Below,
    /// HI.
    Above,
}

impl Range {
    /// The word used in data columns.
    pub fn word(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Below => "below",
            Self::Above => "above",
        }
    }
}

/// Meal mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meal {
    /// Before a meal.
    Before,
    /// After a meal.
    After,
    /// Fasting.
    Fasting,
}

impl Meal {
    /// The word used in data columns.
    pub fn word(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
            Self::Fasting => "fasting",
        }
    }
}

/// Type of an insulin dose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InsulinType {
    /// Not stated.
    Unknown,
    /// Fast-acting.
    Fast,
    /// Long-acting.
    Long,
    /// A mixture.
    Mixed,
}

impl InsulinType {
    /// The word used in data columns.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Fast => "fast",
            Self::Long => "long",
            Self::Mixed => "mixed",
        }
    }
}

/// One stored result as a correct reader must report it.
#[derive(Clone, Debug, PartialEq)]
pub struct Truth {
    /// Position in the download, from 1.
    pub position: u32,
    /// Time on the meter's clock; second 00 on minute clocks.
    pub local_time: LocalTime,
    /// Kind.
    pub kind: Kind,
    /// Value to report: the limit for HI and LO, insulin in units.
    pub value: f64,
    /// Unit to report: `mg/dL`, `mmol/L`, `g`, `points`, `choices`, `[iU]` or empty (not stated).
    pub unit: &'static str,
    /// Position relative to the measuring range.
    pub range: Range,
    /// The limit, for HI and LO, in the unit of the value.
    pub range_limit: Option<f64>,
    /// Meal mark; `None` without one.
    pub meal: Option<Meal>,
    /// Minutes after the meal, when marked.
    pub minutes_after_meal: Option<u16>,
    /// `plasma`, or `None` where the record states no reference method.
    pub reference: Option<&'static str>,
    /// Insulin type, for insulin.
    pub insulin_type: Option<InsulinType>,
    /// The value exactly as sent; the decimal of a number sent in binary.
    pub raw_value: String,
    /// The unit field exactly as sent, reference component included; `mg/dL` for the Verio
    /// family, which sends none.
    pub raw_unit: String,
    /// The marker field exactly as sent; for the Verio family the meal byte as two hexadecimal
    /// digits, empty when it is zero.
    pub markers: String,
    /// The time field exactly as sent; the decimal of a number sent in binary.
    pub raw_time: String,
    /// The meter's lifetime counter of this result, for the Verio family.
    pub counter: Option<u16>,
    /// The record as sent: its text (Contour), or the 16 bytes behind the status in lower-case
    /// hexadecimal digits (Verio).
    pub sent: String,
}

impl Truth {
    /// The record text on the wire.
    pub(crate) fn text(&self) -> String {
        let Self {
            position,
            raw_value,
            raw_unit,
            markers,
            raw_time,
            ..
        } = self;
        let test = self.kind.test();
        format!("R|{position}|^^^{test}|{raw_value}|{raw_unit}||{markers}||{raw_time}")
    }
}

/// A record that cannot be a reading and must be kept raw with a reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAside {
    /// Position in the download, from 1.
    pub position: u32,
    /// The record as sent: its text (Contour), or the 16 bytes behind the status in lower-case
    /// hexadecimal digits (Verio).
    pub text: String,
    /// What is wrong with it.
    pub reason: &'static str,
}
