//! The families of virtual meters.

use crate::catalog::ModelEntry;
use crate::contour;
use crate::scenario::Unit;
use crate::verio;
use crate::verio::stick;

/// A model together with its family.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Family {
    /// Ascensia/Bayer Contour.
    Contour(&'static contour::model::Model),
    /// LifeScan OneTouch Verio.
    Verio(&'static verio::model::Model),
    /// No meter.
    Stick,
}

/// A family without its model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FamilyKind {
    /// Ascensia/Bayer Contour.
    Contour,
    /// LifeScan OneTouch Verio.
    Verio,
    /// No meter.
    Stick,
}

impl Family {
    /// Finds a model by its name in a selector.
    pub(crate) fn find(key: &str) -> Option<Self> {
        all().find(|family| family.entry().key == key)
    }

    /// The family alone.
    pub(crate) fn kind(self) -> FamilyKind {
        match self {
            Self::Contour(_) => FamilyKind::Contour,
            Self::Verio(_) => FamilyKind::Verio,
            Self::Stick => FamilyKind::Stick,
        }
    }

    /// Public listing.
    pub(crate) fn entry(self) -> &'static ModelEntry {
        match self {
            Self::Contour(model) => &model.entry,
            Self::Verio(model) => &model.entry,
            Self::Stick => &stick::ENTRY,
        }
    }

    /// Serial unless the scenario names one.
    pub(crate) fn serial(self) -> &'static str {
        match self {
            Self::Contour(model) => model.serial,
            Self::Verio(model) => model.serial,
            Self::Stick => stick::SERIAL,
        }
    }

    /// Unit unless the scenario names one.
    pub(crate) fn unit(self) -> Unit {
        match self {
            Self::Contour(model) => model.unit,
            Self::Verio(_) | Self::Stick => Unit::MgPerDl,
        }
    }

    /// Results stored unless the scenario names a number.
    pub(crate) fn records(self) -> u32 {
        match self {
            Self::Contour(_) | Self::Verio(_) => 300,
            Self::Stick => 0,
        }
    }

    /// Result times have seconds.
    pub(crate) fn result_seconds(self) -> bool {
        match self {
            Self::Contour(model) => model.result_seconds,
            Self::Verio(_) | Self::Stick => true,
        }
    }
}

/// Every model, in the order of the catalogue.
pub(crate) fn all() -> impl Iterator<Item = Family> {
    let contour = contour::model::MODELS.iter().map(Family::Contour);
    let verio = verio::model::MODELS.iter().map(Family::Verio);
    contour.chain(verio).chain([Family::Stick])
}
