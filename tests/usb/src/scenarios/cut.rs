//! Reads that are cut off: by the plug, and by Ctrl-C.

use glucopipe_emulator::Audit;
use glucopipe_tests::Finished;
use glucopipe_usb_lane::{Program, User};

use super::verio::Way;
use super::{DUMP, Scenario, assert_clean, assert_part, assert_whole, give, plug, scenario};

/// Enough to be in the middle of.
const RECORDS: u32 = 150;

/// What the program says of an unplugged meter.
const GONE: [&str; 2] = ["disconnected", "connection to the meter broke"];

/// The meters, and how to them.
const METERS: [(&str, Option<Way>); 3] = [
    ("contour-next-usb", None),
    ("verio-flex", Some(Way::Generic)),
    ("verio-flex", Some(Way::BulkOnly)),
];

pub(super) fn all() -> Vec<Scenario> {
    let named = |what: &str, run: fn(&str, Option<Way>)| {
        METERS.map(|(model, way)| {
            let over = way.map_or("hidraw", Way::name);
            scenario(format!("{model}: {what}, over {over}"), move || {
                run(model, way);
            })
        })
    };
    let unplugged = named("unplugged mid-read, then read in whole", unplugged);
    let early = named("unplugged before the first reading", early);
    let stopped = named("Ctrl-C mid-read leaves the meter in order", stopped);
    [unplugged, early, stopped].into_iter().flatten().collect()
}

/// It says that the meter left.
fn assert_gone(finished: &Finished) {
    let said = &finished.stderr;
    assert!(GONE.iter().any(|words| said.contains(words)), "{said}");
}

/// Some records have gone over, and more are left.
fn is_under_way(audit: &Audit) -> bool {
    audit.acks > 20 || audit.requests > 20
}

fn unplugged(model: &str, way: Option<Way>) {
    let uri = format!("{model}?records={RECORDS}");
    let first = plug(&uri, way);
    let program = Program::of(User::Person);
    let running = program.start(DUMP);
    first.wait_until("records", is_under_way);
    let audit = first.unplug();
    let finished = running.finish();
    assert_part(&uri, &finished);
    assert_gone(&finished);
    assert_eq!(audit.violations, [""; 0]);
    let again = plug(&uri, way);
    assert_whole(&uri, &program.run(DUMP));
    assert_clean(&again.unplug());
}

fn early(model: &str, way: Option<Way>) {
    let uri = format!(
        "{model}?records={RECORDS}&fault=unplug:{}",
        u8::from(way.is_some())
    );
    let plug = plug(&uri, way);
    let finished = Program::of(User::Person).run(DUMP);
    assert_eq!(finished.code, 7, "{}", finished.stderr);
    assert_eq!(finished.stdout, "");
    assert!(finished.stderr.contains("error[GP0"), "{}", finished.stderr);
    assert_gone(&finished);
    assert_eq!(plug.unplug().violations, [""; 0]);
}

fn stopped(model: &str, way: Option<Way>) {
    let uri = format!("{model}?records={RECORDS}");
    let plug = plug(&uri, way);
    let program = Program::of(User::Person);
    let running = program.start(DUMP);
    plug.wait_until("records", is_under_way);
    running.interrupt();
    let finished = running.finish();
    assert_eq!(finished.code, 130, "{}", finished.stderr);
    assert_clean(&plug.audit());
    // The node is the same, or what the kernel made anew.
    give(&plug, way);
    assert_whole(&uri, &program.run(DUMP));
    assert_clean(&plug.unplug());
}
