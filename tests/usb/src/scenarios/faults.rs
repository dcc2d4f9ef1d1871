//! Meters and links that misbehave, and are read in whole all the same.

use glucopipe_usb_lane::{Program, User};

use super::verio::Way;
use super::{DUMP, Scenario, assert_clean, assert_part, assert_whole, plug, scenario};

pub(super) fn all() -> Vec<Scenario> {
    let contour = [
        (
            "corrupted frames are asked for again",
            "fault=checksum:2+prefix:4+duplicate:5+garbage:6+empty-report:7+ack-lost:9",
        ),
        ("a meter that falls silent is asked again", "fault=stall:5"),
        (
            "a session that another program left is ended first",
            "state=frame",
        ),
    ];
    let contour = contour.map(|(name, key)| {
        scenario(format!("contour-next-usb: {name}"), move || {
            recovers("contour-next-usb", key, None);
        })
    });
    let verio = [
        ("a stalled endpoint is recovered", "fault=stall:9"),
        (
            "corrupted and refused replies are asked for again",
            "fault=crc:7+residue:9+check:11+status:13+refuse:15",
        ),
    ];
    let verio = verio.into_iter().flat_map(|(name, key)| {
        [Way::Generic, Way::BulkOnly].map(|way| {
            let name = format!("verio-flex: {name}, over {}", way.name());
            scenario(name, move || recovers("verio-flex", key, Some(way)))
        })
    });
    let hopeless = [
        ("contour-next-usb", "fault=checksum-forever:8", None),
        ("verio-flex", "fault=crc-forever:14", Some(Way::BulkOnly)),
    ];
    let hopeless = hopeless.map(|(model, key, way)| {
        let name = format!("{model}: a record that stays damaged makes the dump incomplete");
        scenario(name, move || stays_damaged(model, key, way))
    });
    contour.into_iter().chain(verio).chain(hopeless).collect()
}

fn recovers(model: &str, key: &str, way: Option<Way>) {
    let uri = format!("{model}?records=12&{key}");
    let plug = plug(&uri, way);
    assert_whole(&uri, &Program::of(User::Person).run(DUMP));
    assert_clean(&plug.unplug());
}

fn stays_damaged(model: &str, key: &str, way: Option<Way>) {
    let uri = format!("{model}?records=12&{key}");
    let plug = plug(&uri, way);
    assert_part(&uri, &Program::of(User::Person).run(DUMP));
    assert_clean(&plug.unplug());
}
