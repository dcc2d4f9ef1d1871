//! Where tests upload to: the stand-in, and a real site when `NIGHTSCOUT_URL` and `NIGHTSCOUT_API_SECRET`
//! are set. Documents are asked for over HTTP, the same way at both.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use glucopipe_exporter_nightscout::Nightscout;
use glucopipe_sdk::Result;
use glucopipe_sdk::exporter::CommitReport;
use glucopipe_sdk::testing::TestHost;
use glucopipe_tests_nightscout::{API_SECRET, Site};
use serde_json::{Map, Value, json};

use super::sticks::{Stick, table};

/// A site with its secret.
pub(super) struct Place {
    url: String,
    secret: String,
    /// The stand-in behind it.
    pub(super) site: Option<Site>,
    /// There is one real site, so one test at a time has it.
    _alone: Option<MutexGuard<'static, ()>>,
}

static REAL: Mutex<()> = Mutex::new(());

/// One kind of document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Entries,
    Treatments,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Entries => "entries",
            Self::Treatments => "treatments",
        }
    }
}

/// The stand-in in each version, and the real site.
pub(super) fn places() -> Vec<Place> {
    let stand_in = |version| {
        let site = Site::start();
        site.change(|settings| settings.version = version);
        Place::stand_in(site)
    };
    let mut places = vec![stand_in("15.0.7"), stand_in("15.0.6")];
    let real = (
        std::env::var("NIGHTSCOUT_URL"),
        std::env::var("NIGHTSCOUT_API_SECRET"),
    );
    if let (Ok(url), Ok(secret)) = real {
        places.push(Place {
            url,
            secret,
            site: None,
            _alone: Some(REAL.lock().unwrap_or_else(PoisonError::into_inner)),
        });
    } else {
        skipped();
    }
    places
}

#[allow(clippy::print_stdout)] // a test that was left out says so
fn skipped() {
    println!("a real site: skipped, NIGHTSCOUT_URL and NIGHTSCOUT_API_SECRET are not set");
}

impl Place {
    /// A stand-in.
    pub(super) fn stand_in(site: Site) -> Self {
        Self {
            url: site.url(),
            secret: API_SECRET.to_owned(),
            site: Some(site),
            _alone: None,
        }
    }

    /// A configuration for this place with the site's secret, and these keys.
    pub(super) fn config(&self, keys: &Value) -> Value {
        let mut config = json!({
            "url": self.url,
            "api_secret": self.secret,
            "retry_delay_ms": 1,
            "allow_insecure": true,
        });
        for (key, value) in keys.as_object().expect("a table") {
            config[key] = value.clone();
        }
        config
    }

    /// Uploads sticks.
    pub(super) fn upload(&self, keys: &Value, sticks: &[Stick]) -> Result<CommitReport> {
        upload(&TestHost::new(), &self.config(keys), sticks)
    }

    /// The documents of tests in these sticks' times: from two days before to two days after.
    pub(super) fn documents(&self, kind: Kind, sticks: &[Stick]) -> Vec<Map<String, Value>> {
        const MARGIN_MS: i64 = 2 * 86_400_000;
        let times = || sticks.iter().map(|stick| stick.time_ms);
        let from = times().min().expect("sticks") - MARGIN_MS;
        let to = times().max().expect("sticks") + MARGIN_MS;
        let (time, from, to) = match kind {
            Kind::Entries => ("date", from.to_string(), to.to_string()),
            Kind::Treatments => ("created_at", iso(from), iso(to)),
        };
        let url = format!(
            "{}/api/v1/{}.json?find[{time}][$gte]={from}&find[{time}][$lte]={to}&count=100000",
            self.url,
            kind.name()
        );
        let found = self.ask(reqwest::Method::GET, &url);
        let found: Vec<Map<String, Value>> = serde_json::from_slice(&found).expect("documents");
        found.into_iter().filter(is_of_a_test).collect()
    }

    /// Stores documents as another program does.
    pub(super) fn store(&self, kind: Kind, documents: &Value) {
        let url = format!("{}/api/v1/{}.json", self.url, kind.name());
        self.ask_with(reqwest::Method::POST, &url, Some(documents));
    }

    /// Takes away what tests left in these sticks' times; a real site keeps everything else.
    pub(super) fn clear(&self, sticks: &[Stick]) {
        for kind in [Kind::Entries, Kind::Treatments] {
            for document in self.documents(kind, sticks) {
                let id = document["_id"].as_str().expect("documents have a name");
                self.ask(
                    reqwest::Method::DELETE,
                    &format!("{}/api/v1/{}/{id}", self.url, kind.name()),
                );
            }
        }
    }

    fn ask(&self, method: reqwest::Method, url: &str) -> Vec<u8> {
        self.ask_with(method, url, None)
    }

    fn ask_with(&self, method: reqwest::Method, url: &str, body: Option<&Value>) -> Vec<u8> {
        // Set once for all tests.
        let _ = tokio_rustls::rustls::crypto::ring::default_provider().install_default();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.expect("a runtime").block_on(async {
            let hash = sha1_smol::Sha1::from(&self.secret).digest().to_string();
            let client = reqwest::Client::new();
            let mut request = client.request(method, url).header("api-secret", hash);
            if let Some(body) = body {
                request = request
                    .header("content-type", "application/json")
                    .body(body.to_string());
            }
            let answer = request.send().await.expect("an answer");
            assert!(answer.status().is_success(), "{}", answer.status());
            answer.bytes().await.expect("a body").to_vec()
        })
    }

    /// Checks that the entries are exactly those of these sticks: each once, and all of it right.
    pub(super) fn holds_entries(&self, sticks: &[Stick]) {
        let found = self.documents(Kind::Entries, sticks);
        let by_id = by_identifier(&found);
        assert_eq!(found.len(), sticks.len(), "{found:#?}");
        for stick in sticks {
            let entry = by_id
                .get(stick.id.as_str())
                .unwrap_or_else(|| panic!("{} is missing", stick.id));
            let date = entry["date"].as_i64().expect("a number");
            assert_eq!(date - date.rem_euclid(1000), stick.time_ms, "{entry:#?}");
            assert_eq!(entry["mbg"], json!(stick.mg_per_dl()), "{entry:#?}");
            assert_eq!(
                (&entry["type"], &entry["app"]),
                (&json!("mbg"), &json!("glucopipe"))
            );
            assert_eq!(
                entry["device"],
                json!(format!("Contour Next {}", stick.serial))
            );
            assert_eq!(entry["utcOffset"], json!(stick.offset_min), "{entry:#?}");
            let spoken =
                chrono::DateTime::parse_from_rfc3339(entry["dateString"].as_str().expect("a text"));
            assert_eq!(
                spoken.expect("a time").timestamp_millis(),
                date,
                "{entry:#?}"
            );
        }
    }

    /// The same for treatments, in the unit of the site.
    pub(super) fn holds_treatments(&self, sticks: &[Stick], units: &str) {
        let found = self.documents(Kind::Treatments, sticks);
        let by_id = by_identifier(&found);
        assert_eq!(found.len(), sticks.len(), "{found:#?}");
        for stick in sticks {
            let treatment = by_id
                .get(stick.id.as_str())
                .unwrap_or_else(|| panic!("{} is missing", stick.id));
            let created = treatment["created_at"].as_str().expect("a text");
            let created = chrono::DateTime::parse_from_rfc3339(created).expect("a time");
            let date = created.timestamp_millis();
            assert_eq!(
                date - date.rem_euclid(1000),
                stick.time_ms,
                "{treatment:#?}"
            );
            let glucose = match units {
                "mmol" => json!(stick.mmol_per_l()),
                _ => json!(stick.mg_per_dl()),
            };
            assert_eq!(
                (&treatment["glucose"], &treatment["units"]),
                (&glucose, &json!(units))
            );
            assert_eq!(treatment["eventType"], "BG Check");
            assert_eq!(treatment["glucoseType"], "Finger");
        }
    }
}

/// The program that stores what is not ours.
pub(super) const ANOTHER: &str = "another program of a test";

/// Whether a test stored a document: a real site may have more.
fn is_of_a_test(document: &Map<String, Value>) -> bool {
    let is = |key: &str, value: &str| document.get(key).is_some_and(|own| own == value);
    is("device", ANOTHER) || (is("app", "glucopipe") && document.get("rawUnit").is_some())
}

fn by_identifier(found: &[Map<String, Value>]) -> BTreeMap<&str, &Map<String, Value>> {
    let named = found
        .iter()
        .filter_map(|one| Some((one.get("identifier")?.as_str()?, one)));
    named.collect()
}

fn iso(ms: i64) -> String {
    let at = chrono::DateTime::from_timestamp_millis(ms).expect("a time");
    at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

/// Uploads sticks as glucopipe does, and checks that every one is accounted for.
pub(super) fn upload(host: &TestHost, config: &Value, sticks: &[Stick]) -> Result<CommitReport> {
    let mut sink = host.open_exporter::<Nightscout>(config)?;
    for part in sticks.chunks(300) {
        sink.write(&[table(part)])?;
    }
    let report = sink.commit()?;
    let told = report.delivered + report.already_there + report.rejected + report.left_out;
    assert_eq!(
        told + report.pending.len() as u64,
        sticks.len() as u64,
        "{report:#?}"
    );
    assert_eq!(report.rejected, report.refused.len() as u64);
    // Of a cancellation nothing is said: the host knows why it cancelled.
    let said = report.problem.is_some() || report.held.is_some() || host.op().check().is_err();
    assert!(report.pending.is_empty() || said, "{report:#?}");
    let waits = !report.pending.is_empty();
    assert!(waits || (&report.problem, &report.held) == (&None, &None));
    Ok(report)
}
