//! Sites and ways to them that fail. In every case: nothing is lost, nothing is doubled, the account is true.

use std::collections::BTreeSet;

use glucopipe_sdk::testing::TestHost;
use glucopipe_sdk::{Error, Status};
use glucopipe_tests_nightscout::{Fault, NOW_MS, Site, TOKEN};
use serde_json::{Value, json};

use super::place::{Kind, Place, upload};
use super::sticks::{Stick, many};

fn place() -> Place {
    Place::stand_in(Site::start())
}

/// By API 1 and by API 3.
fn ways(keys: &Value) -> [Value; 2] {
    let mut v3 = keys.clone();
    v3["api_secret"] = Value::Null;
    v3["token"] = json!(TOKEN);
    v3["api"] = json!(3);
    [keys.clone(), v3]
}

/// What passes is waited for: everything arrives in one run, once.
#[test]
fn what_passes_is_waited_for() {
    let sticks = many(5);
    for fault in [
        Fault::DropBefore,
        Fault::DropAfter,
        Fault::Status(500),
        Fault::Status(502),
        Fault::Status(503),
        Fault::Status(504),
        Fault::Later(429, 0),
    ] {
        for keys in ways(&json!({ "batch_size": 2 })) {
            let place = place();
            let site = place.site.as_ref().unwrap();
            site.plan(&[Fault::None, fault.clone(), fault.clone()]);
            let report = place.upload(&keys, &sticks).unwrap();
            assert_eq!(report.delivered, 5, "{fault:?} {keys}");
            place.holds_entries(&sticks);
            assert_eq!(site.most_in_flight(), 1);
        }
    }
}

/// The answer never comes although all was stored: the retry finds it, and counts it as delivered.
#[test]
fn a_retry_after_a_timeout_that_did_store_doubles_nothing() {
    let sticks = many(3);
    for fault in [Fault::HangAfter, Fault::Hang] {
        for mut keys in ways(&json!({ "request_timeout_secs": 1 })) {
            for mode in ["entries", "treatments"] {
                keys["mode"] = json!(mode);
                let place = place();
                let site = place.site.as_ref().unwrap();
                site.plan(std::slice::from_ref(&fault));
                let report = place.upload(&keys, &sticks).unwrap();
                assert_eq!(
                    (report.delivered, report.already_there),
                    (3, 0),
                    "{fault:?} {keys}"
                );
                match mode {
                    "entries" => place.holds_entries(&sticks),
                    _ => place.holds_treatments(&sticks, "mg/dl"),
                }
            }
        }
    }
}

/// What does not pass: whatever the site confirmed is delivered, the rest waits with a reason.
#[test]
fn a_site_that_dies_on_the_way_keeps_what_it_confirmed() {
    let sticks = many(10);
    for fault in [Fault::DropBefore, Fault::Status(502), Fault::Status(500)] {
        for keys in ways(&json!({ "batch_size": 4, "retries": 1 })) {
            let place = place();
            let site = place.site.as_ref().unwrap();
            let well = if keys["api"] == 3 { 4 } else { 1 };
            let mut faults = vec![Fault::None; well];
            faults.extend(vec![fault.clone(); 60]);
            site.plan(&faults);
            let report = place.upload(&keys, &sticks).unwrap();
            assert_eq!(
                (report.delivered, report.rejected),
                (4, 0),
                "{fault:?} {keys}"
            );
            let pending: BTreeSet<&str> = report.pending.iter().map(String::as_str).collect();
            assert_eq!(
                pending,
                sticks[4..].iter().map(|stick| stick.id.as_str()).collect()
            );
            assert!(report.problem.unwrap().contains(&site.host()));
            place.holds_entries(&sticks[..4]);
            // The next run, with everything or with the rest.
            while !site.posts().is_empty() && place.upload(&keys, &sticks[4..]).is_err() {}
            let report = place.upload(&keys, &sticks).unwrap();
            assert_eq!(report.pending, [""; 0]);
            place.holds_entries(&sticks);
        }
    }
}

/// A dead database says 500 to everything; a site that only reads says so to what is sent.
#[test]
fn a_dead_database_loses_nothing_and_blames_no_reading() {
    let sticks = many(600);
    for (dead_database, read_only) in [(true, false), (false, true)] {
        for keys in ways(&json!({ "retries": 1 })) {
            let place = place();
            let site = place.site.as_ref().unwrap();
            site.change(|settings| {
                (settings.dead_database, settings.read_only) = (dead_database, read_only);
            });
            let error = place.upload(&keys, &sticks[..20]).unwrap_err();
            assert_eq!(
                (error.status, error.native, error.retryable),
                (Status::Io, 500, true),
                "{error}"
            );
            assert!(site.requests().len() < 80, "{}", site.requests().len());
            site.change(|settings| (settings.dead_database, settings.read_only) = (false, false));
            assert_eq!(site.entries().len(), 0);
            assert_eq!(place.upload(&keys, &sticks[..20]).unwrap().delivered, 20);
            place.holds_entries(&sticks[..20]);
        }
    }
}

/// Documents that the database does not take: they are named, all others arrive.
#[test]
fn poison_is_isolated_and_the_rest_arrives() {
    let sticks = many(40);
    for poison in [&[0][..], &[39], &[7, 8, 30], &[0, 39, 20]] {
        let ids: BTreeSet<String> = poison
            .iter()
            .map(|&at: &usize| sticks[at].id.clone())
            .collect();
        let good: Vec<Stick> = sticks
            .iter()
            .filter(|stick| !ids.contains(&stick.id))
            .cloned()
            .collect();
        for version in ["15.0.7", "15.0.6"] {
            for refused in [false, true] {
                for mut keys in ways(&json!({ "retries": 1, "batch_size": 25 })) {
                    let mode = if refused { "treatments" } else { "entries" };
                    keys["mode"] = json!(mode);
                    let place = place();
                    let site = place.site.as_ref().unwrap();
                    site.change(|settings| {
                        settings.version = version;
                        let set = if refused {
                            &mut settings.refused
                        } else {
                            &mut settings.poison
                        };
                        set.extend(ids.iter().cloned());
                    });
                    let report = place.upload(&keys, &sticks).unwrap();
                    let named: BTreeSet<String> = report
                        .refused
                        .iter()
                        .map(|one| one.reading_id.clone())
                        .collect();
                    assert_eq!(named, ids, "{version} {keys}");
                    assert_eq!(
                        (report.delivered, report.problem),
                        (good.len() as u64, None)
                    );
                    match mode {
                        "entries" => place.holds_entries(&good),
                        _ => place.holds_treatments(&good, "mg/dl"),
                    }
                    for one in &report.refused {
                        let reason = one.reason.replace(&site.host(), "");
                        assert!(!reason.contains("118"), "{reason}");
                    }
                }
            }
        }
    }
}

/// A document that fails alone may be innocent: it waits until the site takes another one.
#[test]
fn a_single_document_is_blamed_only_when_the_site_takes_another() {
    let sticks = many(3);
    // In one batch; and one by one, where the document behind it tells.
    for keys in [
        json!({ "retries": 1 }),
        json!({ "retries": 1, "batch_size": 1 }),
    ] {
        let place = place();
        let site = place.site.as_ref().unwrap();
        site.change(|settings| {
            settings.version = "15.0.6";
            settings.poison.insert(sticks[1].id.clone());
        });
        let report = place.upload(&keys, &sticks[..1]).unwrap();
        assert_eq!(report.delivered, 1);
        let report = place.upload(&keys, &sticks[..2]).unwrap();
        assert_eq!(
            (report.rejected, report.already_there, report.pending.len()),
            (0, 1, 1)
        );
        let report = place.upload(&keys, &sticks).unwrap();
        assert_eq!((report.rejected, report.pending.len()), (1, 0), "{keys}");
        assert_eq!((report.delivered, report.already_there), (1, 1));
        place.holds_entries(&[sticks[0].clone(), sticks[2].clone()]);
    }
}

/// Several parts of which nothing is taken, and one that is there already at the end, blame nobody wrongly.
#[test]
fn the_site_is_not_blamed_for_parts_that_it_does_not_take() {
    let sticks = many(12);
    for batch_size in [1, 2] {
        for (bad, there) in [(&[0, 1, 2, 3][..], &[][..]), (&[0, 1, 6, 7], &[10, 11])] {
            let place = place();
            let site = place.site.as_ref().unwrap();
            let there: Vec<Stick> = there.iter().map(|&at: &usize| sticks[at].clone()).collect();
            if !there.is_empty() {
                place.upload(&json!({}), &there).unwrap();
            }
            site.change(|settings| {
                settings.version = "15.0.6";
                let ids = bad.iter().map(|&at: &usize| sticks[at].id.clone());
                settings.poison.extend(ids);
            });
            let keys = json!({ "retries": 0, "batch_size": batch_size });
            let report = place.upload(&keys, &sticks).unwrap();
            assert_eq!(report.problem, None, "{batch_size} {bad:?}");
            let refused: BTreeSet<&str> = report
                .refused
                .iter()
                .map(|one| one.reading_id.as_str())
                .collect();
            let expected = bad.iter().map(|&at| sticks[at].id.as_str()).collect();
            assert_eq!(refused, expected, "{batch_size}");
            assert_eq!(
                (report.delivered, report.already_there),
                (8 - there.len() as u64, there.len() as u64)
            );
        }
    }
}

/// A site, or what stands there, that gives everything whatever it is asked for.
#[test]
fn documents_of_other_times_are_none_of_nightscouts() {
    let place = place();
    let site = place.site.as_ref().unwrap();
    site.change(|settings| settings.ignores_range = true);
    let later = NOW_MS + 10 * 86_400_000;
    site.store_entries(&[json!({ "type": "mbg", "mbg": 100, "date": later })]);
    let error = place.upload(&json!({}), &many(2)).unwrap_err();
    assert_eq!(error.status, Status::Protocol, "{error}");
    assert!(error.message.contains("of other times"), "{error}");
    assert_eq!(site.entries().len(), 1);
}

/// The database dies in the middle of a batch: what it did not take is not blamed for it.
#[test]
fn a_database_that_dies_within_a_batch_blames_no_reading() {
    let sticks = many(40);
    for version in ["15.0.6", "15.0.7"] {
        for keys in ways(&json!({ "retries": 1 })) {
            let place = place();
            let site = place.site.as_ref().unwrap();
            site.change(|settings| {
                settings.version = version;
                settings.writes_left = 23;
            });
            let report = place.upload(&keys, &sticks).unwrap();
            assert_eq!(
                (report.delivered, report.rejected),
                (23, 0),
                "{version} {keys}"
            );
            assert_eq!(report.pending.len(), 17);
            place.holds_entries(&sticks[..23]);
            site.change(|settings| settings.writes_left = usize::MAX);
            let report = place.upload(&keys, &sticks).unwrap();
            assert_eq!((report.delivered, report.already_there), (17, 23));
            place.holds_entries(&sticks);
        }
    }
}

/// A proxy that takes small bodies alone.
#[test]
fn a_request_that_is_too_large_is_halved() {
    let sticks = many(100);
    let place = place();
    let site = place.site.as_ref().unwrap();
    site.change(|settings| settings.body_limit = 3000);
    assert_eq!(place.upload(&json!({}), &sticks).unwrap().delivered, 100);
    place.holds_entries(&sticks);
    // Where not even one document fits, the site is to blame.
    site.change(|settings| settings.body_limit = 20);
    let error = place.upload(&json!({}), &many(130)[..30]).unwrap_err();
    assert_eq!((error.native, error.retryable), (413, false), "{error}");
    place.holds_entries(&sticks);
}

/// 200 alone proves nothing.
#[test]
fn only_what_is_echoed_counts() {
    let sticks = many(8);
    let half = place();
    half.site
        .as_ref()
        .unwrap()
        .plan(&[Fault::HalfEcho, Fault::HalfEcho]);
    assert_eq!(half.upload(&json!({}), &sticks).unwrap().delivered, 8);
    half.holds_entries(&sticks);

    let empty = place();
    let site = empty.site.as_ref().unwrap();
    site.plan(&[
        Fault::None,
        Fault::EmptyEcho,
        Fault::EmptyEcho,
        Fault::EmptyEcho,
    ]);
    let report = empty.upload(&json!({ "batch_size": 3 }), &sticks).unwrap();
    assert_eq!((report.delivered, report.pending.len()), (3, 5));
    assert!(report.problem.unwrap().contains("keeps less than was sent"));
    empty.holds_entries(&sticks[..3]);
    let empty = place();
    empty.site.as_ref().unwrap().instead(Some(Fault::EmptyEcho));
    let error = empty.upload(&json!({}), &sticks).unwrap_err();
    assert_eq!(error.status, Status::Protocol, "{error}");
}

/// A redirect to the same host is followed with everything; to another host nothing is sent.
#[test]
fn redirects_lead_nowhere_else() {
    let sticks = many(2);
    let (other, own) = (place(), place());
    let site = own.site.as_ref().unwrap();
    let other_url = other.site.as_ref().unwrap().url();
    for status in [301, 302, 307, 308] {
        site.plan(&[Fault::Redirect(
            status,
            format!("{other_url}/api/v1/entries.json?token=hidden"),
        )]);
        let error = own.upload(&json!({}), &sticks).unwrap_err();
        assert_eq!(
            (error.status, error.key.as_deref()),
            (Status::InvalidArgument, Some("url"))
        );
        assert!(
            error.message.contains(&other_url) && !error.message.contains("hidden"),
            "{error}"
        );
    }
    assert_eq!(other.site.as_ref().unwrap().requests(), []);
    assert_eq!(site.entries().len(), 0);
    site.plan(&[Fault::Redirect(302, "/api/v1/entries.json".to_owned())]);
    assert!(
        own.upload(&json!({}), &sticks).is_err(),
        "a 302 loses the body"
    );
    site.plan(&[Fault::Redirect(307, "/api/v1/entries.json".to_owned())]);
    assert_eq!(own.upload(&json!({}), &sticks).unwrap().delivered, 2);
    own.holds_entries(&sticks);
    site.plan(&vec![
        Fault::Redirect(308, "/api/v1/entries.json".to_owned());
        9
    ]);
    let error = own.upload(&json!({}), &[Stick::new("circle")]).unwrap_err();
    assert!(error.message.contains("in a circle"), "{error}");
}

#[test]
fn something_else_than_nightscout_is_told() {
    for (fault, status) in [
        (Fault::Status(200), Status::Protocol),
        (Fault::Status(404), Status::NotFound),
        (Fault::Status(418), Status::Protocol),
    ] {
        let place = place();
        place.site.as_ref().unwrap().instead(Some(fault.clone()));
        let error = place.upload(&json!({}), &many(1)).unwrap_err();
        assert_eq!(error.status, status, "{fault:?} {error}");
        assert_eq!(
            place.site.as_ref().unwrap().requests().len(),
            1,
            "no second try"
        );
    }
}

/// A request that hangs is left in the middle; what the site confirmed before counts.
#[test]
fn a_cancelled_upload_stops_in_the_middle_of_a_request() {
    let sticks = many(9);
    let place = place();
    let site = place.site.as_ref().unwrap();
    site.plan(&[Fault::None, Fault::Hang]);
    let host = TestHost::new();
    // More questions than the requests before the one that hangs ask; the rest is asked while it hangs.
    host.cancel_after(40);
    let report = upload(&host, &place.config(&json!({ "batch_size": 3 })), &sticks).unwrap();
    assert_eq!(site.posts().len(), 2);
    assert_eq!((report.delivered, report.pending.len()), (3, 6));
    // The host knows why it cancelled.
    assert_eq!(report.problem, None);
    place.holds_entries(&sticks[..3]);
}

/// Cancelled after any number of questions: an error, or an account that is true; the next run completes it.
#[test]
fn an_upload_may_be_cancelled_anywhere() {
    let sticks = many(6);
    for questions in 0..16 {
        let place = place();
        let host = TestHost::new();
        host.cancel_after(questions);
        match upload(&host, &place.config(&json!({ "batch_size": 2 })), &sticks) {
            Ok(report) => {
                let arrived = place.documents(Kind::Entries, &sticks).len() as u64;
                assert!(report.delivered > 0 && report.delivered <= arrived);
            }
            Err(error) => assert_eq!(error.status, Status::Cancelled),
        }
        let report = place.upload(&json!({}), &sticks).unwrap();
        assert_eq!(report.delivered + report.already_there, 6);
        place.holds_entries(&sticks);
    }
}

/// Every message of trouble, with the host of the site and nothing else that could be secret.
#[test]
fn messages_name_the_host_and_no_secret() {
    let secrets = [
        "secret of",
        TOKEN,
        "0123456789abcdef",
        "118",
        "stick-",
        "api/v1",
    ];
    let mut messages = Vec::new();
    let sticks = [Stick::new("stick-1")];
    for (fault, name) in [
        (Fault::Status(400), "400"),
        (Fault::Status(401), "401"),
        (Fault::Status(403), "403"),
        (Fault::Status(404), "404"),
        (Fault::Status(413), "413"),
        (Fault::Status(418), "418"),
        (Fault::Status(500), "500"),
        (Fault::Status(503), "503"),
        (Fault::Status(200), "no JSON"),
        (Fault::DropBefore, "reset"),
        (
            Fault::Redirect(307, "https://other.example/x?token=118".to_owned()),
            "redirect",
        ),
        (Fault::Redirect(307, "::".to_owned()), "bad redirect"),
    ] {
        for keys in ways(&json!({ "retries": 0, "request_timeout_secs": 1 })) {
            let place = place();
            let site = place.site.as_ref().unwrap();
            site.plan(&[fault.clone(), fault.clone()]);
            let error: Error = match place.upload(&keys, &sticks) {
                Err(error) => error,
                Ok(report) => {
                    assert!(report.rejected == 1, "{name} {keys} {report:?}");
                    Error::new(
                        Status::Io,
                        format!("(refused) {}", report.refused[0].reason),
                    )
                }
            };
            let text = error.message.replace(&site.host(), "night.example.org");
            assert!(
                secrets.iter().all(|secret| !text.contains(secret)),
                "{text}"
            );
            messages.push(format!(
                "{name}, API {}: {text}",
                if keys["api"] == 3 { 3 } else { 1 }
            ));
        }
    }
    insta::assert_snapshot!(messages.join("\n"));
}
