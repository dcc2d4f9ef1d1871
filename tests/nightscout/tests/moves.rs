//! Readings whose time or value changed since they were sent.

use glucopipe_tests_nightscout::{Fault, Site, TOKEN};
use serde_json::{Value, json};

use super::place::{Kind, Place, places};
use super::sticks::{Stick, many};

/// The zone of the pipeline was wrong, and is set right: every reading moves, none is doubled.
#[test]
fn a_change_of_zone_moves_what_is_there() {
    let before = many(6);
    let after: Vec<Stick> = before.iter().map(|stick| stick.moved(-7)).collect();
    for place in places() {
        let mut modes = vec![json!({}), json!({ "mode": "both" })];
        if place.site.is_some() {
            modes.push(json!({ "api_secret": null, "token": TOKEN, "api": 3 }));
            modes.push(json!({ "api_secret": null, "token": TOKEN, "api": 3, "mode": "both" }));
        }
        for keys in modes {
            place.clear(&before);
            assert_eq!(place.upload(&keys, &before).unwrap().delivered, 6);
            let report = place.upload(&keys, &after).unwrap();
            assert_eq!(report.delivered, 6, "{keys} {report:?}");
            place.holds_entries(&after);
            let treatments = if keys["mode"] == "both" { 6 } else { 0 };
            assert_eq!(
                place.documents(Kind::Treatments, &after).len(),
                treatments,
                "{keys}"
            );
            assert_eq!(place.upload(&keys, &after).unwrap().already_there, 6);
            place.holds_entries(&after);
        }
        place.clear(&before);
    }
}

/// Some at the old time, some at the new one, some nowhere: what a run that was cut off leaves.
#[test]
fn a_move_that_was_cut_off_is_completed() {
    let before = many(6);
    let after: Vec<Stick> = before.iter().map(|stick| stick.moved(3)).collect();
    for fault in [Fault::DropBefore, Fault::DropAfter, Fault::Status(502)] {
        for api in [1, 3] {
            let place = Place::stand_in(Site::start());
            let keys = json!({ "api_secret": null, "token": TOKEN, "api": api, "retries": 0 });
            place.upload(&keys, &before[..4]).unwrap();
            place
                .site
                .as_ref()
                .unwrap()
                .plan(&[Fault::None, fault.clone()]);
            // The first half alone goes through.
            let half: Vec<Stick> = after[..3].to_vec();
            let _ = place.upload(&keys, &half);
            let _ = place.upload(&keys, &after);
            let report = place.upload(&keys, &after).unwrap();
            assert_eq!(report.pending, [""; 0], "{fault:?} {api}");
            place.holds_entries(&after);
        }
    }
}

/// Without the right to delete nothing is doubled: the reading is named, and stays where it was.
#[test]
fn without_the_right_to_delete_a_reading_stays_where_it_was() {
    let place = Place::stand_in(Site::start());
    let site = place.site.as_ref().unwrap();
    site.change(|settings| {
        settings.tokens[0]
            .1
            .retain(|right| !right.ends_with("delete"));
    });
    for api in [1, 3] {
        let keys = json!({ "api_secret": null, "token": TOKEN, "api": api });
        let sticks = many(3);
        place.upload(&keys, &sticks[..2]).unwrap();
        let mut moved: Vec<Stick> = sticks.iter().map(|stick| stick.moved(1)).collect();
        let report = place.upload(&keys, &moved).unwrap();
        assert_eq!(
            (report.delivered, report.rejected),
            if api == 1 { (1, 2) } else { (0, 2) }
        );
        let reason = "is at the site under another time, and the token lacks `api:entries:delete`";
        assert!(
            report.refused.iter().all(|one| one.reason == reason),
            "{report:?}"
        );
        moved.splice(..2, sticks[..2].iter().cloned());
        place.holds_entries(&moved);
    }
}

/// A deletion that fails after the new document is there: both stand there, and the next run ends it.
#[test]
fn a_deletion_that_fails_is_made_up_for() {
    for fault in [Fault::DropBefore, Fault::DropAfter, Fault::Status(500)] {
        let place = Place::stand_in(Site::start());
        let before = [Stick::new("moved")];
        let after = [before[0].moved(2)];
        place.upload(&json!({}), &before).unwrap();
        place
            .site
            .as_ref()
            .unwrap()
            .plan_for("DELETE", std::slice::from_ref(&fault));
        let cut_off = place.upload(&json!({ "retries": 0 }), &after);
        assert_eq!(cut_off.is_ok(), fault == Fault::Status(500));
        let report = place.upload(&json!({ "retries": 0 }), &after).unwrap();
        assert_eq!(report.already_there, 1, "{fault:?}");
        place.holds_entries(&after);
    }
}

/// A value that changed replaces the document where it is.
#[test]
fn a_value_that_changed_is_replaced() {
    for place in places() {
        let mut ways = vec![json!({})];
        if place.site.is_some() {
            ways.push(json!({ "api_secret": null, "token": TOKEN, "api": 3 }));
        }
        for way in ways {
            let sticks = many(3);
            place.clear(&sticks);
            place.upload(&way, &sticks).unwrap();
            let mut changed = sticks.clone();
            changed[1].value += 1.0;
            let report = place.upload(&way, &changed).unwrap();
            assert_eq!((report.delivered, report.already_there), (1, 2));
            place.holds_entries(&changed);
            place.clear(&sticks);
        }
    }
}

/// What somebody deleted through API 3 does not come back.
#[test]
fn what_was_deleted_at_the_site_is_not_brought_back() {
    for api in [1, 3] {
        let place = Place::stand_in(Site::start());
        let site = place.site.as_ref().unwrap();
        let keys = json!({ "api_secret": null, "token": TOKEN, "api": api });
        let sticks = many(2);
        place.upload(&keys, &sticks).unwrap();
        site.soft_delete("stick-0");
        let before = site.entries();
        for offered in [
            sticks.clone(),
            sticks.iter().map(|stick| stick.moved(1)).collect(),
        ] {
            let report = place.upload(&keys, &offered).unwrap();
            assert_eq!(report.rejected, 1);
            assert_eq!(report.refused[0].reading_id, "stick-0");
            let deleted = |entry: &&serde_json::Map<String, Value>| {
                entry.get("isValid") == Some(&json!(false))
            };
            assert_eq!(site.entries().iter().filter(deleted).count(), 1);
        }
        assert_eq!(site.entries().len(), before.len());
    }
}

/// One site spoken to by API 1 first and by API 3 then, as after a change of the configuration.
#[test]
fn another_api_doubles_nothing() {
    let sticks = many(4);
    let v3 = json!({ "api_secret": null, "token": TOKEN, "api": 3 });
    for ways in [[json!({}), v3.clone()], [v3, json!({})]] {
        let place = Place::stand_in(Site::start());
        assert_eq!(place.upload(&ways[0], &sticks[..3]).unwrap().delivered, 3);
        let report = place.upload(&ways[1], &sticks).unwrap();
        assert_eq!((report.delivered, report.already_there), (1, 3));
        place.holds_entries(&sticks);
        let moved: Vec<Stick> = sticks.iter().map(|stick| stick.moved(1)).collect();
        assert_eq!(place.upload(&ways[1], &moved).unwrap().delivered, 4);
        place.holds_entries(&moved);
    }
}
