//! The pre-flight, and the dry run.

use glucopipe_exporter_nightscout::Nightscout;
use glucopipe_sdk::testing::TestHost;
use glucopipe_tests_nightscout::{Fault, Settings, Site, TOKEN};
use serde_json::{Value, json};

use super::place::{Place, places};
use super::sticks::{Stick, many, table};

/// What a check says: remarks, or the error.
fn said(place: &Place, keys: &Value) -> String {
    let host = TestHost::new();
    let said = match host.check_exporter::<Nightscout>(&place.config(keys)) {
        Ok(remarks) => remarks.join("\n"),
        Err(error) => format!("error: {error}"),
    };
    match &place.site {
        Some(site) => said.replace(&site.host(), "night.example.org"),
        None => said,
    }
}

fn at(change: impl FnOnce(&mut Settings)) -> Place {
    let site = Site::start();
    site.change(change);
    Place::stand_in(site)
}

#[test]
fn a_good_site_is_described_and_left_as_it_was() {
    for place in places() {
        let said = said(&place, &json!({ "mode": "both" }));
        assert!(said.contains("is Nightscout "), "{said}");
        if let Some(site) = &place.site {
            assert!(
                site.requests()
                    .iter()
                    .all(|request| request.method == "GET")
            );
            assert_eq!((site.entries().len(), site.failed_logins()), (0, 0));
        }
    }
}

#[test]
fn a_check_says_what_stands_in_the_way() {
    let token = json!({ "api_secret": null, "token": TOKEN });
    let with = |more: Value| {
        let mut keys = token.clone();
        keys.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        keys
    };
    let mut all = Vec::new();
    let mut add = |name: &str, said: String| all.push(format!("# {name}\n{said}"));
    add("good", said(&at(|_| {}), &json!({})));
    add(
        "good, token, API 3",
        said(
            &at(|site| site.units = "mmol"),
            &with(json!({ "api": 3, "mode": "both" })),
        ),
    );
    add(
        "ahead",
        said(&at(|site| site.clock_ahead_ms = 7 * 60_000), &json!({})),
    );
    add(
        "behind",
        said(&at(|site| site.clock_ahead_ms = -200_000_000), &json!({})),
    );
    add(
        "old",
        said(
            &at(|site| site.version = "15.0.6"),
            &json!({ "mode": "treatments" }),
        ),
    );
    add(
        "no careportal",
        said(
            &at(|site| site.careportal = false),
            &json!({ "mode": "both" }),
        ),
    );
    add(
        "wrong secret",
        said(&at(|_| {}), &json!({ "api_secret": "hidden" })),
    );
    add(
        "unknown token",
        said(
            &at(|_| {}),
            &with(json!({ "token": "nobody-ffffffffffffffff" })),
        ),
    );
    let few = |site: &mut Settings| site.tokens[0].1 = vec!["api:status:read", "api:entries:read"];
    add("few rights", said(&at(few), &token));
    add(
        "few rights, API 3, both",
        said(&at(few), &with(json!({ "api": 3, "mode": "both" }))),
    );
    let create_only = |site: &mut Settings| site.tokens[0].1 = vec!["api:entries:create"];
    add("create only", said(&at(create_only), &token));
    let no_status =
        |site: &mut Settings| site.tokens[0].1.retain(|right| *right != "api:status:read");
    add("no status", said(&at(no_status), &token));
    add(
        "dead database",
        said(&at(|site| site.dead_database = true), &json!({})),
    );
    let page = at(|_| {});
    page.site
        .as_ref()
        .unwrap()
        .instead(Some(Fault::Status(200)));
    add("another program", said(&page, &json!({})));
    page.site
        .as_ref()
        .unwrap()
        .instead(Some(Fault::Status(404)));
    add("wrong path", said(&page, &json!({})));
    page.site.as_ref().unwrap().instead(Some(Fault::Redirect(
        307,
        "https://night.example.com/".to_owned(),
    )));
    add("elsewhere", said(&page, &json!({})));
    page.site.as_ref().unwrap().instead(Some(Fault::Hang));
    add("silent", said(&page, &json!({ "request_timeout_secs": 1 })));
    page.site.as_ref().unwrap().instead(None);
    let https = page.site.as_ref().unwrap().url().replace("http:", "https:");
    add(
        "https at a port of http",
        said(&page, &json!({ "url": https })),
    );
    add(
        "nobody",
        said(&page, &json!({ "url": "http://127.0.0.1:9" }))
            .replace("127.0.0.1:9", "night.example.org"),
    );
    let all = all.join("\n\n");
    for secret in ["hidden", "a secret", "0123456789abcdef", "ffffffffffffffff"] {
        assert!(!all.contains(secret), "{all}");
    }
    insta::assert_snapshot!(all);
}

/// A dry run looks, says exactly what a run does next, and sends nothing.
#[test]
fn a_dry_run_says_what_a_run_then_does() {
    let sticks = many(7);
    for keys in [
        json!({ "batch_size": 3 }),
        json!({ "mode": "both" }),
        json!({ "api_secret": null, "token": TOKEN, "api": 3 }),
    ] {
        let place = at(|_| {});
        let site = place.site.as_ref().unwrap();
        let mut offered = sticks.clone();
        offered.push(Stick {
            kind: "control",
            ..Stick::new("control")
        });
        place.upload(&keys, &sticks[..2]).unwrap();
        let before = (site.entries(), site.treatments(), site.posts().len());
        // One of the two that are there has moved.
        offered[0] = offered[0].moved(1);
        let host = TestHost::new();
        let config = place.config(&keys);
        let preview = host.preview_export::<Nightscout>(&config, &[table(&offered)]);
        let preview = preview.unwrap().expect("a preview");
        assert_eq!(
            (site.entries(), site.treatments(), site.posts().len()),
            before
        );
        let report = place.upload(&keys, &offered).unwrap();
        let counts = |report: &glucopipe_sdk::exporter::CommitReport| {
            (
                report.delivered,
                report.already_there,
                report.left_out,
                report.rejected,
            )
        };
        assert_eq!(counts(&preview.report), counts(&report), "{keys}");
        assert_eq!(preview.report.targets, report.targets);
        let name = format!(
            "dry-run-{}-{}",
            keys["mode"].as_str().unwrap_or("entries"),
            keys["api"]
        );
        let lines = preview
            .lines
            .join("\n")
            .replace(&site.host(), "night.example.org");
        insta::assert_snapshot!(name, lines);
        let sent: usize = site.posts()[before.2..]
            .iter()
            .map(|post| post.documents)
            .sum();
        assert_eq!(sent, if keys["mode"] == "both" { 12 } else { 6 });
    }
}
