//! Exporters.

use glucopipe_runtime::cancel::Reason;
use glucopipe_runtime::problem::Code;
use glucopipe_runtime::run::report::{Outcome, SinkReport};
use glucopipe_tests::Meeting;

use super::bench::{BEFORE, Bench, Ran, THREE, expect};

/// A sink `bad` of the hostile exporter.
fn sink(bench: &Bench, mode: &str, more: &str) -> String {
    let folder = bench.workspace.path().display();
    format!(
        "[sinks.bad]\nexporter = \"hostile\"\ninputs = [\"meter\"]\nmode = \"{mode}\"\n\
         path = \"{folder}/bad.txt\"\n{more}\n"
    )
}

fn pipeline(bench: &Bench, mode: &str, more: &str) -> String {
    let readings = if mode == "stops-early" {
        "readings = 20000"
    } else {
        ""
    };
    let source = bench.source("meter", "good", readings);
    [
        source,
        sink(bench, mode, more),
        bench.table("fine", "meter"),
    ]
    .concat()
}

/// Runs a bad sink beside a good one.
fn beside_a_good_one(bench: &Bench, mode: &str, more: &str) -> Ran {
    bench.workspace.write("bad.txt", BEFORE);
    let ran = bench.run(&pipeline(bench, mode, more));
    let fine = bench.workspace.read("fine.csv").unwrap_or_default();
    assert!(
        fine.starts_with(THREE),
        "the other sink was not served:\n{}",
        ran.text
    );
    ran
}

fn bad(ran: &Ran) -> &SinkReport {
    ran.report
        .sinks
        .iter()
        .find(|sink| sink.name == "bad")
        .expect("the sink reports")
}

/// The mode fails the sink with this code and words; nothing is visible at its destination.
fn fails(mode: &str, code: Code, words: &str) {
    let bench = Bench::new();
    let ran = beside_a_good_one(&bench, mode, "");
    expect(bad(&ran).error.as_ref(), code, words);
    assert_eq!(
        (bad(&ran).delivered, ran.report.outcome),
        (0, Outcome::Partial)
    );
    assert_eq!(bench.workspace.read("bad.txt").as_deref(), Some(BEFORE));
}

macro_rules! cases {
    ($($name:ident = $mode:literal, $code:expr, $words:literal;)+) => {$(
        #[test]
        fn $name() {
            fails($mode, $code, $words);
        }
    )+};
}

cases! {
    panic_in_open = "panic-open", Code::PLUGIN_PANIC, "boom in open";
    panic_in_write = "panic-write", Code::PLUGIN_PANIC, "boom in write";
    panic_in_commit = "panic-commit", Code::PLUGIN_PANIC, "boom in commit";
    error_with_a_key = "error-key", Code::SINK_CONFIG, "no such planet";
    error_in_commit = "error-commit", Code::SINK_WRITE, "the server is on fire";
    error_without_message = "error-silent", Code::SINK_WRITE, "failed without a message";
    sink_null = "sink-null", Code::PLUGIN_BROKEN, "it opened no sink";
    stream_not_released = "keeps", Code::PLUGIN_BROKEN, "did not release the stream";
    stream_released_through_a_copy = "copies", Code::PLUGIN_BROKEN, "did not release the stream";
    nothing_read = "reads-nothing", Code::PLUGIN_BROKEN, "took 0 of 3 readings";
    reading_stopped_early = "stops-early", Code::PLUGIN_BROKEN, "took 8192 of 20000 readings";
}

#[test]
fn the_key_at_fault_is_marked() {
    let bench = Bench::new();
    let ran = beside_a_good_one(&bench, "error-key", "");
    let problem = bad(&ran).error.as_ref().expect("it fails");
    assert!(ran.text.contains("`path`"), "{problem:?}");
}

#[test]
fn good_behaviour_is_delivered() {
    let bench = Bench::new();
    let ran = beside_a_good_one(&bench, "good", "");
    assert_eq!((ran.report.outcome, ran.text.as_str()), (Outcome::Done, ""));
    assert_eq!(bench.workspace.read("bad.txt").as_deref(), Some("3"));
    assert_eq!(bad(&ran).delivered, 3);
}

#[test]
fn a_panic_while_closing_harms_nobody() {
    let bench = Bench::new();
    let ran = beside_a_good_one(&bench, "panic-drop", "");
    assert_eq!(ran.report.outcome, Outcome::Done, "{}", ran.text);
    assert_eq!(bench.workspace.read("bad.txt").as_deref(), Some("3"));
}

/// The destination has the readings, so nobody may say that they were not delivered.
#[test]
fn a_garbage_report_of_a_delivery_is_no_lost_delivery() {
    for mode in ["report-garbage", "report-null"] {
        let bench = Bench::new();
        let ran = beside_a_good_one(&bench, mode, "");
        expect(
            bad(&ran).error.as_ref(),
            Code::PLUGIN_BROKEN,
            "the readings were delivered",
        );
        assert!(
            !ran.text.contains("nothing of it was delivered"),
            "{}",
            ran.text
        );
        assert_eq!(bench.workspace.read("bad.txt").as_deref(), Some("3"));
    }
}

#[test]
fn a_secret_is_handed_over_and_shown_nowhere() {
    let bench = Bench::new();
    let ran = beside_a_good_one(&bench, "secret", "key = { env = \"HOSTILE_KEY\" }");
    assert_eq!(ran.report.outcome, Outcome::Done, "{}", ran.text);
    assert_eq!(bench.workspace.read("bad.txt").as_deref(), Some("13"));
    let report = format!("{:?}", ran.report);
    assert!(!report.contains("correct horse") && !ran.text.contains("correct horse"));
}

#[test]
fn a_secret_in_the_file_is_refused_before_the_exporter_sees_it() {
    let bench = Bench::new();
    let text = pipeline(&bench, "secret", "key = \"battery staple\"");
    let problems = bench.try_run(&text).expect_err("refused");
    assert_eq!(
        problems[0].code,
        Code::CONFIG_SECRET_LITERAL,
        "{problems:?}"
    );
    expect(problems.first(), Code::CONFIG_SECRET_LITERAL, "key");
    assert_eq!(bench.workspace.read("fine.csv"), None);
}

#[test]
fn an_exporter_that_is_deaf_to_its_deadline_is_abandoned() {
    for mode in ["deaf", "deaf-close"] {
        let bench = Bench::new();
        let meeting = Meeting::new(bench.workspace.path(), "deaf");
        let more = format!("timeout_secs = 1\n{}", meeting.keys());
        let ran = beside_a_good_one(&bench, mode, &more);
        for words in [
            "`bad` was abandoned",
            "longer than 1 s (`timeout_secs` of `bad`)",
        ] {
            expect(bad(&ran).error.as_ref(), Code::PLUGIN_STUCK, words);
        }
        assert_eq!(ran.report.outcome, Outcome::Partial);
        meeting.let_go();
    }
}

/// The exporter takes the host's cancellation for the end of the readings.
#[test]
fn a_swallowed_cancellation_commits_nothing() {
    let bench = Bench::new();
    let meeting = Meeting::new(bench.workspace.path(), "swallow");
    bench.workspace.write("bad.txt", BEFORE);
    let text = pipeline(&bench, "swallows-errors", &meeting.keys());
    let ran = std::thread::scope(|scope| {
        let ran = scope.spawn(|| bench.run(&text));
        meeting.wait();
        bench.cancel.set(Reason::Interrupted);
        meeting.let_go();
        ran.join().expect("the run ends")
    });
    expect(bad(&ran).error.as_ref(), Code::INTERRUPTED, "interrupted");
    assert_eq!(ran.report.outcome, Outcome::Interrupted);
    assert_eq!(bench.workspace.read("bad.txt").as_deref(), Some(BEFORE));
}

#[test]
fn messages_are_whole() {
    for mode in ["panic-write", "keeps", "report-garbage", "stops-early"] {
        let bench = Bench::new();
        let ran = beside_a_good_one(&bench, mode, "");
        insta::assert_snapshot!(format!("exporter-{mode}"), ran.text);
    }
}
