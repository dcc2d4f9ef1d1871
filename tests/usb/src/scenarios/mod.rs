//! What is tried. A scenario plugs its own meters in, runs the program, and panics when something is wrong;
//! afterwards nothing is plugged in.

mod access;
mod bystanders;
mod change;
mod contour;
mod cut;
mod faults;
mod together;
mod verio;

use std::panic::UnwindSafe;

use glucopipe_emulator::Audit;
use glucopipe_tests::Finished;
use glucopipe_usb_lane::truth::{assert_same, dumped, expected};
use glucopipe_usb_lane::{Plug, User};
use verio::Way;

/// One scenario.
pub(crate) struct Scenario {
    /// What it shows.
    pub(crate) name: String,
    /// Does it.
    pub(crate) run: Box<dyn FnOnce() + UnwindSafe>,
}

/// Every scenario, in the order in which they run.
pub(crate) fn all() -> Vec<Scenario> {
    [
        contour::all(),
        verio::all(),
        access::all(),
        bystanders::all(),
        faults::all(),
        cut::all(),
        together::all(),
        change::all(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn scenario(name: impl Into<String>, run: impl FnOnce() + UnwindSafe + 'static) -> Scenario {
    Scenario {
        name: name.into(),
        run: Box::new(run),
    }
}

/// Plugs a meter in, open to a person by one way: a disk by the named one, another by its HID node.
fn plug(uri: &str, way: Option<Way>) -> Plug {
    let plug = Plug::meter(uri);
    give(&plug, way);
    plug
}

/// Opens that way once more, where the kernel has made its nodes anew.
fn give(plug: &Plug, way: Option<Way>) {
    let nodes = plug.nodes();
    let open = way.map_or_else(|| nodes.hidraw(), |way| way.node(&nodes));
    nodes.give(User::Person, &[open]);
}

/// Prints the readings of the one meter that can be opened, and says by which way.
const DUMP: &[&str] = &["dump", "--format", "jsonl", "-v"];

/// The dump is the whole memory of the meter.
fn assert_whole(uri: &str, finished: &Finished) {
    assert_eq!(finished.code, 0, "{uri}: {}", finished.stderr);
    assert_same(uri, &dumped(&finished.stdout), &expected(uri));
}

/// The dump says that it is incomplete, and holds readings of the meter and no others.
fn assert_part(uri: &str, finished: &Finished) {
    let (code, said) = (finished.code, &finished.stderr);
    assert!(
        code == 1 && said.contains("GP0302"),
        "{uri}: {code}: {said}"
    );
    let (got, all) = (dumped(&finished.stdout), expected(uri));
    assert!(
        !got.is_empty() && got.len() < all.len(),
        "{uri}: {} readings",
        got.len()
    );
    assert!(
        got.iter().all(|reading| all.contains(reading)),
        "{uri}: {got:#?}"
    );
}

/// The meter has nothing to object to, and no session is left open.
fn assert_clean(audit: &Audit) {
    assert_eq!(audit.complaints(), [""; 0]);
}
