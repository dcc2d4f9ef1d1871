//! The Contour family over hidraw.

use glucopipe_emulator::{LinkKind, catalog};
use glucopipe_usb_lane::{Program, User};

use super::{DUMP, Scenario, assert_clean, assert_whole, plug, scenario};

/// Enough for every mark and kind that the emulator knows.
const RECORDS: u32 = 60;

pub(super) fn all() -> Vec<Scenario> {
    let models = catalog().iter().filter(|model| model.link == LinkKind::Hid);
    let dumps = models.map(|model| {
        let name = format!("{}: the dump over hidraw is the meter's memory", model.key);
        scenario(name, || dump(model.key, RECORDS))
    });
    let whole = scenario("contour-next-usb: 2000 results in one run", || {
        dump("contour-next-usb", 2_000);
    });
    let info = scenario("contour-next-usb: info tells what the meter tells", info);
    dumps.chain([whole, info]).collect()
}

fn dump(model: &str, records: u32) {
    let uri = format!("{model}?records={records}");
    let plug = plug(&uri, None);
    let finished = Program::of(User::Person).run(DUMP);
    assert_whole(&uri, &finished);
    assert_clean(&plug.unplug());
}

fn info() {
    let uri = "contour-next-usb?records=7&clock=2026-06-01T08:00:00&serial=7654321";
    let plug = plug(uri, None);
    let info = Program::of(User::Person).json(&["info", "--json"]);
    assert_eq!(info["model"], "Contour Next USB");
    assert_eq!(info["serial"], "7413-7654321");
    assert_eq!(info["record_count"], 7);
    assert_eq!(info["unit"], "mg/dL");
    let clock = info["clock"].as_str().unwrap_or_default();
    assert!(clock.starts_with("2026-06-01T08:00"), "{clock}");
    let device = info["device"].as_str().unwrap_or_default();
    assert!(device.contains(plug.nodes().hidraw()), "{device}");
    assert_clean(&plug.unplug());
}
