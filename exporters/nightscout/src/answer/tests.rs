use glucopipe_sdk::serde_json::json;
use proptest::prelude::*;

use super::*;

const SITE: &str = "night.example.org";

fn reply(status: u16, body: &str) -> Reply {
    Reply {
        status,
        body: body.as_bytes().to_vec(),
        retry_after: None,
    }
}

fn kind(status: u16, body: &str) -> Option<Kind> {
    verdict(SITE, &reply(status, body))
        .err()
        .map(|trouble| trouble.kind)
}

#[test]
fn each_status_says_what_to_do() {
    let passing = Some(Kind::Passing { after: None });
    for (status, expected) in [
        (200, None),
        (201, None),
        (400, Some(Kind::BadRequest)),
        (401, Some(Kind::Access)),
        (403, Some(Kind::Access)),
        (404, Some(Kind::NotFound)),
        (408, passing),
        (410, Some(Kind::Protocol)),
        (413, Some(Kind::TooLarge)),
        (422, Some(Kind::ReadOnly)),
        (429, passing),
        (500, Some(Kind::ServerError)),
        (502, passing),
        (503, passing),
        (504, passing),
        (302, Some(Kind::Protocol)),
        (999, Some(Kind::Protocol)),
    ] {
        assert_eq!(kind(status, "<html>"), expected, "{status}");
    }
    let mut later = reply(503, "");
    later.retry_after = Some(Duration::from_secs(7));
    let trouble = verdict(SITE, &later).unwrap_err();
    assert_eq!(
        trouble.kind,
        Kind::Passing {
            after: later.retry_after
        }
    );
}

#[test]
fn a_bulk_error_names_the_document() {
    let error = json!({
        "status": 500,
        "message": "Mongo Error",
        "description": { "writeErrors": [{ "index": 2, "errmsg": "mbg 118 is bad" }, { "index": 4 }] },
    });
    let trouble = verdict(SITE, &reply(500, &error.to_string())).unwrap_err();
    assert_eq!(trouble.kind, Kind::Poison(2));
    assert_eq!(
        trouble.text,
        "the database of night.example.org refused a document (500): Mongo Error"
    );
    for odd in [
        json!({ "description": { "writeErrors": [] } }),
        json!({ "description": { "writeErrors": [{ "index": -1 }] } }),
        json!({ "description": "writeErrors" }),
        json!([]),
    ] {
        assert_eq!(kind(500, &odd.to_string()), Some(Kind::ServerError));
    }
}

/// What a server says may hold readings or the token it was sent.
#[test]
fn only_plain_words_of_a_server_are_shown() {
    for (said, shown) in [
        (
            "Missing permission api:entries:update",
            Some("Missing permission api:entries:update"),
        ),
        (
            "Field utcOffset cannot be modified by the client",
            Some("Field utcOffset cannot be modified by the client"),
        ),
        (
            "glucose 118 at 2026-05-30T18:05 for token-0123456789abcdef",
            Some("glucose at for"),
        ),
        ("118", None),
        ("\u{1b}[31mred", None),
    ] {
        assert_eq!(words(&json!({ "message": said })).as_deref(), shown);
    }
    let long = "word ".repeat(100);
    assert_eq!(words(&json!({ "message": long })).unwrap().len(), 100);
}

#[test]
fn an_echo_has_every_document_in_order() {
    let entry = |date: i64| json!({ "type": "mbg", "date": date });
    let is = |sent: &[i64], echo: Value| is_echo(Collection::Entries, sent, &echo);
    assert!(is(&[1, 2], json!([entry(1), entry(2)])));
    assert!(!is(&[1, 2], json!([])));
    assert!(!is(&[1, 2], json!([entry(1)])));
    assert!(!is(&[1, 2], json!([entry(2), entry(1)])));
    assert!(!is(&[1], json!([entry(1), entry(1)])));
    assert!(!is(&[1], json!({ "0": entry(1) })));
    assert!(!is(&[1], json!([null])));
    let treatment = json!([{ "created_at": "1970-01-01T00:00:00.007Z" }]);
    assert!(is_echo(Collection::Treatments, &[7], &treatment));
}

#[test]
fn a_document_is_read_with_all_its_instants() {
    let entry = json!({
        "_id": "6f1e7b0a8d0c5b6e9b430c6f",
        "identifier": "a",
        "date": 1000.9,
        "sysTime": "1970-01-01T00:00:02.000Z",
        "dateString": "garbage",
        "mbg": 118,
        "isValid": false,
    });
    let entry = found(Collection::Entries, &entry);
    assert_eq!(entry.dates_ms, [1000, 2000]);
    assert_eq!((entry.value, entry.deleted), (Some(118.0), true));
    assert_eq!(entry.identifier.as_deref(), Some("a"));
    assert!(entry.id.is_some());
    // It becomes a part of an address, so nothing else is taken.
    for id in [
        "../../settings",
        "",
        "6f1e7b0a-8d0c-5b6e-9b43-0c6f2e6b9a11",
        "6f1e7b0a8d0c5b6e9b430c6g",
    ] {
        assert_eq!(found(Collection::Entries, &json!({ "_id": id })).id, None);
    }
}

#[test]
fn a_site_says_what_it_is() {
    let body = json!({
        "status": "ok",
        "version": "15.0.7-dev\u{1b}[31m 2",
        "serverTimeEpoch": 1_780_157_100_000_i64,
        "apiEnabled": true,
        "careportalEnabled": false,
        "settings": { "units": "mmol", "authDefaultRoles": "readable, devicestatus-upload" },
        "runtimeState": "loaded",
    });
    let about = About::of(SITE, &reply(200, &body.to_string())).unwrap();
    assert_eq!(
        about,
        About {
            version: "15.0.7-dev31m2".to_owned(),
            shows_mmol: true,
            server_ms: Some(1_780_157_100_000),
            api: Some(true),
            careportal: Some(false),
            default_roles: vec!["readable".to_owned(), "devicestatus-upload".to_owned()],
            state: Some("loaded".to_owned()),
        }
    );
    for other in ["<html>", "[]", "{}", "{\"status\":\"ok\"}", "null"] {
        let trouble = About::of(SITE, &reply(200, other)).unwrap_err();
        assert_eq!(trouble.kind, Kind::Protocol);
    }
}

#[test]
fn versions_are_compared_by_number() {
    let is_before = |version: &str| {
        let about = About {
            version: version.to_owned(),
            ..About::default()
        };
        about.is_before([15, 0, 7])
    };
    for (version, expected) in [
        ("15.0.6", true),
        ("14.2.10", true),
        ("15.0.7", false),
        ("15.0.10", false),
        ("15.0.6-dev", true),
        ("latest", false),
        ("15", false),
    ] {
        assert_eq!(is_before(version), expected, "{version}");
    }
}

proptest! {
    #[test]
    fn no_answer_makes_it_panic(status in any::<u16>(), body in any::<Vec<u8>>(), text in ".*") {
        for body in [body, text.clone().into_bytes(), json!({ "message": text, "description": text }).to_string().into_bytes()] {
            let reply = Reply { status, body, retry_after: None };
            let _ = verdict(SITE, &reply);
            let _ = About::of(SITE, &reply);
            if let Ok(value) = json(SITE, &reply) {
                for collection in [Collection::Entries, Collection::Treatments] {
                    let _ = is_echo(collection, &[0], &value);
                    let _ = found(collection, &value);
                }
            }
        }
    }
}
