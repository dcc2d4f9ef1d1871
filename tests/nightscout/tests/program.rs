//! The real program with the real library: a virtual meter, a clock, a site.

use glucopipe_tests::{Finished, Running, Workspace};
use glucopipe_tests_nightscout::{API_SECRET, Certificate, Fault, Site, TOKEN};
use serde_json::Value;

/// What the secret is called in the environment.
const SECRET: &str = "NIGHTSCOUT_API_SECRET";

/// A workspace with a pipeline to a site, and what comes besides.
fn workspace(site: &Site, keys: &str, more: &str) -> Workspace {
    let workspace = Workspace::new();
    for library in ["driver_contour", "exporter_nightscout", "exporter_csv"] {
        workspace.install(library);
    }
    let url = site.url();
    workspace.write(
        "pipeline.toml",
        &format!(
            r#"[sources.meter]
device = "virtual:contour-next-usb?records=20&zone=Europe/Athens"

[transforms.local]
type = "clock"
inputs = ["meter"]
timezone = "Europe/Athens"

[sinks.night]
exporter = "nightscout"
inputs = ["local"]
url = "{url}"
retry_delay_ms = 1
{keys}
{more}"#
        ),
    );
    // The clock of the program stands at 2026-11-01 12:00 UTC.
    site.change(|settings| settings.clock_ahead_ms = 153 * 86_400_000);
    workspace
}

fn start(workspace: &Workspace, arguments: &[&str]) -> Running {
    let plugins = workspace.plugins().display().to_string();
    let mut all = arguments.to_vec();
    all.extend(["--plugin-dir", &plugins]);
    let mut command = workspace.command(&all);
    command
        .env(SECRET, API_SECRET)
        .env("NIGHTSCOUT_TOKEN", TOKEN);
    Running::start(&mut command)
}

fn run(workspace: &Workspace, arguments: &[&str]) -> Finished {
    let finished = start(workspace, arguments).finish();
    for secret in [API_SECRET, TOKEN] {
        assert!(!finished.stdout.contains(secret) && !finished.stderr.contains(secret));
    }
    finished
}

fn report(workspace: &Workspace, arguments: &[&str]) -> (i32, Value) {
    let mut all = vec!["run", "--report", "-"];
    all.extend(arguments);
    let finished = run(workspace, &all);
    let report = serde_json::from_str(&finished.stdout);
    let report =
        report.unwrap_or_else(|error| panic!("{error}\n{}\n{}", finished.stdout, finished.stderr));
    (finished.code, report)
}

const BY_SECRET: &str = r#"api_secret = { env = "NIGHTSCOUT_API_SECRET" }"#;
const BY_TOKEN: &str = r#"token = { env = "NIGHTSCOUT_TOKEN" }"#;

/// Glucose of the virtual meter: the sum of what is at the site and what has no place there.
fn finger_sticks(report: &Value) -> u64 {
    let sink = &report["sinks"][0];
    sink["offered"].as_u64().expect("a number") - sink["left_out"].as_u64().expect("a number")
}

#[test]
fn a_pipeline_uploads_each_reading_once() {
    let mut documents = Vec::new();
    for keys in [
        BY_SECRET.to_owned(),
        BY_TOKEN.to_owned(),
        format!("{BY_TOKEN}\napi = 3"),
    ] {
        let site = Site::start();
        let workspace = workspace(&site, &keys, "");
        let (code, first) = report(&workspace, &[]);
        assert_eq!(code, 0, "{first:#}");
        let sink = &first["sinks"][0];
        assert_eq!(sink["targets"][0], site.host());
        assert_eq!(sink["delivered"], finger_sticks(&first));
        let entries = site.entries();
        assert_eq!(entries.len() as u64, finger_sticks(&first));
        assert!(entries.len() > 10 && entries.iter().all(|entry| entry["type"] == "mbg"));
        assert_eq!(site.failed_logins(), 0);
        let (code, again) = report(&workspace, &[]);
        assert_eq!(code, 0, "{again:#}");
        assert_eq!(again["sinks"][0]["delivered"], 0);
        assert_eq!(site.entries(), entries);
        documents.push(
            entries
                .iter()
                .map(|entry| entry["date"].clone())
                .collect::<Vec<_>>(),
        );
    }
    // Whatever the login and the API: the same instants.
    assert_eq!(documents[0], documents[1]);
    assert_eq!(documents[0], documents[2]);
}

/// A pipeline with another zone moves the documents that are there, each once, and doubles none.
#[test]
fn another_zone_moves_what_is_there() {
    for keys in [BY_SECRET.to_owned(), format!("{BY_TOKEN}\napi = 3")] {
        let site = Site::start();
        let workspace = workspace(&site, &keys, "");
        assert_eq!(report(&workspace, &[]).0, 0);
        let athens = site.entries();
        let berlin = ["--set", "transforms.local.timezone=Europe/Berlin"];
        let (code, moved) = report(&workspace, &berlin);
        assert_eq!(code, 0, "{moved:#}");
        let entries = site.entries();
        assert_eq!(entries.len(), athens.len());
        let dates = |entries: &[serde_json::Map<String, Value>]| {
            let pairs = entries.iter().map(|entry| {
                let date = entry["date"].as_i64().expect("a number");
                (entry["identifier"].to_string(), date)
            });
            pairs.collect::<std::collections::BTreeMap<String, i64>>()
        };
        let (before, after) = (dates(&athens), dates(&entries));
        assert_eq!(before.len(), after.len());
        let moves = before.iter().map(|(id, date)| after[id] - date);
        let (moved, stayed): (Vec<i64>, Vec<i64>) = moves.partition(|by| *by == 3_600_000);
        // In the two nights when clocks change, a time may be there twice, or not, in one of the zones.
        assert!(
            stayed.len() <= 2 && stayed.iter().all(|by| [0, 7_200_000].contains(by)),
            "{stayed:?}"
        );
        assert!(moved.len() > 8);
        let (_, again) = report(&workspace, &berlin);
        assert_eq!(again["sinks"][0]["offered"], 0);
    }
}

/// Some arrived before the site died: exit code 1, the rest waits, and the next run completes it.
#[test]
fn a_part_that_arrived_counts_and_the_rest_follows() {
    let site = Site::start();
    let keys = format!("{BY_SECRET}\nbatch_size = 5\nretries = 1");
    let workspace = workspace(&site, &keys, "");
    site.plan(&[Fault::None, Fault::Status(502), Fault::Status(502)]);
    let finished = run(&workspace, &["run"]);
    assert_eq!(finished.code, 1, "{}", finished.stderr);
    assert_eq!(site.entries().len(), 5);
    let said = finished.stderr.replace(&site.host(), "night.example.org");
    assert!(
        said.contains("night.example.org is not ready (502)"),
        "{said}"
    );
    let (code, rest) = report(&workspace, &[]);
    assert_eq!(code, 0, "{rest:#}");
    let delivered = rest["sinks"][0]["delivered"].as_u64().expect("a number");
    assert_eq!(site.entries().len() as u64, 5 + delivered);
    assert!(delivered > 5);
    let ids: std::collections::BTreeSet<_> = site
        .entries()
        .iter()
        .map(|entry| entry["identifier"].to_string())
        .collect();
    assert_eq!(ids.len(), site.entries().len());
}

/// No sink could deliver: exit code 6. One of two could: exit code 1, and the sheet is there.
#[test]
fn exit_codes_say_who_could_deliver() {
    let sheet = "\n[sinks.sheet]\nexporter = \"csv\"\ninputs = [\"local\"]\npath = \"sheet.csv\"\n";
    for (more, code) in [("", 6), (sheet, 1)] {
        let site = Site::start();
        site.instead(Some(Fault::Status(503)));
        let workspace = workspace(&site, &format!("{BY_SECRET}\nretries = 1"), more);
        let finished = run(&workspace, &["run"]);
        assert_eq!(finished.code, code, "{}", finished.stderr);
        assert!(finished.stderr.contains("GP0502"), "{}", finished.stderr);
        assert_eq!(workspace.read("sheet.csv").is_some(), code == 1);
        site.instead(None);
        assert_eq!(site.entries().len(), 0);
        assert_eq!(run(&workspace, &["run"]).code, 0);
        assert!(site.entries().len() > 10);
    }
}

/// A wrong configuration is found before the meter is read, and marked in the file.
#[test]
fn keys_that_cannot_work_are_marked_in_the_file() {
    let site = Site::start();
    for (keys, marked) in [
        (format!("{BY_SECRET}\n{BY_TOKEN}"), "token"),
        (format!("{BY_SECRET}\napi = 3"), "api_secret"),
        (String::new(), "token"),
        (format!("{BY_SECRET}\nbatch_size = 501"), "batch_size"),
        ("token = \"glucopipe-0123456789abcdef\"".to_owned(), "token"),
    ] {
        let workspace = workspace(&site, &keys, "");
        let finished = run(&workspace, &["run"]);
        assert_eq!(finished.code, 3, "{keys}\n{}", finished.stderr);
        assert!(finished.stderr.contains(marked), "{}", finished.stderr);
    }
    assert_eq!(site.requests(), []);
}

#[test]
fn check_and_dry_run_say_what_a_run_would_meet() {
    let site = Site::start();
    site.change(|settings| settings.clock_ahead_ms = 153 * 86_400_000);
    let good = workspace(&site, BY_SECRET, "");
    let checked = run(&good, &["check"]);
    assert_eq!(checked.code, 0, "{}", checked.stderr);
    assert!(
        checked
            .stdout
            .contains("is Nightscout 15.0.7, API 1, and shows mg/dL"),
        "{}",
        checked.stdout
    );
    let dry = run(&good, &["run", "--dry-run"]);
    assert_eq!(dry.code, 0, "{}", dry.stderr);
    let said = format!("{}{}", dry.stdout, dry.stderr);
    assert!(said.contains("entries in 1 request to "), "{said}");
    assert_eq!((site.entries().len(), site.posts().len()), (0, 0));
    site.change(|settings| settings.tokens[0].1 = vec!["api:status:read", "api:entries:read"]);
    let bad = workspace(&site, BY_TOKEN, "");
    let checked = run(&bad, &["check"]);
    assert_eq!(checked.code, 6, "{}", checked.stdout);
    let lacks = format!("the token lacks `api:entries:create` at {}", site.host());
    assert!(checked.stderr.contains(&lacks), "{}", checked.stderr);
}

/// Without times in UTC nothing can be sent: said beforehand, and by the run.
#[test]
fn a_missing_clock_is_found_by_check() {
    let site = Site::start();
    let workspace = workspace(&site, BY_SECRET, "");
    let said = "warning[GP0114]: [sinks.night] needs times in UTC";
    let checked = run(&workspace, &["check"]);
    assert!(
        !checked.stderr.contains("times in UTC"),
        "{}",
        checked.stderr
    );
    let without = ["--set", "sinks.night.inputs=[\"meter\"]"];
    let checked = run(&workspace, &["check", without[0], without[1]]);
    assert_eq!(checked.code, 0, "{}", checked.stderr);
    assert!(checked.stderr.contains(said), "{}", checked.stderr);
    let finished = run(&workspace, &["run", without[0], without[1]]);
    assert_eq!(finished.code, 6, "{}", finished.stderr);
    assert!(finished.stderr.contains(said), "{}", finished.stderr);
    assert_eq!(site.entries().len(), 0);
}

/// Ctrl-C while the site hangs: the program ends at once, and the next run completes the upload.
#[test]
fn an_interrupted_upload_ends_and_is_completed_later() {
    let site = Site::start();
    let workspace = workspace(&site, &format!("{BY_SECRET}\nbatch_size = 5"), "");
    site.plan(&[Fault::None, Fault::HangAfter]);
    let running = start(&workspace, &["run"]);
    site.wait_for(|requests| requests.iter().filter(|one| one.method == "POST").count() == 2);
    running.interrupt();
    let finished = running.finish();
    assert_eq!(finished.code, 130, "{}", finished.stderr);
    assert!(
        !finished.stderr.contains("did not stop"),
        "{}",
        finished.stderr
    );
    let (code, rest) = report(&workspace, &[]);
    assert_eq!(code, 0, "{rest:#}");
    let entries = site.entries();
    let ids: std::collections::BTreeSet<_> = entries
        .iter()
        .map(|entry| entry["identifier"].to_string())
        .collect();
    assert_eq!(ids.len(), entries.len());
    assert!(entries.len() > 10);
}

/// TLS: a site is trusted by its certificate alone, and trouble with it is told from a wrong address.
#[test]
fn a_certificate_must_be_trusted_and_fit() {
    const HOST: &str = "127.0.0.1";
    let cases = [
        (Certificate::of(HOST), true, None),
        (
            Certificate::of(HOST),
            false,
            Some("this computer does not know who issued it"),
        ),
        (
            Certificate::of("night.example.org"),
            true,
            Some("it is for another host"),
        ),
        (Certificate::expired(HOST), true, Some("it has expired")),
    ];
    for (certificate, is_known, refused) in cases {
        let site = Site::start_secure(certificate);
        let workspace = workspace(&site, BY_SECRET, "");
        let own = Certificate::of("somebody.example");
        let known = Site::start_secure(own);
        let trusted = if is_known { site.pem() } else { known.pem() };
        workspace.write("trusted.pem", trusted);
        let plugins = workspace.plugins().display().to_string();
        let mut command = workspace.command(&["run", "--plugin-dir", &plugins]);
        command.env(SECRET, API_SECRET);
        command.env("SSL_CERT_FILE", workspace.path().join("trusted.pem"));
        let finished = Running::start(&mut command).finish();
        match refused {
            None => {
                assert_eq!(finished.code, 0, "{}", finished.stderr);
                assert!(site.entries().len() > 10);
            }
            Some(why) => {
                assert_eq!(finished.code, 6, "{}", finished.stderr);
                let said = format!("the certificate of {} is not trusted: {why}", site.host());
                assert!(finished.stderr.contains(&said), "{}", finished.stderr);
                assert_eq!(site.requests(), []);
            }
        }
    }
}
