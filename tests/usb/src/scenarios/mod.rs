//! What is tried. A scenario plugs its own meters in, runs the program, and panics when something is wrong;
//! afterwards nothing is plugged in.

mod contour;

use std::panic::UnwindSafe;

/// One scenario.
pub(crate) struct Scenario {
    /// What it shows.
    pub(crate) name: String,
    /// Does it.
    pub(crate) run: Box<dyn FnOnce() + UnwindSafe>,
}

/// Every scenario, in the order in which they run.
pub(crate) fn all() -> Vec<Scenario> {
    contour::all()
}

fn scenario(name: impl Into<String>, run: impl FnOnce() + UnwindSafe + 'static) -> Scenario {
    Scenario {
        name: name.into(),
        run: Box::new(run),
    }
}

/// Nothing to object to, and no session left open.
fn assert_clean(audit: &glucopipe_emulator::Audit) {
    assert_eq!(audit.complaints(), [""; 0]);
}
