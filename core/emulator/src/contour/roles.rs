//! What the stored results are made to show, so that every mark and kind occurs.

use super::model::Model;
use crate::schedule::{Slot, hand_out};

/// What a result is made to show.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Role {
    /// Glucose with these marks.
    Marked(&'static str),
    /// A control-solution test.
    Control,
    /// HI, with these marks.
    High(&'static str),
    /// LO, with these marks.
    Low(&'static str),
    /// Carbohydrates with this unit code.
    Carbs(char),
    /// Insulin with this type code.
    Insulin(char),
}

/// Roles in the order in which a short list gets them.
const FIRST_ROLES: &[Role] = &[Role::Marked("B"), Role::Marked("A")];
const LOGBOOK_ROLES: &[Role] = &[
    Role::Carbs('1'),
    Role::Insulin('1'),
    Role::Carbs('2'),
    Role::Insulin('2'),
    Role::Carbs('3'),
    Role::Insulin('3'),
    Role::Carbs('0'),
    Role::Insulin('0'),
];
const FASTING_ROLES: &[Role] = &[Role::Marked("F"), Role::Marked("F/S")];
const COMMON_ROLES: &[Role] = &[
    Role::High(""),
    Role::Control,
    Role::Low(""),
    Role::Marked("A/Z8"),
    Role::Marked("ZC"),
    Role::Marked("X"),
    Role::Marked("S"),
    Role::Marked("I"),
    Role::Marked("D"),
    Role::Marked("A/ZC"),
    Role::Marked("B/X"),
    Role::Marked("A/Z1"),
    Role::Control,
    Role::High("A"),
    Role::Low("B"),
    Role::Marked("Z1"),
    Role::Marked("Z2"),
    Role::Marked("Z3"),
    Role::Marked("Z4"),
    Role::Marked("Z5"),
    Role::Marked("Z6"),
    Role::Marked("Z7"),
    Role::Marked("Z8"),
    Role::Marked("Z9"),
    Role::Marked("ZA"),
    Role::Marked("ZB"),
    Role::Marked("A/Z4/X"),
    Role::Marked("B/I/S"),
];

/// Spreads the roles over the results that are not reserved for something else.
pub(crate) fn assign(model: &Model, slots: &[Slot]) -> Vec<Option<Role>> {
    let mut wanted = FIRST_ROLES.to_vec();
    if model.logbook {
        wanted.extend_from_slice(LOGBOOK_ROLES);
    }
    if model.fasting {
        wanted.extend_from_slice(FASTING_ROLES);
    }
    wanted.extend_from_slice(COMMON_ROLES);
    hand_out(&wanted, slots)
}
