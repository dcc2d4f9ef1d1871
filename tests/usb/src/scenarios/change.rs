//! What changes a meter: its clock, and its memory.

use glucopipe_usb_lane::{Program, User};

use super::verio::Way;
use super::{DUMP, Scenario, assert_clean, assert_whole, give, plug, scenario};

/// What the meter shows at first.
const SHOWN: &str = "2026-06-01T08:00:00";
/// What it is set to. A Contour takes a full minute only, and that is soon.
const SET: &str = "2026-05-30T18:04:50";
/// What it shows from then on, however slow everything is.
const SHOWN_THEN: &str = "2026-05-30T18:0";
/// As far as a clock set to the computer's may be from it.
const SECONDS_OFF: i64 = 10;

pub(super) fn all() -> Vec<Scenario> {
    let clocks = [
        ("contour-next-usb", None),
        ("verio-flex", Some(Way::Generic)),
        ("verio-flex", Some(Way::BulkOnly)),
    ];
    let clocks = clocks.map(|(model, way)| {
        let over = way.map_or("hidraw", Way::name);
        let name = format!("{model}: the clock is shown, set and read back over {over}");
        scenario(name, move || clock(model, way))
    });
    let now = scenario("verio-flex: the clock is set to that of the computer", now);
    let erased = [Way::Generic, Way::BulkOnly].map(|way| {
        let name = format!("verio-flex: the memory is erased over {}", way.name());
        scenario(name, move || erased(way))
    });
    let kept = scenario("contour-next-usb: the memory is not erased", kept);
    let clocks = clocks.into_iter().chain([now]);
    clocks.chain(erased).chain([kept]).collect()
}

fn clock(model: &str, way: Option<Way>) {
    let uri = format!("{model}?records=6&clock={SHOWN}");
    let plug = plug(&uri, way);
    let program = Program::of(User::Person);
    let shown = program.json(&["clock", "--json"]);
    let clock = shown["clock"].as_str().unwrap_or_default();
    assert!(clock.starts_with("2026-06-01T08:0"), "{shown}");
    give(&plug, way);
    let refused = program.run(&["clock", "set", SET]);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert_eq!(plug.audit().clock_settings, []);
    give(&plug, way);
    let set = program.json(&["clock", "set", SET, "--yes", "--json"]);
    give(&plug, way);
    let shown = program.json(&["clock", "--json"]);
    for clock in [&set["after"]["clock"], &shown["clock"]] {
        let clock = clock.as_str().unwrap_or_default();
        assert!(clock.starts_with(SHOWN_THEN), "{clock}: {set}");
    }
    let audit = plug.unplug();
    assert_clean(&audit);
    assert!(!audit.clock_settings.is_empty());
}

fn now() {
    let plug = plug(
        &format!("verio-flex?records=6&clock={SHOWN}"),
        Some(Way::Block),
    );
    let program = Program::of(User::Person);
    let set = program.json(&["clock", "set", "--yes", "--json"]);
    let off = set["after"]["clock_offset_s"].as_i64();
    assert!(off.is_some_and(|off| off.abs() <= SECONDS_OFF), "{set}");
    assert_clean(&plug.unplug());
}

fn erased(way: Way) {
    let uri = "verio-flex?records=14";
    let plug = plug(uri, Some(way));
    let program = Program::of(User::Person);
    let other = program.run(&["erase", "--serial", "OTHER1", "--yes"]);
    assert_ne!(other.code, 0);
    assert_eq!(plug.audit().erasures, 0);
    give(&plug, Some(way));
    let arguments = ["erase", "--serial", "ZBCDF3G6", "--yes", "--json"];
    let erased = program.json(&arguments);
    assert_eq!(
        (&erased["erased"], &erased["left"]),
        (&14.into(), &0.into())
    );
    give(&plug, Some(way));
    let finished = program.run(DUMP);
    assert_eq!((finished.code, finished.stdout.as_str()), (0, ""));
    let audit = plug.unplug();
    assert_clean(&audit);
    assert_eq!(audit.erasures, 1);
}

/// No command that erases a Contour is known, and none is guessed.
fn kept() {
    let uri = "contour-next-usb?records=14&serial=7654321";
    let plug = plug(uri, None);
    let program = Program::of(User::Person);
    let device = format!("path:{}", plug.nodes().hidraw());
    let arguments = [
        "erase",
        "--device",
        &device,
        "--serial",
        "7413-7654321",
        "--yes",
    ];
    let finished = program.run(&arguments);
    assert_eq!(finished.code, 7, "{}", finished.stderr);
    assert!(
        finished.stderr.contains("nothing was changed"),
        "{}",
        finished.stderr
    );
    assert_whole(uri, &program.run(DUMP));
    assert_clean(&plug.unplug());
}
