//! The exporter keeps the contract of the plugin ABI, with a site to deliver to.

use glucopipe_tests::Workspace;
use glucopipe_tests_nightscout::{API_SECRET, Site};
use serde_json::Value;

/// Every test of the suite that needs a destination.
#[test]
fn the_exporter_passes_the_check() {
    let (site, workspace) = (Site::start(), Workspace::new());
    let library = workspace
        .install("exporter_nightscout")
        .display()
        .to_string();
    let url = site.url();
    let keys = format!("url = \"{url}\"\napi_secret = \"{API_SECRET}\"\nretry_delay_ms = 1\n");
    workspace.write("keys.toml", &keys);
    let mut skipped = Vec::new();
    for part in [&["scan", "keys"][..], &["exporter"], &["life"]] {
        let mut arguments = vec![
            "plugins",
            "check",
            "--json",
            &library,
            "--config",
            "@keys.toml",
        ];
        arguments.extend(["--timeout", "10m"]);
        arguments.extend(part.iter().flat_map(|test| ["--test", test]));
        let finished = workspace.run(&arguments);
        let document: Value = serde_json::from_str(&finished.stdout).expect("JSON");
        assert_eq!(finished.code, 0, "{document:#}\n{}", finished.stderr);
        assert_eq!(document["warned"], 0, "{document:#}");
        assert!(!finished.stdout.contains(API_SECRET));
        let tests = document["tests"].as_array().expect("a list");
        let of = tests.iter().filter(|test| test["outcome"] == "skipped");
        skipped.extend(of.filter_map(|test| Some(test["test"].as_str()?.to_owned())));
    }
    // A site has one address, so two destinations cannot be told apart.
    assert_eq!(skipped, ["life.together"]);
    assert!(!site.entries().is_empty());
}
