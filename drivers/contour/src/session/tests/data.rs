//! The data phase and the ways out of it.

use super::super::transfer::FRAME_MS;
use super::*;

#[test]
fn whole_read_is_complete() {
    let mut talk = Talk::reading(2);
    assert_eq!(talk.says(&result(3, 1)), [ACK]);
    assert_eq!(talk.says(&result(4, 2)), [ACK]);
    assert_eq!(talk.says(&last(5, "L|1||N")), [ACK]);
    assert!(!talk.is_over());
    assert_eq!(talk.says(&[EOT]), NOTHING);
    assert!(talk.is_over() && talk.reasons().is_empty());
    assert_eq!(talk.results(), [1, 2]);
    assert_eq!(talk.machine.traffic().frames, 5);
}

#[test]
fn missing_eot_behind_the_terminator_is_no_error_simulated() {
    let mut talk = Talk::reading(0);
    assert_eq!(talk.says(&last(3, "L|1||N")), [ACK]);
    assert_eq!(talk.silence(), (1_000, vec![]));
    assert!(talk.is_over() && talk.reasons().is_empty());
}

#[test]
fn repeated_terminator_is_acknowledged_again_simulated() {
    let mut talk = Talk::reading(0);
    talk.says(&last(3, "L|1||N"));
    assert_eq!(talk.says(&last(3, "L|1||N")), [ACK]);
    assert_eq!(talk.says(&[EOT]), NOTHING);
    assert!(talk.is_over() && talk.reasons().is_empty());
}

#[test]
fn terminator_that_is_no_normal_end_is_incomplete_simulated() {
    let mut talk = Talk::reading(0);
    talk.says(&last(3, "L|1||T"));
    talk.says(&[EOT]);
    let reason = Reason::Terminator(TerminatorCode::SenderAborted);
    assert_eq!(talk.reasons(), [reason]);
}

#[test]
fn damaged_frame_is_asked_for_again_simulated() {
    let mut talk = Talk::reading(1);
    assert_eq!(talk.says(&bad(result(3, 1))), [NAK]);
    assert_eq!(talk.says(&result(3, 1)), [ACK]);
    assert_eq!(talk.says(&last(4, "L|1||N")), [ACK]);
    talk.says(&[EOT]);
    assert!(talk.reasons().is_empty());
    assert_eq!(talk.machine.tally().naks, 1);
}

#[test]
fn frame_is_given_up_after_six_naks_and_the_rest_discarded_simulated() {
    let mut talk = Talk::reading(3);
    assert_eq!(talk.says(&result(3, 1)), [ACK]);
    for _ in 0..TRIES_MAX {
        assert_eq!(talk.says(&bad(result(4, 2))), [NAK]);
    }
    assert_eq!(talk.says(&bad(result(4, 2))), [ACK]);
    assert_eq!(talk.says(&result(5, 3)), [ACK]);
    assert_eq!(talk.says(&last(6, "L|1||N")), [ACK]);
    assert_eq!(talk.says(&[EOT]), NOTHING);
    talk.silence();
    assert!(talk.is_over());
    assert!(talk.reasons().contains(&Reason::FramesGivenUp(1)));
    assert_eq!(talk.results(), [1]);
}

#[test]
fn naks_are_counted_for_each_frame_anew_simulated() {
    let mut talk = Talk::reading(4);
    for (number, position) in [(3, 1), (4, 2), (5, 3), (6, 4)] {
        for _ in 0..TRIES_MAX {
            assert_eq!(talk.says(&bad(result(number, position))), [NAK]);
        }
        assert_eq!(talk.says(&result(number, position)), [ACK]);
    }
    assert_eq!(talk.machine.tally().naks, 24);
}

#[test]
fn frame_seven_repeated_at_the_wrap_is_acknowledged_and_dropped_simulated() {
    let mut talk = Talk::reading(6);
    for position in 1..=5 {
        let number = u8::try_from(position).unwrap() + 2;
        assert_eq!(talk.says(&result(number, position)), [ACK]);
    }
    assert_eq!(talk.says(&result(7, 5)), [ACK]);
    assert_eq!(talk.says(&result(0, 6)), [ACK]);
    assert_eq!(talk.says(&result(0, 6)), [ACK]);
    assert_eq!(talk.says(&last(1, "L|1||N")), [ACK]);
    talk.says(&[EOT]);
    assert!(talk.reasons().is_empty());
    assert_eq!(talk.machine.tally().duplicates, 2);
    assert_eq!(talk.results(), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn endless_repeats_are_given_up_simulated() {
    let mut talk = Talk::reading(6);
    for _ in 0..17 {
        assert_eq!(talk.says(&frame(2, "P|1")), [ACK]);
    }
    talk.hangs_up();
    assert!(talk.reasons().contains(&Reason::FramesGivenUp(1)));
}

#[test]
fn gap_makes_the_read_incomplete_and_drains_simulated() {
    let mut talk = Talk::reading(3);
    assert_eq!(talk.says(&result(3, 1)), [ACK]);
    assert_eq!(talk.says(&result(5, 3)), [ACK]);
    assert_eq!(talk.says(&last(6, "L|1||N")), [ACK]);
    assert_eq!(talk.silence(), (1_000, vec![]));
    assert!(talk.is_over());
    assert!(talk.reasons().contains(&Reason::Gaps(1)));
    assert_eq!(talk.results(), [1]);
}

#[test]
fn silence_is_answered_by_three_naks_and_then_eot_simulated() {
    let mut talk = Talk::reading(3);
    assert_eq!(talk.says(&result(3, 1)), [ACK]);
    for _ in 0..3 {
        assert_eq!(talk.silence(), (FRAME_MS, vec![NAK]));
    }
    assert_eq!(talk.silence(), (FRAME_MS, vec![]));
    talk.hangs_up();
    let silence = Reason::Interrupted(Interruption::Silence);
    assert!(talk.reasons().contains(&silence));
    assert_eq!(talk.results(), [1]);
}

#[test]
fn frame_cut_off_in_the_middle_is_forgotten_before_the_nak_simulated() {
    let mut talk = Talk::reading(1);
    let whole = result(3, 1);
    assert_eq!(talk.says(&whole[..20]), NOTHING);
    assert_eq!(talk.silence(), (FRAME_MS, vec![NAK]));
    assert_eq!(talk.says(&whole), [ACK]);
    assert_eq!(talk.machine.traffic().garbage, 0);
}

#[test]
fn noise_between_frames_neither_harms_nor_prolongs_the_wait_simulated() {
    let mut talk = Talk::reading(1);
    talk.now += 3_000;
    assert_eq!(talk.says(b"~#U*"), NOTHING);
    assert_eq!(talk.says(&[ACK, NAK]), NOTHING);
    assert_eq!(talk.says(&result(3, 1)), [ACK]);
    talk.now += 4_000;
    assert_eq!(talk.says(b"~#U*\x06"), NOTHING);
    assert_eq!(talk.silence(), (1_000, vec![NAK]));
}

#[test]
fn eot_before_the_terminator_ends_the_read_incomplete_simulated() {
    let mut talk = Talk::reading(2);
    talk.says(&result(3, 1));
    assert_eq!(talk.says(&[EOT]), NOTHING);
    assert_eq!(talk.silence(), (300, vec![]));
    assert!(talk.is_over());
    assert!(talk.reasons().contains(&Reason::NoTerminator));
    assert_eq!(talk.results(), [1]);
}

#[test]
fn enquiry_in_the_data_restarts_once_and_takes_the_readings_back_simulated() {
    let mut talk = Talk::reading(2);
    talk.says(&result(3, 1));
    assert_eq!(talk.says(&[ENQ]), [ACK]);
    assert_eq!(talk.says(&frame(1, &header(2))), [ACK]);
    assert_eq!(talk.says(&frame(2, "P|1")), [ACK]);
    assert_eq!(talk.says(&result(3, 1)), [ACK]);
    assert_eq!(talk.says(&result(4, 2)), [ACK]);
    assert_eq!(talk.says(&last(5, "L|1||N")), [ACK]);
    talk.says(&[EOT]);
    assert!(talk.reasons().is_empty());
    assert_eq!(talk.results(), [1, 2]);
    assert_eq!(talk.machine.traffic().restarts, 1);
}

#[test]
fn second_restart_is_refused_simulated() {
    let mut talk = Talk::reading(2);
    assert_eq!(talk.says(&[ENQ]), [ACK]);
    assert_eq!(talk.says(&frame(1, &header(2))), [ACK]);
    assert_eq!(talk.says(&[ENQ]), [NAK]);
    assert_eq!(talk.says(&[EOT]), NOTHING);
    talk.silence();
    assert!(talk.is_over());
    let restart = Reason::Interrupted(Interruption::Restart);
    assert!(talk.reasons().contains(&restart));
}

#[test]
fn enquiry_repeated_before_the_first_frame_is_no_restart_simulated() {
    let mut talk = Talk::woken(Goal::Read);
    assert_eq!(talk.says(&opening(0)), [ACK]);
    assert_eq!(talk.says(&[ENQ]), [ACK]);
    assert_eq!(talk.says(&frame(1, &header(0))), [ACK]);
    assert_eq!(talk.machine.traffic().restarts, 0);
}

#[test]
fn malformed_report_drains_and_asks_again_simulated() {
    let mut talk = Talk::reading(1);
    talk.machine.bad_report(talk.now);
    assert_eq!(talk.says(&result(3, 1)[30..]), NOTHING);
    assert_eq!(talk.silence(), (100, vec![NAK]));
    assert_eq!(talk.says(&result(3, 1)), [ACK]);
}

#[test]
fn malformed_reports_without_end_are_given_up_simulated() {
    let mut talk = Talk::reading(1);
    for _ in 0..TRIES_MAX {
        talk.machine.bad_report(talk.now);
        assert_eq!(talk.silence(), (100, vec![NAK]));
    }
    talk.machine.bad_report(talk.now);
    assert_eq!(talk.silence(), (100, vec![ACK]));
    talk.hangs_up();
    let transport = Reason::Interrupted(Interruption::Transport);
    assert!(talk.reasons().contains(&transport));
}

#[test]
fn lost_link_keeps_what_was_acknowledged() {
    let mut talk = Talk::reading(3);
    talk.says(&result(3, 1));
    talk.says(&result(4, 2));
    talk.machine.lost();
    assert!(talk.is_over());
    let lost = Reason::Interrupted(Interruption::DeviceLost);
    assert!(talk.reasons().contains(&lost));
    assert_eq!(talk.results(), [1, 2]);
}

#[test]
fn link_lost_behind_the_terminator_does_not_matter() {
    let mut talk = Talk::reading(0);
    talk.says(&last(3, "L|1||N"));
    talk.machine.lost();
    assert!(talk.is_over() && talk.reasons().is_empty());
}

#[test]
fn cancelled_read_acknowledges_and_discards_to_the_end_simulated() {
    let mut talk = Talk::reading(2);
    talk.says(&result(3, 1));
    talk.machine.cancel(talk.now);
    assert_eq!(talk.says(&result(4, 2)), [ACK]);
    assert_eq!(talk.says(&last(5, "L|1||N")), [ACK]);
    assert_eq!(talk.says(&[EOT]), NOTHING);
    talk.silence();
    assert!(talk.is_over());
    assert_eq!(talk.results(), [1]);
    let cancelled = Reason::Interrupted(Interruption::Cancelled);
    assert!(talk.reasons().contains(&cancelled));
}

#[test]
fn refused_ack_is_sent_before_anything_else() {
    let mut talk = Talk::reading(0);
    talk.machine.receive(&last(3, "L|1||N"), talk.now);
    let ack = Message::Byte(ACK);
    assert_eq!(talk.machine.poll(talk.now), Step::Send(ack));
    talk.machine.unsent(ack);
    talk.machine.cancel(talk.now);
    assert_eq!(talk.sent(), [ACK]);
    assert_eq!(talk.says(&[EOT]), NOTHING);
    assert!(talk.is_over() && talk.reasons().is_empty());
}

#[test]
fn draining_stops_after_ten_seconds_with_eot_simulated() {
    let mut talk = Talk::reading(2_000);
    talk.machine.cancel(talk.now);
    let start = talk.now;
    let mut number = 3;
    while talk.now < start + 10_000 {
        assert_eq!(talk.says(&result(number, 1)), [ACK]);
        number = (number + 1) % 8;
        talk.now += 500;
    }
    assert_eq!(talk.says(&result(number, 1)), [EOT]);
    assert_eq!(talk.says(&[EOT]), NOTHING);
    talk.silence();
    assert!(talk.is_over() && talk.now <= start + 11_500);
}

#[test]
fn draining_stops_after_the_announced_number_with_eot_simulated() {
    let mut talk = Talk::reading(1);
    talk.machine.cancel(talk.now);
    let sent: Vec<u8> = (0..17).flat_map(|_| talk.says(&result(3, 1))).collect();
    assert_eq!(sent, [ACK; 17]);
    assert_eq!(talk.says(&result(3, 1)), [EOT]);
    assert_eq!(talk.silence(), (2_000, vec![]));
    assert!(talk.is_over());
}

#[test]
fn meter_that_never_stops_is_left_after_its_last_eot_simulated() {
    let mut talk = Talk::reading(1);
    talk.machine.cancel(talk.now);
    let start = talk.now;
    let mut sent = Vec::new();
    while !talk.is_over() {
        sent.extend(talk.says(&result(3, 1)));
        talk.now += 10;
        assert!(talk.now < start + 12_000);
    }
    assert_eq!(sent.iter().filter(|byte| **byte == EOT).count(), 3);
    assert_eq!(sent.last(), Some(&EOT));
}

#[test]
fn frame_is_stored_before_it_is_acknowledged() {
    let mut talk = Talk::reading(1);
    talk.machine.receive(&result(3, 1), talk.now);
    assert_eq!(talk.machine.poll(talk.now), Step::Send(Message::Byte(ACK)));
    assert_eq!(talk.results(), [1]);
}

#[test]
fn records_in_one_frame_keep_no_bytes_of_their_neighbours_simulated() {
    let mut talk = Talk::woken(Goal::Read);
    talk.says(&opening(1));
    talk.says(&frame(1, &header(1)));
    let both = "P|1||||Doe^Jo\rR|1|^^^Glucose|93|mg/dL^P||||202605301805";
    assert_eq!(talk.says(&frame(2, both)), [ACK]);
    let collection = talk.machine.take_collection();
    assert_eq!(collection.kept.len(), 1);
    assert_eq!(
        collection.kept[0].raw,
        both.split('\r').nth(1).unwrap().as_bytes()
    );
}

#[test]
fn too_many_records_are_incomplete_and_drained_simulated() {
    let mut talk = Talk::reading(200_000);
    let kept = || Kept {
        record: crate::protocol::record::Record::Patient,
        raw: Vec::new(),
    };
    let full = collection::RECORDS_MAX;
    talk.machine.collection.kept = std::iter::repeat_with(kept).take(full).collect();
    assert_eq!(talk.says(&result(3, 1)), [ACK]);
    talk.hangs_up();
    assert!(talk.reasons().contains(&Reason::Unstored(1)));
}

#[test]
fn transmission_that_takes_half_an_hour_is_broken_off_simulated() {
    let mut talk = Talk::reading(1);
    talk.now += 30 * 60 * 1_000 - 1;
    assert_eq!(talk.says(&result(3, 1)), [ACK]);
    talk.now += 1;
    assert_eq!(talk.says(&result(4, 2)), [ACK]);
    talk.hangs_up();
    let deadline = Reason::Interrupted(Interruption::Deadline);
    assert!(talk.reasons().contains(&deadline));
    assert_eq!(talk.results(), [1]);
}

/// The beginning of a result in a frame that leaves it open.
fn part(number: u8) -> Vec<u8> {
    encode(number, b"R|1|^^^Glucose|9", FrameEnd::Etb)
}

fn odd_results(talk: &mut Talk) -> Vec<Vec<u8>> {
    let kept = talk.machine.take_collection().kept;
    let raw = |kept: Kept| match kept.record {
        crate::protocol::record::Record::Odd(odd) if odd.is_result => Some(kept.raw),
        _ => None,
    };
    kept.into_iter().filter_map(raw).collect()
}

#[test]
fn record_that_never_ended_is_kept_as_an_odd_one_simulated() {
    let ends: [fn(&mut Talk); 4] = [
        |talk| assert_eq!(talk.says(&[EOT]), NOTHING),
        |talk| assert_eq!(talk.says(&result(6, 2)), [ACK]),
        |talk| talk.machine.lost(),
        |talk| talk.machine.cancel(talk.now),
    ];
    for end in ends {
        let mut talk = Talk::reading(2);
        assert_eq!(talk.says(&part(3)), [ACK]);
        end(&mut talk);
        assert_eq!(odd_results(&mut talk), [b"R|1|^^^Glucose|9"]);
        assert!(odd_results(&mut talk).is_empty());
        assert_eq!(talk.machine.tally().odd_results, 1);
        assert!(talk.reasons().contains(&Reason::NoTerminator));
    }
}

#[test]
fn whole_looking_record_that_never_ended_is_no_reading_simulated() {
    let mut talk = Talk::reading(1);
    let text = b"R|1|^^^Glucose|93|mg/dL^P||||202605301805";
    assert_eq!(talk.says(&encode(3, text, FrameEnd::Etb)), [ACK]);
    talk.says(&[EOT]);
    assert_eq!(odd_results(&mut talk), [text]);
}

#[test]
fn record_left_open_by_a_restart_comes_again_simulated() {
    let mut talk = Talk::reading(1);
    assert_eq!(talk.says(&part(3)), [ACK]);
    assert_eq!(talk.says(&[ENQ]), [ACK]);
    assert_eq!(talk.says(&frame(1, &header(1))), [ACK]);
    assert_eq!(talk.says(&result(2, 1)), [ACK]);
    assert_eq!(talk.says(&last(3, "L|1||N")), [ACK]);
    talk.says(&[EOT]);
    assert!(talk.reasons().is_empty());
    assert_eq!(talk.results(), [1]);
}
