//! One reading, in types that leave no room for a wrong unit or a missing field.

use chrono::NaiveDateTime;

/// Glucose in milligrams per decilitre.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct MgPerDl(f64);

/// Glucose or ketone in millimoles per litre.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct MmolPerL(f64);

/// A plain amount: units of insulin, grams of carbohydrate.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Amount(f64);

macro_rules! quantity {
    ($name:ident to $limit:literal) => {
        impl $name {
            /// The quantity, unless it is negative, not finite or implausibly large.
            pub fn new(value: f64) -> Option<Self> {
                (0.0..=$limit).contains(&value).then_some(Self(value))
            }

            /// The number.
            pub fn get(self) -> f64 {
                self.0
            }
        }
    };
}
quantity!(MgPerDl to 2000.0);
quantity!(MmolPerL to 111.0);
quantity!(Amount to 100_000.0);

/// A concentration with its unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Concentration {
    /// In mg/dL.
    MgPerDl(MgPerDl),
    /// In mmol/L.
    MmolPerL(MmolPerL),
}

/// A value inside the measuring range, or the limit it lies beyond.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ranged<T> {
    /// Measured.
    In(T),
    /// Below this limit (`LO`).
    Below(T),
    /// Above this limit (`HI`).
    Above(T),
}

/// What unit carbohydrates are counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CarbUnit {
    /// Grams.
    Grams,
    /// Points of a diet plan.
    Points,
    /// Choices of a diet plan.
    Choices,
    /// The meter does not say.
    Unknown,
}

/// What was measured or noted, with its unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Measurement {
    /// Blood glucose from a finger-stick.
    Glucose(Ranged<Concentration>),
    /// A test with control solution: not blood.
    Control(Ranged<Concentration>),
    /// Blood ketone.
    Ketone(Ranged<MmolPerL>),
    /// An insulin dose in units.
    Insulin(Amount),
    /// Carbohydrates eaten.
    Carbs(Amount, CarbUnit),
}

/// The columns that a [`Measurement`] decides together.
pub(crate) struct Cells {
    pub(crate) kind: &'static str,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    pub(crate) range: &'static str,
    pub(crate) limit: Option<f64>,
}

impl Measurement {
    pub(crate) fn cells(self) -> Cells {
        let cells = |kind, unit, ranged| {
            let (value, range, limit) = match ranged {
                Ranged::In(value) => (value, "in", None),
                Ranged::Below(limit) => (limit, "below", Some(limit)),
                Ranged::Above(limit) => (limit, "above", Some(limit)),
            };
            Cells {
                kind,
                value,
                unit,
                range,
                limit,
            }
        };
        let concentration = |kind, ranged: Ranged<Concentration>| {
            let split = |concentration| match concentration {
                Concentration::MgPerDl(value) => (value.get(), "mg/dL"),
                Concentration::MmolPerL(value) => (value.get(), "mmol/L"),
            };
            let (ranged, unit) = match ranged {
                Ranged::In(value) => (Ranged::In(split(value).0), split(value).1),
                Ranged::Below(limit) => (Ranged::Below(split(limit).0), split(limit).1),
                Ranged::Above(limit) => (Ranged::Above(split(limit).0), split(limit).1),
            };
            cells(kind, unit, ranged)
        };
        match self {
            Self::Glucose(ranged) => concentration("glucose", ranged),
            Self::Control(ranged) => concentration("control", ranged),
            Self::Ketone(ranged) => {
                let ranged = match ranged {
                    Ranged::In(value) => Ranged::In(Concentration::MmolPerL(value)),
                    Ranged::Below(limit) => Ranged::Below(Concentration::MmolPerL(limit)),
                    Ranged::Above(limit) => Ranged::Above(Concentration::MmolPerL(limit)),
                };
                concentration("ketone", ranged)
            }
            Self::Insulin(units) => cells("insulin", "[iU]", Ranged::In(units.get())),
            Self::Carbs(amount, unit) => {
                let unit = match unit {
                    CarbUnit::Grams => "g",
                    CarbUnit::Points => "{points}",
                    CarbUnit::Choices => "{choices}",
                    CarbUnit::Unknown => "{unknown}",
                };
                cells("carbs", unit, Ranged::In(amount.get()))
            }
        }
    }

    /// Which results share one sequence of keys: a control test can be told from a glucose test by its
    /// flag alone, so both are one group.
    fn key_group(self) -> &'static str {
        match self {
            Self::Glucose(_) | Self::Control(_) => "glucose",
            Self::Ketone(_) => "ketone",
            Self::Insulin(_) => "insulin",
            Self::Carbs(..) => "carbs",
        }
    }
}

/// When in relation to a meal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meal {
    /// Before it.
    Before,
    /// After it.
    After,
    /// Fasting.
    Fasting,
}

impl Meal {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
            Self::Fasting => "fasting",
        }
    }
}

/// What the meter's number refers to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reference {
    /// Plasma.
    Plasma,
    /// Whole blood.
    WholeBlood,
    /// Capillary blood.
    Capillary,
    /// Deproteinised whole blood.
    Deproteinised,
}

impl Reference {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Plasma => "plasma",
            Self::WholeBlood => "whole_blood",
            Self::Capillary => "capillary",
            Self::Deproteinised => "deproteinised",
        }
    }
}

/// What makes a record the same record at the next read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// The meter numbers its records for life; the raw time guards against a counter that wraps.
    Counter(u64),
    /// The meter has no counter: raw time, raw value and unit, and an occurrence number that the
    /// batch builder adds.
    Observed,
}

/// One stored result of a meter.
///
/// Made by [`Reading::new`] with everything that is required; the rest is optional and public.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    local_time: NaiveDateTime,
    measurement: Measurement,
    raw_time: String,
    raw_value: String,
    raw_unit: String,
    identity: Identity,
    /// In relation to a meal.
    pub meal: Option<Meal>,
    /// What the number refers to; `None` when the meter does not say.
    pub reference: Option<Reference>,
    /// Decoded markers in human words.
    pub notes: Vec<String>,
    /// The meter's own marker text or flag bytes, verbatim.
    pub markers: Option<String>,
    /// The frame as it came.
    pub raw: Option<Vec<u8>>,
    /// Words for the run report: `outside_declared_range`.
    pub annotations: Vec<String>,
}

/// The verbatim texts of a record.
#[derive(Clone, Copy, Debug)]
pub struct Verbatim<'a> {
    /// Time as the meter sent it: `202605301805`.
    pub time: &'a str,
    /// Value as the meter sent it: `601`.
    pub value: &'a str,
    /// Unit of that value as UCUM: `mg/dL`.
    pub unit: &'a str,
}

impl Reading {
    /// A reading with all that is required: when by the meter's clock, what, the texts as sent, and
    /// what makes it the same record at the next read.
    pub fn new(
        local_time: NaiveDateTime,
        measurement: Measurement,
        verbatim: Verbatim<'_>,
        identity: Identity,
    ) -> Self {
        Self {
            local_time,
            measurement,
            raw_time: verbatim.time.to_owned(),
            raw_value: verbatim.value.to_owned(),
            raw_unit: verbatim.unit.to_owned(),
            identity,
            meal: None,
            reference: None,
            notes: Vec::new(),
            markers: None,
            raw: None,
            annotations: Vec::new(),
        }
    }

    /// When, by the meter's clock.
    pub fn local_time(&self) -> NaiveDateTime {
        self.local_time
    }

    /// What was measured.
    pub fn measurement(&self) -> Measurement {
        self.measurement
    }

    /// Value as the meter sent it.
    pub fn raw_value(&self) -> &str {
        &self.raw_value
    }

    /// Unit as the meter sent it.
    pub fn raw_unit(&self) -> &str {
        &self.raw_unit
    }

    /// The record key without an occurrence number: fields joined by `|`, with `|` and `\` in a field
    /// escaped by `\`.
    ///
    /// Never part of it: UTC, zone, converted values, markers (users edit them later), position.
    pub(crate) fn key_base(&self) -> String {
        let control = if matches!(self.measurement, Measurement::Control(_)) {
            "control"
        } else {
            ""
        };
        let group = self.measurement.key_group();
        match self.identity {
            Identity::Counter(counter) => join_key(&[group, &counter.to_string(), &self.raw_time]),
            Identity::Observed => join_key(&[
                group,
                &self.raw_time,
                &self.raw_value,
                &self.raw_unit,
                control,
            ]),
        }
    }

    pub(crate) fn needs_occurrence(&self) -> bool {
        self.identity == Identity::Observed
    }
}

fn join_key(fields: &[&str]) -> String {
    let mut key = String::with_capacity(48);
    for (index, field) in fields.iter().enumerate() {
        if index > 0 {
            key.push('|');
        }
        for character in field.chars() {
            if matches!(character, '|' | '\\') {
                key.push('\\');
            }
            key.push(character);
        }
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at() -> NaiveDateTime {
        "2026-05-30T18:05:00".parse().unwrap()
    }

    fn glucose(value: f64) -> Measurement {
        Measurement::Glucose(Ranged::In(Concentration::MgPerDl(
            MgPerDl::new(value).unwrap(),
        )))
    }

    #[test]
    fn refuses_numbers_that_are_no_quantity() {
        for bad in [f64::NAN, f64::INFINITY, -1.0, 2001.0] {
            assert!(MgPerDl::new(bad).is_none());
        }
        assert!(MmolPerL::new(111.1).is_none());
    }

    #[test]
    fn a_value_beyond_the_range_is_the_limit() {
        let limit = Concentration::MgPerDl(MgPerDl::new(600.0).unwrap());
        let cells = Measurement::Glucose(Ranged::Above(limit)).cells();
        assert_eq!(
            (cells.value, cells.range, cells.limit),
            (600.0, "above", Some(600.0))
        );
        assert_eq!((cells.kind, cells.unit), ("glucose", "mg/dL"));
    }

    #[test]
    fn keys_are_frozen() {
        let verbatim = Verbatim {
            time: "202605301805",
            value: "93",
            unit: "mg/dL",
        };
        let reading = Reading::new(at(), glucose(93.0), verbatim, Identity::Observed);
        assert_eq!(reading.key_base(), "glucose|202605301805|93|mg/dL|");
        let reading = Reading::new(at(), glucose(93.0), verbatim, Identity::Counter(210));
        assert_eq!(reading.key_base(), "glucose|210|202605301805");
        let odd = Verbatim {
            value: "9|3\\",
            ..verbatim
        };
        let control = Measurement::Control(Ranged::In(Concentration::MgPerDl(MgPerDl(93.0))));
        let reading = Reading::new(at(), control, odd, Identity::Observed);
        assert_eq!(
            reading.key_base(),
            "glucose|202605301805|9\\|3\\\\|mg/dL|control"
        );
    }
}
