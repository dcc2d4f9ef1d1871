//! The program as the user runs it: exit codes, and Ctrl-C.

use glucopipe_tests::{Finished, Meeting};

use super::bench::{BEFORE, Bench, THREE};

/// Keeps the plugins in the process of the program.
const HERE: &str = "[plugins]\nisolate = \"none\"\n";

/// Runs a pipeline with the program.
fn run(bench: &Bench, text: &str) -> Finished {
    bench.workspace.write("p.toml", &[text, HERE].concat());
    let plugins = bench.workspace.plugins();
    let plugins = plugins.to_str().expect("a plain path");
    bench
        .workspace
        .run(&["--plugin-dir", plugins, "run", "p.toml"])
}

fn expect(finished: &Finished, code: i32, words: &[&str]) {
    let Finished { stdout, stderr, .. } = finished;
    assert_eq!(finished.code, code, "{stderr}");
    for word in words {
        assert!(stderr.contains(word), "expected `{word}` in:\n{stderr}");
    }
    assert_eq!(stdout, "", "standard output is for data");
}

#[test]
fn a_good_run_ends_with_0() {
    let bench = Bench::new();
    let text = [
        bench.source("meter", "good", ""),
        bench.table("fine", "meter"),
    ];
    expect(&run(&bench, &text.concat()), 0, &[]);
    assert_eq!(bench.workspace.read("fine.csv").as_deref(), Some(THREE));
}

#[test]
fn one_bad_source_of_two_ends_with_1() {
    let bench = Bench::new();
    let text = [
        bench.source("bad", "panic-next", ""),
        bench.source("good", "good", ""),
        bench.table("spoilt", "bad"),
        bench.table("fine", "good"),
    ];
    bench.workspace.write("spoilt.csv", BEFORE);
    let finished = run(&bench, &text.concat());
    expect(
        &finished,
        1,
        &["error[GP0405]", "crashed inside", "boom in next"],
    );
    assert_eq!(bench.workspace.read("fine.csv").as_deref(), Some(THREE));
    assert_eq!(bench.workspace.read("spoilt.csv").as_deref(), Some(BEFORE));
}

#[test]
fn bad_sources_alone_end_with_the_code_of_the_failure() {
    for (mode, code, words) in [
        ("panic-open", 8, ["GP0405", "boom in open"]),
        ("column-type", 8, ["GP0404", "column `value` is Int64"]),
        ("offsets-negative", 8, ["GP0404", "broken batch"]),
        ("stream-error", 7, ["GP0206", "the link broke"]),
        ("lost", 7, ["GP0205", "the cable was pulled"]),
        ("error-open", 5, ["GP0202", "somebody else has the meter"]),
    ] {
        let bench = Bench::new();
        bench.workspace.write("spoilt.csv", BEFORE);
        let text = [bench.source("bad", mode, ""), bench.table("spoilt", "bad")];
        expect(&run(&bench, &text.concat()), code, &words);
        assert_eq!(
            bench.workspace.read("spoilt.csv").as_deref(),
            Some(BEFORE),
            "{mode}"
        );
    }
}

#[test]
fn a_broken_library_ends_with_8() {
    let bench = Bench::new();
    let library = bench
        .workspace
        .plugins()
        .join("libglucopipe_exporter_broken.so");
    std::fs::write(library, "not a library").expect("written");
    let sink = "[sinks.bad]\nexporter = \"broken\"\ninputs = [\"meter\"]\n".to_owned();
    let text = [bench.source("meter", "good", ""), sink];
    expect(
        &run(&bench, &text.concat()),
        8,
        &["error[GP0401]", "is not loaded"],
    );
}

#[test]
fn a_relative_plugin_folder_is_refused() {
    let bench = Bench::new();
    let text = [
        bench.source("meter", "good", ""),
        bench.table("fine", "meter"),
    ];
    bench.workspace.write("p.toml", &text.concat());
    let finished = bench
        .workspace
        .run(&["--plugin-dir", "plugins", "run", "p.toml"]);
    expect(
        &finished,
        3,
        &["error[GP0402]", "`plugins` is not an absolute path"],
    );
}

#[test]
fn garbage_about_the_meter_is_no_crash() {
    for (mode, words) in [
        ("info-garbage", "not the JSON"),
        ("info-null", "a text is missing"),
        ("info-bytes", "a text is missing"),
        ("panic-info", "boom in info"),
    ] {
        let answer = info(mode);
        let error = answer.expect_err(mode);
        assert!(error.contains(words), "{error}");
    }
    assert_eq!(info("good").as_deref(), Ok("H-100"));
}

/// What the driver says of its meter. `glucopipe info` hands drivers no configuration, so that the
/// call is made here.
fn info(mode: &str) -> Result<String, String> {
    use std::sync::Arc;

    use glucopipe_runtime::cancel::Cancel;
    use glucopipe_runtime::clock::Clock;
    use glucopipe_runtime::host::{Logger, OpenDriver, Operation, OperationSetup};
    use glucopipe_runtime::plugin::{ComponentKind, Registry, SearchPath};

    let bench = Bench::new();
    let mut search = SearchPath::default();
    search.add(&bench.workspace.plugins(), "--plugin-dir");
    let component = Registry::new(search).find(ComponentKind::Driver, "hostile");
    let operation = Operation::start(OperationSetup {
        node: "meter".to_owned(),
        cancel: Cancel::new(),
        clock: Clock::System,
        logger: Logger::silent(),
        progress: None,
        device: None,
    });
    let keys = serde_json::json!({ "mode": mode });
    let opened = OpenDriver::open(component.expect("it is there"), Arc::new(operation), &keys);
    let info = opened.expect("it opens").info();
    info.map(|info| info.serial).map_err(|error| error.message)
}

/// Takes the real grace period of 15 s.
#[test]
fn ctrl_c_ends_a_run_whose_plugins_are_deaf() {
    let bench = Bench::new();
    let (driver, other) = (
        Meeting::new(bench.workspace.path(), "driver"),
        Meeting::new(bench.workspace.path(), "other"),
    );
    let text = [
        bench.source("bad", "deaf", &driver.keys()),
        bench.source("worse", "deaf", &other.keys()),
        bench.table("spoilt", "bad"),
        bench.table("fine", "worse"),
    ];
    bench.workspace.write("spoilt.csv", BEFORE);
    let text = [&text.concat(), HERE].concat();
    bench.workspace.write("p.toml", &text);
    let plugins = bench.workspace.plugins();
    let plugins = plugins.to_str().expect("a plain path");
    let mut running = bench
        .workspace
        .start(&["--plugin-dir", plugins, "run", "p.toml"]);
    driver.wait();
    other.wait();
    running.interrupt();
    running.wait_for("Ctrl-C again leaves at once");
    let finished = running.finish();
    expect(
        &finished,
        130,
        &[
            "error[GP0406]",
            "`bad` was abandoned",
            "`worse` was abandoned",
        ],
    );
    assert_eq!(bench.workspace.read("spoilt.csv").as_deref(), Some(BEFORE));
    assert_eq!(bench.workspace.read("fine.csv"), None);
}
