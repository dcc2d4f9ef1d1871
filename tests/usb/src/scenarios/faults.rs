//! Meters and links that misbehave, and are read in whole all the same.

use glucopipe_usb_lane::{Program, User};

use super::verio::Way;
use super::{DUMP, Scenario, assert_clean, assert_part, assert_whole, plug, scenario};

pub(super) fn all() -> Vec<Scenario> {
    let contour = [
        (
            "corrupted frames are asked for again",
            "checksum:2+prefix:4+duplicate:5+garbage:6+empty-report:7+ack-lost:9",
        ),
        ("a meter that falls silent is asked again", "stall:5"),
    ];
    let contour = contour.map(|(name, fault)| {
        scenario(format!("contour-next-usb: {name}"), move || {
            recovers("contour-next-usb", fault, None);
        })
    });
    let verio = [
        ("a stalled endpoint is recovered", "stall:9"),
        (
            "corrupted and refused replies are asked for again",
            "crc:7+residue:9+check:11+status:13+refuse:15",
        ),
    ];
    let verio = verio.into_iter().flat_map(|(name, fault)| {
        [Way::Generic, Way::BulkOnly].map(|way| {
            let name = format!("verio-flex: {name}, over {}", way.name());
            scenario(name, move || recovers("verio-flex", fault, Some(way)))
        })
    });
    let hopeless = [
        ("contour-next-usb", "checksum-forever:8", None),
        ("verio-flex", "crc-forever:14", Some(Way::BulkOnly)),
    ];
    let hopeless = hopeless.map(|(model, fault, way)| {
        let name = format!("{model}: a record that stays damaged makes the dump incomplete");
        scenario(name, move || stays_damaged(model, fault, way))
    });
    contour.into_iter().chain(verio).chain(hopeless).collect()
}

fn recovers(model: &str, fault: &str, way: Option<Way>) {
    let uri = format!("{model}?records=12&fault={fault}");
    let plug = plug(&uri, way);
    assert_whole(&uri, &Program::of(User::Person).run(DUMP));
    assert_clean(&plug.unplug());
}

fn stays_damaged(model: &str, fault: &str, way: Option<Way>) {
    let uri = format!("{model}?records=12&fault={fault}");
    let plug = plug(&uri, way);
    assert_part(&uri, &Program::of(User::Person).run(DUMP));
    assert_clean(&plug.unplug());
}
