//! Transforms.

use std::time::Duration;

use glucopipe_runtime::cancel::Reason;
use glucopipe_runtime::problem::Code;
use glucopipe_runtime::run::report::Outcome;
use glucopipe_tests::Meeting;

use super::bench::{BEFORE, Bench, Ran, THREE, expect};

fn pipeline(bench: &Bench, mode: &str, more: &str) -> String {
    let transform = format!(
        "[transforms.bad]\ntype = \"hostile\"\ninputs = [\"meter\"]\nmode = \"{mode}\"\n{more}\n"
    );
    let source = bench.source("meter", "good", "");
    [
        source,
        transform,
        bench.table("spoilt", "bad"),
        bench.table("fine", "meter"),
    ]
    .concat()
}

/// Runs a bad transform before one sink, and another sink beside it.
fn beside_a_good_one(bench: &Bench, mode: &str, more: &str) -> Ran {
    bench.workspace.write("spoilt.csv", BEFORE);
    let ran = bench.run(&pipeline(bench, mode, more));
    let fine = bench.workspace.read("fine.csv");
    assert_eq!(
        fine.as_deref(),
        Some(THREE),
        "the other sink was not served:\n{}",
        ran.text
    );
    ran
}

/// The mode fails the transform with this code and words; nothing is delivered through it.
fn fails(mode: &str, code: Code, words: &str) {
    let bench = Bench::new();
    let ran = beside_a_good_one(&bench, mode, "");
    expect(ran.report.transforms[0].error.as_ref(), code, words);
    assert!(ran.report.sinks[0].error.is_some(), "{}", ran.text);
    assert_eq!(ran.report.outcome, Outcome::Partial);
    assert_eq!(bench.workspace.read("spoilt.csv").as_deref(), Some(BEFORE));
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
    panic_in_apply = "panic-apply", Code::PLUGIN_PANIC, "boom in apply";
    error = "fails", Code::DATA_INVALID, "the moon is in the way";
    raw_value_changed = "changes-raw", Code::PLUGIN_BROKEN, "changed the column `raw_value`";
    rows_repeated = "repeats", Code::PLUGIN_BROKEN, "invented or repeated a reading";
    row_invented = "invents", Code::PLUGIN_BROKEN, "invented or repeated a reading";
    column_lost = "loses-column", Code::PLUGIN_BROKEN, "lost the column `raw_unit`";
    type_changed = "changes-type", Code::PLUGIN_BROKEN, "changed the type of column `value`";
    value_not_a_number = "nan", Code::PLUGIN_BROKEN, "implausible";
    unit_unknown = "unknown-unit", Code::PLUGIN_BROKEN, "its `unit` is not one of the words";
    null_in_a_dictionary = "null-in-dictionary", Code::PLUGIN_BROKEN, "column `driver` has nulls";
    endless_without_rows = "endless-empty", Code::PLUGIN_BROKEN, "does not end";
    stream_copied = "copies", Code::PLUGIN_BROKEN, "did not take the stream";
    stream_kept = "keeps", Code::PLUGIN_BROKEN, "did not take the stream";
    no_output = "no-output", Code::PLUGIN_BROKEN, "released or incomplete";
}

#[test]
fn a_text_that_many_rows_share_is_not_multiplied() {
    let bench = Bench::new();
    let given = pipeline(&bench, "shared-text", "");
    let ran = bench.run(&given.replace("mode = \"good\"", "mode = \"good\"\nreadings = 2000"));
    let error = ran.report.transforms[0].error.as_ref();
    expect(error, Code::PLUGIN_BROKEN, "more bytes");
    assert_eq!(bench.workspace.read("spoilt.csv"), None, "{}", ran.text);
}

#[test]
fn dropping_rows_is_allowed() {
    let bench = Bench::new();
    let ran = beside_a_good_one(&bench, "drops-rows", "");
    assert_eq!((ran.report.outcome, ran.text.as_str()), (Outcome::Done, ""));
    let transform = &ran.report.transforms[0];
    assert_eq!((transform.taken, transform.given), (3, 2));
    let spoilt = bench.workspace.read("spoilt.csv").expect("delivered");
    assert_eq!(spoilt.lines().count(), 3);
    let ran = beside_a_good_one(&bench, "drops-all", "");
    assert_eq!(ran.report.transforms[0].given, 0);
    assert_eq!(ran.report.outcome, Outcome::Done, "{}", ran.text);
}

#[test]
fn a_panic_while_closing_harms_nobody() {
    let bench = Bench::new();
    let ran = beside_a_good_one(&bench, "panic-drop", "");
    assert_eq!(ran.report.outcome, Outcome::Done, "{}", ran.text);
    assert_eq!(bench.workspace.read("spoilt.csv").as_deref(), Some(THREE));
}

#[test]
fn a_transform_that_is_deaf_to_its_deadline_is_abandoned() {
    let mut bench = Bench::new();
    bench.limits.transform = Duration::from_millis(200);
    let meeting = Meeting::new(bench.workspace.path(), "deaf");
    let ran = beside_a_good_one(&bench, "deaf", &meeting.keys());
    let error = ran.report.transforms[0].error.as_ref();
    for words in ["`bad` was abandoned", "longer than 0.2 s"] {
        expect(error, Code::PLUGIN_STUCK, words);
    }
    assert_eq!(bench.workspace.read("spoilt.csv").as_deref(), Some(BEFORE));
    meeting.let_go();
}

#[test]
fn a_transform_that_is_deaf_to_ctrl_c_is_abandoned() {
    let bench = Bench::new();
    let meeting = Meeting::new(bench.workspace.path(), "deaf");
    let ran = interrupted(&bench, "deaf", &meeting, false);
    let error = ran.report.transforms[0].error.as_ref();
    expect(error, Code::PLUGIN_STUCK, "`bad` was abandoned");
    meeting.let_go();
}

/// The transform takes the host's cancellation for the end of the readings.
#[test]
fn a_swallowed_cancellation_delivers_nothing() {
    let bench = Bench::new();
    let meeting = Meeting::new(bench.workspace.path(), "swallow");
    let ran = interrupted(&bench, "swallows", &meeting, true);
    let error = ran.report.transforms[0].error.as_ref();
    expect(error, Code::INTERRUPTED, "interrupted");
}

/// Presses Ctrl-C while the transform is at the meeting.
fn interrupted(bench: &Bench, mode: &str, meeting: &Meeting, let_go: bool) -> Ran {
    bench.workspace.write("spoilt.csv", BEFORE);
    let text = pipeline(bench, mode, &meeting.keys());
    let ran = std::thread::scope(|scope| {
        let ran = scope.spawn(|| bench.run(&text));
        meeting.wait();
        bench.cancel.set(Reason::Interrupted);
        if let_go {
            meeting.let_go();
        }
        ran.join().expect("the run ends")
    });
    assert_eq!(ran.report.outcome, Outcome::Interrupted);
    assert_eq!(bench.workspace.read("spoilt.csv").as_deref(), Some(BEFORE));
    assert_eq!(bench.workspace.read("fine.csv"), None);
    ran
}

#[test]
fn messages_are_whole() {
    for mode in ["panic-apply", "changes-raw", "copies"] {
        let bench = Bench::new();
        let ran = beside_a_good_one(&bench, mode, "");
        insta::assert_snapshot!(format!("transform-{mode}"), ran.text);
    }
}
