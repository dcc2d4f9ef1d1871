//! Measuring limits, from the header's `V` entry or the family's usual ones.
//!
//! `V` is two digits LO and three digits HI. Its unit follows from the size of HI alone: `10600`
//! was captured on Contour USB meters in both display units, so the display unit says nothing.

use super::decimal::Decimal;
use super::text;

/// A unit of glucose concentration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GlucoseUnit {
    /// Milligrams per decilitre.
    MgPerDl,
    /// Millimoles per litre.
    MmolPerL,
}

impl GlucoseUnit {
    /// Recognises a unit in any case.
    pub fn parse(text: &[u8]) -> Option<Self> {
        [Self::MgPerDl, Self::MmolPerL]
            .into_iter()
            .find(|unit| text.eq_ignore_ascii_case(unit.ucum().as_bytes()))
    }

    /// Returns the unit in UCUM.
    pub const fn ucum(self) -> &'static str {
        match self {
            Self::MgPerDl => "mg/dL",
            Self::MmolPerL => "mmol/L",
        }
    }

    /// Returns the largest value that is believed (2000 mg/dL, 111 mmol/L).
    pub const fn plausible_max(self) -> Decimal {
        match self {
            Self::MgPerDl => Decimal::new(2000, 0),
            Self::MmolPerL => Decimal::new(111, 0),
        }
    }
}

/// Who says what the limits are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitSource {
    /// The header of this meter.
    Device,
    /// The usual limits of the family: 20 to 600 mg/dL, 1.1 to 33.3 mmol/L.
    Default,
}

impl LimitSource {
    /// Returns the word for reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Default => "default",
        }
    }
}

/// The lowest and the highest value a meter measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Unit of both.
    pub unit: GlucoseUnit,
    /// Below it the meter shows LO.
    pub low: Decimal,
    /// Above it the meter shows HI.
    pub high: Decimal,
    /// Where they come from.
    pub source: LimitSource,
}

/// mg/dL in one mmol/L, 18.01559, as a quotient.
const PER_MMOL: (u32, u32) = (1_801_559, 100_000);

/// From this HI upwards a `V` entry is in mg/dL, below in tenths of mmol/L.
const MG_PER_DL_FROM: u32 = 500;

impl Limits {
    /// Returns the usual limits of the family.
    pub const fn default_for(unit: GlucoseUnit) -> Self {
        let (low, high) = match unit {
            GlucoseUnit::MgPerDl => (Decimal::new(20, 0), Decimal::new(600, 0)),
            GlucoseUnit::MmolPerL => (Decimal::new(11, 1), Decimal::new(333, 1)),
        };
        Self {
            unit,
            low,
            high,
            source: LimitSource::Default,
        }
    }

    /// Reads a `V` entry; the usual limits when it is missing or makes no sense.
    pub fn from_entry(entry: Option<&[u8]>) -> Self {
        entry
            .and_then(Self::parse)
            .unwrap_or(Self::default_for(GlucoseUnit::MgPerDl))
    }

    /// Returns these limits in `unit`, rounded half up to what a meter shows in it.
    #[must_use]
    pub fn in_unit(self, unit: GlucoseUnit) -> Self {
        let convert = |limit: Decimal| match (self.unit, unit) {
            (GlucoseUnit::MgPerDl, GlucoseUnit::MmolPerL) => {
                limit.converted(PER_MMOL.1, PER_MMOL.0, 1)
            }
            (GlucoseUnit::MmolPerL, GlucoseUnit::MgPerDl) => {
                limit.converted(PER_MMOL.0, PER_MMOL.1, 0)
            }
            _ => limit,
        };
        Self {
            unit,
            low: convert(self.low),
            high: convert(self.high),
            source: self.source,
        }
    }

    fn parse(entry: &[u8]) -> Option<Self> {
        let (low, high) = entry.split_at_checked(2)?;
        if high.len() != 3 {
            return None;
        }
        let (low, high) = (text::number(low)?, text::number(high)?);
        let (unit, scale) = match high {
            MG_PER_DL_FROM.. => (GlucoseUnit::MgPerDl, 0),
            _ => (GlucoseUnit::MmolPerL, 1),
        };
        let limits = Self {
            unit,
            low: Decimal::new(low, scale),
            high: Decimal::new(high, scale),
            source: LimitSource::Device,
        };
        (low < high).then_some(limits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(entry: &str) -> (String, String, GlucoseUnit, LimitSource) {
        let limits = Limits::from_entry(Some(entry.as_bytes()));
        (
            limits.low.to_string(),
            limits.high.to_string(),
            limits.unit,
            limits.source,
        )
    }

    #[test]
    fn large_upper_limit_means_mg_per_dl() {
        let (low, high, unit, source) = limits("10600");
        assert_eq!((&*low, &*high), ("10", "600"));
        assert_eq!((unit, source), (GlucoseUnit::MgPerDl, LimitSource::Device));
        assert_eq!(limits("20600").0, "20");
    }

    #[test]
    fn small_upper_limit_means_tenths_of_mmol_per_l() {
        let (low, high, unit, source) = limits("06333");
        assert_eq!((&*low, &*high), ("0.6", "33.3"));
        assert_eq!((unit, source), (GlucoseUnit::MmolPerL, LimitSource::Device));
    }

    #[test]
    fn missing_or_senseless_limits_are_the_default() {
        let default = Limits::default_for(GlucoseUnit::MgPerDl);
        assert_eq!(Limits::from_entry(None), default);
        for bad in [
            "", "2", "2060", "206000", "ab600", "20-00", "00000", "99099",
        ] {
            assert_eq!(Limits::from_entry(Some(bad.as_bytes())), default, "{bad}");
        }
    }

    #[test]
    fn limits_of_the_other_unit_are_converted_and_stay_the_meters_own() {
        let converted = |entry: Option<&str>, unit| {
            let limits = Limits::from_entry(entry.map(str::as_bytes)).in_unit(unit);
            let Limits { low, high, .. } = limits;
            assert_eq!(limits.unit, unit);
            (low.to_string(), high.to_string(), limits.source)
        };
        let mmol = |entry| converted(entry, GlucoseUnit::MmolPerL);
        let is = |low: &str, high: &str, source| (low.to_owned(), high.to_owned(), source);
        assert_eq!(mmol(Some("10600")), is("0.6", "33.3", LimitSource::Device));
        assert_eq!(mmol(Some("20600")), is("1.1", "33.3", LimitSource::Device));
        assert_eq!(mmol(Some("06333")), is("0.6", "33.3", LimitSource::Device));
        assert_eq!(mmol(None), is("1.1", "33.3", LimitSource::Default));
        let mg = converted(Some("06333"), GlucoseUnit::MgPerDl);
        assert_eq!(mg, is("11", "600", LimitSource::Device));
    }
}
