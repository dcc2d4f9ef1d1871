//! Secrets, tokens, tickets, rights.

use std::time::Duration;

use glucopipe_sdk::Status;
use glucopipe_tests_nightscout::{API_SECRET, Site, TOKEN};
use serde_json::{Value, json};

use super::place::Place;
use super::sticks::many;

fn place() -> Place {
    Place::stand_in(Site::start())
}

fn token(keys: &Value) -> Value {
    let mut all = json!({ "api_secret": null, "token": TOKEN });
    for (key, value) in keys.as_object().expect("a table") {
        all[key] = value.clone();
    }
    all
}

/// Neither the secret nor the token travels with API 1: hashes do.
#[test]
fn only_hashes_are_sent() {
    let hash = |secret: &str| sha1_smol::Sha1::from(secret).digest().to_string();
    for (keys, expected) in [
        (json!({}), hash(API_SECRET)),
        (token(&json!({ "api": 1 })), hash(TOKEN)),
    ] {
        let place = place();
        place.upload(&keys, &many(2)).unwrap();
        let requests = place.site.as_ref().unwrap().requests();
        assert!(
            requests.iter().all(|request| request.login == expected),
            "{requests:#?}"
        );
        let shown = |text: &str| text.contains(TOKEN) || text.contains(API_SECRET);
        assert!(
            requests
                .iter()
                .all(|one| !shown(&one.path) && !shown(&one.query))
        );
    }
}

/// A wrong login is tried once: each further try would make the site slower and warn its owner.
#[test]
fn a_refused_login_ends_the_upload_at_once() {
    let unknown = "nobody-ffffffffffffffff";
    for (keys, message) in [
        (
            json!({ "api_secret": "wrong" }),
            "refused the API secret (401): expected the secret itself, not its hash",
        ),
        (
            token(&json!({ "token": unknown })),
            "does not know the token (401)",
        ),
        (
            token(&json!({ "token": unknown, "api": 3 })),
            "does not know the token (401)",
        ),
    ] {
        let place = place();
        let site = place.site.as_ref().unwrap();
        site.change(|settings| settings.login_delay = Duration::from_millis(1));
        let error = place.upload(&keys, &many(2)).unwrap_err();
        assert_eq!(error.message, format!("{} {message}", site.host()));
        assert_eq!(
            (error.status, error.native, error.retryable),
            (Status::Access, 401, false)
        );
        assert_eq!(site.failed_logins(), 1);
        assert!(site.requests().len() <= 2);
        assert_eq!(site.entries().len(), 0);
    }
}

/// Rights that are missing are named, and nothing is sent by halves.
#[test]
fn missing_rights_are_named() {
    for (api, missing, expected) in [
        (
            1,
            "api:entries:create",
            "the token lacks `api:entries:create` at HOST (401)",
        ),
        (
            1,
            "api:entries:read",
            "the token lacks `api:entries:read` at HOST (401)",
        ),
        (
            3,
            "api:entries:create",
            "HOST does not permit this (403): Missing permission api:entries:create",
        ),
    ] {
        let place = place();
        let site = place.site.as_ref().unwrap();
        site.change(|settings| settings.tokens[0].1.retain(|right| *right != missing));
        let error = place
            .upload(&token(&json!({ "api": api })), &many(2))
            .unwrap_err();
        assert_eq!(error.message, expected.replace("HOST", &site.host()));
        assert_eq!(error.status, Status::Access);
        assert_eq!(site.entries().len(), 0);
    }
}

/// Without `api:status:read` a site does not say what it is, and takes readings all the same.
#[test]
fn the_status_is_not_needed() {
    for api in [1, 3] {
        let place = place();
        let site = place.site.as_ref().unwrap();
        site.change(|settings| {
            settings.tokens[0]
                .1
                .retain(|right| *right != "api:status:read");
        });
        let sticks = many(3);
        assert_eq!(
            place
                .upload(&token(&json!({ "api": api })), &sticks)
                .unwrap()
                .delivered,
            3
        );
        assert_eq!(site.failed_logins(), 0);
        place.holds_entries(&sticks);
    }
}

/// A site where everybody may read: the token needs no right for it.
#[test]
fn what_everybody_may_do_needs_no_right() {
    let place = place();
    let site = place.site.as_ref().unwrap();
    site.change(|settings| {
        settings.default_role = "readable";
        settings.tokens[0].1 = vec!["api:entries:create"];
    });
    let sticks = many(3);
    assert_eq!(
        place.upload(&token(&json!({})), &sticks).unwrap().delivered,
        3
    );
    place.holds_entries(&sticks);
}

/// A ticket that dies early is replaced once for each document; one that dies at once ends the upload.
#[test]
fn a_ticket_that_expires_is_renewed_once() {
    let sticks = many(7);
    let tickets = |site: &Site| {
        let requests = site.requests();
        requests
            .iter()
            .filter(|one| one.path.contains("authorization"))
            .count()
    };
    // The key of the site changed: good for three requests, then 401.
    let early = place();
    let site = early.site.as_ref().unwrap();
    site.change(|settings| settings.ticket_uses = 3);
    assert_eq!(
        early
            .upload(&token(&json!({ "api": 3 })), &sticks)
            .unwrap()
            .delivered,
        7
    );
    assert_eq!((tickets(site), site.failed_logins()), (3, 2));
    early.holds_entries(&sticks);
    // A ticket that says that it holds for no time is used once.
    let short = place();
    let site = short.site.as_ref().unwrap();
    site.change(|settings| settings.ticket_secs = 0);
    assert_eq!(
        short
            .upload(&token(&json!({ "api": 3 })), &sticks)
            .unwrap()
            .delivered,
        7
    );
    assert_eq!((tickets(site), site.failed_logins()), (7, 0));
    short.holds_entries(&sticks);
    let dead = place();
    let site = dead.site.as_ref().unwrap();
    site.change(|settings| settings.ticket_uses = 0);
    let error = dead
        .upload(&token(&json!({ "api": 3 })), &sticks)
        .unwrap_err();
    assert_eq!(
        (error.status, error.native),
        (Status::Access, 401),
        "{error}"
    );
    assert_eq!((tickets(site), site.failed_logins()), (2, 1), "{error}");
}

/// A site makes requests wait after a failed login of somebody else at this address.
#[test]
fn the_delay_after_a_failed_login_is_waited_for() {
    let place = place();
    let site = place.site.as_ref().unwrap();
    site.change(|settings| settings.login_delay = Duration::from_millis(300));
    place
        .upload(&json!({ "api_secret": "wrong" }), &many(1))
        .unwrap_err();
    let sticks = many(2);
    assert_eq!(
        place
            .upload(&json!({ "request_timeout_secs": 20 }), &sticks)
            .unwrap()
            .delivered,
        2
    );
    place.holds_entries(&sticks);
}

/// Where API 1 is switched off, `auto` speaks API 3; with the secret alone it says what is wanted.
#[test]
fn auto_speaks_the_api_that_is_there() {
    let place = place();
    let site = place.site.as_ref().unwrap();
    site.change(|settings| settings.api_enabled = false);
    let sticks = many(2);
    assert_eq!(
        place.upload(&token(&json!({})), &sticks).unwrap().delivered,
        2
    );
    assert!(
        site.posts()
            .iter()
            .all(|post| post.path == "/api/v3/entries")
    );
    place.holds_entries(&sticks);
    let error = place.upload(&json!({}), &sticks).unwrap_err();
    assert!(error.message.contains("expected `token`"), "{error}");
    let error = place
        .upload(&token(&json!({ "api": 1 })), &sticks)
        .unwrap_err();
    assert!(error.message.contains("`api = \"auto\"`"), "{error}");
}

#[test]
fn a_site_without_careportal_takes_no_treatments() {
    for rights in [true, false] {
        let place = place();
        let site = place.site.as_ref().unwrap();
        site.change(|settings| {
            settings.careportal = false;
            if !rights {
                settings.tokens[0]
                    .1
                    .retain(|right| *right != "api:status:read");
            }
        });
        let error = place
            .upload(&token(&json!({ "mode": "treatments" })), &many(1))
            .unwrap_err();
        assert_eq!(error.status, Status::NotFound);
        assert!(error.message.contains("careportal"), "{error}");
    }
}
