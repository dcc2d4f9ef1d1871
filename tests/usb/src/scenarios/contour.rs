//! The Contour family over hidraw.

use glucopipe_emulator::{LinkKind, ModelEntry, catalog};
use glucopipe_usb_lane::truth::{assert_same, dumped, expected};
use glucopipe_usb_lane::{Plug, Program, User};

use super::{Scenario, assert_clean, scenario};

/// Enough for every mark and kind that the emulator knows.
const RECORDS: u32 = 60;

pub(super) fn all() -> Vec<Scenario> {
    let models = catalog().iter().filter(|model| model.link == LinkKind::Hid);
    models
        .map(|model| {
            let name = format!("{}: the dump over hidraw is the meter's memory", model.key);
            scenario(name, || dump(model))
        })
        .collect()
}

fn dump(model: &ModelEntry) {
    let uri = format!("{}?records={RECORDS}", model.key);
    let plug = Plug::meter(&uri);
    let nodes = plug.nodes();
    nodes.give(User::Person, &[nodes.hidraw()]);
    let program = Program::of(User::Person);
    let finished = program.run(&["dump", "--format", "jsonl"]);
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    assert_same(&uri, &dumped(&finished.stdout), &expected(&uri));
    assert_clean(&plug.unplug());
}
