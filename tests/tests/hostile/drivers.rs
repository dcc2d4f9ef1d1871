//! Drivers.

use glucopipe_runtime::cancel::Reason;
use glucopipe_runtime::problem::Code;
use glucopipe_runtime::run::report::{Outcome, SourceStatus};
use glucopipe_tests::Meeting;

use super::bench::{BEFORE, Bench, Ran, THREE, expect};

/// Runs a bad source beside a good one, each with a sink of its own.
fn beside_a_good_one(bench: &Bench, mode: &str, more: &str) -> Ran {
    bench.workspace.write("spoilt.csv", BEFORE);
    let pipeline = [
        bench.source("bad", mode, more),
        bench.source("good", "good", ""),
        bench.table("spoilt", "bad"),
        bench.table("fine", "good"),
    ];
    let ran = bench.run(&pipeline.concat());
    let fine = bench.workspace.read("fine.csv");
    assert_eq!(
        fine.as_deref(),
        Some(THREE),
        "the other sink was not served:\n{}",
        ran.text
    );
    ran
}

/// The mode ends the read with this code and words, and delivers nothing.
fn fails(mode: &str, code: Code, words: &str) -> Ran {
    let bench = Bench::new();
    let ran = beside_a_good_one(&bench, mode, "");
    expect(ran.report.sources[0].error.as_ref(), code, words);
    assert_eq!(ran.report.sources[0].status, SourceStatus::Failed);
    assert!(ran.report.sinks[0].error.is_some(), "{}", ran.text);
    assert_eq!(ran.report.outcome, Outcome::Partial);
    assert_eq!(bench.workspace.read("spoilt.csv").as_deref(), Some(BEFORE));
    ran
}

/// One row of three breaks a rule: it is set aside, the others are delivered.
fn sets_one_aside(mode: &str, words: &str) {
    let bench = Bench::new();
    let ran = beside_a_good_one(&bench, mode, "");
    let source = &ran.report.sources[0];
    assert_eq!((source.read, source.rejected), (2, 1), "{}", ran.text);
    let aside = &source.set_aside[0];
    assert_eq!((aside.position, aside.raw.as_str()), (2, "abcd"));
    assert!(aside.reason.contains(words), "{}", aside.reason);
    let spoilt = bench
        .workspace
        .read("spoilt.csv")
        .expect("the others are delivered");
    assert_eq!(spoilt.lines().count(), 3, "{spoilt}");
    expect(ran.report.warnings.first(), Code::SET_ASIDE, words);
}

macro_rules! cases {
    ($check:ident: $($name:ident = $mode:literal, $($expected:expr),+;)+) => {$(
        #[test]
        fn $name() {
            $check($mode, $($expected),+);
        }
    )+};
}

cases! { fails:
    panic_in_open = "panic-open", Code::PLUGIN_PANIC, "boom in open";
    panic_in_read = "panic-read", Code::PLUGIN_PANIC, "boom in read";
    panic_in_next_after_readings = "panic-next", Code::PLUGIN_PANIC, "boom in next";
    panic_in_next_at_once = "panic-first", Code::PLUGIN_PANIC, "boom in next";
    panic_in_finish = "panic-finish", Code::PLUGIN_PANIC, "boom in finish";
    error_in_open = "error-open", Code::DEVICE_ACCESS, "somebody else has the meter";
    error_that_steers_terminals = "error-control-characters", Code::PROTOCOL, "u{1b}[31mred";
    lost_at_once = "lost", Code::DEVICE_LOST, "the cable was pulled";
    serial_that_steers_terminals = "serial-control", Code::PLUGIN_BROKEN, "has control characters";
    serial_empty = "serial-empty", Code::PLUGIN_BROKEN, "has no serial";

    session_null = "session-null", Code::PLUGIN_BROKEN, "it opened no session";
    failure_without_error = "fails-without-error", Code::DEVICE_IO, "failed without a message";
    status_unknown = "unknown-status", Code::PLUGIN_BROKEN, "code 4711";
    report_garbage = "report-garbage", Code::PLUGIN_BROKEN, "read report is not the JSON";
    report_null = "report-null", Code::PLUGIN_BROKEN, "a text is missing";
    report_error = "report-error", Code::DEVICE_IO, "the report was lost";
    stream_released = "stream-released", Code::PLUGIN_BROKEN, "released or incomplete";

    column_missing = "column-missing", Code::PLUGIN_BROKEN, "column `raw_value` is missing";
    column_of_another_type = "column-type", Code::PLUGIN_BROKEN, "column `value` is Int64";
    column_extra = "column-extra", Code::PLUGIN_BROKEN, "column `mood` is not the driver's";
    column_of_the_host = "column-of-host", Code::PLUGIN_BROKEN, "`reading_id` is not the driver's";
    column_twice = "column-twice", Code::PLUGIN_BROKEN, "column `raw_value` comes twice";
    metadata_missing = "metadata-missing", Code::PLUGIN_BROKEN, "expected reading/1";
    device_missing = "device-missing", Code::PLUGIN_BROKEN, "`glucopipe.device` is missing";
    device_garbage = "device-garbage", Code::PLUGIN_BROKEN, "not a description of a meter";
    unit_metadata_missing = "unit-missing", Code::PLUGIN_BROKEN, "glucopipe.unit";
    no_columns = "no-columns", Code::PLUGIN_BROKEN, "`glucopipe.schema` is nothing";

    null_in_a_column = "null-column", Code::PLUGIN_BROKEN, "column `value` has nulls";
    null_in_a_dictionary = "null-in-dictionary", Code::PLUGIN_BROKEN, "column `raw_unit` has nulls";
    too_many_records = "too-many", Code::PLUGIN_BROKEN, "more than 1000000 records";
    text_shared_by_many_rows = "shared-text", Code::PLUGIN_BROKEN, "more bytes";
    endless = "endless", Code::PLUGIN_BROKEN, "more than 1000000 records";

    stream_error = "stream-error", Code::DEVICE_IO, "the link broke";
    stream_error_without_text = "stream-error-silent", Code::DEVICE_IO, "the stream failed";
    stream_error_of_bytes = "stream-error-bytes", Code::DEVICE_IO, "the stream failed";
    stream_error_unknown = "stream-error-unknown", Code::DEVICE_IO, "the link broke";
    schema_empty = "schema-empty", Code::PLUGIN_BROKEN, "schema";
    schema_error = "schema-error", Code::PROTOCOL, "the stream failed";
    schema_name_of_bytes = "schema-name-bytes", Code::PLUGIN_BROKEN, "schema";
    schema_without_children = "schema-children-null", Code::PLUGIN_BROKEN, "schema";
    schema_no_struct = "schema-not-struct", Code::PLUGIN_BROKEN, "struct";

    length_negative = "length-negative", Code::PLUGIN_BROKEN, "length or offset out of range";
    length_huge = "length-huge", Code::PLUGIN_BROKEN, "length or offset out of range";
    offset_huge = "offset-huge", Code::PLUGIN_BROKEN, "length or offset out of range";
    buffers_too_few = "buffers-few", Code::PLUGIN_BROKEN, "broken batch";
    buffers_null = "buffers-null", Code::PLUGIN_BROKEN, "buffers are missing";
    children_null = "children-null", Code::PLUGIN_BROKEN, "not as many columns";
    children_too_few = "children-few", Code::PLUGIN_BROKEN, "not as many columns";
    child_null = "child-null", Code::PLUGIN_BROKEN, "a column is missing";
    child_released = "child-released", Code::PLUGIN_BROKEN, "a child is released";
    child_too_short = "child-short", Code::PLUGIN_BROKEN, "broken batch";
    dictionary_null = "dictionary-null", Code::PLUGIN_BROKEN, "a dictionary is missing";
    index_beyond_the_words = "index-beyond", Code::PLUGIN_BROKEN, "broken batch";
    index_negative = "index-negative", Code::PLUGIN_BROKEN, "broken batch";
    offsets_beyond_the_text = "offsets-beyond", Code::PLUGIN_BROKEN, "broken batch";
    offsets_negative = "offsets-negative", Code::PLUGIN_BROKEN, "broken batch";
    text_not_utf8 = "text-bytes", Code::PLUGIN_BROKEN, "broken batch";
    null_count_wrong = "null-count-wrong", Code::PLUGIN_BROKEN, "broken batch";
    null_rows = "null-rows", Code::PLUGIN_BROKEN, "null rows";
}

cases! { sets_one_aside:
    row_of_unknown_kind = "row-kind", "`kind` is not one of the words";
    row_of_another_unit = "row-unit", "its unit is not one of glucose";
    row_not_a_number = "row-nan", "implausible";
    row_negative = "row-negative", "implausible";
    row_far_too_large = "row-huge", "implausible";
    row_contradicts_itself = "row-range", "contradict each other";
    row_of_the_far_future = "row-time", "outside the years";
    row_without_key = "row-key-empty", "record key is empty";
    row_with_the_key_of_another = "row-key-twice", "record key came before";
}

#[test]
fn good_behaviour_is_delivered() {
    let bench = Bench::new();
    let ran = beside_a_good_one(&bench, "good", "readings = 3000");
    assert_eq!(ran.report.outcome, Outcome::Done, "{}", ran.text);
    assert_eq!(ran.text, "");
    let delivered = bench.workspace.read("spoilt.csv").expect("delivered");
    assert_eq!(delivered.lines().count(), 3001);
}

#[test]
fn a_model_that_steers_terminals_is_shown_without_that() {
    let bench = Bench::new();
    let ran = beside_a_good_one(&bench, "model-control", "");
    assert_eq!(ran.report.outcome, Outcome::Done, "{}", ran.text);
    assert_eq!(ran.report.sources[0].model, "Hostile [31m 9");
}

#[test]
fn a_panic_while_closing_harms_nobody() {
    let bench = Bench::new();
    let ran = beside_a_good_one(&bench, "panic-drop", "");
    assert_eq!(ran.report.outcome, Outcome::Done, "{}", ran.text);
    assert_eq!(bench.workspace.read("spoilt.csv").as_deref(), Some(THREE));
}

#[test]
fn what_was_read_before_the_meter_went_away_is_delivered() {
    let bench = Bench::new();
    let ran = beside_a_good_one(&bench, "lost-late", "");
    assert_eq!(ran.report.sources[0].status, SourceStatus::Incomplete);
    expect(
        ran.report.warnings.first(),
        Code::INCOMPLETE,
        "the cable was pulled",
    );
    assert_eq!(bench.workspace.read("spoilt.csv").as_deref(), Some(THREE));
}

#[test]
fn a_stream_without_end_and_without_rows_meets_its_deadline() {
    let bench = Bench::new();
    let ran = beside_a_good_one(&bench, "endless-empty", "timeout_secs = 1");
    expect(
        ran.report.sources[0].error.as_ref(),
        Code::TIMEOUT,
        "longer than 1 s",
    );
}

#[test]
fn a_driver_that_is_deaf_to_its_deadline_is_abandoned() {
    let bench = Bench::new();
    let meeting = Meeting::new(bench.workspace.path(), "deaf");
    let more = format!("timeout_secs = 1\n{}", meeting.keys());
    let ran = beside_a_good_one(&bench, "deaf", &more);
    for words in [
        "`bad` was abandoned",
        "longer than 1 s (`timeout_secs` of `bad`)",
    ] {
        expect(
            ran.report.sources[0].error.as_ref(),
            Code::PLUGIN_STUCK,
            words,
        );
    }
    assert_eq!(ran.report.outcome, Outcome::Partial);
    meeting.let_go();
}

#[test]
fn a_driver_that_is_deaf_to_ctrl_c_is_abandoned() {
    let bench = Bench::new();
    let meeting = Meeting::new(bench.workspace.path(), "deaf");
    bench.workspace.write("spoilt.csv", BEFORE);
    let pipeline = [
        bench.source("bad", "deaf", &meeting.keys()),
        bench.table("spoilt", "bad"),
    ];
    let ran = std::thread::scope(|scope| {
        let ran = scope.spawn(|| bench.run(&pipeline.concat()));
        meeting.wait();
        bench.cancel.set(Reason::Interrupted);
        ran.join().expect("the run ends")
    });
    expect(
        ran.report.sources[0].error.as_ref(),
        Code::PLUGIN_STUCK,
        "`bad` was abandoned",
    );
    assert!(!ran.text.contains("timeout_secs"), "{}", ran.text);
    assert_eq!(ran.report.outcome, Outcome::Interrupted);
    assert_eq!(bench.workspace.read("spoilt.csv").as_deref(), Some(BEFORE));
    meeting.let_go();
}

#[test]
fn messages_are_whole() {
    for mode in [
        "panic-next",
        "child-null",
        "column-type",
        "stream-error",
        "too-many",
    ] {
        insta::assert_snapshot!(format!("driver-{mode}"), fails_text(mode));
    }
}

fn fails_text(mode: &str) -> String {
    let bench = Bench::new();
    beside_a_good_one(&bench, mode, "").text
}
