//! What arrives at a site, and how often.

use glucopipe_tests_nightscout::Site;
use serde_json::{Value, json};

use super::place::{ANOTHER, Kind, Place, places};
use super::sticks::{EVENING_MS, Stick, many};

/// All ways to send a stick as an entry.
fn ways() -> [Value; 3] {
    use glucopipe_tests_nightscout::TOKEN;
    [
        json!({}),
        json!({ "api_secret": null, "token": TOKEN, "api": 1 }),
        json!({ "api_secret": null, "token": TOKEN, "api": 3 }),
    ]
}

/// The ways that a place has: a real one is known by its secret alone.
fn ways_of(place: &Place) -> Vec<Value> {
    let own = if place.site.is_some() { 3 } else { 1 };
    ways().into_iter().take(own).collect()
}

#[test]
fn each_reading_arrives_once_however_often_it_is_sent() {
    let sticks = [
        Stick::new("delivery-1"),
        Stick::new("delivery-2")
            .at(EVENING_MS + 60_000)
            .value(5.5, "mmol/L"),
    ];
    for place in places() {
        for way in ways_of(&place) {
            place.clear(&sticks);
            let report = place.upload(&way, &sticks).unwrap();
            assert_eq!((report.delivered, report.already_there), (2, 0), "{way}");
            assert!(report.bytes > 0 && report.targets.len() == 1);
            place.holds_entries(&sticks);
            let turned: Vec<Stick> = sticks.iter().rev().cloned().collect();
            let report = place.upload(&way, &turned).unwrap();
            assert_eq!(
                (report.delivered, report.already_there, report.bytes),
                (0, 2, 0),
                "{way}"
            );
            place.holds_entries(&sticks);
        }
        place.clear(&sticks);
    }
}

/// API 1 would overwrite one by the other, whichever meter it is from.
#[test]
fn two_readings_of_one_minute_are_two_documents() {
    let sticks = [
        Stick::new("minute-1"),
        Stick::new("minute-2"),
        Stick::new("minute-3").value(121.0, "mg/dL"),
        Stick::new("minute-4").of("2000002"),
    ];
    for place in places() {
        for way in ways_of(&place) {
            place.clear(&sticks);
            // In one batch, and one by one.
            for part in [&sticks[..2], &sticks[2..3], &sticks[3..]] {
                let report = place.upload(&way, part).unwrap();
                assert_eq!(report.delivered, part.len() as u64, "{way}");
            }
            place.holds_entries(&sticks);
        }
        let keys = json!({ "mode": "treatments" });
        place.upload(&keys, &sticks[2..]).unwrap();
        place.upload(&keys, &sticks[..2]).unwrap();
        assert_eq!(place.documents(Kind::Treatments, &sticks).len(), 4);
        place.clear(&sticks);
    }
}

/// Two readings that want the same millisecond: the one that was there first keeps it, for ever.
#[test]
fn a_clash_is_resolved_and_stays_as_it_was() {
    let clash = clash();
    for place in places() {
        for order in [[0, 1], [1, 0]] {
            place.clear(&clash);
            for index in order {
                place.upload(&json!({}), &clash[index..=index]).unwrap();
            }
            place.holds_entries(&clash);
            let before = place.documents(Kind::Entries, &clash);
            let report = place.upload(&json!({}), &clash).unwrap();
            assert_eq!(report.already_there, 2);
            assert_eq!(place.documents(Kind::Entries, &clash), before);
        }
        place.clear(&clash);
    }
}

/// The first two ids of a row that share a slot.
fn clash() -> [Stick; 2] {
    let slot = |id: &str| {
        let digest = sha1_smol::Sha1::from(id).digest().bytes();
        u16::from_be_bytes([digest[0], digest[1]]) % 1000
    };
    let ids: Vec<String> = (0..200).map(|n| format!("a-{n}")).collect();
    let pairs = ids
        .iter()
        .enumerate()
        .flat_map(|(at, one)| ids[..at].iter().map(move |other| (other, one)));
    let (one, other) = pairs
        .into_iter()
        .find(|(one, other)| slot(one) == slot(other))
        .expect("a clash");
    [Stick::new(one), Stick::new(other).value(140.0, "mg/dL")]
}

/// A document of another program that has the very millisecond.
#[test]
fn what_others_stored_is_left_alone() {
    let sticks = [Stick::new("foreign-1")];
    for place in places() {
        place.clear(&sticks);
        let digest = sha1_smol::Sha1::from("foreign-1").digest().bytes();
        let slot = i64::from(u16::from_be_bytes([digest[0], digest[1]]) % 1000);
        let at = chrono::DateTime::from_timestamp_millis(EVENING_MS + slot).expect("a time");
        let foreign = json!([{
            "type": "mbg",
            "mbg": 77,
            "date": EVENING_MS + slot,
            "dateString": at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
            "device": ANOTHER,
        }]);
        place.store(Kind::Entries, &foreign);
        let report = place.upload(&json!({}), &sticks).unwrap();
        assert_eq!(report.delivered, 1);
        let found = place.documents(Kind::Entries, &sticks);
        assert_eq!(found.len(), 2);
        let others = found
            .iter()
            .find(|one| one["device"] == ANOTHER)
            .expect("still there");
        assert_eq!(
            (&others["mbg"], others.get("identifier")),
            (&json!(77), None)
        );
        place.clear(&sticks);
    }
}

#[test]
fn treatments_come_in_the_unit_of_the_site() {
    let sticks = [
        Stick::new("unit-1"),
        Stick::new("unit-2")
            .at(EVENING_MS + 60_000)
            .value(5.5, "mmol/L"),
    ];
    for units in ["mg/dl", "mmol"] {
        for api in [1, 3] {
            let place = Place::stand_in(Site::start());
            let site = place.site.as_ref().unwrap();
            site.change(|settings| settings.units = units);
            let mut keys = json!({ "mode": "treatments", "api": api });
            if api == 3 {
                keys["api_secret"] = Value::Null;
                keys["token"] = json!(glucopipe_tests_nightscout::TOKEN);
            }
            assert_eq!(place.upload(&keys, &sticks).unwrap().delivered, 2);
            place.holds_treatments(&sticks, units);
            assert_eq!(site.entries().len(), 0);
            assert_eq!(place.upload(&keys, &sticks).unwrap().already_there, 2);
            place.holds_treatments(&sticks, units);
        }
    }
}

#[test]
fn both_is_an_entry_and_a_treatment_of_each() {
    let sticks = many(7);
    for place in places() {
        let report = place
            .upload(&json!({ "mode": "both", "batch_size": 3 }), &sticks)
            .unwrap();
        assert_eq!(report.delivered, 7);
        place.holds_entries(&sticks);
        assert_eq!(place.documents(Kind::Treatments, &sticks).len(), 7);
        place.clear(&sticks);
    }
}

/// An archive goes in requests of at most 500, one after the other, the oldest first.
#[test]
fn an_archive_goes_in_batches_one_at_a_time() {
    let place = Place::stand_in(Site::start());
    let mut sticks = many(1201);
    sticks.reverse();
    assert_eq!(place.upload(&json!({}), &sticks).unwrap().delivered, 1201);
    place.holds_entries(&sticks);
    let site = place.site.as_ref().unwrap();
    let sizes: Vec<usize> = site.posts().iter().map(|post| post.documents).collect();
    assert_eq!(sizes, [500, 500, 201]);
    assert_eq!(site.most_in_flight(), 1);
    assert!(site.posts().iter().all(|post| post.bytes < 200_000));
    // Progress is told from the first batch to the end.
    let host = glucopipe_sdk::testing::TestHost::new();
    let more = many(1700);
    let fresh = Place::stand_in(Site::start());
    super::place::upload(&host, &fresh.config(&json!({ "mode": "both" })), &more).unwrap();
    let done: Vec<(u64, u64)> = host
        .progress()
        .iter()
        .map(|one| (one.done, one.total))
        .collect();
    assert_eq!(
        (done.first(), done.last()),
        (Some(&(500, 3400)), Some(&(3400, 3400)))
    );
    assert!(done.is_sorted());
    // Everything is known again, page by page.
    let report = place.upload(&json!({}), &sticks).unwrap();
    assert_eq!((report.already_there, site.posts().len()), (1201, 3));
    place.holds_entries(&sticks);
}

/// More documents in the looked-at time than one page of answers has.
#[test]
fn a_crowded_site_is_looked_at_page_by_page() {
    let place = Place::stand_in(Site::start());
    let site = place.site.as_ref().unwrap();
    let foreign: Vec<Value> = (0..4500)
        .map(|n| json!({ "type": "mbg", "mbg": 90, "date": EVENING_MS - 10_000_000 + n * 1000 }))
        .collect();
    site.store_entries(&foreign);
    let sticks = many(3);
    assert_eq!(place.upload(&json!({}), &sticks).unwrap().delivered, 3);
    assert_eq!(place.upload(&json!({}), &sticks).unwrap().already_there, 3);
    assert_eq!(site.entries().len(), 4503);
}

#[test]
fn what_has_no_place_at_a_site_is_not_sent() {
    let glucose = Stick::new("kept");
    let other = |id: &str, kind: &'static str| Stick {
        kind,
        ..Stick::new(id)
    };
    let sticks = [
        other("control", "control"),
        other("ketone", "ketone"),
        other("insulin", "insulin"),
        other("carbs", "carbs"),
        Stick {
            range: "above",
            value: 600.0,
            ..Stick::new("hi")
        },
        glucose.clone(),
    ];
    let place = Place::stand_in(Site::start());
    let report = place.upload(&json!({}), &sticks).unwrap();
    assert_eq!((report.delivered, report.left_out), (1, 5));
    place.holds_entries(&[glucose]);
    let report = place
        .upload(&json!({ "out_of_range": "limit" }), &sticks)
        .unwrap();
    assert_eq!(
        (report.delivered, report.already_there, report.left_out),
        (1, 1, 4)
    );
    let site = place.site.as_ref().unwrap();
    let hi = site
        .entries()
        .into_iter()
        .find(|entry| entry["identifier"] == "hi")
        .expect("HI");
    assert_eq!((&hi["mbg"], &hi["range"]), (&json!(600), &json!("above")));
    assert!(
        site.entries()
            .iter()
            .all(|entry| entry["identifier"] != "control")
    );
}

#[test]
fn nothing_to_send_is_no_request() {
    let place = Place::stand_in(Site::start());
    let control = Stick {
        kind: "control",
        ..Stick::new("control")
    };
    assert_eq!(place.upload(&json!({}), &[control]).unwrap().left_out, 1);
    assert_eq!(place.site.as_ref().unwrap().requests(), []);
}

#[test]
fn wrong_clocks_wait_or_are_refused_and_the_rest_arrives() {
    use glucopipe_tests_nightscout::NOW_MS;
    let good = Stick::new("good");
    let sticks = [
        Stick::new("next-year").at(NOW_MS + 366 * 86_400_000),
        Stick::new("reset").at(946_684_800_000 - 3_600_000),
        Stick {
            has_time: false,
            ..Stick::new("no-zone")
        },
        good.clone(),
    ];
    for way in ways() {
        let place = Place::stand_in(Site::start());
        let report = place.upload(&way, &sticks).unwrap();
        assert_eq!((report.delivered, report.rejected), (1, 1));
        assert_eq!(report.refused[0].reading_id, "reset");
        assert_eq!(report.pending, ["next-year", "no-zone"]);
        let said = [report.problem.unwrap(), report.held.unwrap()];
        insta::assert_snapshot!("wrong-clocks", said.join("; "));
        place.holds_entries(std::slice::from_ref(&good));
    }
}

/// No document may have a `null`, and no text that the filter of a site would change.
#[test]
fn documents_come_back_as_they_were_sent() {
    let place = Place::stand_in(Site::start());
    let stick = Stick {
        serial: "<b>1</b> & \"2\"",
        ..Stick::new("markup")
    };
    place.upload(&json!({ "mode": "both" }), &[stick]).unwrap();
    let site = place.site.as_ref().unwrap();
    for document in site.entries().into_iter().chain(site.treatments()) {
        assert_eq!(document["device"], "Contour Next b 1 /b 2");
        assert!(document.values().all(|value| !value.is_null()));
    }
}
