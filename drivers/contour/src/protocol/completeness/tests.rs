use super::super::record::Decoder;
use super::*;

fn tally(declared: &str, records: &[&str]) -> Tally {
    let header = format!("H|\\^&||x|Bayer7390^1^7390-1234567||{declared}");
    let mut tally = Tally::default();
    for text in [header.as_str()].iter().chain(records) {
        tally.count(&Decoder::default().decode(text.as_bytes()));
    }
    tally
}

const GOOD: &str = "R|1|^^^Glucose|93|mg/dL^P||B||202605301805";
const END: &str = "L|1||N";

#[test]
fn empty_meter_is_complete() {
    assert_eq!(tally("0", &["P|1", END]).assess(), Completeness::Complete);
}

#[test]
fn matching_count_and_normal_end_are_complete() {
    assert_eq!(
        tally("1", &["P|1", GOOD, END]).assess(),
        Completeness::Complete
    );
    assert_eq!(
        tally("", &["P|1", GOOD, END]).assess(),
        Completeness::Complete
    );
}

#[test]
fn missing_results_and_terminator_are_named_simulated() {
    let Completeness::Incomplete(reasons) = tally("5", &[GOOD]).assess() else {
        panic!()
    };
    let words: Vec<_> = reasons.iter().map(ToString::to_string).collect();
    let count = "the meter announced 5 results and sent 1";
    assert_eq!(words, ["the meter sent no end record", count]);
}

#[test]
fn aborted_end_is_incomplete_even_with_the_right_count_simulated() {
    let expected = vec![Reason::Terminator(TerminatorCode::SenderAborted)];
    assert_eq!(
        tally("1", &[GOOD, "L|1||T"]).assess(),
        Completeness::Incomplete(expected)
    );
}

#[test]
fn terminator_in_an_etb_frame_is_incomplete_simulated() {
    let mut tally = tally("0", &[END]);
    tally.terminator_in_etb = true;
    assert_eq!(
        tally.assess(),
        Completeness::Incomplete(vec![Reason::TerminatorNotLast])
    );
}

#[test]
fn unreadable_result_counts_and_does_not_spoil_completeness_simulated() {
    let tally = tally(
        "2",
        &[GOOD, "R|2|^^^Glucose|HI|mg/dL^P||||202605301805", END],
    );
    assert_eq!((tally.results, tally.glucose, tally.odd_results), (2, 1, 1));
    assert_eq!(tally.assess(), Completeness::Complete);
}

#[test]
fn every_session_fault_is_a_reason_simulated() {
    let mut tally = tally("0", &[END]);
    tally.gaps = 1;
    tally.frames_given_up = 2;
    tally.unstored = 3;
    tally.interruption = Some(Interruption::Deadline);
    let Completeness::Incomplete(reasons) = tally.assess() else {
        panic!()
    };
    let expected = [
        Reason::Interrupted(Interruption::Deadline),
        Reason::Gaps(1),
        Reason::FramesGivenUp(2),
        Reason::Unstored(3),
    ];
    assert_eq!(reasons, expected);
}

#[test]
fn without_header_the_read_failed() {
    assert_eq!(Tally::default().assess(), Completeness::Failed);
}

#[test]
fn kinds_and_range_are_counted_simulated() {
    let records = [
        "R|1|^^^Glucose|601|mg/dL^P||>||202605301805",
        "R|2|^^^Glucose|19|mg/dL^P||</B||202605301806",
        "R|3|^^^Glucose|120|mg/dL^P||C||202605301807",
        "R|4|^^^Insulin|65|1^||||202605301808",
        "R|5|^^^Carb|45|1^||||202605301809",
        "R|6|^^^Ketone|0.3|mmol/L||||202605301810",
        "X|1",
    ];
    let tally = tally("6", &records);
    assert_eq!((tally.above, tally.below), (1, 1));
    assert_eq!(
        (tally.glucose, tally.control, tally.insulin, tally.carbs),
        (2, 1, 1, 1)
    );
    assert_eq!((tally.odd_results, tally.odd_records), (1, 1));
    assert_eq!(tally.position_breaks, 0);
}

#[test]
fn positions_that_do_not_follow_are_only_reported_simulated() {
    let third = GOOD.replace("R|1", "R|3");
    let tally = tally("2", &[GOOD, &third, END]);
    assert_eq!(tally.position_breaks, 1);
    assert_eq!(tally.assess(), Completeness::Complete);
}

#[test]
fn restart_forgets_records_and_keeps_the_line_counts_simulated() {
    let mut tally = tally("1", &[GOOD]);
    tally.naks = 4;
    tally.gaps = 1;
    tally.restart();
    assert_eq!(
        (tally.results, tally.glucose, tally.gaps, tally.naks),
        (0, 0, 0, 4)
    );
    tally.count(&Decoder::default().decode(GOOD.as_bytes()));
    tally.count(&Decoder::default().decode(END.as_bytes()));
    assert_eq!(tally.assess(), Completeness::Complete);
}
