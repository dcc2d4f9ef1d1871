//! The `R` record: one result of a meter (LIS2-A; captured on the Contour USB and Next meters).
//!
//! The unit is the record's own and the range is left only by a `<` or `>` token; neither a header
//! flag nor the size of a number decides. Raw texts stay beside what was made of them.

use super::decimal::Decimal;
use super::limits::{GlucoseUnit, LimitSource, Limits};
use super::local_time::LocalTime;
use super::markers::{Markers, OutOfRange};
use super::record::{Decoder, OddReason};
use super::text::{self, latin1};

/// Positions of the fields of a result, from 0.
pub(super) mod field {
    pub(in super::super) const NUMBER: usize = 1;
    pub(in super::super) const TEST: usize = 2;
    pub(in super::super) const VALUE: usize = 3;
    pub(in super::super) const UNIT: usize = 4;
    pub(in super::super) const MARKERS: usize = 6;
    pub(in super::super) const TIME: usize = 8;
}

/// Component of the test field with the name of the test.
pub(super) const TEST_COMPONENT: usize = 3;

/// What was measured or noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Blood glucose.
    Glucose,
    /// A test of the meter with control solution.
    Control,
    /// Insulin, entered by hand.
    Insulin,
    /// Carbohydrates, entered by hand.
    Carbs,
}

impl Kind {
    /// Returns the word of the reading schema.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Glucose => "glucose",
            Self::Control => "control",
            Self::Insulin => "insulin",
            Self::Carbs => "carbs",
        }
    }

    /// Returns the word for the group of kinds, in which glucose and control are one.
    pub const fn group(self) -> &'static str {
        match self {
            Self::Glucose | Self::Control => "glucose",
            Self::Insulin => "insulin",
            Self::Carbs => "carbs",
        }
    }
}

/// Unit of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    /// Concentration of glucose.
    Glucose(GlucoseUnit),
    /// Units of insulin.
    InsulinUnits,
    /// Grams of carbohydrates, code 1.
    Grams,
    /// Points, code 2.
    Points,
    /// Choices, code 3.
    Choices,
    /// Carbohydrates the meter gives no unit for: code 0 and unknown codes.
    Unknown,
}

impl Unit {
    /// Returns the unit in UCUM; annotations where there is none.
    pub const fn ucum(self) -> &'static str {
        match self {
            Self::Glucose(unit) => unit.ucum(),
            Self::InsulinUnits => "[iU]",
            Self::Grams => "g",
            Self::Points => "{points}",
            Self::Choices => "{choices}",
            Self::Unknown => "{unknown}",
        }
    }
}

/// What a glucose value refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reference {
    /// `P` (captured).
    Plasma,
    /// `B`.
    WholeBlood,
    /// `C`.
    Capillary,
    /// `D`.
    Deproteinised,
}

impl Reference {
    /// Returns the word of the reading schema.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plasma => "plasma",
            Self::WholeBlood => "whole_blood",
            Self::Capillary => "capillary",
            Self::Deproteinised => "deproteinised",
        }
    }

    fn parse(code: &[u8]) -> Option<Self> {
        match code {
            b"P" => Some(Self::Plasma),
            b"B" => Some(Self::WholeBlood),
            b"C" => Some(Self::Capillary),
            b"D" => Some(Self::Deproteinised),
            _ => None,
        }
    }
}

/// Where a value lies relative to the measuring range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// Measured.
    In,
    /// LO: the value is the lower limit.
    Below(LimitSource),
    /// HI: the value is the upper limit.
    Above(LimitSource),
}

impl Range {
    /// Returns the word of the reading schema.
    pub const fn name(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Below(_) => "below",
            Self::Above(_) => "above",
        }
    }
}

/// Things to know about a result that do not change it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// The value lies outside the limits the meter declared in this unit, and no token says so.
    pub outside_declared_range: bool,
    /// The raw value is larger than a meter can measure (2000 mg/dL, 111 mmol/L).
    pub implausible: bool,
    /// The record holds bytes that are not printable ASCII.
    pub suspect: bool,
    /// Markers contradict each other.
    pub marker_conflict: bool,
}

/// One result, decoded and raw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResultRecord {
    /// Position in this download. Not stable between downloads.
    pub number: Option<u32>,
    /// What it is.
    pub kind: Kind,
    /// The value in `unit`; the limit itself where `range` is not [`Range::In`].
    pub value: Decimal,
    /// The value as sent. Insulin is sent in tenths: `65` is 6.5 units.
    pub raw_value: String,
    /// The unit of `value`.
    pub unit: Unit,
    /// The unit component as sent; a type or unit code for insulin and carbohydrates.
    pub raw_unit: String,
    /// Whether the value left the measuring range.
    pub range: Range,
    /// What a glucose value refers to, where the meter says so in a known letter.
    pub reference: Option<Reference>,
    /// The reference component as sent.
    pub raw_reference: String,
    /// The markers, decoded and raw.
    pub markers: Markers,
    /// The meter's local time.
    pub time: LocalTime,
    /// The time as sent.
    pub raw_time: String,
    /// Annotations.
    pub flags: Flags,
    /// The record.
    pub raw: Vec<u8>,
}

impl ResultRecord {
    pub(super) fn parse(record: &[u8], decoder: &Decoder) -> Result<Self, OddReason> {
        let Decoder { delimiters, limits } = decoder;
        let fields: Vec<&[u8]> = record.split(|byte| *byte == delimiters.field).collect();
        let field = |at: usize, name| fields.get(at).copied().ok_or(OddReason::Missing(name));
        let component = |field: &'_ [u8], at: usize| {
            let mut parts = field.split(|byte| *byte == delimiters.component);
            parts.nth(at).map(<[u8]>::to_vec).unwrap_or_default()
        };

        let test = component(field(field::TEST, "test")?, TEST_COMPONENT);
        let raw_value = field(field::VALUE, "value")?;
        let unit_field = field(field::UNIT, "unit")?;
        let unit_code = component(unit_field, 0);
        let reference = component(unit_field, 1);
        let mut markers = Markers::parse(field(field::MARKERS, "markers")?, delimiters.repeat);
        let raw_time = field(field::TIME, "time")?;

        let (kind, unit) = match test.as_slice() {
            b"Glucose" => {
                let unit = GlucoseUnit::parse(&unit_code).ok_or(OddReason::Unit)?;
                let kind = if markers.control {
                    Kind::Control
                } else {
                    Kind::Glucose
                };
                (kind, Unit::Glucose(unit))
            }
            b"Insulin" => {
                markers.context.insert(0, insulin_type(&unit_code));
                (Kind::Insulin, Unit::InsulinUnits)
            }
            b"Carb" => (Kind::Carbs, carbs_unit(&unit_code)),
            _ => return Err(OddReason::UnknownTest(latin1(&test))),
        };
        if kind.group() != Kind::Glucose.group() {
            markers.drop_glucose_tokens();
        }
        let sent = Decimal::parse(raw_value).ok_or(OddReason::Value)?;
        let mut flags = Flags {
            suspect: !text::is_plain(record),
            marker_conflict: markers.conflict,
            ..Flags::default()
        };
        let (value, range) = match unit {
            Unit::Glucose(unit) => {
                flags.implausible = sent > unit.plausible_max();
                place(sent, limits.in_unit(unit), markers.range, &mut flags)
            }
            Unit::InsulinUnits if sent.is_integer() => (sent.tenth(), Range::In),
            Unit::InsulinUnits => return Err(OddReason::Value),
            _ => (sent, Range::In),
        };
        Ok(Self {
            number: fields
                .get(field::NUMBER)
                .and_then(|number| text::number(number)),
            kind,
            value,
            raw_value: latin1(raw_value),
            unit,
            raw_unit: latin1(&unit_code),
            range,
            reference: Reference::parse(&reference).filter(|_| kind.group() == "glucose"),
            raw_reference: latin1(&reference),
            markers,
            time: LocalTime::parse(raw_time).ok_or(OddReason::Time)?,
            raw_time: latin1(raw_time),
            flags,
            raw: record.to_vec(),
        })
    }

    /// Returns the limit the value stands for, where it left the measuring range.
    pub fn range_limit(&self) -> Option<Decimal> {
        (self.range != Range::In).then_some(self.value)
    }

    /// Makes a glucose reading a control test, as an order with the same number demands.
    pub fn mark_control(&mut self) {
        if self.kind == Kind::Glucose {
            self.kind = Kind::Control;
        }
    }
}

/// Decides on the reported value: the limit itself where a token says the range was left.
fn place(
    sent: Decimal,
    limits: Limits,
    token: Option<OutOfRange>,
    flags: &mut Flags,
) -> (Decimal, Range) {
    match token {
        Some(OutOfRange::Below) => (limits.low, Range::Below(limits.source)),
        Some(OutOfRange::Above) => (limits.high, Range::Above(limits.source)),
        None => {
            let declared = limits.source == LimitSource::Device;
            flags.outside_declared_range = declared && (sent < limits.low || sent > limits.high);
            (sent, Range::In)
        }
    }
}

/// Codes of the unit field of an insulin record (known from other programs).
fn insulin_type(code: &[u8]) -> &'static str {
    match code {
        b"1" => "fast-acting insulin",
        b"2" => "long-acting insulin",
        b"3" => "mixed insulin",
        _ => "insulin of unknown type",
    }
}

/// Codes of the unit field of a carbohydrate record (known from other programs).
fn carbs_unit(code: &[u8]) -> Unit {
    match code {
        b"1" => Unit::Grams,
        b"2" => Unit::Points,
        b"3" => Unit::Choices,
        _ => Unit::Unknown,
    }
}

#[cfg(test)]
mod tests;
